"""What the log line of a call says about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Trace:
    """Filled in as the call is understood; empty what was not reached."""

    request_id: str
    caller: str = ""
    realm: str = ""
