import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from twofold_server.crypto import base64url
from twofold_server.crypto.signing_keys import BadKey, SigningKey, VerificationKey

KEY = SigningKey.generate("key-1")


def test_a_signature_is_of_one_message_and_key() -> None:
    """A signature is 64 bytes, and right for its message and key alone."""
    signature = KEY.signature(b"message")
    public = KEY.verification_key()
    assert len(signature) == 64
    assert public.matches(b"message", signature)
    assert not public.matches(b"other", signature)
    assert not SigningKey.generate().verification_key().matches(b"message", signature)


def test_a_signature_of_another_length_is_wrong() -> None:
    """A longer spelling of the same two numbers is not taken, though as numbers they would be right."""
    signature = KEY.signature(b"message")
    public = KEY.verification_key()
    assert not public.matches(b"message", signature[:32] + b"\0" + signature[32:])
    assert not public.matches(b"message", signature[:-1])
    assert not public.matches(b"message", b"")


def test_keys_keep_through_their_encodings() -> None:
    """Private and public keys read back from PKCS #8 and SubjectPublicKeyInfo, and still belong together."""
    again = SigningKey.from_pkcs8(KEY.kid, KEY.pkcs8())
    public = VerificationKey.from_spki(KEY.kid, KEY.verification_key().spki())
    assert public.matches(b"message", again.signature(b"message"))


def test_a_jwk_is_what_verifiers_expect() -> None:
    """The JWK has exactly the public members, and coordinates of 32 bytes."""
    jwk = SigningKey.generate().verification_key().jwk()
    assert jwk.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert (jwk["kty"], jwk["crv"], jwk["use"], jwk["alg"]) == ("EC", "P-256", "sig", "ES256")
    assert [len(base64url.decode(jwk[name]) or b"") for name in "xy"] == [32, 32]


def test_thumbprints_are_those_of_rfc_7638() -> None:
    """A new key is named by SHA-256 over its required members, in their order and without white space."""
    key = SigningKey.generate()
    jwk = key.verification_key().jwk()
    text = f'{{"crv":"P-256","kty":"EC","x":"{jwk["x"]}","y":"{jwk["y"]}"}}'
    assert base64url.encode(hashlib.sha256(text.encode()).digest()) == key.kid == jwk["kid"]


def test_only_keys_on_p256_are_taken() -> None:
    """Keys of other kinds and curves, junk, and impossible kids are refused, unquoted."""
    for key in (ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()):
        private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        with pytest.raises(BadKey):
            SigningKey.from_pkcs8("kid", private)
        with pytest.raises(BadKey):
            VerificationKey.from_spki("kid", public)
    with pytest.raises(BadKey):
        SigningKey.from_pkcs8("kid", b"junk")
    with pytest.raises(BadKey):
        VerificationKey.from_spki("kid", b"junk")
    with pytest.raises(BadKey):
        SigningKey.generate("a b")


def test_no_repr_shows_a_key() -> None:
    """Keys are shown by their kid alone."""
    assert repr(KEY) == f"SigningKey(kid='{KEY.kid}')"
