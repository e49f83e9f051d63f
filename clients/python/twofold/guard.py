"""What the middleware of every transport shares: whose request it is, and how one is refused."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

import grpc

from twofold.errors import SessionEnded

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Sequence
    from contextvars import Token

    from twofold.errors import TwofoldError
    from twofold.verified import VerifiedSession

RETRY_SECONDS: Final = 1
"""What a client is asked to wait while the verifier can't judge: it reconnects with pauses of at most 2 s."""

_SCHEME: Final = "bearer "
_HTTP_STATUS: Final = {
    grpc.StatusCode.UNAUTHENTICATED: 401,
    # RFC 9470 section 3: proving more mends it, as a token does what has none.
    grpc.StatusCode.PERMISSION_DENIED: 401,
    grpc.StatusCode.UNAVAILABLE: 503,
}
_current: ContextVar[VerifiedSession | None] = ContextVar("twofold_session", default=None)


class Refusal(Exception):
    """A request that is not let through. Its texts are fixed: nothing of the request, and nothing from elsewhere."""

    def __init__(self, code: grpc.StatusCode, text: str, *, reason: str = "", error: str = "") -> None:
        super().__init__(text)
        self.code = code
        """The gRPC status."""
        self.text = text
        """Why, in English; printable ASCII without quotes."""
        self.reason = reason
        """The name of the `ErrorReason` without its prefix; empty if there is none."""
        self.error = error
        """The error code of RFC 6750 or RFC 9470; empty where no token was presented, or nothing is said of it."""

    @property
    def http_status(self) -> int:
        """401 or 503."""
        return _HTTP_STATUS[self.code]

    @property
    def challenge(self) -> str:
        """The value of `WWW-Authenticate`; empty where there is nothing to challenge for."""
        if self.code is grpc.StatusCode.UNAVAILABLE:
            return ""
        return f'Bearer error="{self.error}", error_description="{self.text}"' if self.error else "Bearer"


class Guard:
    """The rules of one middleware: what is open, and how well a user must have proven who they are."""

    def __init__(self, min_aal: int, open_names: Iterable[str], name: re.Pattern[str], like: str) -> None:
        """Take the options; every open name has to match `name`. Raises ValueError where one makes no sense."""
        if min_aal not in (1, 2):
            raise ValueError(f"min_aal is 1, or 2 for sessions with a second factor, not {min_aal!r}")
        if isinstance(open_names, str):
            raise TypeError(f"what is open is a list of names, not the text {open_names!r}")
        self.min_aal = min_aal
        self.open = frozenset(open_names)
        for given in self.open:
            if not name.fullmatch(given):
                raise ValueError(f"{given!r} opens nothing: name it as {like}")

    def admit(self, session: VerifiedSession) -> VerifiedSession:
        """Give the session if its assurance suffices. Raises Refusal."""
        if session.aal < self.min_aal:
            raise Refusal(
                grpc.StatusCode.PERMISSION_DENIED,
                "A second factor is needed in this session.",
                error="insufficient_user_authentication",
            )
        return session


def bearer_token(values: Sequence[str]) -> str:
    """Return the token in the values of `authorization`. Raises Refusal where there is none, or more than one value."""
    if len(values) > 1:
        # Which one counts must not depend on who reads them: another part of the service may read the other.
        raise _invalid("There is more than one authorization.")
    value = values[0] if values else ""
    # Not by a pattern: anybody can send a long value, and one that backtracks would hold up every other request.
    token = value[len(_SCHEME) :].strip(" ") if value[: len(_SCHEME)].lower() == _SCHEME else ""
    if not token:
        raise Refusal(grpc.StatusCode.UNAUTHENTICATED, "An access token is required.", reason="SESSION_REQUIRED")
    return token


def refusal(error: TwofoldError) -> Refusal:
    """Say what a verifier's error means for the request that it judged.

    Whatever is not about the token, this service's own credential among it, is no word on the token: UNAVAILABLE.
    """
    if not isinstance(error, SessionEnded):
        return Refusal(grpc.StatusCode.UNAVAILABLE, "Access tokens can't be checked now.")
    if error.reason == "SESSION_EXPIRED":
        return _invalid("The access token has expired.", "SESSION_EXPIRED")
    if error.reason == "SESSION_ENDED":
        return _invalid("The session is over.", "SESSION_ENDED")
    return _invalid("The access token is not valid.")


def current_session() -> VerifiedSession:
    """Return the session of the request that is being served; raises LookupError where the middleware let none in.

    Such is a method or path that was left open, and code that serves no request. It is a context variable: tasks and
    `asyncio.to_thread` inherit it, threads of one's own do not.
    """
    session = _current.get()
    if session is None:
        raise LookupError("There is no verified session: nothing that the middleware guards is being served here.")
    return session


def enter(session: VerifiedSession | None) -> Token[VerifiedSession | None]:
    """Make this the session of the request that is being served; None: it has none."""
    return _current.set(session)


def leave(token: Token[VerifiedSession | None]) -> None:
    """Undo `enter`, in the same context."""
    _current.reset(token)


def _invalid(text: str, reason: str = "SESSION_INVALID") -> Refusal:
    return Refusal(grpc.StatusCode.UNAUTHENTICATED, text, reason=reason, error="invalid_token")
