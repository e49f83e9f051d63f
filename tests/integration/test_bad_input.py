"""Bad input by its own name, and a database that goes in the middle of a call."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import grpc
import pytest

from dev.postgres import Server
from tests.conftest import Clock
from tests.integration.quick import Quick, add_caller, bearer, quick_server
from tests.integration.request_parts import begun, challenged
from tests.service import PASSWORD, User, fields, reason, refused, retry_after
from twofold.v1 import account_pb2, session_pb2, sign_in_pb2, two_factor_pb2
from twofold_server.crypto import otp
from twofold_server.domain.callers import Role


@pytest.fixture
async def quick(database: str, tmp_path: Path, clock: Clock) -> AsyncIterator[Quick]:
    async with quick_server(database, tmp_path, clock) as service:
        yield service


async def _activate(service: Quick, token: str, **proof: str) -> account_pb2.ActivateAccountResponse:
    answer: account_pb2.ActivateAccountResponse = await service.accounts.ActivateAccount(
        account_pb2.ActivateAccountRequest(activation_token=token, client=service.client, **proof),
        metadata=service.metadata,
    )
    return answer


async def test_an_unknown_realm_is_one_without_a_grant(quick: Quick) -> None:
    """A realm that is not there and one without a grant: NOT_FOUND REALM_NOT_FOUND naming `realm_id`, word for word."""
    await quick.app.services.realms.create("other")
    seen = []
    for realm in ("other", "no-such-realm", "'; DROP TABLE realms; --", "DEFAULT", "default\x00"):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await quick.sign_up("ada@example.org", realm_id=realm)
        assert reason(caught.value) == "REALM_NOT_FOUND"
        assert fields(caught.value) == {"realm_id"}
        seen.append((caught.value.code(), caught.value.details()))
    assert set(seen) == {(grpc.StatusCode.NOT_FOUND, seen[0][1])}


async def test_a_caller_without_permission_reaches_no_method(quick: Quick) -> None:
    """A verifier that signs a user in is told CALLER_NOT_PERMITTED with the role that would do, before any field."""
    credential = await add_caller(quick.app, "checker", ("default", Role.VERIFIER, False))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await quick.accounts.SignIn(account_pb2.SignInRequest(email="no address"), metadata=bearer(credential))
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert reason(caught.value) == "CALLER_NOT_PERMITTED"
    assert not fields(caught.value)


async def test_all_bad_fields_are_named_at_once(quick: Quick) -> None:
    """A request with four bad fields names the four, each by its path."""
    with refused("INVALID_FIELDS", "email", "password", "display_name", "client.ip_address"):
        await quick.accounts.SignUp(
            account_pb2.SignUpRequest(
                email="x" * 10_000, password="\x00", display_name="a\x00b",
                client=sign_in_pb2.ClientContext(ip_address="here"),
            ),
            metadata=quick.metadata,
        )  # fmt: skip


@pytest.mark.parametrize("spelling", ["{}{}{} {}{}{}", " {}{} {}{} {}{} ", "{}{}{}\u00a0{}{}{}", "{}\t{}{}{}{}{}"])
async def test_codes_with_spaces_are_taken(quick: Quick, spelling: str) -> None:
    """Spaces in a code are forgiven, as apps show codes in two groups."""
    user = await quick.two_factor_user()
    code = spelling.format(*quick.code(user, 1).totp_code)
    answer = await quick.sign_in(user, second_factor=sign_in_pb2.SecondFactor(totp_code=code))
    assert answer.signed_in.session.aal == 2


async def test_codes_with_letters_are_named_and_not_counted(quick: Quick) -> None:
    """Twenty codes with letters are INVALID_FIELDS naming the code, and count no failure: the right one still works."""
    user, challenge = await challenged(quick)
    for _ in range(20):
        with refused("INVALID_FIELDS", "second_factor.totp_code"):
            await quick.finish_challenge(user, challenge, sign_in_pb2.SecondFactor(totp_code="12345O"))
    await quick.finish_challenge(user, challenge, quick.code(user, 1))


async def test_expired_handles_are_not_found(quick: Quick) -> None:
    """An expired link, challenge and enrolment are TICKET_NOT_FOUND naming the token, as an invented one is."""
    claim = await quick.sign_up("late@example.org")
    link = await quick.link_token("late@example.org")
    user, challenge = await challenged(quick)
    enrolling = await quick.signed_in_user()
    enrollment = await begun(quick, enrolling)
    quick.standing.advance(601)
    with refused("TICKET_NOT_FOUND", "challenge_token"):
        await quick.finish_challenge(user, challenge, quick.code(user))
    await quick.sign_in(enrolling)
    with refused("TICKET_NOT_FOUND", "enrollment_token"):
        await _finish(quick, enrolling, enrollment.enrollment_token)
    quick.standing.advance(2 * 86400)
    with refused("TICKET_NOT_FOUND", "activation_token"):
        await _activate(quick, link, sign_up_binding=claim.sign_up_binding)


async def test_handles_of_another_purpose_are_not_found_and_stay_good(quick: Quick) -> None:
    """Each token in the other's place is TICKET_NOT_FOUND, and neither is spent by it."""
    claim = await quick.sign_up("both@example.org")
    link = await quick.link_token("both@example.org")
    user, challenge = await challenged(quick)
    with refused("TICKET_NOT_FOUND", "activation_token"):
        await _activate(quick, challenge.challenge_token, sign_up_binding=challenge.challenge_binding)
    foreign = sign_in_pb2.SecondFactorChallenge(challenge_token=link, challenge_binding=claim.sign_up_binding)
    with refused("TICKET_NOT_FOUND", "challenge_token"):
        await quick.finish_challenge(user, foreign, quick.code(user, 1))
    await quick.finish_challenge(user, challenge, quick.code(user, 1))
    await _activate(quick, link, sign_up_binding=claim.sign_up_binding)


async def test_a_weak_password_burns_no_link(quick: Quick) -> None:
    """A common, short or overlong new password is INVALID_FIELDS, and the link makes the account afterwards."""
    await quick.sign_up("slow@example.org")
    link = await quick.link_token("slow@example.org")
    for weak in ("password1", "short", "x" * 257, "slow@example.org"):
        with refused("INVALID_FIELDS", "new_password"):
            await _activate(quick, link, new_password=weak)
    await _activate(quick, link, new_password="another horse battery 7")


async def test_the_database_gone_in_the_middle_of_a_call(
    quick: Quick, database: str, cluster: Server, cluster_admin: asyncpg.Connection[asyncpg.Record]
) -> None:
    """Calls cut off are UNAVAILABLE with RetryInfo; what was acknowledged is there; the service resumes by itself."""
    name = urlsplit(database).path.removeprefix("/")
    kept = [await quick.sign_up(f"kept{number}@example.org") for number in range(3)]
    user = await quick.signed_in_user()
    blocker = await asyncpg.connect(database)
    await blocker.execute("BEGIN; LOCK TABLE tickets IN ACCESS EXCLUSIVE MODE")
    calls: list[asyncio.Future[Any]] = [
        asyncio.ensure_future(quick.sign_up(f"cut{number}@example.org")) for number in range(5)
    ]
    calls.append(asyncio.ensure_future(quick.accounts.GetAccount(
        account_pb2.GetAccountRequest(), metadata=quick.with_session(user), timeout=5
    )))  # fmt: skip
    for _ in range(300):
        if await cluster_admin.fetchval(
            "SELECT count(*) >= 5 FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock'", name
        ):
            break
        await asyncio.sleep(0.01)
    else:
        raise AssertionError("the calls do not wait for the lock")
    await cluster_admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
    try:
        await cluster_admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        for answer in (await asyncio.gather(*calls, return_exceptions=True))[:5]:
            _assert_unavailable(answer)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await quick.sign_in(user)
        _assert_unavailable(caught.value)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await quick.sessions.RefreshSession(
                session_pb2.RefreshSessionRequest(refresh_token=user.tokens.refresh_token), metadata=quick.metadata
            )
        _assert_unavailable(caught.value)
    finally:
        await cluster_admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
    await quick.sign_in(user)
    db = await asyncpg.connect(database)
    for claim in kept:
        bound = hashlib.sha256(claim.sign_up_binding.encode()).digest()
        assert await db.fetchval("SELECT count(*) FROM tickets WHERE binding_hash = $1", bound) == 1
    # A claim and its mail stand together or not at all.
    assert await db.fetchval(
        "SELECT count(*) FROM tickets t WHERE purpose = 'activation' AND spent_time IS NULL"
        " AND NOT EXISTS (SELECT FROM outbox o WHERE o.ticket_id = t.ticket_id)"
    ) == 0  # fmt: skip
    for number in range(5):
        await quick.sign_up(f"cut{number}@example.org")
    await db.close()
    blocker.terminate()


def _assert_unavailable(error: object) -> None:
    assert isinstance(error, grpc.aio.AioRpcError), error
    assert (error.code(), reason(error)) == (grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE")
    assert retry_after(error) > 0


async def _finish(service: Quick, user: User, token: str) -> None:
    await service.two_factor.FinishEnrollment(
        two_factor_pb2.FinishEnrollmentRequest(
            enrollment_token=token, totp_code=otp.totp_code(user.seed, otp.step_at(service.clock())),
            reauthentication=sign_in_pb2.Reauthentication(password=PASSWORD), client=service.client,
        ),
        metadata=service.with_session(user),
    )  # fmt: skip
