"""The file of breached passwords: every line is found, nothing else is, whatever its size and endings."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from twofold_server.domain.breached_passwords import FileList, ListDown


def _digest(number: int) -> str:
    return hashlib.sha1(str(number).encode(), usedforsecurity=False).hexdigest().upper()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
@pytest.mark.parametrize(("ending", "last"), [("\n", ""), ("\n", "\n"), ("\r\n", "\r\n")])
async def test_every_line_is_found_and_nothing_else(tmp_path: Path, size: int, ending: str, last: str) -> None:
    """The first, the last and all between, with counts of any length; what is not there is not found."""
    known = sorted(_digest(number) for number in range(size))
    file = tmp_path / "list"
    lines = [f"{digest}:{10 ** (place % 12)}" for place, digest in enumerate(known)]
    file.write_bytes((ending.join(lines) + last).encode())
    found = FileList(file)
    for digest in known:
        assert await found.knows(digest)
    for number in range(size, size + 200):
        assert not await found.knows(_digest(number))
    assert not await found.knows("0" * 40)
    assert not await found.knows("F" * 40)


async def test_letters_of_either_case_and_counts_of_nothing(tmp_path: Path) -> None:
    """Lower-case hashes are the same; a line of count 0 is padding."""
    file = tmp_path / "list"
    lines = sorted([f"{_digest(1).lower()}:5", f"{_digest(2).lower()}:0"])
    file.write_text("\n".join(lines))
    found = FileList(file)
    assert await found.knows(_digest(1))
    assert not await found.knows(_digest(2))


@pytest.mark.parametrize(
    "content", [b"", b"password\n", b"\xff" * 500, b"A" * 40, b"G" * 40 + b":1\n", b"A" * 39 + b":1\n"]
)
def test_what_is_no_such_file_is_refused_at_the_start(tmp_path: Path, content: bytes) -> None:
    """A file of another form, or none at all, is a mistake that the operator is told of."""
    file = tmp_path / "list"
    with pytest.raises(ValueError, match="cannot be read"):
        FileList(file)
    file.write_bytes(content)
    with pytest.raises(ValueError, match="no lines"):
        FileList(file)


async def test_a_file_that_is_spoilt_later_ends_in_no_loop(tmp_path: Path) -> None:
    """Lines without an end, of another form, or out of order: down, or not found, and always an end."""
    file = tmp_path / "list"
    file.write_text(f"{_digest(1)}:1\n")
    found = FileList(file)
    for spoilt in (b"A" * 100_000, b"\n" * 5000, f"{_digest(1)}:1\n".encode() * 3 + b"\0" * 4000):
        file.write_bytes(spoilt)
        with pytest.raises(ListDown):
            await found.knows(_digest(1))
    file.write_text("".join(f"{_digest(number)}:1\n" for number in range(500)))
    for number in range(500):
        await found.knows(_digest(number))
    file.write_bytes(b"")
    assert not await found.knows(_digest(1))
