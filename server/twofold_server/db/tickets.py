"""Tickets: every link, code and pending step. Peeked at, then spent in the statement or transaction that has the effect."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from twofold_server.db.outbox import OutboxRow
from twofold_server.db.pool import Connection


@dataclass(frozen=True, slots=True)
class NewTicket:
    """A ticket to be written."""

    ticket_id: UUID
    realm_id: str
    purpose: str
    subject: str
    handle_hash: bytes
    binding_hash: bytes | None
    payload: bytes
    create_time: datetime
    expire_time: datetime
    account_id: UUID | None = None
    epoch: int | None = None
    session_id: UUID | None = None
    client_id: str | None = None
    device_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """A live ticket."""

    ticket_id: UUID
    realm_id: str
    subject: str
    account_id: UUID | None
    epoch: int | None
    session_id: UUID | None
    payload: bytes
    attempts: int
    expire_time: datetime


async def put_single(db: Connection, t: NewTicket) -> None:
    """Write the one ticket of its purpose and subject; the one before is replaced, and its handle with it."""
    await db.execute(
        """
        INSERT INTO tickets (ticket_id, realm_id, purpose, subject, slot, handle_hash, binding_hash, payload, create_time, expire_time,
                             account_id, epoch, session_id, client_id)
        VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        ON CONFLICT ON CONSTRAINT tickets_slot_key DO UPDATE
           SET ticket_id = excluded.ticket_id, handle_hash = excluded.handle_hash, binding_hash = excluded.binding_hash,
               payload = excluded.payload, create_time = excluded.create_time, expire_time = excluded.expire_time,
               account_id = excluded.account_id, epoch = excluded.epoch, session_id = excluded.session_id, client_id = excluded.client_id,
               attempts = 0, spent_time = NULL, spent_proof = NULL
        """,
        t.ticket_id,
        t.realm_id,
        t.purpose,
        t.subject,
        t.handle_hash,
        t.binding_hash,
        t.payload,
        t.create_time,
        t.expire_time,
        t.account_id,
        t.epoch,
        t.session_id,
        t.client_id,
    )


async def put_unbounded(db: Connection, t: NewTicket) -> None:
    """Write a ticket beside whatever others there are."""
    await db.execute(
        """
        INSERT INTO tickets (ticket_id, realm_id, purpose, subject, handle_hash, binding_hash, payload, create_time, expire_time,
                             account_id, epoch, session_id, client_id, device_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        """,
        t.ticket_id,
        t.realm_id,
        t.purpose,
        t.subject,
        t.handle_hash,
        t.binding_hash,
        t.payload,
        t.create_time,
        t.expire_time,
        t.account_id,
        t.epoch,
        t.session_id,
        t.client_id,
        t.device_id,
    )


async def put_bounded(
    db: Connection, t: NewTicket, mail: OutboxRow, wait_key: bytes | None = None, next_time: datetime | None = None
) -> bool:
    """Write a ticket into one of three slots with its mail and, where it can be sent again, its resend wait.

    False if another took the free slot just now.

    Where all three are taken, mail and wait are written just the same, so that nothing tells; the worker finds no ticket for the mail.
    """
    # Judged on the newest row: a live ticket is never overwritten. A conflict on a slot that another took meanwhile gives no row.
    done: bool = await db.fetchval(
        """
        WITH free AS (
            SELECT min(n)::smallint AS slot FROM generate_series(1, 3) n
             WHERE NOT EXISTS (SELECT FROM tickets WHERE realm_id = $2 AND purpose = $3 AND subject = $4 AND slot = n
                                  AND spent_time IS NULL AND expire_time > $8 AND attempts < 5)
        ), ticket AS (
            INSERT INTO tickets AS k (ticket_id, realm_id, purpose, subject, slot, handle_hash, binding_hash, payload, create_time, expire_time)
            SELECT $1, $2, $3, $4, slot, $5, $6, $7, $8, $9 FROM free WHERE slot IS NOT NULL
            ON CONFLICT ON CONSTRAINT tickets_slot_key DO UPDATE
               SET ticket_id = excluded.ticket_id, handle_hash = excluded.handle_hash, binding_hash = excluded.binding_hash,
                   payload = excluded.payload, create_time = excluded.create_time, expire_time = excluded.expire_time,
                   account_id = NULL, epoch = NULL, attempts = 0, spent_time = NULL, spent_proof = NULL
             WHERE k.spent_time IS NOT NULL OR k.expire_time <= $8 OR k.attempts >= 5
            RETURNING 1
        ), done AS (
            SELECT slot IS NULL OR EXISTS (SELECT FROM ticket) AS done FROM free
        ), mail AS (
            INSERT INTO outbox (outbox_id, realm_id, ticket_id, kind, address_mac, payload, priority, create_time, due_time, expire_time)
            SELECT $10, $2, $1, $11, $12, $13, $14, $8, $8, $9 FROM done WHERE done
        ), wait AS (
            INSERT INTO resend_waits (key_mac, next_time, sends, expire_time) SELECT $15, $16, 0, $9 FROM done WHERE done AND $15::bytea IS NOT NULL
            ON CONFLICT (key_mac) DO NOTHING
        )
        SELECT done FROM done
        """,
        t.ticket_id,
        t.realm_id,
        t.purpose,
        t.subject,
        t.handle_hash,
        t.binding_hash,
        t.payload,
        t.create_time,
        t.expire_time,
        mail.outbox_id,
        mail.kind,
        mail.address_mac,
        mail.payload,
        mail.priority,
        wait_key,
        next_time,
    )
    return done


async def pass_wait(
    db: Connection, wait_key: bytes, *, now: datetime, next_time: datetime, expire_time: datetime, limit: int
) -> datetime | None:
    """Take one resend of what was presented, known or not; None if taken, else until when the wait lasts."""
    taken = await db.fetchval(
        """
        INSERT INTO resend_waits AS w (key_mac, next_time, sends, expire_time) VALUES ($1, $3, 1, $4)
        ON CONFLICT (key_mac) DO UPDATE SET next_time = excluded.next_time, sends = w.sends + 1
         WHERE w.next_time <= $2 AND w.sends < $5
        RETURNING true
        """,
        wait_key,
        now,
        next_time,
        expire_time,
        limit,
    )
    if taken:
        return None
    until: datetime | None = await db.fetchval(
        "SELECT CASE WHEN sends >= $2 THEN expire_time ELSE next_time END FROM resend_waits WHERE key_mac = $1",
        wait_key,
        limit,
    )
    return until or now


async def of_binding(
    db: Connection, *, realm_id: str, purpose: str, subject: str, binding_hash: bytes, now: datetime
) -> Ticket | None:
    """Find the live ticket that a device began for a subject, by its binding."""
    row = await db.fetchrow(
        """
        SELECT ticket_id, realm_id, subject, account_id, epoch, session_id, payload, attempts, expire_time FROM tickets
         WHERE realm_id = $1 AND purpose = $2 AND subject = $3 AND binding_hash = $4 AND spent_time IS NULL AND expire_time > $5
        """,
        realm_id,
        purpose,
        subject,
        binding_hash,
        now,
    )
    return Ticket(**row) if row is not None else None


async def peek(
    db: Connection,
    *,
    realm_ids: list[str],
    purpose: str,
    handle_hash: bytes,
    now: datetime,
    account_id: UUID | None = None,
    binding_hash: bytes | None = None,
    client_id: str | None = None,
) -> Ticket | None:
    """Read a live ticket by its handle, spending nothing; of an account, a device and a caller where those are named."""
    row = await db.fetchrow(
        """
        SELECT ticket_id, realm_id, subject, account_id, epoch, session_id, payload, attempts, expire_time FROM tickets
         WHERE realm_id = ANY($1::text[]) AND purpose = $2 AND handle_hash = $3 AND spent_time IS NULL AND expire_time > $4
           AND ($5::uuid IS NULL OR account_id = $5) AND attempts < 5
           AND ($6::bytea IS NULL OR binding_hash = $6) AND ($7::text IS NULL OR client_id = $7)
        """,
        realm_ids,
        purpose,
        handle_hash,
        now,
        account_id,
        binding_hash,
        client_id,
    )
    return Ticket(**row) if row is not None else None


async def spend(
    tx: Connection,
    *,
    realm_id: str,
    ticket_id: UUID,
    handle_hash: bytes,
    binding_hash: bytes | None,
    now: datetime,
    proof: bytes | None = None,
) -> bool:
    """Spend a ticket; False if spent, replaced, expired or, where a binding is given, of another device. Of racing callers one wins."""
    spent = await tx.fetchval(
        """
        UPDATE tickets SET spent_time = $5, spent_proof = $6
         WHERE realm_id = $1 AND ticket_id = $2 AND handle_hash = $3 AND ($4::bytea IS NULL OR binding_hash = $4)
           AND spent_time IS NULL AND expire_time > $5 AND attempts < 5
        RETURNING true
        """,
        realm_id,
        ticket_id,
        handle_hash,
        binding_hash,
        now,
        proof,
    )
    return bool(spent)


async def unspend(tx: Connection, *, realm_id: str, ticket_id: UUID, attempt: bool) -> None:
    """Give a ticket back that this very transaction spent, one attempt fewer if it was used up by a wrong code."""
    await tx.execute(
        "UPDATE tickets SET spent_time = NULL, spent_proof = NULL, attempts = attempts + $3::boolean::int WHERE realm_id = $1 AND ticket_id = $2",
        realm_id,
        ticket_id,
        attempt,
    )


async def count_attempt(db: Connection, *, realm_id: str, ticket_id: UUID, handle_hash: bytes, now: datetime) -> bool:
    """Count a wrong secret against a live ticket; False if its five are used up."""
    counted = await db.fetchval(
        """
        UPDATE tickets SET attempts = attempts + 1
         WHERE realm_id = $1 AND ticket_id = $2 AND handle_hash = $3 AND spent_time IS NULL AND expire_time > $4 AND attempts < 5
        RETURNING true
        """,
        realm_id,
        ticket_id,
        handle_hash,
        now,
    )
    return bool(counted)


async def end_others(tx: Connection, *, realm_id: str, purpose: str, subject: str, now: datetime) -> None:
    """Spend every live ticket of a purpose and subject."""
    await tx.execute(
        "UPDATE tickets SET spent_time = $4 WHERE realm_id = $1 AND purpose = $2 AND subject = $3 AND spent_time IS NULL",
        realm_id,
        purpose,
        subject,
        now,
    )


async def payload_of(db: Connection, realm_id: str, ticket_id: UUID) -> bytes | None:
    """The sealed payload of a ticket by its id; None if it is gone."""
    found: bytes | None = await db.fetchval(
        "SELECT payload FROM tickets WHERE realm_id = $1 AND ticket_id = $2", realm_id, ticket_id
    )
    return found


async def lock_of_account(tx: Connection, realm_id: str, account_id: UUID, purpose: str) -> None:
    """Lock an account's pending tickets of a purpose, the oldest first, waiting for whoever uses one."""
    await tx.execute(
        """
        SELECT FROM tickets WHERE account_id = $2 AND realm_id = $1 AND purpose = $3 AND spent_time IS NULL
         ORDER BY create_time, ticket_id FOR NO KEY UPDATE
        """,
        realm_id,
        account_id,
        purpose,
    )


async def end_of_account(tx: Connection, *, realm_id: str, account_id: UUID, kept: list[str], now: datetime) -> None:
    """Spend every pending ticket of a locked account whose epoch is about to rise, but those of purposes that are `kept`.

    One that is being used this very moment is passed over: it waits for the account, and then finds another epoch.
    """
    await tx.execute(
        """
        UPDATE tickets SET spent_time = $3
         WHERE realm_id = $1 AND ticket_id IN (
             SELECT ticket_id FROM tickets WHERE account_id = $2 AND realm_id = $1 AND spent_time IS NULL AND purpose <> ALL($4::text[])
                FOR NO KEY UPDATE SKIP LOCKED)
        """,
        realm_id,
        account_id,
        now,
        kept,
    )
