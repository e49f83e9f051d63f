"""Calling services and what they are granted."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from twofold_server.db.pool import Connection


@dataclass(frozen=True, slots=True)
class GrantRow:
    """One role of one caller in one realm."""

    realm_id: str
    role: str
    may_state_client: bool


@dataclass(frozen=True, slots=True)
class CallerRow:
    """A caller with its grants, in no order."""

    caller_id: UUID
    name: str
    credential_hash: bytes = field(repr=False)
    create_time: datetime
    end_time: datetime | None
    previous_hash: bytes | None = field(repr=False)
    previous_until: datetime | None
    grants: tuple[GrantRow, ...]


async def by_id(db: Connection, caller_id: UUID) -> CallerRow | None:
    """A caller, ended ones too."""
    rows = await db.fetch(
        """
        SELECT c.caller_id, c.name, c.credential_hash, c.create_time, c.end_time, c.previous_hash, c.previous_until,
               g.realm_id, g.role, g.may_state_client
        FROM callers c LEFT JOIN caller_grants g ON g.caller_id = c.caller_id
        WHERE c.caller_id = $1
        """,
        caller_id,
    )
    found = _callers(rows)
    return found[0] if found else None


async def by_name(db: Connection, name: str) -> CallerRow | None:
    """A caller by its unique name, ended ones too."""
    rows = await db.fetch(
        """
        SELECT c.caller_id, c.name, c.credential_hash, c.create_time, c.end_time, c.previous_hash, c.previous_until,
               g.realm_id, g.role, g.may_state_client
        FROM callers c LEFT JOIN caller_grants g ON g.caller_id = c.caller_id
        WHERE c.name = $1
        """,
        name,
    )
    found = _callers(rows)
    return found[0] if found else None


async def every(db: Connection) -> list[CallerRow]:
    """Every caller, ended ones too, by name."""
    rows = await db.fetch(
        """
        SELECT c.caller_id, c.name, c.credential_hash, c.create_time, c.end_time, c.previous_hash, c.previous_until,
               g.realm_id, g.role, g.may_state_client
        FROM callers c LEFT JOIN caller_grants g ON g.caller_id = c.caller_id
        ORDER BY c.name, g.realm_id, g.role
        """
    )
    return _callers(rows)


async def insert(
    db: Connection, *, caller_id: UUID, name: str, credential_hash: bytes, grant: GrantRow, now: datetime
) -> bool:
    """Write a caller with its first grant; False if the name is taken or there is no such realm."""
    written = await db.fetchval(
        """
        WITH caller AS (
            INSERT INTO callers (caller_id, name, credential_hash, create_time)
            SELECT $1, $2, $3, $4 FROM realms WHERE realm_id = $5
            ON CONFLICT ON CONSTRAINT callers_name_key DO NOTHING
            RETURNING caller_id
        )
        INSERT INTO caller_grants (caller_id, realm_id, role, may_state_client, create_time)
        SELECT caller_id, $5, $6, $7, $4 FROM caller
        RETURNING 1
        """,
        caller_id,
        name,
        credential_hash,
        now,
        grant.realm_id,
        grant.role,
        grant.may_state_client,
    )
    return written is not None


async def put_grant(db: Connection, name: str, grant: GrantRow, now: datetime) -> bool:
    """Grant a role, or change the one that is there; False if there is no such live caller or no such realm."""
    written = await db.fetchval(
        """
        INSERT INTO caller_grants (caller_id, realm_id, role, may_state_client, create_time)
        SELECT c.caller_id, r.realm_id, $3, $4, $5
        FROM callers c, realms r
        WHERE c.name = $1 AND c.end_time IS NULL AND r.realm_id = $2
        ON CONFLICT ON CONSTRAINT caller_grants_pkey DO UPDATE SET may_state_client = excluded.may_state_client
        RETURNING 1
        """,
        name,
        grant.realm_id,
        grant.role,
        grant.may_state_client,
        now,
    )
    return written is not None


async def rotate(db: Connection, name: str, credential_hash: bytes, previous_until: datetime | None) -> UUID | None:
    """Give a live caller a new credential, and return its id; None if there is none of that name.

    The credential until now is good until `previous_until`, or no more; the one before it ends.
    """
    caller_id: UUID | None = await db.fetchval(
        """
        UPDATE callers
        SET previous_hash = CASE WHEN $3::timestamptz IS NOT NULL THEN credential_hash END, previous_until = $3,
            credential_hash = $2
        WHERE name = $1 AND end_time IS NULL
        RETURNING caller_id
        """,
        name,
        credential_hash,
        previous_until,
    )
    return caller_id


async def end(db: Connection, name: str, now: datetime) -> bool:
    """End a caller for good; False if there is no such live one."""
    written = await db.fetchval(
        """
        UPDATE callers SET end_time = $2 WHERE name = $1 AND end_time IS NULL RETURNING 1
        """,
        name,
        now,
    )
    return written is not None


def _callers(rows: list[Record]) -> list[CallerRow]:
    grants: dict[UUID, list[GrantRow]] = {}
    for row in rows:
        of_caller = grants.setdefault(row["caller_id"], [])
        if row["realm_id"] is not None:
            of_caller.append(GrantRow(row["realm_id"], row["role"], row["may_state_client"]))
    first = {row["caller_id"]: row for row in reversed(rows)}
    return [
        CallerRow(
            caller_id=caller_id,
            name=first[caller_id]["name"],
            credential_hash=first[caller_id]["credential_hash"],
            create_time=first[caller_id]["create_time"],
            end_time=first[caller_id]["end_time"],
            previous_hash=first[caller_id]["previous_hash"],
            previous_until=first[caller_id]["previous_until"],
            grants=tuple(of_caller),
        )
        for caller_id, of_caller in grants.items()
    ]
