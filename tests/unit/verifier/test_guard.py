"""What every middleware shares: which authorization is a token, and what a refusal says."""

from __future__ import annotations

import contextvars
import re

import grpc
import pytest

from tests.unit.verifier.samples import GOOD, Bench, Clocks
from twofold import (
    DeadlineExceeded,
    PermissionDenied,
    SessionEnded,
    SessionExpired,
    TwofoldError,
    Unauthenticated,
    VerifiedSession,
    VerifierNotReady,
    current_session,
)
from twofold.guard import Guard, Refusal, bearer_token, enter, leave, refusal

NAME = re.compile(r"/\w+")
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


@pytest.fixture
def session() -> VerifiedSession:
    """A session with two factors."""
    return Bench(Clocks()).ready().judge.verify(GOOD)


@pytest.mark.parametrize("value", ["Bearer abc", "bearer abc", "BEARER   abc", "Bearer abc  "])
def test_a_bearer_token_is_found(value: str) -> None:
    """The scheme is spelt in any case, and followed by spaces (RFC 9110 11.4)."""
    assert bearer_token([value]) == "abc"


@pytest.mark.parametrize("values", [[], [""], ["Bearer"], ["Bearer "], ["Bearerabc"], ["Basic abc"], ["abc"]])
def test_where_there_is_no_token_one_is_asked_for(values: list[str]) -> None:
    """RFC 6750 3.1: a request without a token is told of no error."""
    with pytest.raises(Refusal) as caught:
        bearer_token(values)
    assert (caught.value.http_status, caught.value.challenge) == (401, "Bearer")
    assert caught.value.reason == "SESSION_REQUIRED"


@pytest.mark.parametrize("value", [f"Bearer a{' ' * 2**20}b", f"Bearer{' ' * 2**20}", f"Bearer a{' ' * 2**20}\t"])
def test_a_long_value_is_read_in_one_pass(value: str) -> None:
    """Anybody can send one: with each space looked at for each other, this test takes an hour."""
    try:
        assert bearer_token([value]).startswith("a ")
    except Refusal as refused:
        assert refused.reason == "SESSION_REQUIRED"


def test_two_authorizations_are_none() -> None:
    """It must not depend on the reader which of two tokens counts, be they alike."""
    for values in (["Bearer abc", "Bearer abc"], ["Bearer abc", "Basic abc"], ["", "Bearer abc"]):
        with pytest.raises(Refusal) as caught:
            bearer_token(values)
        assert 'error="invalid_token"' in caught.value.challenge


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SessionExpired(UNAUTHENTICATED, "SESSION_EXPIRED", 'quoted "\r\n'), "SESSION_EXPIRED"),
        (SessionEnded(UNAUTHENTICATED, "SESSION_ENDED", 'quoted "\r\n'), "SESSION_ENDED"),
        (SessionEnded(UNAUTHENTICATED, "SESSION_INVALID", 'quoted "\r\n'), "SESSION_INVALID"),
        (SessionEnded(UNAUTHENTICATED, "SOMETHING_NEW", 'quoted "\r\n'), "SESSION_INVALID"),
    ],
)
def test_a_bad_token_is_told_by_a_fixed_text(error: TwofoldError, reason: str) -> None:
    """What an error of elsewhere says never gets into a header."""
    refused = refusal(error)
    assert (refused.code, refused.http_status, refused.reason) == (UNAUTHENTICATED, 401, reason)
    assert re.fullmatch(r'Bearer error="invalid_token", error_description="[A-Za-z .]+"', refused.challenge)


@pytest.mark.parametrize(
    "error",
    [
        VerifierNotReady(grpc.StatusCode.UNAVAILABLE),
        DeadlineExceeded(grpc.StatusCode.DEADLINE_EXCEEDED),
        Unauthenticated(UNAUTHENTICATED, "CALLER_UNKNOWN"),
        PermissionDenied(grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_PERMITTED"),
    ],
)
def test_what_says_nothing_of_the_token_is_unavailable(error: TwofoldError) -> None:
    """Neither a silent service nor this service's own bad credential signs a user out."""
    refused = refusal(error)
    assert (refused.code, refused.http_status, refused.challenge) == (grpc.StatusCode.UNAVAILABLE, 503, "")


def test_too_little_assurance_is_refused(session: VerifiedSession) -> None:
    """One factor where two are demanded: 401, with the error of RFC 9470."""
    Guard(2, (), NAME, "").admit(session._replace(aal=2))
    Guard(1, (), NAME, "").admit(session._replace(aal=1))
    with pytest.raises(Refusal) as caught:
        Guard(2, (), NAME, "").admit(session._replace(aal=1))
    assert caught.value.http_status == 401
    assert caught.value.challenge.startswith('Bearer error="insufficient_user_authentication"')


def test_options_that_make_no_sense_are_refused() -> None:
    """An assurance that nobody reaches or everybody has, and what opens nothing or, letter by letter, too much."""
    for min_aal in (0, 3):
        with pytest.raises(ValueError, match="min_aal"):
            Guard(min_aal, (), NAME, "")
    with pytest.raises(ValueError, match="healthz"):
        Guard(1, ["healthz"], NAME, "an exact path")
    with pytest.raises(TypeError, match="list"):
        Guard(1, "/healthz", NAME, "")


def test_there_is_no_session_where_none_was_let_in(session: VerifiedSession) -> None:
    """Code that is reached around the middleware fails, instead of serving nobody in particular."""

    def serve() -> None:
        with pytest.raises(LookupError):
            current_session()
        token = enter(session)
        assert current_session() is session
        leave(token)
        with pytest.raises(LookupError):
            current_session()

    contextvars.copy_context().run(serve)
