"""The client of the Twofold authentication service: `Client` for asyncio, `SyncClient` for threads.

`Verifier` and `SyncVerifier` check access tokens without a call; they need the extra `twofold[verifier]`. `Approver`
is a phone that approves sign-ins, in Python; it needs `twofold[approver]`.
"""

from typing import TYPE_CHECKING

from twofold._version import __version__
from twofold.client import Client
from twofold.errors import (
    Aborted,
    DeadlineExceeded,
    FailedPrecondition,
    FieldViolation,
    InternalError,
    InvalidCredentials,
    InvalidFields,
    InvalidSecondFactor,
    NotFound,
    PermissionDenied,
    PreconditionViolation,
    RecentProofRequired,
    ResourceExhausted,
    SessionEnded,
    SessionExpired,
    TwofoldError,
    Unauthenticated,
    Unavailable,
    VerifierNotReady,
)
from twofold.sync_client import SyncClient
from twofold.transport import TlsOptions
from twofold.verified import VerifiedSession

if TYPE_CHECKING:
    from twofold.approver import Approver, ApproverIdentity
    from twofold.sync_verifier import SyncVerifier
    from twofold.verifier import Verifier

__all__ = [
    "Aborted",
    "Approver",
    "ApproverIdentity",
    "Client",
    "DeadlineExceeded",
    "FailedPrecondition",
    "FieldViolation",
    "InternalError",
    "InvalidCredentials",
    "InvalidFields",
    "InvalidSecondFactor",
    "NotFound",
    "PermissionDenied",
    "PreconditionViolation",
    "RecentProofRequired",
    "ResourceExhausted",
    "SessionEnded",
    "SessionExpired",
    "SyncClient",
    "SyncVerifier",
    "TlsOptions",
    "TwofoldError",
    "Unauthenticated",
    "Unavailable",
    "VerifiedSession",
    "Verifier",
    "VerifierNotReady",
    "__version__",
]


def __getattr__(name: str) -> object:
    # Only on use, for they load `cryptography`, which a client can do without.
    if name == "Verifier":
        from twofold.verifier import Verifier  # noqa: PLC0415

        return Verifier
    if name == "SyncVerifier":
        from twofold.sync_verifier import SyncVerifier  # noqa: PLC0415

        return SyncVerifier
    if name in {"Approver", "ApproverIdentity"}:
        from twofold import approver  # noqa: PLC0415

        return getattr(approver, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
