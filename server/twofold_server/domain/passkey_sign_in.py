"""Signing in by a passkey alone: a possession and, by its user verification, a second factor in one."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from uuid_utils.compat import uuid7

from twofold_server.crypto import tokens
from twofold_server.crypto.hash_engine import HashEngine
from twofold_server.crypto.keyring import Keyring
from twofold_server.db import attempts as db_attempts
from twofold_server.db import challenges as db_challenges
from twofold_server.db import passkeys as db_passkeys
from twofold_server.db import tickets as db_tickets
from twofold_server.db.passkeys import Found
from twofold_server.db.pool import Pool
from twofold_server.db.tickets import NewTicket
from twofold_server.db.verdicts import Code
from twofold_server.domain.attempts import (
    KNOWN,
    Origin,
    attempt,
    budget_of,
    choose_bucket,
    count_call,
    demand_network,
    hour_of,
    hourly_limit,
    is_known_device,
    refusal,
)
from twofold_server.domain.clock import Clock
from twofold_server.domain.errors import AccountLocked, InvalidCredentials, TicketNotFound, TooManyAttempts
from twofold_server.domain.factors import passkey
from twofold_server.domain.messages import MessageKind, Messages
from twofold_server.domain.new_sessions import (
    details_of,
    finished,
    new_device,
    new_session,
    session_row,
    trust_end,
)
from twofold_server.domain.realms import Realm
from twofold_server.domain.sessions import SessionTokens, SignedIn
from twofold_server.domain.tickets import payload_place
from twofold_server.domain.values import Handle, PasskeyAnswer

PASSKEY: Final = "passkey"


@dataclass(frozen=True, slots=True)
class Asked:
    """A sign-in by passkey under way: what the browser is asked, the same for everybody."""

    passkey_token: str = field(repr=False)
    passkey_binding: str = field(repr=False)
    expire_time: datetime
    options_json: str


class PasskeySignIns:
    """Signs users in whose passkey says who they are."""

    def __init__(
        self,
        pool: Pool,
        keyring: Keyring,
        engine: HashEngine,
        session_tokens: SessionTokens,
        messages: Messages,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._keyring = keyring
        self._engine = engine
        self._tokens = session_tokens
        self._messages = messages
        self._clock = clock

    async def begin(self, realm: Realm, audience: str, origin: Origin) -> Asked:
        """Ask whoever is there for a passkey. Raises FactorKindUnavailable, TooManyAttempts (its network)."""
        question = passkey.discover(realm)
        now = self._clock()
        # Each writes a row, and nobody has proven anything.
        settings = realm.settings
        limit = hourly_limit(
            origin.client, settings.passkey_begins_per_network_per_hour, settings.passkey_begins_per_caller_per_hour
        )
        await count_call(self._pool, realm.realm_id, f"passkey:{origin.client.network}", limit, now)
        token, handle_hash = tokens.new_secret_token()
        binding, binding_hash = tokens.new_secret_token()
        ticket_id = uuid7()
        expire_time = now + realm.settings.challenge_lifetime
        payload = json.dumps({"audience": audience, **question.payload})
        await db_tickets.put_unbounded(
            self._pool,
            NewTicket(
                ticket_id=ticket_id,
                realm_id=realm.realm_id,
                purpose=PASSKEY,
                subject="",
                handle_hash=handle_hash,
                binding_hash=binding_hash,
                payload=self._keyring.seal(payload.encode(), payload_place(realm.realm_id, None, ticket_id)),
                create_time=now,
                expire_time=expire_time,
                client_id=origin.client_id,
            ),
        )
        return Asked(token, binding, expire_time, question.options_json)

    async def finish(
        self,
        realm: Realm,
        handle: Handle,
        binding: Handle,
        answer: PasskeyAnswer,
        origin: Origin,
        *,
        trust_device: bool = False,
    ) -> SignedIn:
        """Sign in with the answer, which is good once.

        One of a passkey that nobody has gets the answer of a wrong one. Raises TicketNotFound, InvalidCredentials,
        TooManyAttempts, AccountLocked, FactorKindUnavailable, Overloaded.
        """
        now = self._clock()
        # By its binding too: judged behind the passkey, a wrong one would tell, uncounted, whether that is anybody's.
        ticket = await db_tickets.peek(
            self._pool,
            realm_ids=[realm.realm_id],
            purpose=PASSKEY,
            handle_hash=handle.hash,
            now=now,
            binding_hash=binding.hash,
            client_id=origin.client_id,
        )
        if ticket is None:
            raise TicketNotFound(field="passkey_assertion.passkey_token")
        payload = json.loads(self._keyring.open(ticket.payload, payload_place(realm.realm_id, None, ticket.ticket_id)))
        found = await self._read(realm, answer, origin)
        bucket = choose_bucket(
            realm, is_known_device(origin, found.device_generation), [budget_of(found, passkey.KIND)], now
        )
        known = bucket == KNOWN
        if not known:
            demand_network(realm, origin.client, found.network_failures, now)
        if found.account_id is None or found.epoch is None or found.email is None:
            await db_attempts.count_network(self._pool, realm.realm_id, origin.client.network, hour_of(now))
            raise InvalidCredentials
        budget = budget_of(found, passkey.KIND)
        if budget is not None and not budget.is_open(bucket, realm, now):
            raise refusal(realm, budget.wait_until[bucket - 1], now)
        proof = await passkey.verify(self._keyring, self._engine, realm, found, payload, answer, first_factor=True)
        if proof.right and found.state != "active":
            raise AccountLocked
        now = self._clock()
        session = new_session(
            realm, origin, now, payload["audience"], answer, auth_time=now, proven=proof.amr, with_password=False
        )
        generation = origin.client.device.generation if known and origin.client.device else 0
        trusted_until = trust_end(realm, wanted=trust_device, proven=True, now=now)
        device = new_device(found.device_id, known, generation, trusted_until)
        verdict, _ = await db_challenges.finish(
            self._pool,
            attempt(realm, origin, bucket, now, details_of(session, answer)),
            handle_hash=handle.hash,
            binding_hash=binding.hash,
            proof=self._keyring.code_mac(ticket.ticket_id, PASSKEY, "", answer.text),
            account_id=found.account_id,
            epoch=found.epoch,
            code=Code(
                "given",
                passkey.KIND,
                factor_id=proof.factor_id,
                sent_ok=proof.right,
                amr=proof.amr,
                new_secret=proof.secret,
            ),
            session=session,
            device=device,
            notice=None
            if known
            else self._messages.prepare(
                realm.realm_id,
                MessageKind.NEW_DEVICE,
                to=found.email,
                account_id=found.account_id,
                language=found.language_code or origin.client.language_code or realm.settings.language_code,
                params={"ip_address": origin.client.ip_address, "user_agent": origin.client.user_agent},
            ),
            purpose=PASSKEY,
        )
        match verdict.outcome:
            case "signed_in":
                row = session_row(realm, found.account_id, found.epoch, session, device, origin, now)
                return await finished(self._tokens, realm, row, session, verdict, device)
            case "wrong_code":
                raise InvalidCredentials
            case "code_exhausted":
                raise TooManyAttempts(retry_after=realm.settings.first_wait.total_seconds())
        raise TicketNotFound(field="passkey_assertion.passkey_token")

    async def _read(self, realm: Realm, answer: PasskeyAnswer, origin: Origin) -> Found:
        device = origin.client.device
        return await db_passkeys.read(
            self._pool,
            realm_id=realm.realm_id,
            # What is no answer at all is looked for too: it costs what a wrong one does.
            credential_hash=passkey.looked_up_by(realm, answer) or b"",
            device_id=device.device_id if device else None,
            device_inner=self._tokens.device_inner(device) if device else None,
            device_proof=tokens.mac_proof(device.mac) if device else None,
            network=origin.client.network,
            hour=hour_of(self._clock()),
        )
