"""The proof of work: solved with a right secret, whichever of them, and read to an answer whatever it is."""

from __future__ import annotations

import base64
import json

import altcha
import pytest

from twofold_server.crypto.keyring import Keyring
from twofold_server.crypto.proof_of_work import new_challenge, solved

OLD, NEW = b"o" * 32, b"n" * 32


def _solve(challenge: str) -> str:
    made = altcha.Challenge.from_dict(json.loads(challenge))
    solution = altcha.solve_challenge(made)
    assert solution is not None
    return altcha.Payload(made, solution).to_base64()


def test_a_solution_counts_under_every_key_that_is_held() -> None:
    """While master keys rotate, what was asked under the old one is taken; its end and its name are told."""
    text = _solve(new_challenge(OLD, 1, 1_800_000_000))
    found = solved(text, (NEW, OLD))
    assert found is not None
    assert found == solved(text, (OLD,))
    assert found.expire == 1_800_000_000
    assert len(found.identity) == 32
    assert repr(found) == "Solved(expire=1800000000)"
    assert solved(text, (NEW,)) is None
    assert solved(text, ()) is None


@pytest.mark.parametrize(
    "content",
    [
        None, 7, "text", [], {}, {"challenge": {}, "solution": {}}, {"challenge": None, "solution": None},
        {"challenge": {"parameters": []}, "solution": []}, [[]] * 1000,
    ],
)  # fmt: skip
def test_any_text_is_read(content: object) -> None:
    """Whatever is no solution is none."""
    assert solved(base64.b64encode(json.dumps(content).encode()).decode(), (OLD,)) is None
    assert solved(json.dumps(content), (OLD,)) is None


def test_each_realm_and_key_has_a_secret_of_its_own() -> None:
    """The primary key's secret comes first, and no two are the same."""
    keyring = Keyring({1: b"1" * 32, 2: b"2" * 32}, primary=2)
    found = [*keyring.captcha_secrets("default"), *keyring.captcha_secrets("second")]
    assert len(set(found)) == 4
    assert {len(secret) for secret in found} == {32}
    assert keyring.captcha_secrets("default") == tuple(found[:2])
    assert found[0] == Keyring({2: b"2" * 32}, primary=2).captcha_secrets("default")[0]
