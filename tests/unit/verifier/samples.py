"""A judge with its vectors' keys, clocks that are moved by hand, and messages of a stream."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from twofold import SessionEnded, VerifierNotReady
from twofold.judging import Judge
from twofold.v1 import session_pb2

VECTORS = Path(__file__).parents[3] / "clients" / "vectors"
ACCESS_TOKENS: dict[str, Any] = json.loads((VECTORS / "access_tokens.json").read_text(encoding="ascii"))
REVOCATIONS: dict[str, Any] = json.loads((VECTORS / "revocations.json").read_text(encoding="ascii"))
CASES: list[dict[str, Any]] = ACCESS_TOKENS["cases"]
NOW: int = ACCESS_TOKENS["now"]
REALM: str = ACCESS_TOKENS["realm_id"]
AUDIENCE: str = ACCESS_TOKENS["audience"]
GOOD: str = CASES[0]["token"]
CLAIMS: dict[str, Any] = CASES[0]["claims"]


@dataclass
class Clocks:
    """The time as two clocks tell it."""

    wall: float = NOW
    steady: float = 1000.0

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.wall += seconds
        self.steady += seconds


@dataclass
class Bench:
    """A judge under test, and how often it asked for keys."""

    clocks: Clocks
    fetches: list[float] = field(default_factory=list)
    leeway: float = 0.0
    cache_size: int = 100

    def __post_init__(self) -> None:
        self.judge = Judge(
            REALM,
            AUDIENCE,
            leeway=self.leeway,
            silence=5.0,
            cache_size=self.cache_size,
            clock=lambda: self.clocks.wall,
            monotonic=lambda: self.clocks.steady,
            fetch_keys=lambda: self.fetches.append(self.clocks.steady),
        )

    def ready(self) -> Bench:
        """Give it keys and an empty snapshot."""
        self.judge.take_keys(key_set())
        self.stream = self.judge.open_stream()
        self.tell(reset=True)
        return self

    def tell(self, *revocations: session_pb2.Revocation, reset: bool = False, current: bool = True) -> None:
        """The next message of its stream, sent now."""
        self.stream.take(message(self.clocks.wall, *revocations, reset=reset, current=current))


def reason_of(bench: Bench, token: str = GOOD) -> str:
    """Why a token is refused; empty if it is not."""
    try:
        bench.judge.verify(token)
    except SessionEnded as error:
        return error.reason
    except VerifierNotReady:
        return "NOT_READY"
    return ""


def decoded(text: str) -> bytes:
    """Base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def key_set(*kids: str, **fields: str | list[str]) -> session_pb2.GetSigningKeysResponse:
    """The vectors' keys, or those of these ids."""
    keys = [
        session_pb2.SigningKey(key_id=jwk["kid"], x=decoded(jwk["x"]), y=decoded(jwk["y"]))
        for jwk in ACCESS_TOKENS["keys"]
        if not kids or jwk["kid"] in kids
    ]
    given: dict[str, Any] = {"issuer": ACCESS_TOKENS["issuer"], "audiences": ["shop", AUDIENCE]} | fields
    return session_pb2.GetSigningKeysResponse(keys=keys, **given)


def message(
    time: float, *revocations: session_pb2.Revocation, reset: bool = False, current: bool = True, resume: str = "1.1"
) -> session_pb2.WatchRevocationsResponse:
    """A message that the server sent at a time."""
    sent = session_pb2.WatchRevocationsResponse(
        revocations=revocations, reset=reset, current=current, resume_token=resume if current else ""
    )
    sent.server_time.FromMilliseconds(round(time * 1000))
    return sent


def revocation(kind: str, subject: str, *, epoch: int = 0, expires: float = NOW + 960) -> session_pb2.Revocation:
    """A revocation in the vectors' realm."""
    row = session_pb2.Revocation(
        realm_id=REALM,
        kind=f"REVOCATION_KIND_{kind}",
        subject=subject,
        epoch=epoch,
    )
    row.expire_time.FromMilliseconds(round(expires * 1000))
    return row


def parsed(spelled: dict[str, Any]) -> session_pb2.WatchRevocationsResponse:
    """A message as the vectors spell it."""
    return json_format.ParseDict(spelled, session_pb2.WatchRevocationsResponse())
