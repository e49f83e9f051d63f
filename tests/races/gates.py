"""Calls that meet where the test wants them: held inside the hash, held by a row's lock, or refused and made again."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

import grpc.aio
import pytest

from tests.service import Service, reason
from twofold_server.db.pool import Connection

T = TypeVar("T")

_SECONDS = 8.0


async def outcome(call: Awaitable[Any]) -> str:
    """What a call came to: the arm of its answer, else `done`, or the reason that it was refused for."""
    try:
        response = await call
    except grpc.aio.AioRpcError as error:
        return reason(error) or f"{error.code().name}: {error.details()}"
    oneofs = getattr(response, "DESCRIPTOR", None) and response.DESCRIPTOR.oneofs_by_name
    return response.WhichOneof("outcome") if oneofs and "outcome" in oneofs else "done"


async def admitted(call: Callable[[], Awaitable[Any]]) -> str:
    """What a call came to once it was admitted.

    OVERLOADED and CHANGED_MEANWHILE count nothing and are tried again; so is DATABASE_UNAVAILABLE, where 200 calls of
    a busy machine wait too long for a connection.
    """
    for turn in range(400):
        came_to = await outcome(call())
        if came_to not in {"OVERLOADED", "CHANGED_MEANWHILE", "DATABASE_UNAVAILABLE"}:
            return came_to
        await asyncio.sleep(0.01 + 0.0005 * turn)
    raise AssertionError("never admitted")


async def tally(calls: Iterable[Callable[[], Awaitable[Any]]]) -> Counter[str]:
    """What calls that are made at once came to, each tried until it was admitted."""
    return Counter(await asyncio.gather(*[admitted(call) for call in calls]))


class Held:
    """A call that was stopped right after its hash, with all that it had read in hand."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.go = asyncio.Event()


@contextlib.asynccontextmanager
async def held_after_hash(
    service: Service, call: Callable[[], Coroutine[Any, Any, T]], *, times: int = 1
) -> AsyncIterator[asyncio.Task[T]]:
    """Make a call, and stop it when its hash is done: what the block does comes between its read and its verdict.

    The call goes on when the block ends; await the task then. With `times` its first so many hashes each wait for it.
    """
    held = Held()
    verify = service.app.engine.verify
    left = times

    async def stopped(*args: Any, **kwargs: Any) -> bool:
        nonlocal left
        right = await verify(*args, **kwargs)
        if left:
            left -= 1
            held.reached.set()
            await held.go.wait()
        return right

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service.app.engine, "verify", stopped)
        task = asyncio.create_task(call())
        try:
            async with asyncio.timeout(_SECONDS):
                await held.reached.wait()
            patch.undo()
            yield task
        finally:
            held.go.set()
            await asyncio.wait([task], timeout=_SECONDS)


@contextlib.asynccontextmanager
async def met_in_lock(
    service: Service, first: Callable[[Connection], Awaitable[Any]], call: Callable[[], Coroutine[Any, Any, T]]
) -> AsyncIterator[asyncio.Task[T]]:
    """Do `first` in a transaction, make a call, see it wait for a lock, then commit; the block gets the call's task."""
    pool = service.app.pool
    async with pool.acquire() as one, pool.acquire() as watcher:
        async with one.transaction():
            await first(one)
            task = asyncio.create_task(call())
            async with asyncio.timeout(_SECONDS):
                while not await watcher.fetchval(
                    "SELECT EXISTS (SELECT FROM pg_stat_activity"
                    " WHERE datname = current_database() AND wait_event_type = 'Lock')"
                ):
                    assert not task.done(), await outcome(task)
                    await asyncio.sleep(0.005)
        yield task
