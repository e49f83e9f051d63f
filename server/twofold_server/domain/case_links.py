"""The links of a case: one that stops it, in every notice, and one that confirms what it is to set."""

from __future__ import annotations

import json
from uuid import UUID

from uuid_utils.compat import uuid7

from twofold_server.crypto import tokens
from twofold_server.crypto.keyring import Keyring
from twofold_server.db import cases as db_cases
from twofold_server.db import events as db_events
from twofold_server.db import tickets as db_tickets
from twofold_server.db.cases import CaseRow, NewCase, Subject
from twofold_server.db.pool import Connection, Pool, transaction
from twofold_server.db.tickets import NewTicket, Ticket
from twofold_server.domain.case_records import CASE, CORRECTION, hold, read
from twofold_server.domain.clock import Clock
from twofold_server.domain.errors import CaseNotFound, TicketNotFound
from twofold_server.domain.messages import MessageKind
from twofold_server.domain.realms import Realm, Realms
from twofold_server.domain.security_log import SecurityLog
from twofold_server.domain.tickets import payload_place
from twofold_server.domain.values import Handle, RealmId


class CaseLinks:
    """Serves whoever holds the link of a case."""

    def __init__(self, pool: Pool, realms: Realms, log: SecurityLog, clock: Clock) -> None:
        self._pool = pool
        self._realms = realms
        self._log = log
        self._clock = clock

    async def cancel(self, realm_ids: tuple[RealmId, ...], handle: Handle, client_id: str) -> None:
        """End a case with the link of a notice, which then works no more. Raises TicketNotFound."""
        now = self._clock()
        ticket = await self._peek(realm_ids, CASE, handle, "case_token")
        realm = await self._realms.get(RealmId(ticket.realm_id))
        async with transaction(self._pool) as tx:
            row, subject = await self._hold(tx, realm, ticket, "case_token")
            if not await db_cases.close(
                tx, realm.realm_id, row.case_id, state="cancelled", of=["open", "approved"], now=now
            ):
                raise TicketNotFound(field="case_token")
            await self._record(tx, realm, "case_cancelled", row, client_id)
            await tell(self._log, tx, realm, subject, MessageKind.CASE_CLOSED, row)

    async def confirm(self, realm_ids: tuple[RealmId, ...], handle: Handle, client_id: str) -> None:
        """Note that a case's new address or number reaches somebody, by the link that went there.

        Raises TicketNotFound.
        """
        now = self._clock()
        ticket = await self._peek(realm_ids, CORRECTION, handle, "correction_token")
        realm = await self._realms.get(RealmId(ticket.realm_id))
        async with transaction(self._pool) as tx:
            row, _ = await self._hold(tx, realm, ticket, "correction_token")
            spent = await db_tickets.spend(
                tx,
                realm_id=realm.realm_id,
                ticket_id=ticket.ticket_id,
                handle_hash=handle.hash,
                binding_hash=None,
                now=now,
            )
            if not spent or not await db_cases.confirm(tx, realm.realm_id, row.case_id, now):
                raise TicketNotFound(field="correction_token")
            await self._record(tx, realm, "case_confirmed", row, client_id)

    async def _record(self, tx: Connection, realm: Realm, kind: str, row: CaseRow, client_id: str) -> None:
        await db_events.write(
            tx,
            event_id=uuid7(),
            realm_id=realm.realm_id,
            account_id=row.account_id,
            kind=kind,
            client_id=client_id,
            now=self._clock(),
            details={"case_id": str(row.case_id), "action": row.action, "by": "link"},
            personal=None,
        )

    async def _peek(self, realm_ids: tuple[RealmId, ...], purpose: str, handle: Handle, field: str) -> Ticket:
        ticket = await db_tickets.peek(
            self._pool, realm_ids=list(realm_ids), purpose=purpose, handle_hash=handle.hash, now=self._clock()
        )
        if ticket is None:
            raise TicketNotFound(field=field)
        return ticket

    async def _hold(self, tx: Connection, realm: Realm, ticket: Ticket, field: str) -> tuple[CaseRow, Subject]:
        try:
            return await hold(tx, realm, await read(tx, realm, UUID(ticket.subject)))
        except CaseNotFound:
            raise TicketNotFound(field=field) from None


async def new_link(tx: Connection, keyring: Keyring, case: NewCase, purpose: str, ticket_id: UUID) -> str:
    """Write the ticket of a link, and return its token."""
    token, handle_hash = tokens.new_secret_token()
    # Kept, sealed: the notice of the approval has the link of the first.
    payload = json.dumps({"token": token}).encode()
    await db_tickets.put_single(
        tx,
        NewTicket(
            ticket_id=ticket_id,
            realm_id=case.realm_id,
            purpose=purpose,
            subject=str(case.case_id),
            handle_hash=handle_hash,
            binding_hash=None,
            payload=keyring.seal(payload, payload_place(case.realm_id, case.account_id, ticket_id)),
            create_time=case.create_time,
            expire_time=case.expire_time,
            account_id=case.account_id,
        ),
    )
    return token


async def token_of(tx: Connection, keyring: Keyring, row: CaseRow) -> str:
    """The token of the link that stops a case; empty if its ticket is gone."""
    payload = await db_tickets.payload_of(tx, row.realm_id, row.case_id)
    if payload is None:
        return ""
    place = payload_place(row.realm_id, row.account_id, row.case_id)
    token: str = json.loads(keyring.open(payload, place))["token"]
    return token


async def tell(
    log: SecurityLog,
    tx: Connection,
    realm: Realm,
    subject: Subject,
    kind: MessageKind,
    case: CaseRow | NewCase,
    token: str = "",
) -> None:
    """Tell an account's user of a case at every address and number, with a `token` the link that stops it."""
    params = {"name": subject.display_name, "case_action": case.action}
    await log.tell(
        tx,
        realm,
        subject.account_id,
        kind,
        params=params | {"token": token} if token else params,
        ticket_id=case.case_id if token else None,
        expire_time=case.expire_time if token else None,
    )
