"""Backup codes: a letter that names the slot, and 80 random bits in Crockford's base32."""

import secrets
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from twofold_server.crypto.names import clean_name

COUNT: Final = 10
_SLOTS: Final = "ABCDEFGHIJ"
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CHARACTERS: Final = 16
_GROUP: Final = 4
_MAX_TYPED: Final = 64
_LOOK_ALIKES: Final = str.maketrans("OIL", "011")


@dataclass(frozen=True, slots=True)
class BackupCode:
    """A backup code: `slot` (A to J) says which hash to check, `text` (`A-XXXX-XXXX-XXXX-XXXX`) is shown and hashed."""

    slot: str
    text: str = field(repr=False)


def new_codes(n: int = COUNT) -> list[BackupCode]:
    """Return `n` (1 to 10) new codes, one for each slot from A on."""
    if not 1 <= n <= len(_SLOTS):
        raise ValueError(f"between 1 and {len(_SLOTS)} codes")
    return [_code(slot, "".join(secrets.choice(_ALPHABET) for _ in range(_CHARACTERS))) for slot in _SLOTS[:n]]


def normalize(text: str) -> BackupCode | None:
    """Read a code as people type it; None if it cannot be one.

    Forgives case, spaces, hyphens of every kind, full-width letters, O for 0, and I or L for 1 (and 1 or L for slot I).
    At most 64 code points.
    """
    if len(text) > _MAX_TYPED:
        return None
    typed = "".join(
        character
        for character in unicodedata.normalize("NFKC", text).upper()
        if not character.isspace() and unicodedata.category(character) != "Pd" and character != "\u2212"
    )
    if len(typed) != 1 + _CHARACTERS:
        return None
    slot = "I" if typed[0] in "1L" else typed[0]
    characters = typed[1:].translate(_LOOK_ALIKES)
    if slot not in _SLOTS or any(character not in _ALPHABET for character in characters):
        return None
    return _code(slot, characters)


def as_text_file(codes: list[BackupCode], *, issuer: str, account_name: str, made: datetime) -> str:
    """Return the codes as a plain text file to keep; names are cleaned, so that none can add a line of its own."""
    day = made.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    header = [
        f"Backup codes for {clean_name(issuer) or 'your account'}",
        f"Account: {clean_name(account_name, limit=254)}",
        f"Made: {day}",
        "",
        "Each code signs you in once, in place of your second factor.",
        "Keep them where your phone is not. New codes make these worthless.",
        "",
    ]
    return "\n".join([*header, *(code.text for code in codes), ""])


def _code(slot: str, characters: str) -> BackupCode:
    groups = (characters[start : start + _GROUP] for start in range(0, _CHARACTERS, _GROUP))
    return BackupCode(slot, "-".join((slot, *groups)))
