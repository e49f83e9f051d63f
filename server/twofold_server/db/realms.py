"""Realms: the row of each, with the settings that differ from the defaults."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from twofold_server.db.pool import Connection


@dataclass(frozen=True, slots=True)
class RealmRow:
    """A realm as it is stored."""

    realm_id: str
    display_name: str
    settings: dict[str, Any]
    create_time: datetime
    update_time: datetime


async def by_id(db: Connection, realm_id: str) -> RealmRow | None:
    """A realm."""
    row = await db.fetchrow(
        """
        SELECT realm_id, display_name, settings, create_time, update_time FROM realms WHERE realm_id = $1
        """,
        realm_id,
    )
    return RealmRow(**row) if row is not None else None


async def every(db: Connection) -> list[RealmRow]:
    """Every realm, by id."""
    rows = await db.fetch(
        """
        SELECT realm_id, display_name, settings, create_time, update_time FROM realms ORDER BY realm_id
        """
    )
    return [RealmRow(**row) for row in rows]


async def insert(db: Connection, realm_id: str, display_name: str, settings: dict[str, Any], now: datetime) -> bool:
    """Write a realm; False if there is one of that id."""
    written = await db.fetchval(
        """
        INSERT INTO realms (realm_id, display_name, settings, create_time, update_time) VALUES ($1, $2, $3, $4, $4)
        ON CONFLICT ON CONSTRAINT realms_pkey DO NOTHING
        RETURNING 1
        """,
        realm_id,
        display_name,
        settings,
        now,
    )
    return written is not None


async def update(
    db: Connection,
    realm_id: str,
    *,
    display_name: str,
    settings: dict[str, Any],
    read_time: datetime,
    now: datetime,
) -> bool:
    """Replace name and settings; False if the realm changed since `read_time`, its `update_time` as it was read."""
    written = await db.fetchval(
        """
        UPDATE realms SET display_name = $2, settings = $3, update_time = $5
        WHERE realm_id = $1 AND update_time = $4
        RETURNING 1
        """,
        realm_id,
        display_name,
        settings,
        read_time,
        now,
    )
    return written is not None
