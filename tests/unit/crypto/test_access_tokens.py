import json
from dataclasses import replace
from datetime import timedelta

import jwt
import pytest

from tests.unit.crypto.access_token_samples import (
    CLAIMS,
    GOOD_HEADER,
    GOOD_PAYLOAD,
    HEADER,
    ISSUER,
    KEY,
    KEYS,
    NOW,
    OTHER,
    PAYLOAD,
    SIGNATURE,
    TOKEN,
    check,
    refused,
    spell,
)
from twofold_server.crypto import base64url
from twofold_server.crypto.access_tokens import ExpiredToken, InvalidToken, sign, verify


def test_what_is_signed_is_verified() -> None:
    """A token gives back the claims it was signed with, for its audience or for any."""
    assert check(TOKEN) == CLAIMS
    assert check(TOKEN, audience=None) == CLAIMS


def test_optional_claims_may_be_missing() -> None:
    """A sign-in without a second factor has no time of it."""
    claims = replace(CLAIMS, second_factor_time=None, not_before=None, assurance=1, methods=())
    assert check(sign(KEY, claims)) == claims


def test_the_header_is_exactly_three_members() -> None:
    """The header is alg, typ and kid, and the signature 64 raw bytes."""
    assert json.loads(base64url.decode(HEADER) or b"") == GOOD_HEADER
    assert len(base64url.decode(SIGNATURE) or b"") == 64


def test_an_independent_library_takes_our_tokens() -> None:
    """PyJWT verifies our token with our JWK, and reads the claims of RFC 9068."""
    key = jwt.PyJWK.from_dict(KEYS[KEY.kid].jwk())
    payload = jwt.decode(
        TOKEN, key.key, algorithms=["ES256"], audience="billing", issuer=ISSUER, options={"verify_exp": False}
    )
    assert payload["sub"] == str(CLAIMS.subject)
    assert payload["exp"] - payload["iat"] == 300
    assert {"client_id", "jti", "sid", "epoch", "amr", "aal", "auth_time", "second_factor_time"} < payload.keys()
    assert (payload["aud"], payload["amr"], payload["aal"]) == ("billing", ["pwd", "otp"], 2)


def test_we_take_an_independent_library_s_tokens() -> None:
    """A token that PyJWT signed with our key and claims is verified."""
    token = jwt.encode(
        dict(GOOD_PAYLOAD), KEY.private_key, algorithm="ES256", headers={"typ": "at+jwt", "kid": KEY.kid}
    )
    assert check(token) == CLAIMS


@pytest.mark.parametrize("seconds", [-1, 0, 299])
def test_a_token_is_good_until_it_expires(seconds: int) -> None:
    """With a second of leeway, from a second before it was issued to its last second."""
    assert check(TOKEN, now=NOW + timedelta(seconds=seconds), leeway=1) == CLAIMS


def test_an_issuing_clock_may_be_ahead() -> None:
    """A token that a machine with a faster clock has issued is good, up to 30 seconds, whatever the leeway."""
    claims = replace(CLAIMS, issue_time=NOW + timedelta(seconds=30))
    assert check(sign(KEY, claims)) == claims


def test_any_issuer_is_taken_where_the_caller_judges_it() -> None:
    """Without an issuer demanded, a token of another realm is read; everything else is demanded all the same."""
    claims = replace(CLAIMS, issuer="https://auth.example.com/realms/other")
    assert verify(sign(KEY, claims), KEYS, issuer=None, audience=None, now=NOW) == claims
    with pytest.raises(InvalidToken, match="signature"):
        verify(f"{HEADER}.{PAYLOAD}.{'A' * 86}", KEYS, issuer=None, audience=None, now=NOW)


def test_expiry_is_told_apart() -> None:
    """An expired token that is good otherwise raises ExpiredToken; the leeway moves that by so much."""
    end = NOW + timedelta(seconds=300)
    with pytest.raises(ExpiredToken):
        check(TOKEN, now=end)
    assert check(TOKEN, now=end + timedelta(seconds=29), leeway=30) == CLAIMS
    with pytest.raises(ExpiredToken):
        check(TOKEN, now=end + timedelta(seconds=30), leeway=30)


def test_an_expired_forgery_is_a_forgery() -> None:
    """Expiry is told only of tokens that are good otherwise."""
    token = spell(GOOD_HEADER, GOOD_PAYLOAD | {"exp": 1, "iat": 1, "nbf": 1}, OTHER)
    refused(token, "signature")


@pytest.mark.parametrize("leeway", [-1, 31])
def test_the_leeway_is_bounded(leeway: int) -> None:
    """No caller can ask for more than 30 seconds of leeway."""
    with pytest.raises(ValueError, match="leeway"):
        check(TOKEN, leeway=leeway)


def test_unknown_claims_are_left_to_later_versions() -> None:
    """A claim that this version does not know is no reason to refuse a token of our own."""
    assert check(spell(GOOD_HEADER, GOOD_PAYLOAD | {"org": "x"})) == CLAIMS


def test_no_error_quotes_the_token() -> None:
    """The reason is a fixed text, with nothing of the token in it."""
    # One of the two is another signature, whatever the right one ends in.
    forged = next(t for t in (TOKEN[:-3] + "AAA", TOKEN[:-3] + "BAA") if t != TOKEN)
    for token in (forged, "x.y.z", spell(GOOD_HEADER, GOOD_PAYLOAD | {"sub": "mallory"})):
        with pytest.raises(InvalidToken) as caught:
            check(token)
        assert caught.value.reason == str(caught.value)
        assert "mallory" not in repr(caught.value)
        assert len(caught.value.reason) < 45


def test_what_could_not_be_verified_is_not_signed() -> None:
    """A token over 4 KiB, an assurance of 3 and a time without a zone are refused when signed."""
    for bad in (
        replace(CLAIMS, client_id="x" * 4000),
        replace(CLAIMS, assurance=3),
        replace(CLAIMS, issue_time=NOW.replace(tzinfo=None)),
    ):
        with pytest.raises(ValueError, match=r"token|assurance|zone"):
            sign(KEY, bad)
