"""What every call goes through, sync or async alike: its method, its metadata, its deadline and its repeats."""

from __future__ import annotations

import logging
import math
import random
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor_pb2 import MethodOptions

from twofold.errors import SessionEnded, TwofoldError, from_status, reached_service

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.descriptor import MethodDescriptor
    from google.protobuf.message import Message

_log = logging.getLogger("twofold")
_random = random.SystemRandom()

_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0
_NOT_BEGUN = "SERVER_DRAINING"


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the contract."""

    path: str
    """As in HTTP/2: `/twofold.v1.AccountService/SignIn`."""
    name: str
    request_type: type[Message]
    response_type: type[Message]
    repeatable: bool
    """True where the contract marks it with an `idempotency_level`: doing it twice is as good as once."""

    @classmethod
    def of(cls, descriptor: MethodDescriptor) -> Method:
        """Read it from its descriptor."""
        return cls(
            path=f"/{descriptor.containing_service.full_name}/{descriptor.name}",
            name=descriptor.name,
            request_type=message_factory.GetMessageClass(descriptor.input_type),
            response_type=message_factory.GetMessageClass(descriptor.output_type),
            repeatable=descriptor.GetOptions().idempotency_level != MethodOptions.IDEMPOTENCY_UNKNOWN,
        )

    def require(self, request: Message) -> None:
        """Raise TypeError for a message of another type."""
        # grpc would serialize any message, and the server read another's fields out of it.
        if not isinstance(request, self.request_type):
            raise TypeError(f"{self.name} takes a {self.request_type.__name__}, not a {type(request).__name__}")


@dataclass(frozen=True, slots=True)
class Policy:
    """What all calls of a client have in common. Raises ValueError where a value makes no sense."""

    credential: str | None
    """Of the calling service. Never shown."""
    deadline: float
    """Seconds for a call that names no other."""
    retries: int
    """How many times a call is repeated at most."""

    def __post_init__(self) -> None:
        # grpc's own complaint about bad metadata quotes it.
        if self.credential is not None and not _TOKEN.fullmatch(self.credential):
            raise ValueError("the credential must be 1 to 4096 printable ASCII characters without spaces")
        require_seconds("deadline", self.deadline)
        if self.retries < 0:
            raise ValueError("retries must not be negative")

    def __repr__(self) -> str:
        return f"Policy(deadline={self.deadline}, retries={self.retries})"

    def metadata(self, session: str | None, approver: str | None = None) -> tuple[tuple[str, str], ...]:
        """Give the metadata of a call.

        Raises SessionEnded for an access token that could not be one: it is the end user's input, so it has the same
        end here as at the server.
        """
        metadata = []
        if self.credential is not None:
            metadata.append(("authorization", f"Bearer {self.credential}"))
        if session:
            if not _TOKEN.fullmatch(session):
                raise SessionEnded(grpc.StatusCode.UNAUTHENTICATED, "SESSION_INVALID", "The access token is malformed.")
            metadata.append(("twofold-session", session))
        if approver is not None:
            metadata.append(("twofold-approver", approver))
        return tuple(metadata)


class Attempts:
    """The attempts that one call is made of, all within one deadline."""

    __slots__ = ("_ends", "_made", "_method", "_retries")

    def __init__(self, method: Method, request: Message, policy: Policy, timeout: float | None) -> None:
        method.require(request)
        seconds = policy.deadline if timeout is None else require_seconds("timeout", timeout)
        self._ends = time.monotonic() + seconds
        self._method = method
        self._retries = policy.retries
        self._made = 0

    def seconds_left(self) -> float:
        """Give what the next attempt has left of the deadline; more than zero, as grpc wants it."""
        return max(self._ends - time.monotonic(), 0.001)

    def after(
        self,
        code: grpc.StatusCode,
        message: str | None,
        trailers: Iterable[tuple[str, str | bytes]] | None,
    ) -> tuple[TwofoldError, float | None]:
        """Give the error of a failed attempt, and in how many seconds to try again; None: raise it."""
        trailers = tuple(trailers or ())
        error = from_status(code, message, trailers)
        self._made += 1
        if self._made > self._retries or not self._may_repeat(error, answered=reached_service(trailers)):
            return error, None
        if error.retry_after is None:
            longest = min(_FIRST_PAUSE_SECONDS * 2 ** (self._made - 1), _LONGEST_PAUSE_SECONDS)
            pause = longest * _random.uniform(0.5, 1.0)
        else:
            pause = error.retry_after * _random.uniform(1.0, 1.2)
        if time.monotonic() + pause >= self._ends:
            return error, None
        _log.debug("%s: %s, attempt %d; again in %.3f s", self._method.name, code.name, self._made, pause)
        return error, pause

    def _may_repeat(self, error: TwofoldError, *, answered: bool) -> bool:
        if error.code is grpc.StatusCode.UNAVAILABLE:
            # A stopping server that says so has done nothing. Otherwise even a call that the service did not answer may
            # have been done before the connection broke.
            return self._method.repeatable or error.reason == _NOT_BEGUN
        # A stopping server cancels what has not reached the service; nothing was done, whatever the method.
        return error.code is grpc.StatusCode.CANCELLED and not answered


def require_seconds(name: str, value: float) -> float:
    """Give a duration back. Raises ValueError if it is not finite or not positive."""
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be a positive number of seconds, not {value}")
    return value
