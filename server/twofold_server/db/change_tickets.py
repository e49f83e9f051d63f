"""Tickets of changes that an account asks for, of its number or address: one of each, with a wait before the next."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from twofold_server.db.pool import Connection
from twofold_server.db.tickets import NewTicket


async def put(tx: Connection, t: NewTicket, code_mac: bytes | None, wait_before: datetime) -> bool:
    """Write the one ticket of an account's change; False if the last was made after `wait_before`.

    `code_mac`: None for a link, which has no code. The count of wrong codes goes on from a ticket that still stands: asking again buys no guesses.
    """
    written = await tx.fetchval(
        """
        INSERT INTO tickets AS k (ticket_id, realm_id, purpose, subject, slot, handle_hash, payload, create_time, expire_time,
                                  account_id, epoch, session_id, client_id, code_mac)
        VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        ON CONFLICT ON CONSTRAINT tickets_slot_key DO UPDATE
           SET ticket_id = excluded.ticket_id, handle_hash = excluded.handle_hash, payload = excluded.payload,
               create_time = excluded.create_time, expire_time = excluded.expire_time, account_id = excluded.account_id,
               epoch = excluded.epoch, session_id = excluded.session_id, client_id = excluded.client_id,
               code_mac = excluded.code_mac, spent_time = NULL, spent_proof = NULL,
               attempts = CASE WHEN k.spent_time IS NULL AND k.expire_time > $7 THEN k.attempts ELSE 0 END
         WHERE k.spent_time IS NOT NULL OR k.expire_time <= $7 OR (k.create_time <= $14 AND k.attempts < 5)
        RETURNING true
        """,
        t.ticket_id,
        t.realm_id,
        t.purpose,
        t.subject,
        t.handle_hash,
        t.payload,
        t.create_time,
        t.expire_time,
        t.account_id,
        t.epoch,
        t.session_id,
        t.client_id,
        code_mac,
        wait_before,
    )
    return bool(written)


async def standing(
    db: Connection, realm_id: str, purpose: str, subject: str
) -> tuple[UUID, datetime, datetime, int] | None:
    """Id, creation, expiry and wrong codes of the ticket that stands in the way of another."""
    row = await db.fetchrow(
        """
        SELECT ticket_id, create_time, expire_time, attempts FROM tickets
         WHERE realm_id = $1 AND purpose = $2 AND subject = $3 AND slot = 1
        """,
        realm_id,
        purpose,
        subject,
    )
    return (row["ticket_id"], row["create_time"], row["expire_time"], row["attempts"]) if row is not None else None
