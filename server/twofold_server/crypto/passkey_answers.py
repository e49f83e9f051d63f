"""What a browser answers about a passkey, taken apart: JSON, client data, authenticator data, the key."""

from __future__ import annotations

import hmac
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from twofold_server.crypto import base64url, plain_cbor
from twofold_server.crypto.plain_cbor import CborRefused

MAX_CREDENTIAL_CHARACTERS: Final = 16 * 1024

_MIN_ID_BYTES: Final = 16
_MAX_ID_BYTES: Final = 1023
_MAX_HANDLE_BYTES: Final = 64
_TRANSPORTS: Final = ("usb", "nfc", "ble", "smart-card", "hybrid", "internal")
_HEADER: Final = struct.Struct(">32sBI")
_CREDENTIAL_HEADER: Final = struct.Struct(">16sH")
_PRESENT, _VERIFIED, _ELIGIBLE, _BACKED_UP, _HAS_CREDENTIAL, _HAS_EXTENSIONS = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80

# Names of COSE keys (RFC 9052, RFC 9053, RFC 8230).
_KTY, _ALG, _CRV, _X, _Y, _N, _E = 1, 3, -1, -2, -3, -1, -2
_RSA_BYTES: Final = (256, 512)
_RSA_EXPONENT: Final = b"\x01\x00\x01"


class PasskeyRefused(Exception):
    """The answer is not what was asked for. `reason` is one word for the log, and quotes nothing that was sent."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"refused: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class NewCredential:
    """The passkey in the data of an authenticator that has just made one."""

    credential_id: bytes = field(repr=False)
    key: plain_cbor.Value = field(repr=False)


@dataclass(frozen=True, slots=True)
class AuthenticatorData:
    """What an authenticator says and signs."""

    rp_id_hash: bytes
    user_present: bool
    user_verified: bool
    backup_eligible: bool
    backup_state: bool
    sign_count: int
    credential: NewCredential | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """The JSON of a credential, its own fields checked for shape."""

    credential_id: bytes = field(repr=False)
    client_data: bytes = field(repr=False)
    response: dict[str, Any] = field(repr=False)

    def bytes_of(self, name: str) -> bytes:
        """A field of the response in base64url. Raises PasskeyRefused."""
        return _bytes(self.response.get(name))

    @property
    def user_handle(self) -> bytes | None:
        """Whose passkey the device says that it is; None if it does not. Raises PasskeyRefused."""
        text = self.response.get("userHandle")
        if text is None:
            return None
        handle = _bytes(text)
        if not 1 <= len(handle) <= _MAX_HANDLE_BYTES:
            raise PasskeyRefused("malformed")
        return handle

    @property
    def transports(self) -> tuple[str, ...]:
        """How the device can be reached: a hint for the browser, of which only known ones are kept."""
        said = self.response.get("transports")
        return tuple(name for name in _TRANSPORTS if name in said) if isinstance(said, list) else ()

    def demand_client_data(
        self,
        kind: Literal["webauthn.create", "webauthn.get"],
        challenge: bytes,
        origins: Sequence[str],
        *,
        cross_origin: bool,
    ) -> None:
        """Demand that a page of one of the origins asked this very question. Raises PasskeyRefused."""
        data = _object(self.client_data.decode("utf-8"))
        said = data.get("challenge")
        # As text, in the one spelling of it: nothing of the answer is decoded that was not asked for.
        if not isinstance(said, str) or not hmac.compare_digest(
            said.encode("utf-8", "surrogatepass"), base64url.encode(challenge).encode()
        ):
            raise PasskeyRefused("challenge")
        if data.get("type") != kind:
            raise PasskeyRefused("type")
        # Whole and exact: a prefix, a suffix or another spelling is another site (`https://example.com.evil.test`).
        origin = data.get("origin")
        if not isinstance(origin, str) or origin not in origins:
            raise PasskeyRefused("origin")
        framed = data.get("crossOrigin", False)
        if framed is not False or "topOrigin" in data:
            top = data.get("topOrigin")
            if not cross_origin or framed is not True or (top is not None and top not in origins):
                raise PasskeyRefused("cross_origin")


def read_answer(text: str) -> Answer:
    """Read the JSON of a credential. Raises PasskeyRefused, UnicodeError."""
    if len(text) > MAX_CREDENTIAL_CHARACTERS:
        raise PasskeyRefused("malformed")
    found = _object(text)
    response = found.get("response")
    if found.get("type") != "public-key" or found.get("rawId") != found.get("id") or not isinstance(response, dict):
        raise PasskeyRefused("malformed")
    credential_id = _bytes(found.get("id"))
    if not _MIN_ID_BYTES <= len(credential_id) <= _MAX_ID_BYTES:
        raise PasskeyRefused("malformed")
    return Answer(credential_id, _bytes(response.get("clientDataJSON")), response)


def read_attestation(raw: bytes) -> AuthenticatorData:
    """The authenticator data of an attestation object; none or self attestation. Raises PasskeyRefused."""
    found = _cbor(raw)
    if not isinstance(found, dict) or set(found) != {"fmt", "attStmt", "authData"}:
        raise PasskeyRefused("malformed")
    form, statement, data = found["fmt"], found["attStmt"], found["authData"]
    if not isinstance(statement, dict) or not isinstance(data, bytes):
        raise PasskeyRefused("malformed")
    # Browsers take the maker's certificates out where none were asked for, and leave self attestation alone.
    # Whatever sends others wants certificates parsed that nobody trusts.
    if not ((form == "none" and not statement) or (form == "packed" and set(statement) == {"alg", "sig"})):
        raise PasskeyRefused("attestation")
    return read_authenticator_data(data)


def read_authenticator_data(raw: bytes) -> AuthenticatorData:
    """Authenticator data (WebAuthn 6.1), whole and with nothing after it. Raises PasskeyRefused."""
    if len(raw) < _HEADER.size:
        raise PasskeyRefused("malformed")
    rp_id_hash, flags, sign_count = _HEADER.unpack_from(raw)
    position = _HEADER.size
    credential = None
    if flags & _HAS_CREDENTIAL:
        start = position + _CREDENTIAL_HEADER.size
        if len(raw) < start:
            raise PasskeyRefused("malformed")
        length = _CREDENTIAL_HEADER.unpack_from(raw, position)[1]
        key, position = _cbor_at(raw, start + length)
        credential = NewCredential(raw[start : start + length], key)
    if flags & _HAS_EXTENSIONS:
        extensions, position = _cbor_at(raw, position)
        if not isinstance(extensions, dict):
            raise PasskeyRefused("malformed")
    if position != len(raw):
        raise PasskeyRefused("malformed")
    return AuthenticatorData(
        rp_id_hash=rp_id_hash,
        user_present=bool(flags & _PRESENT),
        user_verified=bool(flags & _VERIFIED),
        backup_eligible=bool(flags & _ELIGIBLE),
        backup_state=bool(flags & _BACKED_UP),
        sign_count=sign_count,
        credential=credential,
    )


def demand_key(key: plain_cbor.Value) -> None:
    """Demand a public key of one of the three algorithms, of its own curve and of a sane size. Raises PasskeyRefused.

    The library takes ES256 over any curve, and an RSA key of any size and exponent, whose check costs as it likes.
    """
    # True is 1 to Python.
    if not isinstance(key, dict) or any(isinstance(value, bool) for value in key.values()):
        raise PasskeyRefused("key")
    match key.get(_KTY), key.get(_ALG):
        case 2, -7:
            right = set(key) == {_KTY, _ALG, _CRV, _X, _Y} and key[_CRV] == 1
            right = right and _is_bytes(key[_X], 32, 32) and _is_bytes(key[_Y], 32, 32)
        case 1, -8:
            right = set(key) == {_KTY, _ALG, _CRV, _X} and key[_CRV] == 6 and _is_bytes(key[_X], 32, 32)
        case 3, -257:
            right = set(key) == {_KTY, _ALG, _N, _E} and key[_E] == _RSA_EXPONENT and _is_bytes(key[_N], *_RSA_BYTES)
        case _:
            right = False
    if not right:
        raise PasskeyRefused("key")


def _is_bytes(value: plain_cbor.Value, least: int, most: int) -> bool:
    return isinstance(value, bytes) and least <= len(value) <= most


def _bytes(text: object) -> bytes:
    found = base64url.decode(text) if isinstance(text, str) else None
    if not found:
        raise PasskeyRefused("malformed")
    return found


def _cbor(raw: bytes) -> plain_cbor.Value:
    found, end = _cbor_at(raw, 0)
    if end != len(raw):
        raise PasskeyRefused("malformed")
    return found


def _cbor_at(raw: bytes, start: int) -> tuple[plain_cbor.Value, int]:
    try:
        return plain_cbor.read(raw, start)
    except CborRefused:
        raise PasskeyRefused("malformed") from None


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text, object_pairs_hook=_each_once, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise PasskeyRefused("malformed") from None
    if not isinstance(found, dict):
        raise PasskeyRefused("malformed")
    return found


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Two readers that differ in which of two they take can be told two stories.
    found = dict(pairs)
    if len(found) != len(pairs):
        raise PasskeyRefused("malformed")
    return found


def _refuse(_name: str) -> None:
    raise PasskeyRefused("malformed")
