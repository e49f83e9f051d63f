"""The client of the Twofold authentication service: `Client` for asyncio, `SyncClient` for threads.

`Verifier` and `SyncVerifier` check access tokens without a call; they need the extra `twofold[verifier]`.
`VerifierMiddleware` (ASGI), `VerifierInterceptor` and `SyncVerifierInterceptor` (gRPC) guard a service with one.
`Approver` is a phone that approves sign-ins, in Python; it needs `twofold[approver]`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from twofold._version import __version__

if TYPE_CHECKING:
    from twofold.approver import Approver, ApproverIdentity
    from twofold.asgi import VerifierMiddleware
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
    from twofold.guard import current_session
    from twofold.interceptors import SyncVerifierInterceptor, VerifierInterceptor
    from twofold.sync_client import SyncClient
    from twofold.sync_verifier import SyncVerifier
    from twofold.transport import TlsOptions
    from twofold.verified import VerifiedSession
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
    "SyncVerifierInterceptor",
    "TlsOptions",
    "TwofoldError",
    "Unauthenticated",
    "Unavailable",
    "VerifiedSession",
    "Verifier",
    "VerifierInterceptor",
    "VerifierMiddleware",
    "VerifierNotReady",
    "__version__",
    "current_session",
]


# Loaded on use: who needs the stubs alone loads no client, and a client without a verifier no `cryptography`.
_HOMES = {
    "Approver": "approver",
    "ApproverIdentity": "approver",
    "Client": "client",
    "SyncClient": "sync_client",
    "SyncVerifier": "sync_verifier",
    "SyncVerifierInterceptor": "interceptors",
    "TlsOptions": "transport",
    "VerifiedSession": "verified",
    "Verifier": "verifier",
    "VerifierInterceptor": "interceptors",
    "VerifierMiddleware": "asgi",
    "current_session": "guard",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"twofold.{_HOMES.get(name, 'errors')}"), name)
    globals()[name] = value
    return value
