"""What every enrolment has in common: a factor begun, its first proof looked at, and its row written.

An enrolment stands in a session, or in a sign-in that owes it; `Enrollee` is what both have.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from twofold_server.crypto import tokens
from twofold_server.crypto.hash_engine import HashEngine
from twofold_server.crypto.keyring import Keyring
from twofold_server.db import accounts as db_accounts
from twofold_server.db import approvers as db_approvers
from twofold_server.db import attempts as db_attempts
from twofold_server.db import factors as db_factors
from twofold_server.db import tickets as db_tickets
from twofold_server.db.accounts import AccountRow
from twofold_server.db.factors import FactorRow
from twofold_server.db.pool import Connection, Pool, transaction
from twofold_server.db.tickets import NewTicket, Ticket
from twofold_server.domain.approvers import Approvers
from twofold_server.domain.attempts import hour_of
from twofold_server.domain.channels import channel_of
from twofold_server.domain.clock import Clock
from twofold_server.domain.errors import (
    ApproverNotPaired,
    ChannelNotDistinct,
    FactorKindUnavailable,
    FactorLimitReached,
    InvalidFields,
    InvalidSecondFactor,
    Overloaded,
    ResendTooSoon,
    SessionEnded,
    TicketNotFound,
    Violation,
)
from twofold_server.domain.factors import NAME, STRENGTH, backup_codes, email_code, passkey, push, sms_code, totp
from twofold_server.domain.factors.backup_codes import BackupCodes
from twofold_server.domain.first_proofs import ARMS, First
from twofold_server.domain.realms import Realm
from twofold_server.domain.sending import CodeSent, Sending, Subject
from twofold_server.domain.sessions import SignedIn
from twofold_server.domain.tickets import payload_place
from twofold_server.domain.values import EmailAddress, FirstProof, Handle, PhoneNumber
from twofold_server.domain.written_texts import DisplayName

ENROLLMENT: Final = "enrollment"


@dataclass(frozen=True, slots=True)
class Enrollee:
    """Whose enrolment it is, and in which step: a session's id, or that of the sign-in's ticket that owes it."""

    account_id: UUID
    epoch: int
    step_id: UUID
    user_agent: str


@dataclass(frozen=True, slots=True)
class Begun:
    """An enrolment under way, with what its kind needs: shown to an app or a browser, or sent."""

    enrollment_token: str = field(repr=False)
    expire_time: datetime
    material: totp.Material | CodeSent | passkey.Question | push.Material


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A finished enrolment; `codes` come with the account's first factor."""

    factor: FactorRow
    codes: BackupCodes | None
    signed_in: SignedIn


class Enrolling:
    """Begins enrolments, and writes what was proven."""

    def __init__(
        self,
        pool: Pool,
        keyring: Keyring,
        engine: HashEngine,
        sending: Sending,
        approvers: Approvers,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._keyring = keyring
        self._engine = engine
        self._sending = sending
        self._approvers = approvers
        self._clock = clock

    async def begin(
        self,
        realm: Realm,
        whose: Enrollee,
        client_id: str,
        kind: str,
        destination: EmailAddress | PhoneNumber | None,
        name: DisplayName,
    ) -> Begun:
        """Begin to set up a factor of a kind; codes go to the `destination`.

        What is made anew ends what an enrolment was begun with before. Raises FactorLimitReached, SessionEnded,
        ResendTooSoon, FactorKindUnavailable, ChannelNotDistinct, Overloaded.
        """
        account = await db_accounts.get(self._pool, realm.realm_id, whose.account_id)
        if account is None:
            raise SessionEnded
        _demand_offered(realm, kind)
        await self._demand_room(self._pool, realm, whose, kind)
        if isinstance(destination, EmailAddress):
            await self._demand_distinct(realm, whose, destination)
        now = self._clock()
        expire_time = now + realm.settings.enrollment_lifetime
        begun: dict[str, Any] = {"kind": kind, "name": name.text or NAME[kind]}
        code_hash: bytes | None = None
        material: totp.Material | CodeSent | passkey.Question | push.Material
        if kind == passkey.KIND:
            material = await self._question(realm, whose, account)
            begun |= {"question": dict(material.payload)}
            begun["name"] = name.text or passkey.name_for(whose.user_agent)
        elif kind == push.KIND:
            code_hash, material = await push.begin(self._engine, realm)
            begun["name"] = name.text
        elif destination is not None:
            material = await self._send(realm, whose, client_id, kind, destination, account, now)
            secret = (
                sms_code.begin(destination) if isinstance(destination, PhoneNumber) else email_code.begin(destination)
            )
            expire_time = material.expire_time
            begun |= {"secret": secret.hex(), "sent_id": str(material.ticket_id)}
        else:
            secret, material = await totp.begin(self._engine, realm, account.email)
            begun |= {"secret": secret.hex()}
        token, handle_hash = tokens.new_secret_token()
        ticket_id = uuid7()
        ticket = NewTicket(
            ticket_id=ticket_id,
            realm_id=realm.realm_id,
            purpose=ENROLLMENT,
            subject=str(whose.account_id),
            handle_hash=handle_hash,
            binding_hash=None,
            payload=self._keyring.seal(
                json.dumps(begun).encode(), payload_place(realm.realm_id, whose.account_id, ticket_id)
            ),
            create_time=now,
            expire_time=expire_time,
            account_id=whose.account_id,
            epoch=whose.epoch,
            session_id=whose.step_id,
        )
        await db_tickets.put_single(self._pool, ticket)
        if code_hash is not None:
            await self._approvers.begin_pairing(realm, ticket, code_hash)
        return Begun(token, ticket.expire_time, material)

    async def _question(self, realm: Realm, whose: Enrollee, account: AccountRow) -> passkey.Question:
        found = await db_attempts.read(
            self._pool,
            realm_id=realm.realm_id,
            account_id=whose.account_id,
            device_id=None,
            slot=None,
            network="",
            hour=hour_of(self._clock()),
        )
        if found is None:
            raise SessionEnded
        return passkey.begin(self._keyring, realm, found, email=account.email, display_name=account.display_name)

    async def _send(
        self,
        realm: Realm,
        whose: Enrollee,
        client_id: str,
        kind: str,
        destination: EmailAddress | PhoneNumber,
        account: AccountRow,
        now: datetime,
    ) -> CodeSent:
        # By account, not by enrolment: each new one would else buy a message to whomever one likes.
        subject = Subject(whose.account_id, whose.account_id, whose.epoch, client_id, account.language_code)
        sent = await self._sending.code(realm, kind, destination.text, subject, {}, first=True)
        if sent.destination_changed:
            raise ResendTooSoon(retry_after=max(1.0, (sent.delivery.resend_time - now).total_seconds()))
        return sent

    async def peek(
        self, realm: Realm, whose: Enrollee, handle: Handle, proof: FirstProof
    ) -> tuple[Ticket, dict[str, Any]]:
        """Read what was begun in this step. Raises TicketNotFound, InvalidFields, FactorKindUnavailable."""
        ticket = await db_tickets.peek(
            self._pool,
            realm_ids=[realm.realm_id],
            purpose=ENROLLMENT,
            handle_hash=handle.hash,
            now=self._clock(),
            account_id=whose.account_id,
        )
        if ticket is None or ticket.epoch != whose.epoch or ticket.session_id != whose.step_id:
            raise TicketNotFound(field="enrollment_token")
        begun = json.loads(
            self._keyring.open(ticket.payload, payload_place(realm.realm_id, whose.account_id, ticket.ticket_id))
        )
        if proof.kind != begun["kind"]:
            raise InvalidFields([Violation(ARMS[proof.kind], "Not of the kind that was begun.")])
        # Again: the realm may have dropped the kind since it was begun.
        _demand_offered(realm, proof.kind)
        return ticket, begun

    async def add(
        self,
        tx: Connection,
        realm: Realm,
        whose: Enrollee,
        ticket: Ticket,
        handle: Handle,
        begun: dict[str, Any],
        first: First,
        now: datetime,
    ) -> FactorRow:
        """Spend the enrolment and write its factor, in the transaction that has judged the proof.

        Raises FactorLimitReached, TicketNotFound, InvalidSecondFactor, ApproverNotPaired.
        """
        await self._demand_room(tx, realm, whose, begun["kind"])
        # Spent here, with the effect: a wrong password or code burns no enrolment.
        if not await db_tickets.spend(
            tx,
            realm_id=realm.realm_id,
            ticket_id=ticket.ticket_id,
            handle_hash=handle.hash,
            binding_hash=None,
            now=now,
        ):
            raise TicketNotFound(field="enrollment_token")
        factor_id = uuid7()
        factor = await db_factors.add(
            tx,
            realm_id=realm.realm_id,
            account_id=whose.account_id,
            factor_id=factor_id,
            kind=begun["kind"],
            name=begun["name"] or first.name,
            secret=first.seal(factor_id),
            strength=STRENGTH[begun["kind"]],
            last_step=first.last_step,
            credential_hash=first.credential_hash,
            now=now,
        )
        if factor is None:
            # Of a credential that is enrolled already, whoever's it is (WebAuthn 7.1, step 26).
            raise InvalidSecondFactor
        if first.approver_id is not None and not await db_approvers.enrol(
            tx, realm.realm_id, whose.account_id, first.approver_id, factor_id, factor.name
        ):
            raise ApproverNotPaired
        return factor

    async def _demand_distinct(self, realm: Realm, whose: Enrollee, destination: EmailAddress) -> None:
        # The mailbox that has set the password would be both factors of the sign-ins to come.
        if await db_accounts.password_set_through(self._pool, realm.realm_id, whose.account_id) == channel_of(
            destination
        ):
            raise ChannelNotDistinct

    async def _demand_room(self, db: Connection, realm: Realm, whose: Enrollee, kind: str) -> None:
        found = await db_factors.count(db, realm.realm_id, whose.account_id, kind)
        if found >= realm.settings.max_factors_per_kind:
            raise FactorLimitReached

    async def first_codes(self, realm: Realm, whose: Enrollee, email: str, epoch: int) -> BackupCodes | None:
        """Make the account's first set of backup codes, once the factor that they come with is enrolled.

        Ten hashes are not spent on whoever has not proven anything. Where the server is too busy for them the factor
        stays, and GenerateBackupCodes makes them later.
        """
        if await db_factors.has_backup_codes(self._pool, realm.realm_id, whose.account_id):
            return None
        try:
            codes = await backup_codes.begin(self._keyring, self._engine, realm, whose.account_id, email, self._clock())
        except Overloaded:
            return None
        async with transaction(self._pool) as tx:
            account = await db_accounts.lock(tx, realm.realm_id, whose.account_id)
            if account is None or account.epoch != epoch or not account.second_factor:
                return None
            if await db_factors.has_backup_codes(tx, realm.realm_id, whose.account_id):
                return None
            await db_factors.put_backup_codes(
                tx, realm.realm_id, whose.account_id, codes.slots, codes.sealed, uuid7(), self._clock()
            )
        return codes


def _demand_offered(realm: Realm, kind: str) -> None:
    if kind not in realm.settings.offered_kinds:
        raise FactorKindUnavailable
