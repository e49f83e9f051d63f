"""Approval on a paired phone by its own key, with the number that the screen shows (NIST SP 800-63B-4, 3.1.3.2)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from twofold_server.crypto import otp, pairing_codes
from twofold_server.crypto.hash_engine import HashEngine, HashQueueFull
from twofold_server.crypto.keyring import Keyring
from twofold_server.db.verdicts import Code
from twofold_server.domain.errors import ApprovalNotFound, ApprovalPending, Overloaded
from twofold_server.domain.factors.kinds import Sent
from twofold_server.domain.realms import Realm

KIND: Final = "push"
AMR: Final = ("mfa", "pop")
AAL: Final = 2
CHANNEL: Final = "phone"
STRENGTH: Final = 3
NAME: Final = "Phone"
PAIRING: Final = "pairing"
SLOT: Final = 4
_DIGITS_OF_AAL2: Final = 6
_PATH: Final = "/pair-approver"


@dataclass(frozen=True, slots=True)
class Material:
    """What a phone is paired with."""

    pairing_code: str = field(repr=False)
    pairing_url: str = field(repr=False)
    qr_code_png: bytes = field(repr=False)


async def begin(engine: HashEngine, realm: Realm) -> tuple[bytes, Material]:
    """Make a pairing code and what shows it to a phone; the hash that finds it. Raises Overloaded."""
    code = pairing_codes.new_code()
    # In the fragment: no browser sends that to a server, and no proxy or log has it.
    url = f"{realm.settings.link_base_url}{_PATH}#code={code}"
    try:
        png = await engine.run(otp.qr_png, url)
    except HashQueueFull as error:
        raise Overloaded(retry_after=error.retry_after_seconds) from None
    return pairing_codes.handle_hash(code), Material(code, url, png)


def finish() -> None:
    """No code: the phone has paired with the enrolment, or has not, which the finishing statement reads."""


def challenge(keyring: Keyring, realm: Realm, request_id: UUID, account_id: UUID) -> tuple[str, bytes]:
    """Draw the number that the waiting caller shows, and what the request's row knows it by. It is sent to no phone."""
    digits = realm.settings.push_digits
    number = f"{secrets.randbelow(10**digits):0{digits}d}"
    return number, keyring.code_mac(request_id, KIND, str(account_id), number)


def number_macs(keyring: Keyring, request_id: UUID, account_id: UUID, number: str) -> tuple[bytes, ...]:
    """What the number of a request may be stored as, while keys rotate."""
    return keyring.code_macs(request_id, KIND, str(account_id), number)


def verify(realm: Realm, sent: Sent | None) -> Code:
    """Nothing is matched here: the statement demands that the request stands at `approved`, by a phone that is paired.

    Raises ApprovalPending, ApprovalNotFound: what no phone has approved is no wrong code, and is not counted.
    """
    if sent is None or sent.answer != "approved":
        raise (
            ApprovalPending if sent is not None and sent.answer == "asked" else ApprovalNotFound(field="second_factor")
        )
    return Code("given", KIND, factor_id=sent.factor_id, sent_id=sent.ticket_id, aal=aal(realm))


def aal(realm: Realm) -> int:
    """What an approval proves: with fewer than six digits a guess is too likely for AAL2."""
    return AAL if realm.settings.push_digits >= _DIGITS_OF_AAL2 else 1
