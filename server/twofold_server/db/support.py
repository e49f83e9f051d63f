"""What agents look up, and accounts that they lock and unlock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from twofold_server.db.pool import Connection


@dataclass(frozen=True, slots=True)
class AgentRow:
    """An agent's account, held against being locked until the transaction ends."""

    account_id: UUID
    state: str
    epoch: int
    email_key: str
    create_time: datetime


@dataclass(frozen=True, slots=True)
class FoundRow:
    """An account as the desk looks it up; `number` is sealed."""

    account_id: UUID
    realm_id: str
    email: str
    state: str
    create_time: datetime
    number: bytes | None = field(repr=False)
    kinds: list[str]
    open_case_id: UUID | None


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A message without its payload and address."""

    outbox_id: UUID
    kind: str
    channel: str
    state: str
    refusal: str | None
    failure: str | None
    create_time: datetime
    end_time: datetime | None


@dataclass(frozen=True, slots=True)
class Revived:
    """A sign-up whose link is good again; `payload` is sealed."""

    ticket_id: UUID
    payload: bytes = field(repr=False)


async def hold_agents(tx: Connection, realm_id: str, account_ids: list[UUID]) -> dict[UUID, AgentRow]:
    """Read agents' accounts of the realm of agents, and keep them as they are until the transaction ends."""
    rows = await tx.fetch(
        """
        SELECT account_id, state, epoch, email_key, create_time FROM accounts
         WHERE account_id = ANY($2::uuid[]) AND realm_id = $1 ORDER BY account_id
           FOR SHARE
        """,
        realm_id,
        account_ids,
    )
    return {row["account_id"]: AgentRow(**row) for row in rows}


async def find(
    db: Connection,
    realm_id: str,
    *,
    account_id: UUID | None = None,
    email_key: str | None = None,
    number_macs: list[bytes] | None = None,
    limit: int = 20,
) -> list[FoundRow]:
    """Look accounts up by an id, an address or the MACs of a number, the newest first; one of them is to be given."""
    rows = await db.fetch(
        """
        SELECT a.account_id, a.realm_id, a.email, a.state, a.create_time, p.number,
               ARRAY(SELECT f.kind FROM factors f WHERE f.account_id = a.account_id
                      GROUP BY f.kind ORDER BY bool_or(f.preferred) DESC, min(f.create_time)) AS kinds,
               (SELECT c.case_id FROM cases c WHERE c.account_id = a.account_id AND c.state IN ('open', 'approved')) AS open_case_id
          FROM accounts a LEFT JOIN phone_numbers p USING (account_id)
         WHERE a.realm_id = $1
           AND a.account_id IN (
               SELECT account_id FROM accounts WHERE account_id = $2 AND realm_id = $1
               UNION ALL SELECT account_id FROM accounts WHERE realm_id = $1 AND email_key = $3
               UNION ALL SELECT account_id FROM phone_numbers WHERE realm_id = $1 AND number_mac = ANY($4::bytea[]))
         ORDER BY a.account_id DESC LIMIT $5
        """,
        realm_id,
        account_id,
        email_key,
        number_macs,
        limit,
    )
    return [FoundRow(**row) for row in rows]


async def set_state(tx: Connection, realm_id: str, account_id: UUID, state: str, now: datetime) -> None:
    """Lock or unlock an account whose row is locked."""
    await tx.execute(
        "UPDATE accounts SET state = $3, update_time = $4 WHERE account_id = $2 AND realm_id = $1",
        realm_id,
        account_id,
        state,
        now,
    )


async def deliveries(
    db: Connection,
    realm_id: str,
    *,
    account_id: UUID | None,
    address_mac: bytes | None,
    before: UUID | None,
    limit: int,
) -> list[DeliveryRow]:
    """List the messages of an account or to an address, the newest first, from before an id."""
    rows = await db.fetch(
        """
        SELECT outbox_id, kind, channel, state, refusal, failure, create_time, end_time FROM outbox
         WHERE realm_id = $1 AND (account_id = $2 OR address_mac = $3) AND ($4::uuid IS NULL OR outbox_id < $4)
         ORDER BY outbox_id DESC LIMIT $5
        """,
        realm_id,
        account_id,
        address_mac,
        before,
        limit,
    )
    return [DeliveryRow(**row) for row in rows]


async def revive(
    tx: Connection,
    *,
    realm_id: str,
    purpose: str,
    subject: str,
    expired_after: datetime,
    now: datetime,
    expire_time: datetime,
) -> list[Revived]:
    """Make the links of a subject good again that were never used and expired after a time, with all their attempts."""
    rows = await tx.fetch(
        """
        UPDATE tickets SET expire_time = greatest(expire_time, $6), attempts = 0
         WHERE realm_id = $1 AND purpose = $2 AND subject = $3 AND spent_time IS NULL AND expire_time > $4 AND create_time <= $5
        RETURNING ticket_id, payload
        """,
        realm_id,
        purpose,
        subject,
        expired_after,
        now,
        expire_time,
    )
    return [Revived(**row) for row in rows]


async def account_exists(db: Connection, realm_id: str, email_key: str) -> bool:
    """Tell whether an address has an account in the realm."""
    found: bool = await db.fetchval(
        "SELECT EXISTS (SELECT FROM accounts WHERE realm_id = $1 AND email_key = $2)", realm_id, email_key
    )
    return found
