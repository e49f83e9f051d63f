"""Calls made during a fault, and what is demanded of their answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.service import Service, User, reason, retry_after
from twofold.v1 import account_pb2, session_pb2, two_factor_pb2

SOON = 2.3
"""Seconds within which a call ends whatever the database does: 2, and what a busy test machine adds."""
RESUMED = 8.0
"""Seconds within which the service works again once the database does."""
_DEADLINE = 9.0

Probe = Callable[[], Awaitable[object]]


def writes(service: Service, user: User) -> dict[str, Probe]:
    """Calls that change the database, by name."""
    session, metadata = service.with_session(user), service.metadata
    return {
        "SignUp": lambda: service.accounts.SignUp(
            account_pb2.SignUpRequest(email="new@example.org", password=user.password, client=service.client),
            metadata=metadata,
            timeout=_DEADLINE,
        ),
        "SignIn": lambda: service.accounts.SignIn(
            account_pb2.SignInRequest(email=user.email, password=user.password, client=service.client),
            metadata=metadata,
            timeout=_DEADLINE,
        ),
        "RefreshSession": lambda: service.sessions.RefreshSession(
            session_pb2.RefreshSessionRequest(refresh_token=user.tokens.refresh_token),
            metadata=metadata,
            timeout=_DEADLINE,
        ),
        "BeginEnrollment": lambda: service.two_factor.BeginEnrollment(
            two_factor_pb2.BeginEnrollmentRequest(totp=two_factor_pb2.TotpEnrollment()),
            metadata=session,
            timeout=_DEADLINE,
        ),
    }


def reads(service: Service, user: User) -> dict[str, Probe]:
    """Calls that read the database, by name."""
    session = service.with_session(user)
    return {
        "CheckSession fresh": lambda: service.sessions.CheckSession(
            session_pb2.CheckSessionRequest(audience="twofold", fresh=True), metadata=session, timeout=_DEADLINE
        ),
        "ListSessions": lambda: service.sessions.ListSessions(
            session_pb2.ListSessionsRequest(), metadata=session, timeout=_DEADLINE
        ),
        "GetAccount": lambda: service.accounts.GetAccount(
            account_pb2.GetAccountRequest(), metadata=session, timeout=_DEADLINE
        ),
    }


def check(service: Service, user: User) -> Probe:
    """CheckSession as it is answered from memory."""
    return lambda: service.sessions.CheckSession(
        session_pb2.CheckSessionRequest(audience="twofold"), metadata=service.with_session(user), timeout=_DEADLINE
    )


async def answer(probe: Probe, name: str = "") -> grpc.aio.AioRpcError | None:
    """Make a call that must end soon: None if it succeeded, its error if it answered UNAVAILABLE as documented."""
    began = time.monotonic()
    error: grpc.aio.AioRpcError | None = None
    try:
        await probe()
    except grpc.aio.AioRpcError as refused:
        error = refused
    took = time.monotonic() - began
    assert took < SOON, f"{name} took {took:.2f} s and ended with {error.code() if error else 'OK'}"
    if error is not None:
        assert error.code() is grpc.StatusCode.UNAVAILABLE, (name, error.code(), reason(error), error.details())
        assert reason(error) == "DATABASE_UNAVAILABLE", (name, reason(error), error.details())
        assert retry_after(error) > 0, name
    return error


async def all_unavailable(probes: dict[str, Probe]) -> None:
    """Demand that all of these calls, made at once, answer UNAVAILABLE soon, with a time to come back."""
    answers = await asyncio.gather(*(answer(probe, name) for name, probe in probes.items()))
    served = [name for name, error in zip(probes, answers, strict=True) if error is None]
    assert not served, f"answered without a database: {served}"


async def all_served(probes: dict[str, Probe]) -> None:
    """Demand that each of these calls succeeds."""
    for name, probe in probes.items():
        error = await answer(probe, name)
        assert error is None, (name, error.details())


async def resumed(service: Service, user: User) -> float:
    """Wait until the service works again, by itself; returns the seconds. Nothing but UNAVAILABLE comes before that."""
    began = time.monotonic()
    probes = [*reads(service, user).values(), check(service, user), writes(service, user)["SignIn"]]
    while True:
        answers = [await answer(probe) for probe in probes]
        took = time.monotonic() - began
        if not any(answers):
            return took
        assert took < RESUMED, f"not within {RESUMED} s: {[error and error.details() for error in answers]}"
        await asyncio.sleep(0.05)


async def health(service: Service) -> Any:
    """What health says."""
    stub: Any = health_pb2_grpc.HealthStub(service.channel)
    return (await stub.Check(health_pb2.HealthCheckRequest(), timeout=SOON)).status
