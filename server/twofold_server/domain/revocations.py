"""Revocations: a set that every worker holds in memory, never more than a poll behind, and streams to who asks.

A set and not a sequence: a transaction that commits late is found by the next poll, as each reads from the oldest one
that was open at the poll before. Nothing is answered from the set unless a poll has succeeded within 2 s.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from twofold_server.db import ordering
from twofold_server.db.ordering import RevocationRow
from twofold_server.db.pool import Pool
from twofold_server.domain import faults
from twofold_server.domain.clock import Clock
from twofold_server.domain.errors import DatabaseUnavailable

POLL_SECONDS: Final = 0.1
STALE_SECONDS: Final = 2.0
HEARTBEAT_SECONDS: Final = 1.0
MESSAGE_ROWS: Final = 1000
_FORGET_EVERY_SECONDS: Final = 10.0
_log = structlog.get_logger("twofold.revocations")


@dataclass(frozen=True, slots=True)
class Update:
    """A piece of the stream: `reset` begins a snapshot, `current` says that all is known up to the last poll."""

    rows: list[RevocationRow]
    reset: bool
    current: bool
    resume_token: str


class Revocations:
    """The set. `run` keeps it; a token is dead where `is_dead` says so."""

    def __init__(self, pool: Pool, clock: Clock, *, on_signing_key: Callable[[], None]) -> None:
        """`on_signing_key` is called when a signing key was revoked, so that the set of keys is read anew."""
        self._on_signing_key = on_signing_key
        self._pool = pool
        self._clock = clock
        self._rows: dict[str, RevocationRow] = {}
        self._sessions: dict[str, RevocationRow] = {}
        self._epochs: dict[str, int] = {}
        self._keys: set[str] = set()
        self._realms: set[str] = set()
        self._cluster = 0
        self._watermark = 0
        # By PostgreSQL's clock: when the last poll was, and when the whole set was last read.
        self._polled_time = self._whole_time = datetime.min.replace(tzinfo=UTC)
        self._polled_at = float("-inf")
        self._forgot_at = time.monotonic()
        self._news = asyncio.Event()
        # In the order in which they were found here, so that a stream need not look through all at each poll.
        self._found: list[RevocationRow] = []
        self._dropped = 0

    async def load(self) -> None:
        """Read the whole set; a server serves only after that."""
        self._cluster = await ordering.cluster_id(self._pool)
        await self.poll_once()

    async def run(self) -> None:
        """Poll every 100 ms until cancelled. A database that is gone makes the set stale, never wrong."""
        failing = False
        while True:
            started = time.monotonic()
            try:
                async with asyncio.timeout(STALE_SECONDS):
                    await self.poll_once()
            except Exception as error:  # noqa: BLE001 (whatever it is, the set goes stale and the next poll is a try)
                if not failing:
                    _log.warning("revocations_stale", error=type(error).__name__, sqlstate=faults.sqlstate(error))
                failing = True
            else:
                if failing:
                    _log.info("revocations_current")
                failing = False
            await asyncio.sleep(max(0.01, POLL_SECONDS - (time.monotonic() - started)))

    async def poll_once(self) -> None:
        """Take in what was committed since the poll before, however late it began."""
        started = time.monotonic()
        found = await ordering.poll_revocations(self._pool, self._watermark, self._clock())
        if found.since >= self._polled_time:
            # This backend began after the last poll, and PostgreSQL may have crashed before: it then gives out again
            # the numbers of transactions that had not reached the disk, below the watermark. So all is read anew.
            found = await ordering.poll_revocations(self._pool, 0, self._clock())
            self._whole_time = found.time
        fresh = [row for row in found.rows if row.revocation_id not in self._rows]
        for row in fresh:
            self._take(row)
        self._found.extend(fresh)
        self._watermark, self._polled_time = found.watermark, found.time
        # As of its start: what was committed while it ran may be missing.
        self._polled_at = started
        if started - self._forgot_at > _FORGET_EVERY_SECONDS:
            self._forget(started)
        self._news.set()
        self._news = asyncio.Event()

    def _take(self, row: RevocationRow) -> None:
        self._rows[row.revocation_id] = row
        match row.kind:
            case "session":
                self._sessions[row.subject] = row
            case "account":
                self._epochs[row.subject] = max(row.epoch, self._epochs.get(row.subject, 0))
            case "signing_key":
                self._keys.add(row.subject)
                self._on_signing_key()
            case "realm":
                self._realms.add(row.subject)

    def _forget(self, now: float) -> None:
        """Let go of what has expired.

        Streams count by position, so what they have passed is only counted from then on.
        """
        self._forgot_at = now
        time_now = self._clock()
        kept = [row for row in self._found if row.expire_time > time_now]
        if len(kept) == len(self._found):
            return
        # Expired rows need not be told to anyone, so a stream that stands before them loses nothing.
        self._found, self._dropped = kept, self._dropped + 1
        self._rows = {row.revocation_id: row for row in kept}
        self._sessions, self._epochs, self._keys, self._realms = {}, {}, set(), set()
        for row in kept:
            self._take(row)

    @property
    def is_current(self) -> bool:
        """Whether a poll has succeeded within 2 s."""
        return time.monotonic() - self._polled_at < STALE_SECONDS

    def is_dead(self, session_id: str, account_id: str, epoch: int, key_id: str, realm_id: str) -> bool:
        """Whether a token is revoked.

        Raises DatabaseUnavailable where the set is stale: it must not vouch for anybody.
        """
        if not self.is_current:
            raise DatabaseUnavailable(retry_after=1.0)
        return (
            session_id in self._sessions
            or epoch < self._epochs.get(account_id, 0)
            or key_id in self._keys
            or realm_id in self._realms
        )

    async def watch(self, realm_ids: Collection[str], resume_token: str) -> AsyncIterator[Update]:
        """Stream the set of some realms: a snapshot, or what came since a token, then changes, and a heartbeat each
        second.
        """
        # A stale set must not be told as `current`: silence is the answer to whoever connects meanwhile, too.
        while not self.is_current:
            await self._news.wait()
        since = self._since(resume_token)
        place, dropped = len(self._found), self._dropped
        token = self._token()
        first = [row for row in self._found if row.tx >= since and _concerns(row, realm_ids)]
        for update in _pieces(first, token, reset=since == 0):
            yield update
        told_at = time.monotonic()
        while True:
            news = self._news
            try:
                async with asyncio.timeout(max(0.0, told_at + HEARTBEAT_SECONDS - time.monotonic())):
                    await news.wait()
            except TimeoutError:
                pass
            token, found = self._token(), self._found
            if dropped != self._dropped:
                # The list was made anew: what is left of it is told again, which does no harm.
                place, dropped = 0, self._dropped
            rows = [row for row in found[place:] if _concerns(row, realm_ids)]
            place = len(found)
            now = time.monotonic()
            if (rows or now - told_at >= HEARTBEAT_SECONDS) and self.is_current:
                for update in _pieces(rows, token, reset=False):
                    yield update
                told_at = now
            elif now - told_at >= HEARTBEAT_SECONDS:
                # Stale: silence is what tells whoever listens.
                told_at = now

    def _token(self) -> str:
        return f"{self._cluster}.{self._watermark}.{int(self._polled_time.timestamp() * 1000)}"

    def _since(self, resume_token: str) -> int:
        """The transaction from which a stream goes on; 0 for a snapshot: nothing, or nothing usable, was presented."""
        parts = resume_token.split(".")
        if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) <= 20 for part in parts):
            return 0
        cluster, watermark, time = (int(part) for part in parts)
        if cluster != self._cluster or watermark > self._watermark:
            # Another cluster's, or of this one's other future, before a restore or a crash.
            return 0
        # From before the whole set was last read: PostgreSQL may have crashed in between, and numbered anew.
        return watermark if time >= self._whole_time.timestamp() * 1000 else 0


def _concerns(row: RevocationRow, realm_ids: Collection[str]) -> bool:
    return row.realm_id in realm_ids or row.kind == "signing_key"


def _pieces(rows: list[RevocationRow], token: str, *, reset: bool) -> list[Update]:
    """Rows in messages of 1,000; only the last is current and can be resumed from."""
    cuts = range(0, max(1, len(rows)), MESSAGE_ROWS)
    last = len(cuts) - 1
    return [
        Update(rows[cut : cut + MESSAGE_ROWS], reset and n == 0, n == last, token if n == last else "")
        for n, cut in enumerate(cuts)
    ]
