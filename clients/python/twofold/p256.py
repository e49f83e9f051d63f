"""ES256 signatures: ECDSA on P-256 with SHA-256 (RFC 7518 section 3.4). The one module that needs `cryptography`."""

from __future__ import annotations

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256
except ImportError as missing:
    raise ImportError("twofold.Verifier needs the package cryptography: pip install 'twofold[verifier]'") from missing

COORDINATE_BYTES = 32
SIGNATURE_BYTES = 2 * COORDINATE_BYTES
_ES256 = ec.ECDSA(SHA256())


class PublicKey:
    """A public key by its coordinates, 32 bytes each, big-endian. Raises ValueError for no point on P-256."""

    __slots__ = ("_verify",)

    def __init__(self, x: bytes, y: bytes) -> None:
        if len(x) != COORDINATE_BYTES or len(y) != COORDINATE_BYTES:
            raise ValueError("a coordinate on P-256 has 32 bytes")
        # Checks that the point is on the curve: one that is not would leak or forge.
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + x + y)
        self._verify = key.verify

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Say whether `signature` (64 bytes, r then s) is this key's on `message`."""
        r = int.from_bytes(signature[:COORDINATE_BYTES], "big")
        s = int.from_bytes(signature[COORDINATE_BYTES:], "big")
        try:
            self._verify(encode_dss_signature(r, s), message, _ES256)
        except InvalidSignature:
            return False
        return True
