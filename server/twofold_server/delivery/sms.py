"""Text messages as they are sent: by a gateway that speaks our own signed JSON (docs/delivery.md), or by Twilio."""

from __future__ import annotations

import base64
import hmac
import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol
from urllib.parse import quote, urlencode
from uuid import UUID

from twofold_server.delivery.mail import PermanentFailure, TemporaryFailure
from twofold_server.domain.clock import Clock
from twofold_server.domain.deliveries import Refusal
from twofold_server.egress.http import Answer, AnswerLost, EgressError, Http, NotReached

_WORD: Final = re.compile(r"[a-z0-9_]{1,40}", re.ASCII)
_LONGEST_RETRY_AFTER: Final = 3600
# Answers that say something of our settings or of the provider, and nothing of the message.
_NOT_OF_THE_MESSAGE: Final = frozenset({401, 403, 404, 405, 407, 408, 425, 429})
# A proxy before the provider says that it got no answer: whether the provider has the message, it does not know.
_OF_A_PROXY: Final = frozenset({502, 504})
_UNREACHABLE: Final = frozenset({"number_unreachable", "number_invalid", "number_opted_out"})
# https://www.twilio.com/docs/api/errors: not a number, not reachable, landline, opted out, not a mobile number.
_TWILIO_UNREACHABLE: Final = frozenset({21211, 21214, 21217, 21610, 21612, 21614})


@dataclass(frozen=True, slots=True)
class Sms:
    """A text message ready to be sent. `outbox_id` names it in logs and is its idempotency key."""

    outbox_id: UUID
    template: str
    create_time: datetime
    expire_time: datetime
    recipient: str = field(repr=False)
    text: str = field(repr=False)


class SmsSender(Protocol):
    """Takes text messages to people."""

    async def send(self, message: Sms, /) -> None:
        """Hand the message over; once this returns, it is somebody else's to keep. Raises DeliveryError."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """An SMS gateway of the operator's. `key` signs what is sent; `sender` is what the gateway may show as sender."""

    url: str = field(repr=False)
    key: str = field(repr=False)
    sender: str = ""


class GatewaySender:
    """Posts each message as signed JSON (docs/delivery.md)."""

    def __init__(self, http: Http, gateway: Gateway, clock: Clock) -> None:
        """Raises ValueError for a key of less than 32 characters."""
        if len(gateway.key) < 32:
            raise ValueError("The key of an SMS gateway has 32 characters at least.")
        self._http = http
        self._gateway = gateway
        self._clock = clock

    async def send(self, message: Sms, /) -> None:
        """Hand the message over. 4xx is PermanentFailure, save what says nothing of the message; the rest may pass."""
        body = json.dumps(
            {
                "message_id": str(message.outbox_id),
                "to": message.recipient,
                "from": self._gateway.sender,
                "text": message.text,
                "kind": message.template,
                "expire_time": message.expire_time.isoformat().replace("+00:00", "Z"),
            }
        ).encode()
        timestamp = str(int(self._clock().timestamp()))
        headers = {
            "content-type": "application/json",
            "idempotency-key": str(message.outbox_id),
            "twofold-timestamp": timestamp,
            "twofold-signature": f"v1={signature(self._gateway.key, timestamp, body)}",
        }
        answer = await _post(self._http, self._gateway.url, body, headers)
        found = _json(answer)
        if 200 <= answer.status < 300:
            if found.get("state") not in ("queued", "delivered"):
                raise TemporaryFailure("sms gateway: 2xx without a state", uncertain=True)
            return
        reason = found.get("reason")
        word = reason if isinstance(reason, str) and _WORD.fullmatch(reason) else ""
        raise _failure("sms gateway", answer, word, unreachable=word in _UNREACHABLE)


def signature(key: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 over `timestamp`, a full stop and the body, in hex; the key as UTF-8."""
    return hmac.new(key.encode(), timestamp.encode() + b"." + body, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class Twilio:
    """An account of Twilio's. `sender` is a number in E.164, a name, or the SID of a messaging service (`MG...`)."""

    account_sid: str
    auth_token: str = field(repr=False)
    sender: str
    base_url: str = "https://api.twilio.com"


class TwilioSender:
    """Posts each message to Twilio's Messages resource (API version 2010-04-01).

    That API knows no idempotency key: where an answer was lost, a second attempt may send a second copy.
    """

    def __init__(self, http: Http, account: Twilio) -> None:
        """Raises ValueError for what is no account SID."""
        if not re.fullmatch(r"AC[0-9a-fA-F]{32}", account.account_sid):
            raise ValueError("The SID of a Twilio account is AC and 32 hex digits.")
        self._http = http
        self._account = account

    async def send(self, message: Sms, /) -> None:
        """Hand the message over; failures as at the gateway."""
        account = self._account
        sender = "MessagingServiceSid" if re.fullmatch(r"MG[0-9a-fA-F]{32}", account.sender) else "From"
        body = urlencode({"To": message.recipient, sender: account.sender, "Body": message.text}).encode()
        credential = base64.b64encode(f"{account.account_sid}:{account.auth_token}".encode()).decode()
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "authorization": f"Basic {credential}",
            "accept": "application/json",
        }
        url = f"{account.base_url}/2010-04-01/Accounts/{quote(account.account_sid, safe='')}/Messages.json"
        answer = await _post(self._http, url, body, headers)
        found = _json(answer)
        if 200 <= answer.status < 300:
            if not isinstance(found.get("sid"), str):
                raise TemporaryFailure("twilio: 2xx without a message", uncertain=True)
            if found.get("status") in ("failed", "undelivered", "canceled"):
                raise PermanentFailure("twilio: not taken")
            return
        code = found.get("code")
        code = code if isinstance(code, int) and 0 < code < 100_000 else None
        raise _failure("twilio", answer, str(code or ""), unreachable=code in _TWILIO_UNREACHABLE)


async def _post(http: Http, url: str, body: bytes, headers: dict[str, str]) -> Answer:
    try:
        return await http.post(url, body=body, headers=headers)
    except NotReached as error:
        raise TemporaryFailure(f"sms: {error}", down=True) from None
    except AnswerLost as error:
        raise TemporaryFailure(f"sms: {error}", uncertain=True) from None
    except EgressError as error:
        raise TemporaryFailure(f"sms: {error}", down=True) from None


def _json(answer: Answer) -> dict[str, Any]:
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _failure(who: str, answer: Answer, word: str, *, unreachable: bool) -> PermanentFailure | TemporaryFailure:
    status = answer.status
    reason = f"{who}: {status}{' ' + word if word else ''}"
    if 400 <= status < 500 and status not in _NOT_OF_THE_MESSAGE:
        return PermanentFailure(reason, Refusal.ADDRESS_UNREACHABLE if unreachable else Refusal.PROVIDER_REFUSED)
    return TemporaryFailure(
        reason,
        uncertain=status in _OF_A_PROXY,
        down=status not in _OF_A_PROXY,
        retry_after=retry_after(answer.headers.get("retry-after", "")),
    )


def retry_after(text: str) -> float | None:
    """Seconds of a `Retry-After`, an hour at most; None where it has none."""
    # Seconds alone; the form of a date would be believed against our clock.
    return float(min(int(text), _LONGEST_RETRY_AFTER)) if re.fullmatch(r"[0-9]{1,9}", text) else None
