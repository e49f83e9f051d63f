"""Challenges: the tickets of a second factor that is owed. Read, then judged and spent in one autocommit statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from twofold_server.db.outbox import OutboxRow
from twofold_server.db.pool import Connection
from twofold_server.db.verdicts import Attempt, Code, DeviceUse, NewSession, Verdict


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenge whose handle, binding, caller and account's epoch were right, live or just spent."""

    ticket_id: UUID
    realm_id: str
    account_id: UUID
    email: str
    language_code: str
    epoch: int
    session_id: UUID | None
    payload: bytes
    live: bool
    spent_proof: bytes | None
    spent_just_now: bool
    expire_time: datetime
    factor_ids: list[UUID] | None
    factor_kinds: list[str] | None
    factor_secrets: list[bytes] | None
    budget_kinds: list[str] | None
    budget_failures: list[list[int]] | None
    budget_wait_until: list[list[datetime]] | None
    backup_hash: bytes | None
    backup_set_id: UUID | None
    backup_codes_left: bool
    set_through: str | None
    changes_frozen_until: datetime | None
    reenroll_by: datetime | None
    device_id: UUID | None
    device_generation: int | None
    device_salt: bytes | None
    network_failures: int
    sent_id: UUID | None
    sent_payload: bytes | None
    sent_answer: str | None
    sent_factor_id: UUID | None


async def read(
    db: Connection,
    *,
    realm_ids: list[str],
    purpose: str,
    handle_hash: bytes,
    binding_hash: bytes,
    client_id: str,
    now: datetime,
    slot: str | None,
    network: str,
    hour: datetime,
    sent_slot: int | None = None,
) -> Challenge | None:
    """Read a challenge and what it may be answered with; None if unknown, expired, another's or of an old state."""
    row = await db.fetchrow(
        """
        SELECT k.ticket_id, k.realm_id, a.account_id, a.email, a.language_code, k.epoch, k.session_id, k.payload,
               k.spent_time IS NULL AND k.attempts < 5 AS live, k.spent_proof,
               coalesce(k.spent_time + interval '10 s' > $6, false) AS spent_just_now, k.expire_time,
               f.factor_ids, f.factor_kinds, f.factor_secrets,
               b.budget_kinds, b.budget_failures, b.budget_wait_until, c.hash AS backup_hash,
               c.set_id AS backup_set_id,
               EXISTS (
                   SELECT FROM backup_codes l WHERE l.account_id = a.account_id AND l.spent_time IS NULL
               ) AS backup_codes_left, p.set_through, a.changes_frozen_until, a.reenroll_by,
               d.device_id, d.generation AS device_generation, d.salt AS device_salt, coalesce(n.failures, 0) AS network_failures,
               s.ticket_id AS sent_id, s.payload AS sent_payload, s.answer AS sent_answer, v.factor_id AS sent_factor_id
          FROM tickets k
          JOIN accounts a ON a.account_id = k.account_id AND a.epoch = k.epoch AND a.realm_id = k.realm_id AND a.state = 'active'
          LEFT JOIN LATERAL (
              SELECT array_agg(x.factor_id) AS factor_ids, array_agg(x.kind) AS factor_kinds, array_agg(x.secret) AS factor_secrets
                FROM (SELECT factor_id, kind, secret FROM factors
                       WHERE account_id = a.account_id ORDER BY preferred DESC, factor_id) x
          ) f ON true
          LEFT JOIN LATERAL (
              SELECT array_agg(kind) AS budget_kinds, array_agg(failures) AS budget_failures, array_agg(wait_until) AS budget_wait_until
                FROM factor_budgets WHERE account_id = a.account_id
          ) b ON true
          LEFT JOIN backup_codes c ON c.account_id = a.account_id AND c.slot = $7 AND c.spent_time IS NULL
          LEFT JOIN password_credentials p ON p.account_id = a.account_id
          LEFT JOIN devices d ON d.device_id = k.device_id AND d.account_id = a.account_id AND d.epoch = a.epoch AND d.end_time IS NULL
          LEFT JOIN network_failures n ON n.realm_id = k.realm_id AND n.network = $8 AND n.hour = $9
          LEFT JOIN tickets s ON s.realm_id = k.realm_id AND s.purpose = 'sent' AND s.subject = k.ticket_id::text AND s.slot = $10
               AND s.spent_time IS NULL AND s.expire_time > $6
          LEFT JOIN approvers v ON v.approver_id = s.approver_id AND v.account_id = a.account_id
         WHERE k.handle_hash = $3 AND k.binding_hash = $4 AND k.realm_id = ANY($1::text[]) AND k.purpose = $2
           AND k.client_id = $5 AND k.expire_time > $6
        """,
        realm_ids,
        purpose,
        handle_hash,
        binding_hash,
        client_id,
        now,
        slot,
        network,
        hour,
        sent_slot,
    )
    return Challenge(**row) if row is not None else None


async def finish(
    db: Connection,
    at: Attempt,
    *,
    handle_hash: bytes,
    binding_hash: bytes,
    proof: bytes,
    account_id: UUID,
    epoch: int,
    code: Code,
    session: NewSession,
    device: DeviceUse,
    notice: OutboxRow | None,
    purpose: str = "challenge",
) -> tuple[Verdict, UUID | None]:
    """Judge a code and, where it is right, spend it and the challenge and begin the session.

    `purpose` is `challenge`, or `passkey` for a sign-in without a password: its ticket is nobody's until the passkey says whose.

    Outcomes: `no_ticket`, `repeated` (the code that spent it, within 10 s: its session is returned), `code_exhausted`,
    `signed_in`, `wrong_code`.
    """
    row = await db.fetchrow(
        """
        WITH gate AS (          -- a wrong handle or binding, or an epoch that moved, finds no row and spends nothing
            SELECT k.ticket_id, k.session_id, k.spent_time IS NULL AND k.attempts < 5 AS live,
                   k.spent_proof = $15 AND k.spent_time + interval '10 s' > $3 AS repeated
              FROM tickets k JOIN accounts a ON a.account_id = $1 AND a.epoch = $16 AND a.state = 'active'
             WHERE k.handle_hash = $13 AND k.binding_hash = $14 AND k.realm_id = $2 AND k.purpose = $51 AND k.client_id = $10
               AND k.expire_time > $3 AND a.realm_id = $2
               AND (k.account_id = a.account_id AND k.epoch = a.epoch OR $51 = 'passkey' AND k.account_id IS NULL)
               FOR NO KEY UPDATE OF k, a
        ), device AS (
            SELECT d.device_id FROM gate JOIN devices d ON d.device_id = $31 AND d.account_id = $1
             WHERE $32 AND d.epoch = $16 AND d.end_time IS NULL
               FOR NO KEY UPDATE OF d
        ), budget AS (
            SELECT b.account_id, live_failures(b.failures[$4], b.wait_until[$4], $3) AS failed, b.wait_until[$4] <= $3
                   AND live_failures(b.failures[$4], b.wait_until[$4], $3) < $5 AS open
              FROM gate JOIN factor_budgets b ON b.account_id = $1 WHERE gate.live AND b.kind = $17
               FOR NO KEY UPDATE OF b
        ), totp AS (
            SELECT f.last_step < $19 AS fresh FROM budget JOIN factors f USING (account_id)
             WHERE f.factor_id = $18 AND $17 = 'totp'
               FOR NO KEY UPDATE OF f
        ), backup AS (
            SELECT $22 AND c.spent_time IS NULL AND c.set_id = $21 AS fresh FROM budget JOIN backup_codes c USING (account_id)
             WHERE c.slot = $20 AND $17 = 'backup_code'
               FOR NO KEY UPDATE OF c
        ), sent AS (            -- what was sent for this challenge, and came back as the factor's kind has it
            SELECT s.spent_time IS NULL AND s.expire_time > $3 AND CASE WHEN $17 IN ('email', 'sms') THEN s.code_mac = ANY($46::bytea[])
                   WHEN $17 = 'passkey' THEN $47
                   WHEN $17 = 'push' THEN s.answer = 'approved'
                        AND EXISTS (SELECT FROM approvers v WHERE v.approver_id = s.approver_id AND v.factor_id = f.factor_id) END AS fresh
              FROM budget JOIN gate ON true JOIN factors f ON f.factor_id = $18 AND f.account_id = $1 AND f.kind = $17
              JOIN tickets s ON s.ticket_id = $45 AND s.purpose = 'sent' AND s.subject = gate.ticket_id::text
               FOR NO KEY UPDATE OF f, s
        ), alone AS (           -- an answer to the ticket itself, by a passkey that is still enrolled
            SELECT $47 AS fresh FROM budget JOIN factors f ON f.factor_id = $18 AND f.account_id = $1 AND f.kind = 'passkey'
             WHERE $51 = 'passkey'
               FOR NO KEY UPDATE OF f
        ), verdict AS (
            SELECT gate.ticket_id, gate.session_id, budget.failed, CASE
                   WHEN gate.repeated                       THEN 'repeated'
                   WHEN gate.live IS NOT TRUE               THEN 'no_ticket'
                   WHEN $32 AND device.device_id IS NULL    THEN 'no_ticket'
                   WHEN NOT budget.open                     THEN 'code_exhausted'
                   WHEN coalesce(totp.fresh, backup.fresh, sent.fresh, alone.fresh) THEN 'signed_in'
                   ELSE 'wrong_code' END AS outcome
              FROM (SELECT) one LEFT JOIN gate ON true LEFT JOIN device ON true LEFT JOIN budget ON true
              LEFT JOIN totp ON true LEFT JOIN backup ON true LEFT JOIN sent ON true LEFT JOIN alone ON true
        ), attempt AS (
            UPDATE tickets k SET attempts = k.attempts + 1 FROM verdict v WHERE k.ticket_id = v.ticket_id AND v.outcome = 'wrong_code'
        ), spend AS (
            UPDATE tickets k SET spent_time = $3, spent_proof = $15, session_id = $23 FROM verdict v
             WHERE k.ticket_id = v.ticket_id AND v.outcome = 'signed_in'
        ), count_code AS (
            UPDATE factor_budgets b
               SET failures[$4] = v.failed + 1, wait_until[$4] = wait_end(v.failed + 1, $3, $6)
              FROM verdict v WHERE b.account_id = $1 AND b.kind = $17 AND v.outcome = 'wrong_code' AND v.failed IS NOT NULL
        ), clear_code AS (
            UPDATE factor_budgets b
               SET failures = ARRAY[CASE WHEN $4 = 1 OR b.failures[1] >= $33 THEN 0 ELSE b.failures[1] END,
                                    CASE WHEN $4 = 2 THEN 0 ELSE b.failures[2] END],
                   wait_until = ARRAY[CASE WHEN $4 = 1 OR b.failures[1] >= $33 THEN 'epoch' ELSE b.wait_until[1] END,
                                      CASE WHEN $4 = 2 THEN 'epoch' ELSE b.wait_until[2] END]
              FROM verdict v
             WHERE b.account_id = $1 AND b.kind = $17 AND v.outcome = 'signed_in'
               AND (b.failures[$4] > 0 OR $4 = 2 AND b.failures[1] >= $33)
        ), reopen_password AS ( -- finished on a known device: unknown ones get their bucket back where it stands at its ceiling; what
                                -- was set through a mailbox has been joined by a factor on another channel, but not by a passkey
                                -- alone, whose user need not know the password
            UPDATE password_credentials p
               SET failures[1] = CASE WHEN $4 = 2 AND p.failures[1] >= $33 THEN 0 ELSE p.failures[1] END,
                   wait_until[1] = CASE WHEN $4 = 2 AND p.failures[1] >= $33 THEN 'epoch' ELSE p.wait_until[1] END,
                   set_through = CASE WHEN $51 = 'passkey' THEN p.set_through END
              FROM verdict v
             WHERE p.account_id = $1 AND v.outcome = 'signed_in'
               AND ($4 = 2 AND p.failures[1] >= $33 OR $51 <> 'passkey' AND p.set_through IS NOT NULL)
        ), spend_factor AS (
            UPDATE factors f SET last_step = coalesce($19, f.last_step), secret = coalesce($48, f.secret), last_use_time = $3 FROM verdict v
             WHERE f.factor_id = $18 AND f.account_id = $1 AND v.outcome = 'signed_in'
        ), spend_sent AS (
            UPDATE tickets s SET spent_time = $3 FROM verdict v WHERE s.ticket_id = $45 AND v.outcome = 'signed_in'
        ), spend_backup AS (
            UPDATE backup_codes c SET spent_time = $3 FROM verdict v
             WHERE c.account_id = $1 AND c.slot = $20 AND v.outcome = 'signed_in'
        ), network AS (
            INSERT INTO network_failures AS n (realm_id, network, hour, failures)
            SELECT $2, $7, $8, 1 FROM verdict WHERE outcome = 'wrong_code'
            ON CONFLICT (realm_id, network, hour) DO UPDATE SET failures = n.failures + 1
        ), known AS (
            INSERT INTO devices AS d (device_id, account_id, realm_id, epoch, salt, create_time, last_use_time, trusted_until,
                                      ip_address, user_agent)
            SELECT $31, $1, $2, $16, $34, $3, $3, $50, $29, $30 FROM verdict WHERE outcome = 'signed_in'
            ON CONFLICT (device_id) DO UPDATE
               SET generation = d.generation + (d.generation = $35)::int, last_use_time = $3,
                   trusted_until = coalesce(excluded.trusted_until, d.trusted_until),
                   ip_address = excluded.ip_address, user_agent = excluded.user_agent
            RETURNING d.generation, d.salt
        ), session AS (
            INSERT INTO sessions (session_id, realm_id, account_id, device_id, client_id, epoch, salt, audience, amr, aal, auth_time,
                                  second_factor_time, factor_strength, ip_address, user_agent, create_time, rotated_time, expire_time,
                                  absolute_expire_time)
            SELECT $23, $2, $1, $31, $10, $16, $24, $25, $26, $27, $37, $28, $49, $29, $30, $3, $3, $36, $38
              FROM verdict WHERE outcome = 'signed_in'
        ), notice AS (
            INSERT INTO outbox (outbox_id, realm_id, account_id, kind, address_mac, payload, priority, create_time, due_time, expire_time)
            SELECT $39, $2, $1, $40, $41, $42, $43, $3, $3, $44 FROM verdict
             WHERE outcome = 'signed_in' AND $39::uuid IS NOT NULL AND EXISTS (SELECT FROM devices WHERE account_id = $1)
        ), event AS (
            INSERT INTO events (event_id, realm_id, account_id, kind, client_id, create_time, details, personal)
            SELECT $9, $2, $1, outcome, $10, $3,
                   CASE WHEN outcome = 'signed_in' THEN $11::jsonb ELSE $11::jsonb - '{session_id,two_factor_verified}'::text[] END, $12
              FROM verdict WHERE outcome IN ('signed_in', 'wrong_code')
        )
        SELECT v.outcome, k.generation AS device_generation, k.salt AS device_salt, v.session_id
          FROM verdict v LEFT JOIN known k ON true
        """,
        account_id,
        at.realm_id,
        at.now,
        at.bucket,
        at.ceiling,
        at.waits,
        at.network,
        at.hour,
        at.event_id,
        at.client_id,
        at.details,
        at.personal,
        handle_hash,
        binding_hash,
        proof,
        epoch,
        code.kind,
        code.factor_id,
        code.step,
        code.slot,
        code.slot_set_id,
        code.slot_ok,
        session.session_id,
        session.salt,
        session.audience,
        session.amr,
        session.aal,
        session.second_factor_time,
        session.ip_address,
        session.user_agent,
        device.device_id,
        device.known,
        at.unknown_ceiling,
        device.salt,
        device.presented_generation,
        session.expire_time,
        session.auth_time,
        session.absolute_expire_time,
        notice and notice.outbox_id,
        notice and notice.kind,
        notice and notice.address_mac,
        notice and notice.payload,
        notice and notice.priority,
        notice and notice.expire_time,
        code.sent_id,
        code.sent_macs,
        code.sent_ok,
        code.new_secret,
        session.factor_strength,
        device.trusted_until,
        purpose,
    )
    assert row is not None
    return Verdict(row["outcome"], row["device_generation"], row["device_salt"]), row["session_id"]
