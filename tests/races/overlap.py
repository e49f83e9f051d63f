"""Two statements that meet: the first held uncommitted until the second waits for it, or is done without waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import asyncpg

from twofold_server.db.pool import Connection, Pool

First = TypeVar("First")
Second = TypeVar("Second")

_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Met(Generic[First, Second]):
    """What the two came to, and whether the second had to wait for the first's commit."""

    first: First
    second: Second
    waited: bool


async def overlap(
    pool: Pool,
    first: Callable[[Connection], Awaitable[First]],
    second: Callable[[Connection], Awaitable[Second]],
    *,
    roll_back: bool = False,
) -> Met[First, Second]:
    """Run `first` in a transaction that stays open until `second`, on its own connection, waits or ends; then commit.

    N calls at once prove no lock: on a quick machine they pass one after the other. Here the second always meets the
    first's uncommitted rows. With `roll_back` the first is undone instead.
    """
    async with pool.acquire() as one, pool.acquire() as other, pool.acquire() as watcher:
        pid = await other.fetchval("SELECT pg_backend_pid()")
        held = one.transaction()
        await held.start()
        came_first = await first(one)
        task = asyncio.ensure_future(second(other))
        waited = False
        async with asyncio.timeout(_SECONDS):
            while not task.done() and not waited:
                await asyncio.sleep(0.003)
                waited = await watcher.fetchval(
                    "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND NOT granted)", pid
                )
        await (held.rollback() if roll_back else held.commit())
        return Met(came_first, await task, waited)


async def in_transaction(connection: Connection, work: Callable[[Connection], Awaitable[First]]) -> First:
    """Run what takes several statements in a transaction of its own, on one connection."""
    assert not isinstance(connection, asyncpg.Pool)
    async with connection.transaction():
        return await work(connection)
