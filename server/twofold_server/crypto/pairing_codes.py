"""Pairing codes: 140 random bits in Crockford's base32, typed or scanned once (NIST SP 800-63B-4, 4.1.2.2: 128)."""

import hashlib
import secrets
import unicodedata
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CHARACTERS: Final = 28
_GROUP: Final = 4
_MAX_TYPED: Final = 64
_LOOK_ALIKES: Final = str.maketrans("OIL", "011")


def new_code() -> str:
    """Return a new code: seven groups of four with hyphens."""
    return _grouped("".join(secrets.choice(_ALPHABET) for _ in range(_CHARACTERS)))


def normalize(text: str) -> str | None:
    """Read a code as people type it, at most 64 code points; None if it cannot be one.

    Forgives case, spaces, hyphens of every kind, full-width letters, O for 0, and I or L for 1.
    """
    if len(text) > _MAX_TYPED:
        return None
    typed = "".join(
        character
        for character in unicodedata.normalize("NFKC", text).upper()
        if not character.isspace() and unicodedata.category(character) != "Pd" and character != "\u2212"
    ).translate(_LOOK_ALIKES)
    if len(typed) != _CHARACTERS or any(character not in _ALPHABET for character in typed):
        return None
    return _grouped(typed)


def handle_hash(code: str) -> bytes:
    """Return the 32 bytes that a code in its one spelling is stored as. So many random bits may be a search key."""
    return hashlib.sha256(f"twofold-pairing:{code}".encode("ascii")).digest()


def _grouped(characters: str) -> str:
    return "-".join(characters[start : start + _GROUP] for start in range(0, _CHARACTERS, _GROUP))
