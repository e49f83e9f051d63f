"""Sends what a challenge or an enrolment waits for: a short code, to an address that is told back masked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from twofold_server.crypto import tokens
from twofold_server.crypto.keyring import Keyring
from twofold_server.db import sent as db_sent
from twofold_server.db.pool import Pool
from twofold_server.db.tickets import NewTicket
from twofold_server.domain.clock import Clock
from twofold_server.domain.factors import SLOT, sent_codes
from twofold_server.domain.factors.kinds import sent_place
from twofold_server.domain.masking import mask_email
from twofold_server.domain.messages import MessageKind, Messages
from twofold_server.domain.realms import Realm
from twofold_server.domain.values import EmailAddress

SENT: Final = "sent"


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where a message stands, why it failed, and from when on another one would be sent."""

    state: str
    reason: str
    resend_time: datetime


@dataclass(frozen=True, slots=True)
class CodeSent:
    """A code under way: where to, masked, until when it is good, and how far its message came."""

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


class Sending:
    """Sends codes, each at most once a minute for its step."""

    def __init__(self, pool: Pool, keyring: Keyring, messages: Messages, clock: Clock) -> None:
        self._pool = pool
        self._keyring = keyring
        self._messages = messages
        self._clock = clock

    async def code(
        self, realm: Realm, kind: str, destination: str, subject: Subject, more: dict[str, Any]
    ) -> CodeSent:
        """Send a code of a kind; where one went out just now, tell how far that came instead.

        `more` is kept with it, sealed, for the answer.
        """
        now = self._clock()
        ticket_id, code = uuid7(), sent_codes.new_code()
        expire_time = now + realm.settings.code_lifetime
        message = self._messages.prepare(
            realm.realm_id,
            MessageKind.CODE,
            to=EmailAddress.parse(destination),
            account_id=subject.account_id,
            ticket_id=ticket_id,
            language=subject.language or realm.settings.language_code,
            expire_time=expire_time,
            params={"code": code},
        )
        ticket = NewTicket(
            ticket_id=ticket_id,
            realm_id=realm.realm_id,
            purpose=SENT,
            subject=str(subject.step_id),
            # Nobody is given a handle: what was sent is found by its step alone.
            handle_hash=tokens.new_secret_token()[1],
            binding_hash=None,
            payload=self._keyring.seal(
                json.dumps({"destination": destination, **more}).encode(),
                sent_place(realm.realm_id, subject.account_id, ticket_id),
            ),
            create_time=now,
            expire_time=expire_time,
            account_id=subject.account_id,
            epoch=subject.epoch,
            client_id=subject.client_id,
        )
        wait = realm.settings.resend_wait
        went = await db_sent.put(
            self._pool,
            ticket,
            slot=SLOT[kind],
            code_mac=sent_codes.code_mac(self._keyring, ticket_id, kind, destination, code),
            wait_since=now - wait,
            message=message,
        )
        if went:
            return CodeSent(ticket_id, mask_email(destination), expire_time, Delivery("waiting", "", now + wait))
        return await self._earlier(realm, kind, destination, subject, wait)

    async def _earlier(
        self, realm: Realm, kind: str, destination: str, subject: Subject, wait: timedelta
    ) -> CodeSent:
        found = await db_sent.last(self._pool, realm.realm_id, SENT, str(subject.step_id), SLOT[kind])
        assert found is not None
        place = sent_place(realm.realm_id, subject.account_id, found.ticket_id)
        earlier = json.loads(self._keyring.open(found.payload, place))["destination"]
        delivery = Delivery(*delivery_of(found.state), found.create_time + wait)
        return CodeSent(found.ticket_id, mask_email(earlier), found.expire_time, delivery, earlier != destination)


def delivery_of(state: str) -> tuple[str, str]:
    """What a caller is told of an outbox row's state: state and reason."""
    return {
        "waiting": ("waiting", ""),
        "sent": ("sent", ""),
        "over_budget": ("failed", "limit_reached"),
        "dead": ("failed", "refused"),
    }.get(state, ("failed", "expired"))
