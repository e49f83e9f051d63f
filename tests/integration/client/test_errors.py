"""What a failed call raises."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2

import twofold
from tests.integration.client.fake_server import REQUEST_ID, bare, fails, retry_info
from twofold.errors import from_status
from twofold.v1 import account_pb2, error_reason_pb2

if TYPE_CHECKING:
    from tests.integration.client.conftest import Call
    from tests.integration.client.fake_server import FakeServer

Code = grpc.StatusCode
REQUEST = account_pb2.SignInRequest(email="ada@example.com", password="correct horse")


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (Code.INVALID_ARGUMENT, "INVALID_FIELDS", twofold.InvalidFields),
        (Code.UNAUTHENTICATED, "CALLER_UNKNOWN", twofold.Unauthenticated),
        (Code.UNAUTHENTICATED, "SESSION_REQUIRED", twofold.Unauthenticated),
        (Code.UNAUTHENTICATED, "INVALID_CREDENTIALS", twofold.InvalidCredentials),
        (Code.UNAUTHENTICATED, "INVALID_SECOND_FACTOR", twofold.InvalidSecondFactor),
        (Code.UNAUTHENTICATED, "SESSION_INVALID", twofold.SessionEnded),
        (Code.UNAUTHENTICATED, "SESSION_EXPIRED", twofold.SessionExpired),
        (Code.UNAUTHENTICATED, "SESSION_ENDED", twofold.SessionEnded),
        (Code.UNAUTHENTICATED, "SESSION_REUSED", twofold.SessionEnded),
        (Code.PERMISSION_DENIED, "CALLER_NOT_PERMITTED", twofold.PermissionDenied),
        (Code.PERMISSION_DENIED, "RECENT_TWO_FACTOR_REQUIRED", twofold.RecentProofRequired),
        (Code.NOT_FOUND, "TICKET_NOT_FOUND", twofold.NotFound),
        (Code.FAILED_PRECONDITION, "LAST_FACTOR", twofold.FailedPrecondition),
        (Code.RESOURCE_EXHAUSTED, "TOO_MANY_ATTEMPTS", twofold.ResourceExhausted),
        (Code.ABORTED, "CHANGED_MEANWHILE", twofold.Aborted),
        (Code.UNAVAILABLE, "CALL_CUT_OFF", twofold.Unavailable),
        (Code.DEADLINE_EXCEEDED, "DEADLINE_TOO_SHORT", twofold.DeadlineExceeded),
        (Code.INTERNAL, "INTERNAL", twofold.InternalError),
    ],
)
async def test_each_reason_raises_its_class(
    fake: FakeServer, call: Call, code: grpc.StatusCode, reason: str, kind: type[twofold.TwofoldError]
) -> None:
    """The class says what to do; code, reason, message, metadata and request id stand on the error."""
    assert f"ERROR_REASON_{reason}" in error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name
    fake.will(fails(code, reason))
    with pytest.raises(twofold.TwofoldError) as caught:
        await call("accounts.SignIn", REQUEST)
    error = caught.value
    assert type(error) is kind
    assert (error.code, error.reason, error.message) == (code, reason, "The server's text.")
    assert error.metadata == {"realm": "default"}
    assert error.request_id == REQUEST_ID
    assert isinstance(error.__cause__, grpc.RpcError)


async def test_every_bad_field_is_named(fake: FakeServer, call: Call) -> None:
    """Each violation of BadRequest is a field and what is wrong with it."""
    bad = error_details_pb2.BadRequest(
        field_violations=[
            error_details_pb2.BadRequest.FieldViolation(field="email", description="Not an e-mail address."),
            error_details_pb2.BadRequest.FieldViolation(field="client.ip_address", description="Missing."),
        ]
    )
    fake.will(fails(Code.INVALID_ARGUMENT, "INVALID_FIELDS", "The request has invalid fields.", bad))
    with pytest.raises(twofold.InvalidFields) as caught:
        await call("accounts.SignIn", REQUEST)
    assert caught.value.field_violations == (
        ("email", "Not an e-mail address."),
        ("client.ip_address", "Missing."),
    )
    assert "[email, client.ip_address]" in str(caught.value)


async def test_wait_of_a_spent_budget_is_told(fake: FakeServer, call: Call) -> None:
    """RetryInfo is `retry_after` in seconds, and the client does not wait it out by itself."""
    fake.will(fails(Code.RESOURCE_EXHAUSTED, "TOO_MANY_ATTEMPTS", "Too many attempts.", retry_info(0.25)))
    with pytest.raises(twofold.ResourceExhausted) as caught:
        await call("accounts.SignIn", REQUEST)
    assert caught.value.retry_after == 0.25
    assert len(fake.seen) == 1


async def test_forbidding_states_are_told(fake: FakeServer, call: Call) -> None:
    """Each violation of PreconditionFailure is a type, a subject and a description."""
    failure = error_details_pb2.PreconditionFailure(
        violations=[error_details_pb2.PreconditionFailure.Violation(type="SECOND_FACTOR", subject="totp")]
    )
    fake.will(fails(Code.FAILED_PRECONDITION, "SECOND_FACTOR_REQUIRED", "A code is needed.", failure))
    with pytest.raises(twofold.FailedPrecondition) as caught:
        await call("accounts.SignIn", REQUEST)
    assert caught.value.precondition_violations == (("SECOND_FACTOR", "totp", ""),)


async def test_what_is_not_of_the_service_has_no_reason(fake: FakeServer, call: Call) -> None:
    """A status without details, as a proxy gives it, still raises the class of its code."""
    fake.will(bare(Code.PERMISSION_DENIED, "blocked"), bare(Code.UNIMPLEMENTED))
    with pytest.raises(twofold.PermissionDenied) as caught:
        await call("accounts.SignIn", REQUEST)
    assert (caught.value.reason, caught.value.request_id, caught.value.retry_after) == ("", "", None)
    with pytest.raises(twofold.TwofoldError) as other:
        await call("accounts.SignIn", REQUEST)
    assert other.value.code is Code.UNIMPLEMENTED


@pytest.mark.parametrize("raw", [b"\xff\xff\xff", b"\x1a\x03\x0a\x01", b""])
def test_details_that_do_not_parse_are_left_out(raw: bytes) -> None:
    """Garbage in place of the details loses the details, not the error."""
    error = from_status(Code.NOT_FOUND, None, [("grpc-status-details-bin", raw), ("twofold-request-id", "r-1")])
    assert isinstance(error, twofold.NotFound)
    assert (error.reason, error.message, error.request_id) == ("", "", "r-1")


def test_reason_of_another_domain_is_not_ours() -> None:
    """ErrorInfo of a proxy or mesh is not taken for a reason of Twofold."""
    info = AnyMessage()
    info.Pack(error_details_pb2.ErrorInfo(reason="INVALID_CREDENTIALS", domain="mesh.example"))
    raw = status_pb2.Status(code=16, details=[info]).SerializeToString()
    error = from_status(Code.UNAUTHENTICATED, "no", [("grpc-status-details-bin", raw)])
    assert type(error) is twofold.Unauthenticated
    assert error.reason == ""


def test_error_survives_pickling() -> None:
    """An error can cross a process boundary whole."""
    error = twofold.ResourceExhausted(Code.RESOURCE_EXHAUSTED, "OVERLOADED", "Busy.", retry_after=0.5, request_id="r-1")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is twofold.ResourceExhausted
    assert vars(again) == vars(error)
