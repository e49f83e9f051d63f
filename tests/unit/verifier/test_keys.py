"""Which signing keys a verifier believes, and when it asks for others."""

from __future__ import annotations

import pytest

from tests.unit.verifier.samples import AUDIENCE, NOW, Bench, Clocks, key_set, reason_of, revocation
from twofold.v1 import session_pb2


def test_unknown_key_is_fetched_once_in_30_seconds() -> None:
    """Tokens with invented key ids bring about one fetch in 30 s, together; a key that did come then counts."""
    bench = Bench(Clocks())
    bench.judge.take_keys(key_set("key-2"))
    bench.stream = bench.judge.open_stream()
    bench.tell(reset=True)
    for _ in range(5):
        assert reason_of(bench) == "NOT_READY"
    assert len(bench.fetches) == 1
    bench.judge.take_keys(key_set("key-2"))
    for _ in range(5):
        assert reason_of(bench) == "SESSION_INVALID"
    assert len(bench.fetches) == 1
    bench.clocks.advance(30)
    bench.tell()
    assert reason_of(bench) == "NOT_READY"
    assert len(bench.fetches) == 2
    bench.judge.take_keys(key_set())
    assert reason_of(bench) == ""


def test_a_withdrawn_key_is_dead_and_the_set_is_fetched() -> None:
    """The revocation of a signing key ends its tokens at once, in or out of the set, and asks for what signs now."""
    bench = Bench(Clocks()).ready()
    assert reason_of(bench) == ""
    bench.tell(revocation("SIGNING_KEY", "key-1"))
    bench.tell(revocation("SIGNING_KEY", "key-1"))
    assert len(bench.fetches) == 1
    bench.judge.take_keys(key_set("key-2"))
    assert reason_of(bench) == "SESSION_ENDED"
    assert len(bench.fetches) == 1


def test_a_key_that_left_the_set_takes_its_cached_tokens_with_it() -> None:
    """What was verified with a key is not believed any longer than the key."""
    bench = Bench(Clocks()).ready()
    assert reason_of(bench) == ""
    bench.judge.take_keys(key_set("key-2"))
    assert reason_of(bench) != ""


def test_a_retired_key_is_not_believed() -> None:
    """From `retire_time` on the key's tokens are refused, cached or not, though they have not expired."""
    bench = Bench(Clocks()).ready()
    keys = key_set()
    keys.keys[0].retire_time.FromSeconds(NOW + 10)
    bench.judge.take_keys(keys)
    assert reason_of(bench) == ""
    bench.clocks.wall = NOW + 10
    assert reason_of(bench) == "SESSION_INVALID"


def test_keys_that_make_no_sense_are_not_taken() -> None:
    """No point on the curve, no issuer, or a realm that does not issue for the audience: the old set stays."""
    bench = Bench(Clocks()).ready()
    for bad in (
        key_set(issuer=""),
        key_set(audiences=["shop"]),
        session_pb2.GetSigningKeysResponse(
            keys=[session_pb2.SigningKey(key_id="k", x=b"\1" * 32, y=b"\1" * 32)], issuer="i", audiences=[AUDIENCE]
        ),
        session_pb2.GetSigningKeysResponse(
            keys=[session_pb2.SigningKey(key_id="k", x=b"\1", y=b"\1" * 32)], issuer="i", audiences=[AUDIENCE]
        ),
    ):
        with pytest.raises(ValueError, match=r"."):
            bench.judge.take_keys(bad)
    assert reason_of(bench) == ""
