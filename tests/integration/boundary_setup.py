"""What the tests of the boundary share: a real server with servicers that do as the test says, and raw calls to it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from uuid_utils.compat import uuid7

from twofold.v1 import account_pb2, recovery_pb2, session_pb2, support_pb2, two_factor_pb2
from twofold_server.crypto import tokens
from twofold_server.crypto.access_tokens import AccessClaims
from twofold_server.db import callers as caller_rows
from twofold_server.db.pool import Pool
from twofold_server.db.sessions import SessionRow
from twofold_server.domain.active_sessions import ActiveSession
from twofold_server.domain.callers import Caller, Callers
from twofold_server.domain.checked_tokens import CheckedToken
from twofold_server.domain.errors import ApproverInvalid, SessionInvalid
from twofold_server.domain.realms import Realms
from twofold_server.domain.values import RealmId
from twofold_server.rpc.boundary import Boundary
from twofold_server.rpc.call import Call
from twofold_server.rpc.credentials import Certificates
from twofold_server.rpc.health import Health, serve_reflection
from twofold_server.rpc.passage import Limits
from twofold_server.rpc.policy import path_of
from twofold_server.rpc.server import Listener, Server, Transport

SERVICES = tuple(
    service
    for file in (account_pb2, two_factor_pb2, session_pb2, recovery_pb2, support_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
)
METHODS: tuple[MethodDescriptor, ...] = tuple(method for service in SERVICES for method in service.methods)

STREAMS = frozenset(path_of(method) for method in METHODS if method.server_streaming)

SIGN_IN = "/twofold.v1.AccountService/SignIn"
GET_ACCOUNT = "/twofold.v1.AccountService/GetAccount"
CHECK_SESSION = "/twofold.v1.SessionService/CheckSession"
GET_SIGNING_KEYS = "/twofold.v1.SessionService/GetSigningKeys"
SIGN_OUT = "/twofold.v1.SessionService/SignOut"


def method_at(path: str) -> MethodDescriptor:
    """The method of a path."""
    return next(method for method in METHODS if path_of(method) == path)


def paths(methods: Iterable[MethodDescriptor] = METHODS) -> list[str]:
    """Paths of methods, to name test cases by."""
    return [path_of(method) for method in methods]


@dataclass
class Failure:
    """A failed call as its caller sees it."""

    code: grpc.StatusCode
    message: str
    details: dict[str, Any]
    trailers: dict[str, str | bytes]

    @classmethod
    def of(cls, error: grpc.aio.AioRpcError) -> Failure:
        trailers = {str(key): value for key, value in error.trailing_metadata() or ()}
        packed: Any = trailers.get("grpc-status-details-bin", b"")
        status = status_pb2.Status.FromString(packed)
        found: dict[str, Any] = {}
        for detail in status.details:
            name = detail.TypeName().rpartition(".")[2]
            found[name] = getattr(error_details_pb2, name).FromString(detail.value)
        return cls(error.code(), error.details() or "", found, trailers)

    @property
    def reason(self) -> str:
        info = self.details.get("ErrorInfo")
        assert info is None or info.domain == "twofold"
        return info.reason if info is not None else ""

    @property
    def fields(self) -> list[str]:
        bad = self.details.get("BadRequest")
        return [violation.field for violation in bad.field_violations] if bad is not None else []

    @property
    def retry_after(self) -> float | None:
        info = self.details.get("RetryInfo")
        return info.retry_delay.seconds + info.retry_delay.nanos / 1e9 if info is not None else None

    @property
    def request_id(self) -> str:
        return str(self.trailers.get("twofold-request-id", ""))


Behaviour = Callable[[Message, Call], Awaitable[Message | None]]


class Servicer:
    """Every method of a service: notes its call, does what `behaviour` says, and answers with an empty message."""

    def __init__(self, rig: Rig, methods: Iterable[MethodDescriptor]) -> None:
        for method in methods:
            make = self._stream if method.server_streaming else self._implementation
            setattr(self, method.name, make(rig, method))

    def _implementation(self, rig: Rig, method: MethodDescriptor) -> Callable[[Message, Call], Awaitable[Message]]:
        answer = message_factory.GetMessageClass(method.output_type)

        async def implementation(request: Message, call: Call) -> Message:
            rig.calls.append((request, call))
            return (await rig.behaviour(request, call)) or answer()

        return implementation

    def _stream(self, rig: Rig, method: MethodDescriptor) -> Callable[[Message, Call], AsyncIterator[Message]]:
        answer = self._implementation(rig, method)

        async def implementation(request: Message, call: Call) -> AsyncIterator[Message]:
            yield await answer(request, call)

        return implementation


class ScriptedSessions:
    """Stands for the sessions' rules, and for those of tokens of any client: knows what the test hands out."""

    def __init__(self) -> None:
        self.outcomes: dict[str, ActiveSession | Exception] = {}
        self.asked: list[tuple[str, str, Caller]] = []

    async def authenticate(self, token: str, caller: Caller) -> ActiveSession:
        self.asked.append(("row", token, caller))
        return self._outcome(token)

    async def check(self, token: str, caller: Caller) -> CheckedToken:
        self.asked.append(("memory", token, caller))
        row = self._outcome(token).row
        claims = AccessClaims(
            issuer=f"https://twofold.test/{row.realm_id}",
            subject=row.account_id,
            audience=row.audience,
            client_id=row.client_id,
            token_id=row.session_id,
            session_id=row.session_id,
            epoch=row.epoch,
            methods=tuple(row.amr),
            assurance=row.aal,
            issue_time=row.create_time,
            expire_time=row.expire_time,
            auth_time=row.auth_time,
        )
        return CheckedToken(claims, RealmId(row.realm_id), "key", str(row.session_id), str(row.account_id))

    def _outcome(self, token: str) -> ActiveSession:
        found = self.outcomes.get(token, SessionInvalid())
        if isinstance(found, Exception):
            raise found
        return found


class OneApprover:
    """Stands for the rules of approvers: knows the phone whose proof is `phone`."""

    async def authenticate(self, proof: str | None, _method: str, realms: Sequence[RealmId]) -> Any:
        if proof != "phone":
            raise ApproverInvalid
        return SimpleNamespace(realm_id=realms[0])


async def _nothing(_request: Message, _call: Call) -> Message | None:
    return None


@dataclass
class Rig:
    """A server with a boundary on a real database, and a channel to it."""

    pool: Pool
    clock: Callable[[], datetime]
    callers: Callers
    realms: Realms
    sessions: ScriptedSessions = field(default_factory=ScriptedSessions)
    behaviour: Behaviour = _nothing
    calls: list[tuple[Message, Call]] = field(default_factory=list)
    boundary: Boundary = field(init=False)
    health: Health = field(init=False)
    server: Server = field(init=False)
    channel: grpc.aio.Channel = field(init=False)
    port: int = 0

    async def caller(self, name: str, *grants: tuple[str, str, bool]) -> str:
        """A caller with grants (realm, role, may state its client); its credential."""
        caller_id, (secret, hashed) = uuid7(), tokens.new_secret_token()
        for number, (realm, role, stating) in enumerate(grants):
            row = caller_rows.GrantRow(realm, role, stating)
            if number:
                assert await caller_rows.put_grant(self.pool, name, row, self.clock())
            else:
                assert await caller_rows.insert(
                    self.pool, caller_id=caller_id, name=name, credential_hash=hashed, grant=row, now=self.clock()
                )
        return tokens.format_caller_credential(caller_id, secret)

    def session(
        self,
        token: str = "token",
        *,
        realm: str = "default",
        password_age: float = 0,
        second_factor_age: float | None = None,
        second_factor: bool = False,
        factor_strength: int = 3,
    ) -> ActiveSession:
        """A live session that goes by `token`, its proofs so many seconds old."""
        now = self.clock()
        row = SessionRow(
            session_id=uuid7(),
            realm_id=realm,
            account_id=uuid7(),
            device_id=None,
            client_id="shop",
            epoch=1,
            audience="twofold",
            amr=["pwd"],
            aal=1,
            auth_time=now - timedelta(seconds=password_age),
            second_factor_time=None if second_factor_age is None else now - timedelta(seconds=second_factor_age),
            factor_strength=0 if second_factor_age is None else factor_strength,
            ip_address="",
            user_agent="",
            create_time=now,
            rotated_time=now,
            expire_time=now + timedelta(days=1),
        )
        session = ActiveSession(row, second_factor, 3 if second_factor else 0, "twofold", now + timedelta(minutes=5))
        self.sessions.outcomes[token] = session
        return session

    async def raw(
        self,
        path: str,
        raw: bytes = b"",
        *,
        credential: str | None = None,
        session: str | None = None,
        metadata: tuple[tuple[str, str | bytes], ...] = (),
        timeout: float | None = 5,  # noqa: ASYNC109 (that of the call)
    ) -> tuple[bytes, dict[str, str | bytes]]:
        """Send bytes and get bytes, of a stream those of all its messages, and the trailers. Raises AioRpcError."""
        sent = list(metadata)
        if credential is not None:
            sent.append(("authorization", f"Bearer {credential}"))
        if session is not None:
            sent.append(("twofold-session", session))
        channel: Any = self.channel
        if path in STREAMS:
            call = channel.unary_stream(path)(raw, metadata=tuple(sent), timeout=timeout)
            answer = b"".join([message async for message in call])
        else:
            call = channel.unary_unary(path)(raw, metadata=tuple(sent), timeout=timeout)
            answer = await call
        return answer, {str(key): value for key, value in await call.trailing_metadata() or ()}

    async def failure(self, path: str, raw: bytes = b"", **arguments: Any) -> Failure:
        """The failure of a call that must fail."""
        try:
            await self.raw(path, raw, **arguments)
        except grpc.aio.AioRpcError as error:
            return Failure.of(error)
        raise AssertionError(f"{path} succeeded")

    def will_raise(self, error: BaseException) -> None:
        """Every method raises this from now on."""

        async def behaviour(_request: Message, _call: Call) -> Message | None:
            raise error

        self.behaviour = behaviour


@contextlib.asynccontextmanager
async def serving(
    pool: Pool,
    clock: Callable[[], datetime],
    *,
    development: bool = True,
    limits: Limits | None = None,
    certificates: Certificates | None = None,
    reflection: bool = False,
) -> AsyncIterator[Rig]:
    """Serve every method of the contract with a rig's servicers."""
    callers = Callers(pool, clock, development=development)
    rig = Rig(pool, clock, callers, Realms(pool, clock, issuer="https://twofold.test"))
    sessions: Any = rig.sessions
    approvers: Any = OneApprover()
    rig.boundary = Boundary(
        {service: Servicer(rig, service.methods) for service in SERVICES},
        callers=callers,
        sessions=sessions,
        tokens=sessions,
        realms=rig.realms,
        approvers=approvers,
        clock=clock,
        limits=limits or Limits(),
        certificates=certificates,
    )
    names = [service.full_name for service in SERVICES]
    rig.health = Health(names)
    rig.health.register(rig.boundary)
    if reflection:
        serve_reflection(rig.boundary, names)
    rig.server = Server(rig.boundary, rig.health, Transport())
    rig.port = rig.server.listen(Listener("127.0.0.1:0"))
    await rig.server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{rig.port}") as rig.channel:
        try:
            yield rig
        finally:
            await rig.server.stop(0.2)


def assert_reason(failure: Failure, reason: str, code: grpc.StatusCode) -> None:
    """The failure has this reason and code, and a request id."""
    assert (failure.reason, failure.code) == (reason, code), failure
    assert failure.request_id
