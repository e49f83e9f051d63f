"""What an approver proves itself with: a JWT by its own key for one method, good once within 60 s (RFC 7519, 8725)."""

import hashlib
import json
import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from twofold_server.crypto import base64url
from twofold_server.crypto.approver_keys import SIGNATURE_BYTES, ApproverKey

MAX_PROOF_CHARACTERS: Final = 2048
LIFETIME: Final = timedelta(seconds=60)
LEEWAY: Final = timedelta(seconds=30)
_TYPE: Final = "approver+jwt"
_JTI: Final = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)
_MAX_SECONDS: Final = 253_402_300_799


class InvalidProof(Exception):
    """Not a proof of this approver for this method at this time; the text says why, for a log alone."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that was read, not yet believed: `judge` says whether a key made it."""

    approver_id: uuid.UUID
    algorithm: str
    realm_id: str
    method: str
    issue_time: datetime
    hash: bytes = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def expire_time(self) -> datetime:
        """From when on it is refused for its age: it must be remembered as used until then, and no longer."""
        return self.issue_time + LIFETIME + LEEWAY


def read(text: str) -> Proof:
    """Take a proof apart: exactly the documented header and claims, nothing else in either. Raises InvalidProof."""
    if len(text) > MAX_PROOF_CHARACTERS:
        raise InvalidProof("too long")
    segments = text.split(".")
    if len(segments) != 3:
        raise InvalidProof("not three segments")
    header, claims = _object(segments[0]), _object(segments[1])
    signature = base64url.decode(segments[2])
    if signature is None or len(signature) != SIGNATURE_BYTES:
        raise InvalidProof("signature malformed")
    # Exactly these: no jku, jwk, x5u, x5c or crit may name a key or a rule.
    if header.keys() != {"alg", "kid", "typ"} or header["typ"] != _TYPE:
        raise InvalidProof("header not exactly alg, kid and typ")
    if claims.keys() != {"sub", "realm", "method", "iat", "jti"} or claims["sub"] != header["kid"]:
        raise InvalidProof("claims not exactly sub, realm, method, iat and jti")
    issued, jti = claims["iat"], claims["jti"]
    if type(issued) is not int or not 0 <= issued <= _MAX_SECONDS:
        raise InvalidProof("iat malformed")
    if not isinstance(jti, str) or not _JTI.fullmatch(jti):
        raise InvalidProof("jti malformed")
    algorithm, realm_id, method = header["alg"], claims["realm"], claims["method"]
    if not (isinstance(algorithm, str) and isinstance(realm_id, str) and isinstance(method, str)):
        raise InvalidProof("a claim is no text")
    return Proof(
        approver_id=_uuid(claims["sub"]),
        algorithm=algorithm,
        realm_id=realm_id,
        method=method,
        issue_time=datetime.fromtimestamp(issued, UTC),
        hash=hashlib.sha256(jti.encode("ascii")).digest(),
        signed=f"{segments[0]}.{segments[1]}".encode("ascii"),
        signature=signature,
    )


def judge(proof: Proof, key: ApproverKey, *, realm_id: str, method: str, now: datetime) -> None:
    """Demand that `key` made the proof for this realm and method, not long ago.

    Whether it was used before is for the database to say. Raises InvalidProof.
    """
    if proof.algorithm != key.algorithm:
        raise InvalidProof("another algorithm than the key's")
    if not key.matches(proof.signed, proof.signature):
        raise InvalidProof("signature wrong")
    if proof.realm_id != realm_id or proof.method != method:
        raise InvalidProof("for another realm or method")
    if proof.issue_time > now + LEEWAY:
        raise InvalidProof("from the future")
    if proof.expire_time <= now:
        raise InvalidProof("too old")


def _object(segment: str) -> dict[str, object]:
    raw = base64url.decode(segment) if segment.isascii() else None
    if raw is None:
        raise InvalidProof("not base64url")
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError):
        raise InvalidProof("not JSON") from None
    if not isinstance(value, dict):
        raise InvalidProof("not a JSON object")
    return value


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # Of two values for one name every reader would choose its own.
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name stands twice")
    return value


def _uuid(text: object) -> uuid.UUID:
    try:
        value = uuid.UUID(text) if isinstance(text, str) else None
    except ValueError:
        value = None
    if value is None or str(value) != text:
        raise InvalidProof("sub malformed")
    return value
