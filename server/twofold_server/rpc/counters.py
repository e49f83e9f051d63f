"""What the boundary counts, for whoever shows it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class MethodCounters:
    """Calls of one method since the start: answers by outcome (`OK`, an error's reason, or its code), and seconds."""

    answers: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def count(self, outcome: str, seconds: float) -> None:
        """Count one answer."""
        self.answers[outcome] += 1
        self.seconds += seconds
