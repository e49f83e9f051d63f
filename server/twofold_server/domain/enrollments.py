"""Enrolments: a factor begun, proven for the first time, and with the account's first one its backup codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from twofold_server.crypto import tokens
from twofold_server.crypto.hash_engine import HashEngine
from twofold_server.crypto.keyring import Keyring, Place
from twofold_server.db import accounts as db_accounts
from twofold_server.db import approvers as db_approvers
from twofold_server.db import attempts as db_attempts
from twofold_server.db import factors as db_factors
from twofold_server.db import tickets as db_tickets
from twofold_server.db.accounts import AccountRow
from twofold_server.db.factors import FactorRow
from twofold_server.db.pool import Connection, Pool, transaction
from twofold_server.db.sessions import SessionRow
from twofold_server.db.tickets import NewTicket, Ticket
from twofold_server.domain.approvers import Approvers
from twofold_server.domain.attempts import Origin, hour_of
from twofold_server.domain.clock import Clock
from twofold_server.domain.errors import (
    ApproverNotPaired,
    FactorKindUnavailable,
    FactorLimitReached,
    InvalidFields,
    InvalidSecondFactor,
    Overloaded,
    RecentTwoFactorRequired,
    ResendTooSoon,
    SessionEnded,
    TicketNotFound,
    Violation,
)
from twofold_server.domain.factors import NAME, STRENGTH, backup_codes, email_code, passkey, push, sms_code, totp
from twofold_server.domain.factors.backup_codes import BackupCodes
from twofold_server.domain.factors.kinds import secret_place
from twofold_server.domain.messages import MessageKind
from twofold_server.domain.proofs import (
    Judge,
    Proven,
    SessionProofs,
    is_proven,
    judge_first_code,
    judge_first_sent_code,
    prove_second_factor,
)
from twofold_server.domain.realms import Realm
from twofold_server.domain.security_log import SecurityLog
from twofold_server.domain.sending import CodeSent, Sending, Subject
from twofold_server.domain.sessions import ActiveSession, SessionTokens, SignedIn
from twofold_server.domain.values import (
    DisplayName,
    EmailAddress,
    FirstProof,
    Handle,
    PasskeyAnswer,
    Password,
    PhoneNumber,
    PushApproval,
    SmsCode,
    TotpCode,
)

ENROLLMENT: Final = "enrollment"
_ARMS: Final = {
    totp.KIND: "totp_code",
    email_code.KIND: "email_code",
    sms_code.KIND: "sms_code",
    passkey.KIND: "passkey_credential",
    push.KIND: "push",
}


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


@dataclass(frozen=True, slots=True)
class _First:
    """A first proof that was looked at: how it is judged, and what its factor's row is made of if it is right."""

    judge: Judge
    seal: Callable[[UUID], bytes]
    amr: tuple[str, ...] = ()
    aal: int | None = None
    last_step: int = 0
    credential_hash: bytes | None = None
    approver_id: UUID | None = None
    name: str = ""
    """Where the user gave none."""


class Enrollments:
    """Enrols factors of a session's account."""

    def __init__(
        self,
        pool: Pool,
        keyring: Keyring,
        engine: HashEngine,
        proofs: SessionProofs,
        session_tokens: SessionTokens,
        log: SecurityLog,
        sending: Sending,
        approvers: Approvers,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._keyring = keyring
        self._engine = engine
        self._proofs = proofs
        self._tokens = session_tokens
        self._log = log
        self._sending = sending
        self._approvers = approvers
        self._clock = clock

    async def begin(
        self,
        realm: Realm,
        session: ActiveSession,
        client_id: str,
        kind: str,
        destination: EmailAddress | PhoneNumber | None,
        name: DisplayName,
    ) -> Begun:
        """Begin to set up a factor of a kind; codes go to the `destination`.

        What is made anew ends what an enrolment was begun with before. Raises FactorLimitReached, SessionEnded,
        ResendTooSoon, FactorKindUnavailable, ChangesFrozen, Overloaded.
        """
        session.demand_unfrozen(self._clock())
        account = await db_accounts.get(self._pool, realm.realm_id, session.account_id)
        if account is None:
            raise SessionEnded
        _demand_offered(realm, kind)
        await self._demand_room(self._pool, realm, session, kind)
        now = self._clock()
        expire_time = now + realm.settings.enrollment_lifetime
        begun: dict[str, Any] = {"kind": kind, "name": name.text or NAME[kind]}
        code_hash: bytes | None = None
        material: totp.Material | CodeSent | passkey.Question | push.Material
        if kind == passkey.KIND:
            material = await self._question(realm, session, account)
            begun |= {"question": dict(material.payload)}
            begun["name"] = name.text or passkey.name_for(session.row.user_agent)
        elif kind == push.KIND:
            code_hash, material = await push.begin(self._engine, realm)
            begun["name"] = name.text
        elif destination is not None:
            material = await self._send(realm, session, client_id, kind, destination, account, now)
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
            subject=str(session.account_id),
            handle_hash=handle_hash,
            binding_hash=None,
            payload=self._keyring.seal(
                json.dumps(begun).encode(), _place(realm.realm_id, session.account_id, ticket_id)
            ),
            create_time=now,
            expire_time=expire_time,
            account_id=session.account_id,
            epoch=session.epoch,
            session_id=session.session_id,
        )
        await db_tickets.put_single(self._pool, ticket)
        if code_hash is not None:
            await self._approvers.begin_pairing(realm, ticket, code_hash)
        return Begun(token, ticket.expire_time, material)

    async def _question(self, realm: Realm, session: ActiveSession, account: AccountRow) -> passkey.Question:
        found = await db_attempts.read(
            self._pool,
            realm_id=realm.realm_id,
            account_id=session.account_id,
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
        session: ActiveSession,
        client_id: str,
        kind: str,
        destination: EmailAddress | PhoneNumber,
        account: AccountRow,
        now: datetime,
    ) -> CodeSent:
        # By account, not by enrolment: each new one would else buy a message to whomever one likes.
        subject = Subject(session.account_id, session.account_id, session.epoch, client_id, account.language_code)
        sent = await self._sending.code(realm, kind, destination.text, subject, {}, first=True)
        if sent.destination_changed:
            raise ResendTooSoon(retry_after=max(1.0, (sent.delivery.resend_time - now).total_seconds()))
        return sent

    async def finish(
        self,
        realm: Realm,
        session: ActiveSession,
        origin: Origin,
        handle: Handle,
        proof: FirstProof,
        password: Password,
    ) -> Enrolled:
        """Enrol what was begun in this session, with the password and a first proof, which is spent.

        Raises TicketNotFound, InvalidCredentials, InvalidSecondFactor, TooManyAttempts, FactorLimitReached,
        FactorKindUnavailable, RecentTwoFactorRequired, ChangesFrozen, SessionEnded, ChangedMeanwhile, Overloaded.
        """
        session.demand_unfrozen(self._clock())
        ticket = await db_tickets.peek(
            self._pool,
            realm_ids=[realm.realm_id],
            purpose=ENROLLMENT,
            handle_hash=handle.hash,
            now=self._clock(),
            account_id=session.account_id,
        )
        if ticket is None or ticket.epoch != session.epoch or ticket.session_id != session.session_id:
            raise TicketNotFound(field="enrollment_token")
        begun = json.loads(
            self._keyring.open(ticket.payload, _place(realm.realm_id, session.account_id, ticket.ticket_id))
        )
        if proof.kind != begun["kind"]:
            raise InvalidFields([Violation(_ARMS[proof.kind], "Not of the kind that was begun.")])
        # Again: the realm may have dropped the kind since it was begun.
        _demand_offered(realm, proof.kind)
        account = await db_accounts.get(self._pool, realm.realm_id, session.account_id)
        if account is None:
            raise SessionEnded
        first = await self._first(realm, session, ticket, begun, proof)

        async def effect(tx: Connection, proven: Proven) -> tuple[FactorRow, SessionRow]:
            factor = await self._add(tx, realm, session, proven, ticket, handle, begun, first)
            row = await prove_second_factor(
                tx,
                realm,
                proven.session,
                factor.kind,
                amr=first.amr,
                aal=first.aal,
                auth_time=proven.now,
                rotate=False,
                now=proven.now,
            )
            await self._log.record(
                tx,
                realm,
                session,
                origin,
                "factor_added",
                MessageKind.FACTOR_ADDED if proven.account.second_factor else MessageKind.TWO_FACTOR_ENABLED,
                params={"name": account.display_name, "factor_name": factor.name, "factor_kind": factor.kind},
                details={"factor_id": str(factor.factor_id), "factor_kind": factor.kind},
            )
            return factor, row

        factor, row = await self._proofs.demand(realm, session, origin, password, effect, judge=first.judge)
        codes = await self._first_codes(realm, session, account.email, row)
        return Enrolled(factor, codes, SignedIn(row, await self._tokens.access(realm, row, session.token_audience)))

    async def _first(
        self, realm: Realm, session: ActiveSession, ticket: Ticket, begun: dict[str, Any], proof: FirstProof
    ) -> _First:
        account_id, kind = session.account_id, proof.kind
        if isinstance(proof, PushApproval):
            return await self._paired(realm, session, ticket)
        if isinstance(proof, PasskeyAnswer):
            made = await passkey.finish(self._engine, realm, begun["question"], proof)
            judge = partial(judge_first_code, realm, account_id, kind, made is not None)
            if made is None:
                return _First(judge, lambda _: b"")
            return _First(
                judge,
                lambda factor_id: made.sealed(self._keyring, secret_place(realm.realm_id, account_id, factor_id)),
                amr=made.amr,
                credential_hash=passkey.credential_hash(realm, made.credential.credential_id),
            )
        secret = bytes.fromhex(begun["secret"])

        def seal(factor_id: UUID) -> bytes:
            return self._keyring.seal(secret, secret_place(realm.realm_id, account_id, factor_id))

        if isinstance(proof, TotpCode):
            step = totp.finish(realm, secret, proof, self._clock())
            return _First(
                partial(judge_first_code, realm, account_id, kind, step is not None), seal, last_step=step or 0
            )
        sent_id = UUID(begun["sent_id"])
        macs = (
            sms_code.finish(self._keyring, sent_id, secret, proof)
            if isinstance(proof, SmsCode)
            else email_code.finish(self._keyring, sent_id, secret, proof)
        )
        return _First(partial(judge_first_sent_code, realm, account_id, kind, sent_id, macs), seal)

    async def _paired(self, realm: Realm, session: ActiveSession, ticket: Ticket) -> _First:
        paired = await db_approvers.of_enrollment(self._pool, realm.realm_id, session.account_id, ticket.ticket_id)
        if paired is None:
            raise ApproverNotPaired
        approver_id, name = paired
        kept = json.dumps({"approver_id": str(approver_id)}).encode()
        return _First(
            partial(judge_first_code, realm, session.account_id, push.KIND, True),
            lambda factor_id: self._keyring.seal(kept, secret_place(realm.realm_id, session.account_id, factor_id)),
            aal=push.aal(realm),
            approver_id=approver_id,
            name=name,
        )

    async def _add(
        self,
        tx: Connection,
        realm: Realm,
        session: ActiveSession,
        proven: Proven,
        ticket: Ticket,
        handle: Handle,
        begun: dict[str, Any],
        first: _First,
    ) -> FactorRow:
        # Enrolled meanwhile by another session: this one has proven no factor, and must first.
        if proven.account.second_factor and not await is_proven(tx, realm, proven.session, proven.now):
            raise RecentTwoFactorRequired
        await self._demand_room(tx, realm, session, begun["kind"])
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
            kind=begun["kind"],
            name=begun["name"] or first.name,
            secret=first.seal(factor_id),
            strength=STRENGTH[begun["kind"]],
            last_step=first.last_step,
            credential_hash=first.credential_hash,
            now=proven.now,
        )
        if factor is None:
            # Of a credential that is enrolled already, whoever's it is (WebAuthn 7.1, step 26).
            raise InvalidSecondFactor
        if first.approver_id is not None and not await db_approvers.enrol(
            tx, realm.realm_id, session.account_id, first.approver_id, factor_id, factor.name
        ):
            raise ApproverNotPaired
        return factor

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


def _demand_offered(realm: Realm, kind: str) -> None:
    if kind not in realm.settings.offered_kinds:
        raise FactorKindUnavailable


def _place(realm_id: str, account_id: UUID, ticket_id: UUID) -> Place:
    return Place("tickets", "payload", realm_id, str(account_id), str(ticket_id))
