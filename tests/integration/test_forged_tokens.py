"""Access tokens that were not made by the server, on the server itself."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from tests.conftest import Clock
from tests.integration.quick import Quick, quick_server
from tests.service import reason
from twofold.v1 import account_pb2, session_pb2
from twofold_server.crypto import base64url
from twofold_server.crypto.signing_keys import SigningKey


@pytest.fixture
async def shop(database: str, tmp_path: Path, clock: Clock) -> AsyncIterator[Quick]:
    async with quick_server(database, tmp_path, clock) as service:
        yield service


def _spelt(header: object, payload: object) -> str:
    return ".".join(base64url.encode(json.dumps(part).encode()) for part in (header, payload))


async def _forgeries(shop: Quick, token: str) -> dict[str, str]:
    head, body, signature = token.split(".")
    header, payload = (json.loads(base64url.decode(part) or b"") for part in (head, body))
    keys = await shop.sessions.GetSigningKeys(session_pb2.GetSigningKeysRequest(), metadata=shop.metadata)
    public = keys.keys[0].x + keys.keys[0].y
    mine = SigningKey.generate()

    def signed(changed: object, claims: object = payload) -> str:
        text = _spelt(changed, claims)
        return f"{text}.{base64url.encode(mine.signature(text.encode()))}"

    hs256 = _spelt(header | {"alg": "HS256"}, payload)
    mac = hmac.new(public, hs256.encode(), hashlib.sha256).digest()

    def altered(**claims: object) -> str:
        return f"{head}.{base64url.encode(json.dumps(payload | claims).encode())}.{signature}"

    jwk = {
        "kty": "EC",
        "crv": "P-256",
        **dict(zip("xy", map(base64url.encode, mine.verification_key().coordinates()), strict=True)),
    }
    return {
        "alg none": f"{_spelt(header | {'alg': 'none'}, payload)}.",
        "alg none, signed": f"{_spelt(header | {'alg': 'none'}, payload)}.{signature}",
        "HS256 by the public key": f"{hs256}.{base64url.encode(mac)}",
        "foreign key, foreign kid": signed(header | {"kid": mine.kid}),
        "foreign key, our kid": signed(header),
        "key in the header": signed(header | {"jwk": jwk}),
        "key from a URL": signed(header | {"jku": "https://evil.example/keys", "kid": mine.kid}),
        "other account": altered(sub=payload["sid"]),
        "longer life": altered(exp=2**33),
        "other realm": altered(iss=payload["iss"].removesuffix("default") + "other"),
        "other spelling": f"{head}.{body}.{signature}=",
        "last bit": token[:-1] + ("A" if token[-1] != "A" else "B"),
        "zero signature": f"{head}.{body}.{base64url.encode(bytes(64))}",
        "no signature": f"{head}.{body}.",
    }


async def test_forged_tokens_are_refused_by_the_server(shop: Quick) -> None:
    """alg none and HS256, foreign kid and key, altered copies of a token just accepted: SESSION_INVALID everywhere."""
    user = await shop.signed_in_user()
    check = session_pb2.CheckSessionRequest(audience="twofold")
    await shop.sessions.CheckSession(check, metadata=shop.with_session(user))
    for label, forged in (await _forgeries(shop, user.tokens.access_token)).items():
        metadata = (*shop.metadata, ("twofold-session", forged))
        for call in (
            shop.sessions.CheckSession(check, metadata=metadata),
            shop.accounts.GetAccount(account_pb2.GetAccountRequest(), metadata=metadata),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert reason(caught.value) == "SESSION_INVALID", label
    assert await shop.is_live(user)
