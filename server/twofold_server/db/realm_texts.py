"""A realm's own texts of messages."""

from __future__ import annotations

from datetime import datetime

from twofold_server.db.pool import Connection


async def of_realm(db: Connection, realm_id: str) -> list[tuple[str, str, str]]:
    """Language, key and content of each."""
    rows = await db.fetch(
        "SELECT language_code, text_key, content FROM realm_texts WHERE realm_id = $1 ORDER BY language_code, text_key",
        realm_id,
    )
    return [(row["language_code"], row["text_key"], row["content"]) for row in rows]


async def put(db: Connection, realm_id: str, language_code: str, text_key: str, content: str, now: datetime) -> None:
    """Write one, over the one that there may be."""
    await db.execute(
        """
        INSERT INTO realm_texts (realm_id, language_code, text_key, content, update_time) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT ON CONSTRAINT realm_texts_pkey DO UPDATE SET content = excluded.content, update_time = excluded.update_time
        """,
        realm_id,
        language_code,
        text_key,
        content,
        now,
    )


async def remove(db: Connection, realm_id: str, language_code: str, text_key: str) -> None:
    """Take one away: the text that ships stands again."""
    await db.execute(
        "DELETE FROM realm_texts WHERE realm_id = $1 AND language_code = $2 AND text_key = $3",
        realm_id,
        language_code,
        text_key,
    )
