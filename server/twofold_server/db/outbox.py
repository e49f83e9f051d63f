"""The outbox: messages written with what causes them, claimed by lease, sent, and then erased."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from twofold_server.db.pool import JOB_SECONDS, Connection

End = Literal["expired", "superseded", "over_budget", "dead"]
Channel = Literal["email", "sms", "hook"]


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A message to be written: what an INSERT needs, and no more. `payload` is sealed."""

    outbox_id: UUID
    realm_id: str
    account_id: UUID | None
    ticket_id: UUID | None
    kind: str
    address_mac: bytes = field(repr=False)
    payload: bytes = field(repr=False)
    priority: int
    create_time: datetime
    due_time: datetime
    expire_time: datetime
    channel: Channel = "email"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message held by lease. `claim` must be shown to settle it; `attempts` counts this one too.

    `provider`: who may have it from an attempt before.
    """

    outbox_id: UUID
    realm_id: str
    account_id: UUID | None
    ticket_id: UUID | None
    kind: str
    address_mac: bytes = field(repr=False)
    payload: bytes = field(repr=False)
    create_time: datetime
    expire_time: datetime
    attempts: int
    claim: UUID
    channel: Channel = "email"
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a message came: `refusal` as the contract names it, `failure` why the last attempt failed."""

    outbox_id: UUID
    state: str
    refusal: str | None
    failure: str | None
    create_time: datetime


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """What waits: all of it, what is due and unclaimed, and since when the oldest of that is due."""

    waiting: int
    due: int
    oldest_due_time: datetime | None


async def insert(db: Connection, row: OutboxRow) -> None:
    """Write a message by itself; a statement with an effect of its own writes it in a CTE of that statement instead.

    A text message is admitted by `sms.admit`, which counts it.
    """
    await db.execute(
        """
        INSERT INTO outbox (outbox_id, realm_id, account_id, ticket_id, kind, address_mac, payload, priority,
                            create_time, due_time, expire_time, channel)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
        row.outbox_id,
        row.realm_id,
        row.account_id,
        row.ticket_id,
        row.kind,
        row.address_mac,
        row.payload,
        row.priority,
        row.create_time,
        row.due_time,
        row.expire_time,
        row.channel,
    )


async def claim(
    db: Connection, *, now: datetime, lease_until: datetime, claim: UUID, limit: int, channel: Channel = "email"
) -> list[Claimed]:
    """Claim up to `limit` due messages of a channel, of all realms, until `lease_until`, the most urgent first.

    Of racing workers each gets other rows. A row whose lease has run out is claimed again: its worker counts as dead.
    What was due when it was written is due, though the clock may have been set back since.
    """
    rows = await db.fetch(
        # MATERIALIZED: inlined, the LIMIT could be evaluated again for each row joined, and lock more than it says.
        """
        WITH due AS MATERIALIZED (
            SELECT outbox_id FROM outbox
             WHERE state = 'waiting' AND channel = $5 AND (due_time <= $1 OR due_time = create_time) AND lease_until <= $1
             ORDER BY priority, due_time
             LIMIT $4
             FOR UPDATE SKIP LOCKED
        )
        UPDATE outbox o SET lease_until = $2, claim = $3, attempts = o.attempts + 1
          FROM due WHERE o.outbox_id = due.outbox_id
        RETURNING o.outbox_id, o.realm_id, o.account_id, o.ticket_id, o.kind, o.address_mac, o.payload, o.priority,
                  o.create_time, o.due_time, o.expire_time, o.attempts, o.channel, o.provider
        """,
        now,
        lease_until,
        claim,
        limit,
        channel,
    )
    return [
        Claimed(
            outbox_id=row["outbox_id"],
            realm_id=row["realm_id"],
            account_id=row["account_id"],
            ticket_id=row["ticket_id"],
            kind=row["kind"],
            address_mac=row["address_mac"] or b"",
            payload=row["payload"] or b"",
            create_time=row["create_time"],
            expire_time=row["expire_time"],
            attempts=row["attempts"],
            claim=claim,
            channel=row["channel"],
            provider=row["provider"],
        )
        # An UPDATE returns its rows in no order.
        for row in sorted(rows, key=lambda row: (row["priority"], row["due_time"]))
    ]


async def mark_sent(db: Connection, message: Claimed, provider: str, now: datetime) -> bool:
    """Mark a message as sent by a provider and erase its payload; False where the claim is no longer this one."""
    found = await db.fetchval(
        """
        UPDATE outbox
           SET state = 'sent', payload = NULL, failure = NULL, end_time = $4, lease_until = '-infinity', claim = NULL,
               provider = $5
         WHERE realm_id = $1 AND outbox_id = $2 AND claim = $3 AND state = 'waiting'
        RETURNING true
        """,
        message.realm_id,
        message.outbox_id,
        message.claim,
        now,
        provider,
    )
    return found is True


async def end(
    db: Connection, message: Claimed, state: End, reason: str, now: datetime, refusal: str | None = None
) -> bool:
    """End a message unsent and erase its payload; `reason` stays: no body, no address in it. False as above."""
    found = await db.fetchval(
        """
        UPDATE outbox
           SET state = $4, payload = NULL, failure = $5, end_time = $6, lease_until = '-infinity', claim = NULL,
               refusal = $7
         WHERE realm_id = $1 AND outbox_id = $2 AND claim = $3 AND state = 'waiting'
        RETURNING true
        """,
        message.realm_id,
        message.outbox_id,
        message.claim,
        state,
        reason,
        now,
        refusal,
    )
    return found is True


async def retry_later(
    db: Connection, message: Claimed, reason: str, due_time: datetime, provider: str | None = None
) -> bool:
    """Give a message back, due again at `due_time`; the same of `reason` and the answer.

    `provider` may have it: no other is to be tried.
    """
    found = await db.fetchval(
        """
        UPDATE outbox SET failure = $4, due_time = $5, lease_until = '-infinity', claim = NULL, provider = $6
         WHERE realm_id = $1 AND outbox_id = $2 AND claim = $3 AND state = 'waiting'
        RETURNING true
        """,
        message.realm_id,
        message.outbox_id,
        message.claim,
        reason,
        due_time,
        provider,
    )
    return found is True


async def sent_count(db: Connection, realm: str, address_mac: bytes, kinds: list[str], since: datetime) -> int:
    """Count the messages of `kinds` that were sent to an address after `since`."""
    count = await db.fetchval(
        """
        SELECT count(*) FROM outbox
         WHERE realm_id = $1 AND address_mac = $2 AND state = 'sent' AND end_time > $4 AND kind = ANY($3)
        """,
        realm,
        address_mac,
        kinds,
        since,
    )
    return int(count)


async def bring_forward(db: Connection, channel: Channel) -> None:
    """Make due all messages of a channel, of all realms, that wait after a failure; the longest written first."""
    await db.execute(
        """
        UPDATE outbox SET due_time = create_time
         WHERE state = 'waiting' AND channel = $1 AND failure IS NOT NULL AND due_time > create_time
        """,
        channel,
        timeout=JOB_SECONDS,
    )


async def progress(db: Connection, realm: str, outbox_ids: list[UUID]) -> list[Progress]:
    """How far messages came, in no order."""
    rows = await db.fetch(
        """
        SELECT outbox_id, state, refusal, failure, create_time FROM outbox WHERE realm_id = $1 AND outbox_id = ANY($2)
        """,
        realm,
        outbox_ids,
    )
    return [Progress(**row) for row in rows]


async def progress_of_ticket(db: Connection, realm: str, ticket_id: UUID) -> Progress | None:
    """How far the newest message of a ticket came; None where it has none."""
    row = await db.fetchrow(
        """
        SELECT outbox_id, state, refusal, failure, create_time FROM outbox
         WHERE realm_id = $1 AND ticket_id = $2 ORDER BY create_time DESC, outbox_id DESC LIMIT 1
        """,
        realm,
        ticket_id,
    )
    return Progress(**row) if row is not None else None


async def account_email(db: Connection, realm: str, email_key: str) -> str | None:
    """The address, as its owner wrote it, of the account that an address has in the realm; None if it has none."""
    found: str | None = await db.fetchval(
        "SELECT email FROM accounts WHERE realm_id = $1 AND email_key = $2", realm, email_key
    )
    return found


async def ticket_is_live(db: Connection, realm: str, ticket_id: UUID, handle_hash: bytes, now: datetime) -> bool:
    """Say whether a ticket is unspent and unexpired, and still opened by this very handle."""
    found = await db.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM tickets
             WHERE realm_id = $1 AND ticket_id = $2 AND handle_hash = $3 AND spent_time IS NULL AND expire_time > $4
        )
        """,
        realm,
        ticket_id,
        handle_hash,
        now,
    )
    return found is True


async def ticket_stands(db: Connection, realm: str, ticket_id: UUID, now: datetime) -> bool:
    """Say whether a ticket is there, unspent and unexpired."""
    found = await db.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM tickets WHERE realm_id = $1 AND ticket_id = $2 AND spent_time IS NULL AND expire_time > $3
        )
        """,
        realm,
        ticket_id,
        now,
    )
    return found is True


async def queue_depth(db: Connection, now: datetime) -> QueueDepth:
    """Measure the queue of all realms, for metrics and readiness."""
    row = await db.fetchrow(
        """
        SELECT count(*) AS waiting,
               count(*) FILTER (WHERE due_time <= $1 AND lease_until <= $1) AS due,
               min(due_time) FILTER (WHERE due_time <= $1 AND lease_until <= $1) AS oldest_due_time
          FROM outbox WHERE state = 'waiting'
        """,
        now,
    )
    return QueueDepth(row["waiting"], row["due"], row["oldest_due_time"]) if row else QueueDepth(0, 0, None)


async def forget_ended(db: Connection, before: datetime, limit: int = 1000) -> int:
    """Delete up to `limit` rows that ended before a time; how many there were. Nothing that waits is touched."""
    count = await db.fetchval(
        """
        WITH old AS MATERIALIZED (
            SELECT outbox_id FROM outbox WHERE state <> 'waiting' AND end_time < $1 LIMIT $2 FOR UPDATE SKIP LOCKED
        ), gone AS (
            DELETE FROM outbox o USING old WHERE o.outbox_id = old.outbox_id RETURNING 1
        )
        SELECT count(*) FROM gone
        """,
        before,
        limit,
        timeout=JOB_SECONDS,
    )
    return int(count)
