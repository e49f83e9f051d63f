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
from twofold_server.db import approvers as db_approvers
from twofold_server.db import factors as db_factors
from twofold_server.db import sessions as db_sessions
from twofold_server.db import tickets as db_tickets
from twofold_server.db.accounts import LockedAccount
from twofold_server.db.factors import FactorRow, Status
from twofold_server.db.pool import Connection, Pool, transaction
from twofold_server.db.sessions import SessionRow
from twofold_server.db.tickets import NewTicket
from twofold_server.domain.approvers import Approvers
from twofold_server.domain.attempts import Origin
from twofold_server.domain.clock import Clock
from twofold_server.domain.errors import (
    ApproverNotPaired,
    ChangedMeanwhile,
    FactorLimitReached,
    FactorNotFound,
    LastFactor,
    Overloaded,
    RecentTwoFactorRequired,
    SessionEnded,
    TicketNotFound,
    TwoFactorNotEnrolled,
)
from twofold_server.domain.factors import backup_codes, kind_of, push, totp
from twofold_server.domain.factors.backup_codes import BackupCodes
from twofold_server.domain.messages import MessageKind
from twofold_server.domain.proofs import Proven, SessionProofs, judge_first_code, prove_second_factor
from twofold_server.domain.realms import Realm
from twofold_server.domain.security_log import SecurityLog
from twofold_server.domain.sessions import ActiveSession, CarriedOver, SessionTokens, SignedIn, carry_over, is_recent
from twofold_server.domain.values import DisplayName, Handle, Password, PushApproval, SecondFactor, TotpCode

ENROLLMENT: Final = "enrollment"


@dataclass(frozen=True, slots=True)
class Begun:
    """An enrolment under way."""

    enrollment_token: str = field(repr=False)
    expire_time: datetime
    material: totp.Material | push.Material


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
        approvers: Approvers,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._keyring = keyring
        self._engine = engine
        self._proofs = proofs
        self._tokens = session_tokens
        self._log = log
        self._approvers = approvers
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
            name=None if name is None else name.text or totp.NAME,
            preferred=preferred,
        )
        if found is None:
            raise FactorNotFound
        return found

    async def begin(self, realm: Realm, session: ActiveSession, name: DisplayName, kind: str = totp.KIND) -> Begun:
        """Begin to set up an authenticator app or a phone. A new key ends the one of an enrolment begun before.

        Raises FactorLimitReached, SessionEnded.
        """
        account = await db_accounts.get(self._pool, realm.realm_id, session.account_id)
        if account is None:
            raise SessionEnded
        if (
            await db_factors.count(self._pool, realm.realm_id, session.account_id, kind)
            >= realm.settings.max_factors_per_kind
        ):
            raise FactorLimitReached
        begun: dict[str, str] = {"kind": kind, "name": name.text}
        code_hash: bytes | None = None
        material: totp.Material | push.Material
        if kind == push.KIND:
            code_hash, material = await push.begin(self._engine, realm)
        else:
            seed, material = await totp.begin(self._engine, realm, account.email)
            begun |= {"seed": seed.hex(), "name": name.text or totp.NAME}
        token, handle_hash = tokens.new_secret_token()
        ticket_id = uuid7()
        now = self._clock()
        payload = json.dumps(begun)
        ticket = NewTicket(
            ticket_id=ticket_id,
            realm_id=realm.realm_id,
            purpose=ENROLLMENT,
            subject=str(session.account_id),
            handle_hash=handle_hash,
            binding_hash=None,
            payload=self._keyring.seal(payload.encode(), _place(realm.realm_id, session.account_id, ticket_id)),
            create_time=now,
            expire_time=now + realm.settings.enrollment_lifetime,
            account_id=session.account_id,
            epoch=session.epoch,
            session_id=session.session_id,
        )
        await db_tickets.put_single(self._pool, ticket)
        if code_hash is not None:
            await self._approvers.begin_pairing(realm, ticket, code_hash)
        return Begun(token, ticket.expire_time, material)

    async def finish(
        self,
        realm: Realm,
        session: ActiveSession,
        origin: Origin,
        handle: Handle,
        proof: TotpCode | PushApproval,
        password: Password,
    ) -> Enrolled:
        """Enrol what was begun in this session, with the password and a first code, which is spent, or a paired phone.

        Raises TicketNotFound, ApproverNotPaired, InvalidCredentials, InvalidSecondFactor, TooManyAttempts,
        FactorLimitReached, RecentTwoFactorRequired, SessionEnded, ChangedMeanwhile, Overloaded.
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
        if begun["kind"] != kind_of(proof):
            raise TicketNotFound(field="enrollment_token")
        kind: str = begun["kind"]
        approver: tuple[UUID, str] | None = None
        step: int | None = 0
        if isinstance(proof, PushApproval):
            approver = await db_approvers.of_enrollment(
                self._pool, realm.realm_id, session.account_id, ticket.ticket_id
            )
            if approver is None:
                raise ApproverNotPaired
            secret = json.dumps({"approver_id": str(approver[0])}).encode()
            name = begun["name"] or approver[1]
        else:
            secret, name = bytes.fromhex(begun["seed"]), begun["name"]
            step = totp.finish(realm, secret, proof, now)
        account = await db_accounts.get(self._pool, realm.realm_id, session.account_id)
        if account is None:
            raise SessionEnded

        async def effect(tx: Connection, proven: Proven) -> tuple[FactorRow, SessionRow]:
            # Enrolled meanwhile by another session: this one has proven no factor, and must first.
            if proven.account.second_factor and not is_recent(proven.session.second_factor_time, realm, proven.now):
                raise RecentTwoFactorRequired
            if (
                await db_factors.count(tx, realm.realm_id, session.account_id, kind)
                >= realm.settings.max_factors_per_kind
            ):
                raise FactorLimitReached
            assert step is not None
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
                name=name,
                secret=self._keyring.seal(secret, totp.place(realm.realm_id, session.account_id, factor_id)),
                last_step=step,
                now=proven.now,
            )
            if approver is not None and not await db_approvers.enrol(
                tx, realm.realm_id, session.account_id, approver[0], factor_id, name
            ):
                raise ApproverNotPaired
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
                email=proven.account.email,
                language=proven.account.language_code,
                params={"name": account.display_name, "factor_name": factor.name, "factor_kind": factor.kind},
                details={"factor_id": str(factor_id), "factor_kind": kind},
            )
            return factor, row

        judge = partial(judge_first_code, realm, session.account_id, kind, step is not None)
        factor, row = await self._proofs.demand(realm, session, origin, password, effect, judge=judge)
        codes = await self._first_codes(realm, session, account.email, row)
        return Enrolled(factor, codes, SignedIn(row, await self._tokens.access(realm, row, session.token_audience)))

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
            account = await self._lock(tx, session)
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
                email=account.email,
                language=account.language_code,
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
                email=locked.email,
                language=locked.language_code,
                params={"name": account.display_name},
            )
        return codes

    async def disable(
        self, realm: Realm, session: ActiveSession, origin: Origin, password: Password, second_factor: SecondFactor
    ) -> SignedIn:
        """Turn two-factor off. Ends every other session by the epoch; this one is carried over, as a password's alone.

        Raises TwoFactorNotEnrolled, InvalidCredentials, InvalidSecondFactor, TooManyAttempts, SessionEnded,
        ChangedMeanwhile.
        """

        async def effect(tx: Connection, proven: Proven) -> CarriedOver:
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
                email=proven.account.email,
                language=proven.account.language_code,
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
        if account.second_factor != session.account_second_factor:
            raise ChangedMeanwhile
        locked = await db_sessions.lock(
            tx, session.realm_id, session.account_id, session.session_id, session.epoch, self._clock()
        )
        if locked is None:
            raise SessionEnded
        return account


def _place(realm_id: str, account_id: UUID, ticket_id: UUID) -> Place:
    return Place("tickets", "payload", realm_id, str(account_id), str(ticket_id))
