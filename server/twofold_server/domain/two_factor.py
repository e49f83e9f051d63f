"""Two-factor: enrolled, listed, changed, removed and turned off."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from twofold_server.crypto import tokens
from twofold_server.crypto.hash_engine import HashEngine
from twofold_server.crypto.keyring import Keyring, Place
from twofold_server.db import accounts as db_accounts
from twofold_server.db import factors as db_factors
from twofold_server.db import sessions as db_sessions
from twofold_server.db import tickets as db_tickets
from twofold_server.db.accounts import LockedAccount
from twofold_server.db.factors import FactorRow, Status
from twofold_server.db.pool import Connection, Pool, transaction
from twofold_server.db.sessions import SessionRow
from twofold_server.db.tickets import NewTicket
from twofold_server.domain.attempts import Origin
from twofold_server.domain.clock import Clock
from twofold_server.domain.errors import (
    ChangedMeanwhile,
    FactorLimitReached,
    FactorNotFound,
    InvalidFields,
    LastFactor,
    Overloaded,
    RecentTwoFactorRequired,
    ResendTooSoon,
    SessionEnded,
    TicketNotFound,
    TwoFactorNotEnrolled,
    Violation,
)
from twofold_server.domain.factors import NAME, STRENGTH, backup_codes, email_code, sms_code, totp
from twofold_server.domain.factors.backup_codes import BackupCodes
from twofold_server.domain.factors.kinds import secret_place
from twofold_server.domain.messages import MessageKind
from twofold_server.domain.proofs import (
    Proven,
    SessionProofs,
    judge_first_code,
    judge_first_sent_code,
    prove_second_factor,
)
from twofold_server.domain.realms import Realm
from twofold_server.domain.security_log import SecurityLog
from twofold_server.domain.sending import CodeSent, Sending, Subject
from twofold_server.domain.sessions import ActiveSession, CarriedOver, SessionTokens, SignedIn, carry_over, is_recent
from twofold_server.domain.values import (
    DisplayName,
    EmailAddress,
    Handle,
    Password,
    PhoneNumber,
    SecondFactor,
    SentCode,
    SmsCode,
    TotpCode,
)

ENROLLMENT: Final = "enrollment"


@dataclass(frozen=True, slots=True)
class Begun:
    """An enrolment under way, with what its kind needs: shown to an app, or sent."""

    enrollment_token: str = field(repr=False)
    expire_time: datetime
    material: totp.Material | CodeSent


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A finished enrolment; `codes` come with the account's first factor."""

    factor: FactorRow
    codes: BackupCodes | None
    signed_in: SignedIn


class TwoFactor:
    """The second factors of a session's account."""

    def __init__(
        self,
        pool: Pool,
        keyring: Keyring,
        engine: HashEngine,
        proofs: SessionProofs,
        session_tokens: SessionTokens,
        log: SecurityLog,
        sending: Sending,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._keyring = keyring
        self._engine = engine
        self._proofs = proofs
        self._tokens = session_tokens
        self._log = log
        self._sending = sending
        self._clock = clock

    async def status(self, session: ActiveSession) -> Status:
        """How far two-factor goes on the account."""
        return await db_factors.status(self._pool, session.realm_id, session.account_id)

    async def page(self, session: ActiveSession, after: UUID | None, limit: int) -> list[FactorRow]:
        """The factors, the oldest first."""
        return await db_factors.page(self._pool, session.realm_id, session.account_id, after, limit)

    async def update(
        self, session: ActiveSession, factor_id: UUID, *, name: DisplayName | None, preferred: bool
    ) -> FactorRow:
        """Rename a factor or make it the preferred one. Raises FactorNotFound."""
        found = await db_factors.update(
            self._pool,
            session.realm_id,
            session.account_id,
            factor_id,
            name=None if name is None else name.text,
            preferred=preferred,
        )
        if found is None:
            raise FactorNotFound
        return found

    async def begin(
        self,
        realm: Realm,
        session: ActiveSession,
        client_id: str,
        wanted: EmailAddress | PhoneNumber | None,
        name: DisplayName,
    ) -> Begun:
        """Begin to set up an authenticator app, or codes to the address or number that is `wanted`.

        A new key or code ends the one of an enrolment that was begun before. Raises FactorLimitReached, SessionEnded,
        ResendTooSoon.
        """
        account = await db_accounts.get(self._pool, realm.realm_id, session.account_id)
        if account is None:
            raise SessionEnded
        kind = _kind_of(wanted)
        await self._demand_room(self._pool, realm, session, kind)
        token, handle_hash = tokens.new_secret_token()
        ticket_id, now = uuid7(), self._clock()
        begun = {"kind": kind, "name": name.text or NAME[kind]}
        material: totp.Material | CodeSent
        if wanted is None:
            secret, material = await totp.begin(self._engine, realm, account.email)
            expire_time = now + realm.settings.enrollment_lifetime
        else:
            secret = sms_code.begin(wanted) if isinstance(wanted, PhoneNumber) else email_code.begin(wanted)
            subject = Subject(session.account_id, session.account_id, session.epoch, client_id, account.language_code)
            # By account, not by enrolment: each new one would else buy a message.
            material = await self._sending.code(realm, kind, wanted.text, subject, {}, first=True)
            if material.destination_changed:
                raise ResendTooSoon(retry_after=(material.delivery.resend_time - now).total_seconds())
            begun["sent_id"], expire_time = str(material.ticket_id), material.expire_time
        ticket = NewTicket(
            ticket_id=ticket_id,
            realm_id=realm.realm_id,
            purpose=ENROLLMENT,
            subject=str(session.account_id),
            handle_hash=handle_hash,
            binding_hash=None,
            payload=self._keyring.seal(
                json.dumps(begun | {"secret": secret.hex()}).encode(),
                _place(realm.realm_id, session.account_id, ticket_id),
            ),
            create_time=now,
            expire_time=expire_time,
            account_id=session.account_id,
            epoch=session.epoch,
            session_id=session.session_id,
        )
        await db_tickets.put_single(self._pool, ticket)
        return Begun(token, ticket.expire_time, material)

    async def finish(
        self,
        realm: Realm,
        session: ActiveSession,
        origin: Origin,
        handle: Handle,
        code: TotpCode | SentCode,
        password: Password,
    ) -> Enrolled:
        """Enrol what was begun in this session, with the password and a first code, which is spent.

        Raises TicketNotFound, InvalidCredentials, InvalidSecondFactor, TooManyAttempts, FactorLimitReached,
        RecentTwoFactorRequired, SessionEnded, ChangedMeanwhile, Overloaded.
        """
        now = self._clock()
        ticket = await db_tickets.peek(
            self._pool,
            realm_ids=[realm.realm_id],
            purpose=ENROLLMENT,
            handle_hash=handle.hash,
            now=now,
            account_id=session.account_id,
        )
        if ticket is None or ticket.epoch != session.epoch or ticket.session_id != session.session_id:
            raise TicketNotFound(field="enrollment_token")
        begun = json.loads(
            self._keyring.open(ticket.payload, _place(realm.realm_id, session.account_id, ticket.ticket_id))
        )
        kind, secret = begun["kind"], bytes.fromhex(begun["secret"])
        if code.kind != kind:
            raise InvalidFields([Violation("proof", "Not of the kind that was begun.")])
        account = await db_accounts.get(self._pool, realm.realm_id, session.account_id)
        if account is None:
            raise SessionEnded

        async def effect(tx: Connection, proven: Proven) -> tuple[FactorRow, SessionRow]:
            # Enrolled meanwhile by another session: this one has proven no factor, and must first.
            if proven.account.second_factor and not is_recent(proven.session.second_factor_time, realm, proven.now):
                raise RecentTwoFactorRequired
            await self._demand_room(tx, realm, session, kind)
            # Spent here, with the effect: a wrong password or code burns no enrolment.
            if not await db_tickets.spend(
                tx,
                realm_id=realm.realm_id,
                ticket_id=ticket.ticket_id,
                handle_hash=handle.hash,
                binding_hash=None,
                now=proven.now,
            ):
                raise TicketNotFound(field="enrollment_token")
            factor_id = uuid7()
            factor = await db_factors.add(
                tx,
                realm_id=realm.realm_id,
                account_id=session.account_id,
                factor_id=factor_id,
                kind=kind,
                name=begun["name"],
                secret=self._keyring.seal(secret, secret_place(realm.realm_id, session.account_id, factor_id)),
                strength=STRENGTH[kind],
                last_step=step or 0,
                now=proven.now,
            )
            row = await prove_second_factor(
                tx, realm, proven.session, kind, auth_time=proven.now, rotate=False, now=proven.now
            )
            await self._log.record(
                tx,
                realm,
                session,
                origin,
                "factor_added",
                MessageKind.FACTOR_ADDED if proven.account.second_factor else MessageKind.TWO_FACTOR_ENABLED,
                params={"name": account.display_name, "factor_name": factor.name, "factor_kind": factor.kind},
                details={"factor_id": str(factor_id), "factor_kind": kind},
            )
            return factor, row

        step: int | None = None
        if isinstance(code, TotpCode):
            step = totp.finish(realm, secret, code, now)
            first = partial(judge_first_code, realm, session.account_id, kind, step is not None)
        else:
            sent_id = UUID(begun["sent_id"])
            macs = (
                sms_code.finish(self._keyring, sent_id, secret, code)
                if isinstance(code, SmsCode)
                else email_code.finish(self._keyring, sent_id, secret, code)
            )
            first = partial(judge_first_sent_code, realm, session.account_id, kind, sent_id, macs)
        factor, row = await self._proofs.demand(realm, session, origin, password, effect, judge=first)
        codes = await self._first_codes(realm, session, account.email, row)
        return Enrolled(factor, codes, SignedIn(row, await self._tokens.access(realm, row, session.token_audience)))

    async def _demand_room(self, db: Connection, realm: Realm, session: ActiveSession, kind: str) -> None:
        found = await db_factors.count(db, realm.realm_id, session.account_id, kind)
        if found >= realm.settings.max_factors_per_kind:
            raise FactorLimitReached

    async def _first_codes(
        self, realm: Realm, session: ActiveSession, email: str, row: SessionRow
    ) -> BackupCodes | None:
        """Make the account's first set of backup codes, once the factor that they come with is enrolled.

        Ten hashes are not spent on whoever has not proven anything. Where the server is too busy for them the factor
        stays, and GenerateBackupCodes makes them later.
        """
        if await db_factors.has_backup_codes(self._pool, realm.realm_id, session.account_id):
            return None
        try:
            codes = await backup_codes.begin(
                self._keyring, self._engine, realm, session.account_id, email, self._clock()
            )
        except Overloaded:
            return None
        async with transaction(self._pool) as tx:
            account = await db_accounts.lock(tx, realm.realm_id, session.account_id)
            if account is None or account.epoch != row.epoch or not account.second_factor:
                return None
            if await db_factors.has_backup_codes(tx, realm.realm_id, session.account_id):
                return None
            await db_factors.put_backup_codes(
                tx, realm.realm_id, session.account_id, codes.slots, codes.sealed, uuid7(), self._clock()
            )
        return codes

    async def remove(self, realm: Realm, session: ActiveSession, origin: Origin, factor_id: UUID) -> None:
        """Remove one factor of several. Raises FactorNotFound, LastFactor, SessionEnded."""
        async with transaction(self._pool) as tx:
            await self._lock(tx, session)
            # As they are before: the mailbox or number of the factor that goes is told as well.
            told = await self._log.destinations(tx, realm, session.account_id)
            factor = await db_factors.remove(tx, realm.realm_id, session.account_id, factor_id)
            if factor is None:
                raise FactorNotFound
            if await db_factors.count(tx, realm.realm_id, session.account_id) == 0:
                raise LastFactor
            await self._log.record(
                tx,
                realm,
                session,
                origin,
                "factor_removed",
                MessageKind.FACTOR_REMOVED,
                told=told,
                params={"factor_name": factor.name, "factor_kind": factor.kind},
                details={"factor_id": str(factor_id), "factor_kind": factor.kind},
            )

    async def generate_backup_codes(self, realm: Realm, session: ActiveSession, origin: Origin) -> BackupCodes:
        """Make a new set of backup codes, which ends the old one.

        Raises TwoFactorNotEnrolled, SessionEnded, Overloaded.
        """
        if not session.account_second_factor:
            raise TwoFactorNotEnrolled
        account = await db_accounts.get(self._pool, realm.realm_id, session.account_id)
        if account is None:
            raise SessionEnded
        codes = await backup_codes.begin(
            self._keyring, self._engine, realm, session.account_id, account.email, self._clock()
        )
        async with transaction(self._pool) as tx:
            locked = await self._lock(tx, session)
            if not locked.second_factor:
                raise TwoFactorNotEnrolled
            await db_factors.put_backup_codes(
                tx, realm.realm_id, session.account_id, codes.slots, codes.sealed, uuid7(), self._clock()
            )
            await self._log.record(
                tx,
                realm,
                session,
                origin,
                "backup_codes_changed",
                MessageKind.BACKUP_CODES_CHANGED,
                params={"name": account.display_name},
            )
        return codes

    async def disable(
        self,
        realm: Realm,
        session: ActiveSession,
        origin: Origin,
        password: Password,
        second_factor: SecondFactor | None,
    ) -> SignedIn:
        """Turn two-factor off. Ends every other session by the epoch; this one is carried over, as a password's alone.

        Raises TwoFactorNotEnrolled, InvalidCredentials, InvalidSecondFactor, TooManyAttempts, SessionEnded,
        ChangedMeanwhile.
        """

        async def effect(tx: Connection, proven: Proven) -> CarriedOver:
            told = await self._log.destinations(tx, realm, session.account_id)
            await db_factors.remove_all(tx, realm.realm_id, session.account_id)
            carried = await carry_over(
                tx,
                session,
                second_factor=False,
                now=proven.now,
                amr=["pwd"],
                aal=1,
                forget_second_factor=True,
                auth_time=proven.now,
            )
            await self._log.record(
                tx,
                realm,
                session,
                origin,
                "two_factor_disabled",
                MessageKind.TWO_FACTOR_DISABLED,
                told=told,
            )
            return carried

        carried = await self._proofs.demand(
            realm, session, origin, password, effect, code="required", second_factor=second_factor
        )
        return await self._tokens.carried(realm, carried, session.token_audience)

    async def _lock(self, tx: Connection, session: ActiveSession) -> LockedAccount:
        """Lock the account and the session of a call that the boundary found recent, and demand that both still
        stand.
        """
        account = await db_accounts.lock(tx, session.realm_id, session.account_id)
        if account is None or account.epoch != session.epoch or account.state != "active":
            raise SessionEnded
        # A stronger factor may have come meanwhile, which this session has not proven.
        strength = await db_factors.strength(tx, session.realm_id, session.account_id)
        if account.second_factor != session.account_second_factor or strength > session.account_strength:
            raise ChangedMeanwhile
        locked = await db_sessions.lock(
            tx, session.realm_id, session.account_id, session.session_id, session.epoch, self._clock()
        )
        if locked is None:
            raise SessionEnded
        return account


def _kind_of(wanted: EmailAddress | PhoneNumber | None) -> str:
    if wanted is None:
        return totp.KIND
    return sms_code.KIND if isinstance(wanted, PhoneNumber) else email_code.KIND


def _place(realm_id: str, account_id: UUID, ticket_id: UUID) -> Place:
    return Place("tickets", "payload", realm_id, str(account_id), str(ticket_id))
