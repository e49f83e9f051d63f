"""The steps between a request's bytes and its method: who calls, what is asked, in which realm, by which user."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, cast

import grpc
from google.protobuf.message import DecodeError, Message

from twofold.v1 import access_pb2
from twofold_server.domain import faults
from twofold_server.domain.callers import Caller, Role
from twofold_server.domain.clock import Clock
from twofold_server.domain.errors import (
    CallerNotPermitted,
    DeadlinePassed,
    DeadlineTooShort,
    InvalidFields,
    MessageTooLong,
    RealmNotFound,
    SessionInvalid,
    SessionRequired,
    TwofoldError,
    Violation,
)
from twofold_server.domain.realms import Realms
from twofold_server.domain.values import RealmId
from twofold_server.rpc import streams
from twofold_server.rpc.admission import Admission
from twofold_server.rpc.call import Call, ClientRule
from twofold_server.rpc.credentials import approver_proof_of
from twofold_server.rpc.policy import Policy
from twofold_server.rpc.requirements import unmet
from twofold_server.rpc.trace import Trace
from twofold_server.rpc.wire import bad_text_field

if TYPE_CHECKING:
    from twofold_server.domain.active_sessions import ActiveSession
    from twofold_server.domain.approvers import Approvers
    from twofold_server.domain.checked_tokens import CheckedToken, CheckedTokens
    from twofold_server.domain.sessions import Sessions

Context = grpc.aio.ServicerContext[bytes, bytes]
Authenticate = Callable[[Context], Awaitable[tuple[Caller, str | None]]]
Method = Callable[[Message, Call], Awaitable[Message]]
StreamMethod = Callable[[Message, Call], AsyncIterator[Message]]

LEAST_FOR_CREDENTIAL_SECONDS: Final = 0.05
"""A hash and a durable statement take about 30 ms on an idle machine; begun with less, their end is not seen."""

# Between tries, with jitter, so that those who met do not meet again.
_PAUSES: Final = (0.02, 0.1)
_random: Final = secrets.SystemRandom()
_STREAM_SECONDS: Final = 86400.0
_NOBODY_STATED: Final = ClientRule(stated=False, address_required=False, global_only=False)
_STATED: Final = {
    (required, global_only): ClientRule(stated=True, address_required=required, global_only=global_only)
    for required in (False, True)
    for global_only in (False, True)
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What is allowed: bytes of a request, calls at a time in all and of one caller, seconds where none are named."""

    message_bytes: int = 65536
    calls: int = 500
    calls_of_caller: int = 250
    default_deadline: float = 10.0
    least_for_credential: float = LEAST_FOR_CREDENTIAL_SECONDS


class Passage:
    """Takes calls of the contract to their methods.

    In this order: size, caller, access, admission, message, realm, deadline, session and what it must have proven.
    Admission comes before whatever a query is needed for.
    """

    def __init__(
        self,
        authenticate: Authenticate,
        sessions: Sessions,
        tokens: CheckedTokens,
        realms: Realms,
        approvers: Approvers,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._approvers = approvers
        self._authenticate = authenticate
        self._sessions = sessions
        self._tokens = tokens
        self._realms = realms
        self._clock = clock
        self._limits = limits
        self._admission = Admission(limits.calls, limits.calls_of_caller)

    def of(self, policy: Policy, method: Method) -> Callable[[bytes, Context, Trace], Awaitable[bytes]]:
        """What stands behind the handler of a method."""
        limits, admission = self._limits, self._admission
        least = limits.least_for_credential if policy.takes_credential else 0.0

        async def work(raw: bytes, context: Context, trace: Trace) -> bytes:
            if len(raw) > limits.message_bytes:
                raise MessageTooLong(metadata={"limit_bytes": str(limits.message_bytes)})
            caller, token = await self._authenticate(context)
            trace.caller = caller.name
            realms = caller.realms_as(policy.roles)
            if not realms:
                raise CallerNotPermitted(metadata={"roles": policy.role_names})
            admission.enter(caller.caller_id)
            try:
                request = _parsed(policy, raw)
                if policy.agent and not _has_ticket(policy, request):
                    realms = _realms_of_desk(caller)
                named = _named_realm(policy, request, caller, realms)
                remaining = cast("float | None", context.time_remaining())
                if remaining is not None:
                    if remaining < least:
                        raise DeadlineTooShort
                    # The core cancels this task when the deadline passes.
                    call = await self._admitted(
                        policy, request, caller, token, realms, named, remaining, trace, context
                    )
                    return bytes((await _answer(method, request, call)).SerializeToString())
                limit = asyncio.timeout(limits.default_deadline)
                try:
                    async with limit:
                        call = await self._admitted(
                            policy, request, caller, token, realms, named, limits.default_deadline, trace, context
                        )
                        return bytes((await _answer(method, request, call)).SerializeToString())
                except TimeoutError as error:
                    if limit.expired():
                        raise DeadlinePassed from error
                    raise
            finally:
                admission.leave(caller.caller_id)

        return work

    def of_stream(self, policy: Policy, method: StreamMethod) -> Callable[[bytes, Context, Trace], Awaitable[None]]:
        """What stands behind the handler of a stream of answers. It has no deadline but the caller's own."""
        limits = self._limits

        async def work(raw: bytes, context: Context, trace: Trace) -> None:
            if len(raw) > limits.message_bytes:
                raise MessageTooLong(metadata={"limit_bytes": str(limits.message_bytes)})
            caller, token = await self._authenticate(context)
            trace.caller = caller.name
            realms = caller.realms_as(policy.roles)
            if not realms:
                raise CallerNotPermitted(metadata={"roles": policy.role_names})
            request = _parsed(policy, raw)
            named = _named_realm(policy, request, caller, realms)
            call = await self._admitted(policy, request, caller, token, realms, named, _STREAM_SECONDS, trace, context)
            # Closed at once where the caller hangs up while a message is written, not when it is collected some day.
            async with contextlib.aclosing(cast("AsyncGenerator[Message]", method(request, call))) as messages:
                async for message in messages:
                    await streams.write(context, message.SerializeToString())

        return work

    async def _admitted(
        self,
        policy: Policy,
        request: Message,
        caller: Caller,
        token: str | None,
        realms: tuple[RealmId, ...],
        named: RealmId | None,
        seconds: float,
        trace: Trace,
        context: Context,
    ) -> Call:
        if named is not None:
            trace.realm = named
        session, checked, approver = None, None, None
        if policy.approver:
            approver = await self._approvers.authenticate(approver_proof_of(context), policy.path, realms)
            trace.realm = approver.realm_id
        elif policy.any_client:
            checked = await self._checked(policy, caller, token, realms, named)
            trace.realm = checked.realm_id
        elif policy.requirements:
            session = await self._session(policy, request, caller, token, realms, named)
            if session is not None and named is None:
                trace.realm = session.realm_id
        return Call(
            request_id=trace.request_id,
            method=policy.path,
            caller=caller,
            realms=realms,
            named_realm=named,
            session=session,
            checked=checked,
            deadline=self._clock() + timedelta(seconds=min(seconds, 86400.0)),
            client_rule=await self._client_rule(policy, caller, realms, named, session)
            if policy.takes_credential or (policy.takes_client and request.HasField("client"))
            else _NOBODY_STATED,
            approver=approver,
        )

    async def _checked(
        self,
        policy: Policy,
        caller: Caller,
        token: str | None,
        realms: tuple[RealmId, ...],
        named: RealmId | None,
    ) -> CheckedToken:
        if not token:
            raise SessionRequired
        checked = await self._tokens.check(token, caller)
        if checked.realm_id not in realms:
            raise CallerNotPermitted(metadata={"roles": policy.role_names})
        if named is not None and checked.realm_id != named:
            raise SessionInvalid
        return checked

    async def _session(
        self,
        policy: Policy,
        request: Message,
        caller: Caller,
        token: str | None,
        realms: tuple[RealmId, ...],
        named: RealmId | None,
    ) -> ActiveSession | None:
        otherwise = policy.without_session or _has_ticket(policy, request)
        if policy.agent and otherwise:
            # The two are different ways: one who holds a link acts for the account's user, whoever else is signed in.
            return None
        if not token:
            if otherwise:
                return None
            raise SessionRequired
        try:
            session = await self._sessions.authenticate(token, caller)
            # An agent's is of the realm of agents, whichever realm is worked on.
            if session.realm_id not in realms and not policy.agent:
                raise CallerNotPermitted(metadata={"roles": policy.role_names})
            if named is not None and session.realm_id != named and not policy.agent:
                raise SessionInvalid
            await self._demand_proof(policy, session)
        except TwofoldError as error:
            # The ticket in the request stands for the session: a sign-out goes through with an expired access token.
            if otherwise and error.status in {"UNAUTHENTICATED", "PERMISSION_DENIED"}:
                return None
            raise
        return session

    async def _demand_proof(self, policy: Policy, session: ActiveSession) -> None:
        if policy.requirements[0] == access_pb2.SESSION_REQUIREMENT_ANY:
            return
        realm, now = await self._realms.get(session.realm_id), self._clock()
        lacking = [unmet(requirement, session, realm, now) for requirement in policy.requirements]
        if None not in lacking:
            raise lacking[-1] or SessionInvalid()

    async def _client_rule(
        self,
        policy: Policy,
        caller: Caller,
        realms: tuple[RealmId, ...],
        named: RealmId | None,
        session: ActiveSession | None,
    ) -> ClientRule:
        # Of a ticket's realm nothing is known yet: then it must be so in each realm that the ticket may belong to.
        scope = (named,) if named is not None else (session.realm_id,) if session is not None else realms
        for realm_id in scope:
            if not caller.may_state_client(realm_id):
                return _NOBODY_STATED
        for realm_id in scope:
            if (await self._realms.get(realm_id)).settings.global_addresses_only:
                return _STATED[policy.takes_credential, True]
        return _STATED[policy.takes_credential, False]


async def _answer(method: Method, request: Message, call: Call) -> Message:
    """Call a method, again where PostgreSQL let its transaction give way to another: nothing of it was done."""
    for pause in _PAUSES:
        try:
            return await method(request, call)
        except Exception as error:
            if not faults.may_be_repeated(error):
                raise
        await asyncio.sleep(_random.uniform(0, pause))
    return await method(request, call)


def _parsed(policy: Policy, raw: bytes) -> Message:
    try:
        return policy.parse(raw)
    except DecodeError:
        field = bad_text_field(policy.request_descriptor, raw)
        text = "Not UTF-8." if field else "Not a message of this method."
        raise InvalidFields([Violation(field, text)]) from None


def _has_ticket(policy: Policy, request: Message) -> bool:
    return any(getattr(request, name) for name in policy.tickets)


def _realms_of_desk(caller: Caller) -> tuple[RealmId, ...]:
    """The realms whose desk the caller serves. Raises CallerNotPermitted, also where it may take links alone."""
    realms = caller.realms_as(frozenset({Role.SUPPORT}))
    if not realms:
        raise CallerNotPermitted(metadata={"roles": Role.SUPPORT.name})
    return realms


def _named_realm(policy: Policy, request: Any, caller: Caller, realms: tuple[RealmId, ...]) -> RealmId | None:  # noqa: ANN401
    """The realm that the request names. A realm without a grant answers as one that there is not."""
    if not policy.names_realm:
        return None
    named = request.realm_id
    if not named:
        if len(realms) == 1:
            return realms[0]
        if _has_ticket(policy, request):
            return None
        raise RealmNotFound
    if named in realms:
        return RealmId(named)
    if caller.knows(named):
        raise CallerNotPermitted(metadata={"roles": policy.role_names})
    raise RealmNotFound
