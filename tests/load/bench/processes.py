"""What the bench starts and stops: PostgreSQL, durable, and servers, each a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from dev.environment import ROOT
from dev.postgres import Server, server
from tests.load.bench import machine

# Durable as shipped. A checkpoint in one round and not in the next would be noise: there is room for all that comes.
POSTGRES_SETTINGS = ("shared_buffers=512MB", "max_wal_size=8GB", "checkpoint_timeout=30min", "max_connections=150")
# Ends with whoever started it, however that ends: the kernel sends SIGTERM. Then stays on one core, if one is named.
_LAUNCH = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 15)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
if sys.argv[2]:
    os.sched_setaffinity(0, {int(sys.argv[2])})
os.execv(sys.argv[3], sys.argv[3:])
"""
_START_SECONDS = 30.0


class Database:
    """A PostgreSQL of the bench's own."""

    def __init__(self, server: Server, data: Path) -> None:
        self._server = server
        self.pid = int((data / "postmaster.pid").read_text().splitlines()[0])

    def dsn(self, name: str = "postgres") -> str:
        """Where a database is."""
        return self._server.dsn(name)

    def time(self) -> float:
        """Its processor seconds so far."""
        return machine.family_time(self.pid)


@dataclass(frozen=True, slots=True)
class Serving:
    """A server's process, and the port that it was asked about."""

    process: subprocess.Popen[bytes]
    port: int
    started_seconds: float = 0.0

    @property
    def pid(self) -> int:
        return self.process.pid


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of a server: its settings, and nothing of whoever runs the bench that could change it."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TWOFOLD_", "GRPC_", "PG")) and name != "DATABASE_URL"
    }
    return kept | {f"TWOFOLD_{name.upper()}": value for name, value in settings.items()}


def free_port() -> int:
    """A port of the loopback interface that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _launched(core: int | None, *module: str) -> list[str]:
    launch = [sys.executable, "-I", "-S", "-c", _LAUNCH, str(os.getpid()), "" if core is None else str(core)]
    return [*launch, sys.executable, "-m", *module]


@contextlib.asynccontextmanager
async def _stopped(process: subprocess.Popen[bytes]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(process.wait, 15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.asynccontextmanager
async def serving(settings: Mapping[str, str], log: Path, core: int | None = None) -> AsyncIterator[Serving]:
    """A real server, up to SERVING; on one core if asked to. Its log goes to a file, as a service's does."""
    port = free_port()
    command = _launched(core, "twofold_server", "serve")
    began = time.monotonic()
    with log.open("ab") as file:
        process = subprocess.Popen(  # noqa: ASYNC220 (starting takes no time worth a thread)
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=ROOT,
            env=environment({**settings, "listen": f"127.0.0.1:{port}"}),
        )  # fmt: skip
    async with _stopped(process):
        await _until_serving(process, port, log)
        yield Serving(process, port, time.monotonic() - began)


async def _until_serving(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        async with grpc.aio.insecure_channel(
            f"127.0.0.1:{port}", options=(("grpc.use_local_subchannel_pool", 1),)
        ) as channel:
            with contextlib.suppress(grpc.aio.AioRpcError):
                stub: Any = health_pb2_grpc.HealthStub(channel)
                answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=1)
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
        await asyncio.sleep(0.01)
    raise RuntimeError(f"the server does not serve:\n{_end_of(log)}")


@contextlib.asynccontextmanager
async def limits(settings: Mapping[str, str], log: Path) -> AsyncIterator[tuple[Serving, Serving]]:
    """The process of the empty methods; two ports, bare and behind the boundary."""
    with log.open("ab") as file:
        process = subprocess.Popen(  # noqa: ASYNC220
            _launched(None, "tests.load.bench.empty"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=file, cwd=ROOT, env=environment({**settings, "listen": "127.0.0.1:0"}),
        )  # fmt: skip
    async with _stopped(process):
        assert process.stdout is not None
        line = await asyncio.to_thread(process.stdout.readline)
        if not line:
            raise RuntimeError(f"the empty methods are not served:\n{_end_of(log)}")
        bare, behind = (int(port) for port in line.split())
        yield Serving(process, bare), Serving(process, behind)


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-1000:]


@contextlib.contextmanager
def durable_postgres(folder: Path) -> Iterator[Database]:
    """A fresh PostgreSQL with fsync on."""
    with server(folder / "data", *POSTGRES_SETTINGS) as started:
        yield Database(started, folder / "data")
