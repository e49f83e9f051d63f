"""A security change leaves rows in the transaction that makes it: the event, and notices to wherever its owner is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from twofold_server.crypto.keyring import Keyring
from twofold_server.db import events as db_events
from twofold_server.db import outbox as db_outbox
from twofold_server.db.outbox import OutboxRow
from twofold_server.db.pool import Connection
from twofold_server.db.sessions import SessionRow
from twofold_server.domain import destinations
from twofold_server.domain.active_sessions import ActiveSession
from twofold_server.domain.attempts import Origin
from twofold_server.domain.clock import Clock
from twofold_server.domain.destinations import Told
from twofold_server.domain.messages import MessageKind, Messages
from twofold_server.domain.realms import Realm
from twofold_server.domain.text_messages import TextMessages
from twofold_server.domain.values import EmailAddress, PhoneNumber


class SecurityLog:
    """Records changes of an account's security, and tells its owner at every verified address and number."""

    def __init__(self, keyring: Keyring, messages: Messages, text_messages: TextMessages, clock: Clock) -> None:
        self._keyring = keyring
        self._messages = messages
        self._text_messages = text_messages
        self._clock = clock

    async def record(
        self,
        tx: Connection,
        realm: Realm,
        session: ActiveSession | SessionRow,
        origin: Origin,
        event: str,
        notice: MessageKind | None,
        *,
        told: Told | None = None,
        params: Mapping[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the event and, where the owner is to be told, the notices.

        `told`: the destinations as they were before the change, where the change takes one away; otherwise as the
        transaction sees them now. Let it be the transaction's last work: the counts of text messages are locked.
        """
        await db_events.write(
            tx,
            event_id=uuid7(),
            realm_id=realm.realm_id,
            account_id=session.account_id,
            kind=event,
            client_id=origin.client_id,
            now=self._clock(),
            details={"session_id": str(session.session_id), **(details or {})},
            personal=origin.personal,
        )
        if notice is not None:
            await self.tell(
                tx, realm, session.account_id, notice, told=told, params={**origin.personal, **(params or {})}
            )

    async def destinations(self, tx: Connection, realm: Realm, account_id: UUID) -> Told:
        """Where the owner can be told something now."""
        return await destinations.of_account(tx, self._keyring, realm.realm_id, account_id)

    async def tell(
        self,
        tx: Connection,
        realm: Realm,
        account_id: UUID,
        notice: MessageKind,
        *,
        told: Told | None = None,
        params: Mapping[str, str],
        of_account: bool = True,
        ticket_id: UUID | None = None,
        expire_time: datetime | None = None,
    ) -> None:
        """Write one notice for each destination; not `of_account`: its rows outlive the account.

        `ticket_id` and `expire_time` are those of the link that it carries, where it carries one; after `expire_time`,
        7 days unless it is given, the notice is not worth sending.
        """
        told = told if told is not None else await self.destinations(tx, realm, account_id)

        def prepare(to: EmailAddress | PhoneNumber) -> OutboxRow:
            return self._messages.prepare(
                realm.realm_id,
                notice,
                to=to,
                account_id=account_id if of_account else None,
                ticket_id=ticket_id,
                expire_time=expire_time,
                language=told.language or realm.settings.language_code,
                params=params,
            )

        for address in told.emails:
            await db_outbox.insert(tx, prepare(address))
        # After the mails, and in one order: each text message locks counts until the end.
        for number in sorted(told.numbers, key=lambda number: number.text):
            await self._text_messages.admit(tx, realm, prepare(number), number)
