"""The table's rows: a value, the goal it is held against, and what was measured on the way."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.load.bench.loadgen import Round

_ANSWERS = ("OK", "Unauthenticated")


@dataclass(frozen=True, slots=True)
class Row:
    """A row. `value` is a ratio where `unit` is empty; `met` is None for what has no goal or could not be measured."""

    name: str
    value: float | None
    goal: float | None
    better: Literal["high", "low"] = "high"
    unit: str = ""
    rate: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    errors: int = 0
    server_ms: float | None = None
    database_ms: float | None = None
    load_ms: float | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        if self.value is None or self.goal is None:
            return None
        return self.value >= self.goal if self.better == "high" else self.value <= self.goal


def compared(
    name: str,
    rounds: Sequence[Round],
    limits: Sequence[float],
    goal: float | None,
    *,
    more: Mapping[str, Any] | None = None,
) -> Row:
    """A row of rounds against the limits measured beside them: the median of the ratios, and of all else."""
    ratios = [done.rate / limit for done, limit in zip(rounds, limits, strict=True)]
    return Row(
        name,
        statistics.median(ratios),
        goal,
        rate=statistics.median(done.rate for done in rounds),
        p50_ms=statistics.median(done.p50_ms for done in rounds),
        p99_ms=statistics.median(done.p99_ms for done in rounds),
        errors=sum(count for done in rounds for code, count in done.codes.items() if code not in _ANSWERS),
        server_ms=statistics.median(done.server_ms for done in rounds),
        database_ms=statistics.median(done.database_ms for done in rounds),
        load_ms=statistics.median(done.load_ms for done in rounds),
        more={"ratios": [round(ratio, 3) for ratio in ratios], **(more or {})},
    )


def by_time(rounds: Sequence[Round], limits: Sequence[Round]) -> float:
    """The ratio by the processor time of all parts of a call: what else runs on the machine changes it little."""
    return round(
        statistics.median(
            limit.all_ms / done.all_ms for done, limit in zip(rounds, limits, strict=True) if done.all_ms
        ),
        3,
    )
