"""A method of a client, and a service as the group of its methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, TypeVar, cast

from google.protobuf.message import Message

from twofold.calls import Method

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator

    from google.protobuf.descriptor import ServiceDescriptor

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


class Invoke(Protocol):
    """How a SyncClient makes a call."""

    def __call__(
        self, method: Method, request: Message, session: str | None, seconds: float | None, approver: str | None, /
    ) -> Message: ...


class AsyncInvoke(Protocol):
    """How a Client makes a call."""

    def __call__(
        self, method: Method, request: Message, session: str | None, seconds: float | None, approver: str | None, /
    ) -> Awaitable[Message]: ...


class Stream(Protocol):
    """How a SyncClient opens a stream of answers."""

    def __call__(
        self, method: Method, request: Message, session: str | None, seconds: float | None, approver: str | None, /
    ) -> Generator[Message, None, None]: ...


class AsyncStream(Protocol):
    """How a Client opens a stream of answers."""

    def __call__(
        self, method: Method, request: Message, session: str | None, seconds: float | None, approver: str | None, /
    ) -> AsyncGenerator[Message, None]: ...


class SyncMethod(Generic[Request, Response]):
    """A method of the contract, to be called."""

    __slots__ = ("_invoke", "_method")

    def __init__(self, method: Method, invoke: Invoke) -> None:
        self._method = method
        self._invoke = invoke

    def __repr__(self) -> str:
        return f"<method {self._method.path}>"

    def __call__(
        self,
        request: Request,
        *,
        session: str | None = None,
        timeout: float | None = None,
        approver: str | None = None,
    ) -> Response:
        """Make the call, with the end user's access token, a timeout in seconds and an approver's proof.

        Raises TwofoldError.
        """
        return cast(Response, self._invoke(self._method, request, session, timeout, approver))


class AsyncMethod(Generic[Request, Response]):
    """A method of the contract, to be awaited."""

    __slots__ = ("_invoke", "_method")

    def __init__(self, method: Method, invoke: AsyncInvoke) -> None:
        self._method = method
        self._invoke = invoke

    def __repr__(self) -> str:
        return f"<method {self._method.path}>"

    async def __call__(
        self,
        request: Request,
        *,
        session: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 it goes to the server as the call's deadline
        approver: str | None = None,
    ) -> Response:
        """Make the call, with the end user's access token, a timeout in seconds and an approver's proof.

        Raises TwofoldError.
        """
        return cast(Response, await self._invoke(self._method, request, session, timeout, approver))


class SyncStreamMethod(Generic[Request, Response]):
    """A method of the contract that answers with a stream."""

    __slots__ = ("_method", "_stream")

    def __init__(self, method: Method, stream: Stream) -> None:
        self._method = method
        self._stream = stream

    def __repr__(self) -> str:
        return f"<method {self._method.path}>"

    def __call__(
        self,
        request: Request,
        *,
        session: str | None = None,
        timeout: float | None = None,
        approver: str | None = None,
    ) -> Generator[Response, None, None]:
        """Open the stream, for `timeout` seconds at most, and iterate over its answers.

        Never opened again by itself. Raises TwofoldError where it breaks; `close()` of the iterator ends it.
        """
        return cast("Generator[Response, None, None]", self._stream(self._method, request, session, timeout, approver))


class AsyncStreamMethod(Generic[Request, Response]):
    """A method of the contract that answers with a stream, for `async for`."""

    __slots__ = ("_method", "_stream")

    def __init__(self, method: Method, stream: AsyncStream) -> None:
        self._method = method
        self._stream = stream

    def __repr__(self) -> str:
        return f"<method {self._method.path}>"

    def __call__(
        self,
        request: Request,
        *,
        session: str | None = None,
        timeout: float | None = None,
        approver: str | None = None,
    ) -> AsyncGenerator[Response, None]:
        """Open the stream, for `timeout` seconds at most, and iterate over its answers.

        Never opened again by itself. Raises TwofoldError where it breaks; `aclose()` of the iterator ends it.
        """
        return cast("AsyncGenerator[Response, None]", self._stream(self._method, request, session, timeout, approver))


class _Service:
    """Has one attribute for each method of a service, made from its descriptor."""

    DESCRIPTOR: ClassVar[ServiceDescriptor]

    def __init__(self, unary: Callable[[Method], object], stream: Callable[[Method], object]) -> None:
        for descriptor in self.DESCRIPTOR.methods:
            make = stream if descriptor.server_streaming else unary
            setattr(self, descriptor.name, make(Method.of(descriptor)))

    def __repr__(self) -> str:
        return f"<service {self.DESCRIPTOR.full_name}>"


class SyncService(_Service):
    """A service of a SyncClient."""

    def __init__(self, invoke: Invoke, stream: Stream) -> None:
        super().__init__(lambda method: SyncMethod(method, invoke), lambda method: SyncStreamMethod(method, stream))


class AsyncService(_Service):
    """A service of a Client."""

    def __init__(self, invoke: AsyncInvoke, stream: AsyncStream) -> None:
        super().__init__(lambda method: AsyncMethod(method, invoke), lambda method: AsyncStreamMethod(method, stream))
