"""Tickets: what every link, code and pending step has in common."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from twofold_server.crypto.keyring import Place
from twofold_server.db import tickets as db_tickets
from twofold_server.db.outbox import OutboxRow
from twofold_server.db.pool import Pool
from twofold_server.db.tickets import NewTicket
from twofold_server.domain.errors import ChangedMeanwhile

# Each time that it fails another took a slot, and there are three.
_SLOT_TRIES: Final = 5


def payload_place(realm_id: str, account_id: UUID | None, ticket_id: UUID) -> Place:
    """Where a ticket's payload is sealed for; `account_id` None where the ticket is of no account."""
    return Place("tickets", "payload", realm_id, str(account_id or ""), str(ticket_id))


async def put_in_slot(
    pool: Pool, ticket: NewTicket, mail: OutboxRow, wait_key: bytes | None = None, next_time: datetime | None = None
) -> None:
    """Write a ticket into one of the three slots of its subject, if one is free, with its mail and resend wait.

    Where none is free, mail and wait are written all the same, so that nothing tells. Raises ChangedMeanwhile.
    """
    for _ in range(_SLOT_TRIES):
        if await db_tickets.put_bounded(pool, ticket, mail, wait_key, next_time):
            return
    raise ChangedMeanwhile
