"""Both ways of reading claims are one: what the quick one takes, the parser reads alike."""

from __future__ import annotations

import json
import random
import uuid
from datetime import UTC, datetime

import pytest

from tests.unit.verifier.samples import ACCESS_TOKENS, AUDIENCE, CASES, CLAIMS, NOW, REALM, decoded
from twofold import claims
from twofold.claims import Expected
from twofold.verified import BadToken
from twofold_server.crypto import access_claims, access_tokens
from twofold_server.crypto.signing_keys import SigningKey

EXPECTED = Expected(REALM, ACCESS_TOKENS["issuer"], AUDIENCE, 0.0)
WRITTEN = json.dumps(CLAIMS, separators=(",", ":")).encode()


def quick(payload: bytes) -> object:
    """What the quick way reads; None if it leaves the payload to the parser."""
    found = claims._as_written(payload)
    try:
        return None if found is None else claims._matched(found, EXPECTED)
    except BadToken as bad:
        return str(bad)


def parsed(payload: bytes) -> object:
    """What the parser reads."""
    try:
        return claims._parsed(payload, EXPECTED)
    except BadToken as bad:
        return str(bad)


def test_what_the_service_signs_is_read_the_quick_way() -> None:
    """Tokens as the service spells them take the quick way, with a second factor proven and without."""
    for proven in (None, datetime.fromtimestamp(NOW, UTC)):
        token = access_tokens.sign(
            SigningKey.generate(),
            access_claims.AccessClaims(
                issuer=ACCESS_TOKENS["issuer"],
                subject=uuid.uuid4(),
                audience=AUDIENCE,
                client_id="web-shop.2",
                token_id=uuid.uuid4(),
                session_id=uuid.uuid4(),
                epoch=12,
                methods=("pwd", "otp", "mfa"),
                assurance=2,
                issue_time=datetime.fromtimestamp(NOW, UTC),
                expire_time=datetime.fromtimestamp(NOW + 300, UTC),
                auth_time=datetime.fromtimestamp(NOW, UTC),
                second_factor_time=proven,
            ),
        )
        payload = decoded(token.split(".")[1])
        assert quick(payload) is not None
        assert quick(payload) == parsed(payload)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case["token"].count(".") == 2], ids=lambda case: case["name"]
)
def test_every_vector_is_read_alike(case: dict[str, str]) -> None:
    """Where the quick way takes a vector's payload at all, it reads what the parser reads."""
    try:
        payload = decoded(case["token"].split(".")[1])
    except ValueError:
        return
    assert quick(payload) in (None, parsed(payload))


def test_altered_payloads_are_read_alike() -> None:
    """Of thousands of altered payloads the quick way takes none that the parser reads otherwise or refuses."""
    rng = random.Random(7)
    letters = b'"\\,:{}[]0123456789-.eE \n\tabzAZ\x00\x7f\xc3\xa9/u'
    taken = 0
    for _ in range(20_000):
        payload = bytearray(WRITTEN)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(payload))
            match rng.randrange(3):
                case 0:
                    payload[at] = rng.choice(letters)
                case 1:
                    payload.insert(at, rng.choice(letters))
                case _:
                    del payload[at]
        found = quick(bytes(payload))
        if found is not None:
            taken += 1
            assert found == parsed(bytes(payload)), bytes(payload)
    assert taken > 100


@pytest.mark.parametrize(
    "payload",
    [
        WRITTEN.replace(b'"epoch":4', b'"epoch":04'),
        WRITTEN.replace(b'"epoch":4', b'"epoch":4.0'),
        WRITTEN.replace(b'"epoch":4', b'"epoch":2147483648'),
        WRITTEN.replace(b'"web"', rb'"w\u0065b"'),
        WRITTEN.replace(b'"web"', '"w\u00e9b"'.encode()),
        WRITTEN.replace(b'"web"', b'"w\x1fb"'),
        WRITTEN.replace(b'["pwd"', b'[,"pwd"'),
        WRITTEN.replace(b'"mfa"]', b'"mfa",]'),
        WRITTEN.replace(b'"pwd"', b'"p""wd"'),
        WRITTEN[:-1] + b',"aud":"billing"}',
        WRITTEN + b"\n",
        b"\n" + WRITTEN,
    ],
)
def test_what_could_be_read_in_two_ways_is_left_to_the_parser(payload: bytes) -> None:
    """Leading zeros, fractions, escapes, stray commas, claims twice and white space never take the quick way."""
    assert payload != WRITTEN
    assert quick(payload) is None


def test_lists_of_methods_are_remembered_within_bounds() -> None:
    """However many lists of methods tokens carry, no more than a few hundred are kept."""
    expected = Expected(REALM, ACCESS_TOKENS["issuer"], AUDIENCE, 0.0)
    for number in range(1000):
        name = "".join(chr(ord("a") + int(digit)) for digit in str(number))
        payload = WRITTEN.replace(b'"mfa"', f'"{name}"'.encode())
        session, _ = claims.read(payload, expected, NOW)
        assert session.amr == ("pwd", "otp", name)
    assert len(expected.method_lists) <= 256
