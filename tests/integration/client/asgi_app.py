"""An ASGI app, and what drives it as a server does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from twofold import current_session

Message = dict[str, Any]


@dataclass
class App:
    """An app that remembers how it was called; it has a lifespan if it is told to."""

    has_lifespan: bool = False
    fails_at_start: bool = False
    scopes: list[Message] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    life: list[str] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        self.scopes.append(scope)
        try:
            self.sessions.append(current_session().account_id)
        except LookupError:
            self.sessions.append("")
        if scope["type"] == "websocket":
            assert (await receive())["type"] == "websocket.connect"
            await send({"type": "websocket.accept"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"served"})

    async def _live(self, receive: Any, send: Any) -> None:
        if not self.has_lifespan:
            raise ValueError("this app can only handle http")
        self.life.append((await receive())["type"])
        if self.fails_at_start:
            await send({"type": "lifespan.startup.failed", "message": "no luck"})
            return
        await send({"type": "lifespan.startup.complete"})
        self.life.append((await receive())["type"])
        await send({"type": "lifespan.shutdown.complete"})


async def ask(
    app: Any, path: str = "/whoami", headers: Any = (), **scope: Any
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Status, headers and body of the answer to a GET."""
    sent = await converse(app, {"type": "http.request"}, type="http", path=path, headers=headers, **scope)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


async def converse(app: Any, *told: Message, **scope: Any) -> list[Message]:
    """What an app sends for a scope, told these messages."""
    messages = iter(told)
    sent: list[Message] = []

    async def receive() -> Message:
        return next(messages)

    async def send(message: Message) -> None:
        sent.append(message)

    await app({"path": "/", "root_path": "", "headers": [], **scope}, receive, send)
    return sent


class Life:
    """The lifespan of an app, told step by step."""

    def __init__(self, app: Any) -> None:
        self._told: asyncio.Queue[Message] = asyncio.Queue()
        self._sent: asyncio.Queue[Message] = asyncio.Queue()
        self.task = asyncio.create_task(app({"type": "lifespan"}, self._told.get, self._sent.put))

    async def tell(self, what: str) -> Message:
        """What the app answers to `startup` or `shutdown`."""
        await self._told.put({"type": f"lifespan.{what}"})
        async with asyncio.timeout(10):
            return await self._sent.get()


@asynccontextmanager
async def alive(app: Any) -> AsyncIterator[Any]:
    """An app that has started, until it is told to stop."""
    life = Life(app)
    assert (await life.tell("startup"))["type"] == "lifespan.startup.complete"
    yield app
    assert (await life.tell("shutdown"))["type"] == "lifespan.shutdown.complete"
    await life.task
