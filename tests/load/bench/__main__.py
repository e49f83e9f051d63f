"""`make bench`: every row against limits measured in the same run.

Starts a PostgreSQL (durable) and servers of its own, seeds them, and sends real calls over 32 connections. Goals that
are missed are shown and change nothing; a wrong answer, a false refusal or a row of the database that is not what was
answered ends the run with exit code 1. Without Go, which builds the load generator, it says so and ends with 0.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from dev.environment import ROOT
from tests.load.bench import machine, report
from tests.load.bench.calls import Pace, call_rows
from tests.load.bench.hashes import apart, build_row, raw, sign_in_rows
from tests.load.bench.ledger import Ledger
from tests.load.bench.loadgen import CONCURRENCY, CONNECTIONS, GhzMissing, Load, built
from tests.load.bench.overload import overload_rows
from tests.load.bench.processes import Database, durable_postgres, limits, serving
from tests.load.bench.rest import rest_rows
from tests.load.bench.rows import Row
from tests.load.bench.seeding import World, seed
from tests.load.bench.sign_outs import sign_out_row
from tests.load.bench.size import size_row
from tests.load.bench.traffic import Traffic
from tests.load.bench.verifying import verifier_rows
from twofold_server.crypto.passwords import HashParameters
from twofold_server.db.migrate import migrate

_RESULTS = ROOT / "tests" / "load" / "results"
_QUEUE = 64
# Neither is a multiple of ten: so that what is wrong in every tenth call hits each account in its turn.
_PLAIN, _GUARDED = 1_999, 8_001
_PARTS = ("rest", "calls", "hashes", "pinned", "build", "overload", "sign-out", "verifier", "size")


@dataclass(frozen=True, slots=True)
class _Plan:
    """How much of everything."""

    pace: Pace
    sessions: int
    sign_outs: int
    accounts: int
    seconds: float
    parts: frozenset[str]


@dataclass(slots=True)
class _Bench:
    plan: _Plan
    folder: Path
    settings: dict[str, str]
    parameters: HashParameters
    database: Database
    load: Load
    world: World
    traffic: Traffic
    ledger: Ledger


def main() -> None:
    """Run the bench."""
    arguments = _arguments()
    try:
        program = built()
    except GhzMissing as missing:
        print(f"make bench measures nothing here: {missing}", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory(prefix="twofold-bench-") as name:
        folder = Path(name)
        # PostgreSQL may run as another user, who must be able to enter.
        folder.chmod(0o755)
        done = uvloop.run(_run(program, folder, _plan(arguments)))
    done.show(report.console())
    if arguments.output and "interrupted" not in done.faults:
        done.write(arguments.output)
    if done.faults:
        raise SystemExit(1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.load.bench", description="Each row against its limit.")
    parser.add_argument("--quick", action="store_true", help="short rounds, no figure worth keeping")
    parser.add_argument("--seconds", type=float, default=10.0, help="of a round (default 10)")
    parser.add_argument("--rounds", type=int, default=3, help="of each row; the median counts (default 3)")
    parser.add_argument("--only", default="", help=f"parts, comma-separated, of {', '.join(_PARTS)}")
    parser.add_argument("--output", type=Path, help="folder for latest.json and latest.svg (default: the last results)")
    found = parser.parse_args()
    if found.output is None and not (found.quick or found.only):
        found.output = _RESULTS
    if unknown := set(filter(None, found.only.split(","))) - set(_PARTS):
        parser.error(f"unknown parts: {', '.join(sorted(unknown))}")
    return found


def _plan(arguments: argparse.Namespace) -> _Plan:
    parts = frozenset(filter(None, arguments.only.split(","))) or frozenset(_PARTS)
    if arguments.quick:
        return _Plan(Pace(0.5, 1), 1_000, 20, 20_000, 1.0, parts)
    return _Plan(Pace(arguments.seconds, arguments.rounds), 10_000, 200, 1_000_000, arguments.seconds, parts)


async def _run(program: Path, folder: Path, plan: _Plan) -> report.Report:
    began, about = time.monotonic(), machine.description()
    if (task := asyncio.current_task()) is not None:
        # As Ctrl-C does: what was started is stopped, and the rows that there are get printed.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    parameters = HashParameters()
    key = secrets.token_hex(32)
    with durable_postgres(folder) as database:
        await migrate(database.dsn())
        settings = {
            "database_url": database.dsn(), "master_key": key, "development": "true",
            "mail_directory": str(folder / "sent"), "hash_slots_directory": str(folder / "slots"),
            "hash_queue_limit": str(_QUEUE),
        }  # fmt: skip
        world = await seed(
            database.dsn(), key, parameters, plain=_PLAIN, guarded=_GUARDED, sessions=plan.sessions + plan.sign_outs
        )
        _say(began, f"seeded {_PLAIN + _GUARDED:,} accounts, {len(world.sessions):,} sessions")
        credential = folder / "credential"
        credential.write_text(world.credential)
        bench = _Bench(
            plan, folder, settings, parameters, database, Load(program, database, credential), world, Traffic(world),
            Ledger(world),
        )  # fmt: skip
        rows: list[Row] = []
        try:
            async for row in _rows(bench, began):
                rows.append(row)  # noqa: PERF401 (those that there are count when it is interrupted)
        except asyncio.CancelledError:
            bench.ledger.faults.append("interrupted")
        await world.pool.close()
    about |= {
        "load_after": os.getloadavg()[0],
        "hash": f"Argon2id {parameters.memory_kib} KiB, t={parameters.time_cost}, p={parameters.parallelism}",
        "connections": f"{CONNECTIONS}, {CONCURRENCY} calls at a time",
        "rounds": f"{plan.pace.rounds} of {plan.pace.seconds:g} s",
        "sign-ins": "one in ten wrong, one in ten from an unknown device",
    }
    return report.Report(about, rows, bench.ledger.faults, time.monotonic() - began)


async def _rows(bench: _Bench, began: float) -> AsyncIterator[Row]:
    plan, steps = bench.plan, _steps(bench)
    for part in _PARTS:
        if part not in plan.parts:
            continue
        _say(began, part)
        for row in await steps[part]():
            yield row


def _steps(bench: _Bench) -> dict[str, Callable[[], Any]]:
    plan = bench.plan

    @asynccontextmanager
    async def server(core: int | None = None) -> AsyncIterator[Any]:
        name = "server" if core is None else f"server-{core}"
        settings = {**bench.settings, "hash_slots_directory": str(bench.folder / f"slots-{name}")}
        async with serving(settings, bench.folder / f"{name}.log", core) as started:
            yield started

    async def rest() -> list[Row]:
        return await rest_rows(server, starts=plan.pace.rounds)

    async def calls() -> list[Row]:
        async with limits(bench.settings, bench.folder / "empty.log") as (bare, empty), server() as real:
            servers = (bare, empty, real)
            return await call_rows(bench.load, bench.world, bench.traffic, bench.ledger, servers, plan.pace)

    async def hashes() -> list[Row]:
        async with server() as real:
            return await sign_in_rows(
                bench.load, bench.traffic, bench.ledger, real, bench.parameters, plan.pace, cores=set(machine.cores())
            )

    async def pinned() -> list[Row]:
        cores = machine.cores()
        if len(cores) < 2:
            return []
        async with server(cores[0]) as real:
            with apart(bench.load, bench.database, cores[1]):
                return await sign_in_rows(
                    bench.load, bench.traffic, bench.ledger, real, bench.parameters, plan.pace, cores={cores[0]},
                    note=", server on one core, the rest on another",
                )  # fmt: skip

    async def build() -> list[Row]:
        return [await build_row(bench.parameters, plan.pace)]

    async def overload() -> list[Row]:
        alone = await raw(bench.parameters, max(1.0, plan.seconds / 4), set(machine.cores()))
        hash_ms = len(machine.cores()) * 1000 / alone.rate
        async with server() as real:
            return await overload_rows(
                bench.world, bench.ledger, real, queue=_QUEUE, hash_ms=hash_ms, seconds=plan.seconds
            )

    async def sign_out() -> list[Row]:
        async with server() as real:
            return [await sign_out_row(bench.world, bench.ledger, real, plan.sign_outs)]

    async def verifier() -> list[Row]:
        return await verifier_rows()

    async def size() -> list[Row]:
        return [await size_row(bench.database, accounts=plan.accounts, seconds=plan.seconds)]

    return {
        "rest": rest, "calls": calls, "hashes": hashes, "pinned": pinned, "build": build, "overload": overload,
        "sign-out": sign_out, "verifier": verifier, "size": size,
    }  # fmt: skip


def _say(began: float, text: str) -> None:
    print(f"{time.monotonic() - began:5.0f} s  {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
