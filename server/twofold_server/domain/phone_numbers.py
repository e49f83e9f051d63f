"""The phone number of an account: changed by a code that is sent to the new one."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from uuid_utils.compat import uuid7

from twofold_server.crypto import short_codes, tokens
from twofold_server.crypto.keyring import Keyring
from twofold_server.db import accounts as db_accounts
from twofold_server.db import change_tickets as db_change_tickets
from twofold_server.db import phone_numbers as db_phone_numbers
from twofold_server.db import tickets as db_tickets
from twofold_server.db.pool import Connection, Pool, transaction
from twofold_server.db.tickets import NewTicket
from twofold_server.domain.active_sessions import ActiveSession
from twofold_server.domain.attempts import Origin
from twofold_server.domain.clock import Clock
from twofold_server.domain.deliveries import Delivery, delivery_of_ticket
from twofold_server.domain.destinations import number_macs, number_place, open_number
from twofold_server.domain.errors import InvalidCode, ResendTooSoon, SessionEnded, TicketNotFound
from twofold_server.domain.masking import mask_phone
from twofold_server.domain.messages import MessageKind, Messages
from twofold_server.domain.realms import Realm
from twofold_server.domain.security_log import SecurityLog
from twofold_server.domain.text_messages import TextMessages
from twofold_server.domain.tickets import payload_place
from twofold_server.domain.values import Handle, PhoneNumber, ShortCode

PHONE_NUMBER: Final = "phone_number"


@dataclass(frozen=True, slots=True)
class Begun:
    """A change of number under way; `delivery` tells whether the code was sent."""

    phone_number_token: str = field(repr=False)
    expire_time: datetime
    masked: str
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class VerifiedNumber:
    """An account's number, for its own eyes: in E.164, and since when it is verified."""

    text: str = field(repr=False)
    verify_time: datetime


class PhoneNumbers:
    """The phone number of a session's account."""

    def __init__(
        self,
        pool: Pool,
        keyring: Keyring,
        messages: Messages,
        text_messages: TextMessages,
        log: SecurityLog,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._keyring = keyring
        self._messages = messages
        self._text_messages = text_messages
        self._log = log
        self._clock = clock

    async def get(self, session: ActiveSession) -> VerifiedNumber | None:
        """The account's verified number; None if it has none."""
        row = await db_phone_numbers.get(self._pool, session.realm_id, session.account_id)
        if row is None:
            return None
        text = open_number(self._keyring, session.realm_id, session.account_id, row.number)
        return VerifiedNumber(text, row.verify_time)

    async def change(self, realm: Realm, session: ActiveSession, origin: Origin, number: PhoneNumber) -> Begun:
        """Send a code to a new number; the one before stays until the code is confirmed.

        Asked again, it sends another code and ends the first, not before the realm's `resend_wait` is over; the count
        of wrong codes goes on. Raises ResendTooSoon, whose metadata tell what became of the code before; SessionEnded,
        ChangesFrozen.
        """
        now = self._clock()
        session.demand_unfrozen(now)
        token, handle_hash = tokens.new_secret_token()
        ticket_id = uuid7()
        code = short_codes.new_code()
        expire_time = now + realm.settings.code_lifetime
        ticket = NewTicket(
            ticket_id=ticket_id,
            realm_id=realm.realm_id,
            purpose=PHONE_NUMBER,
            subject=str(session.account_id),
            handle_hash=handle_hash,
            binding_hash=None,
            payload=self._keyring.seal(
                json.dumps({"number": number.text}).encode(),
                payload_place(realm.realm_id, session.account_id, ticket_id),
            ),
            create_time=now,
            expire_time=expire_time,
            account_id=session.account_id,
            epoch=session.epoch,
            session_id=session.session_id,
            client_id=origin.client_id,
        )
        account = await db_accounts.get(self._pool, realm.realm_id, session.account_id)
        if account is None:
            raise SessionEnded
        row = self._messages.prepare(
            realm.realm_id,
            MessageKind.CONFIRMATION_CODE,
            to=number,
            account_id=session.account_id,
            ticket_id=ticket_id,
            language=account.language_code or origin.client.language_code or realm.settings.language_code,
            expire_time=expire_time,
            params={"code": code},
        )
        code_mac = self._keyring.code_mac(ticket_id, PHONE_NUMBER, number.text, code)
        async with transaction(self._pool) as tx:
            if not await db_change_tickets.put(tx, ticket, code_mac, now - realm.settings.resend_wait):
                raise await self._too_soon(tx, realm, session, now)
            delivery = await self._text_messages.admit(tx, realm, row, number)
        return Begun(token, expire_time, mask_phone(number), delivery)

    async def confirm(
        self, realm: Realm, session: ActiveSession, origin: Origin, handle: Handle, code: ShortCode
    ) -> VerifiedNumber:
        """Set the number that the code was sent to; every place that the account had before is told.

        Raises TicketNotFound (also after five wrong codes), InvalidCode, SessionEnded, ChangesFrozen.
        """
        now = self._clock()
        session.demand_unfrozen(now)
        ticket = await db_tickets.peek(
            self._pool,
            realm_ids=[realm.realm_id],
            purpose=PHONE_NUMBER,
            handle_hash=handle.hash,
            now=now,
            account_id=session.account_id,
        )
        if ticket is None:
            raise TicketNotFound(field="phone_number_token")
        payload = self._keyring.open(
            ticket.payload, payload_place(realm.realm_id, session.account_id, ticket.ticket_id)
        )
        number = PhoneNumber.parse(json.loads(payload)["number"])
        macs = self._keyring.code_macs(ticket.ticket_id, PHONE_NUMBER, number.text, code.digits)
        async with transaction(self._pool) as tx:
            judged = await db_phone_numbers.judge(
                tx,
                realm_id=realm.realm_id,
                purpose=PHONE_NUMBER,
                handle_hash=handle.hash,
                account_id=session.account_id,
                session_id=session.session_id,
                epoch=session.epoch,
                code_macs=list(macs),
                ticket_id=ticket.ticket_id,
                now=now,
            )
            if judged.outcome == "right":
                await self._set(tx, realm, session, origin, number, now)
        # After the commit: a wrong code must stay counted.
        if judged.outcome == "wrong":
            raise InvalidCode
        if judged.outcome == "unknown":
            raise TicketNotFound(field="phone_number_token")
        return VerifiedNumber(number.text, now)

    async def _set(
        self, tx: Connection, realm: Realm, session: ActiveSession, origin: Origin, number: PhoneNumber, now: datetime
    ) -> None:
        account = await db_accounts.lock(tx, realm.realm_id, session.account_id)
        if account is None or account.epoch != session.epoch or account.state != "active":
            raise SessionEnded
        # As they are before: the number that goes is told as well, and the new one has just been proven.
        told = await self._log.destinations(tx, realm, session.account_id)
        sealed = self._keyring.seal(number.text.encode(), number_place(realm.realm_id, session.account_id))
        had = await db_phone_numbers.put(
            tx,
            realm.realm_id,
            session.account_id,
            sealed,
            now,
            number_mac=number_macs(self._keyring, realm.realm_id, number.text)[0],
        )
        await self._log.record(
            tx,
            realm,
            session,
            origin,
            "phone_number_changed" if had else "phone_number_added",
            MessageKind.PHONE_NUMBER_CHANGED if had else MessageKind.PHONE_NUMBER_ADDED,
            told=told,
            params={"phone_number": mask_phone(number)},
        )

    async def _too_soon(self, tx: Connection, realm: Realm, session: ActiveSession, now: datetime) -> ResendTooSoon:
        standing = await db_change_tickets.standing(tx, realm.realm_id, PHONE_NUMBER, str(session.account_id))
        if standing is None:
            return ResendTooSoon(retry_after=1.0)
        ticket_id, create_time, expire_time, attempts = standing
        until = expire_time if attempts >= 5 else create_time + realm.settings.resend_wait
        delivery = await delivery_of_ticket(tx, realm, ticket_id)
        metadata = {}
        if delivery is not None:
            metadata["delivery_state"] = delivery.state.value.upper()
            if delivery.reason is not None:
                metadata["delivery_reason"] = delivery.reason.value.upper()
        return ResendTooSoon(retry_after=max(1.0, (until - now) / timedelta(seconds=1)), metadata=metadata)
