"""Strangers ask for four times the hashes that the pool holds; owners on known devices and checks must not suffer."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import grpc
import grpc.aio
from google.rpc import error_details_pb2, status_pb2

from tests.load.bench import machine
from tests.load.bench.ledger import Ledger
from tests.load.bench.processes import Serving
from tests.load.bench.rows import Row
from tests.load.bench.seeding import PASSWORD, World
from tests.load.bench.summaries import percentile
from twofold.v1 import account_pb2, account_pb2_grpc, session_pb2, session_pb2_grpc, sign_in_pb2

_OWNERS = 6
_CHECK_PAUSE_SECONDS = 0.01
_CHANNELS = 8
_FIRST_SECONDS = 1.0
"""The queue fills up meanwhile; what is refused in it is not counted."""


@dataclass(slots=True)
class _Seen:
    refused_ms: list[float] = field(default_factory=list)
    retry_seconds: list[float] = field(default_factory=list)
    without_retry: int = 0
    judged: int = 0
    owner_ms: list[float] = field(default_factory=list)
    owners_refused: Counter[str] = field(default_factory=Counter)
    check_ms: list[float] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)


class _Storm:
    """The callers, and what they saw."""

    def __init__(self, world: World, server: Serving, seconds: float) -> None:
        self._world = world
        self._metadata = (("authorization", f"Bearer {world.credential}"),)
        self._began = time.monotonic()
        self._ends = self._began + seconds
        self._names = itertools.count()
        self.seen = _Seen()
        self._channels = [
            grpc.aio.insecure_channel(f"127.0.0.1:{server.port}", options=(("grpc.use_local_subchannel_pool", 1),))
            for _ in range(_CHANNELS)
        ]

    async def run(self, strangers: int) -> None:
        """Let them all call for the given time."""
        channels: Iterator[Any] = itertools.cycle(self._channels)
        owners = self._world.plain[:_OWNERS]
        token = (await self._world.access_tokens(self._world.sessions[:1]))[0]
        await asyncio.gather(
            *(self._stranger(account_pb2_grpc.AccountServiceStub(next(channels))) for _ in range(strangers)),
            *(self._owner(account_pb2_grpc.AccountServiceStub(next(channels)), owner) for owner in owners),
            self._checks(session_pb2_grpc.SessionServiceStub(next(channels)), token),
        )
        for channel in self._channels:
            await channel.close()

    async def _stranger(self, accounts: Any) -> None:
        await asyncio.sleep(random.uniform(0, _FIRST_SECONDS))
        while time.monotonic() < self._ends:
            number = next(self._names)
            request = account_pb2.SignInRequest(
                email=f"stranger{number}@example.org",
                password=PASSWORD,
                client=sign_in_pb2.ClientContext(ip_address=f"198.19.{number // 250 % 256}.{number % 250 + 1}"),
            )
            began = time.monotonic()
            try:
                await accounts.SignIn(request, metadata=self._metadata, timeout=20)
            except grpc.aio.AioRpcError as error:
                if error.code() == grpc.StatusCode.UNAUTHENTICATED:
                    self.seen.judged += 1
                elif error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:
                    await asyncio.sleep(self._refused(error, began))
                else:
                    self.seen.others[str(error.code())] += 1
            else:
                self.seen.others["signed in"] += 1

    def _refused(self, error: grpc.aio.AioRpcError, began: float) -> float:
        """Note a refusal; how long to wait, as it says."""
        wait = _retry_seconds(error)
        if wait is None:
            self.seen.without_retry += 1
        elif began - self._began > _FIRST_SECONDS:
            self.seen.refused_ms.append((time.monotonic() - began) * 1000)
            self.seen.retry_seconds.append(wait)
        return (wait or 1.0) * random.uniform(1, 1.2)

    async def _owner(self, accounts: Any, user: Any) -> None:
        await asyncio.sleep(_FIRST_SECONDS)
        while time.monotonic() < self._ends:
            client = sign_in_pb2.ClientContext(ip_address="198.51.100.7", device_token=self._world.device_token(user))
            request = account_pb2.SignInRequest(email=user.email, password=PASSWORD, client=client)
            began = time.monotonic()
            try:
                await accounts.SignIn(request, metadata=self._metadata, timeout=20)
            except grpc.aio.AioRpcError as error:
                self.seen.owners_refused[str(error.code())] += 1
                await asyncio.sleep(0.5)
            else:
                user.generation += 1
                self.seen.owner_ms.append((time.monotonic() - began) * 1000)

    async def _checks(self, sessions: Any, token: str) -> None:
        await asyncio.sleep(_FIRST_SECONDS)
        metadata = (*self._metadata, ("twofold-session", token))
        request = session_pb2.CheckSessionRequest(audience="twofold")
        while time.monotonic() < self._ends:
            began = time.monotonic()
            await sessions.CheckSession(request, metadata=metadata, timeout=5)
            self.seen.check_ms.append((time.monotonic() - began) * 1000)
            await asyncio.sleep(_CHECK_PAUSE_SECONDS)


async def overload_rows(
    world: World, ledger: Ledger, server: Serving, *, queue: int, hash_ms: float, seconds: float
) -> list[Row]:
    """Measure refusals and checks under overload. `hash_ms`: how long one hash takes while all cores hash."""
    strangers = 4 * (queue + len(machine.cores()))
    began = datetime.now(UTC)
    storm = _Storm(world, server, _FIRST_SECONDS + seconds)
    await storm.run(strangers)
    seen = storm.seen
    counted = await world.pool.fetchval(
        "SELECT count(*) FROM events WHERE create_time >= $1 AND account_id IS NULL", began
    )
    ledger.demand(counted == seen.judged, f"overload: {counted} wrong passwords counted, {seen.judged} answered")
    ledger.demand(not seen.without_retry, f"overload: {seen.without_retry} refusals without RetryInfo")
    ledger.demand(not seen.others, f"overload: answers {dict(seen.others)}")
    ledger.demand(not seen.owners_refused, f"overload: owners on known devices refused: {dict(seen.owners_refused)}")
    await world.pool.execute("DELETE FROM outbox WHERE state = 'waiting'")
    more = {
        "strangers": strangers,
        "hash_ms": round(hash_ms, 1),
        "refused": len(seen.refused_ms),
        "judged": seen.judged,
        "told_to_wait_seconds": [round(percentile(seen.retry_seconds, share), 2) for share in (0.5, 0.99)],
        "owners": {
            "signed_in": len(seen.owner_ms),
            "refused": sum(seen.owners_refused.values()),
            "p50_ms": round(percentile(seen.owner_ms, 0.5), 1),
            "p99_ms": round(percentile(seen.owner_ms, 0.99), 1),
        },
    }
    return [
        _row("overload: excess refused, p50 / one hash", seen.refused_ms, 0.5, hash_ms, 1.0, more),
        _row("overload: CheckSession p99 / one hash", seen.check_ms, 0.99, hash_ms, 2.0, {}),
    ]


def _row(name: str, values: list[float], share: float, hash_ms: float, goal: float, more: dict[str, Any]) -> Row:
    return Row(
        name,
        percentile(values, share) / hash_ms,
        goal,
        "low",
        p50_ms=percentile(values, 0.5),
        p99_ms=percentile(values, 0.99),
        more=more,
    )


def _retry_seconds(error: grpc.aio.AioRpcError) -> float | None:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = status_pb2.Status.FromString(value if isinstance(value, bytes) else value.encode())
            for packed in status.details:
                info = error_details_pb2.RetryInfo()
                if packed.Unpack(info):
                    return float(info.retry_delay.ToTimedelta().total_seconds())
    return None
