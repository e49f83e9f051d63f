"""Codes by e-mail, to any address that was verified by one: not AAL2, since a mailbox is no thing in hand (NIST SP
800-63B-4, 3.1.3.1).
"""

from __future__ import annotations

import json
from typing import Final
from uuid import UUID

from twofold_server.crypto.keyring import Keyring
from twofold_server.db.verdicts import Code
from twofold_server.domain.factors import sent_codes
from twofold_server.domain.factors.kinds import Sent
from twofold_server.domain.values import EmailAddress, EmailCode

KIND: Final = "email"
# RFC 8176 has no value for a mailbox, and "mfa" would claim a second factor.
AMR: Final = ("otp", "email")
AAL: Final = 1
CHANNEL: Final = "email"
STRENGTH: Final = 1
NAME: Final = "E-mail"
SLOT: Final = 1


def begin(destination: EmailAddress) -> bytes:
    """What a factor keeps: where its codes go."""
    return json.dumps({"address": destination.text}).encode()


def finish(keyring: Keyring, sent_id: UUID, secret: bytes, code: EmailCode) -> list[bytes]:
    """What the first code is compared with."""
    return sent_codes.code_macs(keyring, sent_id, challenge(secret), code)


def challenge(secret: bytes) -> str:
    """Where a code goes."""
    destination: str = json.loads(secret)["address"]
    return destination


def verify(keyring: Keyring, code: EmailCode, sent: Sent | None) -> Code:
    """Tell what the code is compared with in the statement that judges it."""
    return sent_codes.verify(keyring, code, sent)
