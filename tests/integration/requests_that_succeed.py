"""For each RPC a request that succeeds, every field of it filled in, with whatever it needs prepared afresh."""

from __future__ import annotations

from tests.integration import (
    account_requests,
    desk_requests,
    recovery_requests,
    session_requests,
    two_factor_requests,
)
from tests.integration.quick import Builder

BUILDERS: dict[str, Builder] = {
    **account_requests.BUILDERS,
    **two_factor_requests.BUILDERS,
    **recovery_requests.BUILDERS,
    **session_requests.BUILDERS,
    **desk_requests.BUILDERS,
}
