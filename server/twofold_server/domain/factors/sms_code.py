"""Codes by SMS, to a number that was verified by one: a restricted factor (NIST SP 800-63B-4, 3.1.3.3)."""

from __future__ import annotations

import json
from typing import Final
from uuid import UUID

from twofold_server.crypto.keyring import Keyring
from twofold_server.db.verdicts import Code
from twofold_server.domain.factors import sent_codes
from twofold_server.domain.factors.kinds import Sent
from twofold_server.domain.values import PhoneNumber, SmsCode

KIND: Final = "sms"
AMR: Final = ("sms", "otp", "mfa")
AAL: Final = 2
CHANNEL: Final = "sms"
STRENGTH: Final = 2
NAME: Final = "Text message"
SLOT: Final = 2


def begin(destination: PhoneNumber) -> bytes:
    """What a factor keeps: where its codes go."""
    return json.dumps({"number": destination.text}).encode()


def finish(keyring: Keyring, sent_id: UUID, secret: bytes, code: SmsCode) -> list[bytes]:
    """What the first code is compared with."""
    return sent_codes.code_macs(keyring, sent_id, challenge(secret), code)


def challenge(secret: bytes) -> str:
    """Where a code goes."""
    destination: str = json.loads(secret)["number"]
    return destination


def verify(keyring: Keyring, code: SmsCode, sent: Sent | None) -> Code:
    """Tell what the code is compared with in the statement that judges it."""
    return sent_codes.verify(keyring, code, sent)
