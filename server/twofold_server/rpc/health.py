"""grpc.health.v1 and reflection, behind the boundary: anyone may ask for health, known callers for the contract."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterable, Iterable
from typing import Any, Final

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from twofold_server.domain.errors import InvalidFields, TwofoldError, Violation
from twofold_server.rpc import streams
from twofold_server.rpc.boundary import Boundary
from twofold_server.rpc.passage import Context
from twofold_server.rpc.trace import Trace

HEALTH: Final = "grpc.health.v1.Health"
_SERVING: Final = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING
_SERVICE_UNKNOWN: Final = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class ServiceUnknown(TwofoldError):
    """This server has no such service."""

    reason = ""
    status = "NOT_FOUND"


class Health:
    """Whether the server serves, as a whole (the empty name) and by service: all alike. Begins as NOT_SERVING.

    SERVING says that this process answers calls. It does not follow the database: every server shares that, so all
    would be taken out at once, and callers would get refused connections in place of UNAVAILABLE with RetryInfo.
    """

    def __init__(self, services: Iterable[str]) -> None:
        self._names = frozenset({"", HEALTH, *services})
        self._serving = False
        self._changed = asyncio.Event()
        # What each of those who watch was told last.
        self._told: dict[object, int] = {}
        self._heard = asyncio.Event()

    def set_serving(self, serving: bool) -> None:
        """Tell all who ask, and those who watch."""
        self._serving = serving
        self._changed.set()
        self._changed = asyncio.Event()

    async def everyone_told(self, seconds: float) -> None:
        """Wait until nobody who watches believes that the server serves; this long at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while _SERVING in self._told.values():
                    self._heard.clear()
                    await self._heard.wait()

    def register(self, boundary: Boundary) -> None:
        """Serve Check, List and Watch."""
        boundary.serve(f"/{HEALTH}/Check", self._check, sampled=True)
        boundary.serve(f"/{HEALTH}/List", self._list, sampled=True)
        boundary.serve_stream(f"/{HEALTH}/Watch", self._watch)

    def _status(self, service: str) -> Any:  # noqa: ANN401 (an enum's number, or its type in the stubs)
        if service not in self._names:
            return _SERVICE_UNKNOWN
        return _SERVING if self._serving else _NOT_SERVING

    async def _check(self, raw: bytes, _context: Context, _trace: Trace) -> bytes:
        status = self._status(_service_of(raw))
        if status == _SERVICE_UNKNOWN:
            raise ServiceUnknown
        return health_pb2.HealthCheckResponse(status=status).SerializeToString()

    async def _list(self, _raw: bytes, _context: Context, _trace: Trace) -> bytes:
        # Not in the stubs yet.
        answer: Any = health_pb2.HealthListResponse()  # type: ignore[attr-defined]
        for name in sorted(self._names):
            answer.statuses[name].status = self._status(name)
        return bytes(answer.SerializeToString())

    async def _watch(self, raw: bytes, context: Context, _trace: Trace) -> None:
        service, watcher = _service_of(raw), object()
        try:
            while True:
                changed = self._changed
                status = self._status(service)
                if status != self._told.get(watcher):
                    await streams.write(context, health_pb2.HealthCheckResponse(status=status).SerializeToString())
                    self._told[watcher] = status
                    self._heard.set()
                await changed.wait()
        finally:
            self._told.pop(watcher, None)
            self._heard.set()


def serve_reflection(boundary: Boundary, services: Iterable[str]) -> None:
    """Serve grpc.reflection.v1alpha to known callers; in development that is everyone."""
    servicer = reflection.aio.ReflectionServicer((*services, HEALTH, reflection.SERVICE_NAME), pool=_Symbols())

    async def answer(requests: AsyncIterable[bytes], context: Context, trace: Trace) -> None:
        caller, _ = await boundary.authenticate(context)
        trace.caller = caller.name

        async def parsed() -> AsyncIterable[reflection_pb2.ServerReflectionRequest]:
            async for raw in requests:
                try:
                    yield reflection_pb2.ServerReflectionRequest.FromString(raw)
                except DecodeError:
                    raise InvalidFields([Violation("", "Not a message of this method.")]) from None

        # An async generator, which the stubs take for a coroutine.
        answers: Any = servicer.ServerReflectionInfo(parsed(), None)
        async for message in answers:
            await streams.write(context, message.SerializeToString())

    boundary.serve_stream(f"/{reflection.SERVICE_NAME}/ServerReflectionInfo", answer, client_streams=True)


class _Symbols:
    """The contract's descriptors. Protobuf's own pool finds no method by its name, which tools ask for."""

    def __init__(self) -> None:
        self._pool = descriptor_pool.Default()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (as the pool has it)
        return getattr(self._pool, name)

    def FindFileContainingSymbol(self, symbol: str) -> FileDescriptor:
        """The file of a message, service, method and so on. Raises KeyError."""
        try:
            return self._pool.FindFileContainingSymbol(symbol)
        except KeyError:
            service, _, method = symbol.rpartition(".")
            found = self._pool.FindServiceByName(service)
            if method not in found.methods_by_name:
                raise
            return found.file


def _service_of(raw: bytes) -> str:
    try:
        return str(health_pb2.HealthCheckRequest.FromString(raw).service)
    except DecodeError:
        raise InvalidFields([Violation("service", "Not UTF-8.")]) from None
