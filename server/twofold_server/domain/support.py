"""What one agent does alone: find accounts, lock and unlock them, trace messages, revive a sign-up."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from twofold_server.crypto.keyring import Keyring
from twofold_server.db import cases as db_cases
from twofold_server.db import outbox as db_outbox
from twofold_server.db import support as db_support
from twofold_server.db.outbox import Progress
from twofold_server.db.pool import Pool, transaction
from twofold_server.db.retention import REVIVABLE
from twofold_server.db.support import FoundRow
from twofold_server.domain.agents import Agent, demand_no_agent
from twofold_server.domain.clock import Clock
from twofold_server.domain.deliveries import Delivery, told
from twofold_server.domain.destinations import number_macs, open_number
from twofold_server.domain.epochs import raise_epoch
from twofold_server.domain.errors import AccountNotFound, SignUpNotFound
from twofold_server.domain.masking import mask_email, mask_phone
from twofold_server.domain.messages import MessageKind, Messages, address_mac
from twofold_server.domain.realms import SUPPORT_REALM, Realm, Realms
from twofold_server.domain.security_log import SecurityLog
from twofold_server.domain.sign_up import ACTIVATION, activation_subject
from twofold_server.domain.tickets import payload_place
from twofold_server.domain.values import EmailAddress, PhoneNumber
from twofold_server.domain.written_texts import Reason


@dataclass(frozen=True, slots=True)
class FoundAccount:
    """An account, as an agent sees it."""

    account_id: UUID
    realm_id: str
    masked_email: str
    masked_phone_number: str
    locked: bool
    kinds: list[str]
    create_time: datetime
    open_case_id: UUID | None


@dataclass(frozen=True, slots=True)
class Message:
    """A message, without its words and its address."""

    outbox_id: UUID
    kind: str
    channel: str
    delivery: Delivery
    create_time: datetime
    end_time: datetime | None = field(default=None)


class Support:
    """The desk's look-ups and what needs no second agent."""

    def __init__(
        self, pool: Pool, keyring: Keyring, realms: Realms, messages: Messages, log: SecurityLog, clock: Clock
    ) -> None:
        self._pool = pool
        self._keyring = keyring
        self._realms = realms
        self._messages = messages
        self._log = log
        self._clock = clock

    async def find(self, realm: Realm, agent: Agent, by: EmailAddress | PhoneNumber | UUID) -> list[FoundAccount]:
        """Find accounts by an exact address, number or id. Raises SupportLimitReached."""
        await self._count(agent)
        match by:
            case EmailAddress():
                rows = await db_support.find(self._pool, realm.realm_id, email_key=by.key)
            case PhoneNumber():
                macs = list(number_macs(self._keyring, realm.realm_id, by.text))
                rows = await db_support.find(self._pool, realm.realm_id, number_macs=macs)
                rows = [row for row in rows if self._number(row) == by.text]
            case _:
                rows = await db_support.find(self._pool, realm.realm_id, account_id=by)
        await self._record_look_up(realm, agent, type(by), rows)
        return [self._found(row) for row in rows]

    async def lock(self, realm: Realm, agent: Agent, account_id: UUID, reason: Reason) -> FoundAccount:
        """Lock an account and end all its sessions and devices.

        Raises AccountNotFound, SessionEnded, SupportLimitReached (it was locked: then this is a look-up).
        """
        return await self._set_state(realm, agent, account_id, reason, "locked", MessageKind.ACCOUNT_LOCKED)

    async def unlock(self, realm: Realm, agent: Agent, account_id: UUID, reason: Reason) -> FoundAccount:
        """Let an account be signed in to again, but an agent's.

        Raises AccountNotFound, SessionEnded, AgentNotEligible, SupportLimitReached (it was not locked: then this is a
        look-up).
        """
        demand_no_agent(realm.realm_id)
        return await self._set_state(realm, agent, account_id, reason, "active", MessageKind.ACCOUNT_UNLOCKED)

    async def _set_state(
        self, realm: Realm, agent: Agent, account_id: UUID, reason: Reason, state: str, notice: MessageKind
    ) -> FoundAccount:
        now = self._clock()
        async with transaction(self._pool) as tx:
            await agent.hold(tx)
            subject = await db_cases.lock_subject(tx, realm.realm_id, account_id)
            if subject is None:
                raise AccountNotFound
            changed = subject.state != state
            if changed:
                await db_support.set_state(tx, realm.realm_id, account_id, state, now)
                if state == "locked":
                    await raise_epoch(tx, realm.realm_id, account_id, now)
                await agent.record(
                    tx,
                    realm,
                    "account_locked" if state == "locked" else "account_unlocked",
                    now,
                    account_id=account_id,
                    reason=reason.text,
                )
                await self._log.tell(tx, realm, account_id, notice, params={"name": subject.display_name})
            (row,) = await db_support.find(tx, realm.realm_id, account_id=account_id)
        if not changed:
            await self._count(agent)
            await self._record_look_up(realm, agent, UUID, [row])
        return self._found(row)

    async def _record_look_up(self, realm: Realm, agent: Agent, by: type, rows: list[FoundRow]) -> None:
        await agent.record(
            self._pool,
            realm,
            "accounts_looked_up",
            self._clock(),
            account_id=rows[0].account_id if len(rows) == 1 else None,
            details={"by": _NAMES[by], "found": len(rows)},
        )

    async def revive(self, realm: Realm, agent: Agent, email: EmailAddress) -> datetime:
        """Send the links of an address's sign-ups again, good as new ones; tells until when.

        Raises SignUpNotFound, SupportLimitReached, SessionEnded.
        """
        await self._count(agent)
        now = self._clock()
        expire_time = now + realm.settings.activation_lifetime
        async with transaction(self._pool) as tx:
            await agent.hold(tx)
            revived = []
            # An invitation that has lapsed is the operator's, who hands out another.
            if realm.realm_id != SUPPORT_REALM and not await db_support.account_exists(tx, realm.realm_id, email.key):
                revived = await db_support.revive(
                    tx,
                    realm_id=realm.realm_id,
                    purpose=ACTIVATION,
                    subject=activation_subject(self._keyring, realm, email),
                    expired_after=now - REVIVABLE,
                    now=now,
                    expire_time=expire_time,
                )
            if not revived:
                raise SignUpNotFound
            for found in revived:
                place = payload_place(realm.realm_id, None, found.ticket_id)
                claim = json.loads(self._keyring.open(found.payload, place))
                await db_outbox.insert(
                    tx,
                    self._messages.prepare(
                        realm.realm_id,
                        MessageKind.ACTIVATION,
                        to=claim["email"],
                        ticket_id=found.ticket_id,
                        language=claim["language_code"] or realm.settings.language_code,
                        expire_time=expire_time,
                        params={"name": claim["display_name"], "token": claim["token"]},
                    ),
                )
            await agent.record(tx, realm, "activation_revived", now, details={"sign_ups": len(revived)})
        return expire_time

    async def deliveries(
        self, realm: Realm, agent: Agent, of: EmailAddress | PhoneNumber | UUID, before: UUID | None, limit: int
    ) -> list[Message]:
        """The messages of an account, or to an address or number, the newest first. Raises SupportLimitReached."""
        await self._count(agent)
        account_id = of if isinstance(of, UUID) else None
        rows = await db_support.deliveries(
            self._pool,
            realm.realm_id,
            account_id=account_id,
            address_mac=None if isinstance(of, UUID) else address_mac(self._keyring, realm.realm_id, of),
            before=before,
            limit=limit,
        )
        await agent.record(
            self._pool,
            realm,
            "deliveries_listed",
            self._clock(),
            account_id=account_id,
            details={"of": _NAMES[type(of)], "found": len(rows)},
        )
        return [
            Message(
                row.outbox_id,
                row.kind,
                row.channel,
                told(realm, Progress(row.outbox_id, row.state, row.refusal, row.failure, row.create_time)),
                row.create_time,
                row.end_time,
            )
            for row in rows
        ]

    async def _count(self, agent: Agent) -> None:
        await agent.count_look_up(self._pool, self._realms, self._clock())

    def _found(self, row: FoundRow) -> FoundAccount:
        return FoundAccount(
            row.account_id,
            row.realm_id,
            mask_email(row.email),
            _masked(self._number(row)),
            row.state == "locked",
            row.kinds,
            row.create_time,
            row.open_case_id,
        )

    def _number(self, row: FoundRow) -> str:
        return open_number(self._keyring, row.realm_id, row.account_id, row.number) if row.number is not None else ""


def _masked(number: str) -> str:
    try:
        return mask_phone(number) if number else ""
    except ValueError:
        return ""  # A number that its country's plan has dropped since.


_NAMES = {EmailAddress: "email", PhoneNumber: "phone_number", UUID: "account_id"}
