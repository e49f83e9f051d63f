"""The vectors that every client shares, against the Verifier's judge and against the server."""

from __future__ import annotations

import filecmp
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.verifier.samples import (
    ACCESS_TOKENS,
    CASES,
    NOW,
    REVOCATIONS,
    VECTORS,
    Bench,
    Clocks,
    decoded,
    key_set,
    parsed,
)
from twofold import SessionEnded, SessionExpired, TwofoldError, VerifierNotReady
from twofold.revocations import Received
from twofold_server.crypto import access_tokens
from twofold_server.crypto.signing_keys import VerificationKey

if TYPE_CHECKING:
    from pathlib import Path

each_case = pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])


def server_keys() -> dict[str, VerificationKey]:
    """The vectors' keys as the server holds them."""
    prefix = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
    return {
        jwk["kid"]: VerificationKey.from_spki(jwk["kid"], prefix + decoded(jwk["x"]) + decoded(jwk["y"]))
        for jwk in ACCESS_TOKENS["keys"]
    }


@each_case
def test_verifier_judges_each_vector_as_it_says(case: dict[str, Any]) -> None:
    """A good token is accepted with its own claims, any other refused for the reason in the file."""
    bench = Bench(Clocks(), leeway=case.get("leeway_seconds", 0)).ready()
    if case["expect"] == "ok":
        session = bench.judge.verify(case["token"])
        claims = case["claims"]
        assert (session.account_id, session.session_id, session.client_id) == (
            claims["sub"],
            claims["sid"],
            claims["client_id"],
        )
        assert (session.audience, session.realm_id) == (claims["aud"], ACCESS_TOKENS["realm_id"])
        assert (session.aal, session.amr, session.epoch) == (claims["aal"], tuple(claims["amr"]), claims["epoch"])
        times = [session.auth_time, session.second_factor_time, session.expire_time]
        assert [time and time.timestamp() for time in times] == [
            claims["auth_time"],
            claims.get("second_factor_time"),
            claims["exp"],
        ]
        assert bench.judge.verify(case["token"]) is session
        return
    kind = SessionExpired if case["expect"] == "SESSION_EXPIRED" else SessionEnded
    for _ in range(2):  # from the cache no better than the first time
        try:
            bench.judge.verify(case["token"])
        except VerifierNotReady:
            # A key that is not known is fetched first; it did not help.
            bench.judge.take_keys(key_set())
            with pytest.raises(SessionEnded) as caught:
                bench.judge.verify(case["token"])
        except TwofoldError as error:
            assert type(error) is kind
            assert error.reason == case["expect"]
            continue
        else:
            pytest.fail("accepted")
        assert caught.value.reason == case["expect"] == "SESSION_INVALID"


@each_case
def test_server_judges_each_vector_as_it_says(case: dict[str, Any]) -> None:
    """The server's own verification agrees with every vector."""

    def verify() -> access_tokens.AccessClaims:
        return access_tokens.verify(
            case["token"],
            server_keys(),
            issuer=ACCESS_TOKENS["issuer"],
            audience=ACCESS_TOKENS["audience"],
            now=datetime.fromtimestamp(NOW, UTC),
            leeway_seconds=case.get("leeway_seconds", 0),
        )

    if case["expect"] == "ok":
        claims = verify()
        assert str(claims.subject) == case["claims"]["sub"]
        assert claims.methods == tuple(case["claims"]["amr"])
        return
    with pytest.raises(access_tokens.InvalidToken) as caught:
        verify()
    assert isinstance(caught.value, access_tokens.ExpiredToken) == (case["expect"] == "SESSION_EXPIRED")


def test_revocation_vectors() -> None:
    """After each message exactly the tokens that it names are dead, and none is vouched for too soon."""
    bench = Bench(Clocks())
    bench.judge.take_keys(key_set())
    for number, step in enumerate(REVOCATIONS["steps"]):
        if "resumed" in step:
            bench.stream = bench.judge.open_stream()
            assert bool(bench.judge.received.resume_token) == step["resumed"]
        bench.clocks.steady = 1000.0 + number
        bench.stream.take(parsed(step["message"]))
        dead, unsure = [], []
        for name, token in REVOCATIONS["tokens"].items():
            try:
                bench.judge.verify(token)
            except VerifierNotReady:
                unsure.append(name)
            except SessionEnded as error:
                assert error.reason == "SESSION_ENDED"
                dead.append(name)
        assert sorted(dead) == sorted(step["dead"]), step["name"]
        assert bool(unsure) != step["ready"] or not (REVOCATIONS["tokens"].keys() - dead), step["name"]


def test_resume_token_is_that_of_the_last_complete_message() -> None:
    """What the vectors' messages leave to resume from is never a place inside a snapshot."""
    received = Received(REVOCATIONS["realm_id"])
    held = []
    stream = received.stream(5.0)
    for number, step in enumerate(REVOCATIONS["steps"]):
        if "resumed" in step:
            stream = received.stream(5.0)
        stream.take(parsed(step["message"]), 1000.0 + number, NOW)
        held.append(received.resume_token)
    assert held[:2] == ["", "1.10"]
    names = [step["name"] for step in REVOCATIONS["steps"]]
    assert held[names.index("a new snapshot begins: what was held still counts")] == "1.16"


def test_vectors_are_what_their_script_writes(tmp_path: Path) -> None:
    """`make.py` writes the committed files again, byte for byte."""
    subprocess.run([sys.executable, VECTORS / "make.py", tmp_path], check=True, timeout=60)
    for name in ("access_tokens.json", "revocations.json"):
        assert filecmp.cmp(VECTORS / name, tmp_path / name, shallow=False), f"{name}: run make.py and commit"
