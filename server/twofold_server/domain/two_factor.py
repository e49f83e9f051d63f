"""Two-factor: enrolled, listed, changed, removed and turned off."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from uuid_utils.compat import uuid7

from twofold_server.crypto.hash_engine import HashEngine
from twofold_server.crypto.keyring import Keyring
from twofold_server.db import accounts as db_accounts
from twofold_server.db import devices as db_devices
from twofold_server.db import factors as db_factors
from twofold_server.db import sessions as db_sessions
from twofold_server.db.accounts import LockedAccount
from twofold_server.db.factors import FactorRow, Status
from twofold_server.db.pool import Connection, Pool, transaction
from twofold_server.domain.active_sessions import ActiveSession, CarriedOver, carry_over
from twofold_server.domain.attempts import Origin
from twofold_server.domain.clock import Clock
from twofold_server.domain.errors import (
    ChangedMeanwhile,
    FactorNotFound,
    LastFactor,
    SecondFactorKept,
    SessionEnded,
    TwoFactorNotEnrolled,
)
from twofold_server.domain.factors import NAME, backup_codes
from twofold_server.domain.factors.backup_codes import BackupCodes
from twofold_server.domain.messages import MessageKind
from twofold_server.domain.proofs import Proven, SessionProofs
from twofold_server.domain.realms import Realm
from twofold_server.domain.security_log import SecurityLog
from twofold_server.domain.sessions import SessionTokens, SignedIn
from twofold_server.domain.values import Password, SecondFactor
from twofold_server.domain.written_texts import DisplayName


@dataclass(frozen=True, slots=True)
class Standing:
    """How far two-factor goes on an account, and what its realm allows and advises."""

    enrolled: Status
    offered_kinds: tuple[str, ...]
    can_disable: bool
    factors_advised: int

    @property
    def more_factors_advised(self) -> bool:
        """Whether the account has fewer factors than its realm advises."""
        return self.enrolled.factors < self.factors_advised


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
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._keyring = keyring
        self._engine = engine
        self._proofs = proofs
        self._tokens = session_tokens
        self._log = log
        self._clock = clock

    async def status(self, realm: Realm, session: ActiveSession) -> Standing:
        """How far two-factor goes on the account, and how far it may and should go."""
        enrolled = await db_factors.status(self._pool, realm.realm_id, session.account_id)
        return Standing(
            enrolled,
            offered_kinds=realm.settings.offered_kinds,
            can_disable=enrolled.factors > 0 and not realm.settings.keeps_second_factor,
            factors_advised=realm.settings.factors_advised,
        )

    async def page(self, session: ActiveSession, after: UUID | None, limit: int) -> list[FactorRow]:
        """The factors, the oldest first."""
        return await db_factors.page(self._pool, session.realm_id, session.account_id, after, limit)

    async def update(
        self, session: ActiveSession, factor_id: UUID, *, name: DisplayName | None, preferred: bool
    ) -> FactorRow:
        """Rename a factor or make it the preferred one; an empty name is its kind's own. Raises FactorNotFound."""
        text = None if name is None else name.text
        if text == "":
            kind = await db_factors.kind(self._pool, session.realm_id, session.account_id, factor_id)
            if kind is None:
                raise FactorNotFound
            text = NAME[kind]
        found = await db_factors.update(
            self._pool,
            session.realm_id,
            session.account_id,
            factor_id,
            name=text,
            preferred=preferred,
        )
        if found is None:
            raise FactorNotFound
        return found

    async def remove(self, realm: Realm, session: ActiveSession, origin: Origin, factor_id: UUID) -> None:
        """Remove one factor of several, and with it the trust that it may have won for devices.

        Raises FactorNotFound, LastFactor, ChangesFrozen, SessionEnded.
        """
        session.demand_unfrozen(self._clock())
        async with transaction(self._pool) as tx:
            await self._lock(tx, session)
            await db_devices.end_trust(tx, realm.realm_id, session.account_id)
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

        Raises TwoFactorNotEnrolled, ChangesFrozen, SessionEnded, Overloaded.
        """
        session.demand_unfrozen(self._clock())
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

        Raises TwoFactorNotEnrolled, SecondFactorKept, InvalidCredentials, InvalidSecondFactor, TooManyAttempts,
        ChangesFrozen, SessionEnded, ChangedMeanwhile.
        """
        session.demand_unfrozen(self._clock())
        if realm.settings.keeps_second_factor:
            # Here and not in the effect: what can't be done takes no guesses at the password, and spends no code.
            raise SecondFactorKept if session.account_second_factor else TwoFactorNotEnrolled

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
