"""From a sign-out to its refusal in another process, which verifies by itself."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from typing import Any

import grpc
import grpc.aio

from dev.environment import ROOT
from tests.load.bench.ledger import Ledger
from tests.load.bench.processes import Serving, environment
from tests.load.bench.rows import Row
from tests.load.bench.seeding import World
from tests.load.bench.summaries import percentile
from twofold.v1 import session_pb2, session_pb2_grpc

_GOAL_MS = 250.0
_LONGEST_PAUSE_SECONDS = 0.1
_LAST_SECONDS = 5.0


async def sign_out_row(world: World, ledger: Ledger, server: Serving, count: int) -> Row:
    """Sign sessions out one after another; each must be refused by a Verifier elsewhere."""
    name = "sign-out to refusal in another process's Verifier, p99"
    ended, world.sessions = world.sessions[-count:], world.sessions[:-count]
    target = f"127.0.0.1:{server.port}"
    given = {
        "target": target,
        "credential": world.credential,
        "tokens": await world.access_tokens(ended),
    }
    watcher = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.load.bench.watcher",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=environment({}), limit=2**20,
    )  # fmt: skip
    assert watcher.stdin is not None
    assert watcher.stdout is not None
    watcher.stdin.write(json.dumps(given).encode() + b"\n")
    if await watcher.stdout.readline() != b"ready\n":
        await watcher.wait()
        return Row(name, None, _GOAL_MS, "low", "ms", more={"why": "the verifier in another process did not start"})
    # Before the sign-outs: whoever refuses a live session shows it here.
    began: list[float] = []
    metadata = (("authorization", f"Bearer {world.credential}"),)
    async with grpc.aio.insecure_channel(target) as channel:
        stub: Any = session_pb2_grpc.SessionServiceStub(channel)
        for session in ended:
            await asyncio.sleep(random.uniform(0, _LONGEST_PAUSE_SECONDS))
            request = session_pb2.SignOutRequest(refresh_token=world.refresh_token(session))
            # From before the call: the answer's way back is not given away.
            began.append(time.monotonic())
            await stub.SignOut(request, metadata=metadata, timeout=5)
    try:
        output, _ = await asyncio.wait_for(watcher.communicate(), _LAST_SECONDS)
    except TimeoutError:
        watcher.kill()
        ledger.faults.append(f"{name}: a session that was signed out was still accepted {_LAST_SECONDS:.0f} s later")
        return Row(name, None, _GOAL_MS, "low", "ms")
    refused = {int(line.split()[0]): float(line.split()[1]) for line in output.decode().splitlines()}
    ledger.demand(len(refused) == count, f"{name}: {len(refused)} of {count} refused")
    delays = [(refused[index] - began[index]) * 1000 for index in refused]
    ledger.demand(all(delay > 0 for delay in delays), f"{name}: refused before it was signed out")
    p50, p99 = percentile(delays, 0.5), percentile(delays, 0.99)
    return Row(name, p99, _GOAL_MS, "low", "ms", p50_ms=p50, p99_ms=p99, more={"sign_outs": count})
