"""Access tokens: ES256 JWTs of type `at+jwt` (RFC 9068), read without leniency.

One spelling is taken and no other: a header of exactly `alg`, `typ` and `kid`, canonical base64url, JSON without
duplicate names. So no header can name a key or a rule of its own (`jku`, `jwk`, `x5u`, `x5c`, `crit`), and what is good
here is good everywhere. Nothing of the payload is read before the signature is good (RFC 8725).
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from twofold import claims
from twofold.p256 import SIGNATURE_BYTES, PublicKey
from twofold.verified import BadToken, UnknownKey, VerifiedSession

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twofold.claims import Expected

MAX_TOKEN_CHARACTERS: Final = 4096
_MAX_HEADER_CHARACTERS: Final = 256
_MAX_HEADERS: Final = 64
_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# Everything foreign, `+`, `/` and `=` among it, becomes what the strict decoder refuses.
_TO_STANDARD: Final = bytes({ord("-"): 43, ord("_"): 47}.get(c, c) if c in _ALPHABET else ord("!") for c in range(256))
_PADDING: Final = (b"", b"", b"==", b"=")
_LAST: Final = (frozenset(_ALPHABET), frozenset[int](), frozenset(_ALPHABET[::16]), frozenset(_ALPHABET[::4]))


@dataclass(frozen=True, slots=True)
class Key:
    """A key that tokens may be signed with, and until when (seconds since 1970)."""

    kid: str
    public: PublicKey
    retires: float


def read(
    raw: bytes, keys: Mapping[str, Key], headers: dict[bytes, Key], expected: Expected, now: float
) -> tuple[VerifiedSession, float, str]:
    """Return what a token (ASCII) says that one of `keys` signed, until when it is good, and the key's id.

    `headers` remembers the header segments of good tokens; it belongs to `keys`, and begins empty.

    Raises UnknownKey, ExpiredToken where expiry alone is against the token, else BadToken.
    """
    if len(raw) > MAX_TOKEN_CHARACTERS:
        raise BadToken("too long")
    segments = raw.split(b".")
    if len(segments) != 3:
        raise BadToken("not three segments")
    header, payload_segment, signature_segment = segments
    key = headers.get(header)
    if key is None:
        kid = _kid(header)
        key = keys.get(kid)
        if key is None:
            raise UnknownKey(kid)
    signature = _decode_base64(signature_segment, "signature malformed")
    if len(signature) != SIGNATURE_BYTES:
        raise BadToken("signature malformed")
    payload = _decode_base64(payload_segment, "payload malformed")
    if not key.public.signed(raw[: len(header) + 1 + len(payload_segment)], signature):
        raise BadToken("signature wrong")
    # Only what the key has signed: others can't fill it with spellings of their own.
    if len(headers) < _MAX_HEADERS:
        headers[header] = key
    session, expires = claims.read(payload, expected, now)
    if key.retires <= now:
        raise BadToken("key retired")
    return session, min(expires + expected.leeway, key.retires), key.kid


def _kid(segment: bytes) -> str:
    if len(segment) > _MAX_HEADER_CHARACTERS:
        raise BadToken("header malformed")
    header = claims.json_object(_decode_base64(segment, "header malformed"), "header malformed")
    if header.get("alg") != "ES256":
        raise BadToken("wrong algorithm")
    if header.get("typ") != "at+jwt":
        raise BadToken("wrong type")
    kid = header.get("kid")
    if len(header) != 3 or not isinstance(kid, str):
        raise BadToken("header not exactly alg, typ and kid")
    return kid


def _decode_base64(segment: bytes, why: str) -> bytes:
    over = len(segment) & 3
    # The bits of the last character that belong to no byte are zero, or there would be several spellings.
    if not segment or segment[-1] not in _LAST[over]:
        raise BadToken(why)
    try:
        return binascii.a2b_base64(segment.translate(_TO_STANDARD) + _PADDING[over], strict_mode=True)
    except binascii.Error:
        raise BadToken(why) from None
