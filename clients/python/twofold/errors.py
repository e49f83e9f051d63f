"""What a failed call raises: one class for each thing that a caller does about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from google.protobuf.any_pb2 import Any as AnyMessage

REQUEST_ID_TRAILER = "twofold-request-id"

_ERROR_DOMAIN = "twofold"
_STATUS_TRAILER = "grpc-status-details-bin"
_Detail = TypeVar("_Detail", bound=Message)


class FieldViolation(NamedTuple):
    """A field of the request that the server refused."""

    field: str
    """Its path in the request, such as `client.ip_address`; empty: the message as a whole."""
    description: str
    """What is wrong with it, in English."""


class PreconditionViolation(NamedTuple):
    """A state that forbids the call."""

    type: str
    """What kind of state, such as `SECOND_FACTOR`."""
    subject: str
    """What is in that state, such as `account`."""
    description: str
    """The same in English; may be empty."""


class TwofoldError(Exception):
    """A call failed; catch the subclasses, or this for all of them.

    Its text holds no part of the request and no token. The grpc error that it came from is its `__cause__`.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str = "",
        message: str = "",
        *,
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        field_violations: tuple[FieldViolation, ...] = (),
        precondition_violations: tuple[PreconditionViolation, ...] = (),
        request_id: str = "",
    ) -> None:
        super().__init__(code, reason, message)
        self.code = code
        """The status code."""
        self.reason = reason
        """The name of the `ErrorReason` without its prefix, such as `INVALID_CREDENTIALS`; empty if there is none."""
        self.message = message
        """The text that came with it, in English. For people; it may change."""
        self.metadata: Mapping[str, str] = dict(metadata or {})
        """Further facts, by reason."""
        self.retry_after = retry_after
        """How many seconds to wait before the next call, where the server said so."""
        self.field_violations = field_violations
        """Every field that was refused."""
        self.precondition_violations = precondition_violations
        """Every state that forbids the call."""
        self.request_id = request_id
        """Under which the server's log has the call; empty if the call never reached the service."""

    def __str__(self) -> str:
        text = self.code.name
        if self.reason:
            text += f" {self.reason}"
        # A text without a reason is not the service's: grpc sends those of uncaught exceptions, which may quote a
        # request. What it says of the connection quotes none, and is needed to see what is wrong with it.
        if self.message and (self.reason or self.code in _CONNECTION_CODES):
            text += f": {self.message}"
        if self.field_violations:
            text += f" [{', '.join(violation.field or '(message)' for violation in self.field_violations)}]"
        if self.request_id:
            text += f" (request {self.request_id})"
        return text

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"


class InvalidFields(TwofoldError):
    """Correct the request: `field_violations` names every bad field."""


class Unauthenticated(TwofoldError):
    """Somebody has not proven who they are: the calling service (`CALLER_UNKNOWN`) or, mostly a subclass, the user."""


class InvalidCredentials(Unauthenticated):
    """Ask the user again for address and password; which one is wrong is not told."""


class InvalidSecondFactor(Unauthenticated):
    """Ask the user for a new code."""


class SessionEnded(Unauthenticated):
    """Have the user sign in again: the session is over, or the token was never good."""


class SessionExpired(SessionEnded):
    """The access token is too old: call RefreshSession, then again; only if that fails have the user sign in."""


class PermissionDenied(TwofoldError):
    """The caller or the account may not do this."""


class RecentProofRequired(PermissionDenied):
    """Call StepUp first: this needs a proof of the last 10 min, by the reason of the password or the second factor."""


class NotFound(TwofoldError):
    """There is no such thing, or not for this caller; a link or step that is used or expired has to begin anew."""


class FailedPrecondition(TwofoldError):
    """The state of the account forbids it: `precondition_violations` says which."""


class ResourceExhausted(TwofoldError):
    """Wait `retry_after` seconds: too many attempts, too soon, or too much load."""


class Aborted(TwofoldError):
    """The account changed meanwhile and nothing was done: call again from the start."""


class Unavailable(TwofoldError):
    """Call again later: no server could answer.

    A call that writes may have been done all the same, unless `code` is CANCELLED and `request_id` is empty.
    """


class VerifierNotReady(Unavailable):
    """A Verifier has no snapshot of what is revoked yet, or hears nothing more, so it vouches for nobody."""


class DeadlineExceeded(TwofoldError):
    """Time ran out. A call that writes may have been done, unless the reason is `DEADLINE_TOO_SHORT`."""


class InternalError(TwofoldError):
    """A fault of the server's own: report `request_id`."""


_CONNECTION_CODES = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED}
)

_BY_CODE: dict[grpc.StatusCode, type[TwofoldError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidFields,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.FAILED_PRECONDITION: FailedPrecondition,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhausted,
    grpc.StatusCode.ABORTED: Aborted,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    # Remote only, as when a server stops: cancelling on this side raises nothing of ours.
    grpc.StatusCode.CANCELLED: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.INTERNAL: InternalError,
    grpc.StatusCode.UNKNOWN: InternalError,
    grpc.StatusCode.DATA_LOSS: InternalError,
}

_BY_REASON: dict[str, type[TwofoldError]] = {
    "INVALID_CREDENTIALS": InvalidCredentials,
    "INVALID_SECOND_FACTOR": InvalidSecondFactor,
    "SESSION_INVALID": SessionEnded,
    "SESSION_EXPIRED": SessionExpired,
    "SESSION_ENDED": SessionEnded,
    "SESSION_REUSED": SessionEnded,
    "SESSION_USER_AGENT_CHANGED": SessionEnded,
    "RECENT_PASSWORD_REQUIRED": RecentProofRequired,
    "RECENT_TWO_FACTOR_REQUIRED": RecentProofRequired,
}


def from_status(
    code: grpc.StatusCode, message: str | None, trailers: Iterable[tuple[str, str | bytes]] | None
) -> TwofoldError:
    """Turn the status and trailers of a failed call into the error to raise. Details that don't parse are left out."""
    by_name = dict(trailers or ())
    details = _details(by_name.get(_STATUS_TRAILER))
    info = next((i for i in _unpack(details, error_details_pb2.ErrorInfo) if i.domain == _ERROR_DOMAIN), None)
    reason = info.reason if info else ""
    request_id = by_name.get(REQUEST_ID_TRAILER, "")
    if not request_id:
        request_id = next((r.request_id for r in _unpack(details, error_details_pb2.RequestInfo)), "")
    kind = _BY_REASON.get(reason) or _BY_CODE.get(code, TwofoldError)
    return kind(
        code,
        reason,
        message or "",
        metadata=info.metadata if info else None,
        retry_after=next(
            (
                max(retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9, 0.0)
                for retry in _unpack(details, error_details_pb2.RetryInfo)
            ),
            None,
        ),
        field_violations=tuple(
            FieldViolation(violation.field, violation.description)
            for bad_request in _unpack(details, error_details_pb2.BadRequest)
            for violation in bad_request.field_violations
        ),
        precondition_violations=tuple(
            PreconditionViolation(violation.type, violation.subject, violation.description)
            for failure in _unpack(details, error_details_pb2.PreconditionFailure)
            for violation in failure.violations
        ),
        request_id=request_id if isinstance(request_id, str) else "",
    )


def closed() -> Unavailable:
    """Give the error of a call that its own client's `close` has ended."""
    return Unavailable(grpc.StatusCode.UNAVAILABLE, "", "The client is closed.")


def not_connected(target: str, seconds: float) -> Unavailable:
    """Give the error of a connection that did not come about in time."""
    return Unavailable(grpc.StatusCode.UNAVAILABLE, "", f"No connection to {target} in {seconds} s.")


def reached_service(trailers: Iterable[tuple[str, str | bytes]] | None) -> bool:
    """Tell whether the service itself answered: its answers carry a request id, those that others give do not."""
    return any(key == REQUEST_ID_TRAILER for key, _ in trailers or ())


def _details(raw: str | bytes | None) -> list[AnyMessage]:
    if not isinstance(raw, bytes):
        return []
    try:
        return list(status_pb2.Status.FromString(raw).details)
    except DecodeError:
        return []


def _unpack(details: list[AnyMessage], kind: type[_Detail]) -> list[_Detail]:
    found = []
    for detail in details:
        message = kind()
        try:
            if detail.Unpack(message):
                found.append(message)
        except DecodeError:
            continue
    return found
