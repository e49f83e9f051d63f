"""Stored password hashes: reading them against ceilings, making and checking them; blocking, see `hash_engine`."""

import base64
import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import Final, Literal

import bcrypt
from argon2.exceptions import VerifyMismatchError
from argon2.low_level import ARGON2_VERSION, Type, hash_secret, verify_secret

_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32
# Argon2 obeys what is stored, so one imported row could ask for gigabytes and seconds at every attempt.
_MAX_MEMORY_KIB: Final = 64 * 1024
_MAX_TIME_COST: Final = 10
_MAX_PARALLELISM: Final = 4
_MAX_BCRYPT_COST: Final = 14
_MIN_BCRYPT_COST: Final = 4
_BCRYPT_BYTES: Final = 72
_BCRYPT_TAG_CHARACTERS: Final = 31
_MAX_STORED_CHARACTERS: Final = 256
_ARGON2ID: Final = re.compile(
    r"\$argon2id\$v=19\$m=(?P<memory>[1-9][0-9]{0,9}),t=(?P<time>[1-9][0-9]{0,9}),p=(?P<lanes>[1-9][0-9]{0,7})"
    r"\$(?P<salt>[A-Za-z0-9+/]{11,86})\$(?P<tag>[A-Za-z0-9+/]{22,86})",
    re.ASCII,
)
# 2x marks hashes of an implementation with a broken key schedule; 2a, 2b and 2y are computed alike here.
_BCRYPT: Final = re.compile(
    r"\$2[aby]\$(?P<cost>[0-9]{2})\$(?P<salt>[./A-Za-z0-9]{22})(?P<tag>[./A-Za-z0-9]{31})", re.ASCII
)
_BCRYPT_ALPHABET: Final = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class PasswordHashError(ValueError):
    """A stored hash is not one to be computed; the text quotes nothing of it."""


class UnsupportedHash(PasswordHashError):
    """Neither an Argon2id (version 19) string nor a bcrypt one ($2a$, $2b$, $2y$), or malformed."""


class AbsurdCost(PasswordHashError):
    """Costs more than Argon2 of 64 MiB, 10 passes and 4 lanes, or bcrypt of cost 14."""


@dataclass(frozen=True, slots=True)
class HashParameters:
    """What an Argon2id hash costs (RFC 9106). The defaults are OWASP's: 19 MiB, two passes, one lane."""

    memory_kib: int = 19456
    time_cost: int = 2
    parallelism: int = 1

    def __post_init__(self) -> None:
        if not (
            8 * self.parallelism <= self.memory_kib <= _MAX_MEMORY_KIB
            and 1 <= self.time_cost <= _MAX_TIME_COST
            and 1 <= self.parallelism <= _MAX_PARALLELISM
        ):
            raise AbsurdCost("Argon2id parameters out of range")


@dataclass(frozen=True, slots=True)
class BcryptCost:
    """What a bcrypt hash costs: 2^`cost` rounds."""

    cost: int

    def __post_init__(self) -> None:
        if not _MIN_BCRYPT_COST <= self.cost <= _MAX_BCRYPT_COST:
            raise AbsurdCost("bcrypt cost out of range")


@dataclass(frozen=True, slots=True)
class StoredHash:
    """A stored hash that was read and found payable."""

    scheme: Literal["argon2id", "bcrypt"]
    parameters: HashParameters | BcryptCost
    text: bytes = field(repr=False)


def parse_stored(stored: bytes | str) -> StoredHash:
    """Read an Argon2id or bcrypt string before any work is done for it. Raises UnsupportedHash or AbsurdCost."""
    try:
        text = stored if isinstance(stored, str) else stored.decode("ascii")
    except UnicodeDecodeError:
        raise UnsupportedHash("not a password hash") from None
    if len(text) > _MAX_STORED_CHARACTERS:
        raise UnsupportedHash("not a password hash")
    if found := _ARGON2ID.fullmatch(text):
        if not (_is_canonical(found["salt"]) and _is_canonical(found["tag"])):
            raise UnsupportedHash("an Argon2id hash with malformed base64")
        argon2 = HashParameters(int(found["memory"]), int(found["time"]), int(found["lanes"]))
        return StoredHash("argon2id", argon2, text.encode("ascii"))
    if found := _BCRYPT.fullmatch(text):
        return StoredHash("bcrypt", BcryptCost(int(found["cost"])), text.encode("ascii"))
    raise UnsupportedHash("not an Argon2id or bcrypt hash of a supported form")


def make_hash(password: str, parameters: HashParameters) -> bytes:
    """Hash an NFC-normalised password with Argon2id; blocks for tens of milliseconds, the GIL released."""
    return hash_secret(
        secret=_encode(password),
        salt=secrets.token_bytes(_SALT_BYTES),
        time_cost=parameters.time_cost,
        memory_cost=parameters.memory_kib,
        parallelism=parameters.parallelism,
        hash_len=_HASH_BYTES,
        type=Type.ID,
        version=ARGON2_VERSION,
    )


def check_hash(stored: StoredHash, password: str) -> bool:
    """Say whether an NFC-normalised password is the one hashed; blocks like `make_hash`, compares in constant time."""
    secret = _encode(password)
    if stored.scheme == "bcrypt":
        return _check_bcrypt(stored.text, secret)
    try:
        return verify_secret(stored.text, secret, Type.ID)
    except VerifyMismatchError:
        return False


def decoy(parameters: HashParameters | BcryptCost) -> StoredHash:
    """Return a hash of these parameters that no password matches: checking it costs what a real one's check costs."""
    if isinstance(parameters, BcryptCost):
        # Random characters in the tag's place: a match is as likely as a collision of 2^-184.
        tag = "".join(secrets.choice(_BCRYPT_ALPHABET) for _ in range(_BCRYPT_TAG_CHARACTERS))
        return parse_stored(bcrypt.gensalt(parameters.cost) + tag.encode("ascii"))
    salt, tag = (
        base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode("ascii") for size in (_SALT_BYTES, _HASH_BYTES)
    )
    costs = f"m={parameters.memory_kib},t={parameters.time_cost},p={parameters.parallelism}"
    return parse_stored(f"$argon2id$v={ARGON2_VERSION}${costs}${salt}${tag}")


def is_outdated(stored: StoredHash, parameters: HashParameters) -> bool:
    """Say whether a sign-in should replace the hash: another scheme, or other parameters in either direction."""
    return stored.parameters != parameters


def _check_bcrypt(stored: bytes, secret: bytes) -> bool:
    # Implementations differ in the four unused bits of the salt's last character; the library refuses any but zero.
    last = _BCRYPT_ALPHABET[_BCRYPT_ALPHABET.index(chr(stored[28])) & 0x30]
    salt = stored[:28] + last.encode("ascii")
    # Whoever made the hash cut the password at 72 bytes. One with a NUL was cut there, so no such password is known to
    # have been the one hashed; the work is done all the same, as its absence could be timed.
    computed = bcrypt.hashpw(secret[:_BCRYPT_BYTES].replace(b"\0", b" "), salt)
    equal = hmac.compare_digest(computed[-_BCRYPT_TAG_CHARACTERS:], stored[-_BCRYPT_TAG_CHARACTERS:])
    return equal and b"\0" not in secret


def _encode(password: str) -> bytes:
    try:
        return password.encode("utf-8")
    except UnicodeEncodeError:
        # The codec's own error quotes the password.
        raise ValueError("a password that is not Unicode text") from None


def _is_canonical(text: str) -> bool:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        return False
    return base64.b64encode(raw).rstrip(b"=").decode("ascii") == text
