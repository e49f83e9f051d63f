"""Revocations: known to every server within a poll, however late their transaction commits; streamed and resumed."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path

import asyncpg
import grpc
import pytest
from uuid_utils.compat import uuid7

from tests.conftest import Clock
from tests.service import Service, User, reason, refused, serving, settings_for
from twofold.v1 import account_pb2, session_pb2
from twofold_server.domain.revocations import Revocations

_INSERT = """
    INSERT INTO revocations (revocation_id, realm_id, kind, subject, expire_time)
    VALUES ($1, 'default', 'session', $2, $3)
"""
_INSERT_ANY = """
    INSERT INTO revocations (revocation_id, realm_id, kind, subject, epoch, expire_time)
    VALUES ($1, 'default', $2, $3, $4, $5)
"""


def _check(service: Service, user: User, *, fresh: bool = False, audience: str = "twofold") -> object:
    return service.sessions.CheckSession(
        session_pb2.CheckSessionRequest(audience=audience, fresh=fresh), metadata=user.metadata
    )


async def _seconds_until_refused(service: Service, user: User) -> float:
    started = time.monotonic()
    while time.monotonic() - started < 5:
        try:
            await _check(service, user)  # type: ignore[misc]
        except grpc.aio.AioRpcError as error:
            assert reason(error) == "SESSION_ENDED"
            return time.monotonic() - started
        await asyncio.sleep(0.005)
    raise AssertionError("still live after 5 s")


async def _change_password(service: Service, user: User) -> None:
    await service.accounts.ChangePassword(
        account_pb2.ChangePasswordRequest(
            reauthentication=user.reauthentication, new_password="another long one 77", client=service.client
        ),
        metadata=user.metadata,
    )


async def _sign_out(service: Service, user: User) -> None:
    await service.sessions.SignOut(session_pb2.SignOutRequest(), metadata=user.metadata)


async def _revoke(service: Service, user: User) -> None:
    await service.sessions.RevokeSession(
        session_pb2.RevokeSessionRequest(session_id=user.session.session_id), metadata=user.metadata
    )


async def _revoke_others(service: Service, user: User) -> None:
    await service.sessions.RevokeOtherSessions(session_pb2.RevokeOtherSessionsRequest(), metadata=user.metadata)


async def _delete(service: Service, user: User) -> None:
    await service.accounts.DeleteAccount(
        account_pb2.DeleteAccountRequest(reauthentication=user.reauthentication, client=service.client),
        metadata=user.metadata,
    )


@pytest.mark.parametrize("end", [_sign_out, _revoke, _change_password, _revoke_others, _delete])
async def test_what_ends_a_session_on_one_server_is_known_on_another(
    two_services: tuple[Service, Service], end: object
) -> None:
    """State-changing calls and a fresh check refuse at once on another server, a check from memory within a poll."""
    one, other = two_services
    user = await one.signed_in_user()
    await _check(other, user)  # type: ignore[misc]
    await end(one, user)  # type: ignore[operator]
    with refused("SESSION_ENDED"):
        await _check(other, user, fresh=True)  # type: ignore[misc]
    for call in (_sign_out, _revoke, _revoke_others):
        with refused("SESSION_ENDED"):
            await call(other, user)
    # 250 ms are promised, and `make bench` measures them; a machine that runs tests may be busy.
    assert await _seconds_until_refused(other, user) < 5


async def test_check_from_memory_reads_no_row(service: Service) -> None:
    """A check of a live token is answered from memory, with what the token says; a fresh one says all."""
    user = await service.signed_in_user()
    service.app.pool.terminate()
    checked = await _check(service, user)  # type: ignore[misc]
    assert checked.session.session_id == user.session.session_id
    assert not checked.session.ip_address
    with refused("DATABASE_UNAVAILABLE"):
        await _check(service, user, fresh=True)  # type: ignore[misc]


async def test_a_stale_set_vouches_for_nobody(service: Service) -> None:
    """With no good poll for 2 s a check from memory is UNAVAILABLE, with RetryInfo."""
    user = await service.signed_in_user()
    await _check(service, user)  # type: ignore[misc]
    service.app.services.revocations._polled_at -= 10
    service.app.pool.terminate()
    with refused("DATABASE_UNAVAILABLE"):
        await _check(service, user)  # type: ignore[misc]


async def test_wrong_audience_is_no_session(service: Service) -> None:
    """A token of one audience is refused for another, from memory too."""
    user = await service.signed_in_user()
    with refused("SESSION_INVALID"):
        await _check(service, user, audience="billing")  # type: ignore[misc]


async def test_late_committer_is_found(database: str, clock: Clock) -> None:
    """A revocation whose transaction began before others and committed after them is missed by no poll (attack 43)."""
    expire = clock() + timedelta(minutes=10)
    async with asyncpg.create_pool(database, min_size=3, max_size=3) as pool:
        held = Revocations(pool, clock, on_signing_key=lambda: None)
        await held.load()
        async with pool.acquire() as late:
            transaction = late.transaction()
            await transaction.start()
            await late.execute(_INSERT, uuid7(), "late", expire)
            await pool.execute(_INSERT, uuid7(), "early", expire)
            for _ in range(3):
                await held.poll_once()
            assert held.is_dead("early", "", 1, "", "")
            assert not held.is_dead("late", "", 1, "", "")
            await transaction.commit()
        await held.poll_once()
        assert held.is_dead("late", "", 1, "", "")


async def test_expired_revocations_are_forgotten(database: str, clock: Clock) -> None:
    """What every token has outlived is let go of, and what has not is kept."""
    async with asyncpg.create_pool(database, min_size=2, max_size=2) as pool:
        for kind, subject, epoch, seconds in (
            ("session", "old", None, 60),
            ("session", "young", None, 600),
            ("account", "a", 3, 600),
        ):
            await pool.execute(_INSERT_ANY, uuid7(), kind, subject, epoch, clock() + timedelta(seconds=seconds))
        held = Revocations(pool, clock, on_signing_key=lambda: None)
        await held.load()
        assert held.is_dead("old", "", 1, "", "")
        clock.advance(120)
        held._forgot_at -= 60
        await held.poll_once()
        assert not held.is_dead("old", "", 1, "", "")
        assert held.is_dead("young", "", 1, "", "")
        assert held.is_dead("x", "a", 2, "", "")
        assert not held.is_dead("x", "a", 3, "", "")


async def _next(stream: object, seconds: float = 5) -> session_pb2.WatchRevocationsResponse:
    read = stream.read()  # type: ignore[attr-defined]
    response: session_pb2.WatchRevocationsResponse = await asyncio.wait_for(read, seconds)
    return response


async def test_stream_snapshot_change_heartbeat_and_resume(two_services: tuple[Service, Service]) -> None:
    """The stream begins with a snapshot, brings each change, beats each second, and resumes elsewhere by its token."""
    one, other = two_services
    before, after, later = [await one.signed_in_user() for _ in range(3)]
    await _sign_out(one, before)
    await asyncio.sleep(0.4)
    stream = one.sessions.WatchRevocations(session_pb2.WatchRevocationsRequest())
    snapshot = await _next(stream)
    assert snapshot.reset and snapshot.current
    assert [r.subject for r in snapshot.revocations] == [before.session.session_id]
    await _sign_out(other, after)
    change = await _next(stream)
    while not change.revocations:
        change = await _next(stream)
    assert not change.reset
    assert [r.subject for r in change.revocations] == [after.session.session_id]
    beat = await _next(stream)
    assert beat.current and not beat.revocations
    stream.cancel()
    await _sign_out(one, later)
    await asyncio.sleep(0.4)
    resumed = other.sessions.WatchRevocations(session_pb2.WatchRevocationsRequest(resume_token=beat.resume_token))
    first = await _next(resumed)
    assert not first.reset
    assert later.session.session_id in [r.subject for r in first.revocations]
    resumed.cancel()
    for token in ("1.1", "junk", "9" * 100):
        fresh = other.sessions.WatchRevocations(session_pb2.WatchRevocationsRequest(resume_token=token))
        assert (await _next(fresh)).reset
        fresh.cancel()


async def test_large_snapshot_comes_in_pieces(database: str, clock: Clock, tmp_path: Path) -> None:
    """A snapshot of 2,500 comes in messages of at most 1,000, of which the last alone is current."""
    async with asyncpg.create_pool(database, min_size=1, max_size=1) as pool:
        await pool.executemany(
            _INSERT,
            [(uuid7(), str(uuid7()), clock() + timedelta(minutes=10)) for _ in range(2500)],
        )
    async with serving(settings_for(database, tmp_path), clock) as service:
        stream = service.sessions.WatchRevocations(session_pb2.WatchRevocationsRequest())
        pieces = [await _next(stream) for _ in range(3)]
        assert [len(p.revocations) for p in pieces] == [1000, 1000, 500]
        assert [p.reset for p in pieces] == [True, False, False]
        assert [p.current for p in pieces] == [False, False, True]
        assert [bool(p.resume_token) for p in pieces] == [False, False, True]
        stream.cancel()


async def test_stream_ends_with_draining_at_the_servers_end(database: str, clock: Clock, tmp_path: Path) -> None:
    """A server that stops tells its watchers to go elsewhere."""
    async with serving(settings_for(database, tmp_path), clock) as service:
        stream = service.sessions.WatchRevocations(session_pb2.WatchRevocationsRequest())
        await _next(stream)
        stopping = asyncio.create_task(service.app.stop(1))
        with refused("SERVER_DRAINING"):
            for _ in range(20):
                await _next(stream)
        await stopping
