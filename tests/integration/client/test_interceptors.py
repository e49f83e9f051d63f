"""Both interceptors in front of real servers, for every kind of method."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

import grpc
import pytest

from tests.integration.client.fake_server import bare, fails, hangs
from tests.integration.client.guarded_server import (
    KINDS,
    Calls,
    Methods,
    SyncMethods,
    found_in,
    handlers,
    serving,
    sync_serving,
)
from tests.integration.client.stream_server import StreamServer, now, started
from tests.unit.verifier.samples import CASES, CLAIMS, GOOD, revocation
from twofold import SyncVerifier, SyncVerifierInterceptor, Verifier, VerifierInterceptor

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

ONE_FACTOR = next(case["token"] for case in CASES if case["expect"] == "ok" and case["claims"]["aal"] == 1)
HEALTH = "/test.Guarded/health"


class Guarded(Protocol):
    """Serves behind an interceptor with these options; `verifier` are those of its verifier."""

    def __call__(
        self, verifier: dict[str, Any] | None = None, **options: Any
    ) -> AbstractAsyncContextManager[Calls]: ...


@pytest.fixture
async def server() -> AsyncIterator[StreamServer]:
    """A running fake of the service."""
    fake = StreamServer()
    server = fake.server()
    fake.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    yield fake
    await server.stop(0)


@pytest.fixture(params=["async", "sync methods of async", "sync"])
def guarded(request: pytest.FixtureRequest, server: StreamServer) -> Guarded:
    """Serves behind either interceptor: each test that takes this runs with both, and with a mixture."""

    @asynccontextmanager
    async def serve(verifier: dict[str, Any] | None = None, **options: Any) -> AsyncIterator[Calls]:
        kind = request.param.split()[0]
        wait = verifier is None
        async with started("sync" if request.param == "sync" else "async", server.target, **verifier or {}) as one:
            if wait:
                await one.wait_ready()
            if isinstance(one.verifier, SyncVerifier):
                with ThreadPoolExecutor(4) as pool:
                    sync = grpc.server(pool, interceptors=[SyncVerifierInterceptor(one.verifier, **options)])
                    sync.add_generic_rpc_handlers((handlers(SyncMethods()),))
                    async with sync_serving(sync) as calls:
                        yield calls
            else:
                made = grpc.aio.server(interceptors=[VerifierInterceptor(one.verifier, **options)])
                made.add_generic_rpc_handlers((handlers(Methods() if request.param == kind else SyncMethods()),))
                async with serving(made) as calls:
                    yield calls

    return serve


async def test_the_method_knows_whose_session_it_serves(guarded: Guarded) -> None:
    """In every kind of method, from its first line to its last answer."""
    account = CLAIMS["sub"].encode()
    async with guarded() as call:
        for kind in KINDS:
            assert await call(kind, f"Bearer {GOOD}") == [account] * (2 if kind.endswith("stream") else 1)


async def test_no_token_and_a_bad_one_are_unauthenticated(guarded: Guarded) -> None:
    """The details say which of the two, as the service's own errors do; the text holds nothing of the token."""
    async with guarded() as call:
        for kind in KINDS:
            for values, reason in (
                ((), "SESSION_REQUIRED"),
                (("Basic abc",), "SESSION_REQUIRED"),
                ((f"Bearer {GOOD[:-2]}",), "SESSION_INVALID"),
                (("Bearer a b",), "SESSION_INVALID"),
                ((f"Bearer {GOOD}", f"Bearer {GOOD}"), "SESSION_INVALID"),
            ):
                error = await call.refused(kind, *values)
                assert found_in(error).code is grpc.StatusCode.UNAUTHENTICATED
                assert found_in(error).reason == reason
                assert GOOD[:20] not in str(error)


async def test_an_ended_session_is_refused(guarded: Guarded, server: StreamServer) -> None:
    """What the stream brings ends the calls of that session."""
    async with guarded() as call:
        await call("unary_unary", f"Bearer {GOOD}")
        server.send(now(revocation("SESSION", CLAIMS["sid"])))
        async with asyncio.timeout(5):
            while True:
                try:
                    await call("unary_unary", f"Bearer {GOOD}")
                except grpc.RpcError as error:
                    assert found_in(error).reason == "SESSION_ENDED"
                    return


async def test_an_unready_verifier_is_unavailable(guarded: Guarded, server: StreamServer) -> None:
    """Nothing is said of the token, and when to come again is."""
    server.will([now(reset=True, current=False), hangs])
    async with guarded({}) as call:
        for kind in KINDS:
            error = await call.refused(kind, f"Bearer {GOOD}")
            assert found_in(error).code is grpc.StatusCode.UNAVAILABLE
            assert found_in(error).retry_after == 1.0


async def test_an_answer_about_the_service_itself_signs_nobody_out(guarded: Guarded, server: StreamServer) -> None:
    """Where the verifier asks, and its own credential is refused or the call fails, that is UNAVAILABLE."""
    for _ in range(20):
        server.will([now(reset=True, current=False), hangs])
    async with guarded({"on_silence": "ask"}) as call:
        async with asyncio.timeout(5):
            while not server.checks:
                try:
                    await call("unary_unary", f"Bearer {GOOD}")
                except grpc.RpcError as unready:  # the keys are still to come
                    assert found_in(unready).code is grpc.StatusCode.UNAVAILABLE
        for step in (
            fails(grpc.StatusCode.UNAUTHENTICATED, "CALLER_UNKNOWN"),
            fails(grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_PERMITTED"),
            bare(grpc.StatusCode.INTERNAL),
        ):
            server.check_step = step
            error = await call.refused("unary_unary", f"Bearer {GOOD}")
            assert found_in(error).code is grpc.StatusCode.UNAVAILABLE
        server.check_step = fails(grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED")
        error = await call.refused("unary_unary", f"Bearer {GOOD}")
        assert found_in(error).code is grpc.StatusCode.UNAUTHENTICATED


async def test_too_little_assurance_is_permission_denied(guarded: Guarded) -> None:
    """One factor does not do where two are demanded, and two do."""
    async with guarded(min_aal=2) as call:
        for kind in KINDS:
            error = await call.refused(kind, f"Bearer {ONE_FACTOR}")
            assert found_in(error).code is grpc.StatusCode.PERMISSION_DENIED
            assert await call(kind, f"Bearer {GOOD}")


async def test_open_methods_ask_for_nothing(guarded: Guarded) -> None:
    """They are served with any token and without one, and have no session; nothing else is open."""
    async with guarded(open_methods=[HEALTH]) as call:
        for values in ((), ("Bearer junk",), (f"Bearer {GOOD}",)):
            assert await call("unary_unary", *values, method=HEALTH) == [b"open"]
        assert found_in(await call.refused("unary_unary")).code is grpc.StatusCode.UNAUTHENTICATED
        unknown = await call.refused("unary_unary", method="/test.Guarded/Unknown")
        assert found_in(unknown).code is grpc.StatusCode.UNIMPLEMENTED


async def test_calls_at_once_keep_their_sessions_apart(guarded: Guarded) -> None:
    """A call without a token never sees the session of one beside it."""
    async with guarded(open_methods=[HEALTH]) as call:
        answers = await asyncio.gather(
            *[call("unary_unary", f"Bearer {GOOD}") for _ in range(20)],
            *[call("unary_unary", method=HEALTH) for _ in range(20)],
        )
        assert [answer for (answer,) in answers] == [CLAIMS["sub"].encode()] * 20 + [b"open"] * 20


async def test_a_method_that_writes_is_guarded(server: StreamServer) -> None:
    """The other way to answer with a stream in grpc.aio: by `call.write`."""
    async with started("async", server.target) as one:
        await one.wait_ready()
        assert isinstance(one.verifier, Verifier)
        made = grpc.aio.server(interceptors=[VerifierInterceptor(one.verifier)])
        made.add_generic_rpc_handlers((handlers(Methods()),))
        async with serving(made) as call:
            assert await call("unary_stream", f"Bearer {GOOD}", method="/test.Guarded/writes") == [
                CLAIMS["sub"].encode()
            ]
            error = await call.refused("unary_stream", method="/test.Guarded/writes")
            assert found_in(error).code is grpc.StatusCode.UNAUTHENTICATED


async def test_names_that_open_nothing_are_refused(server: StreamServer) -> None:
    """A method is named in full: a mistake is told when the interceptor is made."""
    async with started("async", server.target) as one:
        for name in ("Check", "grpc.health.v1.Health/Check", "/grpc.health.v1.Health/*"):
            with pytest.raises(ValueError, match="opens nothing"):
                VerifierInterceptor(one.verifier, open_methods=[name])  # type: ignore[arg-type]
