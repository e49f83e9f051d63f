"""Devices: known by their token, listed and ended by their owner."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from twofold_server.db.pool import Connection


async def end_stolen(
    db: Connection, realm_id: str, device_id: UUID, *, client_id: str, now: datetime, event_id: UUID
) -> bool:
    """End a device of which an old token was presented; False if it is over already."""
    ended: bool = await db.fetchval(
        """
        WITH ended AS (
            UPDATE devices SET end_time = $3, trusted_until = NULL
             WHERE device_id = $2 AND realm_id = $1 AND end_time IS NULL RETURNING account_id
        ), event AS (
            INSERT INTO events (event_id, realm_id, account_id, kind, client_id, create_time, details)
            SELECT $4, $1, account_id, 'device_reused', $5, $3, jsonb_build_object('device_id', $2::uuid) FROM ended
        )
        SELECT EXISTS (SELECT FROM ended)
        """,
        realm_id,
        device_id,
        now,
        event_id,
        client_id,
    )
    return ended


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device that counts, as its owner sees it."""

    device_id: UUID
    create_time: datetime
    last_use_time: datetime
    trusted_until: datetime | None
    ip_address: str
    user_agent: str


async def page(db: Connection, realm_id: str, account_id: UUID, before: UUID | None, limit: int) -> list[DeviceRow]:
    """List the account's devices that count, the newest first, from before an id."""
    rows = await db.fetch(
        """
        SELECT d.device_id, d.create_time, d.last_use_time, d.trusted_until, d.ip_address, d.user_agent
          FROM devices d JOIN accounts a ON a.account_id = d.account_id AND a.epoch = d.epoch
         WHERE d.account_id = $2 AND d.realm_id = $1 AND d.end_time IS NULL AND ($3::uuid IS NULL OR d.device_id < $3)
         ORDER BY d.device_id DESC LIMIT $4
        """,
        realm_id,
        account_id,
        before,
        limit,
    )
    return [DeviceRow(**row) for row in rows]


async def end(
    db: Connection, realm_id: str, account_id: UUID, device_id: UUID, *, client_id: str, now: datetime, event_id: UUID
) -> bool:
    """End a device of an account, its trust with it; False if the account has no such device. One ended before counts as found."""
    found: bool = await db.fetchval(
        """
        WITH ended AS (
            UPDATE devices SET end_time = $4, trusted_until = NULL
             WHERE device_id = $3 AND account_id = $2 AND realm_id = $1 AND end_time IS NULL RETURNING device_id
        ), event AS (
            INSERT INTO events (event_id, realm_id, account_id, kind, client_id, create_time, details)
            SELECT $5, $1, $2, 'device_revoked', $6, $4, jsonb_build_object('device_id', device_id) FROM ended
        )
        SELECT EXISTS (SELECT FROM devices WHERE device_id = $3 AND account_id = $2 AND realm_id = $1)
        """,
        realm_id,
        account_id,
        device_id,
        now,
        event_id,
        client_id,
    )
    return found


async def end_trust(tx: Connection, realm_id: str, account_id: UUID) -> None:
    """End the trust of every device of a locked account; they stay known."""
    await tx.execute(
        "UPDATE devices SET trusted_until = NULL WHERE account_id = $2 AND realm_id = $1 AND trusted_until IS NOT NULL",
        realm_id,
        account_id,
    )
