"""Connections to PostgreSQL: how they are made, and what a statement runs on."""

import asyncio
import contextlib
import json
import os
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    _Plain = asyncpg.Connection[asyncpg.Record]
    _PlainPool = asyncpg.Pool[asyncpg.Record]
    _Acquiring = asyncpg.pool.PoolAcquireContext[asyncpg.Record]
else:
    _Plain, _PlainPool = asyncpg.Connection, asyncpg.Pool  # generic in the stubs only

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
"""The process's connections, at most as many as the setting `database_pool_size` says."""

Connection: TypeAlias = (
    "asyncpg.Pool[asyncpg.Record] | asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
)
"""What a statement runs on: the pool for one autocommit statement, or the connection of a `transaction`."""

_CONNECT_SECONDS: Final = 5.0
# A database that hangs is told like one that is gone: soon. Until a connection is free or made, then for a statement,
# then for PostgreSQL to confirm that it dropped one that took too long; without that the connection is thrown away.
_ACQUIRE_SECONDS: Final = 1.5
_COMMAND_SECONDS: Final = 1.5
_RELEASE_SECONDS: Final = 0.25
# Then a connection goes back to asyncpg for a moment, which replaces it after so many statements or closes it when idle.
_AT_HAND_SECONDS: Final = 30.0
JOB_SECONDS: Final = 10.0
"""How long a statement may take that no call waits for."""

# Behind PgBouncer these stand in ignore_startup_parameters, and on the role by ALTER ROLE ... SET.
_SERVER_SETTINGS: Final = {
    "application_name": "twofold",
    "timezone": "UTC",
    "statement_timeout": "10s",
    # Less than a statement may take: what waits for a lock then ends by itself, and its connection stays.
    "lock_timeout": "1200ms",
    # A client that vanished must not hold locks, nor the snapshot horizon that revocations are read by.
    "idle_in_transaction_session_timeout": "10s",
}
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class InsecureDatabase(Exception):
    """The database's URL would send secrets over a network to whoever answers; the text holds no part of the URL."""


class _Connection(_Plain):
    """A connection that is given back without a round trip: no statement of ours changes a session's state.

    A transaction left open is still rolled back.
    """

    def get_reset_query(self) -> str:
        return ""


class _Pool(_PlainPool):
    """A pool in which nothing waits without limit, and whose connections stay at hand from one statement to the next.

    asyncpg's own waits for a free connection for ever. And its way to take a connection and give it back, two tasks
    and two timeouts, costs more than a short statement does: here that is done for a connection once in 30 s, and at
    once where a statement failed or was cancelled, or where somebody waits for a connection.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 (asyncpg's own)
        super().__init__(*arguments, **options)
        # The least used one first.
        self._at_hand: deque[_AtHand] = deque()
        self._waiting = 0
        self._ending = False
        self._letting_go: set[asyncio.Task[None]] = set()

    async def fetchrow(self, query: str, *args: Any, timeout: float | None = None, record_class: Any = None) -> Any:  # noqa: ANN401, ASYNC109
        """As asyncpg has it."""
        taken = self._take() or await self._taken()
        try:
            row = await taken.connection.fetchrow(query, *args, timeout=timeout, record_class=record_class)
        except BaseException:
            await self.release(taken.connection)
            raise
        self._give_back(taken)
        return row

    async def fetchval(self, query: str, *args: Any, column: int = 0, timeout: float | None = None) -> Any:  # noqa: ANN401, ASYNC109
        """As asyncpg has it."""
        taken = self._take() or await self._taken()
        try:
            value = await taken.connection.fetchval(query, *args, column=column, timeout=timeout)
        except BaseException:
            await self.release(taken.connection)
            raise
        self._give_back(taken)
        return value

    async def fetch(self, query: str, *args: Any, timeout: float | None = None, record_class: Any = None) -> Any:  # noqa: ANN401, ASYNC109
        """As asyncpg has it."""
        taken = self._take() or await self._taken()
        try:
            rows = await taken.connection.fetch(query, *args, timeout=timeout, record_class=record_class)
        except BaseException:
            await self.release(taken.connection)
            raise
        self._give_back(taken)
        return rows

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ANN401, ASYNC109
        """As asyncpg has it."""
        taken = self._take() or await self._taken()
        try:
            status: str = await taken.connection.execute(query, *args, timeout=timeout)
        except BaseException:
            await self.release(taken.connection)
            raise
        self._give_back(taken)
        return status

    def acquire(self, *, timeout: float | None = None) -> "_Acquiring":
        return super().acquire(timeout=_ACQUIRE_SECONDS if timeout is None else timeout)

    async def release(self, connection: Any, *, timeout: float | None = None) -> None:  # noqa: ANN401, ASYNC109
        await super().release(connection, timeout=_RELEASE_SECONDS if timeout is None else timeout)

    async def close(self) -> None:
        self._ending = True
        while self._at_hand:
            self._let_go(self._at_hand.popleft())
        await super().close()

    async def _acquire(self, timeout: float | None) -> Any:  # noqa: ANN401, ASYNC109
        # What stands behind `acquire`: a connection at hand serves it too, or all might be at hand and none to be had.
        taken = self._take()
        if taken is not None:
            return taken.connection
        self._waiting += 1
        try:
            return await super()._acquire(timeout)  # type: ignore[misc]  # not in the stubs
        finally:
            self._waiting -= 1

    def _take(self) -> "_AtHand | None":
        """The connection that was used last, if one is at hand."""
        while self._at_hand:
            taken = self._at_hand.pop()
            try:
                if not taken.connection.is_closed():
                    return taken
            except asyncpg.InterfaceError:
                continue  # it broke, and asyncpg has it back by itself
            self._let_go(taken)
        return None

    async def _taken(self) -> "_AtHand":
        return _AtHand(await self.acquire(), time.monotonic())

    def _give_back(self, taken: "_AtHand") -> None:
        """Keep a connection at hand whose statement ended well; asyncpg has it back in its turn, for its own upkeep."""
        self._at_hand.append(taken)
        if self._waiting or self._ending or time.monotonic() - self._at_hand[0].since > _AT_HAND_SECONDS:
            self._let_go(self._at_hand.popleft())

    def _let_go(self, taken: "_AtHand") -> None:
        task = asyncio.get_running_loop().create_task(self.release(taken.connection))
        self._letting_go.add(task)
        task.add_done_callback(self._let_gone)

    def _let_gone(self, task: asyncio.Task[None]) -> None:
        self._letting_go.discard(task)
        if not task.cancelled():
            # A connection that can't be given back is thrown away by asyncpg: nobody need hear of it.
            task.exception()


@dataclass(slots=True)
class _AtHand:
    """A connection between two statements, and when asyncpg gave it out."""

    connection: Any
    since: float


async def open_pool(url: str, size: int) -> Pool:
    """Connect and check that the database answers; statements are prepared once per connection and kept.

    Times are UTC, `uuid` is uuid.UUID, `jsonb` a decoded value. Waiting for a connection, and each statement that names
    no time of its own, end after 1.5 s with TimeoutError. Raises InsecureDatabase, OSError or asyncpg's errors.
    """
    demand_safe(url)
    return await _Pool(
        url,
        # No floor: asyncpg's upkeep of one logs each outage in a form of its own, and takes a place to wait in.
        min_size=0,
        init_size=min(2, size),
        max_size=size,
        max_queries=50_000,
        max_inactive_connection_lifetime=300.0,
        setup=None,
        loop=None,
        record_class=asyncpg.Record,
        connection_class=_Connection,
        init=_prepare_connection,
        server_settings=_SERVER_SETTINGS,
        timeout=_CONNECT_SECONDS,
        command_timeout=_COMMAND_SECONDS,
        statement_cache_size=500,
        max_cached_statement_lifetime=0,  # 0: for ever; planning again costs five times the statement
    )


@contextlib.asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """A connection with a transaction (READ COMMITTED) that commits at the end, or rolls back on any exception.

    Nothing slow belongs inside: no hashing, no sending.
    """
    async with pool.acquire() as connection:
        work = connection.transaction()
        await work.start()
        try:
            yield connection
        except BaseException:
            try:
                async with asyncio.timeout(_RELEASE_SECONDS):
                    await work.rollback()
            except Exception:  # noqa: BLE001 (what went wrong before is what counts)
                # PostgreSQL undoes what a connection left open when it sees that it is gone.
                with contextlib.suppress(asyncpg.InterfaceError):  # gone from the pool by itself already
                    connection.terminate()
            raise
        await work.commit()


def demand_safe(url: str) -> None:
    """Pass a URL that stays on this machine or proves the server by certificate. Raises InsecureDatabase."""
    try:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
    except ValueError:
        raise InsecureDatabase("the database's URL cannot be read") from None
    if parts.scheme not in ("postgresql", "postgres"):
        raise InsecureDatabase("the database's URL must begin with postgresql://")
    named = parts.netloc.rpartition("@")[2] or ",".join(query.get("host", [])) or os.environ.get("PGHOST", "")
    mode = query.get("sslmode", [os.environ.get("PGSSLMODE", "")])[-1]
    if mode != "verify-full" and not all(_is_local(unquote(host)) for host in named.split(",")):
        raise InsecureDatabase("a database outside this machine needs sslmode=verify-full in its URL")


def _is_local(host: str) -> bool:
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    # No name at all: the default UNIX socket.
    return not host or host.startswith("/") or host in _LOOPBACK


async def _prepare_connection(connection: "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[Any]") -> None:
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
