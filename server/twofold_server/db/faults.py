"""Which failures of the database mean that it cannot be reached now, and which that a call should be made again."""

from __future__ import annotations

import asyncpg

# Class 08: connection; 53: too few connections, disk, memory; 57P01-05: shut down, crashed, starting, idle too long;
# 57014: ran into the statement timeout; 25006: a standby that was the primary; 55P03: waited too long for a lock;
# 55000, 3D000: the database takes no connections now, or is being put back; 58030: its disk fails it.
_UNAVAILABLE_CLASSES = ("08", "53")
_UNAVAILABLE = frozenset(
    {"57P01", "57P02", "57P03", "57P05", "57014", "25006", "25P03", "55P03", "55000", "3D000", "58030"}
)
_DEADLOCK = frozenset({"40001", "40P01"})
# 23503: a row was written for an account that was deleted while the call was under way.
_CONFLICT = _DEADLOCK | {"23503"}


def sqlstate(error: BaseException) -> str:
    """The SQLSTATE of a failure that PostgreSQL reported; empty for others."""
    return str(error.sqlstate or "") if isinstance(error, asyncpg.PostgresError) else ""


def is_unavailable(error: BaseException) -> bool:
    """Whether the database cannot be reached, is stopping, or has no room: the same call may succeed in a while."""
    code = sqlstate(error)
    if code:
        return code in _UNAVAILABLE or code.startswith(_UNAVAILABLE_CLASSES)
    if isinstance(error, asyncpg.InterfaceError):
        # Raised for a connection that is closed under a query, and for wrong use; the texts alone tell them apart.
        return any(sign in str(error) for sign in ("closed", "closing", "connection is", "pool is"))
    # TimeoutError is an OSError; asyncpg raises it for a connection or a statement that takes too long.
    return isinstance(error, OSError | EOFError | asyncpg.InternalClientError)


def is_conflict(error: BaseException) -> bool:
    """Whether the transaction lost against another one and nothing of it was done."""
    return sqlstate(error) in _CONFLICT


def is_deadlock(error: BaseException) -> bool:
    """Whether PostgreSQL chose the transaction to give way to another one (40001, 40P01)."""
    return sqlstate(error) in _DEADLOCK
