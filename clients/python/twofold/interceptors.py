"""Interceptors that let signed-in users alone call a gRPC service, for grpc.aio and for threads."""

from __future__ import annotations

import inspect
import re
from collections.abc import Generator
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import grpc
import grpc.aio
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from twofold.errors import TwofoldError
from twofold.guard import RETRY_SECONDS, Guard, Refusal, bearer_token, enter, refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator
    from contextvars import Context

    from twofold.sync_verifier import SyncVerifier
    from twofold.verifier import Verifier

    Handler = grpc.RpcMethodHandler[Any, Any]

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")
_METHOD: Final = re.compile(r"/[\w.]+/\w+", re.ASCII)
_LIKE: Final = "/grpc.health.v1.Health/Check"
_DOMAIN: Final = "twofold"


class VerifierInterceptor(grpc.aio.ServerInterceptor):
    """Lets signed-in users alone call: `grpc.aio.server(interceptors=[VerifierInterceptor(verifier)])`.

    The access token is taken from the metadata `authorization: Bearer ...`, and what it says is `current_session()` in
    the method. Without a good one a call ends with UNAUTHENTICATED; with UNAVAILABLE while the verifier can't judge.
    A stream is judged when it begins. Start the verifier before the server, and close it after.
    """

    def __init__(self, verifier: Verifier, *, min_aal: int = 1, open_methods: Iterable[str] = ()) -> None:
        """Guard with `verifier`, except for `open_methods`, such as `/grpc.health.v1.Health/Check`.

        With `min_aal` 2 a session without a proven second factor is refused with PERMISSION_DENIED. Raises ValueError
        where a value makes no sense.
        """
        self._verifier = verifier
        self._guard = Guard(min_aal, open_methods, _METHOD, _LIKE)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[_Request, _Response] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[_Request, _Response] | None:
        """Judge the call, and give what serves or refuses it."""
        handler = await continuation(handler_call_details)
        if handler is None or handler_call_details.method in self._guard.open:
            return handler
        try:
            session = self._guard.admit(await self._verifier.check(_token(handler_call_details)))
        except Refusal as refused:
            return _replaced(handler, _refuse_async(refused), deserializes=False)
        except TwofoldError as error:
            return _replaced(handler, _refuse_async(refusal(error)), deserializes=False)
        # The call has a task of its own, in which its method will run.
        enter(session)
        behavior = _behavior(handler)
        if inspect.iscoroutinefunction(behavior) or inspect.isasyncgenfunction(behavior):
            return handler
        # grpc.aio runs a method that is not async in a thread, which inherits nothing of the task.
        return _replaced(handler, _inheriting(behavior, copy_context(), streams=handler.response_streaming))


class SyncVerifierInterceptor(grpc.ServerInterceptor):
    """The same for `grpc.server(..., interceptors=[SyncVerifierInterceptor(verifier)])`, over a SyncVerifier."""

    def __init__(self, verifier: SyncVerifier, *, min_aal: int = 1, open_methods: Iterable[str] = ()) -> None:
        """Take what `VerifierInterceptor` takes, and raise what it raises."""
        self._verifier = verifier
        self._guard = Guard(min_aal, open_methods, _METHOD, _LIKE)

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler[_Request, _Response] | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[_Request, _Response] | None:
        """Give what judges the call and then serves or refuses it."""
        handler = continuation(handler_call_details)
        if handler is None or handler_call_details.method in self._guard.open:
            return handler
        behavior = _behavior(handler)

        # Not here, but in the call's own thread: this one serves every call, and `check` may block. It is run in a
        # context of the call's own.
        def judged(request: object, call: grpc.ServicerContext) -> object:
            try:
                session = self._guard.admit(self._verifier.check(_token(handler_call_details)))
            except Refusal as refused:
                return _refuse(refused, call)
            except TwofoldError as error:
                return _refuse(refusal(error), call)
            enter(session)
            return behavior(request, call)

        return _replaced(handler, judged)


def _token(details: grpc.HandlerCallDetails) -> str:
    values = [value for key, value in details.invocation_metadata or () if key == "authorization"]
    return bearer_token([value if isinstance(value, str) else value.decode("latin-1") for value in values])


def _kind(handler: Handler) -> str:
    return f"{'stream' if handler.request_streaming else 'unary'}_{'stream' if handler.response_streaming else 'unary'}"


def _behavior(handler: Handler) -> Callable[[Any, Any], Any]:
    behavior: Callable[[Any, Any], Any] = getattr(handler, _kind(handler))
    return behavior


def _replaced(handler: Handler, behavior: Callable[[Any, Any], Any], *, deserializes: bool = True) -> Handler:
    make = getattr(grpc, f"{_kind(handler)}_rpc_method_handler")
    made: Handler = make(behavior, handler.request_deserializer if deserializes else None, handler.response_serializer)
    return made


def _inheriting(behavior: Callable[[Any, Any], Any], context: Context, *, streams: bool) -> Callable[[Any, Any], Any]:
    """The same method, run in a context: a stream of answers step by step, as a generator is run by who asks it."""

    def answers(request: object, call: object) -> Iterator[object]:
        found = iter(context.run(behavior, request, call))
        end = object()
        try:
            while (answer := context.run(next, found, end)) is not end:
                yield answer
        finally:
            if isinstance(found, Generator):
                context.run(found.close)

    return answers if streams else lambda request, call: context.run(behavior, request, call)


def _refuse_async(refused: Refusal) -> Callable[[Any, Any], Awaitable[None]]:
    async def refuse(_: object, call: grpc.aio.ServicerContext[Any, Any]) -> None:
        await call.abort(refused.code, refused.text, _trailers(refused))

    return refuse


def _refuse(refused: Refusal, call: grpc.ServicerContext) -> NoReturn:
    call.set_trailing_metadata(_trailers(refused))
    call.abort(refused.code, refused.text)


def _trailers(refused: Refusal) -> tuple[tuple[str, bytes], ...]:
    status = status_pb2.Status(code=refused.code.value[0], message=refused.text)
    if refused.reason:
        status.details.add().Pack(error_details_pb2.ErrorInfo(reason=refused.reason, domain=_DOMAIN))
    if refused.code is grpc.StatusCode.UNAVAILABLE:
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=Duration(seconds=RETRY_SECONDS)))
    return (("grpc-status-details-bin", status.SerializeToString()),)
