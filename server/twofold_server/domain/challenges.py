"""Challenges: a second factor that a sign-in or step-up owes, picked and answered."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from twofold_server.crypto import tokens
from twofold_server.crypto.keyring import Keyring, Place
from twofold_server.db import challenges as db_challenges
from twofold_server.db import sessions as db_sessions
from twofold_server.db.outbox import OutboxRow
from twofold_server.db.pool import Pool
from twofold_server.db.verdicts import Code
from twofold_server.domain.attempts import (
    KNOWN,
    Counted,
    Origin,
    attempt,
    budget_of,
    choose_bucket,
    demand_network,
    hour_of,
    refusal,
)
from twofold_server.domain.channels import distinct
from twofold_server.domain.clock import Clock
from twofold_server.domain.errors import (
    FactorNotFound,
    InvalidSecondFactor,
    TicketNotFound,
    TooManyAttempts,
    TwoFactorNotEnrolled,
)
from twofold_server.domain.factors import SLOT, Factors, backup_codes, email_code, passkey, sms_code
from twofold_server.domain.factors.kinds import Sent, secret_place
from twofold_server.domain.messages import MessageKind, Messages
from twofold_server.domain.new_sessions import details_of, finished, new_device, new_session, session_row, trust_end
from twofold_server.domain.realms import Realm, Realms
from twofold_server.domain.sending import CodeSent, Sending, Subject
from twofold_server.domain.sessions import SessionTokens, SignedIn
from twofold_server.domain.tickets import payload_place
from twofold_server.domain.values import BackupCode, Handle, RealmId, SecondFactor

CHALLENGE: Final = "challenge"
STEP_UP: Final = "step_up"


@dataclass(frozen=True, slots=True)
class Challenged:
    """The password was right; a second factor is owed. `kinds` has the preferred one first."""

    challenge_token: str = field(repr=False)
    challenge_binding: str = field(repr=False)
    expire_time: datetime
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Started:
    """The kind that a challenge now waits for, until when, and what was sent for it."""

    kind: str
    expire_time: datetime
    sent: CodeSent | None = None
    question: passkey.Question | None = None


class Challenges:
    """Finishes sign-ins whose second factor is owed."""

    def __init__(
        self,
        pool: Pool,
        keyring: Keyring,
        factors: Factors,
        realms: Realms,
        session_tokens: SessionTokens,
        messages: Messages,
        sending: Sending,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._keyring = keyring
        self._factors = factors
        self._realms = realms
        self._tokens = session_tokens
        self._messages = messages
        self._sending = sending
        self._clock = clock

    async def start(
        self,
        realm_ids: tuple[RealmId, ...],
        handle: Handle,
        binding: Handle,
        kind: str,
        factor_id: UUID | None,
        client_id: str,
    ) -> Started:
        """Pick the kind, and the factor where one is named, that a sign-in's or step-up's challenge is answered with.

        Sends what the kind has to send, at most once a minute. Raises TicketNotFound, TwoFactorNotEnrolled (not this
        kind), FactorNotFound.
        """
        now = self._clock()
        for purpose in (CHALLENGE, STEP_UP):
            found = await db_challenges.read(
                self._pool,
                realm_ids=list(realm_ids),
                purpose=purpose,
                handle_hash=handle.hash,
                binding_hash=binding.hash,
                client_id=client_id,
                now=now,
                slot=None,
                network="",
                hour=hour_of(now),
            )
            if found is None or not found.live:
                continue
            realm = await self._realms.get(RealmId(found.realm_id))
            # Of a session that its user has ended nothing is sent any more.
            if found.session_id is not None and not await db_sessions.token_state(
                self._pool, realm.realm_id, found.session_id
            ):
                break
            factors = distinct(self._keyring, realm, found)
            if kind not in kinds_of(realm, [factor[1] for factor in factors], found.backup_codes_left):
                raise TwoFactorNotEnrolled
            if kind not in SLOT:
                return Started(kind, found.expire_time)
            known = found.device_id is not None
            subject = Subject(found.ticket_id, found.account_id, found.epoch, client_id, found.language_code, known)
            if kind == passkey.KIND:
                question = passkey.challenge(self._keyring, realm, found)
                await self._sending.question(realm, kind, subject, dict(question.payload), found.expire_time)
                return Started(kind, found.expire_time, question=question)
            chosen, secret = _chosen(factors, kind, factor_id)
            opened = self._keyring.open(secret, secret_place(realm.realm_id, found.account_id, chosen))
            destination = (sms_code if kind == sms_code.KIND else email_code).challenge(opened)
            sent = await self._sending.code(realm, kind, destination, subject, {"factor_id": str(chosen)}, first=False)
            return Started(kind, found.expire_time, sent)
        raise TicketNotFound(field="challenge_token")

    async def finish(
        self,
        realm_ids: tuple[RealmId, ...],
        handle: Handle,
        binding: Handle,
        second_factor: SecondFactor,
        origin: Origin,
        *,
        trust_device: bool = False,
    ) -> SignedIn | None:
        """Finish a sign-in with its second factor; None if there is no such challenge of a sign-in.

        The same challenge and code within 10 s get the same session again. Raises TicketNotFound, InvalidSecondFactor,
        TooManyAttempts, Overloaded.
        """
        now = self._clock()
        found = await db_challenges.read(
            self._pool,
            realm_ids=list(realm_ids),
            purpose=CHALLENGE,
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
            return None
        realm = await self._realms.get(RealmId(found.realm_id))
        proof = self._keyring.code_mac(found.ticket_id, CHALLENGE, "", second_factor.text)
        if not found.live and not (found.spent_proof and tokens.same(found.spent_proof, proof)):
            raise TicketNotFound(field="challenge_token")
        bucket = choose_bucket(realm, found.device_id is not None, [budget_of(found, second_factor.kind)], now)
        known = bucket == KNOWN
        if found.live:
            if not known:
                demand_network(realm, origin.client, found.network_failures, now)
            demand_code_open(realm, found, second_factor.kind, bucket, now)
        payload = json.loads(
            self._keyring.open(found.payload, challenge_place(realm.realm_id, found.account_id, found.ticket_id))
        )
        # A repeat is judged by its proof alone: no second hash for a backup code that was right already.
        code = (
            await self._factors.verify(
                realm, found, second_factor, known_device=known, sent=sent_of(self._keyring, found)
            )
            if found.live
            else Code("given", second_factor.kind)
        )
        now = self._clock()
        session = new_session(
            realm,
            origin,
            now,
            payload["audience"],
            second_factor,
            auth_time=datetime.fromisoformat(payload["auth_time"]),
            proven=code.amr,
            aal=code.aal,
            ip_address=payload["ip_address"],
            user_agent=payload["user_agent"],
        )
        trusted_until = trust_end(realm, wanted=trust_device, proven=True, now=now)
        device = new_device(found.device_id, known, payload["generation"], trusted_until)
        verdict, repeated_session = await db_challenges.finish(
            self._pool,
            attempt(realm, origin, bucket, now, details_of(session, second_factor)),
            handle_hash=handle.hash,
            binding_hash=binding.hash,
            proof=proof,
            account_id=found.account_id,
            epoch=found.epoch,
            code=code,
            session=session,
            device=device,
            notice=None if known else self._challenge_notice(realm, found, payload),
        )
        match verdict.outcome:
            case "signed_in":
                row = session_row(realm, found.account_id, found.epoch, session, device, origin, now)
                return await finished(self._tokens, realm, row, session, verdict, device)
            case "repeated" if repeated_session is not None:
                return await self._again(realm, repeated_session)
            case "wrong_code":
                raise InvalidSecondFactor
            case "code_exhausted":
                raise code_refusal(realm, found, second_factor.kind, bucket, now)
        raise TicketNotFound(field="challenge_token")

    async def _again(self, realm: Realm, session_id: UUID) -> SignedIn:
        """The session of an answer that was lost, with the same refresh and device tokens.

        Gone once it was refreshed.
        """
        found = await db_sessions.token_state(self._pool, realm.realm_id, session_id)
        if found is None or found[1].generation != 0:
            raise TicketNotFound(field="challenge_token")
        row, state = found
        made = await self._tokens.both(realm, row, state.generation, state.salt)
        device = ""
        if row.device_id is not None and state.device_salt is not None and state.device_generation is not None:
            device = self._tokens.device(row.device_id, state.device_generation, state.device_salt)
        return SignedIn(row, made, device)

    def _challenge_notice(self, realm: Realm, found: db_challenges.Challenge, payload: dict[str, Any]) -> OutboxRow:
        return self._messages.prepare(
            realm.realm_id,
            MessageKind.NEW_DEVICE,
            to=found.email,
            account_id=found.account_id,
            language=found.language_code or realm.settings.language_code,
            params={"ip_address": payload["ip_address"], "user_agent": payload["user_agent"]},
        )


def sent_of(keyring: Keyring, found: db_challenges.Challenge) -> Sent | None:
    """What was sent for a challenge and still waits; None if nothing does."""
    if found.sent_id is None or found.sent_payload is None:
        return None
    payload = keyring.open(found.sent_payload, payload_place(found.realm_id, found.account_id, found.sent_id))
    return Sent(found.sent_id, json.loads(payload), found.sent_answer, found.sent_factor_id)


def _chosen(factors: list[tuple[UUID, str, bytes]], kind: str, factor_id: UUID | None) -> tuple[UUID, bytes]:
    """The factor that is named, or the preferred one of the kind. Raises FactorNotFound."""
    for enrolled, its_kind, secret in factors:
        if its_kind == kind and factor_id in (None, enrolled):
            return enrolled, secret
    raise FactorNotFound(field=f"{kind}.factor_id")


def kinds_of(realm: Realm, factor_kinds: list[str] | None, backup_codes_left: bool) -> tuple[str, ...]:
    """The kinds that a challenge can be answered with, in order, each once."""
    kinds = [kind for kind in dict.fromkeys(factor_kinds or ()) if kind != passkey.KIND or passkey.is_offered(realm)]
    return tuple([*kinds, backup_codes.KIND] if backup_codes_left else kinds)


def demand_code_open(realm: Realm, found: Counted, kind: str, bucket: int, now: datetime) -> None:
    """Refuse, before any work for a code, what its count would refuse after it."""
    budget = budget_of(found, kind)
    if budget is not None and not budget.is_open(bucket, realm, now):
        raise refusal(realm, budget.wait_until[bucket - 1], now)


def code_refusal(realm: Realm, found: Counted, kind: str, bucket: int, now: datetime) -> TooManyAttempts:
    """Say that a code's count is closed; until when is as the read saw it, at least the first wait."""
    budget = budget_of(found, kind)
    until = budget.wait_until[bucket - 1] if budget is not None else None
    return refusal(realm, max(until, now + realm.settings.first_wait) if until else None, now)


def challenge_place(realm_id: str, account_id: UUID | None, ticket_id: UUID) -> Place:
    """Where a challenge's payload is sealed for."""
    return payload_place(realm_id, account_id, ticket_id)
