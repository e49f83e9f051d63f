"""The code that finishes a two-factor recovery: sent to the account's phone, judged with every other code by SMS."""

from __future__ import annotations

import json
from datetime import datetime
from functools import partial

from twofold_server.crypto import tokens
from twofold_server.crypto.keyring import Keyring
from twofold_server.db import attempts as db_attempts
from twofold_server.db import recovery as db_recovery
from twofold_server.db import tickets as db_tickets
from twofold_server.db.pool import Connection, Pool, transaction
from twofold_server.db.recovery import Step
from twofold_server.domain.attempts import (
    KNOWN,
    Origin,
    budget_of,
    choose_bucket,
    demand_network,
    hour_of,
    is_known_device,
    refusal,
)
from twofold_server.domain.clock import Clock
from twofold_server.domain.destinations import open_number
from twofold_server.domain.errors import (
    InvalidCode,
    InvalidSecondFactor,
    RecoveryNeedsSupport,
    TicketNotFound,
    TwofoldError,
)
from twofold_server.domain.factors import SLOT, sms_code
from twofold_server.domain.messages import MessageKind
from twofold_server.domain.proofs import Judge, judge_first_code, judge_first_sent_code
from twofold_server.domain.realms import Realm, Realms
from twofold_server.domain.recovery_effect import RECOVERY, RecoveryEffects
from twofold_server.domain.sending import CodeSent, Sending, Subject
from twofold_server.domain.sessions import SessionTokens
from twofold_server.domain.tickets import payload_place
from twofold_server.domain.two_factor_recovery import demand_standing
from twofold_server.domain.values import Handle, RealmId, ShortCode


class RecoveryCodes:
    """Sends the codes of recoveries whose link was opened, and finishes them."""

    def __init__(
        self,
        pool: Pool,
        keyring: Keyring,
        realms: Realms,
        session_tokens: SessionTokens,
        sending: Sending,
        effects: RecoveryEffects,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._keyring = keyring
        self._realms = realms
        self._tokens = session_tokens
        self._sending = sending
        self._effects = effects
        self._clock = clock

    async def send(self, realm_ids: tuple[RealmId, ...], handle: Handle, origin: Origin) -> CodeSent:
        """Send a code to the account's number; where one went out just now, tell how far that came instead.

        Raises TicketNotFound, RecoveryNeedsSupport.
        """
        realm, step = await self._step(realm_ids, handle, origin)
        if step.number is None:
            raise RecoveryNeedsSupport
        number = open_number(self._keyring, realm.realm_id, step.account_id, step.number)
        subject = Subject(step.ticket_id, step.account_id, step.epoch, origin.client_id, step.language_code)
        return await self._sending.code(
            realm, sms_code.KIND, number, subject, {}, first=False, message=MessageKind.RECOVERY_CODE
        )

    async def finish(self, realm_ids: tuple[RealmId, ...], handle: Handle, code: ShortCode, origin: Origin) -> datetime:
        """Take the second factor off with the code, at once or after the realm's wait; tell when.

        Raises TicketNotFound, AccountLocked, ChangesFrozen, InvalidCode, TooManyAttempts.
        """
        realm, step = await self._step(realm_ids, handle, origin)
        now = self._clock()
        budget = budget_of(step, sms_code.KIND)
        bucket = choose_bucket(realm, is_known_device(origin, step.device_generation), [budget], now)
        if bucket != KNOWN:
            demand_network(realm, origin.client, step.network_failures, now)
        if budget is not None and not budget.is_open(bucket, realm, now):
            raise refusal(realm, budget.wait_until[bucket - 1], now)
        judge = self._judge(realm, step, code)
        async with transaction(self._pool) as tx:
            result = await self._finish(tx, realm, step, handle, judge, bucket, origin)
        # After the commit: a wrong code must stay counted.
        if isinstance(result, TwofoldError):
            raise result
        return result

    def _judge(self, realm: Realm, step: Step, code: ShortCode) -> Judge:
        """How the code is judged: one that went to another number than the account's own, or to none, is wrong."""
        if step.sent_id is not None and step.sent_payload is not None and step.number is not None:
            place = payload_place(realm.realm_id, step.account_id, step.sent_id)
            destination = json.loads(self._keyring.open(step.sent_payload, place))["destination"]
            if destination == open_number(self._keyring, realm.realm_id, step.account_id, step.number):
                macs = self._keyring.code_macs(step.sent_id, sms_code.KIND, destination, code.digits)
                return partial(judge_first_sent_code, realm, step.account_id, sms_code.KIND, step.sent_id, list(macs))
        return partial(judge_first_code, realm, step.account_id, sms_code.KIND, False)

    async def _finish(
        self, tx: Connection, realm: Realm, step: Step, handle: Handle, judge: Judge, bucket: int, origin: Origin
    ) -> datetime | TwofoldError:
        now = self._clock()
        # First, so that of right codes at once one has the effect.
        if not await db_tickets.spend(
            tx, realm_id=realm.realm_id, ticket_id=step.ticket_id, handle_hash=handle.hash, binding_hash=None, now=now
        ):
            raise TicketNotFound(field="recovery_token")
        await demand_standing(tx, realm, step.account_id, step.epoch, "recovery_token", now)
        error = await judge(tx, bucket, now)
        if error is None:
            return await self._effects.finish(tx, realm, step, origin, now)
        wrong = isinstance(error, InvalidSecondFactor)
        await db_tickets.unspend(tx, realm_id=realm.realm_id, ticket_id=step.ticket_id, attempt=wrong)
        if wrong:
            await db_attempts.count_network(tx, realm.realm_id, origin.client.network, hour_of(now))
        return InvalidCode() if wrong else error

    async def _step(self, realm_ids: tuple[RealmId, ...], handle: Handle, origin: Origin) -> tuple[Realm, Step]:
        device, now = origin.client.device, self._clock()
        found = await db_recovery.step(
            self._pool,
            realm_ids=list(realm_ids),
            purpose=RECOVERY,
            handle_hash=handle.hash,
            client_id=origin.client_id,
            sent_slot=SLOT[sms_code.KIND],
            device_id=device.device_id if device else None,
            device_inner=self._tokens.device_inner(device) if device else None,
            device_proof=tokens.mac_proof(device.mac) if device else None,
            network=origin.client.network,
            hour=hour_of(now),
            now=now,
        )
        if found is None:
            raise TicketNotFound(field="recovery_token")
        return await self._realms.get(RealmId(found.realm_id)), found
