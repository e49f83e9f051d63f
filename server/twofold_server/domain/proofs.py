"""Proofs inside a session: the password, and a code, given again in the call that needs them.

Read, then the hash, then one transaction that locks, judges, counts and has the effect. A wrong secret is counted and
committed; a right one is told only together with its effect. Lock order: account and password, session, code.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Literal, TypeVar
from uuid import UUID

from uuid_utils.compat import uuid7

from twofold_server.db import accounts as db_accounts
from twofold_server.db import attempts as db_attempts
from twofold_server.db import events as db_events
from twofold_server.db import factors as db_factors
from twofold_server.db import sent as db_sent
from twofold_server.db import sessions as db_sessions
from twofold_server.db.accounts import LockedAccount
from twofold_server.db.attempts import Proofs
from twofold_server.db.pool import Connection, Pool, transaction
from twofold_server.db.sessions import SessionRow, TokenState
from twofold_server.db.verdicts import Code
from twofold_server.domain.active_sessions import ActiveSession, is_recent
from twofold_server.domain.attempts import (
    KNOWN,
    Budget,
    Origin,
    budget_of,
    choose_bucket,
    demand_network,
    hour_of,
    refusal,
)
from twofold_server.domain.clock import Clock
from twofold_server.domain.errors import (
    ChangedMeanwhile,
    InvalidCredentials,
    InvalidSecondFactor,
    SecondFactorRequired,
    SessionEnded,
    TwoFactorNotEnrolled,
    TwofoldError,
)
from twofold_server.domain.factors import AAL, AMR, STRENGTH, Factors, totp
from twofold_server.domain.passwords import Passwords
from twofold_server.domain.realms import Realm
from twofold_server.domain.values import BackupCode, Password, SecondFactor

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Proven:
    """What a right proof holds locked, for the effect."""

    account: LockedAccount
    session: SessionRow
    token: TokenState
    bucket: int
    now: datetime


@dataclass(frozen=True, slots=True)
class _Refused:
    """An outcome that is committed before it is raised: rolled back, a wrong secret would not have been counted."""

    error: TwofoldError


Effect = Callable[[Connection, Proven], Awaitable[T]]
Judge = Callable[[Connection, int, datetime], Awaitable[TwofoldError | None]]
"""Counts or spends a code of the locked account, in a bucket at a time.

What to refuse with, or None if it was right.
"""


class SessionProofs:
    """Demands the password, and a code where one is enrolled, of a session's user, and has an effect in the same
    transaction.
    """

    def __init__(self, pool: Pool, passwords: Passwords, factors: Factors, clock: Clock) -> None:
        self._pool = pool
        self._passwords = passwords
        self._factors = factors
        self._clock = clock

    async def demand(
        self,
        realm: Realm,
        session: ActiveSession,
        origin: Origin,
        password: Password,
        effect: Effect[T],
        *,
        code: Literal["none", "where_enrolled", "required"] = "none",
        second_factor: SecondFactor | None = None,
        judge: Judge | None = None,
        prepare: Callable[[], Awaitable[None]] | None = None,
    ) -> T:
        """Have `effect` if the password is right, and the code where `code` asks for one, or whatever `judge` judges.

        `prepare` does slow work for the effect, once the budget is open and whether or not the password is right.

        Raises InvalidCredentials, InvalidSecondFactor, SecondFactorRequired, TwoFactorNotEnrolled, TooManyAttempts,
        SessionEnded, ChangedMeanwhile, Overloaded; whatever `effect` raises undoes it and the spending of the code.
        """
        found = await self._read(realm, session, origin, second_factor)
        # Before the password is looked at: what is missing tells nothing about it.
        if code == "required" and not found.second_factor:
            raise TwoFactorNotEnrolled
        now = self._clock()
        by_proof = code != "none" and found.second_factor and second_factor is None
        if by_proof and not _proven(realm, session, found, now):
            raise SecondFactorRequired
        with_code = second_factor if code != "none" and found.second_factor else None
        bucket = choose_bucket(
            realm,
            found.device_id is not None,
            [Budget(found.failures, found.wait_until), budget_of(found, with_code.kind) if with_code else None],
            now,
        )
        known = bucket == KNOWN
        if not known:
            demand_network(realm, origin.client, found.network_failures, now)
        budget = Budget(found.failures, found.wait_until)
        if not budget.is_open(bucket, realm, now):
            raise refusal(realm, budget.wait_until[bucket - 1], now)
        stored = self._passwords.open(realm.realm_id, session.account_id, found.hash)
        right = await self._passwords.verify(stored, password, account=str(session.account_id), known_device=known)
        # All the work is done whether or not the password was right: what is left out, or refused for want of room,
        # would tell what no statement has counted.
        if with_code is not None:
            matched = await self._factors.verify(realm, found, with_code, known_device=known)
            judge = partial(judge_code, realm, session.account_id, matched)
        if prepare is not None:
            await prepare()
        async with transaction(self._pool) as tx:
            result = await self._judge(
                tx, realm, session, origin, found, right, judge, bucket, effect, by_proof=by_proof
            )
        if isinstance(result, _Refused):
            raise result.error
        return result

    async def _read(
        self, realm: Realm, session: ActiveSession, origin: Origin, second_factor: SecondFactor | None
    ) -> Proofs:
        found = await db_attempts.read(
            self._pool,
            realm_id=realm.realm_id,
            account_id=session.account_id,
            device_id=session.row.device_id,
            slot=second_factor.slot if isinstance(second_factor, BackupCode) else None,
            network=origin.client.network,
            hour=hour_of(self._clock()),
        )
        if found is None or found.epoch != session.epoch:
            raise SessionEnded
        return found

    async def _judge(
        self,
        tx: Connection,
        realm: Realm,
        session: ActiveSession,
        origin: Origin,
        found: Proofs,
        right: bool,
        judge: Judge | None,
        bucket: int,
        effect: Effect[T],
        *,
        by_proof: bool,
    ) -> T | _Refused:
        now = self._clock()
        account = await db_accounts.lock(tx, realm.realm_id, session.account_id)
        if account is None or account.epoch != session.epoch or account.state != "active":
            raise SessionEnded
        # The hash itself may have been made anew or sealed anew; a change of the password shows in the epoch.
        if account.second_factor != found.second_factor:
            raise ChangedMeanwhile
        budget = Budget(account.failures, account.wait_until)
        if not budget.is_open(bucket, realm, now):
            raise refusal(realm, budget.wait_until[bucket - 1], now)
        if not right:
            failures, wait_until = budget.counted(bucket, realm, now)
            await db_accounts.set_password_budget(tx, realm.realm_id, session.account_id, failures, wait_until)
            return await self._failed(tx, realm, session, origin, "password", bucket, now, InvalidCredentials())
        locked = await db_sessions.lock(tx, realm.realm_id, session.account_id, session.session_id, session.epoch, now)
        if locked is None:
            raise SessionEnded
        # A stronger factor may have come since: whoever has proven a weaker one alone takes nothing away.
        if by_proof and not await is_proven(tx, realm, locked[0], now):
            raise ChangedMeanwhile
        if cleared := budget.cleared(bucket, realm):
            await db_accounts.set_password_budget(tx, realm.realm_id, session.account_id, *cleared)
        if judge is not None and (error := await judge(tx, bucket, now)):
            if isinstance(error, InvalidSecondFactor):
                return await self._failed(tx, realm, session, origin, "code", bucket, now, error)
            return _Refused(error)
        return await effect(tx, Proven(account, *locked, bucket, now))

    async def _failed(
        self,
        tx: Connection,
        realm: Realm,
        session: ActiveSession,
        origin: Origin,
        secret: str,
        bucket: int,
        now: datetime,
        error: TwofoldError,
    ) -> _Refused:
        await db_attempts.count_network(tx, realm.realm_id, origin.client.network, hour_of(now))
        await db_events.write(
            tx,
            event_id=uuid7(),
            realm_id=realm.realm_id,
            account_id=session.account_id,
            # A kind of its own: the sign-in history is of sign-ins.
            kind="proof_failed",
            client_id=origin.client_id,
            now=now,
            details={"known_device": bucket == KNOWN, "session_id": str(session.session_id), "secret": secret},
            personal=origin.personal,
        )
        return _Refused(error)


def _proven(realm: Realm, session: ActiveSession, found: Proofs, now: datetime) -> bool:
    """Whether a recent proof in the session stands for the code: where no app shows one that could be given with the
    password, and the user has answered a challenge instead.
    """
    return totp.KIND not in (found.factor_kinds or ()) and session.strongest_is_recent(realm, now)


async def is_proven(tx: Connection, realm: Realm, row: SessionRow, now: datetime) -> bool:
    """Whether a locked session of a locked account has just proven a factor as strong as the strongest enrolled."""
    strongest = await db_factors.strength(tx, realm.realm_id, row.account_id)
    return row.factor_strength >= strongest and is_recent(row.second_factor_time, realm, now)


async def judge_code(
    realm: Realm, account_id: UUID, code: Code, tx: Connection, bucket: int, now: datetime, *, closed_too: bool = False
) -> TwofoldError | None:
    """Count or spend a code of an account that is locked; what to refuse with, or None if it was right.

    `closed_too`: where the count is closed as well, since the caller counts these attempts by itself. One count for
    every path that takes a code: sign-in, enrolment, disabling, deletion, step-up (CVE-2024-32868).
    """
    assert code.kind is not None
    locked = await db_factors.lock_budget(tx, realm.realm_id, account_id, code.kind)
    if locked is None:
        return InvalidSecondFactor()
    budget = Budget(locked.failures, locked.wait_until)
    if not closed_too and not budget.is_open(bucket, realm, now):
        return refusal(realm, budget.wait_until[bucket - 1], now)
    spent = False
    if code.slot is not None and code.slot_set_id is not None and code.slot_ok:
        spent = await db_factors.spend_backup_code(tx, realm.realm_id, account_id, code.slot, code.slot_set_id, now)
    elif code.factor_id is not None and code.sent_id is not None:
        given = (code.kind, code.sent_macs, code.sent_ok)
        spent = await db_sent.spend(tx, realm.realm_id, code.sent_id, code.factor_id, given, now)
        if spent:
            await db_factors.note_use(tx, realm.realm_id, account_id, code.factor_id, code.new_secret, now)
    elif code.factor_id is not None and code.step is not None:
        spent = await db_factors.spend_step(tx, realm.realm_id, account_id, code.factor_id, code.step, now)
    if spent:
        if cleared := budget.cleared(bucket, realm):
            await db_factors.set_budget(tx, realm.realm_id, account_id, code.kind, *cleared)
        return None
    failures, wait_until = budget.counted(bucket, realm, now)
    await db_factors.set_budget(tx, realm.realm_id, account_id, code.kind, failures, wait_until)
    return InvalidSecondFactor()


async def judge_first_code(
    realm: Realm, account_id: UUID, kind: str, right: bool, tx: Connection, bucket: int, now: datetime
) -> TwofoldError | None:
    """Count the wrong code of an enrolment with all others of its kind.

    A right one clears nothing: it proves a new factor only.
    """
    await db_factors.make_budget(tx, realm.realm_id, account_id, kind)
    locked = await db_factors.lock_budget(tx, realm.realm_id, account_id, kind)
    if locked is None:
        return InvalidSecondFactor()
    budget = Budget(locked.failures, locked.wait_until)
    if not budget.is_open(bucket, realm, now):
        return refusal(realm, budget.wait_until[bucket - 1], now)
    if right:
        return None
    failures, wait_until = budget.counted(bucket, realm, now)
    await db_factors.set_budget(tx, realm.realm_id, account_id, kind, failures, wait_until)
    return InvalidSecondFactor()


async def judge_first_sent_code(
    realm: Realm,
    account_id: UUID,
    kind: str,
    sent_id: UUID,
    macs: list[bytes],
    tx: Connection,
    bucket: int,
    now: datetime,
) -> TwofoldError | None:
    """The same of an enrolment's code that was sent: compared in the statement that counts it, five times at most."""
    right = await db_sent.matches(tx, realm.realm_id, sent_id, macs, now)
    return await judge_first_code(realm, account_id, kind, right, tx, bucket, now)


async def prove_second_factor(
    tx: Connection,
    realm: Realm,
    row: SessionRow,
    kind: str,
    *,
    amr: tuple[str, ...] = (),
    aal: int | None = None,
    auth_time: datetime | None,
    rotate: bool,
    now: datetime,
) -> SessionRow:
    """Write on a locked session that a second factor was proven in it just now, and the password too where
    `auth_time` says so. `amr` and `aal` are what this very one proves, where that differs within the kind.
    """
    proven, methods = AAL[kind] if aal is None else aal, amr or AMR[kind]
    kept, strength, time = row.amr, STRENGTH[kind], now
    stronger = (row.factor_strength, row.aal) > (strength, proven)
    if stronger and row.second_factor_time and is_recent(row.second_factor_time, realm, now):
        # The stronger proof still counts: a weaker one beside it takes nothing away.
        strength, time = row.factor_strength, row.second_factor_time
        proven = max(row.aal, proven)
    elif row.aal > proven:
        # The time is that of the weaker proof from now on, and AAL2 would last for ever on a mailbox alone.
        kept = [method for method in row.amr if method == "pwd"]
    return await db_sessions.prove(
        tx,
        realm.realm_id,
        row.session_id,
        epoch=row.epoch,
        amr=[*kept, *(method for method in methods if method not in kept)],
        aal=proven,
        auth_time=auth_time or row.auth_time,
        second_factor_time=time,
        factor_strength=strength,
        rotate=rotate,
        now=now,
    )
