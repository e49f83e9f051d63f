"""Both verifiers against a server that does what a test tells it to: start, stream, breaks and silence."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

import grpc
import pytest

from tests.integration.client.fake_server import bare, fails, hangs, retry_info
from tests.integration.client.stream_server import AnyVerifier, StreamServer, eventually, now, started
from tests.unit.verifier.samples import AUDIENCE, CLAIMS, GOOD, REALM, key_set, revocation
from twofold import (
    PermissionDenied,
    SessionEnded,
    SyncVerifier,
    Unauthenticated,
    Unavailable,
    Verifier,
    VerifierNotReady,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

CREDENTIAL = "verifier-credential-5a1b"
DEAD = revocation("SESSION", CLAIMS["sid"])
draining = fails(grpc.StatusCode.UNAVAILABLE, "SERVER_DRAINING")


class Start(Protocol):
    """Starts either verifier."""

    def __call__(self, **options: object) -> AbstractAsyncContextManager[AnyVerifier]: ...


@pytest.fixture
async def server() -> AsyncIterator[StreamServer]:
    """A running server."""
    fake = StreamServer()
    server = fake.server()
    fake.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    yield fake
    await server.stop(0)


@pytest.fixture(params=["async", "sync"])
def start(request: pytest.FixtureRequest, server: StreamServer) -> Start:
    """Starts a verifier of that server: each test that takes this runs with both."""
    return lambda **options: started(request.param, server.target, **options)


async def reason_of(verifier: AnyVerifier, token: str = GOOD) -> str:
    """Why a token is refused; empty if it is not."""
    try:
        await verifier.verify(token)
    except SessionEnded as error:
        return error.reason
    except VerifierNotReady:
        return "NOT_READY"
    return ""


async def test_verifies_without_a_call(server: StreamServer, start: Start) -> None:
    """Once ready, any number of tokens is judged with one call for the keys and one stream, and not one more."""
    async with start(credential=CREDENTIAL) as verifier:
        await verifier.wait_ready()
        for _ in range(100):
            assert (await verifier.verify(GOOD)).session_id == CLAIMS["sid"]
            with pytest.raises(SessionEnded):
                await verifier.verify(GOOD[:-2])
            assert (await verifier.check(GOOD)).account_id == CLAIMS["sub"]
    assert len(server.key_requests) == len(server.opened) == 1
    assert server.checks == []
    assert server.key_requests[0].realm_id == server.opened[0].realm_id == REALM
    assert server.credentials == {f"Bearer {CREDENTIAL}"}


async def test_is_not_ready_before_the_snapshot_is_complete(server: StreamServer, start: Start) -> None:
    """With keys and half a snapshot it vouches for nobody; `wait_ready` says so after its time, then succeeds."""
    server.will([now(reset=True, current=False), 0.6, now(DEAD), 30.0])
    async with start() as verifier:
        with pytest.raises(VerifierNotReady, match=r"0\.2 s"):
            await verifier.wait_ready(0.2)
        assert await reason_of(verifier) == "NOT_READY"
        with pytest.raises(VerifierNotReady):
            await verifier.check(GOOD)
        await verifier.wait_ready(5)
        assert await reason_of(verifier) == "SESSION_ENDED"
    assert server.checks == []


async def test_a_revocation_arrives(server: StreamServer, start: Start) -> None:
    """What the stream brings counts for the very next token."""
    async with start() as verifier:
        await verifier.wait_ready()
        await verifier.verify(GOOD)
        server.send(now(DEAD))
        began = time.monotonic()
        while await reason_of(verifier) != "SESSION_ENDED":
            assert time.monotonic() - began < 2
            await asyncio.sleep(0.002)


async def test_resumes_at_once_from_a_draining_server(server: StreamServer, start: Start) -> None:
    """A stopping server is left without a pause and without a gap: from its last resume token, still vouching."""
    server.will([now(DEAD, reset=True, resume="1.7"), draining], [now(resume="1.8"), 30.0])
    async with start() as verifier:
        await verifier.wait_ready()
        await eventually(lambda: len(server.opened) == 2)
        assert await reason_of(verifier) == "SESSION_ENDED"
    assert [request.resume_token for request in server.opened] == ["", "1.7"]
    assert server.opened_at[1] - server.opened_at[0] < 0.09


async def test_a_broken_snapshot_begins_anew(server: StreamServer, start: Start) -> None:
    """A snapshot that breaks off leaves nothing to resume from: the next stream asks for one again."""
    server.will([now(reset=True, current=False), bare(grpc.StatusCode.UNAVAILABLE)])
    async with start() as verifier:
        await verifier.wait_ready()
        assert await reason_of(verifier) == ""
    assert [request.resume_token for request in server.opened] == ["", ""]


async def test_backs_off_from_a_server_that_fails(server: StreamServer, start: Start) -> None:
    """Failure after failure, draining or not, it comes back with growing pauses, not in a loop."""
    server.will(*[[draining] for _ in range(50)])
    async with start() as verifier:
        await asyncio.sleep(1.5)
        assert 3 <= len(server.opened) <= 9
        with pytest.raises(VerifierNotReady) as caught:
            await verifier.wait_ready(0.05)
        assert isinstance(caught.value.__cause__, Unavailable)
        server.scripts.clear()
        await verifier.wait_ready(5)


async def test_waits_for_what_an_overloaded_server_asks(server: StreamServer, start: Start) -> None:
    """RetryInfo is heeded."""
    overloaded = fails(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", "Busy.", retry_info(1.0))
    server.will([overloaded])
    async with start() as verifier:
        await verifier.wait_ready(5)
    assert server.opened_at[1] - server.opened_at[0] >= 0.45


async def test_silence_ends_trust_and_the_connection(server: StreamServer, start: Start) -> None:
    """After the silence it bears nobody is vouched for, and a new connection is tried: the old one may be dead."""
    server.will([now(reset=True), hangs], [0.4, now(), 30.0])
    async with start(silence=0.6) as verifier:
        await verifier.wait_ready()
        assert await reason_of(verifier) == ""
        await asyncio.sleep(0.7)
        assert await reason_of(verifier) == "NOT_READY"
        with pytest.raises(VerifierNotReady, match=r"0\.6 s"):
            await verifier.check(GOOD)
        await verifier.wait_ready(5)
        assert await reason_of(verifier) == ""
    assert server.peers[0] != server.peers[1]
    assert server.checks == []


async def test_silence_asks_where_told_to(server: StreamServer, start: Start) -> None:
    """With "ask", `check` asks CheckSession about good tokens while nothing is heard; `verify` still refuses."""
    server.will([now(reset=True, current=False), hangs])
    async with start(on_silence="ask") as verifier:
        await eventually(lambda: server.live == 1)
        deadline = time.monotonic() + 5
        while True:
            try:
                assert (await verifier.check(GOOD)).session_id == CLAIMS["sid"]
                break
            except VerifierNotReady:  # the keys are still to come
                assert time.monotonic() < deadline
                await asyncio.sleep(0.01)
        assert await reason_of(verifier) == "NOT_READY"
        with pytest.raises(SessionEnded):
            await verifier.check(GOOD[:-2])
        assert len(server.checks) == 1
        request, token = server.checks[0]
        assert (request.realm_id, request.audience, token) == (REALM, AUDIENCE, GOOD)
        server.check_step = fails(grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED")
        with pytest.raises(SessionEnded) as caught:
            await verifier.check(GOOD)
        assert caught.value.reason == "SESSION_ENDED"


async def test_a_new_key_is_fetched(server: StreamServer, start: Start) -> None:
    """`check` waits for a key that is new, with one call for all; invented ones bring no further call."""
    server.keys = key_set("key-2")
    async with start() as verifier:
        await verifier.wait_ready()
        server.keys = key_set()
        results = await asyncio.gather(*[verifier.check(GOOD) for _ in range(10)])
        assert {session.session_id for session in results} == {CLAIMS["sid"]}
        assert len(server.key_requests) == 2
        server.keys = key_set("key-2")
        invented = GOOD.replace(GOOD.split(".")[0], "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImtleS05In0")
        for _ in range(20):
            with pytest.raises(SessionEnded):
                await verifier.check(invented)
        assert len(server.key_requests) == 2


async def test_a_withdrawn_key_is_replaced(server: StreamServer, start: Start) -> None:
    """When a signing key is revoked its tokens are dead, and the key set is fetched without being asked for."""
    async with start() as verifier:
        await verifier.wait_ready()
        await verifier.verify(GOOD)
        server.send(now(revocation("SIGNING_KEY", "key-1")))
        await eventually(lambda: len(server.key_requests) == 2)
        assert await reason_of(verifier) == "SESSION_ENDED"


async def test_keys_are_tried_for_until_they_come(server: StreamServer, start: Start) -> None:
    """A server that can't give the keys at first is asked again."""
    server.key_step = bare(grpc.StatusCode.INTERNAL)
    async with start() as verifier:
        await eventually(lambda: len(server.key_requests) >= 2)
        server.key_step = None
        await verifier.wait_ready(5)
        assert await reason_of(verifier) == ""


@pytest.mark.parametrize("at", ["keys", "stream"])
async def test_what_waiting_does_not_mend_is_raised_at_once(server: StreamServer, start: Start, at: str) -> None:
    """A caller that may not, or is unknown, is told so instead of waiting out the deadline."""
    step, kind = (
        (fails(grpc.StatusCode.UNAUTHENTICATED, "CALLER_UNKNOWN"), Unauthenticated)
        if at == "keys"
        else (fails(grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_PERMITTED"), PermissionDenied)
    )
    if at == "keys":
        server.key_step = step
    else:
        server.will(*[[step] for _ in range(20)])
    async with start(deadline=30.0) as verifier:
        began = time.monotonic()
        with pytest.raises(kind):
            await verifier.wait_ready()
        assert time.monotonic() - began < 5


async def test_an_audience_that_the_realm_does_not_have_is_a_mistake(server: StreamServer, start: Start) -> None:
    """A verifier that could never accept a token says so at start."""
    async with start(audience="typo") as verifier:
        with pytest.raises(ValueError, match="typo"):
            await verifier.wait_ready()


async def test_closed_it_leaves_nothing_behind(server: StreamServer, start: Start) -> None:
    """After `close` the stream is gone from the server, no thread is left, and nobody is vouched for."""
    before = threading.active_count()
    async with start() as verifier:
        await verifier.wait_ready()
        await eventually(lambda: server.live == 1)
    await eventually(lambda: server.live == 0)
    assert await reason_of(verifier) == "NOT_READY"
    assert [thread.name for thread in threading.enumerate() if "_keep" in thread.name] == []
    assert threading.active_count() <= before + 10  # grpc's and asyncio's own


async def test_context_managers_start_wait_and_close(server: StreamServer) -> None:
    """`with` gives a verifier that is ready, and a failed start is closed."""
    options: dict[str, Any] = {"realm_id": REALM, "audience": AUDIENCE, "clock": lambda: 1_772_366_400}
    async with Verifier(server.target, **options) as verifier:
        assert verifier.verify(GOOD).client_id == "web"
        with pytest.raises(RuntimeError, match="started"):
            verifier.start()

    def use() -> str:
        with SyncVerifier(server.target, **options) as sync_verifier:
            return sync_verifier.verify(GOOD).client_id

    assert await asyncio.to_thread(use) == "web"
    server.key_step = fails(grpc.StatusCode.NOT_FOUND, "REALM_NOT_FOUND")
    with pytest.raises(Exception, match="REALM_NOT_FOUND"):
        await Verifier(server.target, **options).__aenter__()
    await eventually(lambda: server.live == 0)


@pytest.mark.parametrize("make", [Verifier, SyncVerifier])
def test_realm_and_audience_have_no_default(make: type[Verifier]) -> None:
    """A verifier is not made without saying whose tokens, for whom, and what to do in silence."""
    with pytest.raises(TypeError):
        make("127.0.0.1:1")  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="realm"):
        make("127.0.0.1:1", realm_id="", audience="billing")
    with pytest.raises(ValueError, match="on_silence"):
        make("127.0.0.1:1", realm_id="r", audience="billing", on_silence="accept")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="tls"):
        make("auth.example.com:443", realm_id="r", audience="billing")
