"""The Verifier against the service itself: what is signed in, out and changed there is known here."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from twofold import NotFound, SessionEnded, SessionExpired, SyncVerifier, Verifier, VerifierNotReady
from twofold.v1 import account_pb2, session_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.service import Service, User

AUDIENCE = "twofold"


def options(service: Service) -> dict[str, Any]:
    """What a verifier of that service's default realm is made with."""
    return {"realm_id": "default", "audience": AUDIENCE, "clock": lambda: service.clock().timestamp()}


def target(service: Service) -> str:
    """Where the service listens."""
    return f"127.0.0.1:{service.app.ports[0]}"


@asynccontextmanager
async def verifying(service: Service) -> AsyncIterator[Verifier]:
    """A verifier that is ready."""
    async with Verifier(target(service), **options(service)) as verifier:
        yield verifier


async def seconds_until_refused(verifier: Verifier, token: str) -> float:
    """How long a token is still accepted."""
    began = time.monotonic()
    while True:
        try:
            verifier.verify(token)
        except SessionEnded as error:
            assert error.reason == "SESSION_ENDED"
            return time.monotonic() - began
        assert time.monotonic() - began < 3, "still accepted"
        await asyncio.sleep(0.005)


async def sign_out(service: Service, user: User) -> None:
    """End the user's session."""
    await service.sessions.SignOut(session_pb2.SignOutRequest(), metadata=service.with_session(user))


async def test_what_a_token_says_is_what_the_service_says(service: Service) -> None:
    """Account, session, assurance and times are those of the session, for a password and for two factors."""
    user = await service.two_factor_user()
    plain = await service.signed_in_user()
    async with verifying(service) as verifier:
        for one, aal in ((user, 2), (plain, 1)):
            found = verifier.verify(one.tokens.access_token)
            told = one.session
            assert (found.account_id, found.session_id) == (told.account_id, told.session_id)
            assert (found.aal, list(found.amr)) == (aal, list(told.amr))
            assert (found.client_id, found.audience, found.realm_id) == (told.client_id, AUDIENCE, "default")
            assert found.auth_time.timestamp() == told.auth_time.seconds
            proven = told.second_factor_time.seconds if told.HasField("second_factor_time") else None
            assert (found.second_factor_time and found.second_factor_time.timestamp()) == proven
            assert found.expire_time.timestamp() == one.tokens.access_token_expire_time.seconds


@pytest.mark.alone
async def test_sign_out_is_known_within_250_ms(two_services: tuple[Service, Service]) -> None:
    """A session ended on one worker is refused by the verifier that listens to another, and no other session is."""
    one, other = two_services
    staying = await one.signed_in_user()
    async with verifying(other) as verifier:
        for _ in range(5):
            user = await one.signed_in_user()
            verifier.verify(user.tokens.access_token)
            await sign_out(one, user)
            assert await seconds_until_refused(verifier, user.tokens.access_token) < 0.25
        assert verifier.verify(staying.tokens.access_token).session_id == staying.session.session_id


@pytest.mark.alone
async def test_password_change_ends_the_others_and_carries_this_one_over(service: Service) -> None:
    """Old tokens of every session are refused; the new token of the session that made the change is accepted."""
    user = await service.signed_in_user()
    first = user.tokens.access_token
    await service.sign_in(user)
    second = user.tokens.access_token
    async with verifying(service) as verifier:
        verifier.verify(first)
        changed = await service.accounts.ChangePassword(
            account_pb2.ChangePasswordRequest(
                reauthentication=user.reauthentication, new_password="another horse 77 x", client=service.client
            ),
            metadata=service.with_session(user),
        )
        assert await seconds_until_refused(verifier, first) < 0.25
        assert await seconds_until_refused(verifier, second) < 0.25
        assert verifier.verify(changed.tokens.access_token).session_id == user.session.session_id


async def test_what_was_revoked_before_is_in_the_snapshot(service: Service) -> None:
    """A verifier that starts after a sign-out refuses the session from its first call."""
    user = await service.signed_in_user()
    await sign_out(service, user)
    await asyncio.sleep(0.3)
    async with verifying(service) as verifier:
        with pytest.raises(SessionEnded) as caught:
            verifier.verify(user.tokens.access_token)
        assert caught.value.reason == "SESSION_ENDED"


async def test_a_token_expires_here_as_there(service: Service) -> None:
    """With the same clock the verifier refuses a token from the second on in which the service does."""
    user = await service.signed_in_user()
    async with verifying(service) as verifier:
        verifier.verify(user.tokens.access_token)
        service.clock.advance(300)
        with pytest.raises(SessionExpired):
            verifier.verify(user.tokens.access_token)


async def test_what_is_no_finished_sign_in_is_refused(service: Service) -> None:
    """A challenge's, refresh or device token is never taken for an access token."""
    user = await service.two_factor_user()
    challenge = (await service.sign_in(user)).challenge
    async with verifying(service) as verifier:
        for token in (
            challenge.challenge_token,
            challenge.challenge_binding,
            user.tokens.refresh_token,
            user.device_token,
        ):
            with pytest.raises(SessionEnded) as caught:
                verifier.verify(token)
            assert caught.value.reason == "SESSION_INVALID"


async def test_blocking_verifier_of_the_service(service: Service) -> None:
    """SyncVerifier accepts a live session and, from another thread, refuses it once it is ended."""
    user = await service.signed_in_user()
    verifier = SyncVerifier(target(service), **options(service))
    await asyncio.to_thread(verifier.__enter__)
    try:
        assert verifier.verify(user.tokens.access_token).account_id == user.account_id
        await sign_out(service, user)
        await asyncio.sleep(0.3)
        with pytest.raises(SessionEnded):
            await asyncio.to_thread(verifier.verify, user.tokens.access_token)
    finally:
        await asyncio.to_thread(verifier.close)


async def test_a_realm_that_is_not_the_callers_is_refused_at_start(service: Service) -> None:
    """No verifier runs on keys of a realm whose revocations its caller is not given."""
    given = options(service) | {"realm_id": "elsewhere"}
    with pytest.raises(NotFound):
        await Verifier(target(service), **given).__aenter__()


async def test_stream_is_given_to_verifiers_of_that_realm_alone(service: Service) -> None:
    """The stream itself refuses a realm in which the caller is no verifier, instead of staying empty."""
    stream = service.sessions.WatchRevocations(session_pb2.WatchRevocationsRequest(realm_id="elsewhere"))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await anext(aiter(stream))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_silence_is_asked_about_at_the_service(service: Service) -> None:
    """With `on_silence="ask"` and no stream, the service itself says who is signed in and who is not."""
    user, gone = await service.signed_in_user(), await service.signed_in_user()
    verifier = Verifier(target(service), on_silence="ask", silence=0.2, **options(service))
    verifier.start()
    try:
        await verifier.wait_ready()
        await sign_out(service, gone)
        await asyncio.sleep(0.5)  # heartbeats come each second: so little is silence in between
        deadline = time.monotonic() + 3
        while True:
            assert time.monotonic() < deadline
            assert (await verifier.check(user.tokens.access_token)).account_id == user.account_id
            with pytest.raises(SessionEnded):
                await verifier.check(gone.tokens.access_token)
            if verifier._judge.is_fresh:
                await asyncio.sleep(0.05)
                continue
            break
    finally:
        await verifier.close()


async def test_a_server_that_hears_nothing_itself_tells_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a server can't read the revocations, a verifier that connects to it does not become ready; then it does."""
    revocations = service.app.services.revocations

    async def fail() -> None:
        raise OSError

    with monkeypatch.context() as patch:
        patch.setattr(revocations, "poll_once", fail)
        await asyncio.sleep(0.2)  # a poll may be under way
        patch.setattr(revocations, "_polled_at", float("-inf"))
        verifier = Verifier(target(service), **options(service))
        verifier.start()
        try:
            with pytest.raises(VerifierNotReady):
                await verifier.wait_ready(0.5)
            patch.undo()
            await verifier.wait_ready(3)
        finally:
            await verifier.close()
