"""The rows of calls that do not hash, against an empty method: they alternate with it, round by round."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio

from tests.load.bench.ledger import Ledger
from tests.load.bench.loadgen import Calls, Load, Round
from tests.load.bench.processes import Serving
from tests.load.bench.rows import Row, by_time, compared
from tests.load.bench.seeding import Live, World
from tests.load.bench.traffic import Expected, Traffic
from twofold.v1 import session_pb2, session_pb2_grpc

_FIRST_CALLS = 1_000
_MOST_COLD = 12_000
_BARE, _EMPTY, _WARM, _COLD, _REFRESH, _FINISH = range(6)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a round is to take, in seconds, and how many rounds there are."""

    seconds: float
    rounds: int

    def calls(self, rate: float) -> int:
        """How many calls fill a round at this rate."""
        return max(1, int(rate * self.seconds * 1.03))

    def first(self, calls: int) -> int:
        """How many calls come before the first round, so that each connection has its plans: fewer for short rounds."""
        return min(calls, max(64, int(calls * self.seconds / 3)))


@dataclass(slots=True)
class _Kind:
    """A kind of round: how its calls are made, where they go, what came of them."""

    name: str
    make: Callable[[int], Awaitable[tuple[Calls, Expected | None]]]
    server: Serving
    rate: float = 0.0
    rounds: list[Round] = field(default_factory=list)


async def call_rows(
    load: Load, world: World, traffic: Traffic, ledger: Ledger, servers: tuple[Serving, Serving, Serving], pace: Pace
) -> list[Row]:
    """Measure the rows. `servers`: the bare method, the empty one, the real server."""
    bare, empty, real = servers
    live = traffic.some_sessions(min(10_000, len(world.sessions)))
    random.shuffle(live)
    access_tokens = await world.access_tokens(live)

    async def nothing(count: int) -> tuple[Calls, Expected | None]:
        return traffic.empty(count), None

    async def warm(count: int) -> tuple[Calls, Expected | None]:
        chosen = [access_tokens[n % len(access_tokens)] for n in range(count)]
        random.shuffle(chosen)
        return traffic.check(chosen)

    async def cold(count: int) -> tuple[Calls, Expected | None]:
        return traffic.check(await world.access_tokens(traffic.some_sessions(min(count, _MOST_COLD))))

    async def refresh(count: int) -> tuple[Calls, Expected | None]:
        return traffic.refresh(count)

    async def finish(count: int) -> tuple[Calls, Expected | None]:
        return await traffic.finish(count)

    kinds = [
        _Kind("empty method, bare", nothing, bare),
        _Kind("empty method behind the boundary", nothing, empty),
        _Kind("CheckSession", warm, real),
        _Kind("CheckSession, cold", cold, real),
        _Kind("RefreshSession", refresh, real),
        _Kind("FinishChallenge", finish, real),
    ]
    await _look(world, ledger, real, live[:20], access_tokens[:20])
    for kind in kinds:
        # Warms connections, plans and caches, and tells how many calls fill a round.
        kind.rate = (await _one(load, ledger, kind, pace.first(_FIRST_CALLS))).rate
    await _one(load, ledger, kinds[_WARM], len(access_tokens))
    for _ in range(pace.rounds):
        for kind in kinds:
            done = await _one(load, ledger, kind, pace.calls(kind.rate))
            kind.rate = done.rate
            kind.rounds.append(done)
    rates = {number: [done.rate for done in kind.rounds] for number, kind in enumerate(kinds)}
    goals = {_EMPTY: 0.75, _WARM: 0.90, _COLD: 0.50, _REFRESH: 0.40, _FINISH: 0.30}
    limits = {_EMPTY: _BARE, _WARM: _EMPTY, _COLD: _EMPTY, _REFRESH: _EMPTY, _FINISH: _EMPTY}
    against = {_BARE: "bare", _EMPTY: "empty"}
    rows = [compared(f"{kinds[_BARE].name} (a limit)", kinds[_BARE].rounds, rates[_BARE], None)]
    for number, goal in goals.items():
        limit = kinds[limits[number]]
        more = {"by processor time": by_time(kinds[number].rounds, limit.rounds)}
        name = f"{kinds[number].name} / {against[limits[number]]}"
        rows.append(compared(name, kinds[number].rounds, rates[limits[number]], goal, more=more))
    return rows


async def _look(world: World, ledger: Ledger, real: Serving, live: list[Live], access_tokens: list[str]) -> None:
    """The load looks at codes alone: see here that an answer names the token's session, and that a forgery has none."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{real.port}") as channel:
        stub: Any = session_pb2_grpc.SessionServiceStub(channel)
        request = session_pb2.CheckSessionRequest(audience="twofold")
        for session, token in zip(live, access_tokens, strict=True):
            metadata = (("authorization", f"Bearer {world.credential}"), ("twofold-session", token))
            answer = await stub.CheckSession(request, metadata=metadata, timeout=5)
            right = answer.session.session_id == str(session.row.session_id)
            ledger.demand(right, "CheckSession: answers with another session")
            forged = token[:-10] + token[-10:].swapcase()
            try:
                await stub.CheckSession(request, metadata=(metadata[0], ("twofold-session", forged)), timeout=5)
            except grpc.aio.AioRpcError as error:
                ledger.demand(
                    error.code() == grpc.StatusCode.UNAUTHENTICATED, f"CheckSession: {error.code()} for a forgery"
                )
            else:
                ledger.faults.append("CheckSession: a forged token was accepted")


async def _one(load: Load, ledger: Ledger, kind: _Kind, count: int) -> Round:
    calls, expected = await kind.make(count)
    ledger.begin()
    done = await load.send(calls, kind.server)
    if expected is not None:
        await ledger.compare(kind.name, done, expected)
    else:
        ledger.demand(set(done.codes) == {"OK"}, f"{kind.name}: answers {done.codes}")
    return done
