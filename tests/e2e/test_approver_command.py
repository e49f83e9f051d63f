"""`twofold approver`, run as people run it: pair, watch and answer, with its key in a file of its own."""

from __future__ import annotations

import asyncio
import stat
import sys
from asyncio.subprocess import PIPE, Process
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.integration.phones import ask, begin_pairing, challenge, finish_pairing, waiting
from tests.service import Service, serving, settings_for
from twofold.v1 import two_factor_pb2


async def started(service: Service, file: Path, *words: str) -> Process:
    """The program with these words."""
    target = f"127.0.0.1:{service.app.ports[0]}"
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "twofold", "approver", words[0], "--target", target, "--file", file, *words[1:],
        stdin=PIPE, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip


async def ended(process: Process, typed: bytes = b"") -> tuple[int | None, str, str]:
    """Its end: code, standard output and error."""
    async with asyncio.timeout(20):
        out, error = await process.communicate(typed)
    return process.returncode, out.decode(), error.decode()


async def line_with(process: Process, text: str) -> str:
    """Its next line that has a text in it."""
    assert process.stdout is not None
    async with asyncio.timeout(20):
        while line := (await process.stdout.readline()).decode():
            if text in line:
                return line
    raise AssertionError(f"ended without {text!r}")


async def test_a_phone_in_a_terminal(database: str, tmp_path: Path) -> None:
    """Paired by the URL on standard input, it shows a request and approves it by the number that is typed."""
    # A clock that runs: the program has its own.
    async with serving(settings_for(database, tmp_path), lambda: datetime.now(UTC)) as service:
        file = tmp_path / "phone" / "approver.json"
        user = await service.signed_in_user()
        begun = await begin_pairing(service, user)
        code, out, error = await ended(await started(service, file, "pair", "-"), begun.push.pairing_url.encode())
        assert (code, error) == (0, "")
        assert user.email in out
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert begun.push.pairing_code not in file.read_text()
        await finish_pairing(service, user, begun)

        code, _, error = await ended(await started(service, file, "pair", begun.push.pairing_code))
        assert code == 1 and "is there already" in error

        watch = await started(service, file, "watch")
        assert watch.stdin is not None
        await line_with(watch, "watching")
        found = await challenge(service, user)
        begun_ask = await ask(service, found)
        stream = waiting(service, found)
        await line_with(watch, "Brno, Czechia")
        watch.stdin.write(f"12\n{begun_ask.number[:3]} {begun_ask.number[3:]}\n".encode())
        await line_with(watch, "6 digits, d or n")
        await line_with(watch, "approved")
        states = [message.state async for message in stream]
        assert states[-1] == two_factor_pb2.APPROVAL_STATE_APPROVED
        code, _, error = await ended(watch, b"q\n")
        assert (code, error) == (0, "")

        wrong = "01890a5d-ac96-774b-bcce-b302099a8057"
        code, _, error = await ended(await started(service, file, "answer", wrong, "--deny"))
        assert code == 1 and "APPROVAL_NOT_FOUND" in error
        file.chmod(0o644)
        code, _, error = await ended(await started(service, file, "watch"))
        assert code == 1 and "can be read by others" in error


@pytest.mark.parametrize("words", [["pair", "not a code"], ["pair", "https://x.example/#code=1"]])
async def test_what_is_no_code_is_told_plainly(service: Service, tmp_path: Path, words: list[str]) -> None:
    """One line, and no file that would be in the way of the next try."""
    file = tmp_path / "approver.json"
    code, out, error = await ended(await started(service, file, *words))
    assert (code, out) == (1, "")
    assert error.startswith("twofold: not a pairing code") and error.count("\n") == 1
    assert not file.exists()
