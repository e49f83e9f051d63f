"""The keys that access tokens are signed with: one set for the deployment, so no realm stands in these statements."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from twofold_server.db.pool import Connection


@dataclass(frozen=True, slots=True)
class SigningKeyRow:
    """A key with its private part sealed."""

    key_id: str
    private_key: bytes
    public_key: bytes
    publish_time: datetime
    sign_time: datetime
    retire_time: datetime | None


async def all_current(db: Connection, now: datetime) -> list[SigningKeyRow]:
    """Read the keys that are not retired, by the time from which they sign."""
    rows = await db.fetch(
        """
        SELECT key_id, private_key, public_key, publish_time, sign_time, retire_time FROM signing_keys
         WHERE retire_time IS NULL OR retire_time > $1 ORDER BY sign_time, key_id
        """,
        now,
    )
    return [SigningKeyRow(**row) for row in rows]


async def add_first(db: Connection, key: SigningKeyRow) -> None:
    """Add a key if there is none at all; of servers that start together one wins."""
    async with db.acquire() as connection, connection.transaction():  # type: ignore[union-attr]
        await connection.execute("LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE")
        await connection.execute(
            """
            INSERT INTO signing_keys (key_id, private_key, public_key, publish_time, sign_time)
            SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS (SELECT FROM signing_keys)
            """,
            key.key_id,
            key.private_key,
            key.public_key,
            key.publish_time,
            key.sign_time,
        )
