"""A worker that has nothing to do: how soon it serves, and how much memory it holds."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from tests.load.bench import machine
from tests.load.bench.processes import Serving
from tests.load.bench.rows import Row

_MEMORY_GOAL_MB = 90.0
_START_GOAL_SECONDS = 2.0
_AT_REST_SECONDS = 1.0


async def rest_rows(server: Callable[[], AbstractAsyncContextManager[Serving]], *, starts: int) -> list[Row]:
    """Start a worker on the seeded database, several times."""
    seconds: list[float] = []
    found: list[dict[str, float]] = []
    for _ in range(starts):
        async with server() as started:
            seconds.append(started.started_seconds)
            await asyncio.sleep(_AT_REST_SECONDS)
            found.append(machine.memory(started.pid))
    memory = sorted(found, key=lambda one: one["pss_mb"])[len(found) // 2]
    return [
        Row("worker at rest, PSS", memory["pss_mb"], _MEMORY_GOAL_MB, "low", "MB", more={"memory": memory}),
        Row("start to SERVING on an existing database", statistics.median(seconds), _START_GOAL_SECONDS, "low", "s"),
    ]
