"""What the boundary makes of what comes in: junk, sizes, callers, realms, and of what the methods raise."""

import asyncio
import gzip
import inspect
import os
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import grpc
import pytest
from google.protobuf.message import Message
from structlog.testing import capture_logs

from tests.conftest import Clock
from tests.integration.boundary_setup import (
    CHECK_SESSION,
    GET_SIGNING_KEYS,
    METHODS,
    SIGN_IN,
    Rig,
    assert_reason,
    paths,
    serving,
)
from twofold.v1 import account_pb2, session_pb2
from twofold_server.crypto.hash_engine import HashQueueFull
from twofold_server.db.pool import Pool, open_pool
from twofold_server.domain import errors
from twofold_server.domain.callers import Role
from twofold_server.domain.errors import InvalidFields, TooManyAttempts, TwofoldError, Violation
from twofold_server.rpc.call import Call

ERRORS = [
    found
    for _, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, TwofoldError) and found not in {TwofoldError, InvalidFields}
]


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    pool = await open_pool(database, 5)
    yield pool
    await pool.close()


@pytest.fixture
async def rig(pool: Pool, clock: Clock) -> AsyncIterator[Rig]:
    async with serving(pool, clock) as rig:
        yield rig


async def in_every_role(rig: Rig) -> str:
    """The credential of a caller that may call every method."""
    return await rig.caller("all", *[("default", role.value, False) for role in Role])


async def test_bytes_that_are_no_message_name_no_field(rig: Rig) -> None:
    """Bytes that are no message are INVALID_FIELDS for every method, without the parser's text."""
    credential = await in_every_role(rig)
    for path in paths():
        failure = await rig.failure(path, b"\xff\xff\xff", credential=credential)
        assert_reason(failure, "INVALID_FIELDS", grpc.StatusCode.INVALID_ARGUMENT)
        assert failure.fields == [""]
        assert "parsing" not in failure.message.casefold()
    assert not rig.calls


async def test_text_that_is_not_utf8_is_named(rig: Rig) -> None:
    """A string that is not UTF-8 is INVALID_FIELDS with its path, also inside a message."""
    for raw, field in (
        (b"\x12\x02\xff\xfe", "email"),
        (b"\x0a\x07default\x1a\x02\xc3\x28", "password"),
        (b"\x12\x04good\x32\x04\x12\x02\xff\xfe", "client.user_agent"),
        (b"\x22\x03\x0a\x01\xff", "second_factor.totp_code"),
    ):
        failure = await rig.failure(SIGN_IN, raw)
        assert_reason(failure, "INVALID_FIELDS", grpc.StatusCode.INVALID_ARGUMENT)
        assert failure.fields == [field]


async def test_fields_of_a_newer_contract_are_passed_over(rig: Rig) -> None:
    """An unknown field is no error: newer clients speak to older servers."""
    await rig.raw(GET_SIGNING_KEYS, b"\xfa\x7f\x02hi")
    assert len(rig.calls) == 1


async def test_a_message_over_the_limit_has_a_reason(rig: Rig) -> None:
    """A request over 64 KiB is MESSAGE_TOO_LONG with the limit, for every method; one of 64 KiB is looked at."""
    credential = await in_every_role(rig)
    for path in paths():
        failure = await rig.failure(path, b"\x0a" * (65536 + 1), credential=credential)
        assert_reason(failure, "MESSAGE_TOO_LONG", grpc.StatusCode.INVALID_ARGUMENT)
        assert failure.details["ErrorInfo"].metadata == {"limit_bytes": "65536"}
        failure = await rig.failure(path, b"\xff" * 65536, credential=credential)
        assert failure.reason == "INVALID_FIELDS"
    assert not rig.calls


async def test_a_gzip_bomb_is_refused(rig: Rig) -> None:
    """A small compressed body that grows past the limit is refused, and the server lives on."""
    sign_in: Any = rig.channel.unary_unary(SIGN_IN)
    call = sign_in(
        account_pb2.SignInRequest(email="a" * 50_000_000).SerializeToString(),
        compression=grpc.Compression.Gzip,
        timeout=20,
    )
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    smaller = account_pb2.SignInRequest(email="a" * 100_000).SerializeToString()
    assert len(gzip.compress(smaller)) < 1000
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await sign_in(smaller, compression=grpc.Compression.Gzip, timeout=5)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert not rig.calls
    await rig.raw(GET_SIGNING_KEYS)


async def test_every_error_arrives_as_the_contract_says(rig: Rig) -> None:
    """Each error of the rules comes with its code, its reason in ErrorInfo, its text, its details and a request id."""
    assert len(ERRORS) > 20
    for error in ERRORS:
        rig.will_raise(error(retry_after=1.25, metadata={"key": "value"}))
        failure = await rig.failure(GET_SIGNING_KEYS)
        assert_reason(failure, error.reason, grpc.StatusCode[error.status])
        assert failure.message == error().message
        assert failure.details["ErrorInfo"].metadata == {"key": "value"}
        assert failure.retry_after == 1.25
        assert failure.fields == ([error.field] if error.field else [])
        if error.status == "FAILED_PRECONDITION":
            violation = failure.details["PreconditionFailure"].violations[0]
            assert violation.type
            assert violation.subject
            assert violation.description


async def test_violations_are_cut_at_twenty_and_counted(rig: Rig) -> None:
    """Of 500 bad fields 20 arrive and a count of the others: details stay under 4 KiB."""
    rig.will_raise(InvalidFields([Violation(f"field_{n}", "Bad.") for n in range(500)]))
    failure = await rig.failure(GET_SIGNING_KEYS)
    violations = failure.details["BadRequest"].field_violations
    assert len(violations) == 21
    assert violations[-1].description == "And 480 more."
    rig.will_raise(InvalidFields([Violation("x" * 200, "y" * 300) for _ in range(20)]))
    failure = await rig.failure(GET_SIGNING_KEYS)
    assert failure.fields
    assert len(failure.trailers["grpc-status-details-bin"]) <= 4096


LEAKS = (
    RuntimeError("s3cret"),
    KeyError("s3cret"),
    UnicodeDecodeError("utf-8", b"s3cret", 0, 1, "s3cret"),
    asyncpg.DataError("invalid input for query argument $1: 's3cret'"),
    asyncpg.UniqueViolationError("Key (email)=(s3cret) already exists"),
    asyncio.CancelledError("s3cret"),
    StopAsyncIteration("s3cret"),
    ExceptionGroup("s3cret", [ValueError("s3cret")]),
)


async def test_an_exceptions_text_leaves_neither_by_the_answer_nor_by_the_log(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a method raises is INTERNAL with a fixed text and the request id; the log has its type and place."""
    for error in LEAKS:
        rig.will_raise(error)
        with capture_logs() as lines:
            failure = await rig.failure(GET_SIGNING_KEYS)
        assert_reason(failure, "INTERNAL", grpc.StatusCode.INTERNAL)
        assert failure.details["RequestInfo"].request_id == failure.request_id
        assert "s3cret" not in repr(failure)
        (line,) = [line for line in lines if line["log_level"] == "error"]
        assert line["request_id"] == failure.request_id
        assert type(error).__name__ in line["cause"][0]
        assert any("boundary_setup.py" in place for place in line["at"])
        assert "s3cret" not in repr(lines) + caplog.text


UNAVAILABLE: tuple[Exception, ...] = (
    ConnectionRefusedError("s3cret"),
    TimeoutError(),
    asyncpg.AdminShutdownError("s3cret"),
    asyncpg.CannotConnectNowError("s3cret"),
    asyncpg.TooManyConnectionsError("s3cret"),
    asyncpg.ReadOnlySQLTransactionError("s3cret"),
    asyncpg.QueryCanceledError("s3cret"),
    asyncpg.InterfaceError("connection is closed"),
)


async def test_failures_of_the_ground_floor_have_reasons(rig: Rig) -> None:
    """A database that is away, stopping, full or read-only is UNAVAILABLE with RetryInfo; a lost race is ABORTED."""
    for error in UNAVAILABLE:
        rig.will_raise(error)
        failure = await rig.failure(GET_SIGNING_KEYS)
        assert_reason(failure, "DATABASE_UNAVAILABLE", grpc.StatusCode.UNAVAILABLE)
        assert failure.retry_after
        assert "s3cret" not in repr(failure)
    for lost in (asyncpg.SerializationError("s3cret"), asyncpg.DeadlockDetectedError("s3cret")):
        rig.will_raise(lost)
        assert_reason(await rig.failure(GET_SIGNING_KEYS), "CHANGED_MEANWHILE", grpc.StatusCode.ABORTED)
    rig.will_raise(HashQueueFull(0.5))
    failure = await rig.failure(GET_SIGNING_KEYS)
    assert_reason(failure, "OVERLOADED", grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert failure.retry_after == 0.5


async def test_the_database_gone_in_the_middle_of_a_call(rig: Rig, pool: Pool) -> None:
    """A connection that the server ends under a query is UNAVAILABLE with RetryInfo, and the next call works again."""

    async def behaviour(_request: Message, _call: Call) -> Message | None:
        async with pool.acquire() as connection:
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return None

    rig.behaviour = behaviour
    failure = await rig.failure(GET_SIGNING_KEYS)
    assert_reason(failure, "DATABASE_UNAVAILABLE", grpc.StatusCode.UNAVAILABLE)
    assert failure.retry_after

    async def works(_request: Message, _call: Call) -> Message | None:
        assert await pool.fetchval("SELECT 1") == 1
        return None

    rig.behaviour = works
    await rig.raw(GET_SIGNING_KEYS)


async def test_an_unknown_method_is_unimplemented_with_a_request_id(rig: Rig) -> None:
    """A method that is not there is UNIMPLEMENTED, answered by the boundary."""
    for path in ("/twofold.v1.AccountService/Nothing", "/nothing", "/../../etc"):
        failure = await rig.failure(path)
        assert failure.code is grpc.StatusCode.UNIMPLEMENTED
        assert failure.request_id


async def test_a_success_has_a_request_id_too(rig: Rig) -> None:
    """Every answer has its own `twofold-request-id`, a UUIDv7."""
    seen = set()
    for _ in range(3):
        _, trailers = await rig.raw(GET_SIGNING_KEYS)
        seen.add(trailers["twofold-request-id"])
        assert str(trailers["twofold-request-id"])[14] == "7"
    assert len(seen) == 3


async def test_junk_in_metadata_breaks_nothing(rig: Rig) -> None:
    """Binary, long and repeated metadata is passed over; a repeated credential or token is none."""
    junk: tuple[tuple[str, str | bytes], ...] = (
        ("junk-bin", os.urandom(2000)),
        ("junk", "x" * 3000),
        ("junk", "y"),
        ("twofold-approver", "z"),
        ("grpc-previous-rpc-attempts", "7"),
    )
    await rig.raw(GET_SIGNING_KEYS, metadata=junk)
    credential = await rig.caller("shop", ("default", "frontend", False))
    twice = (("authorization", f"Bearer {credential}"), ("authorization", f"Bearer {credential}"))
    failure = await rig.failure(GET_SIGNING_KEYS, metadata=twice)
    assert_reason(failure, "CALLER_UNKNOWN", grpc.StatusCode.UNAUTHENTICATED)
    rig.session("token")
    failure = await rig.failure(CHECK_SESSION, metadata=(("twofold-session", "token"), ("twofold-session", "token")))
    assert_reason(failure, "SESSION_INVALID", grpc.StatusCode.UNAUTHENTICATED)


async def test_a_credential_that_is_none_is_unknown(rig: Rig) -> None:
    """In development too a credential that was sent must be one."""
    unknown = f"Bearer tfc_{'0' * 32}_{'A' * 43}"
    for authorization in ("", "Bearer", "Bearer ", "Basic eDp5", "Bearer tfc_", "Bearer " + "x" * 5000, unknown):
        failure = await rig.failure(GET_SIGNING_KEYS, metadata=(("authorization", authorization),))
        assert_reason(failure, "CALLER_UNKNOWN", grpc.StatusCode.UNAUTHENTICATED)


async def test_answers_hold_what_the_method_gave(rig: Rig) -> None:
    """The method's message arrives as it was, and the request reached it as it was sent."""

    async def behaviour(request: Message, _call: Call) -> Message | None:
        assert isinstance(request, session_pb2.GetSigningKeysRequest)
        return session_pb2.GetSigningKeysResponse(issuer=f"of {request.realm_id}")

    rig.behaviour = behaviour
    raw, _ = await rig.raw(GET_SIGNING_KEYS, session_pb2.GetSigningKeysRequest(realm_id="default").SerializeToString())
    assert session_pb2.GetSigningKeysResponse.FromString(raw).issuer == "of default"


async def test_one_line_for_a_call_and_none_for_most_successful_checks(rig: Rig) -> None:
    """A call writes one line with method, outcome, caller, realm and time; successful checks are sampled."""
    rig.session("token")
    with capture_logs() as lines:
        await rig.raw(GET_SIGNING_KEYS)
        for _ in range(20):
            await rig.raw(CHECK_SESSION, session="token")
        await rig.failure(CHECK_SESSION, session="forged")
    assert [(line["method"], line["outcome"]) for line in lines] == [
        (GET_SIGNING_KEYS, "OK"),
        (CHECK_SESSION, "SESSION_INVALID"),
    ]
    assert lines[0]["caller"] == "development"
    assert lines[0]["realm"] == "default"
    assert rig.boundary.counters[CHECK_SESSION].answers == {"OK": 20, "SESSION_INVALID": 1}


async def test_what_was_sent_is_in_no_line(rig: Rig) -> None:
    """Neither fields nor tokens nor credentials are logged, whatever the outcome."""
    request = account_pb2.SignInRequest(email="s3cret@example.com", password="s3cret").SerializeToString()
    with capture_logs() as lines:
        await rig.raw(SIGN_IN, request, session="s3cret")
        await rig.failure(SIGN_IN, request, credential="s3cret")
        rig.will_raise(TooManyAttempts(retry_after=30))
        await rig.failure(SIGN_IN, request, session="s3cret")
    assert len(lines) == 3
    assert "s3cret" not in repr(lines)


def test_every_method_of_the_contract_is_among_these() -> None:
    """The tests that go over METHODS see the whole contract."""
    assert len(METHODS) >= 27
