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
from typing import Final
from uuid import UUID

from twofold_server.delivery.mail import PermanentFailure, TemporaryFailure
from twofold_server.delivery.sms import retry_after
from twofold_server.domain.clock import Clock
from twofold_server.egress.http import AnswerLost, EgressError, Http

_LEAST_KEY_LENGTH: Final = 32
_NOT_NOW: Final = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class WakeUp:
    """A phone to be woken. `outbox_id` names it in logs and is the `webhook-id`."""

    outbox_id: UUID
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PushHook:
    """The operator's push service. `key` signs what is sent."""

    url: str = field(repr=False)
    key: str = field(repr=False)


class PushHookSender:
    """Posts each wake-up, signed (docs/delivery.md)."""

    def __init__(self, http: Http, hook: PushHook, clock: Clock) -> None:
        """Raises ValueError for a key of less than 32 characters."""
        if len(hook.key) < _LEAST_KEY_LENGTH:
            raise ValueError("The key of a push service has 32 characters at least.")
        self._http = http
        self._hook = hook
        self._clock = clock

    async def send(self, message: WakeUp, /) -> None:
        """Hand the wake-up over. 4xx is PermanentFailure, save 408, 425 and 429; the rest may pass."""
        body = json.dumps({"wake_up_token": message.token}, separators=(",", ":")).encode()
        # Signed anew at each try, since an old timestamp is refused; the id stays, so a repeat is known as one.
        headers = signed(self._hook.key, message.outbox_id, self._clock(), body)
        try:
            answer = await self._http.post(
                self._hook.url, body=body, headers={"content-type": "application/json", **headers}
            )
        except AnswerLost as error:
            raise TemporaryFailure(f"push hook: {error}", uncertain=True) from None
        except EgressError as error:
            raise TemporaryFailure(f"push hook: {error}", down=True) from None
        if 200 <= answer.status < 300:
            return
        # The status alone: what the service writes may repeat the token.
        reason = f"push hook: {answer.status}"
        if 400 <= answer.status < 500 and answer.status not in _NOT_NOW:
            raise PermanentFailure(reason)
        wait = retry_after(answer.headers.get("retry-after", ""))
        raise TemporaryFailure(reason, down=answer.status == 503, retry_after=wait)


def signed(key: str, hook_id: UUID, now: datetime, body: bytes) -> dict[str, str]:
    """Sign a body by the operator's key, its text as UTF-8; the headers that carry the signature."""
    seconds = str(int(now.timestamp()))
    mac = hmac.digest(key.encode(), b".".join((str(hook_id).encode(), seconds.encode(), body)), "sha256")
    return {
        "webhook-id": str(hook_id),
        "webhook-timestamp": seconds,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode('ascii')}",
    }
