"""The one place that every call passes, from bytes to bytes: nothing but documented errors leaves it.

With generated registration the core answers a string that is not UTF-8 by itself, with the parser's text, and grpc.aio
sends the text of an uncaught exception. So handlers here take and give bytes, and catch everything.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from uuid_utils import uuid7

from twofold_server.domain import faults
from twofold_server.domain.callers import Caller, Callers
from twofold_server.domain.clock import Clock
from twofold_server.domain.errors import CallCutOff, Overloaded, ServerDraining, TwofoldError
from twofold_server.domain.realms import Realms
from twofold_server.rpc.counters import MethodCounters
from twofold_server.rpc.credentials import Certificates, credentials_of
from twofold_server.rpc.errors import REQUEST_ID, Failure, UnknownMethod, failure
from twofold_server.rpc.journal import SAMPLE, Journal
from twofold_server.rpc.passage import Context, Limits, Passage
from twofold_server.rpc.policy import ContractBroken, policy_of
from twofold_server.rpc.trace import Trace

if TYPE_CHECKING:
    from twofold_server.domain.approvers import Approvers
    from twofold_server.domain.checked_tokens import CheckedTokens
    from twofold_server.domain.sessions import Sessions

Work = Callable[[bytes, Context, Trace], Awaitable[bytes]]
"""What stands behind a handler: the request's bytes to the answer's. Notes in the trace what the log line says."""

StreamWork = Callable[[Any, Context, Trace], Awaitable[None]]
"""The same of a stream: the request's bytes, or an iterator over such, to messages that it writes to the context."""

RETRY_ELSEWHERE_SECONDS: Final = 0.1
_MOST_STREAMS: Final = 1000
_MOST_STREAMS_OF_A_CONNECTION: Final = 100


class _Group:
    """Calls under way that end together, with this error."""

    __slots__ = ("closed", "cut_off", "tasks")

    def __init__(self, cut_off: type[TwofoldError]) -> None:
        self.closed = False
        self.cut_off = cut_off
        self.tasks: set[asyncio.Task[object]] = set()

    def close(self) -> None:
        """End those under way, and refuse all that arrive from now on."""
        self.closed = True
        for task in tuple(self.tasks):
            task.cancel()


class Boundary(grpc.GenericRpcHandler):
    """Serves the methods of the contract, each by the servicer of its service. Raises ContractBroken when made."""

    def __init__(
        self,
        services: Mapping[ServiceDescriptor, object],
        *,
        callers: Callers,
        sessions: Sessions,
        tokens: CheckedTokens,
        realms: Realms,
        approvers: Approvers,
        clock: Clock,
        limits: Limits,
        certificates: Certificates | None = None,
    ) -> None:
        self._callers = callers
        self._certificates = certificates
        self._limits = limits
        self._passage = Passage(self.authenticate, sessions, tokens, realms, approvers, clock, limits)
        self._journal = Journal()
        self._calls = _Group(CallCutOff)
        self._streams = _Group(ServerDraining)
        self.counters: dict[str, MethodCounters] = {}
        self._handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {}
        for service, servicer in services.items():
            for method in service.methods:
                if method.client_streaming:
                    raise ContractBroken(f"{method.full_name} takes a stream, which no handler here serves yet")
                implementation = getattr(servicer, method.name, None)
                if implementation is None:
                    raise ContractBroken(f"{method.full_name} has no implementation")
                policy = policy_of(method)
                if method.server_streaming:
                    # A gateway's one connection carries the streams of many phones and users.
                    of_users = policy.approver or bool(policy.tickets)
                    self.serve_stream(
                        policy.path,
                        self._passage.of_stream(policy, implementation),
                        most_of_connection=_MOST_STREAMS if of_users else _MOST_STREAMS_OF_A_CONNECTION,
                    )
                    continue
                self.serve(policy.path, self._passage.of(policy, implementation), sampled=policy.any_client)
        self._unknown: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(
            self._handle("unknown", _no_such_method, self._calls)
        )

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        """The handler of a method by its path; unknown ones are answered here too."""
        return self._handlers.get(handler_call_details.method) or self._unknown

    def serve(self, path: str, work: Work, *, sampled: bool = False) -> None:
        """Serve a unary method. `sampled`: of its successes one in 1,000 is logged."""
        handle = self._handle(path, work, self._calls, SAMPLE if sampled else 1)
        self._handlers[path] = grpc.unary_unary_rpc_method_handler(handle)

    def serve_stream(
        self,
        path: str,
        work: StreamWork,
        *,
        client_streams: bool = False,
        most_of_connection: int = _MOST_STREAMS_OF_A_CONNECTION,
    ) -> None:
        """Serve a stream of answers, or of both sides; 1,000 at a time, 100 of one connection unless said otherwise.

        It ends with SERVER_DRAINING at the drain.
        """
        handle = self._handle(path, _counted(work, most_of_connection), self._streams)
        make = grpc.stream_stream_rpc_method_handler if client_streams else grpc.unary_stream_rpc_method_handler
        self._handlers[path] = make(handle)

    async def authenticate(self, context: Context) -> tuple[Caller, str | None]:
        """The caller, and the end user's token where one came along. Raises CallerUnknown, Overloaded."""
        credential, session = credentials_of(context)
        if credential is None and self._certificates is not None:
            name = self._certificates.name_of(context)
            if name is not None:
                return await self._callers.by_certificate(name), session
        return await self._callers.authenticate(credential), session

    @property
    def under_way(self) -> int:
        """Unary calls that are being worked on."""
        return len(self._calls.tasks)

    def end_streams(self) -> None:
        """End the streams, and those that arrive from now on, with SERVER_DRAINING."""
        self._streams.close()

    def end_calls(self) -> None:
        """End unary calls under way with CALL_CUT_OFF; refuse those that arrive from now on with SERVER_DRAINING."""
        self._calls.close()

    def _handle(
        self, path: str, work: Callable[[Any, Context, Trace], Awaitable[Any]], group: _Group, log_every: int = 1
    ) -> Callable[[Any, Context], Awaitable[Any]]:
        counters = self.counters.setdefault(path, MethodCounters())
        tasks, journal = group.tasks, self._journal

        async def handle(request: object, context: Context) -> object:
            started = time.perf_counter()
            trace = Trace(str(uuid7()))
            task = asyncio.current_task()
            assert task is not None
            cause: BaseException | None = None
            tasks.add(task)
            try:
                context.set_trailing_metadata(((REQUEST_ID, trace.request_id),))
                answer = await (_refuse() if group.closed else work(request, context, trace))
            except TwofoldError as refusal:
                error = refusal
            except asyncio.CancelledError as cancelled:
                if task.cancelling() and not group.closed:
                    # By the core: the caller hung up, or its deadline passed. Nobody reads an answer.
                    counters.count("CANCELLED", time.perf_counter() - started)
                    raise
                while task.cancelling():
                    task.uncancel()
                if group.closed:
                    error = group.cut_off(retry_after=RETRY_ELSEWHERE_SECONDS)
                else:
                    error, cause = TwofoldError(), cancelled
            except Exception as fault:  # noqa: BLE001 (nothing of ours may reach grpc.aio, which sends its text)
                error, cause = faults.translate(fault) or TwofoldError(), fault
            else:
                seconds = time.perf_counter() - started
                counters.count("OK", seconds)
                if log_every == 1 or counters.answers["OK"] % log_every == 0:
                    journal.answered(path, trace, seconds)
                return answer
            finally:
                tasks.discard(task)
            seconds = time.perf_counter() - started
            counters.count(error.reason or error.status, seconds)
            if cause is not None:
                journal.failed(path, trace.request_id, cause)
            journal.refused(path, trace, seconds, error)
            return await _abort(context, failure(error, trace.request_id))

        return handle


def _counted(work: StreamWork, most_of_connection: int) -> StreamWork:
    """Bound a method's streams, each method and each connection by itself.

    Whoever watches health takes no place of who watches revocations, and one connection takes no place of the next.
    """
    under_way = 0
    by_peer: Counter[str] = Counter()

    async def counted(requests: object, context: Context, trace: Trace) -> None:
        nonlocal under_way
        peer = context.peer()
        if under_way >= _MOST_STREAMS or by_peer[peer] >= most_of_connection:
            raise Overloaded(retry_after=RETRY_ELSEWHERE_SECONDS)
        under_way += 1
        by_peer[peer] += 1
        try:
            await work(requests, context, trace)
        finally:
            under_way -= 1
            by_peer[peer] -= 1
            if not by_peer[peer]:
                del by_peer[peer]

    return counted


async def _refuse() -> None:
    raise ServerDraining(retry_after=RETRY_ELSEWHERE_SECONDS)


async def _abort(context: Context, failed: Failure) -> bytes:
    await context.abort(failed.code, failed.message, failed.trailers)
    raise AssertionError("abort always raises")


async def _no_such_method(_raw: bytes, _context: Context, _trace: Trace) -> bytes:
    raise UnknownMethod
