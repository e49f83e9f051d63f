"""Devices: known by their token."""

from __future__ import annotations

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
