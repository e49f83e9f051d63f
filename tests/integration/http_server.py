"""An HTTP server of the tests' own, which answers as it is told and remembers what it was asked."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field


@dataclass
class Asked:
    """A request as it came: the lines of its head, and its body."""

    line: str
    headers: dict[str, str]
    body: bytes


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """An answer, ready to be written; names of headers with `_` for `-`."""
    head = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}"]
    head += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*head, "", ""]).encode() + body


Behave = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Gateway:
    """What was asked, and what is answered: `answers` first, one a request, then `then`; None hangs up unanswered."""

    answers: list[bytes | None] = field(default_factory=list)
    then: bytes | None = field(default_factory=lambda: answer(200, b'{"state": "queued"}'))
    asked: list[Asked] = field(default_factory=list)
    port: int = 0
    scheme: str = "http"
    behave: Behave | None = None

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            asked = Asked(head[0], headers, body)
            self.asked.append(asked)
            if self.behave is not None:
                await self.behave(asked, writer)
            elif (found := self.answers.pop(0) if self.answers else self.then) is not None:
                writer.write(found)
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def gateway(tls: ssl.SSLContext | None = None, **given: object) -> AsyncIterator[Gateway]:
    """A server on a free port of loopback."""
    made = Gateway(**given)  # type: ignore[arg-type]
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    made.scheme = "https" if tls else "http"
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()
