"""What a verified access token says, and the errors of one that is not."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import grpc

from twofold.errors import SessionEnded, SessionExpired, VerifierNotReady


# Not a frozen dataclass: making one of those costs a twentieth of verifying a signature.
class VerifiedSession(NamedTuple):
    """Who is signed in, and how that was proven; times are aware, in UTC. It holds no token."""

    account_id: str
    """The account; UUID."""
    session_id: str
    """The session, as ListSessions names it; UUID."""
    realm_id: str
    """The realm of the account."""
    client_id: str
    """The calling service that the token was issued to."""
    audience: str
    """Who the token was issued for: the Verifier's own audience."""
    amr: tuple[str, ...]
    """How the user proved who they are (RFC 8176): `pwd`, `otp`, `mfa`, and `backup` for a backup code."""
    aal: int
    """Authenticator assurance level (NIST SP 800-63B): 1, or 2 with a second factor proven."""
    auth_time: datetime
    """When the user last proved the first factor."""
    second_factor_time: datetime | None
    """When the user last proved a second factor in this session; None if never."""
    epoch: int
    """The account's epoch when the session was made or carried over."""
    expire_time: datetime
    """When the access token expires; the session may live on."""


class UnknownKey(Exception):
    """The token names a key that is not in the set that is held: `kid`."""

    def __init__(self, kid: str) -> None:
        super().__init__()
        self.kid = kid


class BadToken(Exception):
    """The token is not to be trusted; the text is fixed and quotes nothing of it."""


class ExpiredToken(Exception):
    """The token was good in everything and has expired."""


def invalid(why: str) -> SessionEnded:
    """Give the error of a token that is not to be trusted."""
    return SessionEnded(grpc.StatusCode.UNAUTHENTICATED, "SESSION_INVALID", f"The access token is not valid: {why}.")


def expired() -> SessionExpired:
    """Give the error of a good token that is too old."""
    return SessionExpired(grpc.StatusCode.UNAUTHENTICATED, "SESSION_EXPIRED", "The access token has expired.")


def ended() -> SessionEnded:
    """Give the error of a good token that is revoked."""
    return SessionEnded(grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED", "The session is over.")


def not_ready(why: str) -> VerifierNotReady:
    """Give the error of a verifier that can't judge now."""
    return VerifierNotReady(grpc.StatusCode.UNAVAILABLE, "", why)
