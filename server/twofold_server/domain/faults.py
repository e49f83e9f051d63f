"""Failures of the ground floor, as the rules call them."""

from __future__ import annotations

from twofold_server.crypto.hash_engine import HashQueueFull
from twofold_server.db import faults
from twofold_server.domain.errors import ChangedMeanwhile, DatabaseUnavailable, Overloaded, TwofoldError

RETRY_AFTER_SECONDS = 1.0


def translate(error: BaseException) -> TwofoldError | None:
    """What a failure means to a caller; None if it is a fault of our own."""
    if faults.is_unavailable(error):
        return DatabaseUnavailable(retry_after=RETRY_AFTER_SECONDS)
    if faults.is_conflict(error):
        return ChangedMeanwhile()
    if isinstance(error, HashQueueFull):
        return Overloaded(retry_after=error.retry_after_seconds)
    return None


def sqlstate(error: BaseException) -> str:
    """The SQLSTATE to be logged; empty if the failure is not PostgreSQL's."""
    return faults.sqlstate(error)


def is_unavailable(error: BaseException) -> bool:
    """Whether the database can't be reached now."""
    return faults.is_unavailable(error)


def may_be_repeated(error: BaseException) -> bool:
    """Whether a transaction lost against another one, was undone whole, and may well win the next time."""
    return faults.is_deadlock(error)
