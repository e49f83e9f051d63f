"""Cases of the support desk: opened by one agent, approved by another, told to the user, cancelled by any of them."""

from __future__ import annotations

import hmac
import json
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from twofold_server.crypto.keyring import Keyring
from twofold_server.db import cases as db_cases
from twofold_server.db import outbox as db_outbox
from twofold_server.db import support as db_support
from twofold_server.db.cases import NewCase, RequestTaken, Subject
from twofold_server.db.pool import Connection, Pool, transaction
from twofold_server.domain.agents import APPRENTICESHIP, Agent
from twofold_server.domain.case_links import new_link, tell, token_of
from twofold_server.domain.case_records import (
    CASE,
    CORRECTION,
    Case,
    CaseRequest,
    case_of,
    case_place,
    demand_other,
    demand_state,
    hold,
    read,
    record,
    state_of,
)
from twofold_server.domain.clock import Clock
from twofold_server.domain.errors import (
    AccountNotFound,
    AddressTaken,
    AgentNotEligible,
    CaseAlreadyOpen,
    InvalidFields,
    TwoFactorNotEnrolled,
    Violation,
)
from twofold_server.domain.messages import MessageKind, Messages
from twofold_server.domain.realms import Realm, Realms
from twofold_server.domain.security_log import SecurityLog
from twofold_server.domain.text_messages import TextMessages
from twofold_server.domain.values import EmailAddress, PhoneNumber
from twofold_server.domain.written_texts import Reason

_BATCH: Final = 100
_OTHERWISE: Final = "Came with another request before: a new case needs an id of its own."


class Cases:
    """Opens, approves, refuses, cancels, lists and expires cases; CaseExecution executes them."""

    def __init__(
        self,
        pool: Pool,
        keyring: Keyring,
        realms: Realms,
        messages: Messages,
        text_messages: TextMessages,
        log: SecurityLog,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._keyring = keyring
        self._realms = realms
        self._messages = messages
        self._text_messages = text_messages
        self._log = log
        self._clock = clock

    async def open(self, realm: Realm, agent: Agent, request: CaseRequest) -> Case:
        """Open a case and tell the account's user everywhere; a repeat of the request gets the same case.

        Raises AccountNotFound, CaseAlreadyOpen, AgentNotEligible, TwoFactorNotEnrolled, AddressTaken, InvalidFields
        (another request of the same id), SessionEnded, SupportLimitReached (a correction of an address is a look-up).
        """
        mac = request.mac(self._keyring, realm)
        if isinstance(request.change.value, EmailAddress):
            # The answer tells whether that address has an account.
            await agent.count_look_up(self._pool, self._realms, self._clock())
        try:
            async with transaction(self._pool) as tx:
                held = await agent.hold(tx)
                subject = await db_cases.lock_subject(tx, realm.realm_id, request.account_id)
                if subject is None:
                    raise AccountNotFound
                found = await db_cases.of_request(tx, realm.realm_id, agent.account_id, request.request_id)
                if found is None:
                    value = request.change.value
                    demand_other(held[agent.account_id], subject, realm, value.text if value is not None else "")
                    case_id = await self._open(tx, realm, agent, request, mac, subject)
                elif hmac.compare_digest(found[1], mac):
                    case_id = found[0]
                else:
                    raise InvalidFields([Violation("request_id", _OTHERWISE)])
                return await self._read(tx, realm, case_id)
        except AddressTaken:
            await agent.record(
                self._pool, realm, "accounts_looked_up", self._clock(), details={"by": "email", "found": 1}
            )
            raise
        except RequestTaken:
            raise InvalidFields([Violation("request_id", _OTHERWISE)]) from None

    async def _open(
        self, tx: Connection, realm: Realm, agent: Agent, request: CaseRequest, mac: bytes, subject: Subject
    ) -> UUID:
        now, case_id, change = self._clock(), uuid7(), request.change
        await db_cases.expire(
            tx, now=now, event_ids=[uuid7()], client_id=agent.client_id, account_id=subject.account_id
        )
        if await db_cases.has_open(tx, realm.realm_id, subject.account_id):
            raise CaseAlreadyOpen
        # One who owes another factor and has lost support's code, or its time, needs a new one.
        if change.action == "reset_two_factor" and not subject.second_factor and subject.reenroll_by is None:
            raise TwoFactorNotEnrolled
        if isinstance(change.value, EmailAddress) and await db_support.account_exists(
            tx, realm.realm_id, change.value.key
        ):
            raise AddressTaken
        case = NewCase(
            case_id=case_id,
            realm_id=realm.realm_id,
            account_id=subject.account_id,
            opener_id=agent.account_id,
            request_id=request.request_id,
            request_mac=mac,
            action=change.action,
            payload=self._keyring.seal(
                json.dumps(request.said).encode(), case_place(realm.realm_id, subject.account_id, case_id)
            ),
            owner_unreachable=request.owner_unreachable,
            create_time=now,
            expire_time=now + realm.settings.support_case_lifetime,
        )
        await db_cases.insert(tx, case)
        token = await new_link(tx, self._keyring, case, CASE, case_id)
        await record(tx, realm, agent, "case_opened", case, now, request.reason.text)
        await tell(self._log, tx, realm, subject, MessageKind.CASE_OPENED, case, token)
        if change.value is not None:
            await self._ask_for_confirmation(tx, realm, subject, case, change.value)
        return case_id

    async def approve(self, realm: Realm, agent: Agent, case_id: UUID) -> Case:
        """Approve a case that another agent has opened; the wait begins, and the user is told again.

        Raises CaseNotFound, CaseNotOpen, AgentNotEligible, SessionEnded.
        """
        now = self._clock()
        async with transaction(self._pool) as tx:
            own = (await agent.hold(tx))[agent.account_id]
            row, subject = await hold(tx, realm, await read(tx, realm, case_id))
            if state_of(row, now) == "approved" and row.approver_id == agent.account_id:
                return case_of(self._keyring, row, now)
            demand_state(row, now, "open")
            if row.opener_id == agent.account_id:
                raise AgentNotEligible(metadata={"why": "OPENER"})
            demand_other(own, subject, realm, case_of(self._keyring, row, now).value)
            if own.create_time > now - APPRENTICESHIP:
                raise AgentNotEligible(metadata={"why": "TOO_NEW"})
            await db_cases.approve(tx, realm.realm_id, case_id, agent.account_id, realm.settings.support_wait, now)
            await record(tx, realm, agent, "case_approved", row, now)
            await tell(
                self._log, tx, realm, subject, MessageKind.CASE_APPROVED, row, await token_of(tx, self._keyring, row)
            )
            return await self._read(tx, realm, case_id)

    async def reject(self, realm: Realm, agent: Agent, case_id: UUID, reason: Reason) -> Case:
        """Refuse a case that nobody has approved. Raises CaseNotFound, CaseNotOpen, SessionEnded."""
        return await self._close(realm, agent, case_id, "rejected", ["open"], reason.text)

    async def cancel(self, realm: Realm, agent: Agent, case_id: UUID) -> Case:
        """End a case that was not executed. Raises CaseNotFound, CaseNotOpen, SessionEnded."""
        return await self._close(realm, agent, case_id, "cancelled", ["open", "approved"], "")

    async def _close(self, realm: Realm, agent: Agent, case_id: UUID, state: str, of: list[str], reason: str) -> Case:
        now = self._clock()
        async with transaction(self._pool) as tx:
            await agent.hold(tx)
            row, subject = await hold(tx, realm, await read(tx, realm, case_id))
            if row.state != state:
                if not await db_cases.close(tx, realm.realm_id, case_id, state=state, of=of, now=now):
                    demand_state(row, now)
                await record(tx, realm, agent, f"case_{state}", row, now, reason)
                await tell(self._log, tx, realm, subject, MessageKind.CASE_CLOSED, row)
            return await self._read(tx, realm, case_id)

    async def page(
        self, realm: Realm, agent: Agent, account_id: UUID | None, *, open_only: bool, before: UUID | None, limit: int
    ) -> list[Case]:
        """The realm's cases, the newest first."""
        now = self._clock()
        rows = await db_cases.page(
            self._pool, realm.realm_id, account_id, open_only=open_only, now=now, before=before, limit=limit
        )
        await agent.record(self._pool, realm, "cases_listed", now, account_id=account_id)
        return [case_of(self._keyring, row, now) for row in rows]

    async def expire_overdue(self) -> int:
        """End the cases of all realms that were not executed in time, up to a hundred; how many there were."""
        return await db_cases.expire(
            self._pool, now=self._clock(), event_ids=[uuid7() for _ in range(_BATCH)], client_id=""
        )

    async def _read(self, tx: Connection, realm: Realm, case_id: UUID) -> Case:
        return case_of(self._keyring, await read(tx, realm, case_id), self._clock())

    async def _ask_for_confirmation(
        self, tx: Connection, realm: Realm, subject: Subject, case: NewCase, value: EmailAddress | PhoneNumber
    ) -> None:
        ticket_id = uuid7()
        message = self._messages.prepare(
            realm.realm_id,
            MessageKind.CASE_CONFIRMATION,
            to=value,
            account_id=subject.account_id,
            ticket_id=ticket_id,
            language=subject.language_code or realm.settings.language_code,
            expire_time=case.expire_time,
            params={"token": await new_link(tx, self._keyring, case, CORRECTION, ticket_id)},
        )
        if isinstance(value, PhoneNumber):
            await self._text_messages.admit(tx, realm, message, value)
        else:
            await db_outbox.insert(tx, message)
