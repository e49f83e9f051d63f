"""Recovery: what a request rests on, the verdict on its password, and the steps of a lost second factor.

Lock order as everywhere: ticket, account, password, session, device, code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from twofold_server.db.pool import Connection
from twofold_server.db.verdicts import Attempt

# Of what came to an account since its last sign-in on a known device: whoever adds more has shown enough.
_MOST_ADDITIONS = 100


@dataclass(frozen=True, slots=True)
class Requested:
    """Whose password a request would reset, if anybody's, and the device that it names, if that is the account's."""

    account_id: UUID | None
    epoch: int
    language_code: str
    device_id: UUID | None
    device_generation: int | None


async def find(
    db: Connection,
    *,
    realm_id: str,
    email_key: str,
    device_id: UUID | None,
    device_inner: bytes | None,
    device_proof: bytes | None,
) -> Requested:
    """Read whose address it is, of one shape whether or not it has an account."""
    row = await db.fetchrow(
        """
        SELECT a.account_id, coalesce(a.epoch, 0) AS epoch, coalesce(a.language_code, '') AS language_code,
               d.device_id, d.generation AS device_generation
          FROM (SELECT) one
          LEFT JOIN accounts a ON a.realm_id = $1 AND a.email_key = $2
          LEFT JOIN devices d ON d.device_id = $3 AND d.account_id = a.account_id AND d.realm_id = $1 AND d.epoch = a.epoch
               AND d.end_time IS NULL AND sha256(sha256($4 || d.salt)) = $5
        """,
        realm_id,
        email_key,
        device_id,
        device_inner,
        device_proof,
    )
    assert row is not None
    return Requested(**row)


async def begin_with_right_password(db: Connection, at: Attempt, account_id: UUID, epoch: int) -> str:
    """Judge a right password that begins a recovery; as many rows as a wrong one writes, and nothing counted or cleared.

    Outcomes: `moved` (the account changed since the read), `password_exhausted` (nothing written), `begun`.
    """
    # It waits for the row like a wrong one: read without the lock, it would be told among 200 guesses.
    outcome: str = await db.fetchval(
        """
        WITH gate AS (
            SELECT a.account_id, p.wait_until[$4] <= $3
                   AND live_failures(p.failures[$4], p.wait_until[$4], $3) < $5 AS open
              FROM accounts a JOIN password_credentials p USING (account_id)
             WHERE a.account_id = $1 AND a.realm_id = $2 AND a.epoch = $11
               FOR NO KEY UPDATE OF a, p
        ), kept AS (
            UPDATE password_credentials p SET failures = p.failures FROM gate WHERE p.account_id = $1 AND gate.open
        ), network AS (
            INSERT INTO network_failures AS n (realm_id, network, hour, failures) SELECT $2, $6, $7, 0 FROM gate WHERE open
            ON CONFLICT (realm_id, network, hour) DO UPDATE SET failures = n.failures
        ), event AS (
            INSERT INTO events (event_id, realm_id, account_id, kind, client_id, create_time, details, personal)
            SELECT $8, $2, $1, 'two_factor_recovery_begun', $9, $3, $10, $12 FROM gate WHERE open
        )
        SELECT CASE WHEN gate.account_id IS NULL THEN 'moved' WHEN gate.open THEN 'begun' ELSE 'password_exhausted' END
          FROM (SELECT) one LEFT JOIN gate ON true
        """,
        account_id,
        at.realm_id,
        at.now,
        at.bucket,
        at.ceiling,
        at.network,
        at.hour,
        at.event_id,
        at.client_id,
        at.details,
        epoch,
        at.personal,
    )
    return outcome


async def note_channel(tx: Connection, realm_id: str, account_id: UUID, channel: str) -> None:
    """Write through which channel a locked account's password was set."""
    await tx.execute(
        "UPDATE password_credentials SET set_through = $3 WHERE account_id = $2 AND realm_id = $1",
        realm_id,
        account_id,
        channel,
    )


@dataclass(frozen=True, slots=True)
class AdditionRow:
    """What came to an account: a factor of a kind with its name, backup codes, a device with its browser, the number."""

    sort: str
    factor_kind: str
    name: str
    create_time: datetime


async def additions(tx: Connection, realm_id: str, account_id: UUID, least: datetime) -> list[AdditionRow]:
    """What came to a locked account since its last sign-in on a device that was known, or since a time where that is
    longer ago; devices last, otherwise the oldest first; at most 100.
    """
    rows = await tx.fetch(
        """
        WITH since AS (
            SELECT coalesce((SELECT create_time FROM events
                              WHERE account_id = $2 AND realm_id = $1 AND kind = 'signed_in' AND details->>'known_device' = 'true'
                              ORDER BY event_id DESC LIMIT 1), '-infinity') AS time
        )
        SELECT x.sort, x.factor_kind, x.name, x.create_time FROM (
            SELECT 'factor' AS sort, kind AS factor_kind, name, create_time FROM factors WHERE account_id = $2 AND realm_id = $1
             UNION ALL
            SELECT 'backup_codes', '', '', max(create_time) FROM backup_codes WHERE account_id = $2 AND realm_id = $1
             UNION ALL
            SELECT 'device', '', d.user_agent, d.create_time FROM devices d JOIN accounts a USING (account_id)
             WHERE d.account_id = $2 AND d.realm_id = $1 AND d.epoch = a.epoch AND d.end_time IS NULL
             UNION ALL
            SELECT 'phone_number', '', '', verify_time FROM phone_numbers WHERE account_id = $2 AND realm_id = $1
        ) x, since WHERE x.create_time > LEAST(since.time, $4)
         ORDER BY x.sort = 'device', x.create_time, x.sort LIMIT $3
        """,
        realm_id,
        account_id,
        _MOST_ADDITIONS,
        least,
    )
    return [AdditionRow(**row) for row in rows]


async def second_factor(db: Connection, realm_id: str, email_key: str) -> bool | None:
    """Tell whether the account of an address has a second factor; None if there is no such account."""
    found: bool | None = await db.fetchval(
        "SELECT second_factor FROM accounts WHERE realm_id = $1 AND email_key = $2", realm_id, email_key
    )
    return found


@dataclass(frozen=True, slots=True)
class Step:
    """A recovery under way: its ticket, its account as it stands, what was sent, and what a code's count is judged by."""

    ticket_id: UUID
    realm_id: str
    account_id: UUID
    epoch: int
    payload: bytes = field(repr=False)
    language_code: str
    number: bytes | None = field(repr=False)
    sent_id: UUID | None
    sent_payload: bytes | None = field(repr=False)
    budget_kinds: list[str] | None
    budget_failures: list[list[int]] | None
    budget_wait_until: list[list[datetime]] | None
    device_id: UUID | None
    device_generation: int | None
    network_failures: int


async def step(
    db: Connection,
    *,
    realm_ids: list[str],
    purpose: str,
    handle_hash: bytes,
    client_id: str,
    sent_slot: int,
    device_id: UUID | None,
    device_proof: bytes | None,
    device_inner: bytes | None,
    network: str,
    hour: datetime,
    now: datetime,
) -> Step | None:
    """Read a recovery by its token; None if unknown, expired, spent, another caller's or of an account that changed."""
    row = await db.fetchrow(
        """
        SELECT k.ticket_id, k.realm_id, a.account_id, a.epoch, k.payload, a.language_code, p.number,
               s.ticket_id AS sent_id, s.payload AS sent_payload, b.budget_kinds, b.budget_failures, b.budget_wait_until,
               d.device_id, d.generation AS device_generation, coalesce(n.failures, 0) AS network_failures
          FROM tickets k
          JOIN accounts a ON a.account_id = k.account_id AND a.epoch = k.epoch AND a.realm_id = k.realm_id
          LEFT JOIN phone_numbers p ON p.account_id = a.account_id
          LEFT JOIN tickets s ON s.realm_id = k.realm_id AND s.purpose = 'sent' AND s.subject = k.ticket_id::text AND s.slot = $6
          LEFT JOIN LATERAL (
              SELECT array_agg(kind) AS budget_kinds, array_agg(failures) AS budget_failures, array_agg(wait_until) AS budget_wait_until
                FROM factor_budgets WHERE account_id = a.account_id
          ) b ON true
          LEFT JOIN devices d ON d.device_id = $7 AND d.account_id = a.account_id AND d.realm_id = a.realm_id AND d.epoch = a.epoch
               AND d.end_time IS NULL AND sha256(sha256($8 || d.salt)) = $9
          LEFT JOIN network_failures n ON n.realm_id = k.realm_id AND n.network = $10 AND n.hour = $11
         WHERE k.realm_id = ANY($1::text[]) AND k.purpose = $2 AND k.handle_hash = $3 AND k.client_id = $4
           AND k.spent_time IS NULL AND k.expire_time > $5 AND k.attempts < 5
        """,
        realm_ids,
        purpose,
        handle_hash,
        client_id,
        now,
        sent_slot,
        device_id,
        device_inner,
        device_proof,
        network,
        hour,
    )
    return Step(**row) if row is not None else None


async def hold(tx: Connection, realm_id: str, ticket_id: UUID, payload: bytes, effective_time: datetime) -> None:
    """Make a recovery that this very transaction spent one that waits for its time; its token opens nothing any more."""
    await tx.execute(
        """
        UPDATE tickets SET purpose = 'recovery_pending', spent_time = NULL, payload = $3, expire_time = $4
         WHERE ticket_id = $2 AND realm_id = $1
        """,
        realm_id,
        ticket_id,
        payload,
        effective_time,
    )


@dataclass(frozen=True, slots=True)
class Pending:
    """A recovery whose wait is over."""

    ticket_id: UUID
    realm_id: str
    account_id: UUID
    epoch: int
    payload: bytes = field(repr=False)


async def due(db: Connection, now: datetime, limit: int) -> list[Pending]:
    """Find recoveries whose wait is over, of every realm, the oldest first."""
    rows = await db.fetch(
        """
        SELECT ticket_id, realm_id, account_id, epoch, payload FROM tickets
         WHERE purpose = 'recovery_pending' AND spent_time IS NULL AND expire_time <= $1 ORDER BY expire_time LIMIT $2
        """,
        now,
        limit,
    )
    return [Pending(**row) for row in rows]


async def take(tx: Connection, realm_id: str, ticket_id: UUID, now: datetime) -> bool:
    """Spend a recovery whose wait is over; False if it was cancelled meanwhile, or another worker has it."""
    taken = await tx.fetchval(
        """
        UPDATE tickets SET spent_time = $3
         WHERE ticket_id = $2 AND realm_id = $1 AND purpose = 'recovery_pending' AND spent_time IS NULL AND expire_time <= $3
        RETURNING true
        """,
        realm_id,
        ticket_id,
        now,
    )
    return bool(taken)


async def cancel(tx: Connection, realm_id: str, account_id: UUID, ticket_id: UUID, now: datetime) -> bool:
    """End a recovery that has had no effect, under way or waiting, and each other of its account.

    False, and none is ended, if there is nothing of this one to end any more.
    """
    # Judged on the newest rows: of a cancelling and an effect at once one wins. A wait that is over counts until its
    # effect. In one order, so that of two cancellings neither waits for the other for ever.
    ended = await tx.fetchval(
        """
        WITH live AS (
            SELECT ticket_id FROM tickets
             WHERE account_id = $4 AND realm_id = $1 AND spent_time IS NULL
               AND (purpose = 'recovery' AND expire_time > $3 AND attempts < 5 OR purpose = 'recovery_pending')
             ORDER BY ticket_id
               FOR NO KEY UPDATE
        ), ended AS (
            UPDATE tickets k SET spent_time = $3 FROM live
             WHERE k.ticket_id = live.ticket_id AND EXISTS (SELECT FROM live WHERE ticket_id = $2)
            RETURNING k.ticket_id
        )
        SELECT EXISTS (SELECT FROM ended WHERE ticket_id = $2)
        """,
        realm_id,
        ticket_id,
        now,
        account_id,
    )
    return bool(ended)
