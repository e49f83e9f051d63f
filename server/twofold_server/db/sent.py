"""What is sent for a challenge: one row for each kind, replaced when asked for again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from twofold_server.db.pool import Connection
from twofold_server.db.tickets import NewTicket


async def put(tx: Connection, t: NewTicket, slot: int, code_mac: bytes | None, wait_since: datetime) -> bool:
    """Write what is sent; False, and nothing is written, where it went out after `wait_since`.

    The count of wrong codes goes on from one that still stands: asking again buys no guesses, and five end the asking.
    """
    # In the upsert's own WHERE: of two at once one sends.
    written = await tx.fetchval(
        """
        INSERT INTO tickets AS k (ticket_id, realm_id, purpose, subject, slot, handle_hash, payload, code_mac, create_time, expire_time,
                                  account_id, epoch, client_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        ON CONFLICT ON CONSTRAINT tickets_slot_key DO UPDATE
           SET ticket_id = excluded.ticket_id, handle_hash = excluded.handle_hash, payload = excluded.payload,
               code_mac = excluded.code_mac, create_time = excluded.create_time, expire_time = excluded.expire_time,
               account_id = excluded.account_id, epoch = excluded.epoch, client_id = excluded.client_id,
               spent_time = NULL, answer = NULL,
               attempts = CASE WHEN k.spent_time IS NULL AND k.expire_time > $9 THEN k.attempts ELSE 0 END
         WHERE k.spent_time IS NOT NULL OR k.expire_time <= $9 OR (k.create_time <= $14 AND k.attempts < 5)
        RETURNING true
        """,
        t.ticket_id,
        t.realm_id,
        t.purpose,
        t.subject,
        slot,
        t.handle_hash,
        t.payload,
        code_mac,
        t.create_time,
        t.expire_time,
        t.account_id,
        t.epoch,
        t.client_id,
        wait_since,
    )
    return bool(written)


async def matches(tx: Connection, realm_id: str, ticket_id: UUID, macs: list[bytes], now: datetime) -> bool:
    """Tell whether this code came back, and spend it; a wrong one is counted at what was sent, five end it."""
    right = await tx.fetchval(
        """
        UPDATE tickets SET attempts = attempts + 1, spent_time = CASE WHEN code_mac = ANY($3::bytea[]) THEN $4::timestamptz END
         WHERE ticket_id = $2 AND realm_id = $1 AND purpose = 'sent' AND spent_time IS NULL AND expire_time > $4 AND attempts < 5
        RETURNING code_mac = ANY($3::bytea[])
        """,
        realm_id,
        ticket_id,
        macs,
        now,
    )
    return bool(right)


async def spend(
    tx: Connection,
    realm_id: str,
    ticket_id: UUID,
    factor_id: UUID,
    code: tuple[str, list[bytes] | None, bool],
    now: datetime,
) -> bool:
    """Spend what was sent, if it came back as the factor's kind has it: a code's HMACs, an assertion, an approval."""
    kind, macs, ok = code
    spent = await tx.fetchval(
        """
        UPDATE tickets s SET spent_time = $5 FROM factors f
         WHERE s.ticket_id = $2 AND s.realm_id = $1 AND s.purpose = 'sent' AND s.spent_time IS NULL AND s.expire_time > $5
           AND f.factor_id = $3 AND f.account_id = s.account_id AND f.kind = $4
           AND CASE WHEN $4 IN ('email', 'sms') THEN s.code_mac = ANY($6::bytea[]) WHEN $4 = 'passkey' THEN $7
                    WHEN $4 = 'push' THEN s.answer = 'approved'
                         AND EXISTS (SELECT FROM approvers v WHERE v.approver_id = s.approver_id AND v.factor_id = f.factor_id) END
        RETURNING true
        """,
        realm_id,
        ticket_id,
        factor_id,
        kind,
        now,
        macs,
        ok,
    )
    return bool(spent)


@dataclass(frozen=True, slots=True)
class Last:
    """What was sent last for a step."""

    ticket_id: UUID
    payload: bytes
    create_time: datetime
    expire_time: datetime


async def last(db: Connection, realm_id: str, purpose: str, subject: str, slot: int) -> Last | None:
    """Read what was sent last, of a kind, for a step."""
    row = await db.fetchrow(
        """
        SELECT ticket_id, payload, create_time, expire_time FROM tickets
         WHERE realm_id = $1 AND purpose = $2 AND subject = $3 AND slot = $4
        """,
        realm_id,
        purpose,
        subject,
        slot,
    )
    return Last(**row) if row is not None else None
