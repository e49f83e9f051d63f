"""A server of the contract that answers what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from tests.integration.client.render_services import service_files
from twofold.calls import Method

if TYPE_CHECKING:
    from google.protobuf.message import Message

REQUEST_ID = "0190a0b0-0000-7000-8000-000000000001"

Context = grpc.aio.ServicerContext[Any, Any]
Step = Callable[[Context], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Seen:
    """A call as it arrived; `seconds_left` is what its deadline left."""

    method: str
    request: Message
    metadata: dict[str, str | bytes]
    seconds_left: float


@dataclass(slots=True)
class FakeServer:
    """Takes each call's next step from `steps`; with none left it answers with an empty response."""

    target: str = ""
    steps: deque[Step] = field(default_factory=deque)
    seen: list[Seen] = field(default_factory=list)
    _arrival: asyncio.Event = field(default_factory=asyncio.Event)

    def will(self, *steps: Step) -> None:
        """Do this with the next calls, one step each."""
        self.steps.extend(steps)

    async def arrivals(self, count: int) -> None:
        """Wait until that many calls have arrived."""
        while len(self.seen) < count:
            self._arrival.clear()
            await self._arrival.wait()

    def methods(self) -> list[str]:
        """The names of the methods that were called."""
        return [seen.method for seen in self.seen]

    def server(self) -> grpc.aio.Server:
        """A server of every service of the contract, without a port."""
        server = grpc.aio.server()
        for file in service_files():
            for service in file.services_by_name.values():
                handlers = {method.name: self._handler(Method.of(method)) for method in service.methods}
                server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
        return server

    def _handler(self, method: Method) -> grpc.RpcMethodHandler[Any, Any]:
        async def answer(request: Message, context: Context) -> Message:
            metadata = {str(key): value for key, value in context.invocation_metadata() or ()}
            self.seen.append(Seen(method.name, request, metadata, context.time_remaining()))
            self._arrival.set()
            if self.steps:
                await self.steps.popleft()(context)
            return method.response_type()

        return grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=method.request_type.FromString,
            response_serializer=method.response_type.SerializeToString,
        )


def fails(code: grpc.StatusCode, reason: str, text: str = "The server's text.", *details: Message) -> Step:
    """Fail as the service does: with ErrorInfo, further details and the trailer of the request id."""
    info = error_details_pb2.ErrorInfo(reason=reason, domain="twofold", metadata={"realm": "default"})
    status = status_pb2.Status(code=code.value[0], message=text)
    for detail in (info, *details):
        status.details.add().Pack(detail)

    async def step(context: Context) -> None:
        trailers = (("grpc-status-details-bin", status.SerializeToString()), ("twofold-request-id", REQUEST_ID))
        await context.abort(code, text, trailers)

    return step


def bare(code: grpc.StatusCode, text: str = "") -> Step:
    """Fail as anything but the service does: a status without details or trailers."""

    async def step(context: Context) -> None:
        await context.abort(code, text)

    return step


async def hangs(context: Context) -> None:
    """Never answer."""
    await asyncio.Event().wait()


async def works(context: Context) -> None:
    """Answer."""


def retry_info(seconds: float) -> Message:
    """A RetryInfo detail."""
    delay = Duration()
    delay.FromNanoseconds(int(seconds * 1e9))
    info: Message = error_details_pb2.RetryInfo(retry_delay=delay)
    return info
