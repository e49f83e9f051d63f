"""A case's effect: exactly what was approved, once, judged again under the locks of all that it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from twofold_server.crypto.keyring import Keyring
from twofold_server.db import approvers as db_approvers
from twofold_server.db import cases as db_cases
from twofold_server.db import email_changes as db_email_changes
from twofold_server.db import factors as db_factors
from twofold_server.db import phone_numbers as db_phone_numbers
from twofold_server.db import tickets as db_tickets
from twofold_server.db.accounts import EmailTaken
from twofold_server.db.cases import CaseRow, Subject
from twofold_server.db.pool import Connection, Pool, transaction
from twofold_server.db.support import AgentRow
from twofold_server.domain import reenrollments
from twofold_server.domain.agents import Agent
from twofold_server.domain.case_records import (
    Case,
    case_of,
    demand_other,
    demand_state,
    hold,
    read,
    record,
    state_of,
    wait_end,
)
from twofold_server.domain.clock import Clock
from twofold_server.domain.destinations import Told, number_macs, number_place
from twofold_server.domain.email_changes import UNDO
from twofold_server.domain.epochs import raise_epoch
from twofold_server.domain.errors import AddressTaken, CaseNotReady
from twofold_server.domain.messages import MessageKind
from twofold_server.domain.realms import Realm
from twofold_server.domain.security_log import SecurityLog
from twofold_server.domain.values import EmailAddress, PhoneNumber

_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Executed:
    """An executed case; after a reset, the code that the user enrols a factor anew with, and until when it is good."""

    case: Case
    code: str = field(repr=False, default="")
    code_expire_time: datetime | None = None


class CaseExecution:
    """Executes cases."""

    def __init__(self, pool: Pool, keyring: Keyring, log: SecurityLog, clock: Clock) -> None:
        self._pool = pool
        self._keyring = keyring
        self._log = log
        self._clock = clock

    async def execute(self, realm: Realm, agent: Agent, case_id: UUID) -> Executed:
        """Do what was approved and end the account's sessions, devices and pending links; its user is told.

        Raises CaseNotFound, CaseNotOpen, CaseNotReady, AgentNotEligible, AddressTaken, SessionEnded.
        """
        try:
            async with transaction(self._pool) as tx:
                seen = await read(tx, realm, case_id)
                held = await agent.hold(tx, (seen.opener_id, seen.approver_id))
                if seen.action == "correct_email":
                    # Before the account, as every statement locks: one in use just now would else be passed over, live.
                    await db_tickets.lock_of_account(tx, realm.realm_id, seen.account_id, UNDO)
                row, subject = await hold(tx, realm, seen)
                return await self._execute(tx, realm, agent, held, row, subject)
        except EmailTaken:
            raise AddressTaken from None

    async def _execute(
        self,
        tx: Connection,
        realm: Realm,
        agent: Agent,
        held: Mapping[UUID, AgentRow],
        row: CaseRow,
        subject: Subject,
    ) -> Executed:
        now = self._clock()
        demand_state(row, now, "open", "approved")
        case = case_of(self._keyring, row, now)
        _demand_ready(row, held, now)
        demand_other(held[agent.account_id], subject, realm, case.value)
        # As they are before: who is reached there must learn of it, whatever is reached afterwards.
        told = await self._log.destinations(tx, realm, subject.account_id)
        if not await db_cases.close(tx, realm.realm_id, row.case_id, state="executed", of=["approved"], now=now):
            demand_state(row, now)
        # Whoever can take a change of address back still can, unless the address is what support corrects.
        # So can whoever was given a code; a further reset gives another.
        kept = [reenrollments.REENROLLMENT] + ([] if row.action == "correct_email" else [UNDO])
        await db_tickets.end_of_account(tx, realm_id=realm.realm_id, account_id=subject.account_id, kept=kept, now=now)
        match row.action:
            case "reset_two_factor":
                await db_factors.remove_all(tx, realm.realm_id, subject.account_id)
                await db_approvers.forget(tx, realm.realm_id, subject.account_id)
            case "correct_email":
                told = await self._correct_email(tx, realm, subject, EmailAddress.parse(case.value), told, now)
            case _:
                await self._correct_phone(tx, realm, subject, PhoneNumber.parse(case.value), now)
        await raise_epoch(
            tx,
            realm.realm_id,
            subject.account_id,
            now,
            second_factor=False if row.action == "reset_two_factor" else None,
        )
        code, expire_time = "", None
        if row.action == "reset_two_factor":
            code, expire_time = await reenrollments.owe(tx, self._keyring, realm, subject.account_id, now)
        await record(tx, realm, agent, "case_executed", row, now)
        await self._log.tell(
            tx,
            realm,
            subject.account_id,
            MessageKind.CASE_EXECUTED,
            told=told,
            params={"name": subject.display_name, "case_action": row.action},
        )
        done = await read(tx, realm, row.case_id)
        return Executed(case_of(self._keyring, done, now), code, expire_time)

    async def _correct_email(
        self, tx: Connection, realm: Realm, subject: Subject, email: EmailAddress, told: Told, now: datetime
    ) -> Told:
        await db_email_changes.set_email(
            tx, realm.realm_id, subject.account_id, email=email.text, email_key=email.key, now=now
        )
        if any(email.key == other.key for other in told.emails):
            return told
        return replace(told, emails=[*told.emails, email])

    async def _correct_phone(
        self, tx: Connection, realm: Realm, subject: Subject, number: PhoneNumber, now: datetime
    ) -> None:
        await db_phone_numbers.put(
            tx,
            realm.realm_id,
            subject.account_id,
            self._keyring.seal(number.text.encode(), number_place(realm.realm_id, subject.account_id)),
            now,
            number_mac=number_macs(self._keyring, realm.realm_id, number.text)[0],
        )


def _demand_ready(row: CaseRow, held: Mapping[UUID, AgentRow], now: datetime) -> None:
    lacking, retry_after = [], None
    end = wait_end(row)
    if state_of(row, now) != "approved" or end is None:
        lacking.append(("CASE_APPROVAL", "Another agent has to approve it."))
    elif end > now:
        lacking.append(("CASE_WAIT", "The waiting period is not over."))
        retry_after = (end - now) / _SECOND
    if row.action != "reset_two_factor" and row.confirm_time is None:
        lacking.append(("CASE_CONFIRMATION", "The link that went to the new address or number was not confirmed."))
    # Of agents who were locked since, neither word counts: cancel it, and open another.
    agents = [held.get(agent_id) for agent_id in (row.opener_id, row.approver_id) if agent_id is not None]
    if any(agent is None or agent.state != "active" for agent in agents):
        lacking.append(("CASE_AGENTS", "One of its agents is none any more."))
    if lacking:
        raise CaseNotReady(lacking, retry_after=retry_after)
