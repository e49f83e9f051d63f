"""A lost second factor: the password and the mailbox begin its recovery, the phone finishes it.

The two channels are the mailbox and the phone. The password is no third: one that was set by a link to that mailbox
proves no more than the mailbox does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from twofold_server.crypto import tokens
from twofold_server.crypto.keyring import Keyring
from twofold_server.db import accounts as db_accounts
from twofold_server.db import phone_numbers as db_phone_numbers
from twofold_server.db import tickets as db_tickets
from twofold_server.db.pool import Connection, Pool, transaction
from twofold_server.db.tickets import NewTicket
from twofold_server.domain.active_sessions import demand_unfrozen
from twofold_server.domain.attempts import Origin
from twofold_server.domain.captcha import Captchas
from twofold_server.domain.clock import Clock
from twofold_server.domain.destinations import open_number
from twofold_server.domain.errors import (
    AccountLocked,
    RecoveryNeedsSupport,
    TicketNotFound,
)
from twofold_server.domain.masking import mask_phone
from twofold_server.domain.messages import MessageKind, Messages
from twofold_server.domain.realms import SUPPORT_REALM, Realm, Realms
from twofold_server.domain.recovery import count_recovery, subject_of
from twofold_server.domain.recovery_effect import CANCEL, RECOVERY, RecoveryEffects
from twofold_server.domain.recovery_gate import PasswordGate
from twofold_server.domain.security_log import SecurityLog
from twofold_server.domain.tickets import payload_place, put_in_slot
from twofold_server.domain.values import EmailAddress, Handle, Password, RealmId

LINK: Final = "recovery_link"


@dataclass(frozen=True, slots=True)
class Begun:
    """What a begun recovery answers, for every address and password alike."""

    recovery_binding: str = field(repr=False)
    expire_time: datetime


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A recovery whose link was opened: what goes on with it, and where a code would go, masked."""

    recovery_token: str = field(repr=False)
    expire_time: datetime
    masked: str


class TwoFactorRecoveries:
    """Takes lost second factors off accounts."""

    def __init__(
        self,
        pool: Pool,
        keyring: Keyring,
        gate: PasswordGate,
        realms: Realms,
        messages: Messages,
        log: SecurityLog,
        effects: RecoveryEffects,
        captchas: Captchas,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._keyring = keyring
        self._gate = gate
        self._realms = realms
        self._messages = messages
        self._log = log
        self._effects = effects
        self._captchas = captchas
        self._clock = clock

    async def begin(self, realm: Realm, email: EmailAddress, password: Password, origin: Origin) -> Begun:
        """Mail a link, if the password is right; the answer, work and writes are the same if it is not.

        Raises TooManyAttempts (of the password, or its network), CaptchaRequired, CaptchaInvalid, CaptchaUnavailable,
        ChangedMeanwhile, Overloaded.
        """
        await count_recovery(self._pool, realm, origin, self._clock())
        await self._captchas.demand(realm, origin, always=True)
        judged = await self._gate.judge(realm, email, password, origin)
        now = self._clock()
        token, handle_hash = tokens.new_secret_token()
        binding, binding_hash = tokens.new_secret_token()
        right, purpose = judged.account_id is not None, LINK
        if not right:
            # In slots of its own, so that guesses take none of the owner's; under a handle that nobody holds, so that
            # the worker finds no ticket for the mail.
            handle_hash, purpose = tokens.new_secret_token()[1], f"{LINK}:wrong"
        ticket_id = uuid7()
        expire_time = now + realm.settings.recovery_link_lifetime
        kept = {"account_id": str(judged.account_id or ""), "epoch": judged.epoch}
        ticket = NewTicket(
            ticket_id=ticket_id,
            realm_id=realm.realm_id,
            purpose=LINK,
            subject=subject_of(self._keyring, realm, purpose, email, judged.device_id),
            handle_hash=handle_hash,
            binding_hash=binding_hash,
            payload=self._keyring.seal(json.dumps(kept).encode(), payload_place(realm.realm_id, None, ticket_id)),
            create_time=now,
            expire_time=expire_time,
        )
        mail = self._messages.prepare(
            realm.realm_id,
            MessageKind.TWO_FACTOR_RECOVERY,
            to=email,
            ticket_id=ticket_id,
            language=judged.language_code or origin.client.language_code or realm.settings.language_code,
            expire_time=expire_time,
            params={"token": token},
        )
        await put_in_slot(self._pool, ticket, mail)
        return Begun(binding, expire_time)

    async def confirm(
        self, realm_ids: tuple[RealmId, ...], handle: Handle, binding: Handle, origin: Origin
    ) -> Confirmed:
        """Spend the link on the device that began, and tell the owner everywhere how to cancel.

        Raises TicketNotFound, AccountLocked, ChangesFrozen, RecoveryNeedsSupport.
        """
        now = self._clock()
        ticket = await db_tickets.peek(
            self._pool,
            realm_ids=list(realm_ids),
            purpose=LINK,
            handle_hash=handle.hash,
            now=now,
            binding_hash=binding.hash,
        )
        if ticket is None:
            raise TicketNotFound(field="recovery_link_token")
        realm = await self._realms.get(RealmId(ticket.realm_id))
        kept = json.loads(self._keyring.open(ticket.payload, payload_place(realm.realm_id, None, ticket.ticket_id)))
        account_id = UUID(kept["account_id"])
        async with transaction(self._pool) as tx:
            if not await db_tickets.spend(
                tx,
                realm_id=realm.realm_id,
                ticket_id=ticket.ticket_id,
                handle_hash=handle.hash,
                binding_hash=binding.hash,
                now=now,
            ):
                raise TicketNotFound(field="recovery_link_token")
            await demand_standing(tx, realm, account_id, kept["epoch"], "recovery_link_token", now)
            # Told here and not before: whoever lacks the mailbox learns nothing of the phone.
            number = await db_phone_numbers.get(tx, realm.realm_id, account_id)
            # An agent's mailbox and SIM card must not be the way to the desk: other agents decide.
            if number is None or realm.realm_id == SUPPORT_REALM:
                raise RecoveryNeedsSupport
            token, expire_time = await self._put_step(tx, realm, account_id, kept["epoch"], origin, now)
        text = open_number(self._keyring, realm.realm_id, account_id, number.number)
        return Confirmed(token, expire_time, mask_phone(text))

    async def _put_step(
        self, tx: Connection, realm: Realm, account_id: UUID, epoch: int, origin: Origin, now: datetime
    ) -> tuple[str, datetime]:
        token, handle_hash = tokens.new_secret_token()
        cancel_token, cancel_hash = tokens.new_secret_token()
        step_id, cancel_id = uuid7(), uuid7()
        expire_time = now + realm.settings.recovery_lifetime
        payload = json.dumps({"cancel_token": cancel_token}).encode()

        def ticket(
            ticket_id: UUID, purpose: str, subject: str, hash: bytes, payload: bytes, end: datetime
        ) -> NewTicket:
            place = payload_place(realm.realm_id, account_id, ticket_id)
            return NewTicket(
                ticket_id=ticket_id,
                realm_id=realm.realm_id,
                purpose=purpose,
                subject=subject,
                handle_hash=hash,
                binding_hash=None,
                payload=self._keyring.seal(payload, place),
                create_time=now,
                expire_time=end,
                account_id=account_id,
                epoch=epoch,
                client_id=origin.client_id,
            )

        await db_tickets.put_unbounded(
            tx, ticket(step_id, RECOVERY, str(account_id), handle_hash, payload, expire_time)
        )
        # A day longer than the wait can last: it is good until the effect, however late that comes.
        cancel_end = self._effects.cancel_end(realm, expire_time)
        await db_tickets.put_unbounded(tx, ticket(cancel_id, CANCEL, str(step_id), cancel_hash, b"{}", cancel_end))
        await self._log.tell(
            tx,
            realm,
            account_id,
            MessageKind.TWO_FACTOR_RECOVERY_BEGUN,
            params={**origin.personal, "token": cancel_token},
        )
        return token, expire_time


async def demand_standing(
    tx: Connection, realm: Realm, account_id: UUID, epoch: int, field: str, now: datetime
) -> None:
    """Lock the account, and demand that it is as it was when the recovery began.

    Raises TicketNotFound, AccountLocked, ChangesFrozen.
    """
    locked = await db_accounts.lock(tx, realm.realm_id, account_id)
    if locked is not None and locked.state != "active":
        raise AccountLocked
    if locked is None or locked.epoch != epoch or not locked.second_factor:
        raise TicketNotFound(field=field)
    # The mailbox may be an intruder's, whose change of address was taken back.
    demand_unfrozen(locked.changes_frozen_until, now)
