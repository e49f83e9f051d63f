"""Streams of requests for approval: one poll for all who watch at this server, none while nobody does.

What is open stands in the database, so a server that ends loses nothing: whoever connects anew is shown it first.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

import structlog

from twofold_server.db import approvals as db_approvals
from twofold_server.db.approvals import RequestRow
from twofold_server.db.pool import Pool
from twofold_server.domain import faults
from twofold_server.domain.approvals import Request, State, state_of
from twofold_server.domain.approvers import ActiveApprover, Approvers, still
from twofold_server.domain.clock import Clock
from twofold_server.domain.errors import ApproverInvalid, Overloaded

POLL_SECONDS: Final = 0.1
LIVING_SECONDS: Final = 1.0
HEARTBEAT_SECONDS: Final = 30.0
STALE_SECONDS: Final = 2.0
MOST_OF_ONE: Final = 3
T = TypeVar("T")
_log = structlog.get_logger("twofold.approvals")


@dataclass(frozen=True, slots=True)
class News:
    """What a phone is told: what is open and was not told yet, and what has ended of what was."""

    opened: list[Request]
    ended: list[tuple[UUID, State]]


class _Phone:
    """A phone that watches. Small, as there are hundreds."""

    __slots__ = ("approver", "ended", "first", "news", "opened", "over", "shown")

    def __init__(self, approver: ActiveApprover) -> None:
        self.approver = approver
        self.shown: set[UUID] = set()
        self.opened: list[Request] = []
        self.ended: list[tuple[UUID, State]] = []
        self.first = True
        # Why the stream ends: replaced by a newer one of the phone's, or no phone any more.
        self.over: str = ""
        self.news = asyncio.Event()


class _Waiting:
    """A front end that waits for one request."""

    __slots__ = ("news", "over", "row")

    def __init__(self, row: RequestRow) -> None:
        self.row = row
        self.over: State | None = None
        self.news = asyncio.Event()


class ApprovalWatch:
    """Who watches at this server. `run` polls for them; `phone` and `challenge` are their streams."""

    def __init__(
        self, pool: Pool, approvers: Approvers, opening: Callable[[RequestRow], Request], clock: Clock
    ) -> None:
        """`opening` reads what a phone is shown out of a row."""
        self._pool = pool
        self._approvers = approvers
        self._opening = opening
        self._clock = clock
        self._phones: dict[UUID, list[_Phone]] = {}
        self._waiting: dict[UUID, list[_Waiting]] = {}
        # What was found open: each request by its account, and whose it is.
        self._open: dict[UUID, dict[UUID, Request]] = {}
        self._accounts: dict[UUID, UUID] = {}
        self._somebody = asyncio.Event()
        self._polled_at = float("-inf")
        self._living_at = float("-inf")

    @property
    def watching(self) -> int:
        """Streams that are open here."""
        return sum(map(len, self._phones.values())) + sum(map(len, self._waiting.values()))

    async def run(self) -> None:
        """Poll every 100 ms while anybody watches, until cancelled.

        A database that is gone only makes streams silent.
        """
        failing = False
        while True:
            await self._somebody.wait()
            started = time.monotonic()
            try:
                await self.poll_once()
            except Exception as error:  # noqa: BLE001 (whatever it is, the next poll is a try)
                if not failing:
                    _log.warning("approvals_stale", error=type(error).__name__, sqlstate=faults.sqlstate(error))
                failing = True
            else:
                failing = False
            await asyncio.sleep(max(0.01, POLL_SECONDS - (time.monotonic() - started)))

    async def phone(self, approver: ActiveApprover) -> AsyncGenerator[News, None]:
        """What a phone is told: what is open at once, then what changes, and something each 30 s.

        Ends without an error where the phone has opened three streams since; raises ApproverInvalid once it is
        removed or its account has changed.
        """
        phone = _Phone(approver)
        phones = self._phones.setdefault(approver.approver_id, [])
        while len(phones) >= MOST_OF_ONE:
            # Half-open ones of a phone that lost its network, most likely.
            self._end(phones.pop(0), "replaced")
        phones.append(phone)
        self._somebody.set()
        try:
            while True:
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        await phone.news.wait()
                except TimeoutError:
                    if time.monotonic() - self._polled_at > STALE_SECONDS:
                        continue
                phone.news.clear()
                if phone.over:
                    break
                opened, phone.opened, ended, phone.ended = phone.opened, [], phone.ended, []
                yield News(opened, ended)
            if phone.over == "invalid":
                raise ApproverInvalid
        finally:
            self._leave(self._phones, approver.approver_id, phone)

    async def challenge(self, row: RequestRow) -> AsyncGenerator[State, None]:
        """How a request stands: now, and once it is over; then it ends. Raises Overloaded beyond three of a request."""
        now = state_of(row, self._clock())
        yield now
        if now != "open":
            return
        waiting = _Waiting(row)
        others = self._waiting.setdefault(row.request_id, [])
        if len(others) >= MOST_OF_ONE:
            raise Overloaded(retry_after=1.0)
        others.append(waiting)
        self._somebody.set()
        try:
            while waiting.over is None:
                await waiting.news.wait()
            yield waiting.over
        finally:
            self._leave(self._waiting, row.request_id, waiting)

    async def poll_once(self) -> None:
        """Read once for all what is open, then only what is new of it, and tell those whom it concerns."""
        # Those that come while the statement runs have the next one.
        by_account: dict[UUID, list[_Phone]] = {}
        for phones in self._phones.values():
            for phone in phones:
                by_account.setdefault(phone.approver.account_id, []).append(phone)
        waiting = dict(self._waiting)
        started, now = time.monotonic(), self._clock()
        still_open = await db_approvals.open_ids(self._pool, list(by_account), list(waiting), now)
        fresh = still_open - self._accounts.keys()
        over = (self._accounts.keys() | waiting.keys()) - still_open
        rows = {}
        if fresh or over:
            rows = {row.request_id: row for row in await db_approvals.by_ids(self._pool, [*fresh, *over])}
        ended = {request_id: _ended(rows.get(request_id), now) for request_id in over}
        concerned = {self._accounts[request_id] for request_id in over if request_id in self._accounts}
        concerned |= {rows[request_id].account_id for request_id in fresh if request_id in rows}
        concerned |= {account_id for account_id, here in by_account.items() if any(phone.first for phone in here)}
        for request_id in over:
            self._forget(request_id)
        # The oldest first.
        for request_id in sorted(fresh & rows.keys()):
            row = rows[request_id]
            self._accounts[request_id] = row.account_id
            self._open.setdefault(row.account_id, {})[request_id] = self._opening(row)
        await self._let_go(by_account, concerned, started)
        for account_id in concerned:
            for phone in by_account.get(account_id, ()):
                if not phone.over:
                    _tell(phone, self._open.get(account_id, {}), ended)
        for request_id, fronts in waiting.items():
            if request_id in ended:
                for front in fronts:
                    front.over = ended[request_id]
                    front.news.set()
        self._polled_at = started

    async def _let_go(self, by_account: dict[UUID, list[_Phone]], concerned: set[UUID], started: float) -> None:
        """End the streams of phones that are no more: each second all, and before anything is shown those concerned."""
        if started - self._living_at >= LIVING_SECONDS:
            self._living_at = started
            concerned = set(by_account)
        phones = [phone for account_id in concerned for phone in by_account.get(account_id, ())]
        if not phones:
            return
        living = await self._approvers.living([phone.approver.approver_id for phone in phones])
        for phone in phones:
            if not still(phone.approver, living):
                self._end(phone, "invalid")

    def _forget(self, request_id: UUID) -> None:
        account_id = self._accounts.pop(request_id, None)
        if account_id is not None:
            here = self._open[account_id]
            del here[request_id]
            if not here:
                del self._open[account_id]

    def _end(self, phone: _Phone, why: str) -> None:
        phone.over = why
        phone.news.set()

    def _leave(self, everyone: dict[UUID, list[T]], key: UUID, one: T) -> None:
        here = everyone.get(key, [])
        if one in here:
            here.remove(one)
        if not here:
            everyone.pop(key, None)
        if not self._phones and not self._waiting:
            self._somebody.clear()
            self._open.clear()
            self._accounts.clear()


def _ended(row: RequestRow | None, now: datetime) -> State:
    state = state_of(row, now)
    # What is open all the same is of an account that nobody watches here any more: nobody is told.
    return "expired" if state == "open" else state


def _tell(phone: _Phone, requests: dict[UUID, Request], ended: dict[UUID, State]) -> None:
    opened = [request for request_id, request in requests.items() if request_id not in phone.shown]
    over = [(request_id, ended.get(request_id, "withdrawn")) for request_id in phone.shown - requests.keys()]
    if opened or over or phone.first:
        phone.opened += opened
        phone.ended += over
        phone.shown = set(requests)
        phone.first = False
        phone.news.set()
