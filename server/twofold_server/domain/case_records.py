"""What a case of the support desk is: what it asks for, what it says, and what every step of it demands."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from twofold_server.crypto.keyring import Keyring, Place
from twofold_server.db import cases as db_cases
from twofold_server.db.cases import CaseRow, NewCase, Subject
from twofold_server.db.pool import Connection
from twofold_server.db.support import AgentRow
from twofold_server.domain.agents import Agent
from twofold_server.domain.channels import channel_of, channel_of_key
from twofold_server.domain.errors import AgentNotEligible, CaseNotFound, CaseNotOpen
from twofold_server.domain.realms import SUPPORT_REALM, Realm
from twofold_server.domain.values import EmailAddress, PhoneNumber
from twofold_server.domain.written_texts import Evidence, Reason

CASE: Final = "case"
CORRECTION: Final = "correction"
UNTOLD_WAIT: Final = timedelta(hours=72)
"""The least wait where nobody who may object has been reached."""

State = Literal["open", "approved", "rejected", "cancelled", "executed", "expired"]


@dataclass(frozen=True, slots=True)
class Change:
    """What a case is to do: `value` is the new address or number, None for a reset of two-factor."""

    action: Literal["reset_two_factor", "correct_email", "correct_phone"]
    value: EmailAddress | PhoneNumber | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class CaseRequest:
    """What an agent asks for by OpenCase."""

    request_id: UUID
    account_id: UUID
    change: Change
    reason: Reason
    evidence: tuple[Evidence, ...]
    owner_unreachable: bool

    @property
    def said(self) -> dict[str, object]:
        """What a case keeps sealed of it."""
        return {
            "reason": self.reason.text,
            "evidence": [item.text for item in self.evidence],
            "value": self.change.value.text if self.change.value is not None else "",
        }

    def mac(self, keyring: Keyring, realm: Realm) -> bytes:
        """What a repeat of the request is known by."""
        whole = [str(self.account_id), self.change.action, self.owner_unreachable, self.said]
        return keyring.identifier_mac(realm.realm_id, f"case:{json.dumps(whole, sort_keys=True)}")


@dataclass(frozen=True, slots=True)
class Case:
    """A case as agents see it."""

    row: CaseRow
    state: State
    reason: str = field(repr=False)
    evidence: list[str] = field(repr=False)
    value: str = field(repr=False)
    wait_end_time: datetime | None


def case_of(keyring: Keyring, row: CaseRow, now: datetime) -> Case:
    """A case with what is sealed in its row, as it stands now."""
    said = json.loads(keyring.open(row.payload, case_place(row.realm_id, row.account_id, row.case_id)))
    return Case(row, state_of(row, now), said["reason"], said["evidence"], said["value"], wait_end(row))


def state_of(row: CaseRow, now: datetime) -> State:
    """How far a case came; one that is overdue has expired, though nobody has written it down yet."""
    if row.state in ("open", "approved") and row.expire_time <= now:
        return "expired"
    state: State = row.state  # type: ignore[assignment]  # the column's check
    return state


def wait_end(row: CaseRow) -> datetime | None:
    """From when on a case may be executed; None before it is approved."""
    if row.approve_time is None or row.wait is None:
        return None
    longest = row.approve_time + max(row.wait, UNTOLD_WAIT)
    if row.told_time is None or row.owner_unreachable:
        return longest
    # Whoever is told late, after an outage, has the wait before them as well.
    return min(max(row.approve_time, row.told_time) + row.wait, longest)


def case_place(realm_id: str, account_id: UUID, case_id: UUID) -> Place:
    """Where what a case says is sealed for."""
    return Place("cases", "payload", realm_id, str(account_id), str(case_id))


async def read(db: Connection, realm: Realm, case_id: UUID) -> CaseRow:
    """Read a case. Raises CaseNotFound."""
    row = await db_cases.get(db, realm.realm_id, case_id)
    if row is None:
        raise CaseNotFound
    return row


async def hold(tx: Connection, realm: Realm, seen: CaseRow) -> tuple[CaseRow, Subject]:
    """Lock a case that was read, its account before it, both in their newest versions. Raises CaseNotFound."""
    subject = await db_cases.lock_subject(tx, realm.realm_id, seen.account_id)
    case = await db_cases.lock(tx, realm.realm_id, seen.case_id)
    if subject is None or case is None:
        raise CaseNotFound
    return case, subject


async def record(
    tx: Connection, realm: Realm, agent: Agent, kind: str, case: CaseRow | NewCase, now: datetime, reason: str = ""
) -> None:
    """Write an event of what an agent does with a case; a reason is erased with the account."""
    await agent.record(
        tx,
        realm,
        kind,
        now,
        account_id=case.account_id,
        details={"case_id": str(case.case_id), "action": case.action},
        reason=reason,
    )


def demand_state(row: CaseRow, now: datetime, *states: State) -> None:
    """Raise CaseNotOpen unless a locked case is in one of these states."""
    if state_of(row, now) not in states:
        raise CaseNotOpen(metadata={"state": state_of(row, now).upper()})


def demand_other(agent: AgentRow, subject: Subject, realm: Realm, value: str) -> None:
    """Raise AgentNotEligible where the account is the agent's own: by its id, its mailbox, or the one it is to get."""
    own = realm.realm_id == SUPPORT_REALM and agent.account_id == subject.account_id
    mailboxes = {channel_of_key(subject.email_key)}
    if "@" in value:
        mailboxes.add(channel_of(EmailAddress.parse(value)))
    if own or channel_of_key(agent.email_key) in mailboxes:
        raise AgentNotEligible(metadata={"why": "SUBJECT"})
