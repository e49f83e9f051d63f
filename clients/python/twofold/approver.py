"""A phone that approves, in Python: paired once, then shown what it is asked, and answering by its own key.

The reference for apps of other languages, and what `twofold approver` runs. Needs `twofold[approver]`.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qs, urlsplit

from twofold.v1 import two_factor_pb2

try:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256
except ImportError as missing:
    raise ImportError("twofold.Approver needs the package cryptography: pip install 'twofold[approver]'") from missing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from twofold.client import Client

Algorithm = Literal["ES256", "Ed25519"]
_SERVICE = "/twofold.v1.TwoFactorService/"
_LOOK_ALIKES = str.maketrans("OIL", "011")
_CODE_CHARACTERS = 28


@dataclass(frozen=True)
class ApproverIdentity:
    """What a paired phone keeps: keep it as you keep a password."""

    approver_id: str
    realm_id: str
    realm_display_name: str
    account_email: str
    algorithm: str
    private_key: str = field(repr=False)
    """PKCS #8, PEM, not encrypted."""

    def to_json(self) -> str:
        """Write it down, private key included."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> ApproverIdentity:
        """Read what `to_json` wrote. Raises ValueError."""
        try:
            return cls(**json.loads(text))
        except TypeError:
            raise ValueError("not an approver's identity") from None


class Approver:
    """A paired phone. `client` carries its calls: that of the gateway which phones reach, whoever runs it."""

    def __init__(self, client: Client, identity: ApproverIdentity, *, clock: Callable[[], float] = time.time) -> None:
        """Take up an identity. `clock` gives seconds since 1970. Raises ValueError for a key that is none."""
        self._client = client
        self._clock = clock
        self.identity = identity
        self._key = _Key.from_pem(identity.private_key)

    @classmethod
    async def pair(
        cls,
        client: Client,
        pairing: str,
        *,
        name: str = "",
        wake_up_token: str = "",
        algorithm: Algorithm = "ES256",
        clock: Callable[[], float] = time.time,
    ) -> Approver:
        """Pair by the code or the URL that BeginEnrollment returned, with a new key.

        The phone may approve once the enrolment is finished. Raises ValueError for what is no code, and TwofoldError.
        """
        code, key = _pairing_code(pairing), _Key.new(algorithm)
        message = f"twofold-pair/1\n{code}\n{_base64url(key.public)}"
        paired = await client.two_factor.PairApprover(
            two_factor_pb2.PairApproverRequest(
                pairing_code=code,
                public_key=key.public,
                signature=key.sign(message.encode()),
                name=name,
                wake_up_token=wake_up_token,
            )
        )
        identity = ApproverIdentity(
            approver_id=paired.approver_id,
            realm_id=paired.realm_id,
            realm_display_name=paired.realm_display_name,
            account_email=paired.account_email,
            algorithm=paired.algorithm,
            private_key=key.pem,
        )
        return cls(client, identity, clock=clock)

    def __repr__(self) -> str:
        return f"<Approver {self.identity.approver_id}>"

    def proof(self, method: str) -> str:
        """Make a proof for one call of a method, such as `WatchApprovals`: metadata `twofold-approver`, for 60 s."""
        header = {"alg": self.identity.algorithm, "kid": self.identity.approver_id, "typ": "approver+jwt"}
        claims = {
            "sub": self.identity.approver_id,
            "realm": self.identity.realm_id,
            "method": f"{_SERVICE}{method}",
            "iat": int(self._clock()),
            "jti": secrets.token_urlsafe(24),
        }
        signed = f"{_json_segment(header)}.{_json_segment(claims)}"
        return f"{signed}.{_base64url(self._key.sign(signed.encode()))}"

    def watch(self) -> AsyncGenerator[two_factor_pb2.WatchApprovalsResponse, None]:
        """Open the stream of requests: what is open first, then what changes. Raises TwofoldError where it breaks."""
        return self._client.two_factor.WatchApprovals(
            two_factor_pb2.WatchApprovalsRequest(), approver=self.proof("WatchApprovals")
        )

    async def approve(self, request_id: str, number: str) -> None:
        """Approve with the number of the waiting screen. Raises InvalidSecondFactor for a wrong one, TwofoldError."""
        await self._answer(request_id, "APPROVE", "".join(number.split()))

    async def deny(self, request_id: str) -> None:
        """Deny. Raises TwofoldError."""
        await self._answer(request_id, "DENY", "")

    async def not_me(self, request_id: str) -> None:
        """Say that it was somebody else: ends the sign-in, and a session that came of it. Raises TwofoldError."""
        await self._answer(request_id, "NOT_ME", "")

    async def _answer(self, request_id: str, decision: str, number: str) -> None:
        lines = ("twofold-answer/1", self.identity.realm_id, self.identity.approver_id, request_id, decision, number)
        await self._client.two_factor.AnswerApproval(
            two_factor_pb2.AnswerApprovalRequest(
                request_id=request_id,
                decision=f"APPROVAL_DECISION_{decision}",
                number=number,
                signature=self._key.sign("\n".join(lines).encode()),
            ),
            approver=self.proof("AnswerApproval"),
        )


class _Key:
    """A private key of either kind."""

    def __init__(self, key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def new(cls, algorithm: Algorithm) -> _Key:
        if algorithm == "Ed25519":
            return cls(ed25519.Ed25519PrivateKey.generate())
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_pem(cls, pem: str) -> _Key:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
            raise ValueError("not a key of an approver")  # noqa: TRY004 what is wrong is the text
        return cls(key)

    @property
    def pem(self) -> str:
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode("ascii")

    @property
    def public(self) -> bytes:
        return self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, message: bytes) -> bytes:
        """Give 64 bytes: r and s for ES256."""
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(message)
        r, s = decode_dss_signature(self._key.sign(message, ec.ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _pairing_code(text: str) -> str:
    """Read a code as it was typed or scanned, or out of its URL."""
    if "://" in text:
        text = "".join(parse_qs(urlsplit(text).fragment).get("code", []))
    characters = "".join(text.replace("-", "").split()).upper().translate(_LOOK_ALIKES)
    if len(characters) != _CODE_CHARACTERS or not (characters.isascii() and characters.isalnum()):
        raise ValueError("not a pairing code: 28 characters in groups of four, or a URL that ends with them")
    return "-".join(characters[start : start + 4] for start in range(0, _CODE_CHARACTERS, 4))


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _json_segment(value: Mapping[str, object]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())
