"""Phones that approve, as the reference client has them, and users that hold one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.service import Service, User
from twofold import Approver, Client, TwofoldError
from twofold.v1 import sign_in_pb2, two_factor_pb2

PUSH = two_factor_pb2.PushChallenge(place="Brno, Czechia")


@contextlib.asynccontextmanager
async def gateway(service: Service) -> AsyncIterator[Client]:
    """The client through which phones reach a server."""
    metadata = dict(service.metadata)
    credential = str(metadata["authorization"]).removeprefix("Bearer ") if "authorization" in metadata else None
    async with Client(f"127.0.0.1:{service.app.ports[0]}", credential=credential) as client:
        yield client


async def begin_pairing(service: Service, user: User, name: str = "") -> two_factor_pb2.BeginEnrollmentResponse:
    """An enrolment that waits for a phone."""
    begun: two_factor_pb2.BeginEnrollmentResponse = await service.two_factor.BeginEnrollment(
        two_factor_pb2.BeginEnrollmentRequest(push=two_factor_pb2.PushEnrollment(), name=name),
        metadata=service.with_session(user),
    )
    return begun


async def finish_pairing(
    service: Service, user: User, begun: two_factor_pb2.BeginEnrollmentResponse
) -> two_factor_pb2.FinishEnrollmentResponse:
    """The factor of the phone that has paired."""
    finished: two_factor_pb2.FinishEnrollmentResponse = await service.two_factor.FinishEnrollment(
        two_factor_pb2.FinishEnrollmentRequest(
            enrollment_token=begun.enrollment_token,
            push=sign_in_pb2.PushProof(),
            reauthentication=user.reauthentication,
            client=service.client,
        ),
        metadata=service.with_session(user),
    )
    user.backup_codes = list(finished.backup_codes.codes) or user.backup_codes
    user.take(finished.signed_in)
    return finished


async def pair(service: Service, client: Client, user: User, **options: Any) -> Approver:
    """A phone that the user has enrolled in their session."""
    begun = await begin_pairing(service, user)
    phone = await Approver.pair(client, begun.push.pairing_code, clock=lambda: service.clock().timestamp(), **options)
    await finish_pairing(service, user, begun)
    return phone


async def challenge(service: Service, user: User, *, device: bool = False) -> sign_in_pb2.SecondFactorChallenge:
    """A sign-in that owes its second factor; `device`: on the user's known device."""
    kept = user.session, user.tokens, user.device_token
    response = await service.sign_in(user, device=device)
    user.session, user.tokens, user.device_token = kept
    assert response.HasField("challenge")
    return response.challenge


async def ask(service: Service, found: sign_in_pb2.SecondFactorChallenge) -> two_factor_pb2.PushChallengeStarted:
    """Ask the phones of a challenge's account."""
    started = await service.two_factor.StartChallenge(
        two_factor_pb2.StartChallengeRequest(
            challenge_token=found.challenge_token, challenge_binding=found.challenge_binding, push=PUSH
        ),
        metadata=service.metadata,
    )
    assert started.kind == sign_in_pb2.FACTOR_KIND_PUSH
    return started.push


def waiting(service: Service, found: sign_in_pb2.SecondFactorChallenge) -> Any:
    """The stream of a front end that waits."""
    return service.two_factor.WatchChallenge(
        two_factor_pb2.WatchChallengeRequest(
            challenge_token=found.challenge_token, challenge_binding=found.challenge_binding
        ),
        metadata=service.metadata,
    )


@dataclass
class Watched:
    """What a phone's stream has told so far."""

    stream: AsyncGenerator[two_factor_pb2.WatchApprovalsResponse, None]

    async def next(self) -> two_factor_pb2.WatchApprovalsResponse:
        """The next message, within 3 s."""
        async with asyncio.timeout(3):
            return await anext(self.stream)


@contextlib.asynccontextmanager
async def watching(phone: Approver) -> AsyncIterator[Watched]:
    """A phone that watches."""
    stream = phone.watch()
    try:
        yield Watched(stream)
    finally:
        await stream.aclose()


async def shown(phone: Approver) -> list[two_factor_pb2.ApprovalRequest]:
    """What is open to a phone just now."""
    async with watching(phone) as watched:
        return list((await watched.next()).opened)


async def asked(service: Service, user: User, phone: Approver) -> tuple[Any, str, str]:
    """A challenge, its number and the id of the request that the phone is shown."""
    found = await challenge(service, user)
    started = await ask(service, found)
    (request,) = await shown(phone)
    return found, started.number, request.request_id


async def state(service: Service, found: sign_in_pb2.SecondFactorChallenge) -> int:
    """How an approval stands, as the waiting front end is told at once."""
    stream = waiting(service, found)
    message: two_factor_pb2.WatchChallengeResponse = await stream.read()
    stream.cancel()
    return message.state


async def rejected(call: object, expected: str) -> None:
    """Demand that a call of the reference client fails for a reason."""
    with pytest.raises(TwofoldError) as failed:
        await call  # type: ignore[misc]
    assert failed.value.reason == expected, failed.value
