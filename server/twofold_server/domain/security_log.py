"""A security change leaves two rows in the transaction that makes it: the event, and the owner's notice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uuid_utils.compat import uuid7

from twofold_server.db import events as db_events
from twofold_server.db import outbox as db_outbox
from twofold_server.db.pool import Connection
from twofold_server.domain.attempts import Origin
from twofold_server.domain.clock import Clock
from twofold_server.domain.messages import MessageKind, Messages
from twofold_server.domain.realms import Realm
from twofold_server.domain.sessions import ActiveSession


class SecurityLog:
    """Records changes of an account's security made in a session."""

    def __init__(self, messages: Messages, clock: Clock) -> None:
        self._messages = messages
        self._clock = clock

    async def record(
        self,
        tx: Connection,
        realm: Realm,
        session: ActiveSession,
        origin: Origin,
        event: str,
        notice: MessageKind | None,
        *,
        email: str,
        language: str,
        params: Mapping[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the event and, where the owner is to be told, the notice."""
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
        if notice is None:
            return
        await db_outbox.insert(
            tx,
            self._messages.prepare(
                realm.realm_id,
                notice,
                to=email,
                account_id=session.account_id,
                language=language or realm.settings.language_code,
                params={
                    "ip_address": origin.client.ip_address,
                    "user_agent": origin.client.user_agent,
                    **(params or {}),
                },
            ),
        )
