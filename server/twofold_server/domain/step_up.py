"""Step-up: a proof renewed on a live session, the password at once, a second factor through a challenge."""

from __future__ import annotations

import json
from datetime import datetime

from uuid_utils.compat import uuid7

from twofold_server.crypto import tokens
from twofold_server.crypto.keyring import Keyring
from twofold_server.db import accounts as db_accounts
from twofold_server.db import attempts as db_attempts
from twofold_server.db import challenges as db_challenges
from twofold_server.db import factors as db_factors
from twofold_server.db import sessions as db_sessions
from twofold_server.db import tickets as db_tickets
from twofold_server.db.challenges import Challenge
from twofold_server.db.pool import Connection, Pool, transaction
from twofold_server.db.sessions import SessionRow
from twofold_server.db.tickets import NewTicket
from twofold_server.db.verdicts import Code
from twofold_server.domain.active_sessions import ActiveSession
from twofold_server.domain.attempts import KNOWN, Origin, budget_of, choose_bucket, demand_network, hour_of
from twofold_server.domain.challenges import STEP_UP, Challenged, challenge_place, demand_code_open, kinds_of, sent_of
from twofold_server.domain.clock import REVOCATION_LIFE, Clock
from twofold_server.domain.errors import (
    InvalidFields,
    InvalidSecondFactor,
    SessionEnded,
    SessionInvalid,
    SessionUserAgentChanged,
    TicketNotFound,
    TwoFactorNotEnrolled,
    TwofoldError,
    Violation,
)
from twofold_server.domain.factors import SLOT, Factors
from twofold_server.domain.proofs import Proven, SessionProofs, judge_code, prove_second_factor
from twofold_server.domain.realms import Realm, Realms
from twofold_server.domain.sessions import SessionTokens, SignedIn
from twofold_server.domain.values import BackupCode, Handle, Password, RealmId, SecondFactor


class StepUps:
    """Renews the proofs of live sessions."""

    def __init__(
        self,
        pool: Pool,
        keyring: Keyring,
        proofs: SessionProofs,
        factors: Factors,
        realms: Realms,
        session_tokens: SessionTokens,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._keyring = keyring
        self._proofs = proofs
        self._factors = factors
        self._realms = realms
        self._tokens = session_tokens
        self._clock = clock

    async def with_password(self, realm: Realm, session: ActiveSession, origin: Origin, password: Password) -> SignedIn:
        """Renew `auth_time` with the password.

        Raises InvalidCredentials, TooManyAttempts, SessionEnded, SessionUserAgentChanged, ChangedMeanwhile.
        """
        await self._demand_user_agent(realm, session.row, origin)

        async def effect(tx: Connection, proven: Proven) -> SessionRow:
            row = proven.session
            return await db_sessions.prove(
                tx,
                realm.realm_id,
                row.session_id,
                epoch=row.epoch,
                amr=row.amr,
                aal=row.aal,
                auth_time=proven.now,
                second_factor_time=row.second_factor_time,
                factor_strength=row.factor_strength,
                rotate=False,
                now=proven.now,
            )

        row = await self._proofs.demand(realm, session, origin, password, effect)
        return SignedIn(row, await self._tokens.access(realm, row, session.token_audience))

    async def begin(self, realm: Realm, session: ActiveSession, origin: Origin) -> Challenged:
        """Open a challenge on the session. Raises TwoFactorNotEnrolled, SessionUserAgentChanged."""
        await self._demand_user_agent(realm, session.row, origin)
        status = await db_factors.status(self._pool, realm.realm_id, session.account_id)
        if not status.kinds:
            raise TwoFactorNotEnrolled
        token, handle_hash = tokens.new_secret_token()
        binding, binding_hash = tokens.new_secret_token()
        ticket_id, now = uuid7(), self._clock()
        expire_time = now + realm.settings.challenge_lifetime
        payload = json.dumps({"audience": session.token_audience})
        await db_tickets.put_unbounded(
            self._pool,
            NewTicket(
                ticket_id=ticket_id,
                realm_id=realm.realm_id,
                purpose=STEP_UP,
                subject=str(session.session_id),
                handle_hash=handle_hash,
                binding_hash=binding_hash,
                payload=self._keyring.seal(
                    payload.encode(), challenge_place(realm.realm_id, session.account_id, ticket_id)
                ),
                create_time=now,
                expire_time=expire_time,
                account_id=session.account_id,
                epoch=session.epoch,
                session_id=session.session_id,
                client_id=origin.client_id,
                device_id=session.row.device_id,
            ),
        )
        return Challenged(token, binding, expire_time, kinds_of(realm, status.kinds, status.backup_codes_remaining > 0))

    async def _demand_user_agent(self, realm: Realm, row: SessionRow, origin: Origin) -> None:
        if await end_changed(self._pool, realm, row, origin, self._clock()):
            raise SessionUserAgentChanged

    async def finish(
        self,
        realm_ids: tuple[RealmId, ...],
        handle: Handle,
        binding: Handle,
        second_factor: SecondFactor,
        refresh_token: tokens.RefreshParts | None,
        origin: Origin,
    ) -> SignedIn:
        """Finish a step-up with a code and the session's present refresh token, which is rotated.

        Raises TicketNotFound, InvalidFields (no refresh token), SessionInvalid, SessionEnded, InvalidSecondFactor,
        SessionUserAgentChanged, TooManyAttempts.
        """
        now = self._clock()
        found = await db_challenges.read(
            self._pool,
            realm_ids=list(realm_ids),
            purpose=STEP_UP,
            handle_hash=handle.hash,
            binding_hash=binding.hash,
            client_id=origin.client_id,
            now=now,
            slot=second_factor.slot if isinstance(second_factor, BackupCode) else None,
            network=origin.client.network,
            hour=hour_of(now),
            sent_slot=SLOT.get(second_factor.kind),
        )
        if found is None:
            raise TicketNotFound(field="challenge_token")
        if refresh_token is None:
            raise InvalidFields([Violation("refresh_token", "Required for a challenge of StepUp.")])
        if refresh_token.session_id != found.session_id:
            raise SessionInvalid(field="refresh_token")
        realm = await self._realms.get(RealmId(found.realm_id))
        proof = self._keyring.code_mac(found.ticket_id, STEP_UP, "", second_factor.text)
        if not found.live:
            return await self._again(realm, found, proof, refresh_token, origin)
        bucket = choose_bucket(realm, found.device_id is not None, [budget_of(found, second_factor.kind)], now)
        known = bucket == KNOWN
        if not known:
            demand_network(realm, origin.client, found.network_failures, now)
        demand_code_open(realm, found, second_factor.kind, bucket, now)
        code = await self._factors.verify(
            realm, found, second_factor, known_device=known, sent=sent_of(self._keyring, found)
        )
        async with transaction(self._pool) as tx:
            result = await self._judge(tx, realm, found, handle, proof, code, refresh_token, bucket, origin)
        if isinstance(result, TwofoldError):
            raise result
        row, generation, salt = result
        return SignedIn(row, await self._tokens.both(realm, row, generation, salt, self._audience(realm, found)))

    async def _again(
        self, realm: Realm, found: Challenge, proof: bytes, refresh_token: tokens.RefreshParts, origin: Origin
    ) -> SignedIn:
        """The tokens of an answer that was lost: the same code within 10 s, with the refresh token that it rotated."""
        if found.spent_proof is None or not tokens.same(found.spent_proof, proof) or not found.spent_just_now:
            raise TicketNotFound(field="challenge_token")
        state = await db_sessions.token_state(self._pool, realm.realm_id, refresh_token.session_id)
        if state is None or state[0].client_id != origin.client_id or state[0].epoch != found.epoch:
            raise TicketNotFound(field="challenge_token")
        row, made_of = state
        expected = tokens.finish_mac(self._tokens.refresh_inner(refresh_token), made_of.salt)
        if made_of.generation != refresh_token.generation + 1 or not tokens.same(expected, refresh_token.mac):
            raise TicketNotFound(field="challenge_token")
        made = await self._tokens.both(realm, row, made_of.generation, made_of.salt, self._audience(realm, found))
        return SignedIn(row, made)

    def _audience(self, realm: Realm, found: Challenge) -> str:
        place = challenge_place(realm.realm_id, found.account_id, found.ticket_id)
        audience: str = json.loads(self._keyring.open(found.payload, place))["audience"]
        return audience

    async def _judge(
        self,
        tx: Connection,
        realm: Realm,
        found: Challenge,
        handle: Handle,
        proof: bytes,
        code: Code,
        refresh_token: tokens.RefreshParts,
        bucket: int,
        origin: Origin,
    ) -> tuple[SessionRow, int, bytes] | TwofoldError:
        """Judge in the order ticket, account, session, code; an error that is returned is committed with its count."""
        now = self._clock()
        spent = await db_tickets.spend(
            tx,
            realm_id=realm.realm_id,
            ticket_id=found.ticket_id,
            handle_hash=handle.hash,
            binding_hash=None,
            now=now,
            proof=proof,
        )
        if not spent:
            raise TicketNotFound(field="challenge_token")
        account = await db_accounts.lock(tx, realm.realm_id, found.account_id)
        if account is None or account.epoch != found.epoch or account.state != "active":
            raise TicketNotFound(field="challenge_token")
        locked = await db_sessions.lock(
            tx, realm.realm_id, found.account_id, refresh_token.session_id, found.epoch, now
        )
        if locked is None or locked[0].client_id != origin.client_id:
            raise SessionEnded
        row, state = locked
        inner = self._tokens.refresh_inner(refresh_token)
        expected = tokens.finish_mac(inner, state.salt)
        # The newest token alone: whoever holds an older one is no part of this session, and RefreshSession judges that.
        if refresh_token.generation != state.generation or not tokens.same(expected, refresh_token.mac):
            raise SessionInvalid(field="refresh_token")
        if await end_changed(tx, realm, row, origin, now):
            return SessionUserAgentChanged()
        error = await judge_code(realm, found.account_id, code, tx, bucket, now)
        if error is not None:
            await db_tickets.unspend(
                tx, realm_id=realm.realm_id, ticket_id=found.ticket_id, attempt=isinstance(error, InvalidSecondFactor)
            )
            if isinstance(error, InvalidSecondFactor):
                await db_attempts.count_network(tx, realm.realm_id, origin.client.network, hour_of(now))
            return error
        assert code.kind is not None
        stepped = await prove_second_factor(
            tx, realm, row, code.kind, amr=code.amr, aal=code.aal, auth_time=None, rotate=True, now=now
        )
        return stepped, state.generation + 1, state.salt


async def end_changed(db: Connection, realm: Realm, row: SessionRow, origin: Origin, now: datetime) -> bool:
    """End a session that another User-Agent uses than its own, where the realm ends such; True if so."""
    user_agent = origin.client.comparable_user_agent
    if realm.settings.session_user_agent != "end" or user_agent is None or row.user_agent in ("", user_agent):
        return False
    await db_sessions.end(
        db,
        row.realm_id,
        row.account_id,
        row.session_id,
        kind="session_user_agent_changed",
        client_id=origin.client_id,
        now=now,
        end_trust=False,
        revocation_id=uuid7(),
        revocation_expire=now + REVOCATION_LIFE,
        event_id=uuid7(),
    )
    return True
