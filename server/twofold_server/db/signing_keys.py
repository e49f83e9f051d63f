"""The keys that access tokens are signed with: one set for the deployment, so no realm stands in these statements."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from twofold_server.db.pool import Connection, Pool, transaction


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


async def add_first(pool: Pool, key: SigningKeyRow) -> None:
    """Add a key if none signs; of servers that start together one wins."""
    async with transaction(pool) as tx:
        await tx.execute("LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE")
        if not await tx.fetchval(
            "SELECT EXISTS (SELECT FROM signing_keys WHERE retire_time IS NULL OR retire_time > $1)", key.sign_time
        ):
            await _insert(tx, key)


async def rotate(pool: Pool, key: SigningKeyRow, retire_time: datetime) -> bool:
    """Add the next key and set the end of the others; False where a next one is published already."""
    async with transaction(pool) as tx:
        await tx.execute("LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE")
        if await tx.fetchval("SELECT EXISTS (SELECT FROM signing_keys WHERE sign_time > $1)", key.publish_time):
            return False
        await tx.execute("UPDATE signing_keys SET retire_time = $1 WHERE retire_time IS NULL", retire_time)
        await _insert(tx, key)
        return True


async def remove(
    pool: Pool,
    key_id: str,
    successor: SigningKeyRow,
    *,
    now: datetime,
    revocation_id: UUID,
    revocation_expire: datetime,
) -> bool:
    """Retire a key at once and revoke what it signed; `successor` signs from now on if no other does. False if unknown."""
    async with transaction(pool) as tx:
        await tx.execute("LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE")
        if not await tx.fetchval(
            "UPDATE signing_keys SET retire_time = $2 WHERE key_id = $1 AND (retire_time IS NULL OR retire_time > $2) RETURNING true",
            key_id,
            now,
        ):
            return False
        if not await tx.fetchval(
            "SELECT EXISTS (SELECT FROM signing_keys WHERE sign_time <= $1 AND (retire_time IS NULL OR retire_time > $1))",
            now,
        ):
            await _insert(tx, successor)
        await tx.execute(
            """
            INSERT INTO revocations (revocation_id, realm_id, kind, subject, expire_time) VALUES ($1, '', 'signing_key', $2, $3)
            """,
            revocation_id,
            key_id,
            revocation_expire,
        )
        return True


async def _insert(tx: Connection, key: SigningKeyRow) -> None:
    await tx.execute(
        """
        INSERT INTO signing_keys (key_id, private_key, public_key, publish_time, sign_time) VALUES ($1, $2, $3, $4, $5)
        """,
        key.key_id,
        key.private_key,
        key.public_key,
        key.publish_time,
        key.sign_time,
    )
