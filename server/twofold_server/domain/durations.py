"""Durations as operators write them: `90s`, `10m`, `24h`, `2d`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION: Final = re.compile(r"([0-9]{1,9})([smhd]?)", re.ASCII)


def parse(text: str) -> timedelta | None:
    """A duration from text, in seconds where it names no unit; None if it is none."""
    found = _DURATION.fullmatch(text.strip())
    return None if found is None else timedelta(seconds=int(found[1]) * _UNITS[found[2] or "s"])


def show(duration: timedelta) -> str:
    """A duration of whole seconds as `parse` reads it, in the largest unit that fits."""
    seconds = int(duration.total_seconds())
    unit = next(unit for unit in "dhms" if seconds % _UNITS[unit] == 0) if seconds else "s"
    return f"{seconds // _UNITS[unit]}{unit}"
