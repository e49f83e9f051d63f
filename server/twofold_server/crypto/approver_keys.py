"""The keys of approvers: ES256 (P-256, RFC 7518 section 3.4) or Ed25519 (RFC 8032), one for each pairing."""

from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

ES256: Final = "ES256"
ED25519: Final = "Ed25519"
MAX_KEY_BYTES: Final = 256
SIGNATURE_BYTES: Final = 64
_ECDSA: Final = ec.ECDSA(SHA256())


@dataclass(frozen=True, slots=True)
class ApproverKey:
    """A public key; the algorithm follows from it, so that no header ever chooses one."""

    algorithm: str
    der: bytes
    _key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey = field(repr=False)

    @classmethod
    def parse(cls, der: bytes) -> "ApproverKey":
        """Read SubjectPublicKeyInfo in its one DER spelling, of at most 256 bytes. Raises ValueError."""
        if not der:
            raise ValueError("Required.")
        if len(der) > MAX_KEY_BYTES:
            raise ValueError(f"Longer than {MAX_KEY_BYTES} bytes.")
        try:
            key = serialization.load_der_public_key(der)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise ValueError("Not a public key: SubjectPublicKeyInfo, DER.") from None
        if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
            algorithm = ES256
        elif isinstance(key, ed25519.Ed25519PublicKey):
            algorithm = ED25519
        else:
            raise ValueError("Not a key on P-256 or of Ed25519.")  # noqa: TRY004 (a value of the wire)
        spelled = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        if spelled != der:
            raise ValueError("Not in its one DER spelling: an uncompressed point, and nothing after it.")
        return cls(algorithm, der, key)

    def matches(self, message: bytes, signature: bytes) -> bool:
        """Say whether `signature` (64 bytes; r then s for ES256) is this key's over `message`."""
        if len(signature) != SIGNATURE_BYTES:
            return False
        try:
            if isinstance(self._key, ec.EllipticCurvePublicKey):
                r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
                self._key.verify(encode_dss_signature(r, s), message, _ECDSA)
            else:
                self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True
