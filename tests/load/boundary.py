"""The boundary's empty method against a bare one of grpc.aio, in alternating rounds of one run.

`python -m tests.load.boundary [--calls N] [--rounds N] [--parallel N]`, with PostgreSQL as the tests have it. The calls
come from a process of their own, so that the processor time of this one is the server's alone: what is printed is
calls per second of processor time of both, and the ratio; the goal is 0.75 at least.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import grpc
import uvloop

from dev.postgres import server
from tests.integration.boundary_setup import CHECK_SESSION, Rig, serving
from twofold.v1 import session_pb2
from twofold_server import logs
from twofold_server.db.migrate import migrate
from twofold_server.db.pool import open_pool
from twofold_server.domain.callers import Caller
from twofold_server.domain.checked_tokens import CheckedToken
from twofold_server.domain.clock import system_clock
from twofold_server.rpc.passage import Limits

_GOAL = 0.75


class _Bare(grpc.GenericRpcHandler):
    """What generated registration would do: parse, call, serialize."""

    def __init__(self) -> None:
        async def check(
            _request: session_pb2.CheckSessionRequest, _context: object
        ) -> session_pb2.CheckSessionResponse:
            return session_pb2.CheckSessionResponse()

        self._handler: Any = grpc.unary_unary_rpc_method_handler(
            check,
            request_deserializer=session_pb2.CheckSessionRequest.FromString,
            response_serializer=session_pb2.CheckSessionResponse.SerializeToString,
        )

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:  # noqa: ARG002
        return self._handler


async def _call(port: int, credential: str, calls: int, parallel: int) -> None:
    metadata = (("authorization", f"Bearer {credential}"), ("twofold-session", "token"))
    request = session_pb2.CheckSessionRequest(realm_id="default", audience="twofold").SerializeToString()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        method: Any = channel.unary_unary(CHECK_SESSION)

        async def caller() -> None:
            for _ in range(calls // parallel):
                await method(request, metadata=metadata, timeout=5)

        await asyncio.gather(*(caller() for _ in range(parallel)))


async def _rate(port: int, credential: str, arguments: argparse.Namespace) -> float:
    began = time.process_time()
    client = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.load.boundary", "--port", str(port)),
        *("--calls", str(arguments.calls), "--parallel", str(arguments.parallel)),
        env={**os.environ, "CREDENTIAL": credential},
    )
    if await client.wait():
        raise SystemExit("the calls failed")
    return float(arguments.calls / (time.process_time() - began))


async def _lean(rig: Rig) -> None:
    """Make the doubles cost nothing: the token is looked up once."""
    caller = await rig.callers.authenticate(await rig.caller("lean", ("default", "verifier", False)))
    checked = await rig.sessions.check("token", caller)

    async def check(_token: str, _caller: Caller) -> CheckedToken:
        return checked

    sessions: Any = rig.sessions
    sessions.check = check


async def _compare(dsn: str, arguments: argparse.Namespace) -> float:
    await migrate(dsn)
    bare = grpc.aio.server()
    bare.add_generic_rpc_handlers((_Bare(),))
    bare_port = bare.add_insecure_port("127.0.0.1:0")
    await bare.start()
    pool = await open_pool(dsn, 2)
    async with pool, serving(pool, system_clock, development=False, limits=Limits(calls_of_caller=500)) as rig:
        credential = await rig.caller("bench", ("default", "verifier", False))
        rig.session("token")
        await _lean(rig)
        ratios = []
        for number in range(arguments.rounds + 1):
            there = await _rate(bare_port, credential, arguments)
            here = await _rate(rig.port, credential, arguments)
            rig.calls.clear()
            if number:  # the first round warms up
                ratios.append(here / there)
                print(f"bare {there:7.0f}   boundary {here:7.0f} calls a second   ratio {here / there:.3f}", flush=True)
        await bare.stop(0)
    return statistics.median(ratios)


def main() -> None:
    """Run the comparison; with --port, be the one that calls."""
    parser = argparse.ArgumentParser(description="The boundary against a bare grpc.aio method.")
    parser.add_argument("--calls", type=int, default=8000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--parallel", type=int, default=16)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.port:
        uvloop.run(_call(arguments.port, os.environ["CREDENTIAL"], arguments.calls, arguments.parallel))
        return
    logs.configure("warning")
    with tempfile.TemporaryDirectory() as folder, server(Path(folder) / "data", "fsync=off") as cluster:
        ratio = uvloop.run(_compare(cluster.dsn(), arguments))
    print(f"median ratio {ratio:.3f} (goal {_GOAL})")


if __name__ == "__main__":
    main()
