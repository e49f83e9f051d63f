"""A PostgreSQL and the ways to break it. What blocks runs in a thread: the server under test shares the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg

from dev.postgres import PostgresFailed, Server

# Durable, as in production; small, as there may be several.
_SETTINGS = ("fsync=on", "synchronous_commit=on", "max_connections=120", "shared_buffers=32MB")
_START_SECONDS = 20.0


class Breakable:
    """One PostgreSQL that can be stopped, killed, cut off, frozen and started again, with the data it had."""

    def __init__(self, data: Path, *settings: str) -> None:
        self._data = data
        self._server = Server(data, *_SETTINGS, *settings)

    def dsn(self, database: str = "postgres") -> str:
        """A superuser's URL."""
        return self._server.dsn(database)

    def start_at_once(self) -> None:
        """Start it; after a kill as soon as what the dead one left lets it."""
        ends = time.monotonic() + _START_SECONDS
        while True:
            try:
                self._server.start()
            except PostgresFailed:
                # Orphaned backends of a killed postmaster hold its memory until they have noticed.
                if time.monotonic() > ends:
                    raise
                time.sleep(0.1)
            else:
                return

    async def start(self) -> None:
        """Start it again."""
        await asyncio.to_thread(self.start_at_once)

    async def stop(self) -> None:
        """Stop it in order: a fast shutdown, as of a restart."""
        await asyncio.to_thread(self._server.stop)

    async def kill(self) -> None:
        """Kill -9 the postmaster: what was not on disk is lost, its backends end as they notice."""
        os.kill(self._postmaster(), signal.SIGKILL)
        await asyncio.to_thread(self._server.stop)

    async def kill_backend(self, database: str) -> None:
        """Kill -9 a backend of a database: PostgreSQL ends all others, and recovers by itself."""
        found = await self._backends(database)
        with contextlib.suppress(ProcessLookupError):
            os.kill(found[0], signal.SIGKILL)

    async def cut(self, database: str) -> int:
        """End every connection to a database; returns how many there were."""
        async with self._admin() as admin:
            ended: int = await admin.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1", _name(database)
            )
            return ended

    @contextlib.asynccontextmanager
    async def frozen(self, database: str, *, postmaster: bool) -> AsyncIterator[None]:
        """Freeze the backends of a database, and the postmaster if told so: connections stand, nothing answers."""
        stopped = await self._backends(database)
        if postmaster:
            stopped.append(self._postmaster())
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in stopped:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    @contextlib.asynccontextmanager
    async def read_only(self) -> AsyncIterator[None]:
        """Let every new transaction be read-only, as on a standby that was the primary (25006)."""
        async with self._admin() as admin:
            await _set(admin, "ALTER SYSTEM SET default_transaction_read_only = on")
            try:
                yield
            finally:
                await _set(admin, "ALTER SYSTEM RESET default_transaction_read_only")

    def close(self) -> None:
        """Stop it for good."""
        self._server.close()

    def _postmaster(self) -> int:
        return int((self._data / "postmaster.pid").read_text().split()[0])

    async def _backends(self, database: str) -> list[int]:
        async with self._admin() as admin:
            rows = await admin.fetch("SELECT pid FROM pg_stat_activity WHERE datname = $1", _name(database))
            assert rows
            return [row["pid"] for row in rows]

    @contextlib.asynccontextmanager
    async def _admin(self) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        connection = await asyncpg.connect(self.dsn())
        try:
            yield connection
        finally:
            await connection.close()


async def _set(admin: asyncpg.Connection[asyncpg.Record], statement: str) -> None:
    await admin.execute("SET default_transaction_read_only = off")
    await admin.execute(statement)
    await admin.execute("SELECT pg_reload_conf()")
    await asyncio.sleep(0.2)


def _name(database: str) -> str:
    return database.partition("?")[0].rpartition("/")[2]
