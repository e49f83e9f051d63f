"""Play the main story against the service of this folder, and start one where none runs. Behind `make demo`.

Exit code 0: every step did what it should. 1: one did not; the line on standard error says which.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.text import Text

from dev.environment import ROOT
from dev.stage import StepFailed
from dev.story import Story
from twofold import Client, TwofoldError

_STATE = ROOT / ".twofold"
_LOG = _STATE / "demo.log"
# The first start makes a database.
_START_SECONDS = 90.0
_STOP_SECONDS = 30.0
_CONNECT_SECONDS = 10.0


class NoService(Exception):
    """There is no service to play against; the text says why."""


def main() -> int:
    """Play the story; 0, or 1 with the reason on standard error."""
    signal.signal(signal.SIGTERM, _interrupt)
    console = Console(highlight=False, soft_wrap=True)
    started = time.monotonic()
    try:
        with _service(console) as address:
            asyncio.run(_play(console, address))
    except KeyboardInterrupt:
        print("make demo: stopped", file=sys.stderr)
        return 130
    except (NoService, StepFailed, TwofoldError) as failure:
        print(f"make demo: {failure}", file=sys.stderr)
        return 1
    console.print(Text(f"\nThe whole story, in {time.monotonic() - started:.1f} s.", style="bold green"))
    return 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


async def _play(console: Console, address: str) -> None:
    sent = Path(os.environ.get("TWOFOLD_MAIL_DIRECTORY") or _STATE / "sent")
    async with Client(address, wait_for_ready=True, user_agent="demo/1") as client:
        await client.wait_ready(_CONNECT_SECONDS)
        await Story(client, console, sent).play()


@contextlib.contextmanager
def _service(console: Console) -> Iterator[str]:
    """The address of the running service, or of one that lives as long as the block. Raises NoService."""
    if (address := _running()) is not None:
        console.print(Text(f"Against the service on {address}.", style="dim"))
        yield address
        return
    address = f"127.0.0.1:{_free_port()}"
    console.print(
        Text(f"No service runs in this folder: one is started on {address} until the end of the story.", style="dim")
    )
    with _LOG.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dev.run"],
            cwd=ROOT,
            env={**os.environ, "TWOFOLD_LISTEN": address},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # A Ctrl-C reaches this program alone, which then stops the other in order.
            start_new_session=True,
        )
    try:
        _wait_until_it_listens(process, address)
        yield address
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)


def _running() -> str | None:
    """Where the service of this folder listens, or soon will; None if there is none."""
    _STATE.mkdir(mode=0o700, exist_ok=True)
    with (_STATE / "run.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            _, *address = lock.read().split() or [""]
            if not address:
                raise NoService("a service is just starting or stopping in this folder; try again") from None
            _wait_until_it_listens(None, address[0])
            return address[0]
    return None


def _wait_until_it_listens(process: "subprocess.Popen[bytes] | None", address: str) -> None:
    host, _, port = address.rpartition(":")
    ends = time.monotonic() + _START_SECONDS
    while time.monotonic() < ends:
        if process is not None and process.poll() is not None:
            words = _LOG.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
            raise NoService("the service did not start:\n" + "\n".join(words))
        with (
            contextlib.suppress(OSError),
            socket.create_connection((host.strip("[]"), int(port)), timeout=1.0),
        ):
            return
        time.sleep(0.1)
    raise NoService(f"nothing listens on {address} after {_START_SECONDS:.0f} s; {_LOG} or its terminal says why")


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
