"""PostgreSQL goes and comes back: restarted, killed, its connections cut. The service is never restarted."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import pytest
from grpc_health.v1 import health_pb2

from tests.faults.breakable import Breakable
from tests.faults.calls import all_served, all_unavailable, answer, check, health, reads, resumed, writes
from tests.faults.conftest import RunningClock
from tests.service import Service, refused
from twofold.v1 import session_pb2


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_a_database_that_is_gone_is_told_at_once_and_nothing_acknowledged_is_lost(
    service: Service, postgres: Breakable, clock: RunningClock, how: str
) -> None:
    """Stopped in order or killed: UNAVAILABLE with RetryInfo at once; back again, the service resumes by itself.

    Accounts, sessions, a spent code and mail that was waiting are all there, the code is not accepted again, and health
    says SERVING throughout: it speaks of the server, which still answers.
    """
    user = await service.two_factor_user()
    spent = service.code(user, 1)
    await service.sign_in(user, second_factor=spent)
    plain = await service.signed_in_user()
    await check(service, plain)()
    waiting = await service.sign_up("waiting@example.org")

    await (postgres.stop() if how == "stop" else postgres.kill())
    await all_unavailable({**writes(service, plain), **reads(service, plain)})
    assert await health(service) == health_pb2.HealthCheckResponse.SERVING
    await postgres.start()
    await resumed(service, plain)

    assert await service.is_live(user)
    with refused("INVALID_SECOND_FACTOR"):
        await service.sign_in(user, second_factor=spent)
    # Not said to be a theft, though an answer to this very token may have been lost meanwhile.
    await all_served(writes(service, plain))
    assert waiting.sign_up_binding
    # The outage may have cut off the claim of the mail, whose lease then has to end.
    clock.advance(61)
    assert [mail["To"] for mail in await service.mails("waiting@example.org")] == ["waiting@example.org"]


async def test_checks_go_on_from_memory_for_two_seconds_and_then_end(service: Service, postgres: Breakable) -> None:
    """CheckSession is answered from memory until revocations are 2 s old, then UNAVAILABLE, and again after the outage.

    A sign-out after that is known everywhere: the poll of revocations has resumed.
    """
    user = await service.signed_in_user()
    other = await service.signed_in_user()
    await check(service, user)()
    await postgres.kill()
    began = time.monotonic()
    served_until = 0.0
    while await answer(check(service, user), "CheckSession") is None:
        served_until = time.monotonic() - began
        assert served_until < 2.5
        await asyncio.sleep(0.02)
    assert served_until > 1.0
    await all_unavailable({"CheckSession": check(service, user)})
    await postgres.start()
    await resumed(service, user)

    await service.sessions.SignOut(session_pb2.SignOutRequest(), metadata=service.with_session(other))
    await asyncio.sleep(1.0)
    with refused("SESSION_ENDED"):
        await check(service, other)()


@pytest.mark.parametrize("how", ["cut", "kill_backend"])
async def test_connections_that_are_cut_are_made_anew(
    service: Service, database: str, postgres: Breakable, how: str
) -> None:
    """Every connection ended, or one backend killed and all others with it: calls go on within a second or so."""
    user = await service.signed_in_user()
    for _ in range(3):
        if how == "cut":
            assert await postgres.cut(database) > 0
        else:
            await postgres.kill_backend(database)
        await asyncio.gather(*(answer(probe, name) for name, probe in {**writes(service, user)}.items()))
        await resumed(service, user)
    # Cut while nothing happens, a connection is found dead before a call is sent on it.
    if how == "cut":
        await postgres.cut(database)
        await asyncio.sleep(0.3)
        await all_served(reads(service, user))


async def test_a_revocation_after_a_crash_is_never_overlooked(
    service: Service, database: str, postgres: Breakable
) -> None:
    """After a crash PostgreSQL numbers transactions from before it again; a sign-out among those is still found."""
    watcher = await service.signed_in_user()
    aborted = "BEGIN; SELECT pg_current_xact_id(); ROLLBACK;" * 500
    for _ in range(3):
        user = await service.signed_in_user()
        await check(service, user)()
        # Numbers that reach the poll of revocations, but no disk.
        await service.app.pool.execute(aborted)
        await service.app.services.revocations.poll_once()
        await postgres.kill()
        await postgres.start()
        sign_out = service.sessions.SignOut
        while await answer(partial(sign_out, session_pb2.SignOutRequest(), metadata=service.with_session(user))):
            await asyncio.sleep(0.02)
        await resumed(service, watcher)
        # A check may be one poll behind the sign-out.
        await service.app.services.revocations.poll_once()
        with refused("SESSION_ENDED"):
            await check(service, user)()
