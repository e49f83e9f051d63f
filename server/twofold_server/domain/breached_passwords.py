"""Passwords known from data breaches: looked up by SHA-1, in a file, or by five hex digits of it at another service.

Neither the password nor more of its hash than those five digits leaves the process (k-anonymity).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import re
from collections import Counter
from pathlib import Path
from typing import Final, Protocol

import structlog

from twofold_server.domain.errors import PasswordCheckUnavailable
from twofold_server.domain.values import NewPassword
from twofold_server.egress.http import EgressError, Http

_log = structlog.get_logger("twofold.breached_passwords")

_RETRY_SECONDS: Final = 5.0
_PREFIX_DIGITS: Final = 5
_SUFFIX_LINE: Final = re.compile(r"([0-9A-F]{35}):([0-9]{1,12})", re.ASCII | re.IGNORECASE)
_LINE: Final = re.compile(rb"([0-9A-F]{40}):([0-9]{1,12})\r?", re.IGNORECASE)
# The longest line is half of it, so that any place in the file is followed by a whole one.
_CHUNK: Final = 128


class ListDown(Exception):
    """The list can't be asked; the text says why, and holds nothing of what was asked."""


class BreachList(Protocol):
    """Knows the passwords of breaches by their hashes."""

    async def knows(self, digest: str, /) -> bool:
        """Say whether a password of this SHA-1 (40 upper-case hex digits) was breached. Raises ListDown."""


class BreachedPasswords:
    """Asks the operator's list. Where it can't be asked, the operator's setting decides: open lets passwords pass."""

    def __init__(self, source: BreachList, *, open_when_down: bool) -> None:
        self._source = source
        self._open_when_down = open_when_down
        self.outcomes: Counter[str] = Counter()
        """`unknown`, `known`, and of a list that was down `let_through` and `refused`, since the start."""

    async def is_known(self, new: NewPassword) -> bool:
        """Say whether a password is on the list. Raises PasswordCheckUnavailable."""
        # What such lists are made of, no protection of anything.
        digest = hashlib.sha1(new.text.encode(), usedforsecurity=False).hexdigest().upper()
        try:
            known = await self._source.knows(digest)
        except ListDown as error:
            outcome = "let_through" if self._open_when_down else "refused"
            self.outcomes[outcome] += 1
            _log.warning("breach_list_down", reason=str(error), outcome=outcome)
            if self._open_when_down:
                return False
            raise PasswordCheckUnavailable(retry_after=_RETRY_SECONDS) from None
        self.outcomes["known" if known else "unknown"] += 1
        return known


class RangeList:
    """A service that speaks the range protocol: `GET {base}/{five digits}` answers lines of `SUFFIX:COUNT`."""

    def __init__(self, http: Http, base: str) -> None:
        self._http = http
        self._base = base.rstrip("/")

    async def knows(self, digest: str) -> bool:
        """Say whether the rest of the digest is in its range. Raises ListDown."""
        prefix, suffix = digest[:_PREFIX_DIGITS], digest[_PREFIX_DIGITS:]
        try:
            # Padded, so that the length of an encrypted answer does not tell which range it is.
            answer = await self._http.get(f"{self._base}/{prefix}", headers={"Add-Padding": "true"})
        except EgressError as error:
            raise ListDown(f"{type(error).__name__}: {error}") from None
        if answer.status != 200:
            raise ListDown(f"answered {answer.status}")
        known = False
        for line in answer.body.decode("ascii", "replace").splitlines():
            found = _SUFFIX_LINE.fullmatch(line.strip())
            if found is None:
                raise ListDown("not an answer of the range protocol")
            # Padding has a count of 0.
            known |= hmac.compare_digest(found[1].upper(), suffix) and int(found[2]) > 0
        return known


class FileList:
    """A file of lines `HASH:COUNT`, sorted by hash (40 hex digits), of any size; it may be replaced at any time."""

    def __init__(self, path: Path) -> None:
        """Raises ValueError where the file is not there or not of that form."""
        self._path = path
        try:
            with path.open("rb") as file:
                first = file.readline(_CHUNK)
        except OSError as error:
            raise ValueError(f"the file of breached passwords cannot be read: {error.strerror}") from None
        if not _LINE.fullmatch(first.removesuffix(b"\n")):
            raise ValueError("the file of breached passwords has no lines HASH:COUNT")

    async def knows(self, digest: str) -> bool:
        """Say whether the digest is in the file. Raises ListDown."""
        try:
            return await asyncio.to_thread(self._search, digest.encode("ascii"))
        except (OSError, ValueError) as error:
            raise ListDown(f"the file: {type(error).__name__}") from None

    def _search(self, digest: bytes) -> bool:
        # Read, not mapped: a page that is fetched by touching it would hold up every other thread of the interpreter.
        place = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            low, high = 0, os.fstat(place).st_size
            # The line, if there is one, begins at low or later and before high.
            while low < high:
                middle = (low + high) // 2
                start, key, count, end = _line_from(place, middle)
                if start >= high or digest < key:
                    high = middle
                elif key < digest:
                    low = end
                else:
                    return count > 0
        finally:
            os.close(place)
        return False


def _line_from(place: int, offset: int) -> tuple[int, bytes, int, int]:
    """The first line that begins at an offset or later: where, its hash and count, and where the next one begins.

    At the end of the file it begins nowhere near. Raises ValueError for a file of another form.
    """
    begin = max(offset - 1, 0)
    chunk = os.pread(place, 2 * _CHUNK, begin)
    skipped = chunk.find(b"\n") + 1 if offset else 0
    if offset and not skipped:
        if len(chunk) > _CHUNK:
            raise ValueError("a line is too long")
        return begin + len(chunk), b"", 0, begin + len(chunk)
    line, newline, _ = chunk[skipped:].partition(b"\n")
    start = begin + skipped
    if not line and not newline:
        return start, b"", 0, start
    found = _LINE.fullmatch(line)
    if found is None:
        raise ValueError("not a line of the form")
    return start, found[1].upper(), int(found[2]), start + len(line) + len(newline)
