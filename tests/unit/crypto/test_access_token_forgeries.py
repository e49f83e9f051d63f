import hmac
import json

import jwt
import pytest

from tests.unit.crypto.access_token_samples import (
    CLAIMS,
    GOOD_HEADER,
    GOOD_PAYLOAD,
    HEADER,
    HEADER_OF,
    ISSUER,
    KEY,
    KEYS,
    NOW,
    OTHER,
    PAYLOAD,
    SIGNATURE,
    TOKEN,
    refused,
    spell,
)
from twofold_server.crypto import base64url


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "typ": "at+jwt", "kid": KEY.kid},
        {"alg": "None", "typ": "at+jwt", "kid": KEY.kid},
        {"alg": "HS256", "typ": "at+jwt", "kid": KEY.kid},
        {"alg": "ES384", "typ": "at+jwt", "kid": KEY.kid},
        {"alg": ["ES256"], "typ": "at+jwt", "kid": KEY.kid},
        {"alg": "ES256", "typ": "JWT", "kid": KEY.kid},
        {"alg": "ES256", "kid": KEY.kid},
        {"alg": "ES256", "typ": "at+jwt"},
        {"alg": "ES256", "typ": "at+jwt", "kid": "foreign"},
        {"alg": "ES256", "typ": "at+jwt", "kid": OTHER.kid},
        {"alg": "ES256", "typ": "at+jwt", "kid": None},
        {"alg": "ES256", "typ": "at+jwt", "kid": [KEY.kid]},
        {"alg": "ES256", "typ": "at+jwt", "kid": "../../etc/passwd"},
        GOOD_HEADER | {"jku": "https://evil.example/jwks"},
        GOOD_HEADER | {"x5u": "https://evil.example/cert"},
        GOOD_HEADER | {"jwk": OTHER.verification_key().jwk()},
        GOOD_HEADER | {"x5c": ["AA"]},
        GOOD_HEADER | {"crit": ["exp"]},
        GOOD_HEADER | {"b64": False},
        GOOD_HEADER | {"zip": "DEF"},
        [],
        "ES256",
        None,
        "[" * 180,
        '{"a":' * 30,
        f'{{"alg":"none","alg":"ES256","typ":"at+jwt","kid":"{KEY.kid}"}}',
        f'{{"alg":"ES256","alg":"ES256","typ":"at+jwt","kid":"{KEY.kid}"}}',
        f'{{"alg":"ES256","typ":"at+jwt","kid":"{KEY.kid}"}} x',
        '{"alg":"ES256","typ":"at+jwt","kid":NaN}',
        "9" * 180,
    ],
)
def test_any_other_header_is_refused(header: object) -> None:
    """Other algorithms, types, keys and members are refused even where the signature is right."""
    refused(spell(header, GOOD_PAYLOAD))


def test_a_key_named_in_the_header_is_not_used() -> None:
    """A token signed by a foreign key under a known kid, or under its own, is refused."""
    refused(spell(GOOD_HEADER, GOOD_PAYLOAD, OTHER), "signature")
    refused(spell(GOOD_HEADER | {"kid": OTHER.kid}, GOOD_PAYLOAD, OTHER), "unknown key")


def test_algorithm_confusion_is_refused() -> None:
    """A token signed by HMAC with the public key as its secret, or not signed at all, is refused."""
    key = KEYS[KEY.kid]
    for secret in (key.spki(), json.dumps(key.jwk()).encode()):
        signed = HEADER_OF["HS256"] + "." + PAYLOAD
        mac = hmac.digest(secret, signed.encode(), "sha256")
        refused(f"{signed}.{base64url.encode(mac)}", "algorithm")
    refused(f"{HEADER_OF['none']}.{PAYLOAD}.", "algorithm")
    refused(
        jwt.encode(dict(GOOD_PAYLOAD), "", algorithm="none", headers={"typ": "at+jwt", "kid": KEY.kid}), "algorithm"
    )


def test_every_altered_character_is_refused() -> None:
    """A token with any one character changed is refused, the last one of each segment included."""
    for position, character in enumerate(TOKEN):
        for other in ("A", "B", "_", "."):
            if other != character:
                refused(TOKEN[:position] + other + TOKEN[position + 1 :])


def test_a_forged_copy_with_another_signature_is_refused() -> None:
    """The payload of a good token under another key's signature, zeros or the curve's order is refused."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    signatures = [
        OTHER.signature(f"{HEADER}.{PAYLOAD}".encode()),
        bytes(64),
        b"\xff" * 64,
        order.to_bytes(32, "big") * 2,
        b"",
        b"\0" * 63,
        b"\0" * 65,
    ]
    for signature in signatures:
        refused(f"{HEADER}.{PAYLOAD}.{base64url.encode(signature)}", "signature")


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "....",
        f"{HEADER}.{PAYLOAD}",
        f"{HEADER}.{PAYLOAD}.",
        f"{HEADER}..{SIGNATURE}",
        f".{PAYLOAD}.{SIGNATURE}",
        f"{TOKEN}.",
        f"{TOKEN}.{SIGNATURE}",
        f"{TOKEN}A",
        f"{TOKEN}=",
        f"{TOKEN}==",
        f"{TOKEN}\n",
        f" {TOKEN}",
        f"{TOKEN}\0",
        f"{HEADER}=.{PAYLOAD}.{SIGNATURE}",
        f"{HEADER}.{PAYLOAD}=.{SIGNATURE}",
        f"{HEADER}.{PAYLOAD}.{SIGNATURE[:-1]}",
        f"{HEADER}.{PAYLOAD}\u00e9.{SIGNATURE}",
        f"{HEADER}.\ud800.{SIGNATURE}",
        f"{HEADER}.{PAYLOAD}.{'A' * 5000}",
        "A" * 4000,
        "." * 5000,
        "\u0130" * 1000,
    ],
)
def test_every_other_shape_is_refused(token: str) -> None:
    """Missing and surplus segments, padding, white space, foreign characters and over-long tokens are refused."""
    refused(token)


def test_bytes_that_are_not_utf8_are_refused() -> None:
    """A header or payload that is not UTF-8 is refused, signed or not."""
    broken = base64url.encode(b'{"alg":"\xff\xfe"}')
    refused(f"{broken}.{PAYLOAD}.{SIGNATURE}", "header")
    signed = f"{HEADER}.{broken}"
    refused(f"{signed}.{base64url.encode(KEY.signature(signed.encode()))}", "JSON")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"iss": "https://auth.example.com/realms/other"}, "issuer"),
        ({"iss": ISSUER + "/"}, "issuer"),
        ({"aud": "shipping"}, "audience"),
        ({"aud": ["billing"]}, "aud"),
        ({"aud": ""}, "aud"),
        ({"iat": int(NOW.timestamp()) + 31}, "future"),
        ({"nbf": int(NOW.timestamp()) + 1}, "not valid yet"),
        ({"nbf": None}, "nbf"),
        ({"nbf": "0"}, "nbf"),
        ({"exp": "2000000000"}, "exp"),
        ({"exp": 1e300}, "exp"),
        ({"exp": 10**30}, "exp"),
        ({"exp": -1}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": None}, "exp"),
        ({"aal": 3}, "aal"),
        ({"aal": True}, "aal"),
        ({"amr": "pwd"}, "amr"),
        ({"amr": [1]}, "amr"),
        ({"amr": ["x"] * 17}, "amr"),
        ({"epoch": "1"}, "epoch"),
        ({"epoch": 2**31}, "epoch"),
        ({"sub": "not-a-uuid"}, "sub"),
        ({"sub": str(CLAIMS.subject).upper()}, "sub"),
        ({"sub": "{" + str(CLAIMS.subject) + "}"}, "sub"),
        ({"sub": 5}, "sub"),
        ({"sid": None}, "sid"),
        ({"client_id": 5}, "client_id"),
        ({"second_factor_time": None}, "second_factor_time"),
    ],
)
def test_claims_of_the_wrong_kind_are_refused(change: dict[str, object], match: str) -> None:
    """A claim of another value or type than documented is refused, although the key signed it."""
    refused(spell(GOOD_HEADER, GOOD_PAYLOAD | change), match)


@pytest.mark.parametrize("name", sorted(GOOD_PAYLOAD.keys() - {"nbf", "second_factor_time"}))
def test_required_claims_are_required(name: str) -> None:
    """A token without one of the required claims is refused."""
    refused(spell(GOOD_HEADER, {key: value for key, value in GOOD_PAYLOAD.items() if key != name}), name)


@pytest.mark.parametrize("payload", ["[" * 2500, '{"a":' * 500, "[]", '"x"', "", "{", "1" * 2500])
def test_json_bombs_are_refused(payload: str) -> None:
    """Deeply nested, cut off and huge JSON is refused, although the key signed it."""
    refused(spell(GOOD_HEADER, payload), "JSON")


def test_duplicate_claims_are_refused() -> None:
    """Of two values for one claim neither counts."""
    text = json.dumps(GOOD_PAYLOAD)
    refused(spell(GOOD_HEADER, text[:-1] + ',"aud":"billing"}'), "JSON")
