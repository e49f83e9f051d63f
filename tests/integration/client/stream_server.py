"""A server that streams revocations as a test tells it to, and both verifiers behind one face."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from tests.integration.client.fake_server import Context, Step
from tests.unit.verifier.samples import AUDIENCE, NOW, REALM, key_set, message
from twofold import SyncVerifier, VerifiedSession, Verifier
from twofold.v1 import session_pb2

_SERVICE = "twofold.v1.SessionService"
# What a script of a stream holds: a message to send, a step (such as `fails(...)`) or seconds to be silent for.
Script = Sequence[session_pb2.WatchRevocationsResponse | Step | float]


@dataclass
class StreamServer:
    """Serves key sets, streams by script and CheckSession, and remembers who asked what."""

    target: str = ""
    keys: session_pb2.GetSigningKeysResponse = field(default_factory=key_set)
    key_step: Step | None = None
    check_step: Step | None = None
    key_requests: list[session_pb2.GetSigningKeysRequest] = field(default_factory=list)
    checks: list[tuple[session_pb2.CheckSessionRequest, str]] = field(default_factory=list)
    opened: list[session_pb2.WatchRevocationsRequest] = field(default_factory=list)
    opened_at: list[float] = field(default_factory=list)
    peers: list[str] = field(default_factory=list)
    credentials: set[str] = field(default_factory=set)
    scripts: list[Script] = field(default_factory=list)
    live: int = 0
    _queue: asyncio.Queue[session_pb2.WatchRevocationsResponse | Step] = field(default_factory=asyncio.Queue)

    def will(self, *scripts: Script) -> None:
        """Play these on the next streams, one each. Without one a stream is a snapshot and heartbeats."""
        self.scripts.extend(scripts)

    def send(self, *messages: session_pb2.WatchRevocationsResponse | Step) -> None:
        """Send on the stream that is open."""
        for one in messages:
            self._queue.put_nowait(one)

    def server(self) -> grpc.aio.Server:
        """The server, without a port."""
        server = grpc.aio.server()
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "GetSigningKeys": grpc.unary_unary_rpc_method_handler(
                self._get_keys,
                request_deserializer=session_pb2.GetSigningKeysRequest.FromString,
                response_serializer=session_pb2.GetSigningKeysResponse.SerializeToString,
            ),
            "CheckSession": grpc.unary_unary_rpc_method_handler(
                self._check,
                request_deserializer=session_pb2.CheckSessionRequest.FromString,
                response_serializer=session_pb2.CheckSessionResponse.SerializeToString,
            ),
            "WatchRevocations": grpc.unary_stream_rpc_method_handler(
                self._watch,
                request_deserializer=session_pb2.WatchRevocationsRequest.FromString,
                response_serializer=session_pb2.WatchRevocationsResponse.SerializeToString,
            ),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
        return server

    async def _get_keys(
        self, request: session_pb2.GetSigningKeysRequest, context: Context
    ) -> session_pb2.GetSigningKeysResponse:
        self.key_requests.append(request)
        self.credentials.add(_metadata(context).get("authorization", ""))
        if self.key_step is not None:
            await self.key_step(context)
        return self.keys

    async def _check(
        self, request: session_pb2.CheckSessionRequest, context: Context
    ) -> session_pb2.CheckSessionResponse:
        self.checks.append((request, _metadata(context).get("twofold-session", "")))
        if self.check_step is not None:
            await self.check_step(context)
        return session_pb2.CheckSessionResponse()

    async def _watch(
        self, request: session_pb2.WatchRevocationsRequest, context: Context
    ) -> AsyncIterator[session_pb2.WatchRevocationsResponse]:
        self.opened.append(request)
        self.opened_at.append(time.monotonic())
        self.peers.append(context.peer())
        self.credentials.add(_metadata(context).get("authorization", ""))
        self.live += 1
        try:
            if self.scripts:
                for part in self.scripts.pop(0):
                    if isinstance(part, float):
                        await asyncio.sleep(part)
                    elif callable(part):
                        await part(context)
                    else:
                        yield part
                return
            yield now(reset=True)
            while True:
                try:
                    async with asyncio.timeout(0.1):
                        sent = await self._queue.get()
                except TimeoutError:
                    yield now()
                    continue
                if callable(sent):
                    await sent(context)
                else:
                    yield sent
        finally:
            self.live -= 1


def now(
    *revocations: session_pb2.Revocation, reset: bool = False, current: bool = True, resume: str = "1.1"
) -> session_pb2.WatchRevocationsResponse:
    """A message sent now."""
    return message(time.time(), *revocations, reset=reset, current=current, resume=resume)


def _metadata(context: Context) -> dict[str, str]:
    return {str(key): str(value) for key, value in context.invocation_metadata() or ()}


class AnyVerifier:
    """A Verifier or SyncVerifier whose methods are all awaited."""

    def __init__(self, verifier: Verifier | SyncVerifier) -> None:
        self.verifier = verifier

    async def verify(self, token: str) -> VerifiedSession:
        """`verify`, from another thread for a SyncVerifier."""
        if isinstance(self.verifier, Verifier):
            return self.verifier.verify(token)
        return await asyncio.to_thread(self.verifier.verify, token)

    async def check(self, token: str) -> VerifiedSession:
        """`check`."""
        if isinstance(self.verifier, Verifier):
            return await self.verifier.check(token)
        return await asyncio.to_thread(self.verifier.check, token)

    async def wait_ready(self, seconds: float | None = None) -> None:
        """`wait_ready`."""
        if isinstance(self.verifier, Verifier):
            await self.verifier.wait_ready(seconds)
        else:
            await asyncio.to_thread(self.verifier.wait_ready, seconds)

    async def close(self) -> None:
        """`close`."""
        if isinstance(self.verifier, Verifier):
            await self.verifier.close()
        else:
            await asyncio.to_thread(self.verifier.close)


@asynccontextmanager
async def started(kind: str, target: str, **options: Any) -> AsyncIterator[AnyVerifier]:
    """A verifier of the vectors' realm and time that has been started, of either kind, and is closed at the end."""
    given: dict[str, Any] = {"realm_id": REALM, "audience": AUDIENCE, "clock": lambda: NOW} | options
    verifier = AnyVerifier((Verifier if kind == "async" else SyncVerifier)(target, **given))
    verifier.verifier.start()
    try:
        yield verifier
    finally:
        await verifier.close()


async def eventually(holds: Callable[[], bool], seconds: float = 5.0) -> float:
    """Wait until something holds; the seconds that it took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, "did not come about"
        await asyncio.sleep(0.005)
    return time.monotonic() - began
