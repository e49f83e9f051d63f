"""Enrolments in a session: the password and a first proof make a factor of what was begun."""

from __future__ import annotations

from twofold_server.db import accounts as db_accounts
from twofold_server.db.factors import FactorRow
from twofold_server.db.pool import Connection, Pool
from twofold_server.db.sessions import SessionRow
from twofold_server.domain.active_sessions import ActiveSession
from twofold_server.domain.attempts import Origin
from twofold_server.domain.clock import Clock
from twofold_server.domain.enrolling import Begun, Enrolled, Enrollee, Enrolling
from twofold_server.domain.errors import RecentTwoFactorRequired, SessionEnded
from twofold_server.domain.first_proofs import FirstProofs
from twofold_server.domain.messages import MessageKind
from twofold_server.domain.proofs import Proven, SessionProofs, is_proven, prove_second_factor
from twofold_server.domain.realms import Realm
from twofold_server.domain.security_log import SecurityLog
from twofold_server.domain.sessions import SessionTokens, SignedIn
from twofold_server.domain.values import EmailAddress, FirstProof, Handle, Password, PhoneNumber
from twofold_server.domain.written_texts import DisplayName


class Enrollments:
    """Enrols factors of a session's account."""

    def __init__(
        self,
        pool: Pool,
        enrolling: Enrolling,
        first_proofs: FirstProofs,
        proofs: SessionProofs,
        session_tokens: SessionTokens,
        log: SecurityLog,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._enrolling = enrolling
        self._first_proofs = first_proofs
        self._proofs = proofs
        self._tokens = session_tokens
        self._log = log
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
        ResendTooSoon, FactorKindUnavailable, ChannelNotDistinct, ChangesFrozen, Overloaded.
        """
        session.demand_unfrozen(self._clock())
        return await self._enrolling.begin(realm, _enrollee(session), client_id, kind, destination, name)

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
        whose = _enrollee(session)
        ticket, begun = await self._enrolling.peek(realm, whose, handle, proof)
        account = await db_accounts.get(self._pool, realm.realm_id, session.account_id)
        if account is None:
            raise SessionEnded
        first = await self._first_proofs.look(realm, session.account_id, ticket.ticket_id, begun, proof)

        async def effect(tx: Connection, proven: Proven) -> tuple[FactorRow, SessionRow]:
            # Enrolled meanwhile by another session: this one has proven no factor, and must first.
            if proven.account.second_factor and not await is_proven(tx, realm, proven.session, proven.now):
                raise RecentTwoFactorRequired
            factor = await self._enrolling.add(tx, realm, whose, ticket, handle, begun, first, proven.now)
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
        codes = await self._enrolling.first_codes(realm, whose, account.email, row.epoch)
        return Enrolled(factor, codes, SignedIn(row, await self._tokens.access(realm, row, session.token_audience)))


def _enrollee(session: ActiveSession) -> Enrollee:
    return Enrollee(session.account_id, session.epoch, session.session_id, session.row.user_agent)
