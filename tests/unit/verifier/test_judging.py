"""What a verifier holds, and for how long it trusts it."""

from __future__ import annotations

import threading

import pytest

from tests.unit.verifier.samples import (
    AUDIENCE,
    CLAIMS,
    GOOD,
    NOW,
    REALM,
    Bench,
    Clocks,
    key_set,
    message,
    reason_of,
    revocation,
)
from twofold import SessionEnded, SessionExpired
from twofold.judging import Judge, _Cache
from twofold.revocations import RevocationSet, StreamBroken

FORGED = GOOD[:-2] + ("AA" if GOOD[-2:] != "AA" else "BA")


@pytest.fixture
def bench() -> Bench:
    """A judge that is ready."""
    return Bench(Clocks()).ready()


def test_nothing_is_vouched_for_before_the_snapshot_is_complete() -> None:
    """Without keys, and with keys and half a snapshot, a good token is refused, and a bad one is not called good."""
    bench = Bench(Clocks())
    assert reason_of(bench) == "NOT_READY"
    bench.judge.take_keys(key_set())
    assert reason_of(bench) == "NOT_READY"
    assert reason_of(bench, FORGED) == "SESSION_INVALID"
    bench.stream = bench.judge.open_stream()
    bench.tell(reset=True, current=False)
    assert reason_of(bench) == "NOT_READY"
    bench.tell()
    assert reason_of(bench) == ""


def test_after_the_end_nothing_that_arrives_counts(bench: Bench) -> None:
    """Keys and revocations that were under way when it was stopped make it vouch for nobody."""
    bench.judge.stop()
    bench.judge.take_keys(key_set())
    bench.tell(reset=True)
    assert reason_of(bench) == "NOT_READY"


def test_silence_ends_trust_and_a_sign_of_life_renews_it(bench: Bench) -> None:
    """After 5 s without a message nobody is vouched for, cached or not, until the next one."""
    assert reason_of(bench) == ""
    bench.clocks.advance(5.0)
    assert reason_of(bench) == ""
    bench.clocks.advance(0.1)
    assert reason_of(bench) == "NOT_READY"
    bench.tell()
    assert reason_of(bench) == ""


def test_what_is_heard_while_a_token_is_judged_does_not_vouch_for_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token judged by what was stale is not vouched for because another thread hears of news meanwhile."""
    bench.clocks.advance(5.1)
    with monkeypatch.context() as meanwhile:
        clock = bench.judge._clock

        def hear_and_tell_the_time() -> float:
            meanwhile.setattr(bench.judge, "_clock", clock)
            bench.tell()
            return clock()

        meanwhile.setattr(bench.judge, "_clock", hear_and_tell_the_time)
        assert reason_of(bench) == "NOT_READY"
    assert reason_of(bench) == ""


def test_a_message_that_is_not_current_is_no_sign_of_life(bench: Bench) -> None:
    """Pieces of a snapshot prove nothing about now, however many come."""
    bench.tell(reset=True, current=False)
    for _ in range(3):
        bench.clocks.advance(2.0)
        bench.tell(current=False)
    assert reason_of(bench) == "NOT_READY"


def test_clock_steps_do_not_stretch_trust(bench: Bench) -> None:
    """The wall clock, set back, does not make silence shorter."""
    bench.clocks.wall -= 60
    bench.clocks.steady += 5.1
    assert reason_of(bench) == "NOT_READY"


def test_expiry_is_checked_at_every_hit(bench: Bench) -> None:
    """A token that was verified before is refused from its `exp` on."""
    assert reason_of(bench) == ""
    bench.clocks.wall = CLAIMS["exp"] - 0.5
    assert reason_of(bench) == ""
    bench.clocks.wall = CLAIMS["exp"]
    with pytest.raises(SessionExpired):
        bench.judge.verify(GOOD)


@pytest.mark.parametrize(
    ("kind", "subject", "epoch", "dead"),
    [
        ("SESSION", CLAIMS["sid"], 0, True),
        ("SESSION", CLAIMS["sub"], 0, False),
        ("ACCOUNT", CLAIMS["sub"], CLAIMS["epoch"] + 1, True),
        ("ACCOUNT", CLAIMS["sub"], CLAIMS["epoch"], False),
        ("ACCOUNT", CLAIMS["sid"], 9, False),
        ("API_KEY", CLAIMS["sid"], 0, False),
        ("SIGNING_KEY", "key-1", 0, True),
        ("SIGNING_KEY", "key-2", 0, False),
        ("REALM", REALM, 0, True),
    ],
)
def test_revocation_is_checked_at_every_hit(bench: Bench, kind: str, subject: str, epoch: int, dead: bool) -> None:
    """What is revoked after it was verified is refused with the very next call; what is not meant goes on."""
    assert reason_of(bench) == ""
    bench.tell(revocation(kind, subject, epoch=epoch))
    assert reason_of(bench) == ("SESSION_ENDED" if dead else "")


def test_a_forged_copy_of_a_cached_token_is_refused(bench: Bench) -> None:
    """Whoever knows a token's payload gains nothing from its having been verified."""
    assert reason_of(bench) == ""
    assert reason_of(bench, FORGED) == "SESSION_INVALID"
    assert reason_of(bench, GOOD + "=") == "SESSION_INVALID"


def test_revoked_stays_refused_while_silent(bench: Bench) -> None:
    """What is known to be dead is said to be dead, heard of lately or not."""
    bench.tell(revocation("SESSION", CLAIMS["sid"]))
    bench.clocks.advance(60)
    assert reason_of(bench) == "SESSION_ENDED"


def test_revocations_are_forgotten_once_they_concern_nothing(bench: Bench) -> None:
    """Past their time and the longest leeway they take no memory, and not before."""
    bench.tell(revocation("SESSION", CLAIMS["sid"], expires=NOW + 100), revocation("ACCOUNT", CLAIMS["sub"], epoch=1))
    bench.clocks.advance(129)
    held = bench.judge.received.held
    bench.tell()
    assert len(held) == 2
    bench.clocks.advance(1)
    bench.tell()
    assert len(held) == 1
    assert not held.is_dead(CLAIMS["sid"], CLAIMS["sub"], 1, "key-1")
    assert held.is_dead("", CLAIMS["sub"], 0, "key-1")


def test_a_clock_that_jumps_ahead_makes_nothing_forgotten(bench: Bench) -> None:
    """Set right again, a wall clock that was hours ahead has not brought a session back to life."""
    bench.tell(revocation("SESSION", CLAIMS["sid"]))
    bench.clocks.wall += 7200
    bench.stream.take(message(NOW + 1))
    bench.clocks.wall -= 7200
    assert reason_of(bench) == "SESSION_ENDED"


def test_a_later_revocation_of_the_same_keeps_it_longer() -> None:
    """The first one's end does not take the second one with it."""
    held = RevocationSet(REALM)
    held.add(revocation("SESSION", "s", expires=NOW + 10))
    held.add(revocation("SESSION", "s", expires=NOW + 500))
    held.add(revocation("SESSION", "s", expires=NOW + 20))
    held.forget(NOW + 100)
    assert held.is_dead("s", "", 0, "")
    held.forget(NOW + 531)
    assert not held.is_dead("s", "", 0, "")
    assert len(held) == 0


def test_a_stream_that_goes_backwards_is_left(bench: Bench) -> None:
    """A message older than the one before is not taken for a sign of life."""
    bench.clocks.steady += 4
    with pytest.raises(StreamBroken, match="went back"):
        bench.stream.take(message(NOW - 1))
    bench.clocks.steady += 1.5
    assert reason_of(bench) == "NOT_READY"


def test_a_stream_that_falls_behind_is_left(bench: Bench) -> None:
    """Messages that arrive one a second, but each a little later than the one before, do not hold trust up for ever."""
    with pytest.raises(StreamBroken, match="behind"):
        for second in range(1, 60):
            bench.clocks.advance(1.0)
            bench.stream.take(message(NOW + second * 0.8))
    assert bench.clocks.steady < 1000 + 30


def test_a_server_clock_that_differs_is_no_harm() -> None:
    """What counts is how a stream's time runs, not what it says."""
    for skew in (-7200.0, 7200.0):
        bench = Bench(Clocks())
        bench.judge.take_keys(key_set())
        bench.stream = bench.judge.open_stream()
        bench.stream.take(message(NOW + skew, reset=True))
        for second in range(1, 30):
            bench.clocks.advance(1.0)
            bench.stream.take(message(NOW + skew + second))
        assert reason_of(bench) == ""


def test_a_first_stream_without_a_snapshot_is_refused() -> None:
    """`current` alone, on a stream that was to begin with a snapshot, makes nobody ready."""
    bench = Bench(Clocks())
    bench.judge.take_keys(key_set())
    bench.stream = bench.judge.open_stream()
    with pytest.raises(StreamBroken, match="without a snapshot"):
        bench.tell()
    assert reason_of(bench) == "NOT_READY"


@pytest.mark.parametrize(
    "change",
    [
        {"realm_id": ""},
        {"audience": ""},
        {"leeway": -1.0},
        {"leeway": 31.0},
        {"leeway": float("nan")},
        {"silence": 0.0},
        {"silence": float("inf")},
        {"cache_size": 1},
    ],
)
def test_settings_that_make_no_sense_are_refused(change: dict[str, object]) -> None:
    """No realm, no audience, a leeway over 30 s: the verifier is not made."""
    given: dict[str, object] = {"realm_id": REALM, "audience": AUDIENCE, "leeway": 0.0, "silence": 5.0}
    given |= {"cache_size": 10, "clock": float, "monotonic": float, "fetch_keys": list} | change
    with pytest.raises(ValueError, match=r"."):
        Judge(**given)  # type: ignore[arg-type]


def test_a_token_that_is_no_text_is_a_mistake_of_the_program(bench: Bench) -> None:
    """None, as of a missing header, is told from a bad token."""
    with pytest.raises(TypeError, match="NoneType"):
        bench.judge.verify(None)  # type: ignore[arg-type]


def test_errors_hold_nothing_of_the_token(bench: Bench) -> None:
    """The text and repr of a refusal quote neither token nor claims."""
    for token in (FORGED, GOOD[:-1], "x" * 50 + ".secret." + "y" * 50):
        with pytest.raises(SessionEnded) as caught:
            bench.judge.verify(token)
        for part in (*token.split("."), CLAIMS["sid"], CLAIMS["sub"]):
            assert part not in f"{caught.value} {caught.value!r} {caught.value.args}"


def test_cache_is_bounded_and_keeps_what_is_used() -> None:
    """However many tokens come, no more are remembered than may be; one that is asked for all along is among them."""
    cache = _Cache(100)
    entry = (None, 0.0, "", "", 0, "")
    for number in range(1000):
        cache.put(str(number).encode(), entry)  # type: ignore[arg-type]
        if number >= 10:
            assert cache.get(b"10") is not None
        assert len(cache._young) + len(cache._old) <= 100
    assert cache.get(b"20") is None


def test_many_threads_may_ask_while_one_tells(bench: Bench) -> None:
    """Asked from four threads while revocations arrive, the judge neither fails nor lets a dead token through."""
    wrong: list[str] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            was_dead = bench.judge.received.held.is_dead(CLAIMS["sid"], "", 0, "")
            found = reason_of(bench)
            if found not in ("", "SESSION_ENDED") or (was_dead and found == ""):
                wrong.append(found)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(2000):
        bench.tell(revocation("SESSION", f"other-{number}"), reset=number % 500 == 0)
    bench.tell(revocation("SESSION", CLAIMS["sid"]))
    over.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert reason_of(bench) == "SESSION_ENDED"
