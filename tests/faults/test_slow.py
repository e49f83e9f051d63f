"""A database that is there but does not answer: a lock is held, its processes hang."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from tests.faults.breakable import Breakable
from tests.faults.calls import all_served, all_unavailable, answer, check, reads, resumed, writes
from tests.service import Service


async def test_a_lock_that_is_held_costs_those_who_need_it_no_more_than_two_seconds(
    service: Service, database: str
) -> None:
    """Who waits for a lock answers UNAVAILABLE within 2 s, who needs none is served, and CheckSession goes on."""
    user = await service.signed_in_user()
    await check(service, user)()
    holder = await asyncpg.connect(database)
    try:
        await holder.execute("BEGIN")
        # As a migration that adds a column holds it, or a transaction that was forgotten.
        await holder.execute("LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE")
        needs = {name: writes(service, user)[name] for name in ("SignIn", "RefreshSession")}
        needs |= {name: reads(service, user)[name] for name in ("CheckSession fresh", "GetAccount")}
        blocked, _ = await asyncio.gather(all_unavailable(needs), _checked(service, user))
        assert blocked is None
        await holder.execute("ROLLBACK")
        # At once: the connections that waited were kept, and hold no lock.
        await all_served({**writes(service, user), **reads(service, user)})
    finally:
        await holder.close()


async def _checked(service: Service, user: object) -> None:
    for _ in range(20):
        assert await answer(check(service, user), "CheckSession") is None  # type: ignore[arg-type]
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("postmaster", [False, True])
async def test_a_database_that_hangs_is_told_like_one_that_is_gone(
    service: Service, database: str, postgres: Breakable, postmaster: bool
) -> None:
    """Frozen backends, and new connections that hang too: calls end within 2 s, more than there are connections.

    It goes on by itself when they go on, and what was interrupted has left no lock.
    """
    user = await service.signed_in_user()
    some = {**writes(service, user), **reads(service, user)}
    async with postgres.frozen(database, postmaster=postmaster):
        if postmaster:
            for _ in range(2):
                await all_unavailable({f"{name} {n}": probe for name, probe in some.items() for n in range(5)})
        else:
            # New connections can be made, so some calls may find one that answers.
            for _ in range(2):
                await asyncio.gather(*(answer(probe, name) for name, probe in some.items() for _ in range(5)))
    await resumed(service, user)
    await all_served({**writes(service, user), **reads(service, user)})
