"""The load: ghz, built once with one access token a call (see `ghz/main.go`), and the rounds that it runs."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dev.environment import ROOT
from tests.load.bench import machine
from tests.load.bench.machine import ServerTime
from tests.load.bench.processes import Database, Serving

_SOURCE = Path(__file__).with_name("ghz")
CONNECTIONS = 32
CONCURRENCY = 32


class GhzMissing(Exception):
    """ghz can't be built here; the text says why."""


@dataclass(frozen=True, slots=True)
class Calls:
    """What a round sends, each request once: a method, serialised requests, and a token for each where one is due."""

    method: str
    requests: Sequence[bytes]
    tokens: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Round:
    """What a round came to: calls a second, latencies in ms, answers by code, processor ms a call by part."""

    calls: int
    rate: float
    p50_ms: float
    p99_ms: float
    codes: dict[str, int]
    server: ServerTime
    database_ms: float
    load_ms: float
    errors: dict[str, int] = field(default_factory=dict)

    @property
    def server_ms(self) -> float:
        return self.server.total * 1000 / self.calls

    @property
    def all_ms(self) -> float:
        """Processor time of one call, of server, database and load together."""
        return self.server_ms + self.database_ms + self.load_ms


def built() -> Path:
    """The program, built where it is not there yet. Raises GhzMissing where Go or its modules can't be had."""
    sources = [_SOURCE / name for name in ("main.go", "go.mod", "go.sum")]
    name = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    program = cache() / f"ghz-{name}"
    if program.exists():
        return program
    if shutil.which("go") is None:
        raise GhzMissing("no `go` here: install Go (https://go.dev), which builds the load generator ghz")
    print("building ghz, once", file=sys.stderr, flush=True)
    done = subprocess.run(["go", "build", "-o", program, "."], cwd=_SOURCE, check=False, capture_output=True, text=True)
    if done.returncode:
        raise GhzMissing("ghz does not build: " + (done.stderr.strip().splitlines() or ["?"])[-1])
    return program


def cache() -> Path:
    """Where the bench keeps what it makes once."""
    folder = ROOT / ".venv" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Load:
    """Sends rounds to servers, and reads what they cost."""

    def __init__(self, program: Path, database: Database, credential_file: Path) -> None:
        self._program = program
        self._database = database
        self._credential_file = credential_file
        self.core: int | None = None
        """Where the load is kept, if not anywhere."""

    async def send(self, calls: Calls, server: Serving, port: int = 0) -> Round:
        """Send each request once, over 32 connections, 32 at a time."""
        with tempfile.TemporaryDirectory(prefix="twofold-bench-") as name:
            command = self._command(calls, Path(name), port or server.port)
            before = machine.server_time(server.pid), self._database.time()
            spent = os.times()
            process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            if self.core is not None:
                os.sched_setaffinity(process.pid, {self.core})
            output, words = await process.communicate()
            after = os.times()
        if process.returncode:
            raise RuntimeError(f"ghz failed: {words.decode(errors='replace')[-500:]}")
        found: dict[str, Any] = json.loads(output)
        count = found["count"]
        # Children's time as the kernel added it up when this one ended: no other ends meanwhile.
        load = after.children_user + after.children_system - spent.children_user - spent.children_system
        return Round(
            calls=count,
            rate=count / found["seconds"],
            p50_ms=found["p50_ms"],
            p99_ms=found["p99_ms"],
            codes=found["codes"] or {},
            server=machine.server_time(server.pid).since(before[0]),
            database_ms=(self._database.time() - before[1]) * 1000 / count,
            load_ms=load * 1000 / count,
            errors=found["errors"] or {},
        )

    def _command(self, calls: Calls, folder: Path, port: int) -> list[str]:
        service, _, _ = calls.method.rpartition("/")
        proto = {"AccountService": "account", "SessionService": "session", "TwoFactorService": "two_factor"}
        name = proto[service.rpartition(".")[2]]
        with (folder / "requests").open("wb") as file:
            for request in calls.requests:
                file.write(len(request).to_bytes(4, "big") + request)
        command = [
            str(self._program), "-proto", f"twofold/v1/{name}.proto",
            "-import-paths", str(ROOT / "protos"), "-call", calls.method, "-host", f"127.0.0.1:{port}",
            "-requests", str(folder / "requests"), "-credential-file", str(self._credential_file),
            "-connections", str(CONNECTIONS), "-concurrency", str(CONCURRENCY),
        ]  # fmt: skip
        if calls.tokens:
            (folder / "tokens").write_text("\n".join(calls.tokens))
            command += ["-tokens", str(folder / "tokens")]
        return command
