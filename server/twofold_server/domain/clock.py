"""The one clock of a server: tickets, tokens, outbox and counts all read it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

Clock: TypeAlias = Callable[[], datetime]
"""Tells the time, aware and in UTC."""


def system_clock() -> datetime:
    """The machine's time."""
    return datetime.now(UTC)


REVOCATION_LIFE = timedelta(minutes=16)
"""How long a revocation is kept at least: the longest life that a realm may give an access token, and leeway."""
