"""The address of an account: changed by a link that is mailed to the new one, and told to the one before."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from twofold_server.crypto import tokens
from twofold_server.crypto.keyring import Keyring
from twofold_server.db import accounts as db_accounts
from twofold_server.db import change_tickets as db_change_tickets
from twofold_server.db import email_changes as db_email_changes
from twofold_server.db import factors as db_factors
from twofold_server.db import outbox as db_outbox
from twofold_server.db import tickets as db_tickets
from twofold_server.db.accounts import AccountRow, EmailTaken
from twofold_server.db.pool import Connection, Pool, transaction
from twofold_server.db.tickets import NewTicket, Ticket
from twofold_server.domain.active_sessions import ActiveSession, CarriedOver, carry_over
from twofold_server.domain.agents import demand_no_agent
from twofold_server.domain.attempts import Origin
from twofold_server.domain.clock import Clock
from twofold_server.domain.destinations import Told
from twofold_server.domain.errors import (
    ChangedMeanwhile,
    InvalidFields,
    ResendTooSoon,
    SessionEnded,
    TicketNotFound,
    Violation,
)
from twofold_server.domain.masking import mask_email
from twofold_server.domain.messages import MessageKind, Messages
from twofold_server.domain.realms import Realm
from twofold_server.domain.security_log import SecurityLog
from twofold_server.domain.sessions import SessionTokens, SignedIn
from twofold_server.domain.tickets import payload_place
from twofold_server.domain.values import EmailAddress, Handle

EMAIL_CHANGE: Final = "email_change"
UNDO: Final = "undo"


@dataclass(frozen=True, slots=True)
class Asked:
    """A change of address under way, whoever's it is: until when its link is good, and when another may be sent."""

    expire_time: datetime
    resend_time: datetime


class EmailChanges:
    """Changes the address of a session's account."""

    def __init__(
        self,
        pool: Pool,
        keyring: Keyring,
        session_tokens: SessionTokens,
        messages: Messages,
        log: SecurityLog,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._keyring = keyring
        self._tokens = session_tokens
        self._messages = messages
        self._log = log
        self._clock = clock

    async def change(self, realm: Realm, session: ActiveSession, origin: Origin, new: EmailAddress) -> Asked:
        """Mail a link to a new address; the one before stays until the link is confirmed.

        One ticket and one mail, whether or not the address has an account: which mail it is, the worker decides. Raises
        InvalidFields (the account's own address), ResendTooSoon, ChangesFrozen, SessionEnded, AgentNotEligible.
        """
        demand_no_agent(realm.realm_id)
        now = self._clock()
        session.demand_unfrozen(now)
        account = await db_accounts.get(self._pool, realm.realm_id, session.account_id)
        if account is None:
            raise SessionEnded
        if EmailAddress.parse(account.email).key == new.key:
            raise InvalidFields([Violation("new_email", "The account's address already.")])
        token, handle_hash = tokens.new_secret_token()
        ticket_id, expire_time = uuid7(), now + realm.settings.email_change_lifetime
        ticket = NewTicket(
            ticket_id=ticket_id,
            realm_id=realm.realm_id,
            purpose=EMAIL_CHANGE,
            subject=str(session.account_id),
            handle_hash=handle_hash,
            binding_hash=None,
            payload=self._sealed(realm, session.account_id, ticket_id, new.text),
            create_time=now,
            expire_time=expire_time,
            account_id=session.account_id,
            epoch=session.epoch,
            session_id=session.session_id,
            client_id=origin.client_id,
        )
        mail = self._messages.prepare(
            realm.realm_id,
            MessageKind.EMAIL_CHANGE,
            to=new,
            account_id=session.account_id,
            ticket_id=ticket_id,
            language=account.language_code or origin.client.language_code or realm.settings.language_code,
            expire_time=expire_time,
            params={"token": token},
        )
        wait = realm.settings.resend_wait
        async with transaction(self._pool) as tx:
            if not await db_change_tickets.put(tx, ticket, None, now - wait):
                standing = await db_change_tickets.standing(tx, realm.realm_id, EMAIL_CHANGE, str(session.account_id))
                left = standing[1] + wait - now if standing is not None else timedelta()
                raise ResendTooSoon(retry_after=max(1.0, left.total_seconds()))
            await db_outbox.insert(tx, mail)
        return Asked(expire_time, now + wait)

    async def confirm(
        self, realm: Realm, session: ActiveSession, origin: Origin, handle: Handle
    ) -> tuple[AccountRow, SignedIn]:
        """Set the address that a link went to, in a session of the account that asked for it.

        Ends every other session and every device's trust by the epoch; this session is carried over. The address that
        goes gets a link that takes it back. Raises TicketNotFound (also where the address has an account meanwhile),
        ChangesFrozen, SessionEnded, ChangedMeanwhile.
        """
        now = self._clock()
        session.demand_unfrozen(now)
        # The account's, whoever opens the link: a stranger who is asked to confirm somebody's change is no part of it.
        ticket = await db_tickets.peek(
            self._pool,
            realm_ids=[realm.realm_id],
            purpose=EMAIL_CHANGE,
            handle_hash=handle.hash,
            now=now,
            account_id=session.account_id,
        )
        if ticket is None or ticket.epoch != session.epoch:
            raise TicketNotFound(field="email_change_token")
        new = EmailAddress.parse(opened(self._keyring, ticket))
        try:
            async with transaction(self._pool) as tx:
                account, carried = await self._set(tx, realm, session, origin, ticket, handle, new, now)
        except EmailTaken:
            # As a link that there never was: whose the address is, is told to its owner alone.
            raise TicketNotFound(field="email_change_token") from None
        return account, await self._tokens.carried(realm, carried, session.token_audience)

    async def _set(
        self,
        tx: Connection,
        realm: Realm,
        session: ActiveSession,
        origin: Origin,
        ticket: Ticket,
        handle: Handle,
        new: EmailAddress,
        now: datetime,
    ) -> tuple[AccountRow, CarriedOver]:
        spent = await db_tickets.spend(
            tx,
            realm_id=realm.realm_id,
            ticket_id=ticket.ticket_id,
            handle_hash=handle.hash,
            binding_hash=None,
            now=now,
        )
        if not spent:
            raise TicketNotFound(field="email_change_token")
        if await db_accounts.lock(tx, realm.realm_id, session.account_id) is None:
            raise SessionEnded
        # A stronger factor may have come since the boundary looked, which this session has not proven.
        if await db_factors.strength(tx, realm.realm_id, session.account_id) > session.account_strength:
            raise ChangedMeanwhile
        # As they are before: the address that goes is told as well.
        told = await self._log.destinations(tx, realm, session.account_id)
        carried = await carry_over(tx, session, second_factor=None, now=now)
        account = await db_email_changes.set_email(
            tx, realm.realm_id, session.account_id, email=new.text, email_key=new.key, now=now
        )
        params = {**origin.personal, "name": account.display_name, "email": mask_email(new)}
        await self._offer_undo(tx, realm, session, told, params, now)
        others = [new, *(address for address in told.emails[1:] if address.key != new.key)]
        await self._log.record(
            tx,
            realm,
            session,
            origin,
            "email_changed",
            MessageKind.EMAIL_CHANGED,
            told=replace(told, emails=others),
            params=params,
        )
        return account, carried

    async def _offer_undo(
        self,
        tx: Connection,
        realm: Realm,
        session: ActiveSession,
        told: Told,
        params: dict[str, str],
        now: datetime,
    ) -> None:
        """Mail the address that goes a link that takes it back.

        One for each change, and of no epoch: neither a second change nor another password ends it.
        """
        before = told.emails[0]
        token, handle_hash = tokens.new_secret_token()
        ticket_id, expire_time = uuid7(), now + realm.settings.email_undo_lifetime
        await db_tickets.put_unbounded(
            tx,
            NewTicket(
                ticket_id=ticket_id,
                realm_id=realm.realm_id,
                purpose=UNDO,
                subject=str(session.account_id),
                handle_hash=handle_hash,
                binding_hash=None,
                payload=self._sealed(realm, session.account_id, ticket_id, before.text),
                create_time=now,
                expire_time=expire_time,
                account_id=session.account_id,
            ),
        )
        await db_outbox.insert(
            tx,
            self._messages.prepare(
                realm.realm_id,
                MessageKind.EMAIL_UNDO,
                to=before,
                account_id=session.account_id,
                ticket_id=ticket_id,
                language=told.language or realm.settings.language_code,
                expire_time=expire_time,
                params={**params, "token": token},
            ),
        )

    def _sealed(self, realm: Realm, account_id: UUID, ticket_id: UUID, address: str) -> bytes:
        place = payload_place(realm.realm_id, account_id, ticket_id)
        return self._keyring.seal(json.dumps({"email": address}).encode(), place)


def opened(keyring: Keyring, ticket: Ticket) -> str:
    """The address that a change's ticket, or the ticket that takes one back, is for."""
    assert ticket.account_id is not None
    text: str = json.loads(
        keyring.open(ticket.payload, payload_place(ticket.realm_id, ticket.account_id, ticket.ticket_id))
    )["email"]
    return text
