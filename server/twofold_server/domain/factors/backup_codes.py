"""Backup codes: ten of 80 bits, each good once, salted Argon2id, found by their slot so that a check costs one hash
(ASVS 6.5.2).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from twofold_server.crypto import backup_codes
from twofold_server.crypto.hash_engine import HashEngine, HashQueueFull
from twofold_server.crypto.keyring import Keyring, Place
from twofold_server.db.verdicts import Code
from twofold_server.domain.errors import Overloaded
from twofold_server.domain.factors.kinds import Enrolled
from twofold_server.domain.realms import Realm
from twofold_server.domain.values import BackupCode

KIND: Final = "backup_code"
AMR: Final = ("otp", "mfa", "backup")
AAL: Final = 2
CHANNEL: Final = "paper"
STRENGTH: Final = 3
FILE_NAME: Final = "backup-codes.txt"


@dataclass(frozen=True, slots=True)
class BackupCodes:
    """A new set: shown once, as a list and as a text file; and what is stored of it."""

    codes: tuple[str, ...] = field(repr=False)
    text_file: str = field(repr=False)
    file_name: str
    slots: list[str] = field(repr=False)
    sealed: list[bytes] = field(repr=False)


async def begin(
    keyring: Keyring, engine: HashEngine, realm: Realm, account_id: UUID, email: str, now: datetime
) -> BackupCodes:
    """Make a set of ten, hashed and sealed for its rows. Raises Overloaded."""
    codes = backup_codes.new_codes()
    try:
        # One after the other, and counted: whoever asks again and again has one hash in flight a call, five in all.
        hashes = [await engine.hash(code.text, account=str(account_id)) for code in codes]
    except HashQueueFull as error:
        raise Overloaded(retry_after=error.retry_after_seconds) from None
    issuer = realm.settings.totp_issuer or realm.display_name
    return BackupCodes(
        codes=tuple(code.text for code in codes),
        text_file=backup_codes.as_text_file(codes, issuer=issuer, account_name=email, made=now),
        file_name=FILE_NAME,
        slots=[code.slot for code in codes],
        sealed=[
            keyring.seal(hash, place(realm.realm_id, account_id, code.slot))
            for code, hash in zip(codes, hashes, strict=True)
        ],
    )


def finish() -> None:
    """Nothing is confirmed: the codes come with the first factor of another kind."""


def challenge() -> None:
    """Nothing is sent: the user has the codes on paper."""


async def verify(
    keyring: Keyring, engine: HashEngine, realm: Realm, enrolled: Enrolled, code: BackupCode, known_device: bool
) -> Code:
    """Tell whether the code is the one of its slot. Raises Overloaded."""
    sealed, account_id = enrolled.backup_hash, enrolled.account_id
    if sealed is None or account_id is None:
        return Code("given", KIND, slot=code.slot)
    stored = keyring.open(sealed, place(realm.realm_id, account_id, code.slot))
    try:
        right = await engine.verify(stored, code.text, account=str(account_id), known_device=known_device)
    except HashQueueFull as error:
        raise Overloaded(retry_after=error.retry_after_seconds) from None
    return Code("given", KIND, slot=code.slot, slot_set_id=enrolled.backup_set_id, slot_ok=right)


def place(realm_id: str, account_id: UUID, slot: str) -> Place:
    """Where the hash of a slot is sealed for."""
    return Place("backup_codes", "hash", realm_id, str(account_id), slot)
