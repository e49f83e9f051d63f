"""Text messages are counted by the statement that admits them, so that no number of callers at once spends more."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from twofold_server.db.outbox import OutboxRow
from twofold_server.db.pool import Connection


@dataclass(frozen=True, slots=True)
class Scope:
    """A count and its cap: what it counts, since when, and how many may be admitted."""

    name: str
    key: str = field(repr=False)
    start_time: datetime
    cap: int


@dataclass(frozen=True, slots=True)
class Scopes:
    """The counts that a text message passes, in this order."""

    number_hour: Scope
    number_day: Scope
    prefix_day: Scope
    country_day: Scope
    realm_day: Scope


async def admit(db: Connection, row: OutboxRow, scopes: Scopes) -> str | None:
    """Count a text message and write its row; the name of the count that is used up, or None.

    A message over a cap is written too, as ended and without its payload, so that its fate can be told; the counts
    before the one that refused it stay raised, which only number and range feel.
    """
    # Each count is taken only where the one before was: the rows are locked in one order, and judged in their newest
    # version, as ON CONFLICT does. A count that is used up gives no row, and so stops those that follow.
    refused: str | None = await db.fetchval(
        """
        WITH number_hour AS (
            INSERT INTO sms_counts AS c (realm_id, scope, start_time, admitted) SELECT $1, $2, $3, 1 WHERE $4 > 0
            ON CONFLICT (realm_id, scope, start_time) DO UPDATE SET admitted = c.admitted + 1 WHERE c.admitted < $4
            RETURNING 1
        ), number_day AS (
            INSERT INTO sms_counts AS c (realm_id, scope, start_time, admitted) SELECT $1, $5, $6, 1 FROM number_hour WHERE $7 > 0
            ON CONFLICT (realm_id, scope, start_time) DO UPDATE SET admitted = c.admitted + 1 WHERE c.admitted < $7
            RETURNING 1
        ), prefix_day AS (
            INSERT INTO sms_counts AS c (realm_id, scope, start_time, admitted) SELECT $1, $8, $6, 1 FROM number_day WHERE $9 > 0
            ON CONFLICT (realm_id, scope, start_time) DO UPDATE SET admitted = c.admitted + 1 WHERE c.admitted < $9
            RETURNING 1
        ), country_day AS (
            INSERT INTO sms_counts AS c (realm_id, scope, start_time, admitted) SELECT $1, $10, $6, 1 FROM prefix_day WHERE $11 > 0
            ON CONFLICT (realm_id, scope, start_time) DO UPDATE SET admitted = c.admitted + 1 WHERE c.admitted < $11
            RETURNING 1
        ), realm_day AS (
            INSERT INTO sms_counts AS c (realm_id, scope, start_time, admitted) SELECT $1, $12, $6, 1 FROM country_day WHERE $13 > 0
            ON CONFLICT (realm_id, scope, start_time) DO UPDATE SET admitted = c.admitted + 1 WHERE c.admitted < $13
            RETURNING 1
        ), verdict AS (
            SELECT CASE WHEN EXISTS (SELECT FROM realm_day)        THEN NULL
                        WHEN EXISTS (SELECT FROM country_day)      THEN 'realm_day'
                        WHEN EXISTS (SELECT FROM prefix_day)       THEN 'country_day'
                        WHEN EXISTS (SELECT FROM number_day)       THEN 'prefix_day'
                        WHEN EXISTS (SELECT FROM number_hour)      THEN 'number_day'
                        ELSE 'number_hour' END AS refused
        ), message AS (
            INSERT INTO outbox (outbox_id, realm_id, account_id, ticket_id, kind, address_mac, payload, priority,
                                create_time, due_time, expire_time, channel, state, failure, refusal, end_time)
            SELECT $14, $1, $15, $16, $17, $18, CASE WHEN refused IS NULL THEN $19::bytea END, $20, $21, $22, $23, 'sms',
                   CASE WHEN refused IS NULL THEN 'waiting' ELSE 'over_budget' END, refused,
                   CASE WHEN refused LIKE 'number%' THEN 'over_budget' WHEN refused IS NOT NULL THEN 'spend_cap' END,
                   CASE WHEN refused IS NOT NULL THEN $21::timestamptz END
              FROM verdict
        )
        SELECT refused FROM verdict
        """,
        row.realm_id,
        scopes.number_hour.key,
        scopes.number_hour.start_time,
        scopes.number_hour.cap,
        scopes.number_day.key,
        scopes.number_day.start_time,
        scopes.number_day.cap,
        scopes.prefix_day.key,
        scopes.prefix_day.cap,
        scopes.country_day.key,
        scopes.country_day.cap,
        scopes.realm_day.key,
        scopes.realm_day.cap,
        row.outbox_id,
        row.account_id,
        row.ticket_id,
        row.kind,
        row.address_mac,
        row.payload,
        row.priority,
        row.create_time,
        row.due_time,
        row.expire_time,
    )
    return refused


async def refuse(db: Connection, row: OutboxRow, refusal: str, reason: str) -> None:
    """Write a text message that is not to be sent at all, so that its fate can be told."""
    await db.execute(
        """
        INSERT INTO outbox (outbox_id, realm_id, account_id, ticket_id, kind, address_mac, priority,
                            create_time, due_time, expire_time, channel, state, failure, refusal, end_time)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, 'sms', 'dead', $10, $11, $8)
        """,
        row.outbox_id,
        row.realm_id,
        row.account_id,
        row.ticket_id,
        row.kind,
        row.address_mac,
        row.priority,
        row.create_time,
        row.expire_time,
        reason,
        refusal,
    )


async def forget_counts(db: Connection, before: datetime, limit: int) -> int:
    """Delete up to `limit` counts of windows that began before a time, of all realms; how many there were."""
    count: int = await db.fetchval(
        """
        WITH gone AS (
            DELETE FROM sms_counts WHERE (realm_id, scope, start_time) IN (
                SELECT realm_id, scope, start_time FROM sms_counts WHERE start_time < $1 LIMIT $2) RETURNING 1
        )
        SELECT count(*) FROM gone
        """,
        before,
        limit,
    )
    return count
