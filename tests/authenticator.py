"""An authenticator in software, with the browser around it: makes passkeys, signs with them, and lies as it is told."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

Algorithm = Literal["ES256", "EdDSA", "RS256"]
ALGORITHMS: Final[tuple[Algorithm, ...]] = ("ES256", "EdDSA", "RS256")
PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

PRESENT, VERIFIED, ELIGIBLE, BACKED_UP, CREDENTIAL, EXTENSIONS = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80


def b64(raw: bytes) -> str:
    """Base64url without padding, as browsers write it."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """Read base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass(frozen=True, slots=True)
class Lies:
    """What an answer says that is not so; None and False tell the truth."""

    type: Any = None
    origin: Any = None
    challenge: Any = None
    rp_id: str | None = None
    cross_origin: Any = None
    top_origin: Any = None
    present: bool = True
    verified: bool = True
    flags: int | None = None
    sign_count: int | None = None
    user_handle: bytes | None = None
    no_user_handle: bool = False
    credential_id: bytes | None = None
    foreign_key: bool = False
    bad_signature: bool = False
    client_data: bytes | None = None
    authenticator_data: bytes | None = None
    attestation: bytes | None = None
    cose_key: Any = None
    fmt: Any = "none"  # "self": packed, signed by the passkey itself
    statement: Any = field(default_factory=dict)


HONEST: Final = Lies()


@dataclass(slots=True)
class Passkey:
    """A passkey of the authenticator's."""

    credential_id: bytes
    key: PrivateKey
    rp_id: str
    user_handle: bytes
    sign_count: int = 0


class Authenticator:
    """Holds passkeys, and answers a browser's questions on a page of `origin`.

    `synced`: its passkeys may be on several devices (backup eligible and backed up). `counts`: it has a counter.
    """

    def __init__(
        self, origin: str, *, algorithm: Algorithm = "ES256", synced: bool = False, counts: bool = True
    ) -> None:
        self.origin = origin
        self.algorithm = algorithm
        self.synced = synced
        self.counts = counts
        self.passkeys: dict[bytes, Passkey] = {}

    def create(self, options_json: str, lies: Lies = HONEST) -> str:
        """Answer `navigator.credentials.create()`. Raises ValueError where it has one of the excluded already."""
        options = json.loads(options_json)
        if any(unb64(known["id"]) in self.passkeys for known in options["excludeCredentials"]):
            raise ValueError("InvalidStateError")
        passkey = Passkey(
            secrets.token_bytes(32), new_key(self.algorithm), options["rp"]["id"], unb64(options["user"]["id"])
        )
        self.passkeys[passkey.credential_id] = passkey
        shown = lies.credential_id or passkey.credential_id
        public = cose_key(passkey.key) if lies.cose_key is None else lies.cose_key
        encoded = public if isinstance(public, bytes) else cbor2.dumps(public)
        data = self._data(passkey, CREDENTIAL, lies) + bytes(16) + len(shown).to_bytes(2, "big") + shown + encoded
        client_data = self._client_data("webauthn.create", options["challenge"], lies)
        fmt, statement = lies.fmt, lies.statement
        if fmt == "self":
            signer = new_key(self.algorithm) if lies.foreign_key else passkey.key
            signature = sign(signer, data + hashlib.sha256(client_data).digest())
            fmt, statement = "packed", {"alg": cose_key(passkey.key)[3], "sig": signature}
        attestation = {
            "fmt": fmt,
            "attStmt": statement,
            "authData": data if lies.authenticator_data is None else lies.authenticator_data,
        }
        return _credential(
            shown,
            {
                "clientDataJSON": b64(client_data),
                "attestationObject": b64(cbor2.dumps(attestation) if lies.attestation is None else lies.attestation),
                "transports": ["internal", "hybrid"],
            },
        )

    def get(self, options_json: str, lies: Lies = HONEST) -> str:
        """Answer `navigator.credentials.get()` with an allowed passkey, or the newest of the rp. Raises ValueError."""
        options = json.loads(options_json)
        allowed = [unb64(one["id"]) for one in options.get("allowCredentials", ())] or list(reversed(self.passkeys))
        passkey = next(
            (self.passkeys[id] for id in allowed if id in self.passkeys and self.passkeys[id].rp_id == options["rpId"]),
            None,
        )
        if passkey is None:
            raise ValueError("NotAllowedError")
        if self.counts:
            passkey.sign_count += 1
        data = self._data(passkey, 0, lies) if lies.authenticator_data is None else lies.authenticator_data
        client_data = self._client_data("webauthn.get", options["challenge"], lies)
        key = new_key(self.algorithm) if lies.foreign_key else passkey.key
        signature = sign(key, data + hashlib.sha256(client_data).digest())
        if lies.bad_signature:
            signature = signature[:-1] + bytes([signature[-1] ^ 1])
        response = {
            "clientDataJSON": b64(client_data),
            "authenticatorData": b64(data),
            "signature": b64(signature),
        }
        if not lies.no_user_handle:
            response["userHandle"] = b64(lies.user_handle or passkey.user_handle)
        return _credential(lies.credential_id or passkey.credential_id, response)

    def _client_data(self, kind: str, challenge: str, lies: Lies) -> bytes:
        if lies.client_data is not None:
            return lies.client_data
        said = {
            "type": lies.type or kind,
            "challenge": challenge if lies.challenge is None else lies.challenge,
            "origin": self.origin if lies.origin is None else lies.origin,
            "crossOrigin": False if lies.cross_origin is None else lies.cross_origin,
        }
        if lies.top_origin is not None:
            said["topOrigin"] = lies.top_origin
        return json.dumps(said).encode()

    def _data(self, passkey: Passkey, flags: int, lies: Lies) -> bytes:
        flags |= PRESENT * lies.present | VERIFIED * lies.verified | (ELIGIBLE | BACKED_UP) * self.synced
        rp_id = passkey.rp_id if lies.rp_id is None else lies.rp_id
        count = passkey.sign_count if lies.sign_count is None else lies.sign_count
        return (
            hashlib.sha256(rp_id.encode()).digest()
            + bytes([flags if lies.flags is None else lies.flags])
            + count.to_bytes(4, "big")
        )


def new_key(algorithm: Algorithm) -> PrivateKey:
    """A private key for an algorithm."""
    match algorithm:
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "EdDSA":
            return ed25519.Ed25519PrivateKey.generate()
        case "RS256":
            return rsa.generate_private_key(65537, 2048)


def cose_key(key: PrivateKey) -> dict[int, Any]:
    """The public part as a COSE key."""
    match key:
        case ec.EllipticCurvePrivateKey():
            point = key.public_key().public_numbers()
            return {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
        case ed25519.Ed25519PrivateKey():
            return {1: 1, 3: -8, -1: 6, -2: key.public_key().public_bytes_raw()}
        case rsa.RSAPrivateKey():
            return {1: 3, 3: -257, -1: key.public_key().public_numbers().n.to_bytes(256, "big"), -2: b"\x01\x00\x01"}


def sign(key: PrivateKey, message: bytes) -> bytes:
    """Sign as the key's algorithm does."""
    match key:
        case ec.EllipticCurvePrivateKey():
            return key.sign(message, ec.ECDSA(SHA256()))
        case ed25519.Ed25519PrivateKey():
            return key.sign(message)
        case rsa.RSAPrivateKey():
            return key.sign(message, padding.PKCS1v15(), SHA256())


def altered(credential_json: str, **changes: Any) -> str:
    """A credential's JSON with fields of it, or of its response, put in place of its own; `None` takes one out."""
    credential = json.loads(credential_json)
    for name, value in changes.items():
        place = credential["response"] if name in credential["response"] else credential
        if value is None:
            place.pop(name, None)
        else:
            place[name] = value
    return json.dumps(credential)


def lying(**lies: Any) -> Lies:
    """Some lies."""
    return replace(HONEST, **lies)


def _credential(credential_id: bytes, response: dict[str, Any]) -> str:
    return json.dumps({
        "id": b64(credential_id),
        "rawId": b64(credential_id),
        "type": "public-key",
        "authenticatorAttachment": "platform",
        "clientExtensionResults": {},
        "response": response,
    })  # fmt: skip
