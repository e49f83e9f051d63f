"""Resources: what an account owns elsewhere, known here by a name that is unique in its realm."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from twofold_server.db.pool import Connection


@dataclass(frozen=True, slots=True)
class ResourceRow:
    """A resource and the address of its owner."""

    resource_id: UUID
    realm_id: str
    name: str
    account_id: UUID
    email: str
    create_time: datetime


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a resource is; all of it is None for a name without one."""

    account_id: UUID | None
    email: str | None
    email_key: str | None
    display_name: str | None
    language_code: str | None


class NameTaken(Exception):
    """The realm has a resource of that name already."""


async def owner(db: Connection, realm_id: str, name_key: str) -> Owner:
    """Read whose a resource is, in one statement of one shape, whether or not there is one of the name."""
    row = await db.fetchrow(
        """
        SELECT a.account_id, a.email, a.email_key, a.display_name, a.language_code
          FROM (SELECT) one
          LEFT JOIN resources r ON r.realm_id = $1 AND r.name_key = $2
          LEFT JOIN accounts a ON a.account_id = r.account_id AND a.realm_id = $1
        """,
        realm_id,
        name_key,
    )
    assert row is not None
    return Owner(**row)


async def insert(
    db: Connection, *, resource_id: UUID, realm_id: str, name: str, name_key: str, email_key: str, now: datetime
) -> ResourceRow | None:
    """Write a resource of the account with an address; None if there is no such account. Raises NameTaken."""
    try:
        row = await db.fetchrow(
            """
            WITH resource AS (
                INSERT INTO resources (resource_id, realm_id, name_key, name, account_id, create_time)
                SELECT $1, $2, $4, $3, a.account_id, $6 FROM accounts a WHERE a.realm_id = $2 AND a.email_key = $5
                RETURNING resource_id, realm_id, name, account_id, create_time
            )
            SELECT r.resource_id, r.realm_id, r.name, r.account_id, a.email, r.create_time
              FROM resource r JOIN accounts a ON a.account_id = r.account_id AND a.realm_id = $2
            """,
            resource_id,
            realm_id,
            name,
            name_key,
            email_key,
            now,
        )
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "resources_realm_name_key":
            raise NameTaken from None
        raise
    return ResourceRow(**row) if row is not None else None


async def of_realm(db: Connection, realm_id: str) -> list[ResourceRow]:
    """Every resource of a realm, by name."""
    rows = await db.fetch(
        """
        SELECT r.resource_id, r.realm_id, r.name, r.account_id, a.email, r.create_time
          FROM resources r JOIN accounts a ON a.account_id = r.account_id AND a.realm_id = $1
         WHERE r.realm_id = $1 ORDER BY r.name_key
        """,
        realm_id,
    )
    return [ResourceRow(**row) for row in rows]


async def delete(db: Connection, realm_id: str, name_key: str) -> bool:
    """Delete a resource by its name; False if there is none."""
    deleted = await db.fetchval(
        "DELETE FROM resources WHERE realm_id = $1 AND name_key = $2 RETURNING true", realm_id, name_key
    )
    return bool(deleted)
