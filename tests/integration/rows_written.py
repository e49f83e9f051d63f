"""What a call wrote: rows by table, from the transaction ids that PostgreSQL keeps in them."""

from __future__ import annotations

import asyncpg

_TABLES = """
    SELECT table_name FROM information_schema.tables
     WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY table_name
"""


async def tables(db: asyncpg.Connection[asyncpg.Record]) -> list[str]:
    """The names of all tables."""
    return [row[0] for row in await db.fetch(_TABLES)]


async def mark(db: asyncpg.Connection[asyncpg.Record]) -> int:
    """The transaction that comes next; `written` counts from there."""
    found: int = await db.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
    return found


async def written(
    db: asyncpg.Connection[asyncpg.Record], since: int, *, without: frozenset[str] = frozenset()
) -> dict[str, int]:
    """How many rows each table has that were inserted or changed since the mark; untouched tables are left out."""
    names = [name for name in await tables(db) if name not in without]
    query = " UNION ALL ".join(
        f"SELECT '{name}' AS name, count(*) AS n FROM {name} WHERE xmin::text::bigint >= $1" for name in names
    )
    return {row["name"]: row["n"] for row in await db.fetch(query, since) if row["n"]}
