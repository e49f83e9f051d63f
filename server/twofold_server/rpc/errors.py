"""From an error to what gRPC sends: status, ErrorInfo and the details that belong to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from twofold_server.domain.errors import TwofoldError, Violation

DOMAIN: Final = "twofold"
REQUEST_ID: Final = "twofold-request-id"
_STATUS_DETAILS: Final = "grpc-status-details-bin"

_MOST_VIOLATIONS: Final = 20
# gRPC breaks a call whose trailers grow past 8 to 16 KiB, and base64 adds a third.
_MOST_BYTES: Final = 4096

_INTERNAL: Final = "Internal error. The request id leads to its cause in the server's log."

Trailers = tuple[tuple[str, str | bytes], ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """A call's failure as gRPC takes it."""

    code: grpc.StatusCode
    reason: str
    message: str
    trailers: Trailers


class UnknownMethod(TwofoldError):
    """This server has no such method."""

    reason = ""
    status = "UNIMPLEMENTED"


def failure(error: TwofoldError, request_id: str) -> Failure:
    """What a caller gets to see of an error; details stay under 4 KiB."""
    code = grpc.StatusCode[error.status]
    message = _INTERNAL if code is grpc.StatusCode.INTERNAL else error.message
    violations = tuple(error.violations)
    limit = _MOST_VIOLATIONS
    while True:
        status = _status(error, code, message, _shortened(violations, limit), request_id)
        if len(status) <= _MOST_BYTES or limit == 0:
            break
        limit //= 2
    trailers: Trailers = ((_STATUS_DETAILS, status), (REQUEST_ID, request_id))
    return Failure(code, error.reason, message, trailers)


def _shortened(violations: Sequence[Violation], limit: int) -> Sequence[Violation]:
    left = len(violations) - limit
    return violations if left <= 0 else (*violations[:limit], Violation("", f"And {left} more."))


def _status(
    error: TwofoldError, code: grpc.StatusCode, message: str, violations: Sequence[Violation], request_id: str
) -> bytes:
    details: list[Message] = []
    if error.reason:
        details.append(error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata))
    if violations:
        details.append(
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(field=v.field, description=v.description)
                    for v in violations
                ]
            )
        )
    if error.preconditions:
        details.append(
            error_details_pb2.PreconditionFailure(
                violations=[
                    error_details_pb2.PreconditionFailure.Violation(type=kind, subject=subject, description=text)
                    for kind, subject, text in error.preconditions
                ]
            )
        )
    if error.retry_after is not None:
        details.append(error_details_pb2.RetryInfo(retry_delay=_duration(error.retry_after)))
    if code is grpc.StatusCode.INTERNAL:
        details.append(error_details_pb2.RequestInfo(request_id=request_id))
    status = status_pb2.Status(code=code.value[0], message=message)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return bytes(status.SerializeToString())


def _duration(seconds: float) -> duration_pb2.Duration:
    # To the millisecond, and never zero: a client takes zero for no wait at all.
    milliseconds = max(1, round(seconds * 1000))
    return duration_pb2.Duration(seconds=milliseconds // 1000, nanos=milliseconds % 1000 * 1_000_000)
