"""Requests for approval: asked for a challenge, shown to the account's phones, answered once."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from uuid_utils.compat import uuid7

from twofold_server.crypto import tokens
from twofold_server.crypto.keyring import Keyring
from twofold_server.db import approvals as db_approvals
from twofold_server.db import approvers as db_approvers
from twofold_server.db import challenges as db_challenges
from twofold_server.db import sessions as db_sessions
from twofold_server.db.approvals import NewRequest, RequestRow
from twofold_server.db.challenges import Challenge
from twofold_server.db.outbox import OutboxRow
from twofold_server.db.pool import Pool
from twofold_server.domain.approvers import ActiveApprover, answer_text, wake_up_place
from twofold_server.domain.attempts import hour_of
from twofold_server.domain.browsers import browser_of
from twofold_server.domain.challenges import CHALLENGE, STEP_UP
from twofold_server.domain.clock import REVOCATION_LIFE, Clock
from twofold_server.domain.errors import (
    ApprovalLimitReached,
    ApprovalNotFound,
    ApproverInvalid,
    InvalidSecondFactor,
    TicketNotFound,
    TwoFactorNotEnrolled,
)
from twofold_server.domain.factors import push
from twofold_server.domain.messages import MessageKind, Messages
from twofold_server.domain.realms import Realm, Realms
from twofold_server.domain.tickets import payload_place
from twofold_server.domain.values import ApprovalNumber, Handle, RealmId
from twofold_server.domain.written_texts import DisplayName

LIMIT_WINDOW: Final = timedelta(minutes=10)
Decision = Literal["approve", "deny", "not_me"]
State = Literal["open", "approved", "denied", "not_me", "wrong_number", "expired", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that the account's phones are shown now; `number` is for the waiting screen alone."""

    request_id: UUID
    number: str = field(repr=False)
    expire_time: datetime
    challenge_expire_time: datetime


@dataclass(frozen=True, slots=True)
class Request:
    """A request as a phone is shown it."""

    request_id: UUID
    realm_name: str
    place: str = field(repr=False)
    browser: str
    ip_address: str = field(repr=False)
    number_length: int
    step_up: bool
    create_time: datetime
    expire_time: datetime


class Approvals:
    """Asks phones, and judges what they answer."""

    def __init__(
        self, pool: Pool, keyring: Keyring, realms: Realms, messages: Messages, clock: Clock, *, wakes: bool = False
    ) -> None:
        """`wakes`: the operator has a push service, so phones that gave a token are woken through the outbox."""
        self._pool = pool
        self._keyring = keyring
        self._realms = realms
        self._messages = messages
        self._clock = clock
        self._wakes = wakes

    async def ask(
        self, realm_ids: tuple[RealmId, ...], handle: Handle, binding: Handle, client_id: str, place: DisplayName
    ) -> Asked:
        """Ask the phones of a challenge's account, in place of what the challenge asked before.

        Raises TicketNotFound, TwoFactorNotEnrolled (no phone), ApprovalLimitReached.
        """
        found, step_up = await self._challenge(realm_ids, handle, binding, client_id)
        if push.KIND not in (found.factor_kinds or ()):
            raise TwoFactorNotEnrolled
        realm = await self._realms.get(RealmId(found.realm_id))
        ip_address, user_agent = await self._origin(found, step_up)
        now, request_id = self._clock(), uuid7()
        expire_time = min(now + realm.settings.push_lifetime, found.expire_time)
        number, code_mac = push.challenge(self._keyring, realm, request_id, found.account_id)
        shown = {
            "realm_name": realm.display_name,
            "place": place.text,
            "browser": browser_of(user_agent),
            "ip_address": ip_address,
            "number_length": realm.settings.push_digits,
            "step_up": step_up,
        }
        outcome, oldest = await db_approvals.ask(
            self._pool,
            realm.realm_id,
            NewRequest(
                request_id=request_id,
                challenge_id=found.ticket_id,
                account_id=found.account_id,
                epoch=found.epoch,
                client_id=client_id,
                device_id=found.device_id,
                # Found by its challenge and by its id, never by a handle: nobody holds this one.
                handle_hash=tokens.new_secret_token()[1],
                code_mac=code_mac,
                payload=self._keyring.seal(
                    json.dumps(shown).encode(), payload_place(realm.realm_id, found.account_id, request_id)
                ),
                create_time=now,
                expire_time=expire_time,
            ),
            window=LIMIT_WINDOW,
            limit=realm.settings.push_limit,
            event_id=uuid7(),
            wake_ups=await self._wake_ups(realm, found.account_id, request_id, expire_time) if self._wakes else (),
        )
        if outcome == "limited":
            left = (oldest or now) + LIMIT_WINDOW - now
            raise ApprovalLimitReached(retry_after=max(1.0, left.total_seconds()))
        if outcome != "asked":
            raise TicketNotFound(field="challenge_token")
        return Asked(request_id, number, expire_time, found.expire_time)

    async def asked_last(
        self, realm_ids: tuple[RealmId, ...], handle: Handle, binding: Handle, client_id: str
    ) -> RequestRow:
        """The request that a challenge waits for. Raises TicketNotFound, ApprovalNotFound."""
        found, _ = await self._challenge(realm_ids, handle, binding, client_id, over_too=True)
        row = await db_approvals.of_challenge(self._pool, found.realm_id, found.ticket_id)
        if row is None:
            raise ApprovalNotFound(field="challenge_token")
        return row

    async def answer(
        self,
        approver: ActiveApprover,
        client_id: str,
        request_id: UUID,
        decision: Decision,
        number: ApprovalNumber,
        signature: bytes,
    ) -> State:
        """Judge what a phone answers, and let follow what follows from it, in one statement.

        Raises ApproverInvalid (not signed by this phone, or over something else), ApprovalNotFound,
        InvalidSecondFactor.
        """
        if not approver.key.matches(answer_text(approver, request_id, decision, number.digits), signature):
            raise ApproverInvalid(field="signature")
        realm = await self._realms.get(approver.realm_id)
        now = self._clock()
        outcome = await db_approvals.answer(
            self._pool,
            realm.realm_id,
            account_id=approver.account_id,
            epoch=approver.epoch,
            approver_id=approver.approver_id,
            request_id=request_id,
            decision=decision,
            code_macs=push.number_macs(self._keyring, request_id, approver.account_id, number.digits),
            client_id=client_id,
            now=now,
            limit=realm.settings.push_limit,
            event_id=uuid7(),
            revocation_id=uuid7(),
            revocation_expire=now + REVOCATION_LIFE,
            notice=self._messages.prepare(
                realm.realm_id,
                MessageKind.SIGN_IN_DENIED,
                to=approver.email,
                account_id=approver.account_id,
                language=approver.language_code or realm.settings.language_code,
            ),
        )
        match outcome:
            case "approved" | "denied" | "not_me":
                return outcome
            case "wrong_number":
                raise InvalidSecondFactor(field="number")
        raise ApprovalNotFound

    def open(self, row: RequestRow) -> Request:
        """What a phone is shown of a request."""
        shown = json.loads(self._keyring.open(row.payload, payload_place(row.realm_id, row.account_id, row.request_id)))
        return Request(
            row.request_id,
            shown["realm_name"],
            shown["place"],
            shown["browser"],
            shown["ip_address"],
            shown["number_length"],
            shown["step_up"],
            row.create_time,
            row.expire_time,
        )

    async def _challenge(
        self, realm_ids: tuple[RealmId, ...], handle: Handle, binding: Handle, client_id: str, *, over_too: bool = False
    ) -> tuple[Challenge, bool]:
        """The challenge of a sign-in or a step-up, and whether it is a step-up's; `over_too`: one that was spent."""
        now = self._clock()
        for purpose in (CHALLENGE, STEP_UP):
            found = await db_challenges.read(
                self._pool,
                realm_ids=list(realm_ids),
                purpose=purpose,
                handle_hash=handle.hash,
                binding_hash=binding.hash,
                client_id=client_id,
                now=now,
                slot=None,
                network="",
                hour=hour_of(now),
            )
            if found is not None and (found.live or over_too):
                return found, purpose == STEP_UP
        raise TicketNotFound(field="challenge_token")

    async def _origin(self, found: Challenge, step_up: bool) -> tuple[str, str]:
        """Where a challenge comes from: the sign-in's address and browser, or those of the session that it steps up."""
        if step_up:
            session = await db_sessions.token_state(self._pool, found.realm_id, found.session_id or found.ticket_id)
            if session is None:
                # Its user has ended it: whoever held it asks no phone any more.
                raise TicketNotFound(field="challenge_token")
            return session[0].ip_address, session[0].user_agent
        payload = json.loads(
            self._keyring.open(found.payload, payload_place(found.realm_id, found.account_id, found.ticket_id))
        )
        return payload["ip_address"], payload["user_agent"]

    async def _wake_ups(
        self, realm: Realm, account_id: UUID, request_id: UUID, expire_time: datetime
    ) -> list[OutboxRow]:
        rows = []
        for approver_id, sealed in await db_approvers.to_wake(self._pool, realm.realm_id, account_id):
            token = self._keyring.open(sealed, wake_up_place(realm.realm_id, account_id, approver_id)).decode("ascii")
            rows.append(
                self._messages.wake_up(
                    realm.realm_id, token, account_id=account_id, ticket_id=request_id, expire_time=expire_time
                )
            )
        return rows


def state_of(row: RequestRow | None, now: datetime) -> State:
    """How a request stands; None: it is gone, since another was asked in its place."""
    if row is None:
        return "withdrawn"
    match row.answer:
        case "approved" | "denied" | "not_me" | "wrong_number":
            return row.answer
    if row.spent:
        return "withdrawn"
    return "open" if row.expire_time > now else "expired"
