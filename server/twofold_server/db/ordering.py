"""What needs PostgreSQL's own order of commits, and nothing else.

A transaction that commits late has a number below that of others which are known already. So nothing is read "from the
last one on": what is read is everything at or above the oldest transaction that was still open at the read before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from twofold_server.db.pool import Connection


@dataclass(frozen=True, slots=True)
class RevocationRow:
    """A revocation; `tx` is the number of its transaction."""

    revocation_id: str
    realm_id: str
    kind: str
    subject: str
    epoch: int
    expire_time: datetime
    tx: int


@dataclass(frozen=True, slots=True)
class Poll:
    """What a poll found, and from where the next one reads: no transaction below `watermark` is open any more.

    `time` is PostgreSQL's, `since` when the backend that answered began: it has seen no crash after that.
    """

    watermark: int
    rows: list[RevocationRow]
    time: datetime
    since: datetime


async def poll_revocations(db: Connection, watermark: int, now: datetime) -> Poll:
    """Read the revocations of every transaction from `watermark` on; known ones come again. 0: all that still count."""
    rows = await db.fetch(
        """
        SELECT pg_snapshot_xmin(w.s)::text::bigint AS watermark, clock_timestamp() AS time,
               (SELECT backend_start FROM pg_stat_get_activity(pg_backend_pid())) AS since, r.revocation_id::text, r.realm_id, r.kind, r.subject,
               coalesce(r.epoch, 0) AS epoch, r.expire_time, r.tx::text::bigint AS tx
          FROM (SELECT pg_current_snapshot() AS s) w
          LEFT JOIN revocations r ON r.tx >= $1::bigint::text::xid8 AND r.expire_time > $2
        """,
        watermark,
        now,
    )
    found = [
        RevocationRow(
            row["revocation_id"],
            row["realm_id"],
            row["kind"],
            row["subject"],
            row["epoch"],
            row["expire_time"],
            row["tx"],
        )
        for row in rows
        if row["revocation_id"] is not None
    ]
    return Poll(rows[0]["watermark"], found, rows[0]["time"], rows[0]["since"])


async def cluster_id(db: Connection) -> int:
    """The number that PostgreSQL gave this cluster when it was made: its transactions' numbers mean nothing elsewhere."""
    found: int = await db.fetchval("SELECT system_identifier FROM pg_control_system()")
    return found
