"""The server as its own process, as an operator runs it, and its command line."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.e2e import forks

_START_SECONDS = 30.0
_COMMAND = (sys.executable, "-m", "twofold_server")


@dataclass(frozen=True, slots=True)
class Ended:
    """A program that has ended: its exit code and what it said."""

    code: int
    out: str
    err: str


@dataclass
class Program:
    """A running server in a process group of its own."""

    process: subprocess.Popen[bytes]
    address: str
    log: Path
    environment: dict[str, str] = field(repr=False)

    async def health(self) -> int:
        """What the health service says; raises AioRpcError where nobody answers."""
        async with grpc.aio.insecure_channel(self.address, (("grpc.use_local_subchannel_pool", 1),)) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=2.0)
            return int(answer.status)

    def tell(self, number: signal.Signals) -> None:
        """Send a signal to the server alone."""
        self.process.send_signal(number)

    async def ended(self, seconds: float = 30.0) -> int:
        """Wait for its end and return the exit code."""
        return await asyncio.to_thread(self.process.wait, seconds)

    def nothing_left(self) -> bool:
        """Whether no process of its group is there."""
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def kill(self) -> None:
        """End it at once, whatever it does."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def environment(**settings: object) -> dict[str, str]:
    """This process's environment without Twofold's variables, and these: `listen` is TWOFOLD_LISTEN."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TWOFOLD_", "DATABASE_"))}
    return inherited | {f"TWOFOLD_{name.upper()}": str(value) for name, value in settings.items()}


def development(database: str, folder: Path, **settings: object) -> dict[str, str]:
    """What a server in development needs: quick hashes, mail and key in a folder."""
    key = folder / "master.txt"
    if not key.exists():
        key.touch(0o600)
        key.write_text(secrets.token_hex(32))
    return environment(
        **{
            "database_url": database,
            "development": "true",
            "master_key_file": key,
            "mail_directory": folder / "sent",
            "hash_slots_directory": folder / "slots",
            "argon2_memory_kib": 8,
            "argon2_time_cost": 1,
            "database_pool_size": 10,
            **settings,
        }
    )


async def run(settings: dict[str, str], *arguments: str, typed: str = "") -> Ended:
    """Run `twofold-server` with these arguments to its end; 30 s at most."""
    return Ended(*await asyncio.to_thread(forks.run, settings | {"COLUMNS": "200"}, arguments, typed))


async def start(settings: dict[str, str], address: str, log: Path) -> Program:
    """Start `twofold-server serve` and wait until it takes connections."""
    return await asyncio.to_thread(_start, settings, address, log)


def _start(settings: dict[str, str], address: str, log: Path) -> Program:
    with log.open("ab") as out:
        process = subprocess.Popen(
            [*_COMMAND, "serve"],
            env=settings | {"TWOFOLD_LISTEN": address},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    program = Program(process, address, log, settings)
    ends = time.monotonic() + _START_SECONDS
    # Its own word for it: on a shared port another one may answer.
    while b'"event": "serving"' not in log.read_bytes():
        if process.poll() is not None or time.monotonic() > ends:
            program.kill()
            raise AssertionError(f"the server did not start: {log.read_text()[-2000:]}")
        time.sleep(0.02)
    return program


def free_address() -> str:
    """A loopback address that nobody listens on."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{trial.getsockname()[1]}"
