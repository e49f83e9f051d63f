"""Sends what a challenge or an enrolment waits for: a short code, to an address that is told back masked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from twofold_server.crypto import short_codes, tokens
from twofold_server.crypto.keyring import Keyring
from twofold_server.db import outbox as db_outbox
from twofold_server.db import sent as db_sent
from twofold_server.db.pool import Connection, Pool, transaction
from twofold_server.db.tickets import NewTicket
from twofold_server.domain.clock import Clock
from twofold_server.domain.deliveries import Delivery, delivery_of_ticket, new_delivery
from twofold_server.domain.factors import SLOT, sms_code
from twofold_server.domain.masking import mask_email, mask_phone
from twofold_server.domain.messages import MessageKind, Messages
from twofold_server.domain.realms import Realm
from twofold_server.domain.text_messages import TextMessages
from twofold_server.domain.tickets import payload_place
from twofold_server.domain.values import EmailAddress, PhoneNumber

SENT: Final = "sent"


@dataclass(frozen=True, slots=True)
class CodeSent:
    """A code under way: where to, masked, until when it is good, and how far its message came."""

    kind: str
    ticket_id: UUID
    destination: str
    expire_time: datetime
    delivery: Delivery
    destination_changed: bool = False
    """What went out last went somewhere else, so that this one has to wait."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a code is for: the pending step that it belongs to, and whose it is."""

    step_id: UUID
    account_id: UUID
    epoch: int
    client_id: str
    language: str
    known_device: bool = False


class Sending:
    """Sends codes, each at most once a minute for its step."""

    def __init__(
        self, pool: Pool, keyring: Keyring, messages: Messages, text_messages: TextMessages, clock: Clock
    ) -> None:
        self._pool = pool
        self._keyring = keyring
        self._messages = messages
        self._text_messages = text_messages
        self._clock = clock

    async def code(
        self,
        realm: Realm,
        kind: str,
        destination: str,
        subject: Subject,
        more: dict[str, Any],
        *,
        first: bool,
        message: MessageKind | None = None,
    ) -> CodeSent:
        """Send a code of a kind to an address or number; where one went out just now, tell how far that came instead.

        `more` is kept with it, sealed, for the answer. `first`: it proves the destination, and signs nobody in.
        `message`: what the code is for, where it is for neither of these.
        """
        now = self._clock()
        ticket_id, code = uuid7(), short_codes.new_code()
        expire_time = now + realm.settings.code_lifetime
        to = PhoneNumber.parse(destination) if kind == sms_code.KIND else EmailAddress.parse(destination)
        row = self._messages.prepare(
            realm.realm_id,
            message or (MessageKind.CONFIRMATION_CODE if first else MessageKind.SIGN_IN_CODE),
            to=to,
            account_id=subject.account_id,
            ticket_id=ticket_id,
            language=subject.language or realm.settings.language_code,
            expire_time=expire_time,
            params={"code": code},
        )
        ticket = self._ticket(realm, ticket_id, subject, {"destination": destination, **more}, now, expire_time)
        code_mac = self._keyring.code_mac(ticket_id, kind, destination, code)
        async with transaction(self._pool) as tx:
            # Of two at once one sends; the row that is there waits for nobody once it is spent or has expired.
            if not await db_sent.put(tx, ticket, SLOT[kind], code_mac, now - realm.settings.resend_wait):
                return await self._earlier(tx, realm, kind, destination, subject)
            if isinstance(to, PhoneNumber):
                delivery = await self._text_messages.admit(tx, realm, row, to, known_device=subject.known_device)
            else:
                await db_outbox.insert(tx, row)
                delivery = new_delivery(realm, now, None)
        return CodeSent(kind, ticket_id, _masked(kind, destination), expire_time, delivery)

    async def question(
        self, realm: Realm, kind: str, subject: Subject, payload: dict[str, Any], expire_time: datetime
    ) -> None:
        """Keep what a browser was asked, in place of what it was asked before."""
        now = self._clock()
        ticket = self._ticket(realm, uuid7(), subject, payload, now, expire_time)
        # Asking costs nobody anything: no wait.
        await db_sent.put(self._pool, ticket, SLOT[kind], None, now)

    def _ticket(
        self,
        realm: Realm,
        ticket_id: UUID,
        subject: Subject,
        payload: dict[str, Any],
        now: datetime,
        expire_time: datetime,
    ) -> NewTicket:
        place = payload_place(realm.realm_id, subject.account_id, ticket_id)
        return NewTicket(
            ticket_id=ticket_id,
            realm_id=realm.realm_id,
            purpose=SENT,
            subject=str(subject.step_id),
            # Nobody is given a handle: what was sent is found by its step alone.
            handle_hash=tokens.new_secret_token()[1],
            binding_hash=None,
            payload=self._keyring.seal(json.dumps(payload).encode(), place),
            create_time=now,
            expire_time=expire_time,
            account_id=subject.account_id,
            epoch=subject.epoch,
            client_id=subject.client_id,
        )

    async def _earlier(self, tx: Connection, realm: Realm, kind: str, destination: str, subject: Subject) -> CodeSent:
        found = await db_sent.last(tx, realm.realm_id, SENT, str(subject.step_id), SLOT[kind])
        assert found is not None
        place = payload_place(realm.realm_id, subject.account_id, found.ticket_id)
        earlier = json.loads(self._keyring.open(found.payload, place))["destination"]
        delivery = await delivery_of_ticket(tx, realm, found.ticket_id) or new_delivery(realm, found.create_time, None)
        return CodeSent(
            kind, found.ticket_id, _masked(kind, earlier), found.expire_time, delivery, earlier != destination
        )


def _masked(kind: str, destination: str) -> str:
    return mask_phone(destination) if kind == sms_code.KIND else mask_email(destination)
