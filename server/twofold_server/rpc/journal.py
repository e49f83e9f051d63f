"""One log line for each call: who called what, how it ended, how long it took. Never what was sent or answered."""

from __future__ import annotations

import traceback
from pathlib import PurePath
from typing import Final

import structlog

from twofold_server.domain import faults
from twofold_server.domain.errors import TwofoldError
from twofold_server.rpc.trace import Trace

SAMPLE: Final = 1000
"""Of the successful calls of a method that is only sampled, one in so many is logged."""

_FRAMES: Final = 12


class Journal:
    """Writes the lines."""

    def __init__(self) -> None:
        self._log: structlog.typing.FilteringBoundLogger = structlog.get_logger("twofold.calls").bind()

    def answered(self, method: str, trace: Trace, seconds: float) -> None:
        """A call that succeeded."""
        self._log.info("call", outcome="OK", **_fields(method, trace, seconds))

    def refused(self, method: str, trace: Trace, seconds: float, error: TwofoldError) -> None:
        """A call that got an error, with the names of its bad fields."""
        named = [violation.field for violation in error.violations[:20]]
        self._log.info("call", outcome=error.reason or error.status, fields=named, **_fields(method, trace, seconds))

    def failed(self, method: str, request_id: str, cause: BaseException) -> None:
        """The cause of an INTERNAL or UNAVAILABLE: types and places only, since texts may quote values."""
        self._log.error(
            "call failed",
            method=method,
            request_id=request_id,
            cause=_chain(cause),
            sqlstate=faults.sqlstate(cause),
            at=[
                f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}"
                for frame in traceback.extract_tb(cause.__traceback__, limit=-_FRAMES)
            ],
        )


def _fields(method: str, trace: Trace, seconds: float) -> dict[str, str | float]:
    return {
        "method": method,
        "request_id": trace.request_id,
        "caller": trace.caller,
        "realm": trace.realm,
        "milliseconds": round(seconds * 1000, 2),
    }


def _chain(error: BaseException) -> list[str]:
    found: list[str] = []
    at: BaseException | None = error
    while at is not None and len(found) < 5:
        found.append(f"{type(at).__module__}.{type(at).__qualname__}")
        at = at.__cause__ or at.__context__
    return found
