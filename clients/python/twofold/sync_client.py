"""The blocking client."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

import grpc

from twofold.calls import Attempts, Method, Policy, require_seconds
from twofold.errors import closed, from_status, not_connected
from twofold.services import SyncAccounts, SyncRecovery, SyncSessions, SyncSupport, SyncTwoFactor
from twofold.transport import TlsOptions, channel_options, require_safe_target

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType
    from typing import Self

    from google.protobuf.message import Message


class SyncClient:
    """Calls a Twofold service as `Client` does, but blocks the thread: `client.accounts.SignIn(request, session=...)`.

    Any number of threads may share one. Make it after a fork, not before.
    """

    accounts: SyncAccounts
    """AccountService."""
    two_factor: SyncTwoFactor
    """TwoFactorService."""
    sessions: SyncSessions
    """SessionService."""
    recovery: SyncRecovery
    """RecoveryService."""
    support: SyncSupport
    """SupportService."""

    def __init__(
        self,
        target: str,
        *,
        credential: str | None = None,
        tls: TlsOptions | None = None,
        deadline: float = 5.0,
        retries: int = 3,
        wait_for_ready: bool = False,
        user_agent: str = "",
    ) -> None:
        """Take what `Client` takes, and raise what it raises."""
        require_safe_target(target, tls)
        self._target = target
        self._policy = Policy(credential, deadline, retries)
        self._wait_for_ready = wait_for_ready
        self._closed = threading.Event()
        options = channel_options(tls, user_agent)
        if tls is None:
            self._channel = grpc.insecure_channel(target, options)
        else:
            self._channel = grpc.secure_channel(target, tls.channel_credentials(), options)
        self._calls: dict[str, grpc.UnaryUnaryMultiCallable[Any, Any]] = {}
        self.accounts = SyncAccounts(self._invoke, self._stream)
        self.two_factor = SyncTwoFactor(self._invoke, self._stream)
        self.sessions = SyncSessions(self._invoke, self._stream)
        self.recovery = SyncRecovery(self._invoke, self._stream)
        self.support = SyncSupport(self._invoke, self._stream)

    def __repr__(self) -> str:
        return f"<SyncClient of {self._target}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; calls under way in other threads end with Unavailable."""
        self._closed.set()
        self._channel.close()

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed.is_set()

    def wait_ready(self, timeout: float | None = None) -> None:
        """Connect, and return once connected. Raises Unavailable after `timeout` seconds (the client's deadline)."""
        self._require_open()
        seconds = self._policy.deadline if timeout is None else require_seconds("timeout", timeout)
        ready = grpc.channel_ready_future(self._channel)
        try:
            ready.result(timeout=seconds)
        except grpc.FutureTimeoutError:
            raise not_connected(self._target, seconds) from None
        finally:
            ready.cancel()

    def _invoke(
        self, method: Method, request: Message, session: str | None, seconds: float | None, approver: str | None
    ) -> Message:
        attempts = Attempts(method, request, self._policy, seconds)
        metadata = self._policy.metadata(session, approver)
        self._require_open()
        call = self._call_of(method)
        while True:
            try:
                response: Message = call(
                    request,
                    timeout=attempts.seconds_left(),
                    metadata=metadata,
                    wait_for_ready=self._wait_for_ready,
                )
                return response
            except grpc.RpcError as cause:
                status = cast(grpc.Call, cause)
                error, pause = attempts.after(status.code(), status.details(), status.trailing_metadata())
                if self._closed.is_set():
                    raise closed() from cause
                if pause is None:
                    raise error from cause
                if self._closed.wait(pause):
                    raise error from cause
            except ValueError:
                # What grpc raises where another thread has just closed the channel.
                if self._closed.is_set():
                    raise closed() from None
                raise

    def _stream(
        self, method: Method, request: Message, session: str | None, seconds: float | None, approver: str | None
    ) -> Generator[Message, None, None]:
        method.require(request)
        metadata = self._policy.metadata(session, approver)
        timeout = None if seconds is None else require_seconds("timeout", seconds)
        self._require_open()
        call: Any = None
        try:
            open_stream: grpc.UnaryStreamMultiCallable[Any, Any] = self._channel.unary_stream(
                method.path,
                request_serializer=method.request_type.SerializeToString,
                response_deserializer=method.response_type.FromString,
            )
            call = open_stream(request, timeout=timeout, metadata=metadata, wait_for_ready=self._wait_for_ready)
            yield from call
        except grpc.RpcError as cause:
            if self._closed.is_set():
                raise closed() from cause
            status = cast(grpc.Call, cause)
            raise from_status(status.code(), status.details(), status.trailing_metadata()) from cause
        except ValueError:
            if self._closed.is_set():
                raise closed() from None
            raise
        finally:
            if call is not None:
                call.cancel()

    def _call_of(self, method: Method) -> grpc.UnaryUnaryMultiCallable[Any, Any]:
        call = self._calls.get(method.path)
        if call is None:  # two threads may both make it; either will do
            call = self._channel.unary_unary(
                method.path,
                request_serializer=method.request_type.SerializeToString,
                response_deserializer=method.response_type.FromString,
            )
            self._calls[method.path] = call
        return call

    def _require_open(self) -> None:
        if self._closed.is_set():
            raise RuntimeError("The client is closed.")
