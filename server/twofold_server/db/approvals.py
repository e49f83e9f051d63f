"""Requests for approval: what challenges send to phones. Asked, and answered, in one statement each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from twofold_server.db.outbox import OutboxRow
from twofold_server.db.pool import Connection

Decision = Literal["approve", "deny", "not_me"]


@dataclass(frozen=True, slots=True)
class NewRequest:
    """A request to be asked, one of a challenge at a time. Its number is known by `code_mac` alone."""

    request_id: UUID
    challenge_id: UUID
    account_id: UUID
    epoch: int
    client_id: str
    device_id: UUID | None
    handle_hash: bytes = field(repr=False)
    code_mac: bytes = field(repr=False)
    payload: bytes = field(repr=False)
    create_time: datetime
    expire_time: datetime


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A request as it stands."""

    request_id: UUID
    realm_id: str
    account_id: UUID
    payload: bytes = field(repr=False)
    create_time: datetime
    expire_time: datetime
    answer: str
    spent: bool


async def ask(
    db: Connection,
    realm_id: str,
    new: NewRequest,
    *,
    window: timedelta,
    limit: int,
    event_id: UUID,
    wake_ups: Sequence[OutboxRow],
) -> tuple[str, datetime | None]:
    """Ask an account's phones, in place of what this challenge asked before, and wake them.

    Outcomes: `asked`; `no_ticket`, the challenge is over; `limited`, with the time of the oldest of the requests that were
    not approved, which are as many as may be. Known devices and all others are counted apart, by `device_id`.
    """
    # The limit stands in the WHERE of the conflict's UPDATE, which judges the newest row under its lock: of ten at once three pass.
    row = await db.fetchrow(
        """
        WITH gate AS (
            SELECT k.ticket_id FROM tickets k JOIN accounts a ON a.account_id = k.account_id AND a.epoch = k.epoch
             WHERE k.ticket_id = $3 AND k.realm_id = $1 AND k.account_id = $4 AND k.purpose IN ('challenge', 'step_up')
               AND k.spent_time IS NULL AND k.attempts < 5 AND k.expire_time > $11 AND a.epoch = $5 AND a.state = 'active'
               FOR NO KEY UPDATE OF k
        ), counted AS (
            INSERT INTO approval_limits AS l (account_id, bucket, asked_times)
            SELECT $4, CASE WHEN $7::uuid IS NULL THEN 1 ELSE 2 END, ARRAY[$11::timestamptz] FROM gate
            ON CONFLICT (account_id, bucket) DO UPDATE
               SET asked_times = ARRAY(SELECT t FROM unnest(l.asked_times) t WHERE t > $11 - $13::interval ORDER BY t) || $11::timestamptz
             WHERE (SELECT count(*) FROM unnest(l.asked_times) t WHERE t > $11 - $13::interval) < $14
            RETURNING 1
        ), sent AS (
            INSERT INTO tickets (ticket_id, realm_id, purpose, subject, slot, handle_hash, account_id, epoch, client_id, device_id,
                                 payload, code_mac, answer, create_time, expire_time)
            SELECT $2, $1, 'sent', $3::uuid::text, 4, $8, $4, $5, $6, $7, $10, $9, 'asked', $11, $12 FROM counted
            ON CONFLICT ON CONSTRAINT tickets_slot_key DO UPDATE
               SET ticket_id = excluded.ticket_id, handle_hash = excluded.handle_hash, binding_hash = NULL, account_id = excluded.account_id,
                   epoch = excluded.epoch, session_id = NULL, client_id = excluded.client_id, device_id = excluded.device_id,
                   payload = excluded.payload, code_mac = excluded.code_mac, answer = 'asked', approver_id = NULL,
                   create_time = excluded.create_time, expire_time = excluded.expire_time,
                   attempts = 0, spent_time = NULL, spent_proof = NULL
        ), wake_up AS (
            INSERT INTO outbox (outbox_id, realm_id, account_id, ticket_id, channel, kind, payload, priority, create_time, due_time, expire_time)
            SELECT w.outbox_id, $1, $4, $2, 'hook', 'wake_up', w.payload, $18, $11, $11, $12
              FROM counted, unnest($16::uuid[], $17::bytea[]) AS w (outbox_id, payload)
        ), event AS (
            INSERT INTO events (event_id, realm_id, account_id, kind, client_id, create_time, details)
            SELECT $15, $1, $4, 'approval_asked', $6, $11,
                   jsonb_build_object('request_id', $2::uuid, 'known_device', $7::uuid IS NOT NULL) FROM counted
        )
        SELECT CASE WHEN NOT EXISTS (SELECT FROM gate)   THEN 'no_ticket'
                    WHEN NOT EXISTS (SELECT FROM counted) THEN 'limited' ELSE 'asked' END AS outcome,
               (SELECT min(t) FROM approval_limits l, unnest(l.asked_times) t
                 WHERE l.account_id = $4 AND l.bucket = CASE WHEN $7::uuid IS NULL THEN 1 ELSE 2 END AND t > $11 - $13::interval) AS oldest
        """,
        realm_id,
        new.request_id,
        new.challenge_id,
        new.account_id,
        new.epoch,
        new.client_id,
        new.device_id,
        new.handle_hash,
        new.code_mac,
        new.payload,
        new.create_time,
        new.expire_time,
        window,
        limit,
        event_id,
        [row.outbox_id for row in wake_ups],
        [row.payload for row in wake_ups],
        wake_ups[0].priority if wake_ups else 1,
    )
    assert row is not None
    return row["outcome"], row["oldest"]


async def answer(
    db: Connection,
    realm_id: str,
    *,
    account_id: UUID,
    epoch: int,
    approver_id: UUID,
    request_id: UUID,
    decision: Decision,
    code_macs: Sequence[bytes],
    client_id: str,
    now: datetime,
    limit: int,
    event_id: UUID,
    revocation_id: UUID,
    revocation_expire: datetime,
    notice: OutboxRow,
) -> str:
    """Judge an answer and write all that follows of it.

    Outcomes: `no_request` (unknown, another account's, expired, answered, taken back, or the approver is gone), `approved`,
    `denied`, `not_me`, `wrong_number`. Locks challenge, request, account and approver, in that order: the account comes before all
    that an answer writes, as it does for who finishes the challenge and for who removes the phone.
    """
    outcome: str = await db.fetchval(
        """
        WITH named AS MATERIALIZED (
            SELECT s.subject FROM tickets s WHERE s.ticket_id = $3 AND s.realm_id = $1 AND s.account_id = $2 AND s.purpose = 'sent'
        ), challenge AS (
            SELECT k.ticket_id, k.session_id, k.spent_time IS NULL AND k.attempts < 5 AND k.expire_time > $8 AS live
              FROM named JOIN tickets k ON k.ticket_id = named.subject::uuid WHERE k.account_id = $2
               FOR NO KEY UPDATE OF k
        ), request AS (         -- in its newest version: a second answer waits here, and finds that it is answered
            SELECT s.ticket_id, s.device_id, s.code_mac = ANY($7::bytea[]) AS right_number
              FROM challenge JOIN tickets s ON s.subject = challenge.ticket_id::text
             WHERE s.ticket_id = $3 AND s.purpose = 'sent' AND s.answer = 'asked' AND s.spent_time IS NULL AND s.expire_time > $8
               AND s.epoch = $4
               FOR NO KEY UPDATE OF s
        ), account AS (
            SELECT a.account_id FROM request JOIN accounts a ON a.account_id = $2
             WHERE a.realm_id = $1 AND a.epoch = $4 AND a.state = 'active'
               FOR NO KEY UPDATE OF a
        ), approver AS (
            SELECT p.approver_id, p.factor_id FROM account JOIN approvers p USING (account_id)
             WHERE p.approver_id = $5 AND p.realm_id = $1 AND p.factor_id IS NOT NULL
               FOR NO KEY UPDATE OF p
        ), verdict AS (
            SELECT challenge.ticket_id AS challenge_id, challenge.session_id, request.device_id, approver.factor_id, CASE
                   WHEN request.ticket_id IS NULL OR approver.approver_id IS NULL THEN 'no_request'
                   WHEN $6 = 'not_me'          THEN 'not_me'    -- also where it was finished otherwise meanwhile: then that session ends
                   WHEN NOT challenge.live     THEN 'no_request'
                   WHEN $6 = 'deny'            THEN 'denied'
                   WHEN request.right_number   THEN 'approved'
                   ELSE 'wrong_number' END AS outcome
              FROM (SELECT) one LEFT JOIN challenge ON true LEFT JOIN request ON true LEFT JOIN approver ON true
        ), answered AS (
            UPDATE tickets s SET answer = v.outcome, approver_id = $5, spent_time = CASE WHEN v.outcome <> 'approved' THEN $8::timestamptz END
              FROM verdict v WHERE s.ticket_id = $3 AND v.outcome <> 'no_request'
        ), over AS (
            UPDATE tickets k SET spent_time = $8 FROM verdict v
             WHERE k.ticket_id = v.challenge_id AND k.spent_time IS NULL AND v.outcome IN ('not_me', 'wrong_number')
        ), session AS (
            UPDATE sessions s SET end_time = $8 FROM verdict v
             WHERE s.session_id = v.session_id AND s.account_id = $2 AND s.end_time IS NULL AND v.outcome = 'not_me'
            RETURNING s.session_id, s.device_id
        ), revocation AS (
            INSERT INTO revocations (revocation_id, realm_id, kind, subject, expire_time)
            SELECT $10, $1, 'session', session_id::text, $11 FROM session
        ), device AS (          -- whoever it was is no known device any more: neither where it was asked, nor where it went in
            UPDATE devices d SET end_time = $8, trusted_until = NULL FROM verdict v
             WHERE v.outcome = 'not_me' AND d.account_id = $2 AND d.end_time IS NULL
               AND (d.device_id = v.device_id OR d.device_id IN (SELECT device_id FROM session))
        ), cleared AS (
            DELETE FROM approval_limits l USING verdict v
             WHERE v.outcome = 'approved' AND l.account_id = $2 AND l.bucket = CASE WHEN v.device_id IS NULL THEN 1 ELSE 2 END
        ), filled AS (          -- nobody asks again from an unknown device for as long as requests are counted
            INSERT INTO approval_limits AS l (account_id, bucket, asked_times)
            SELECT $2, 1, array_fill($8::timestamptz, ARRAY[$9::int]) FROM verdict WHERE outcome = 'not_me'
            ON CONFLICT (account_id, bucket) DO UPDATE SET asked_times = excluded.asked_times
        ), used AS (
            UPDATE approvers p SET last_use_time = $8 FROM verdict v WHERE p.approver_id = $5 AND v.outcome <> 'no_request'
        ), factor AS (
            UPDATE factors f SET last_use_time = $8 FROM verdict v WHERE f.factor_id = v.factor_id AND v.outcome = 'approved'
        ), notice AS (
            INSERT INTO outbox (outbox_id, realm_id, account_id, kind, address_mac, payload, priority, create_time, due_time, expire_time)
            SELECT $14, $1, $2, $15, $16, $17, $18, $8, $8, $19 FROM verdict WHERE outcome = 'not_me'
        ), event AS (
            INSERT INTO events (event_id, realm_id, account_id, kind, client_id, create_time, details)
            SELECT $12, $1, $2, 'approval_' || outcome, $13, $8, jsonb_build_object('request_id', $3::uuid, 'approver_id', $5::uuid)
              FROM verdict WHERE outcome <> 'no_request'
        )
        SELECT outcome FROM verdict
        """,
        realm_id,
        account_id,
        request_id,
        epoch,
        approver_id,
        decision,
        list(code_macs),
        now,
        limit,
        revocation_id,
        revocation_expire,
        event_id,
        client_id,
        notice.outbox_id,
        notice.kind,
        notice.address_mac,
        notice.payload,
        notice.priority,
        notice.expire_time,
    )
    return outcome


async def of_challenge(db: Connection, realm_id: str, challenge_id: UUID) -> RequestRow | None:
    """Read the request that a challenge asked last; None if it asked none."""
    row = await db.fetchrow(
        """
        SELECT ticket_id AS request_id, realm_id, account_id, payload, create_time, expire_time, answer, spent_time IS NOT NULL AS spent
          FROM tickets WHERE realm_id = $1 AND purpose = 'sent' AND subject = $2::uuid::text AND slot = 4 AND answer IS NOT NULL
        """,
        realm_id,
        challenge_id,
    )
    return RequestRow(**row) if row is not None else None


async def open_ids(db: Connection, account_ids: list[UUID], request_ids: list[UUID], now: datetime) -> set[UUID]:
    """Tell which requests are open to these accounts' phones, and which of these requests are, of whichever realms."""
    rows = await db.fetch(
        """
        SELECT ticket_id FROM tickets WHERE answer = 'asked' AND account_id = ANY($1::uuid[]) AND spent_time IS NULL AND expire_time > $3
         UNION ALL
        SELECT ticket_id FROM tickets WHERE ticket_id = ANY($2::uuid[]) AND answer = 'asked' AND spent_time IS NULL AND expire_time > $3
        """,
        account_ids,
        request_ids,
        now,
    )
    return {row["ticket_id"] for row in rows}


async def by_ids(db: Connection, request_ids: list[UUID]) -> list[RequestRow]:
    """Read how requests stand, of whichever realms; those that were replaced are not among them."""
    rows = await db.fetch(
        """
        SELECT ticket_id AS request_id, realm_id, account_id, payload, create_time, expire_time, answer, spent_time IS NOT NULL AS spent
          FROM tickets WHERE ticket_id = ANY($1::uuid[]) AND answer IS NOT NULL
        """,
        request_ids,
    )
    return [RequestRow(**row) for row in rows]
