"""The throwaway keys of the vectors, and tokens signed with them."""  # noqa: INP001

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

REALM = "default"
ISSUER = f"https://auth.example.com/{REALM}"
AUDIENCE = "billing"
NOW = 1_772_366_400  # 2026-03-01T12:00:00Z
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
# RFC 6979: no random number in a signature, so that the files come out the same.
ES256 = ec.ECDSA(SHA256(), deterministic_signing=True)


class Signer:
    """A throwaway key, made from its own name: it guards nothing."""

    def __init__(self, kid: str) -> None:
        self.kid = kid
        seed = int.from_bytes(hashlib.sha256(f"twofold test vectors, {kid}".encode()).digest(), "big")
        self._key = ec.derive_private_key(seed % (ORDER - 1) + 1, ec.SECP256R1())
        numbers = self._key.public_key().public_numbers()
        self.jwk = {
            "kty": "EC",
            "crv": "P-256",
            "x": b64(numbers.x.to_bytes(32, "big")),
            "y": b64(numbers.y.to_bytes(32, "big")),
            "kid": kid,
            "use": "sig",
            "alg": "ES256",
        }

    def spki(self) -> bytes:
        """The public key as SubjectPublicKeyInfo."""
        return self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def der(self, message: str) -> bytes:
        """A signature in DER."""
        return self._key.sign(message.encode(), ES256)

    def raw(self, message: str) -> bytes:
        """A signature as r then s, 32 bytes each."""
        r, s = decode_dss_signature(self.der(message))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def b64(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


KEY, SECOND, FOREIGN = Signer("key-1"), Signer("key-2"), Signer("foreign")
HEADER = {"alg": "ES256", "typ": "at+jwt", "kid": KEY.kid}
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "019cbf00-0000-7000-8000-00000000000a",
    "aud": AUDIENCE,
    "client_id": "web",
    "jti": "019cbf00-0000-7000-8000-00000000000b",
    "sid": "019cbf00-0000-7000-8000-00000000000c",
    "epoch": 4,
    "amr": ["pwd", "otp", "mfa"],
    "aal": 2,
    "iat": NOW - 60,
    "exp": NOW + 240,
    "auth_time": NOW - 3600,
    "second_factor_time": NOW - 3590,
}


def part(value: object) -> str:
    """A segment: bytes and text as they stand, anything else as JSON."""
    if isinstance(value, bytes):
        return b64(value)
    return b64((value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))).encode())


def token(header: object = HEADER, payload: object = CLAIMS, signer: Signer = KEY) -> str:
    """Signed as whoever holds the key could."""
    signed = f"{part(header)}.{part(payload)}"
    return f"{signed}.{b64(signer.raw(signed))}"


def without(name: str) -> dict[str, Any]:
    """The claims but one."""
    return {key: value for key, value in CLAIMS.items() if key != name}
