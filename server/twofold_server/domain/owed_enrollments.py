"""Enrolments that a sign-in owes: the realm demands a second factor, and the account has none yet."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from twofold_server.crypto.keyring import Keyring
from twofold_server.db import accounts as db_accounts
from twofold_server.db import attempts as db_attempts
from twofold_server.db import challenges as db_challenges
from twofold_server.db import new_sessions as db_new_sessions
from twofold_server.db import tickets as db_tickets
from twofold_server.db.challenges import Challenge
from twofold_server.db.factors import FactorRow
from twofold_server.db.pool import Connection, Pool, transaction
from twofold_server.db.verdicts import Verdict
from twofold_server.domain import reenrollments
from twofold_server.domain.active_sessions import demand_unfrozen
from twofold_server.domain.attempts import KNOWN, Origin, attempt, budget_of, choose_bucket, demand_network, hour_of
from twofold_server.domain.challenges import challenge_place, demand_code_open
from twofold_server.domain.clock import Clock
from twofold_server.domain.enrolling import Begun, Enrolled, Enrollee, Enrolling
from twofold_server.domain.errors import InvalidSecondFactor, TicketNotFound, TwofoldError
from twofold_server.domain.first_proofs import FirstProofs
from twofold_server.domain.messages import MessageKind, Messages
from twofold_server.domain.new_sessions import details_of, finished, new_device, new_session, session_row, trust_end
from twofold_server.domain.realms import Realm, Realms
from twofold_server.domain.security_log import SecurityLog
from twofold_server.domain.sessions import SessionTokens
from twofold_server.domain.values import EmailAddress, FirstProof, Handle, PhoneNumber, RealmId, SupportCode
from twofold_server.domain.written_texts import DisplayName

OWED_ENROLLMENT: Final = "owed_enrollment"
_FIELD: Final = "owed_enrollment_token"


@dataclass(frozen=True, slots=True)
class EnrollmentOwed:
    """The password was right; a second factor must be set up before a session begins. `kinds` may be enrolled.

    `support_code_required`: with the code that support has handed over.
    """

    owed_enrollment_token: str = field(repr=False)
    owed_enrollment_binding: str = field(repr=False)
    expire_time: datetime
    kinds: tuple[str, ...]
    support_code_required: bool


class OwedEnrollments:
    """Sets up the factor that a sign-in owes, and finishes the sign-in with it."""

    def __init__(
        self,
        pool: Pool,
        keyring: Keyring,
        enrolling: Enrolling,
        first_proofs: FirstProofs,
        realms: Realms,
        session_tokens: SessionTokens,
        messages: Messages,
        log: SecurityLog,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._keyring = keyring
        self._enrolling = enrolling
        self._first_proofs = first_proofs
        self._realms = realms
        self._tokens = session_tokens
        self._messages = messages
        self._log = log
        self._clock = clock

    async def begin(
        self,
        realm_ids: tuple[RealmId, ...],
        handle: Handle,
        binding: Handle,
        client_id: str,
        kind: str,
        destination: EmailAddress | PhoneNumber | None,
        name: DisplayName,
        support_code: SupportCode | None,
    ) -> Begun:
        """Begin to set up a factor of a kind; codes go to the `destination`. After a reset by support, with its code.

        Raises TicketNotFound, ResendTooSoon, FactorKindUnavailable, ChannelNotDistinct, InvalidCode,
        RecoveryNeedsSupport, ChangesFrozen, Overloaded.
        """
        found = await self._read(realm_ids, handle, binding, client_id, network="")
        realm = await self._realms.get(RealmId(found.realm_id))
        # Who finishes what was begun with it has shown it: the enrolment's own token goes with this answer alone.
        await reenrollments.demand_code(
            self._pool, realm, found.account_id, found.reenroll_by, support_code, self._clock()
        )
        whose = self._enrollee(realm, found)[0]
        return await self._enrolling.begin(realm, whose, client_id, kind, destination, name)

    async def finish(
        self,
        realm_ids: tuple[RealmId, ...],
        handle: Handle,
        binding: Handle,
        enrollment: Handle,
        proof: FirstProof,
        origin: Origin,
        *,
        trust_device: bool = False,
    ) -> Enrolled:
        """Enrol what was begun, with a first proof, which is spent, and begin the session.

        A wrong proof counts like one at a sign-in, and five end the step. Raises TicketNotFound, InvalidSecondFactor,
        TooManyAttempts, FactorKindUnavailable, ApproverNotPaired, RecoveryNeedsSupport,
        ChangesFrozen, Overloaded.
        """
        found = await self._read(realm_ids, handle, binding, origin.client_id, network=origin.client.network)
        realm = await self._realms.get(RealmId(found.realm_id))
        whose, payload = self._enrollee(realm, found)
        ticket, begun = await self._enrolling.peek(realm, whose, enrollment, proof)
        now = self._clock()
        bucket = choose_bucket(realm, found.device_id is not None, [budget_of(found, proof.kind)], now)
        known = bucket == KNOWN
        if not known:
            demand_network(realm, origin.client, found.network_failures, now)
        demand_code_open(realm, found, proof.kind, bucket, now)
        first = await self._first_proofs.look(realm, found.account_id, ticket.ticket_id, begun, proof)
        now = self._clock()
        session = new_session(
            realm,
            origin,
            now,
            payload["audience"],
            proof,
            auth_time=datetime.fromisoformat(payload["auth_time"]),
            proven=first.amr,
            aal=first.aal,
            ip_address=payload["ip_address"],
            user_agent=payload["user_agent"],
        )
        device = new_device(
            found.device_id,
            known,
            payload["generation"],
            trust_end(realm, wanted=trust_device, proven=True, now=now),
        )
        row = session_row(realm, found.account_id, found.epoch, session, device, origin, now)
        notice = self._messages.prepare(
            realm.realm_id,
            MessageKind.NEW_DEVICE,
            to=found.email,
            account_id=found.account_id,
            language=found.language_code or realm.settings.language_code,
            params={"ip_address": payload["ip_address"], "user_agent": payload["user_agent"]},
        )

        async with transaction(self._pool) as tx:
            # Ticket, account, password, code, then what they allow: the order in which every statement locks.
            if not await db_tickets.spend(
                tx,
                realm_id=realm.realm_id,
                ticket_id=found.ticket_id,
                handle_hash=handle.hash,
                binding_hash=binding.hash,
                now=now,
            ):
                raise TicketNotFound(field=_FIELD)
            account = await db_accounts.lock(tx, realm.realm_id, found.account_id)
            if account is None or account.epoch != found.epoch or account.state != "active" or account.second_factor:
                raise TicketNotFound(field=_FIELD)
            result: TwofoldError | tuple[FactorRow, Verdict]
            error = await first.judge(tx, bucket, now)
            if error is not None:
                await self._count(tx, realm, found, origin, error, now)
                result = error
            else:
                await reenrollments.settle(tx, realm, found.account_id, account.reenroll_by, now)
                factor = await self._enrolling.add(tx, realm, whose, ticket, enrollment, begun, first, now)
                verdict = await db_new_sessions.begin(
                    tx,
                    attempt(realm, origin, bucket, now, details_of(session, proof)),
                    account_id=found.account_id,
                    epoch=found.epoch,
                    session=session,
                    device=device,
                    notice=None if known else notice,
                )
                if verdict is None:
                    raise TicketNotFound(field=_FIELD)
                await self._log.record(
                    tx,
                    realm,
                    row,
                    origin,
                    "factor_added",
                    MessageKind.TWO_FACTOR_ENABLED,
                    params={"factor_name": factor.name, "factor_kind": factor.kind},
                    details={"factor_id": str(factor.factor_id), "factor_kind": factor.kind},
                )
                result = factor, verdict
        if isinstance(result, TwofoldError):
            raise result
        factor, verdict = result
        codes = await self._enrolling.first_codes(realm, whose, account.email, found.epoch)
        return Enrolled(factor, codes, await finished(self._tokens, realm, row, session, verdict, device))

    async def _read(
        self, realm_ids: tuple[RealmId, ...], handle: Handle, binding: Handle, client_id: str, *, network: str
    ) -> Challenge:
        now = self._clock()
        found = await db_challenges.read(
            self._pool,
            realm_ids=list(realm_ids),
            purpose=OWED_ENROLLMENT,
            handle_hash=handle.hash,
            binding_hash=binding.hash,
            client_id=client_id,
            now=now,
            slot=None,
            network=network,
            hour=hour_of(now),
        )
        # With a factor the sign-in owes that one, and nobody sets up another beside it without a session.
        if found is None or not found.live or found.factor_ids:
            raise TicketNotFound(field=_FIELD)
        # Whoever changed the address has the password too: a factor of theirs would keep the owner out.
        # They have not the code that support demands of who enrols after a reset.
        if found.reenroll_by is None:
            demand_unfrozen(found.changes_frozen_until, now)
        return found

    def _enrollee(self, realm: Realm, found: Challenge) -> tuple[Enrollee, dict[str, Any]]:
        place = challenge_place(realm.realm_id, found.account_id, found.ticket_id)
        payload: dict[str, Any] = json.loads(self._keyring.open(found.payload, place))
        return Enrollee(found.account_id, found.epoch, found.ticket_id, payload["user_agent"]), payload

    async def _count(
        self, tx: Connection, realm: Realm, found: Challenge, origin: Origin, error: TwofoldError, now: datetime
    ) -> None:
        """Give the ticket back, one attempt fewer if the proof was wrong: committed with its count."""
        wrong = isinstance(error, InvalidSecondFactor)
        await db_tickets.unspend(tx, realm_id=realm.realm_id, ticket_id=found.ticket_id, attempt=wrong)
        if wrong:
            await db_attempts.count_network(tx, realm.realm_id, origin.client.network, hour_of(now))
