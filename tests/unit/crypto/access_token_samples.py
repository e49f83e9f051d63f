"""A good access token and its parts, and ways to spell bad ones."""

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from twofold_server.crypto import base64url
from twofold_server.crypto.access_tokens import (
    AccessClaims,
    ExpiredToken,
    InvalidToken,
    SigningKey,
    sign,
    verify,
)

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
ISSUER = "https://auth.example.com/realms/default"
KEY = SigningKey.generate("key-1")
OTHER = SigningKey.generate("key-2")
KEYS = {KEY.kid: KEY.verification_key()}
CLAIMS = AccessClaims(
    issuer=ISSUER,
    subject=uuid.UUID("01890a5d-ac96-774b-bcce-b302099a8057"),
    audience="billing",
    client_id="web",
    token_id=uuid.UUID(int=2),
    session_id=uuid.UUID(int=3),
    epoch=4,
    methods=("pwd", "otp"),
    assurance=2,
    issue_time=NOW,
    expire_time=NOW + timedelta(minutes=5),
    auth_time=NOW - timedelta(minutes=1),
    second_factor_time=NOW,
    not_before=NOW,
)
TOKEN = sign(KEY, CLAIMS)
HEADER, PAYLOAD, SIGNATURE = TOKEN.split(".")
GOOD_HEADER = {"alg": "ES256", "typ": "at+jwt", "kid": KEY.kid}
GOOD_PAYLOAD: dict[str, object] = json.loads(base64url.decode(PAYLOAD) or b"")

HEADER_OF = {alg: base64url.encode(json.dumps(GOOD_HEADER | {"alg": alg}).encode()) for alg in ("HS256", "none")}


def check(token: str, *, now: datetime = NOW, audience: str | None = "billing", leeway: int = 0) -> AccessClaims:
    """Verify a token as the server of these samples would."""
    return verify(token, KEYS, issuer=ISSUER, audience=audience, now=now, leeway_seconds=leeway)


def spell(header: object, payload: object, key: SigningKey = KEY) -> str:
    """Sign whatever is given, text as it stands, as somebody who holds the key could."""
    segments = [
        base64url.encode((part if isinstance(part, str) else json.dumps(part)).encode()) for part in (header, payload)
    ]
    signed = ".".join(segments)
    return f"{signed}.{base64url.encode(key.signature(signed.encode()))}"


def refused(token: str, match: str = ".") -> None:
    """Demand that a token is refused for what it is, not for its age."""
    with pytest.raises(InvalidToken, match=match) as caught:
        check(token)
    assert not isinstance(caught.value, ExpiredToken)
