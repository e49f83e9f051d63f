"""Waking a phone: a signed POST to the operator's push service, with the phone's own token and nothing else in it.

The body is `{"wake_up_token":"..."}`. The headers are those of Standard Webhooks 1.0.0: `webhook-id` (the row's id, the
same at each try), `webhook-timestamp` (seconds since 1970) and `webhook-signature` (`v1,` and the base64 of HMAC-SHA256
over `id.timestamp.body`). Whoever takes it refuses an old timestamp and a used id.
"""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from twofold_server.db.outbox import Claimed
from twofold_server.domain.messages import Messages


@dataclass(frozen=True, slots=True)
class HookCall:
    """What is posted."""

    body: bytes = field(repr=False)
    headers: dict[str, str] = field(repr=False)


def wake_up(messages: Messages, message: Claimed, key: bytes, now: datetime) -> HookCall:
    """Make the call of a claimed row of the kind `wake_up`. Raises SealBroken, UnknownKey."""
    assert message.account_id is not None  # noqa: S101 (every such row has one)
    token = messages.open_wake_up(message.realm_id, message.account_id, message.outbox_id, message.payload)
    body = json.dumps({"wake_up_token": token}, separators=(",", ":")).encode()
    return HookCall(body, {"content-type": "application/json", **signed(key, message.outbox_id, now, body)})


def signed(key: bytes, hook_id: UUID, now: datetime, body: bytes) -> dict[str, str]:
    """Sign a body by the operator's key; the headers that carry the signature."""
    seconds = str(int(now.timestamp()))
    mac = hmac.digest(key, b".".join((str(hook_id).encode(), seconds.encode(), body)), "sha256")
    return {
        "webhook-id": str(hook_id),
        "webhook-timestamp": seconds,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode('ascii')}",
    }
