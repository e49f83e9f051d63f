"""Opaque tokens: random ones known by their hash, and rotating ones whose MAC the row's salt finishes."""

import hashlib
import hmac
import re
import secrets
import uuid
from dataclasses import dataclass, field
from typing import Final

from twofold_server.crypto import base64url

_SECRET_BYTES: Final = 32
_SECRET_CHARACTERS: Final = 43
_MAX_GENERATION: Final = 2**31 - 1
_MAX_ROTATING_CHARACTERS: Final = 160
# The prefix names the kind, so that a device token in the place of a refresh token is no token at all.
_REFRESH_PREFIX: Final = "r1"
_DEVICE_PREFIX: Final = "d1"
_ROTATING: Final = re.compile(
    r"(?P<prefix>[rd]1)\.(?P<id>[0-9a-f]{32})\.(?P<generation>0|[1-9][0-9]{0,9})\.(?P<key>[1-9][0-9]{0,2})\."
    r"(?P<mac>[A-Za-z0-9_-]{43})",
    re.ASCII,
)
_CALLER: Final = re.compile(r"tfc_(?P<id>[0-9a-f]{32})_(?P<secret>[A-Za-z0-9_-]{43})", re.ASCII)


def new_secret_token() -> tuple[str, bytes]:
    """Return a new token of 256 random bits (43 base64url characters) and the SHA-256 that is stored for it."""
    text = base64url.encode(secrets.token_bytes(_SECRET_BYTES))
    return text, hashlib.sha256(text.encode("ascii")).digest()


def token_hash(text: str) -> bytes | None:
    """Return the 32 bytes that a token of `new_secret_token` is stored as; None if it cannot be such a token."""
    if len(text) != _SECRET_CHARACTERS or base64url.decode(text) is None:
        return None
    return hashlib.sha256(text.encode("ascii")).digest()


@dataclass(frozen=True, slots=True)
class RefreshParts:
    """What a refresh token says: the session's row, its generation, the key id, and the 32-byte MAC that proves it."""

    session_id: uuid.UUID
    generation: int
    key_id: int
    mac: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class DeviceParts:
    """What a device token says: the device's row, its generation, the key id, and the 32-byte MAC that proves it."""

    device_id: uuid.UUID
    generation: int
    key_id: int
    mac: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CallerCredential:
    """The credential of a calling service: its row, and a secret of 256 bits."""

    caller_id: uuid.UUID
    secret: str = field(repr=False)


def finish_mac(inner: bytes, salt: bytes) -> bytes:
    """Return the MAC that a rotating token carries: SHA-256(inner || salt), `salt` being the row's 32 bytes.

    The key alone forges nothing without the row, the row alone nothing without the key. SQL finishes and compares it as
    `sha256(sha256(inner || salt)) = mac_proof(mac)`, so that neither a token nor its MAC is ever sent to be compared.
    """
    return hashlib.sha256(inner + salt).digest()


def mac_proof(mac: bytes) -> bytes:
    """Return SHA-256 of a presented MAC: what SQL compares, of which a timing difference tells nothing useful."""
    return hashlib.sha256(mac).digest()


def same(one: bytes, other: bytes) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(one, other)


def new_salt() -> bytes:
    """Return 256 random bits for the row of a session or device."""
    return secrets.token_bytes(_SECRET_BYTES)


def format_refresh_token(session_id: uuid.UUID, generation: int, key_id: int, mac: bytes) -> str:
    """Spell a refresh token: `r1.<session>.<generation>.<key id>.<MAC>`. Raises ValueError for parts out of range."""
    return _format_rotating(_REFRESH_PREFIX, session_id, generation, key_id, mac)


def parse_refresh_token(text: str) -> RefreshParts | None:
    """Read a refresh token in its one canonical spelling (at most 160 characters); None for anything else."""
    parts = _parse_rotating(_REFRESH_PREFIX, text)
    return None if parts is None else RefreshParts(*parts)


def format_device_token(device_id: uuid.UUID, generation: int, key_id: int, mac: bytes) -> str:
    """Spell a device token: `d1.<device>.<generation>.<key id>.<MAC>`. Raises ValueError for parts out of range."""
    return _format_rotating(_DEVICE_PREFIX, device_id, generation, key_id, mac)


def parse_device_token(text: str) -> DeviceParts | None:
    """Read a device token in its one canonical spelling (at most 160 characters); None for anything else."""
    parts = _parse_rotating(_DEVICE_PREFIX, text)
    return None if parts is None else DeviceParts(*parts)


def format_caller_credential(caller_id: uuid.UUID, secret: str) -> str:
    """Spell a caller's credential: `tfc_<caller id>_<secret>`; by its prefix, secret scanners find a leaked one."""
    if token_hash(secret) is None:
        raise ValueError("a caller's secret is a token of new_secret_token()")
    return f"tfc_{caller_id.hex}_{secret}"


def parse_caller_credential(text: str) -> CallerCredential | None:
    """Read a caller's credential in its one canonical spelling; None for anything else."""
    found = _CALLER.fullmatch(text)
    if found is None or base64url.decode(found["secret"]) is None:
        return None
    return CallerCredential(uuid.UUID(hex=found["id"]), found["secret"])


def _format_rotating(prefix: str, row_id: uuid.UUID, generation: int, key_id: int, mac: bytes) -> str:
    if not (0 <= generation <= _MAX_GENERATION and 1 <= key_id <= 255 and len(mac) == _SECRET_BYTES):
        raise ValueError("a part of the token is out of range")
    return f"{prefix}.{row_id.hex}.{generation}.{key_id}.{base64url.encode(mac)}"


def _parse_rotating(prefix: str, text: str) -> tuple[uuid.UUID, int, int, bytes] | None:
    found = _ROTATING.fullmatch(text) if len(text) <= _MAX_ROTATING_CHARACTERS else None
    if found is None or found["prefix"] != prefix:
        return None
    generation, key_id, mac = int(found["generation"]), int(found["key"]), base64url.decode(found["mac"])
    if generation > _MAX_GENERATION or key_id > 255 or mac is None:
        return None
    return uuid.UUID(hex=found["id"]), generation, key_id, mac
