"""Servers of test methods of every kind, and calls to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from twofold import TwofoldError, current_session
from twofold.errors import from_status

KINDS = ["unary_unary", "unary_stream", "stream_unary", "stream_stream"]


class Methods:
    """Methods of each kind that answer whose session they serve; asked for `writes`, by the call's own writer."""

    async def unary_unary(self, _request: bytes, _call: Any) -> bytes:
        return _whose()

    async def unary_stream(self, _request: bytes, _call: Any) -> AsyncIterator[bytes]:
        yield _whose()
        await asyncio.sleep(0)
        yield _whose()

    async def stream_unary(self, requests: AsyncIterator[bytes], _call: Any) -> bytes:
        assert [request async for request in requests] == [b"one", b"two"]
        return _whose()

    async def stream_stream(self, requests: AsyncIterator[bytes], _call: Any) -> AsyncIterator[bytes]:
        async for _ in requests:
            yield _whose()

    async def health(self, _request: bytes, _call: Any) -> bytes:
        with pytest.raises(LookupError):
            current_session()
        return b"open"

    async def writes(self, _request: bytes, call: Any) -> None:
        await call.write(_whose())


class SyncMethods:
    """The same without async."""

    def unary_unary(self, _request: bytes, _call: Any) -> bytes:
        return _whose()

    def unary_stream(self, _request: bytes, _call: Any) -> Iterator[bytes]:
        yield _whose()
        yield _whose()

    def stream_unary(self, requests: Iterator[bytes], _call: Any) -> bytes:
        assert list(requests) == [b"one", b"two"]
        return _whose()

    def stream_stream(self, requests: Iterator[bytes], _call: Any) -> Iterator[bytes]:
        for _ in requests:
            yield _whose()

    def health(self, _request: bytes, _call: Any) -> bytes:
        with pytest.raises(LookupError):
            current_session()
        return b"open"


def _whose() -> bytes:
    return current_session().account_id.encode()


def handlers(methods: Methods | SyncMethods) -> grpc.GenericRpcHandler:
    handlers = {kind: getattr(grpc, f"{kind}_rpc_method_handler")(getattr(methods, kind)) for kind in KINDS}
    handlers["health"] = grpc.unary_unary_rpc_method_handler(methods.health)
    if isinstance(methods, Methods):
        handlers["writes"] = grpc.unary_stream_rpc_method_handler(methods.writes)
    return grpc.method_handlers_generic_handler("test.Guarded", handlers)


class Calls:
    """Calls a method, and gives what it answered as a list."""

    def __init__(self, target: str) -> None:
        # Not one of grpc.aio: its request streams lose a status that comes while they are being sent.
        self.channel = grpc.insecure_channel(target)
        # Not the loop's own, in which a server of grpc.aio runs methods that are not async.
        self.threads = ThreadPoolExecutor(40)

    async def __call__(self, kind: str, *authorizations: str, method: str = "") -> list[bytes]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self.threads, self._call, kind, method or f"/test.Guarded/{kind}", authorizations
        )

    def close(self) -> None:
        """End the connection and the threads."""
        self.channel.close()
        self.threads.shutdown()

    def _call(self, kind: str, method: str, authorizations: tuple[str, ...]) -> list[bytes]:
        metadata = tuple(("authorization", value) for value in authorizations)
        asked = iter([b"one", b"two"]) if kind.startswith("stream") else b"one"
        answer = getattr(self.channel, kind)(method)(asked, metadata=metadata, timeout=10)
        return list(answer) if kind.endswith("stream") else [answer]

    async def refused(self, kind: str, *authorizations: str, method: str = "") -> grpc.RpcError:
        """The error that a call ends with."""
        with pytest.raises(grpc.RpcError) as caught:
            await self(kind, *authorizations, method=method)
        return caught.value


def found_in(error: Any) -> TwofoldError:
    """An error as the Python client reads it."""
    return from_status(error.code(), error.details(), [(key, value) for key, value in error.trailing_metadata() or ()])


@asynccontextmanager
async def serving(server: grpc.aio.Server) -> AsyncIterator[Calls]:
    """Calls to a server of grpc.aio."""
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    calls = Calls(f"127.0.0.1:{port}")
    yield calls
    calls.close()
    await server.stop(0)


@asynccontextmanager
async def sync_serving(server: grpc.Server) -> AsyncIterator[Calls]:
    """Calls to a server of threads."""
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    calls = Calls(f"127.0.0.1:{port}")
    yield calls
    calls.close()
    await asyncio.to_thread(server.stop(0).wait)
