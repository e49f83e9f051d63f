"""Go a newcomer's way: clone the repository into an empty folder and do what README.md and each client's README say.

Runs the quick starts verbatim, from `make run` to a sign-in in each language. Behind `make newcomer`. What is not
committed is not cloned. Needs port 50051, which the quick starts name.

Exit code 0: every sign-in succeeded. 1: one did not, or where CI=true a toolchain is missing.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from dev.environment import ROOT
from dev.languages import Missing, chosen
from dev.quick_start import Block, NoQuickStart, read, script

_ADDRESS = ("127.0.0.1", 50051)
# Every language fetches its libraries the first time, the server its environment and database.
_QUICK_START_SECONDS = 600.0
_SERVER_SECONDS = 600.0
_STOP_SECONDS = 40.0
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_SIGN_IN = ("/twofold.v1.AccountService/SignIn", "/twofold.v1.TwoFactorService/FinishChallenge")


class NotThere(Exception):
    """The newcomer did not get there; the text says where they were left, and what they saw."""


def main() -> int:
    """Go all the way; 0, or 1 with where it ended on standard error."""
    parser = argparse.ArgumentParser(prog="python -m dev.newcomer", description=__doc__)
    parser.add_argument("languages", nargs="*", metavar="LANGUAGE", help="only these; all if none is named")
    parser.add_argument("--keep", action="store_true", help="leave the folder as it is in the end, and say where it is")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        languages = chosen(" ".join(arguments.languages))
        folder = Path(tempfile.mkdtemp(prefix="twofold-newcomer-"))
        try:
            _go(folder, languages)
        finally:
            if arguments.keep:
                print(f"the newcomer's folder: {folder}")
            else:
                shutil.rmtree(folder, ignore_errors=True)
    except KeyboardInterrupt:
        print("newcomer: stopped", file=sys.stderr)
        return 130
    except (Missing, NotThere, NoQuickStart) as failure:
        print(f"newcomer: {failure}", file=sys.stderr)
        return 1
    return 0


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _go(folder: Path, languages: list[str]) -> None:
    _demand_free_port()
    clone = folder / "twofold"
    _clone(clone)
    environment = _environment() | {"TWOFOLD": str(clone)}
    # All are read first: a README without its markers is told before minutes have gone.
    own = read(clone / "README.md")
    starts = {language: read(clone / "clients" / language / "README.md") for language in languages}
    with _left_running([block for block in own if block.goes_on], clone, environment, folder / "server.log") as log:
        rest = [block for block in own if not block.goes_on]
        _play("README.md", rest, clone, environment, log)
        lost = []
        for language, blocks in starts.items():
            empty = folder / language
            empty.mkdir()
            try:
                _play(f"clients/{language}/README.md", blocks, empty, environment, log)
            except NotThere as failure:
                print(f"   {str(failure).splitlines()[0]}", flush=True)
                lost.append(str(failure))
    if lost:
        raise NotThere("\n\n".join(lost))


def _clone(clone: Path) -> None:
    commands: tuple[tuple[str | Path, ...], ...] = (
        ("git", "clone", "--quiet", ROOT, clone),
        # A clone of a work tree takes the branch of the repository behind it.
        ("git", "-C", clone, "checkout", "--quiet", "--detach", _git("rev-parse", "HEAD")),
    )
    for command in commands:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise NotThere(f"git {command[1]} failed:\n{done.stderr}".rstrip())
    if _git("status", "--porcelain"):
        print("-- there are changes that are not committed; a newcomer does not see them", flush=True)


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", ROOT, *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        raise NotThere(f"git {arguments[0]} failed:\n{done.stderr}".rstrip())
    return done.stdout.strip()


def _environment() -> dict[str, str]:
    """This process's environment without what a newcomer does not have: make's, an active environment's, Twofold's."""
    own = ("TWOFOLD", "DATABASE_URL", "MAKE", "MFLAGS", "PYTHONPATH", "PYTHONHOME")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    if active := inherited.pop("VIRTUAL_ENV", None):
        folders = inherited.get("PATH", os.defpath).split(os.pathsep)
        inherited["PATH"] = os.pathsep.join(path for path in folders if not path.startswith(active))
    return inherited


def _demand_free_port() -> None:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(_ADDRESS)
        except OSError as error:
            address = f"{_ADDRESS[0]}:{_ADDRESS[1]}"
            raise NotThere(f"{address}: {error.strerror}; stop what listens there, such as a `make run`") from None


@contextlib.contextmanager
def _left_running(blocks: list[Block], clone: Path, environment: dict[str, str], log: Path) -> Iterator[Path]:
    """Run the block that goes on in a terminal of its own, until the end of the `with`; its log."""
    if len(blocks) != 1:
        raise NotThere(
            f"README.md's quick start needs one block that begins with `# in a terminal of its own`: {blocks}"
        )
    print(f"== README.md, line {blocks[0].line}, in a terminal of its own", flush=True)
    started = time.monotonic()
    with log.open("wb") as out:
        server = _start(script(blocks), clone, environment, out)
    try:
        # Its own word for it: on the port something else may have begun to listen meanwhile.
        while not _count(log, event="serving"):
            if server.poll() is not None or time.monotonic() > started + _SERVER_SECONDS:
                raise NotThere(f"the server of README.md's quick start did not start:\n{_tail(log)}")
            time.sleep(0.2)
        print(f"   serves after {time.monotonic() - started:.0f} s", flush=True)
        yield log
    finally:
        _end(server, signal.SIGTERM)


def _play(name: str, blocks: list[Block], folder: Path, environment: dict[str, str], server_log: Path) -> None:
    """Run a quick start to its end. Raises NotThere where it fails, takes too long, or nobody has signed in by it."""
    print(f"== {name}", flush=True)
    started = time.monotonic()
    before = _sign_ins(server_log)
    log = folder.parent / f"{folder.name}.log"
    with log.open("wb") as out:
        process = _start(script(blocks), folder, environment, out)
    try:
        code = process.wait(_QUICK_START_SECONDS)
    except subprocess.TimeoutExpired:
        raise NotThere(f"{name}: not done after {_QUICK_START_SECONDS:.0f} s:\n{_tail(log)}") from None
    finally:
        _end(process, signal.SIGTERM)
    if code:
        raise NotThere(f"{name}: exit code {code}:\n{_tail(log)}\nThe server's last words:\n{_tail(server_log, 5)}")
    if _sign_ins(server_log) == before:
        raise NotThere(f"{name}: ended without a sign-in:\n{_tail(log)}")
    # Maven's last line has no letters, only the end of a colour.
    last = next(filter(None, map(str.strip, reversed(_COLOUR.sub("", _tail(log)).splitlines()))), "")
    print(f"   signed in, {time.monotonic() - started:.0f} s; its last line: {last}", flush=True)


def _start(text: str, folder: Path, environment: dict[str, str], out: BinaryIO) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        ["sh", "-c", text],
        cwd=folder,
        env=environment | {"PWD": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _end(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """End the process and what it has started in its session, in order where that works."""
    ends = time.monotonic() + _STOP_SECONDS
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
        while time.monotonic() < ends:
            process.poll()
            os.killpg(process.pid, 0)
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _sign_ins(log: Path) -> int:
    """How many calls of sign-ins have succeeded."""
    return sum(_count(log, method=method, outcome="OK") for method in _SIGN_IN)


def _count(log: Path, **fields: str) -> int:
    """How many of the server's lines, of JSON where it is not at a terminal, have these."""
    count = 0
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            count += isinstance(event, dict) and fields.items() <= event.items()
    return count


def _tail(log: Path, lines: int = 40) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").rstrip().splitlines()[-lines:])


if __name__ == "__main__":
    sys.exit(main())
