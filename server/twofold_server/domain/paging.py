"""Lists in pages: where one goes on is told by an opaque token that counts in that list alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar
from uuid import UUID

from twofold_server.crypto.keyring import Keyring
from twofold_server.crypto.page_tokens import format_page_token, parse_page_token

T = TypeVar("T")

DEFAULT_SIZE: Final = 50
MAXIMUM_SIZE: Final = 100


@dataclass(frozen=True, slots=True)
class Page:
    """The page that is asked for: at most `size` items, those behind `after`; None: from the start."""

    size: int
    after: UUID | None


def parse_size(size: int) -> int:
    """The size of a page: 1 to 100; 0 stands for 50. Raises ValueError."""
    if not 0 <= size <= MAXIMUM_SIZE:
        raise ValueError(f"From 1 to {MAXIMUM_SIZE}; 0 stands for {DEFAULT_SIZE}.")
    return size or DEFAULT_SIZE


class Pages:
    """Makes and reads page tokens.

    `scope` names the list: method, realm and account, so that no token serves another.
    """

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def parse(self, scope: str, token: str) -> UUID | None:
        """The id that the page before ended with; None for the empty token. Raises ValueError."""
        if not token:
            return None
        cursor = parse_page_token(self._keyring, scope, token)
        if cursor is None or len(cursor) != 16:
            raise ValueError("Not a page token of this list: use the one that its last page returned.")
        return UUID(bytes=cursor)

    def cut(self, scope: str, rows: list[T], size: int, key: Callable[[T], UUID]) -> tuple[list[T], str]:
        """The page of rows that were read with one more than `size`, and the next page's token."""
        shown = rows[:size]
        return shown, self.token(scope, key(shown[-1]) if len(rows) > size else None)

    def token(self, scope: str, last: UUID | None) -> str:
        """The token of the page behind `last`; None, on the last page, gives the empty one."""
        return format_page_token(self._keyring, scope, last.bytes) if last is not None else ""
