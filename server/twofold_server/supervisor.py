"""The parent of a server with several workers: starts them, restarts them, ends them, and does nothing else.

It reads no request, no key and no row, and loads neither gRPC nor a database driver: what can't be reached in it can't
go wrong in it. SIGTERM and SIGINT drain all workers and end it with 0, a second one kills; SIGHUP renews the workers
one after another, so that they read changed files (certificates, keys) with no call lost.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import FrameType
from typing import Any, Final

from twofold_server.ports import PortTaken, reserve
from twofold_server.processes import Worker

_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 10.0
_PROVEN_SECONDS: Final = 10.0
# What a worker does after its calls have ended: last writes, hash threads, connections.
_ENDING_SECONDS: Final = 15.0
_LEVELS: Final = ("debug", "info", "warning", "error")
_ENDING: Final = frozenset({signal.SIGTERM, signal.SIGINT})


@dataclass(slots=True)
class Slot:
    """A place for a worker, and when the next one may start in it."""

    start_time: float = 0.0
    pause: float = 0.0

    def wait(self, now: float, lived: float) -> float:
        """Put the next start off, twice as far as last time unless the worker lived for a while; gives the seconds."""
        self.pause = _FIRST_PAUSE_SECONDS if lived >= _PROVEN_SECONDS else self.pause * 2 or _FIRST_PAUSE_SECONDS
        self.pause = min(self.pause, _LONGEST_PAUSE_SECONDS)
        self.start_time = now + self.pause
        return self.pause


class Supervisor:
    """Keeps so many workers serving. `settings` is what each is handed; `run` blocks."""

    def __init__(self, settings: bytes, workers: int, drain_seconds: float, log: Log) -> None:
        self._settings = settings
        self._slots = [Slot() for _ in range(workers)]
        self._drain_seconds = drain_seconds
        self._log = log
        self._workers: list[Worker] = []
        self._selector = selectors.DefaultSelector()
        self._signals: deque[int] = deque()
        self._renewing: deque[int] = deque()
        self._successor: Worker | None = None
        self._proven = False
        self._complete = False
        self._stopping = False
        self._code = 0

    def run(self) -> int:
        """Supervise until a signal ends it, or its first worker can't start; gives the exit code."""
        woken, waker = socket.socketpair()
        with woken, waker:
            woken.setblocking(False)
            waker.setblocking(False)
            signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
            self._selector.register(woken, selectors.EVENT_READ)
            for number in (*_ENDING, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(number, self._note)
            try:
                while not (self._stopping and not self._workers):
                    self._act()
                    for key, _ in self._selector.select(self._seconds_to_next()):
                        if isinstance(key.data, Worker):
                            self._hear(key.data)
                        else:
                            woken.recv(4096)
                    self._obey()
                    self._reap()
            finally:
                for worker in self._workers:
                    worker.kill()
                    worker.process.wait()
        return self._code

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self._signals.append(number)

    def _obey(self) -> None:
        while self._signals:
            number = self._signals.popleft()
            if number == signal.SIGHUP:
                if not self._stopping and not self._renewing:
                    self._log.info("renewing the workers one after another")
                    self._renewing.extend(range(len(self._slots)))
            elif self._stopping:
                self._log.warning("told to stop twice: the workers are killed")
                self._code = 128 + number
                for worker in self._workers:
                    worker.kill()
            else:
                self._log.info("draining", workers=len(self._workers), seconds=self._drain_seconds)
                self._stop(0)

    def _stop(self, code: int) -> None:
        self._stopping = True
        self._code = code
        for worker in self._workers:
            worker.drain(self._drain_seconds + _ENDING_SECONDS)

    def _hear(self, worker: Worker) -> None:
        was_serving = worker.serving_since is not None
        if not worker.hear():
            self._close(worker)
        if worker.serving_since is not None and not was_serving:
            self._proven = True
            self._log.info(
                "worker serves", worker=worker.pid, seconds=round(worker.serving_since - worker.start_time, 2)
            )

    def _close(self, worker: Worker) -> None:
        if worker.channel.fileno() >= 0:
            self._selector.unregister(worker.channel)
            worker.channel.close()

    def _reap(self) -> None:
        now = time.monotonic()
        for worker in [worker for worker in self._workers if worker.process.poll() is not None]:
            self._workers.remove(worker)
            if worker.channel.fileno() >= 0:
                self._hear(worker)  # what it said last
                self._close(worker)
            if not self._stopping and not worker.leaving:
                self._replace(worker, now)

    def _replace(self, worker: Worker, now: float) -> None:
        """Have a worker that has ended by itself followed by another, later."""
        code = worker.process.returncode
        if not self._proven:
            # It has said why: the settings or the database of this deployment do not make a server.
            self._stop(1)
            return
        if worker is self._successor:
            self._log.error("a new worker has ended, the other old ones stay", worker=worker.pid, exit_code=code)
            self._successor = None
            self._renewing.clear()
        if self._of(worker.slot):
            return
        lived = now - worker.serving_since if worker.serving_since is not None else 0.0
        pause = self._slots[worker.slot].wait(now, lived)
        self._log.error("worker ended", worker=worker.pid, exit_code=code, restart_seconds=round(pause, 2))

    def _act(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            if now >= worker.kill_time:
                self._log.error("worker hangs and is killed", worker=worker.pid)
                worker.kill()
        if self._stopping:
            return
        # Until one worker has shown that the settings make a server, one message of what they lack is enough.
        for slot in range(len(self._slots) if self._proven else 1):
            if now >= self._slots[slot].start_time and not self._of(slot):
                self._start(slot)
        while self._renewing and self._renew():
            pass
        serving = sum(worker.serving_since is not None for worker in self._workers)
        if not self._complete and serving >= len(self._slots):
            self._complete = True
            self._log.info("all workers serve", workers=serving)

    def _renew(self) -> bool:
        """Take the next step of replacing a slot's worker: start another, end the old one, wait for its end.

        True once that slot is done.
        """
        slot = self._renewing[0]
        if self._successor is None:
            if not any(worker.serving_since is not None for worker in self._of(slot)):
                self._renewing.popleft()  # what starts there now, or will, is new
                return True
            self._successor = self._start(slot)
            if self._successor is None:
                self._renewing.clear()
        elif self._successor.serving_since is not None:
            old = [worker for worker in self._workers if worker.slot == slot and worker is not self._successor]
            for worker in old:
                worker.drain(self._drain_seconds + _ENDING_SECONDS)
            if not old:
                self._successor = None
                self._renewing.popleft()
                if not self._renewing:
                    self._log.info("all workers are renewed")
                return True
        return False

    def _of(self, slot: int) -> list[Worker]:
        return [worker for worker in self._workers if worker.slot == slot and not worker.leaving]

    def _start(self, slot: int) -> Worker | None:
        try:
            worker = Worker.start(slot, self._settings)
        except OSError as error:
            pause = self._slots[slot].wait(time.monotonic(), 0.0)
            self._log.error("a worker cannot be started", reason=error.strerror, restart_seconds=round(pause, 2))
            return None
        self._workers.append(worker)
        self._selector.register(worker.channel, selectors.EVENT_READ, worker)
        return worker

    def _seconds_to_next(self) -> float | None:
        now = time.monotonic()
        due = [worker.kill_time for worker in self._workers if worker.kill_time != float("inf")]
        if self._proven and not self._stopping:
            due += [slot.start_time for number, slot in enumerate(self._slots) if not self._of(number)]
        return max(0.0, min(due) - now) if due else None


class Log:
    """Lines of JSON like the workers' own, on standard error, without what those need to write them."""

    def __init__(self, level: str) -> None:
        self._least = _LEVELS.index(level)

    def info(self, event: str, **fields: object) -> None:
        """What is as it should be."""
        self._write("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """What somebody may want to know."""
        self._write("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        """What somebody should look at."""
        self._write("error", event, fields)

    def _write(self, level: str, event: str, fields: Mapping[str, object]) -> None:
        if _LEVELS.index(level) >= self._least:
            line = {**fields, "event": event, "level": level, "timestamp": datetime.now(UTC).isoformat()}
            os.write(2, (json.dumps(line) + "\n").encode())


def main() -> None:
    """Supervise the workers of the settings in the pipe `argv[1]`. Raises SystemExit."""
    with os.fdopen(int(sys.argv[1]), "rb") as pipe:
        given: dict[str, Any] = json.loads(pipe.read())
    settings = given["settings"]
    log = Log(settings["log_level"])
    reserved: list[socket.socket] = []
    try:
        for name, (host, wanted) in given["listen"].items():
            port, sockets = reserve(host, wanted)
            reserved += sockets
            settings[name] = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    except PortTaken as error:
        raise SystemExit(f"twofold-server: {error}") from None
    settings["reuse_port"] = True
    log.info(
        "supervising",
        workers=settings["workers"],
        listen=[settings[name] for name in given["listen"]],
        database_connections=settings["workers"] * settings["database_pool_size"],
    )
    packed = json.dumps({"settings": settings}).encode()
    code = Supervisor(packed, settings["workers"], settings["drain_seconds"], log).run()
    log.info("stopped")
    for one in reserved:
        one.close()
    raise SystemExit(code)


if __name__ == "__main__":
    main()
