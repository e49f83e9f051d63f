"""Accounts: shown, changed, given another password, deleted; and their sign-in history."""

from __future__ import annotations

from uuid import UUID

from uuid_utils.compat import uuid7

from twofold_server.crypto.blocklist import Advice
from twofold_server.db import accounts as db_accounts
from twofold_server.db import events as db_events
from twofold_server.db.accounts import AccountRow
from twofold_server.db.events import SignInRow
from twofold_server.db.pool import Connection, Pool
from twofold_server.domain.active_sessions import ActiveSession, CarriedOver, carry_over
from twofold_server.domain.agents import demand_no_agent
from twofold_server.domain.attempts import Origin
from twofold_server.domain.clock import REVOCATION_LIFE, Clock
from twofold_server.domain.errors import SessionEnded
from twofold_server.domain.messages import MessageKind
from twofold_server.domain.passwords import Passwords, scheme_of
from twofold_server.domain.proofs import Proven, SessionProofs
from twofold_server.domain.realms import Realm
from twofold_server.domain.security_log import SecurityLog
from twofold_server.domain.sessions import SessionTokens, SignedIn
from twofold_server.domain.values import LanguageCode, NewPassword, Password, SecondFactor
from twofold_server.domain.written_texts import DisplayName


class Accounts:
    """The account of a session."""

    def __init__(
        self,
        pool: Pool,
        passwords: Passwords,
        proofs: SessionProofs,
        session_tokens: SessionTokens,
        log: SecurityLog,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._passwords = passwords
        self._proofs = proofs
        self._tokens = session_tokens
        self._log = log
        self._clock = clock

    async def get(self, session: ActiveSession) -> AccountRow:
        """The account. Raises SessionEnded where it is gone."""
        found = await db_accounts.get(self._pool, session.realm_id, session.account_id)
        if found is None:
            raise SessionEnded
        return found

    async def update(
        self, session: ActiveSession, *, display_name: DisplayName | None, language: LanguageCode | None
    ) -> AccountRow:
        """Change what is given. Raises SessionEnded where the account is gone."""
        found = await db_accounts.update(
            self._pool,
            session.realm_id,
            session.account_id,
            display_name=None if display_name is None else display_name.text,
            language_code=None if language is None else language.text,
            now=self._clock(),
        )
        if found is None:
            raise SessionEnded
        return found

    async def sign_ins(self, session: ActiveSession, before: UUID | None, limit: int) -> list[SignInRow]:
        """The account's attempts to sign in, the newest first."""
        return await db_events.sign_ins(self._pool, session.realm_id, session.account_id, before, limit)

    async def change_password(
        self, realm: Realm, session: ActiveSession, origin: Origin, present: Password, new: NewPassword
    ) -> tuple[SignedIn, Advice | None]:
        """Set another password.

        Ends every other session and every device's trust by the epoch; this session is carried over. Raises
        ChangesFrozen beside what the proof raises.
        """
        session.demand_unfrozen(self._clock())
        account = await self.get(session)
        inputs = [account.email, account.email.partition("@")[0], account.display_name, realm.display_name]
        self._passwords.demand_acceptable(realm, new, "new_password", inputs)
        await self._passwords.demand_unbreached(new, "new_password")
        made = b""

        async def prepare() -> None:
            nonlocal made
            made = await self._passwords.hash(new, account=str(session.account_id))

        async def effect(tx: Connection, proven: Proven) -> CarriedOver:
            carried = await carry_over(tx, session, second_factor=None, now=proven.now, auth_time=proven.now)
            await db_accounts.set_password(
                tx,
                realm.realm_id,
                session.account_id,
                hash=self._passwords.seal(realm.realm_id, session.account_id, made),
                scheme=scheme_of(made),
                now=proven.now,
            )
            await self._log.record(
                tx,
                realm,
                session,
                origin,
                "password_changed",
                MessageKind.PASSWORD_CHANGED,
                params={"name": account.display_name},
            )
            return carried

        carried = await self._proofs.demand(realm, session, origin, present, effect, prepare=prepare)
        advice = await self._passwords.advice(new, inputs)
        return await self._tokens.carried(realm, carried, session.token_audience), advice

    async def delete(
        self,
        realm: Realm,
        session: ActiveSession,
        origin: Origin,
        password: Password,
        second_factor: SecondFactor | None,
    ) -> None:
        """Delete the account and all that it owns, at once and for good.

        Raises ChangesFrozen, AgentNotEligible, or as the proof.
        """
        demand_no_agent(realm.realm_id)
        session.demand_unfrozen(self._clock())
        account = await self.get(session)

        async def effect(tx: Connection, proven: Proven) -> None:
            told = await self._log.destinations(tx, realm, session.account_id)
            await db_accounts.delete(
                tx,
                realm.realm_id,
                session.account_id,
                revocation_id=uuid7(),
                revocation_expire=proven.now + REVOCATION_LIFE,
            )
            await db_events.write(
                tx,
                event_id=uuid7(),
                realm_id=realm.realm_id,
                account_id=session.account_id,
                kind="account_deleted",
                client_id=origin.client_id,
                now=proven.now,
                details={},
                personal=None,
            )
            await self._log.tell(
                tx,
                realm,
                session.account_id,
                MessageKind.ACCOUNT_DELETED,
                told=told,
                params={"name": account.display_name, **origin.personal},
                of_account=False,
            )

        await self._proofs.demand(
            realm, session, origin, password, effect, code="where_enrolled", second_factor=second_factor
        )
