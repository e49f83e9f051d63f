"""The client of the Twofold authentication service: `Client` for asyncio, `SyncClient` for threads."""

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
)
from twofold.sync_client import SyncClient
from twofold.transport import TlsOptions

__all__ = [
    "Aborted",
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
    "TlsOptions",
    "TwofoldError",
    "Unauthenticated",
    "Unavailable",
    "__version__",
]
