"""A fake server on a free loopback port, and the two clients behind one face."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.integration.client.fake_server import FakeServer
from twofold import Client, SyncClient

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

CREDENTIAL = "caller-credential-8f2c"


class Call(Protocol):
    """Calls a method by its dotted name, such as `accounts.SignIn`, on either client; a stream's answers as a list."""

    async def __call__(self, name: str, request: Any, **options: Any) -> Any: ...


class Connect(Protocol):
    """Opens either client with these options of its constructor."""

    def __call__(self, target: str, **options: Any) -> AbstractAsyncContextManager[Call]: ...


@pytest.fixture
async def fake() -> AsyncIterator[FakeServer]:
    """A running fake server."""
    fake = FakeServer()
    server = fake.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    fake.target = f"127.0.0.1:{port}"
    yield fake
    await server.stop(0)


@pytest.fixture(params=["async", "sync"])
def connect(request: pytest.FixtureRequest) -> Connect:
    """Opens a client: each test that takes this runs with both."""

    @asynccontextmanager
    async def open_async(target: str, **options: Any) -> AsyncIterator[Call]:
        async with Client(target, **options) as client:

            async def call(name: str, request: Any, **call_options: Any) -> Any:
                service, method = name.split(".")
                answer = getattr(getattr(client, service), method)(request, **call_options)
                return [one async for one in answer] if isinstance(answer, AsyncIterator) else await answer

            yield call

    @asynccontextmanager
    async def open_sync(target: str, **options: Any) -> AsyncIterator[Call]:
        with SyncClient(target, **options) as client:

            async def call(name: str, request: Any, **call_options: Any) -> Any:
                service, method = name.split(".")
                answer = await asyncio.to_thread(getattr(getattr(client, service), method), request, **call_options)
                return await asyncio.to_thread(list, answer) if isinstance(answer, Iterator) else answer

            yield call

    return open_async if request.param == "async" else open_sync


@pytest.fixture
async def call(fake: FakeServer, connect: Connect) -> AsyncIterator[Call]:
    """A connected client of either kind with a credential."""
    async with connect(fake.target, credential=CREDENTIAL) as call:
        yield call
