"""Solved CAPTCHAs: each is good once, and its row is what the second use meets."""

from __future__ import annotations

from datetime import datetime

from twofold_server.db.pool import Connection


async def spend(db: Connection, realm_id: str, challenge_hash: bytes, expire_time: datetime) -> bool:
    """Spend a solved challenge; False if it was spent before. Of racing callers one wins."""
    spent = await db.fetchval(
        """
        INSERT INTO captchas_spent (realm_id, challenge_hash, expire_time) VALUES ($1, $2, $3)
        ON CONFLICT ON CONSTRAINT captchas_spent_pkey DO NOTHING
        RETURNING true
        """,
        realm_id,
        challenge_hash,
        expire_time,
    )
    return bool(spent)
