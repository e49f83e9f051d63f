"""Deadlines, admission, draining, health, reflection, and who a certificate names."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.conftest import Clock
from tests.integration.boundary_setup import (
    GET_SIGNING_KEYS,
    SERVICES,
    SIGN_IN,
    Failure,
    Rig,
    assert_reason,
    serving,
)
from twofold_server.db.pool import Pool, open_pool
from twofold_server.rpc.boundary import Boundary
from twofold_server.rpc.call import Call
from twofold_server.rpc.passage import Limits
from twofold_server.rpc.policy import ContractBroken
from twofold_server.rpc.server import Listener, ListenFailed, Server

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    pool = await open_pool(database, 5)
    yield pool
    await pool.close()


@pytest.fixture
async def rig(pool: Pool, clock: Clock) -> AsyncIterator[Rig]:
    async with serving(pool, clock, reflection=True) as rig:
        yield rig


class Gate:
    """Holds every call at the method until it is opened."""

    def __init__(self, rig: Rig) -> None:
        self.opened = asyncio.Event()
        self.reached = asyncio.Semaphore(0)
        self.cancelled = asyncio.Semaphore(0)
        rig.behaviour = self

    async def __call__(self, _request: Message, _call: Call) -> Message | None:
        self.reached.release()
        try:
            await self.opened.wait()
        except asyncio.CancelledError:
            self.cancelled.release()
            raise
        return None


async def test_a_deadline_too_short_is_refused_before_the_work(pool: Pool, clock: Clock) -> None:
    """A method that takes a credential is not begun with less left than it needs; others are."""
    async with serving(pool, clock, limits=Limits(least_for_credential=30)) as rig:
        failure = await rig.failure(SIGN_IN, timeout=5)
        assert_reason(failure, "DEADLINE_TOO_SHORT", grpc.StatusCode.DEADLINE_EXCEEDED)
        assert not rig.calls
        await rig.raw(GET_SIGNING_KEYS, timeout=5)
        await rig.raw(SIGN_IN, timeout=60)
        assert [call.method for _, call in rig.calls] == [GET_SIGNING_KEYS, SIGN_IN]


async def test_the_callers_deadline_ends_the_work(rig: Rig, clock: Clock) -> None:
    """Work whose deadline has passed is cancelled, and the method knew the time."""
    gate = Gate(rig)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await rig.raw(SIGN_IN, timeout=0.3)
    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await asyncio.wait_for(gate.cancelled.acquire(), 2)
    assert 0 < (rig.calls[0][1].deadline - clock()).total_seconds() <= 0.3
    assert rig.boundary.under_way == 0


async def test_a_call_without_a_deadline_has_the_default_one(pool: Pool, clock: Clock) -> None:
    """A call that names no deadline and hangs ends with an error of ours after the default time."""
    async with serving(pool, clock, limits=Limits(default_deadline=0.2)) as rig:
        gate = Gate(rig)
        began = time.monotonic()
        failure = await rig.failure(SIGN_IN, timeout=None)
        assert_reason(failure, "DEADLINE_PASSED", grpc.StatusCode.DEADLINE_EXCEEDED)
        assert 0.2 <= time.monotonic() - began < 2
        await asyncio.wait_for(gate.cancelled.acquire(), 2)


async def test_a_caller_that_hangs_up_is_not_worked_for(rig: Rig) -> None:
    """A cancelled call's work is cancelled too."""
    gate = Gate(rig)
    call = asyncio.create_task(rig.raw(SIGN_IN))
    await gate.reached.acquire()
    call.cancel()
    await asyncio.wait_for(gate.cancelled.acquire(), 2)
    assert rig.boundary.counters[SIGN_IN].answers["CANCELLED"] == 1


async def test_over_the_limit_calls_are_refused_at_once(pool: Pool, clock: Clock) -> None:
    """The call over the limit is OVERLOADED with RetryInfo and not queued; places are given back."""
    async with serving(pool, clock, limits=Limits(calls=3, calls_of_caller=3)) as rig:
        gate = Gate(rig)
        held = [asyncio.create_task(rig.raw(GET_SIGNING_KEYS)) for _ in range(3)]
        for _ in held:
            await gate.reached.acquire()
        began = time.monotonic()
        failure = await rig.failure(GET_SIGNING_KEYS)
        assert_reason(failure, "OVERLOADED", grpc.StatusCode.RESOURCE_EXHAUSTED)
        assert failure.retry_after
        assert time.monotonic() - began < 1
        gate.opened.set()
        await asyncio.gather(*held)
        await rig.raw(GET_SIGNING_KEYS)


async def test_one_caller_does_not_starve_another(pool: Pool, clock: Clock) -> None:
    """A caller at its own limit is refused while another is served."""
    async with serving(pool, clock, limits=Limits(calls=10, calls_of_caller=2)) as rig:
        first = await rig.caller("first", ("default", "frontend", False))
        second = await rig.caller("second", ("default", "frontend", False))
        gate = Gate(rig)
        held = [asyncio.create_task(rig.raw(GET_SIGNING_KEYS, credential=first)) for _ in range(2)]
        for _ in held:
            await gate.reached.acquire()
        failure = await rig.failure(GET_SIGNING_KEYS, credential=first)
        assert_reason(failure, "OVERLOADED", grpc.StatusCode.RESOURCE_EXHAUSTED)
        other = asyncio.create_task(rig.raw(GET_SIGNING_KEYS, credential=second))
        await gate.reached.acquire()
        gate.opened.set()
        await asyncio.gather(*held, other)


async def test_a_failed_call_gives_its_place_back(pool: Pool, clock: Clock) -> None:
    """Errors, junk and cancelled calls leave no place taken."""
    async with serving(pool, clock, limits=Limits(calls=1, calls_of_caller=1)) as rig:
        for _ in range(3):
            assert (await rig.failure(GET_SIGNING_KEYS, b"\xff")).reason == "INVALID_FIELDS"
        rig.will_raise(RuntimeError())
        for _ in range(3):
            assert (await rig.failure(GET_SIGNING_KEYS)).reason == "INTERNAL"


async def test_draining_finishes_what_is_under_way(rig: Rig) -> None:
    """A call that reached the boundary before the stop gets its answer, and health says NOT_SERVING meanwhile."""
    gate = Gate(rig)
    held = asyncio.create_task(rig.raw(SIGN_IN, timeout=10))
    await gate.reached.acquire()
    stopping = asyncio.create_task(rig.server.stop(5))
    await asyncio.sleep(0.1)
    assert not stopping.done()
    assert not held.done()
    gate.opened.set()
    _, trailers = await held
    assert trailers["twofold-request-id"]
    await asyncio.wait_for(stopping, 3)


async def test_what_outlives_the_drain_ends_with_a_reason(rig: Rig) -> None:
    """A call that is still at work when the drain is over gets UNAVAILABLE CALL_CUT_OFF with its request id."""
    gate = Gate(rig)
    held = asyncio.create_task(rig.raw(SIGN_IN, timeout=10))
    await gate.reached.acquire()
    await rig.server.stop(0.2)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await held
    assert_reason(Failure.of(raised.value), "CALL_CUT_OFF", grpc.StatusCode.UNAVAILABLE)
    await asyncio.wait_for(gate.cancelled.acquire(), 2)


async def test_calls_after_the_drain_are_refused_with_a_reason(rig: Rig) -> None:
    """What still arrives on an open connection once the drain is over gets SERVER_DRAINING and RetryInfo."""
    rig.boundary.end_calls()
    failure = await rig.failure(SIGN_IN)
    assert_reason(failure, "SERVER_DRAINING", grpc.StatusCode.UNAVAILABLE)
    assert failure.retry_after
    assert not rig.calls


async def test_health_is_for_anyone(pool: Pool, clock: Clock) -> None:
    """Check answers without a credential, by service too; unknown ones are NOT_FOUND, junk INVALID_FIELDS."""
    async with serving(pool, clock, development=False) as rig:
        stub: Any = health_pb2_grpc.HealthStub(rig.channel)
        for name in ("", "twofold.v1.AccountService", "grpc.health.v1.Health"):
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        assert (await rig.failure("/grpc.health.v1.Health/Check", b"\x0a\x01x")).code is grpc.StatusCode.NOT_FOUND
        junk = await rig.failure("/grpc.health.v1.Health/Check", b"\x0a\x01\xff")
        assert_reason(junk, "INVALID_FIELDS", grpc.StatusCode.INVALID_ARGUMENT)
        assert junk.fields == ["service"]
        raw, _ = await rig.raw("/grpc.health.v1.Health/List")
        assert b"twofold.v1.SessionService" in raw


async def test_who_watches_health_is_told_of_the_stop(rig: Rig) -> None:
    """Watch says SERVING, then NOT_SERVING when the server stops, and ends with SERVER_DRAINING."""
    stub: Any = health_pb2_grpc.HealthStub(rig.channel)
    call = stub.Watch(health_pb2.HealthCheckRequest(), timeout=10)
    assert (await call.read()).status == health_pb2.HealthCheckResponse.SERVING
    rig.health.set_serving(False)
    assert (await call.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    stopping = asyncio.create_task(rig.server.stop(1))
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call.read()
    assert_reason(Failure.of(raised.value), "SERVER_DRAINING", grpc.StatusCode.UNAVAILABLE)
    await stopping


async def test_reflection_shows_the_contract_to_known_callers(pool: Pool, clock: Clock) -> None:
    """Reflection lists the services and gives their files; outside development it needs a credential."""
    async with serving(pool, clock, development=False, reflection=True) as rig:
        channel: Any = rig.channel
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        credential = await rig.caller("shop", ("default", "frontend", False))
        asked = [
            reflection_pb2.ServerReflectionRequest(list_services=""),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol="twofold.v1.AccountService"),
        ]
        call = stub.ServerReflectionInfo(iter(asked), metadata=(("authorization", f"Bearer {credential}"),), timeout=5)
        answers = [answer async for answer in call]
        names = {service.name for service in answers[0].list_services_response.service}
        assert {service.full_name for service in SERVICES} <= names
        assert answers[1].file_descriptor_response.file_descriptor_proto

        async def nothing() -> AsyncIterator[reflection_pb2.ServerReflectionRequest]:
            # A question that meets the refusal on its way would be an error of the client library's own.
            await asyncio.Event().wait()
            yield asked[0]

        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stub.ServerReflectionInfo(nothing(), timeout=5).read()
        assert_reason(Failure.of(raised.value), "CALLER_UNKNOWN", UNAUTHENTICATED)


def test_what_cannot_be_enforced_is_not_served() -> None:
    """A method without an access option, or without an implementation, keeps the server from starting."""
    nothing: Any = {
        "callers": None,
        "sessions": None,
        "tokens": None,
        "realms": None,
        "approvers": None,
        "clock": None,
        "limits": Limits(),
    }

    service: Any = health_pb2.DESCRIPTOR.services_by_name["Health"]

    class Nothing:
        async def Check(self) -> None: ...
        async def List(self) -> None: ...

    with pytest.raises(ContractBroken, match="no access option"):
        Boundary({service: Nothing()}, **nothing)
    with pytest.raises(ContractBroken, match="no implementation"):
        Boundary({SERVICES[0]: object()}, **nothing)


async def test_a_taken_port_is_told_plainly(rig: Rig) -> None:
    """A port that another server has, or an address of another machine, is ListenFailed with the address."""
    for address in (f"127.0.0.1:{rig.port}", "192.0.2.1:0"):
        with pytest.raises(ListenFailed, match=address):
            Server(rig.boundary, rig.health).listen(Listener(address))
