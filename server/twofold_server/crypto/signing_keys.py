"""Keys that sign access tokens: ECDSA on P-256, named by their RFC 7638 thumbprint unless told otherwise."""

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from twofold_server.crypto import base64url

_COORDINATE_BYTES: Final = 32
SIGNATURE_BYTES: Final = 2 * _COORDINATE_BYTES
_KID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_ES256: Final = ec.ECDSA(SHA256())


class BadKey(ValueError):
    """The key is not one on P-256, or cannot be read."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key under which access tokens are accepted."""

    kid: str
    public_key: ec.EllipticCurvePublicKey = field(repr=False)

    def __post_init__(self) -> None:
        if not _KID.fullmatch(self.kid):
            raise BadKey("a kid is 1 to 64 characters of A-Z, a-z, 0-9, - and _")
        if not isinstance(self.public_key.curve, ec.SECP256R1):
            raise BadKey("the key is not on P-256")

    @classmethod
    def from_spki(cls, kid: str, der: bytes) -> "VerificationKey":
        """Read a SubjectPublicKeyInfo (DER). Raises BadKey."""
        try:
            key = load_der_public_key(der)
        except (ValueError, UnsupportedAlgorithm):
            raise BadKey("not a public key in DER") from None
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise BadKey("the key is not on P-256")
        return cls(kid, key)

    def spki(self) -> bytes:
        """Return the key as SubjectPublicKeyInfo (DER)."""
        return self.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def jwk(self) -> dict[str, str]:
        """Return the key as a JWK (RFC 7517): kty, crv, x, y, kid, use and alg."""
        return {**_coordinates(self.public_key), "kid": self.kid, "use": "sig", "alg": "ES256"}

    def coordinates(self) -> tuple[bytes, bytes]:
        """Return x and y, 32 bytes each, big-endian."""
        numbers = self.public_key.public_numbers()
        return numbers.x.to_bytes(_COORDINATE_BYTES, "big"), numbers.y.to_bytes(_COORDINATE_BYTES, "big")

    def matches(self, message: bytes, signature: bytes) -> bool:
        """Say whether `signature` (64 bytes, r then s) is this key's on `message`."""
        if len(signature) != SIGNATURE_BYTES:
            return False
        r = int.from_bytes(signature[:_COORDINATE_BYTES], "big")
        s = int.from_bytes(signature[_COORDINATE_BYTES:], "big")
        try:
            self.public_key.verify(encode_dss_signature(r, s), message, _ES256)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key that signs access tokens."""

    kid: str
    private_key: ec.EllipticCurvePrivateKey = field(repr=False)

    def __post_init__(self) -> None:
        if not _KID.fullmatch(self.kid):
            raise BadKey("a kid is 1 to 64 characters of A-Z, a-z, 0-9, - and _")
        if not isinstance(self.private_key.curve, ec.SECP256R1):
            raise BadKey("the key is not on P-256")

    @classmethod
    def generate(cls, kid: str | None = None) -> "SigningKey":
        """Make a new key, by default named by its thumbprint (RFC 7638)."""
        key = ec.generate_private_key(ec.SECP256R1())
        return cls(thumbprint(key.public_key()) if kid is None else kid, key)

    @classmethod
    def from_pkcs8(cls, kid: str, der: bytes) -> "SigningKey":
        """Read an unencrypted PKCS #8 key (DER). Raises BadKey, which quotes nothing of it."""
        try:
            key = load_der_private_key(der, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise BadKey("not a private key in PKCS #8") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise BadKey("the key is not on P-256")
        return cls(kid, key)

    def pkcs8(self) -> bytes:
        """Return the private key as PKCS #8 (DER), unencrypted: seal it before it is stored."""
        return self.private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    def verification_key(self) -> VerificationKey:
        """Return the public half."""
        return VerificationKey(self.kid, self.private_key.public_key())

    def signature(self, message: bytes) -> bytes:
        """Sign `message`: 64 bytes, r then s (RFC 7518 section 3.4)."""
        r, s = decode_dss_signature(self.private_key.sign(message, _ES256))
        return r.to_bytes(_COORDINATE_BYTES, "big") + s.to_bytes(_COORDINATE_BYTES, "big")


def thumbprint(key: ec.EllipticCurvePublicKey) -> str:
    """Return the key's RFC 7638 thumbprint: SHA-256 over its required members, 43 base64url characters."""
    canonical = json.dumps(_coordinates(key), sort_keys=True, separators=(",", ":"))
    return base64url.encode(hashlib.sha256(canonical.encode("ascii")).digest())


def _coordinates(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    numbers = key.public_numbers()
    x, y = (base64url.encode(number.to_bytes(_COORDINATE_BYTES, "big")) for number in (numbers.x, numbers.y))
    return {"crv": "P-256", "kty": "EC", "x": x, "y": y}
