"""A worker process as its supervisor sees it: how it starts, what it says, how it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Final, Self

START_SECONDS: Final = 60.0
"""A worker that does not serve by then hangs, and is killed."""


@dataclass(slots=True, eq=False)
class Worker:
    """A process that serves, is about to, or drains. Times are of time.monotonic()."""

    slot: int
    process: subprocess.Popen[bytes]
    channel: socket.socket
    start_time: float
    kill_time: float
    serving_since: float | None = None
    leaving: bool = field(default=False)

    @classmethod
    def start(cls, slot: int, settings: bytes) -> Self:
        """Start a fresh interpreter; its settings go by a socket, which is its standard input. Raises OSError."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = subprocess.Popen(  # noqa: S603 (this very program)
                    [sys.executable, "-P", "-m", "twofold_server.worker", str(os.getpid())],
                    stdin=theirs.fileno(),
                    # Ctrl-C at the terminal is for the supervisor; a worker would take what follows for a second one.
                    process_group=0,
                )
            with contextlib.suppress(BrokenPipeError):  # it is dead already, which its exit code tells
                ours.sendall(settings)
                ours.shutdown(socket.SHUT_WR)
        except OSError:
            ours.close()
            raise
        ours.setblocking(False)
        now = time.monotonic()
        return cls(slot, process, ours, now, kill_time=now + START_SECONDS)

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def hear(self) -> bool:
        """Read what the worker says; False once it says no more. It says one thing, ever: that it serves."""
        try:
            said = self.channel.recv(64)
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        if said and self.serving_since is None:
            self.serving_since = time.monotonic()
            if not self.leaving:
                self.kill_time = float("inf")
        return bool(said)

    def drain(self, seconds: float) -> None:
        """Tell it to end, and give it so long."""
        if not self.leaving:
            self.leaving = True
            self.kill_time = time.monotonic() + seconds
            self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.kill_time = float("inf")
        self.process.kill()
