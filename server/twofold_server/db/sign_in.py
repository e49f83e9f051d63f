"""The sign-in's statements: one read before the hash, and one of three autocommit statements after it.

Each judging statement locks, judges and writes. What its verdict rests on is read in the lock (`FOR NO KEY UPDATE`, which after a
wait gives the row's newest version and checks its WHERE again) or stands in the UPDATE's own WHERE: a joined row that is not
locked stays that of the older snapshot. Lock order everywhere: ticket, account, password, session, device, code.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from twofold_server.db.outbox import OutboxRow
from twofold_server.db.pool import Connection
from twofold_server.db.verdicts import Attempt, Code, DeviceUse, NewChallenge, NewSession, Verdict


@dataclass(frozen=True, slots=True)
class Found:
    """What a sign-in rests on, as the read saw it; every judging statement demands it again where it matters."""

    account_id: UUID | None
    epoch: int
    state: str
    second_factor: bool
    reenroll_by: datetime | None
    email: str
    language_code: str
    hash: bytes | None
    set_through: str | None
    failures: list[int] | None
    wait_until: list[datetime] | None
    factor_ids: list[UUID] | None
    factor_kinds: list[str] | None
    factor_secrets: list[bytes] | None
    budget_kinds: list[str] | None
    budget_failures: list[list[int]] | None
    budget_wait_until: list[list[datetime]] | None
    backup_hash: bytes | None
    backup_set_id: UUID | None
    backup_codes_left: bool
    device_id: UUID | None
    device_generation: int | None
    device_trusted_until: datetime | None
    unknown_failures: int | None
    unknown_wait_until: datetime | None
    network_failures: int


async def read(
    db: Connection,
    *,
    realm_id: str,
    email_key: str,
    identifier_mac: bytes,
    network: str,
    hour: datetime,
    device_id: UUID | None,
    device_inner: bytes | None,
    device_proof: bytes | None,
    slot: str | None,
) -> Found:
    """Read all that a sign-in needs, in one round trip and of one shape, whether or not the account exists."""
    row = await db.fetchrow(
        """
        SELECT a.account_id, coalesce(a.epoch, 0) AS epoch, coalesce(a.state, '') AS state,
               coalesce(a.second_factor, false) AS second_factor, a.reenroll_by, coalesce(a.email, '') AS email,
               coalesce(a.language_code, '') AS language_code, p.hash, p.set_through, p.failures, p.wait_until,
               f.factor_ids, f.factor_kinds, f.factor_secrets,
               b.budget_kinds, b.budget_failures, b.budget_wait_until, c.hash AS backup_hash,
               c.set_id AS backup_set_id,
               a.second_factor IS TRUE AND EXISTS (
                   SELECT FROM backup_codes l WHERE l.account_id = a.account_id AND l.spent_time IS NULL
               ) AS backup_codes_left,
               d.device_id, d.generation AS device_generation, d.trusted_until AS device_trusted_until,
               u.failures AS unknown_failures, u.wait_until AS unknown_wait_until,
               coalesce(n.failures, 0) AS network_failures
          FROM (SELECT) one
          LEFT JOIN accounts a ON a.realm_id = $1 AND a.email_key = $2
          LEFT JOIN password_credentials p ON p.account_id = a.account_id
          LEFT JOIN LATERAL (
              SELECT array_agg(x.factor_id) AS factor_ids, array_agg(x.kind) AS factor_kinds, array_agg(x.secret) AS factor_secrets
                FROM (SELECT factor_id, kind, secret FROM factors
                       WHERE account_id = a.account_id AND a.second_factor ORDER BY preferred DESC, factor_id) x
          ) f ON true
          LEFT JOIN LATERAL (
              SELECT array_agg(kind) AS budget_kinds, array_agg(failures) AS budget_failures, array_agg(wait_until) AS budget_wait_until
                FROM factor_budgets WHERE account_id = a.account_id
          ) b ON true
          LEFT JOIN backup_codes c ON c.account_id = a.account_id AND c.slot = $9 AND c.spent_time IS NULL
          LEFT JOIN devices d ON d.device_id = $6 AND d.account_id = a.account_id AND d.realm_id = $1 AND d.epoch = a.epoch
               AND d.end_time IS NULL AND sha256(sha256($7 || d.salt)) = $8
          LEFT JOIN unknown_identifiers u ON u.identifier_mac = $3
          LEFT JOIN network_failures n ON n.realm_id = $1 AND n.network = $4 AND n.hour = $5
        """,
        realm_id,
        email_key,
        identifier_mac,
        network,
        hour,
        device_id,
        device_inner,
        device_proof,
        slot,
    )
    assert row is not None
    return Found(**row)


async def finish_wrong_password(db: Connection, at: Attempt, account_id: UUID) -> str:
    """Count a wrong password; `wrong_password`, or `password_exhausted` where the bucket is closed and nothing was counted."""
    # The budget stands in the UPDATE's own WHERE, which is checked again after a wait: of 200 at once five pass.
    outcome: str = await db.fetchval(
        """
        WITH counted AS (
            UPDATE password_credentials p
               SET failures[$4] = live_failures(p.failures[$4], p.wait_until[$4], $3) + 1,
                   wait_until[$4] = wait_end(live_failures(p.failures[$4], p.wait_until[$4], $3) + 1, $3, $6)
             WHERE p.account_id = $1 AND p.realm_id = $2
               AND live_failures(p.failures[$4], p.wait_until[$4], $3) < $5 AND p.wait_until[$4] <= $3
            RETURNING 1
        ), network AS (
            INSERT INTO network_failures AS n (realm_id, network, hour, failures) SELECT $2, $7, $8, 1 FROM counted
            ON CONFLICT (realm_id, network, hour) DO UPDATE SET failures = n.failures + 1
        ), event AS (
            INSERT INTO events (event_id, realm_id, account_id, kind, client_id, create_time, details, personal)
            SELECT $9, $2, $1, 'wrong_password', $10, $3, $11, $12 FROM counted
        )
        SELECT CASE WHEN EXISTS (SELECT FROM counted) THEN 'wrong_password' ELSE 'password_exhausted' END
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
    )
    return outcome


async def finish_unknown_identifier(db: Connection, at: Attempt, identifier_mac: bytes) -> str:
    """Count a wrong password for an identifier without an account: the same answers, rows and cost as for one with."""
    # ON CONFLICT waits for a racing insert and judges the newest row. 30 days after the wait's end, as live_failures forgets.
    outcome: str = await db.fetchval(
        """
        WITH counted AS (
            INSERT INTO unknown_identifiers AS u (identifier_mac, failures, wait_until, expire_time)
            VALUES ($1, 1, wait_end(1, $3, $6), wait_end(1, $3, $6) + interval '30 days')
            ON CONFLICT (identifier_mac) DO UPDATE
               SET failures = live_failures(u.failures, u.wait_until, $3) + 1,
                   wait_until = wait_end(live_failures(u.failures, u.wait_until, $3) + 1, $3, $6),
                   expire_time = wait_end(live_failures(u.failures, u.wait_until, $3) + 1, $3, $6) + interval '30 days'
             WHERE live_failures(u.failures, u.wait_until, $3) < $5 AND u.wait_until <= $3
            RETURNING $4::int
        ), network AS (
            INSERT INTO network_failures AS n (realm_id, network, hour, failures) SELECT $2, $7, $8, 1 FROM counted
            ON CONFLICT (realm_id, network, hour) DO UPDATE SET failures = n.failures + 1
        ), event AS (
            INSERT INTO events (event_id, realm_id, account_id, kind, client_id, create_time, details, personal)
            SELECT $9, $2, NULL, 'wrong_password', $10, $3, $11, $12 FROM counted
        )
        SELECT CASE WHEN EXISTS (SELECT FROM counted) THEN 'wrong_password' ELSE 'password_exhausted' END
        """,
        identifier_mac,
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
    )
    return outcome


async def finish_right_password(
    db: Connection,
    at: Attempt,
    *,
    account_id: UUID,
    epoch: int,
    second_factor: bool,
    code: Code,
    session: NewSession,
    device: DeviceUse,
    challenge: NewChallenge | None,
    notice: OutboxRow | None,
) -> Verdict:
    """Judge and write a sign-in whose password was right.

    Outcomes: `moved` (the account changed since the read; nothing written), `password_exhausted` (nothing written), `locked`,
    `signed_in`, `challenged`, `enrollment_required`, `code_exhausted`, `wrong_code` (wrong and used alike).
    """
    # The right password waits for the row like a wrong one: read without the lock, it would be told among 200 guesses.
    row = await db.fetchrow(
        """
        WITH gate AS (
            SELECT a.account_id, a.state, p.wait_until[$4] <= $3
                   AND live_failures(p.failures[$4], p.wait_until[$4], $3) < $5 AS open
              FROM accounts a JOIN password_credentials p USING (account_id)
             WHERE a.account_id = $1 AND a.realm_id = $2 AND a.epoch = $13 AND a.second_factor = $14
               FOR NO KEY UPDATE OF a, p
        ), device AS (          -- a device that was ended since the read keeps no bucket, and one whose trust ended waives nothing
            SELECT d.device_id FROM gate JOIN devices d USING (account_id)
             WHERE d.device_id = $31 AND $32 AND d.epoch = $13 AND d.end_time IS NULL
               AND ($15 <> 'waived' OR d.trusted_until > $3)
               FOR NO KEY UPDATE OF d
        ), budget AS (          -- only behind the right password, else strangers could exhaust the code
            SELECT b.account_id, live_failures(b.failures[$4], b.wait_until[$4], $3) AS failed, b.wait_until[$4] <= $3
                   AND live_failures(b.failures[$4], b.wait_until[$4], $3) < $5 AS open
              FROM gate JOIN factor_budgets b USING (account_id)
             WHERE gate.open AND gate.state = 'active' AND $15 = 'given' AND b.kind = $16
               FOR NO KEY UPDATE OF b
        ), totp AS (
            SELECT f.last_step < $18 AS fresh FROM budget JOIN factors f USING (account_id)
             WHERE f.factor_id = $17 AND $16 = 'totp'
               FOR NO KEY UPDATE OF f
        ), backup AS (          -- the set that was checked must still be the slot's: a new one may have come meanwhile
            SELECT $21 AND c.spent_time IS NULL AND c.set_id = $20 AS fresh FROM budget JOIN backup_codes c USING (account_id)
             WHERE c.slot = $19 AND $16 = 'backup_code'
               FOR NO KEY UPDATE OF c
        ), verdict AS (
            SELECT budget.failed, CASE
                   WHEN gate.account_id IS NULL             THEN 'moved'
                   WHEN $32 AND device.device_id IS NULL    THEN 'moved'
                   WHEN NOT gate.open                       THEN 'password_exhausted'
                   WHEN gate.state <> 'active'              THEN 'locked'
                   WHEN $15 IN ('not_owed', 'waived')        THEN 'signed_in'
                   WHEN $15 = 'none'                        THEN 'challenged'
                   WHEN $15 = 'enrollment'                  THEN 'enrollment_required'
                   WHEN NOT budget.open                     THEN 'code_exhausted'
                   WHEN coalesce(totp.fresh, backup.fresh)  THEN 'signed_in'
                   ELSE 'wrong_code' END AS outcome
              FROM (SELECT) one LEFT JOIN gate ON true LEFT JOIN device ON true LEFT JOIN budget ON true
              LEFT JOIN totp ON true LEFT JOIN backup ON true
        ), clear_password AS (  -- in its own bucket; a known device also reopens the other one where it stands at its ceiling; what was
                                -- set through a mailbox has been joined by a factor on another channel
            UPDATE password_credentials p
               SET failures = ARRAY[CASE WHEN $4 = 1 OR v.outcome = 'signed_in' AND p.failures[1] >= $33 THEN 0 ELSE p.failures[1] END,
                                    CASE WHEN $4 = 2 THEN 0 ELSE p.failures[2] END],
                   wait_until = ARRAY[CASE WHEN $4 = 1 OR v.outcome = 'signed_in' AND p.failures[1] >= $33
                                           THEN 'epoch' ELSE p.wait_until[1] END,
                                      CASE WHEN $4 = 2 THEN 'epoch' ELSE p.wait_until[2] END],
                   set_through = CASE WHEN v.outcome = 'signed_in' AND $15 = 'given' THEN NULL ELSE p.set_through END
              FROM verdict v
             WHERE p.account_id = $1 AND v.outcome NOT IN ('moved', 'password_exhausted', 'locked')
               AND (p.failures[$4] > 0 OR $4 = 2 AND v.outcome = 'signed_in' AND p.failures[1] >= $33
                    OR v.outcome = 'signed_in' AND $15 = 'given' AND p.set_through IS NOT NULL)
        ), count_code AS (
            UPDATE factor_budgets b
               SET failures[$4] = v.failed + 1, wait_until[$4] = wait_end(v.failed + 1, $3, $6)
              FROM verdict v WHERE b.account_id = $1 AND b.kind = $16 AND v.outcome = 'wrong_code' AND v.failed IS NOT NULL
        ), clear_code AS (
            UPDATE factor_budgets b
               SET failures = ARRAY[CASE WHEN $4 = 1 OR b.failures[1] >= $33 THEN 0 ELSE b.failures[1] END,
                                    CASE WHEN $4 = 2 THEN 0 ELSE b.failures[2] END],
                   wait_until = ARRAY[CASE WHEN $4 = 1 OR b.failures[1] >= $33 THEN 'epoch' ELSE b.wait_until[1] END,
                                      CASE WHEN $4 = 2 THEN 'epoch' ELSE b.wait_until[2] END]
              FROM verdict v
             WHERE b.account_id = $1 AND b.kind = $16 AND v.outcome = 'signed_in' AND $15 = 'given'
               AND (b.failures[$4] > 0 OR $4 = 2 AND b.failures[1] >= $33)
        ), spend_totp AS (
            UPDATE factors f SET last_step = $18, last_use_time = $3 FROM verdict v
             WHERE f.factor_id = $17 AND f.account_id = $1 AND v.outcome = 'signed_in' AND $15 = 'given'
        ), spend_backup AS (
            UPDATE backup_codes c SET spent_time = $3 FROM verdict v
             WHERE c.account_id = $1 AND c.slot = $19 AND v.outcome = 'signed_in' AND $15 = 'given'
        ), network AS (
            INSERT INTO network_failures AS n (realm_id, network, hour, failures)
            SELECT $2, $7, $8, 1 FROM verdict WHERE outcome = 'wrong_code'
            ON CONFLICT (realm_id, network, hour) DO UPDATE SET failures = n.failures + 1
        ), known AS (           -- the token presented stays good: its successor may never arrive
            INSERT INTO devices AS d (device_id, account_id, realm_id, epoch, salt, create_time, last_use_time, trusted_until,
                                      ip_address, user_agent)
            SELECT $31, $1, $2, $13, $34, $3, $3, $49, $28, $29 FROM verdict WHERE outcome = 'signed_in'
            ON CONFLICT (device_id) DO UPDATE
               SET generation = d.generation + (d.generation = $35)::int, last_use_time = $3,
                   trusted_until = coalesce(excluded.trusted_until, d.trusted_until),
                   ip_address = excluded.ip_address, user_agent = excluded.user_agent
            RETURNING d.generation, d.salt
        ), session AS (
            INSERT INTO sessions (session_id, realm_id, account_id, device_id, client_id, epoch, salt, audience, amr, aal, auth_time,
                                  second_factor_time, factor_strength, ip_address, user_agent, create_time, rotated_time, expire_time,
                                  absolute_expire_time)
            SELECT $22, $2, $1, $31, $10, $13, $23, $24, $25, $26, $3, $27, $48, $28, $29, $3, $3, $30, $36
              FROM verdict WHERE outcome = 'signed_in'
        ), challenge AS (       -- unbounded: guesses count at the factor, so ten challenges guess no better than one
            INSERT INTO tickets (ticket_id, realm_id, purpose, subject, handle_hash, binding_hash, account_id, epoch, device_id, client_id,
                                 payload, create_time, expire_time)
            SELECT $37, $2, CASE outcome WHEN 'challenged' THEN 'challenge' ELSE 'owed_enrollment' END, $1::uuid::text, $38, $39, $1, $13,
                   CASE WHEN $32 THEN $31 END, $10, $40, $3, $41
              FROM verdict WHERE outcome IN ('challenged', 'enrollment_required')
        ), notice AS (          -- an account's very first device is no news
            INSERT INTO outbox (outbox_id, realm_id, account_id, kind, address_mac, payload, priority, create_time, due_time, expire_time)
            SELECT $42, $2, $1, $43, $44, $45, $46, $3, $3, $47 FROM verdict
             WHERE outcome = 'signed_in' AND $42::uuid IS NOT NULL AND EXISTS (SELECT FROM devices WHERE account_id = $1)
        ), event AS (
            INSERT INTO events (event_id, realm_id, account_id, kind, client_id, create_time, details, personal)
            SELECT $9, $2, $1, outcome, $10, $3,
                   CASE WHEN outcome = 'signed_in' THEN $11::jsonb ELSE $11::jsonb - '{session_id,two_factor_verified}'::text[] END, $12
              FROM verdict WHERE outcome IN ('signed_in', 'challenged', 'enrollment_required', 'wrong_code', 'locked')
        )
        SELECT v.outcome, k.generation AS device_generation, k.salt AS device_salt FROM verdict v LEFT JOIN known k ON true
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
        epoch,
        second_factor,
        code.owed,
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
        session.expire_time,
        device.device_id,
        device.known,
        at.unknown_ceiling,
        device.salt,
        device.presented_generation,
        session.absolute_expire_time,
        challenge and challenge.ticket_id,
        challenge and challenge.handle_hash,
        challenge and challenge.binding_hash,
        challenge and challenge.payload,
        challenge and challenge.expire_time,
        notice and notice.outbox_id,
        notice and notice.kind,
        notice and notice.address_mac,
        notice and notice.payload,
        notice and notice.priority,
        notice and notice.expire_time,
        session.factor_strength,
        device.trusted_until,
    )
    assert row is not None
    return Verdict(**row)


async def budget_end(
    db: Connection, realm_id: str, account_id: UUID | None, identifier_mac: bytes, bucket: int
) -> datetime | None:
    """Until when the password's bucket is closed, as a read of its own: the account's, or the unknown identifier's."""
    found: datetime | None = await db.fetchval(
        """
        SELECT coalesce(p.wait_until[$4], u.wait_until)
          FROM (SELECT) one
          LEFT JOIN password_credentials p ON p.account_id = $2 AND p.realm_id = $1
          LEFT JOIN unknown_identifiers u ON u.identifier_mac = $3
        """,
        realm_id,
        account_id,
        identifier_mac,
        bucket,
    )
    return found


async def rehash(db: Connection, realm_id: str, account_id: UUID, *, old: bytes, new: bytes, scheme: str) -> None:
    """Replace a hash of old cost by one of today's, unless the password changed meanwhile."""
    await db.execute(
        "UPDATE password_credentials SET hash = $4, scheme = $5 WHERE account_id = $2 AND realm_id = $1 AND hash = $3",
        realm_id,
        account_id,
        old,
        new,
        scheme,
    )
