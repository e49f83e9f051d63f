"""The asyncio client."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc

from twofold.calls import Attempts, Method, Policy, require_seconds
from twofold.errors import closed, from_status, not_connected
from twofold.services import Accounts, Recovery, Sessions, Support, TwoFactor
from twofold.transport import TlsOptions, channel_options, require_safe_target

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from types import TracebackType
    from typing import Self

    from google.protobuf.message import Message


class Client:
    """Calls a Twofold service: `await client.accounts.SignIn(request, session=..., timeout=...)`.

    Every method of the contract takes its request message and returns its response message, or raises a TwofoldError.
    `session` is the end user's access token, `timeout` the seconds of the whole call, repeats included. A client
    connects on first use, belongs to the event loop that this happens in, and serves any number of tasks.
    """

    accounts: Accounts
    """AccountService."""
    two_factor: TwoFactor
    """TwoFactorService."""
    sessions: Sessions
    """SessionService."""
    recovery: Recovery
    """RecoveryService."""
    support: Support
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
        """Prepare a client of `target`: `auth.example.com:443`, `127.0.0.1:50051` or `unix:/run/twofold`.

        `credential` is the calling service's own. `deadline` is the seconds of a call that names no other, `retries`
        how often one is repeated at most, where the contract allows it. With `wait_for_ready` a call made while there
        is no connection waits for one, within its deadline, instead of failing with Unavailable. `user_agent` stands
        before the client's own. Raises ValueError where a value makes no sense, and for plain text beyond loopback.
        """
        require_safe_target(target, tls)
        self._target = target
        self._tls = tls
        self._options = channel_options(tls, user_agent)
        self._policy = Policy(credential, deadline, retries)
        self._wait_for_ready = wait_for_ready
        self._channel: grpc.aio.Channel | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._calls: dict[str, grpc.aio.UnaryUnaryMultiCallable[Any, Any]] = {}
        self._closed = False
        self.accounts = Accounts(self._invoke, self._stream)
        self.two_factor = TwoFactor(self._invoke, self._stream)
        self.sessions = Sessions(self._invoke, self._stream)
        self.recovery = Recovery(self._invoke, self._stream)
        self.support = Support(self._invoke, self._stream)

    def __repr__(self) -> str:
        return f"<Client of {self._target}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Close the connection; calls under way have `grace` seconds to finish, then end with Unavailable."""
        self._closed = True
        if self._channel is not None:
            await self._channel.close(grace)

    async def wait_ready(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 the same as of a call
        """Connect, and return once connected. Raises Unavailable after `timeout` seconds (the client's deadline)."""
        seconds = self._policy.deadline if timeout is None else require_seconds("timeout", timeout)
        try:
            async with asyncio.timeout(seconds):
                await self._open().channel_ready()
        except TimeoutError:
            raise not_connected(self._target, seconds) from None

    async def _invoke(
        self, method: Method, request: Message, session: str | None, seconds: float | None, approver: str | None
    ) -> Message:
        attempts = Attempts(method, request, self._policy, seconds)
        metadata = self._policy.metadata(session, approver)
        while True:
            call = self._call_of(method)
            try:
                response: Message = await call(
                    request,
                    timeout=attempts.seconds_left(),
                    metadata=metadata,
                    wait_for_ready=self._wait_for_ready,
                )
                return response
            except grpc.aio.AioRpcError as cause:
                error, pause = attempts.after(cause.code(), cause.details(), cause.trailing_metadata())
                if pause is None:
                    raise error from cause
            except asyncio.CancelledError:
                task = asyncio.current_task()
                # Closing the client cancels its calls, but nobody has cancelled the task that waits for one.
                if self._closed and task is not None and not task.cancelling():
                    raise closed() from None
                raise
            await asyncio.sleep(pause)

    async def _stream(
        self, method: Method, request: Message, session: str | None, seconds: float | None, approver: str | None
    ) -> AsyncGenerator[Message, None]:
        method.require(request)
        metadata = self._policy.metadata(session, approver)
        timeout = None if seconds is None else require_seconds("timeout", seconds)
        open_stream: grpc.aio.UnaryStreamMultiCallable[Any, Any] = self._open().unary_stream(
            method.path,
            request_serializer=method.request_type.SerializeToString,
            response_deserializer=method.response_type.FromString,
        )
        call = open_stream(request, timeout=timeout, metadata=metadata, wait_for_ready=self._wait_for_ready)
        try:
            async for response in call:
                yield response
        except grpc.aio.AioRpcError as cause:
            raise from_status(cause.code(), cause.details(), cause.trailing_metadata()) from cause
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._closed and task is not None and not task.cancelling():
                raise closed() from None
            raise
        finally:
            call.cancel()

    def _call_of(self, method: Method) -> grpc.aio.UnaryUnaryMultiCallable[Any, Any]:
        channel = self._open()
        call = self._calls.get(method.path)
        if call is None:
            call = channel.unary_unary(
                method.path,
                request_serializer=method.request_type.SerializeToString,
                response_deserializer=method.response_type.FromString,
            )
            self._calls[method.path] = call
        return call

    def _open(self) -> grpc.aio.Channel:
        loop = asyncio.get_running_loop()
        if self._closed:
            raise RuntimeError("The client is closed.")
        if self._channel is None:
            # Not in __init__: a channel is bound to the loop it is made in, and a client may be made before the loop.
            self._loop = loop
            if self._tls is None:
                self._channel = grpc.aio.insecure_channel(self._target, self._options)
            else:
                self._channel = grpc.aio.secure_channel(self._target, self._tls.channel_credentials(), self._options)
        elif self._loop is not loop:
            raise RuntimeError("The client belongs to another event loop: make one per loop, or use SyncClient.")
        return self._channel
