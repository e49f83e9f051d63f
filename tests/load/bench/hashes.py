"""The rows of sign-ins, against Argon2id alone on the same cores, and the build of Argon2 against the stock wheel."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dev.argon2_build import locked_requirement
from dev.environment import ROOT
from tests.load.bench import machine
from tests.load.bench.calls import Pace
from tests.load.bench.ledger import Ledger
from tests.load.bench.loadgen import Calls, Load, Round, cache
from tests.load.bench.processes import Database, Serving, environment
from tests.load.bench.rows import Row, compared
from tests.load.bench.traffic import Expected, Traffic
from twofold_server.crypto.passwords import HashParameters

GOAL = 0.85
_BUILD_GOAL = 1.3
_PACKAGE = "argon2-cffi-bindings"
_FIRST_CALLS = 200
# Its own share of a round: a quarter is enough for what has no traffic to vary with.
_BUILD_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Raw:
    """What Argon2id alone came to: hashes a second, and processor ms of one."""

    rate: float
    cpu_ms: float


@dataclass(slots=True)
class _Kind:
    name: str
    make: Callable[[int], tuple[Calls, Expected]]
    rate: float = 0.0
    rounds: list[Round] = field(default_factory=list)
    limits: list[Raw] = field(default_factory=list)


async def raw(parameters: HashParameters, seconds: float, cores: set[int], library: Path | None = None) -> Raw:
    """Hash alone on these cores, in a process of its own; with the Argon2 of a folder instead of the one installed."""
    settings = environment({})
    if library is not None:
        settings["PYTHONPATH"] = str(library)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.load.bench.raw_hash", str(seconds), str(parameters.memory_kib),
        str(parameters.time_cost), stdout=subprocess.PIPE, cwd=ROOT, env=settings,
    )  # fmt: skip
    os.sched_setaffinity(process.pid, cores)
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError("Argon2 alone failed")
    found: dict[str, Any] = json.loads(output)
    return Raw(found["hashes"] / found["seconds"], found["cpu_seconds"] * 1000 / found["hashes"])


async def sign_in_rows(
    load: Load,
    traffic: Traffic,
    ledger: Ledger,
    server: Serving,
    parameters: HashParameters,
    pace: Pace,
    *,
    cores: set[int],
    note: str = "",
) -> list[Row]:
    """Measure sign-ins with a password, and with password and code, in turns with the hash alone."""
    kinds = [
        _Kind(f"sign-in, password{note} / raw", traffic.sign_in),
        _Kind(f"sign-in, password + TOTP{note} / raw", traffic.sign_in_with_code),
    ]
    for kind in kinds:
        kind.rate = (await _one(load, ledger, kind, server, pace.first(_FIRST_CALLS))).rate
    for _ in range(pace.rounds):
        limit = await raw(parameters, pace.seconds, cores)
        for kind in kinds:
            done = await _one(load, ledger, kind, server, pace.calls(kind.rate))
            kind.rate = done.rate
            kind.rounds.append(done)
            kind.limits.append(limit)
    return [
        compared(
            kind.name,
            kind.rounds,
            [limit.rate for limit in kind.limits],
            GOAL,
            more=_parts(kind, apart_from_load=bool(note)),
        )
        for kind in kinds
    ]


async def _one(load: Load, ledger: Ledger, kind: _Kind, server: Serving, count: int) -> Round:
    calls, expected = kind.make(count)
    ledger.begin()
    done = await load.send(calls, server)
    await ledger.compare(kind.name, done, expected)
    return done


def _parts(kind: _Kind, *, apart_from_load: bool) -> dict[str, Any]:
    """Processor ms a call by part; the hash in place stands beside the hash alone.

    By processor time, the ratio is that of the hash alone to all that a call takes on the cores it is measured on.
    """

    def median(of: Callable[[Round], float]) -> float:
        return round(statistics.median(of(done) for done in kind.rounds), 2)

    return {
        "by processor time": round(
            statistics.median(
                limit.cpu_ms / (done.server_ms if apart_from_load else done.all_ms)
                for done, limit in zip(kind.rounds, kind.limits, strict=True)
            ),
            3,
        ),
        "raw_rate": round(statistics.median(limit.rate for limit in kind.limits), 1),
        "cpu_ms": {
            "hash alone": round(statistics.median(limit.cpu_ms for limit in kind.limits), 2),
            "hash in place": median(lambda done: done.server.hashing * 1000 / done.calls),
            "event loop": median(lambda done: done.server.loop * 1000 / done.calls),
            "server's other threads": median(lambda done: done.server.rest * 1000 / done.calls),
            "database": median(lambda done: done.database_ms),
            "load": median(lambda done: done.load_ms),
        },
    }


@contextlib.contextmanager
def apart(load: Load, database: Database, core: int) -> Any:
    """Keep the database and the load on one core."""
    every = set(machine.cores())
    machine.pin(database.pid, {core})
    load.core = core
    try:
        yield
    finally:
        machine.pin(database.pid, every)
        load.core = None


async def build_row(parameters: HashParameters, pace: Pace) -> Row:
    """Measure the Argon2 in use against the stock wheel of the lock, in turns."""
    name = "Argon2 build in use / stock wheel"
    stock = await asyncio.to_thread(_stock_wheel)
    if stock is None:
        return Row(name, None, _BUILD_GOAL, more={"why": "the stock wheel could not be installed"})
    seconds, cores = max(1.0, pace.seconds * _BUILD_SECONDS), set(machine.cores())
    ratios, rates = [], []
    for _ in range(pace.rounds):
        theirs = await raw(parameters, seconds, cores, stock)
        ours = await raw(parameters, seconds, cores)
        ratios.append(ours.rate / theirs.rate)
        rates.append(ours.rate)
    has_units = bool(machine.description()["vector_units"])
    return Row(
        name,
        statistics.median(ratios),
        _BUILD_GOAL if has_units else None,
        rate=statistics.median(rates),
        more={"ratios": [round(ratio, 3) for ratio in ratios], "parameters": str(parameters)},
    )


def _stock_wheel() -> Path | None:
    """A folder with the wheel as it ships, by the lock's hash; None where it can't be had."""
    lock = (ROOT / "requirements" / "dev.txt").read_text()
    wanted = locked_requirement(lock, _PACKAGE)
    folder = cache() / wanted.split()[0].replace("==", "-")
    if folder.exists():
        return folder
    requirement, made = cache() / "stock.txt", folder.with_suffix(".part")
    requirement.write_text(wanted)
    # --no-cache-dir: pip's own cache may hold a native build under the same name.
    done = subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
            "--no-cache-dir", "--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", requirement,
            "--target", made, "--upgrade",
        ],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        print(done.stderr.strip()[-300:], file=sys.stderr)
        return None
    made.rename(folder)
    return folder
