"""Keys of the service: one master key per id, and one key per use derived from each."""

import hmac
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from twofold_server.crypto.key_text import KEY_BYTES, generate_key_text, parse_keys

_SEAL_VERSION: Final = 1
_HEADER_BYTES: Final = 2
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16


class KeyringError(Exception):
    """The keyring could not do what was asked of it."""


class SealBroken(KeyringError):
    """The sealed value was altered, moved to another place, or is none."""


class UnknownKey(KeyringError):
    """The value was made under a key id that this keyring does not hold."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value stands; it opens nowhere else.

    `row` names the row within the account (a factor's id, say) and may repeat the account's id. Use an empty string
    where a place has no realm or account.
    """

    table: str
    column: str
    realm: str
    account: str
    row: str


@dataclass(frozen=True, slots=True, repr=False)
class _SubKeys:
    """The keys derived from one master key, one per use, so that no MAC of one use is worth anything in another."""

    seal: AESGCM
    code: bytes
    identifier: bytes
    refresh: bytes
    device: bytes
    page: bytes
    caller: bytes
    captcha: bytes


class Keyring:
    """Seals values and makes MACs under the primary key; opens and checks under every key that it holds.

    Values are sealed with AES-256-GCM (NIST SP 800-38D) under keys derived by HKDF-SHA256 (RFC 5869). Nonces are
    random: rotate the master key before 2^32 values were sealed under it. Safe to share between threads.
    """

    __slots__ = ("_keys", "_oldest", "primary")

    primary: int

    def __init__(self, keys: Mapping[int, bytes], primary: int) -> None:
        """Take master keys of 32 bytes by id (1 to 255). Raises ValueError, which never quotes a key."""
        if primary not in keys:
            raise ValueError(f"the primary key id {primary} is not among the keys")
        for key_id, master in keys.items():
            if not 1 <= key_id <= 255:
                raise ValueError(f"key id {key_id} is outside 1 to 255")
            if len(master) != KEY_BYTES:
                raise ValueError(f"key {key_id} has {len(master)} bytes; a master key has {KEY_BYTES}")
        self.primary = primary
        self._keys: dict[int, _SubKeys] = {key_id: _derive(master) for key_id, master in keys.items()}
        self._oldest = min(self._keys)

    @classmethod
    def from_text(cls, text: str) -> "Keyring":
        """Read a keyring from `1:<hex or base64>,2*:<...>`, or from one bare key, whose id is then 1.

        The id marked with `*` is the primary one; without a mark the highest is. So a key reaches every worker first
        (unmarked primary stays), and seals second. Raises ValueError, which never quotes a key.
        """
        keys, primary = parse_keys(text)
        return cls(keys, primary)

    @staticmethod
    def generate() -> str:
        """Write down a new master key, ready for `from_text`."""
        return generate_key_text()

    @property
    def key_ids(self) -> tuple[int, ...]:
        """Every key id held, the primary one first."""
        return (self.primary, *(key_id for key_id in self._keys if key_id != self.primary))

    def __repr__(self) -> str:
        return f"Keyring(key_ids={self.key_ids})"

    def __reduce__(self) -> str:
        raise TypeError("a keyring is not pickled: it would leave the process")

    def seal(self, plaintext: bytes, place: Place) -> bytes:
        """Seal `plaintext` for `place`: version byte, key id byte, 12-byte nonce, then ciphertext and 16-byte tag."""
        header = bytes((_SEAL_VERSION, self.primary))
        nonce = os.urandom(_NONCE_BYTES)
        return header + nonce + self._keys[self.primary].seal.encrypt(nonce, plaintext, _associated(header, place))

    def open(self, sealed: bytes, place: Place) -> bytes:
        """Open what was sealed for this very `place`. Raises SealBroken, or UnknownKey for a key not held."""
        if len(sealed) < _HEADER_BYTES + _NONCE_BYTES + _TAG_BYTES or sealed[0] != _SEAL_VERSION:
            raise SealBroken("not a sealed value")
        header, nonce = sealed[:_HEADER_BYTES], sealed[_HEADER_BYTES : _HEADER_BYTES + _NONCE_BYTES]
        keys = self._sub_keys(header[1])
        try:
            return keys.seal.decrypt(nonce, sealed[_HEADER_BYTES + _NONCE_BYTES :], _associated(header, place))
        except InvalidTag:
            raise SealBroken("the value was altered, or does not belong here") from None

    def needs_resealing(self, sealed: bytes) -> bool:
        """Say whether `sealed` stands under another key than the primary one, or in an older form."""
        return sealed[:_HEADER_BYTES] != bytes((_SEAL_VERSION, self.primary))

    def code_mac(self, ticket_id: uuid.UUID | bytes, purpose: str, destination: str, code: str) -> bytes:
        """Return what a ticket's short code is stored as: 32 bytes under the primary key."""
        return self.code_macs(ticket_id, purpose, destination, code)[0]

    def code_macs(self, ticket_id: uuid.UUID | bytes, purpose: str, destination: str, code: str) -> tuple[bytes, ...]:
        """Return what the code may be stored as, under each key held, the primary one first.

        Look for any of them: while keys rotate, the worker that wrote the code may have had another primary key.
        """
        message = _fields(ticket_id, purpose, destination, code)
        return tuple(_mac(self._keys[key_id].code, message) for key_id in self.key_ids)

    def identifier_mac(self, realm: uuid.UUID | str, identifier: str) -> bytes:
        """Return the 32 bytes that stand for an identifier which may have no account.

        Made under the key of the lowest id, not the primary one: counts kept and parameters drawn by it stay the same
        while keys rotate, on all workers, until the oldest key is dropped. The caller normalises the identifier.
        """
        return _mac(self._keys[self._oldest].identifier, _fields(str(realm), identifier))

    def identifier_macs(self, realm: uuid.UUID | str, identifier: str) -> tuple[bytes, ...]:
        """Return what an identifier may be stored as to be searched for, under each key held, the primary one first.

        Store the first, and write it anew when a row is sealed anew. The caller normalises the identifier.
        """
        message = _fields(str(realm), identifier)
        return tuple(_mac(self._keys[key_id].identifier, message) for key_id in self.key_ids)

    def refresh_mac(self, key_id: int, session_id: uuid.UUID, generation: int) -> bytes:
        """Return the 32-byte inner MAC of a refresh token (see `tokens.finish_mac`). Raises UnknownKey."""
        return _mac(self._sub_keys(key_id).refresh, _fields(session_id, generation))

    def device_mac(self, key_id: int, device_id: uuid.UUID, generation: int) -> bytes:
        """Return the 32-byte inner MAC of a device token (see `tokens.finish_mac`). Raises UnknownKey."""
        return _mac(self._sub_keys(key_id).device, _fields(device_id, generation))

    def page_mac(self, key_id: int, scope: str, cursor: bytes) -> bytes:
        """Return the 32-byte MAC of a place in a list, `scope` naming the list (see `page_tokens`); or UnknownKey."""
        return _mac(self._sub_keys(key_id).page, _fields(scope, cursor))

    def caller_macs(self, caller_id: uuid.UUID, secret: str) -> tuple[bytes, ...]:
        """Return what a calling service's secret may be stored as, under each key, the primary one first (32 bytes).

        A plain hash could be written by whoever can write the table; this cannot.
        """
        message = _fields(caller_id, secret)
        return tuple(_mac(self._keys[key_id].caller, message) for key_id in self.key_ids)

    def captcha_secrets(self, realm: str) -> tuple[bytes, ...]:
        """Return what a realm's proof-of-work challenges are signed with, under each key, the primary one first.

        32 bytes each. What is solved for one realm is worth nothing in another.
        """
        return tuple(_mac(self._keys[key_id].captcha, _fields(realm)) for key_id in self.key_ids)

    def _sub_keys(self, key_id: int) -> _SubKeys:
        try:
            return self._keys[key_id]
        except KeyError:
            raise UnknownKey(f"no key of id {key_id}") from None


def _derive(master: bytes) -> _SubKeys:
    def sub_key(use: str) -> bytes:
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=f"twofold/v1/{use}".encode()).derive(master)

    return _SubKeys(
        seal=AESGCM(sub_key("seal")),
        code=sub_key("code"),
        identifier=sub_key("identifier"),
        refresh=sub_key("refresh"),
        device=sub_key("device"),
        page=sub_key("page"),
        caller=sub_key("caller"),
        captcha=sub_key("captcha"),
    )


def _fields(*fields: uuid.UUID | bytes | str | int) -> bytes:
    # Each field carries its kind and length, so that no two lists of fields share an encoding.
    encoded = bytearray()
    for field in fields:
        match field:
            case uuid.UUID():
                kind, raw = b"u", field.bytes
            case int():
                kind, raw = b"i", str(field).encode()
            case str():
                kind, raw = b"s", field.encode("utf-8", "surrogatepass")
            case _:
                kind, raw = b"b", field
        encoded += kind + len(raw).to_bytes(4, "big") + raw
    return bytes(encoded)


def _associated(header: bytes, place: Place) -> bytes:
    return _fields(header, place.table, place.column, place.realm, place.account, place.row)


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")
