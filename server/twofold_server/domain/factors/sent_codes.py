"""Short codes that are sent: six digits, five minutes, once, five tries, stored as an HMAC over where they went.

A code is addressed by its ticket alone and never searched for: a random guess would hit somebody's. Source: NIST SP
800-63B-4, 3.1.3; ASVS 6.5.
"""

from __future__ import annotations

from uuid import UUID

from twofold_server.crypto.keyring import Keyring
from twofold_server.db.verdicts import Code
from twofold_server.domain.factors.kinds import Sent
from twofold_server.domain.values import SentCode


def code_macs(keyring: Keyring, sent_id: UUID, destination: str, code: SentCode) -> list[bytes]:
    """What a code that came back may be stored as: while master keys rotate, under any of those held."""
    return list(keyring.code_macs(sent_id, code.kind, destination, code.digits))


def verify(keyring: Keyring, code: SentCode, sent: Sent | None) -> Code:
    """Tell what the statement compares a code with; nothing that is right where none was sent."""
    if sent is None:
        return Code("given", code.kind)
    return Code(
        "given",
        code.kind,
        factor_id=UUID(sent.payload["factor_id"]),
        sent_id=sent.ticket_id,
        sent_macs=code_macs(keyring, sent.ticket_id, sent.payload["destination"], code),
    )
