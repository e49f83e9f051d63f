"""What is read often and changes seldom, kept for a few seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from twofold_server.domain import faults
from twofold_server.domain.clock import Clock

K = TypeVar("K")
V = TypeVar("V")

GRACE: Final = timedelta(seconds=2)
"""How long a value is kept beyond its lifetime while the database can't be reached: as long as revocations count."""


class Cached(Generic[K, V]):
    """Values by key, each read anew once it is older than `lifetime`; calls that ask at the same time share one read.

    Where the database can't be reached, a value goes on for another 2 s. Absence (None) is not kept. Holds one value
    for each key that exists: callers bound the keys that don't.
    """

    __slots__ = ("_clock", "_kept", "_lifetime", "_reading")

    def __init__(self, lifetime: timedelta, clock: Clock) -> None:
        self._lifetime = lifetime
        self._clock = clock
        self._kept: dict[K, tuple[V, datetime]] = {}
        self._reading: dict[K, asyncio.Future[V | None]] = {}

    def fresh(self, key: K) -> V | None:
        """The value where it need not be read."""
        return self._kept_for(key, self._lifetime)

    def _kept_for(self, key: K, lifetime: timedelta) -> V | None:
        kept = self._kept.get(key)
        # abs: after a clock was set back, what it read before would otherwise look fresh until it catches up.
        return kept[0] if kept is not None and abs(self._clock() - kept[1]) <= lifetime else None

    def is_known(self, key: K) -> bool:
        """Whether the key existed when it was last read, or is being read."""
        return key in self._kept or key in self._reading

    def forget(self, key: K) -> None:
        """Read the key anew at the next call."""
        self._kept.pop(key, None)

    async def get(self, key: K, read: Callable[[], Awaitable[V | None]]) -> V | None:
        """The value, read if need be. Raises what `read` raises."""
        while True:
            if (value := self.fresh(key)) is not None:
                return value
            under_way = self._reading.get(key)
            if under_way is None:
                return await self._read(key, read)
            try:
                return await asyncio.shield(under_way)
            except asyncio.CancelledError:
                # Of the call that reads: this one reads for itself. Of this call: it ends.
                if not under_way.cancelled():
                    raise

    async def _read(self, key: K, read: Callable[[], Awaitable[V | None]]) -> V | None:
        future: asyncio.Future[V | None] = asyncio.get_running_loop().create_future()
        self._reading[key] = future
        # Before the read: what commits meanwhile is then read again in time.
        now = self._clock()
        try:
            value = await read()
        except Exception as error:
            kept = self._kept_for(key, self._lifetime + GRACE) if faults.is_unavailable(error) else None
            if kept is None:
                future.set_exception(error)
                future.exception()  # seen, though nobody else may be waiting
                raise
            future.set_result(kept)
            return kept
        except BaseException:
            future.cancel()
            raise
        finally:
            del self._reading[key]
        if value is None:
            self._kept.pop(key, None)
        else:
            self._kept[key] = (value, now)
        future.set_result(value)
        return value
