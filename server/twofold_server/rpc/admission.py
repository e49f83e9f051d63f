"""How many calls are worked on at a time: what comes on top is refused at once, not queued."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from twofold_server.domain.errors import Overloaded

RETRY_AFTER_SECONDS: Final = 0.25


class Admission:
    """Counts the calls under way, all of them and each caller's. For one event loop."""

    __slots__ = ("_by_caller", "_most", "_most_of_caller", "under_way")

    def __init__(self, most: int, most_of_caller: int) -> None:
        self._most = most
        self._most_of_caller = most_of_caller
        self._by_caller: dict[UUID, int] = {}
        self.under_way = 0

    def enter(self, caller_id: UUID) -> None:
        """Take a place; `leave` gives it back. Raises Overloaded, and then no place was taken."""
        held = self._by_caller.get(caller_id, 0)
        if self.under_way >= self._most or held >= self._most_of_caller:
            raise Overloaded(retry_after=RETRY_AFTER_SECONDS)
        self._by_caller[caller_id] = held + 1
        self.under_way += 1

    def leave(self, caller_id: UUID) -> None:
        """Give a place back."""
        self.under_way -= 1
        held = self._by_caller[caller_id] - 1
        if held:
            self._by_caller[caller_id] = held
        else:
            del self._by_caller[caller_id]
