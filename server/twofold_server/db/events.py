"""Events: an append-only table; the sign-in history is read from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from twofold_server.db.pool import Connection


async def write(
    tx: Connection,
    *,
    event_id: UUID,
    realm_id: str,
    account_id: UUID | None,
    kind: str,
    client_id: str,
    now: datetime,
    details: dict[str, Any],
    personal: dict[str, Any] | None,
) -> None:
    """Append an event."""
    await tx.execute(
        """
        INSERT INTO events (event_id, realm_id, account_id, kind, client_id, create_time, details, personal)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        event_id,
        realm_id,
        account_id,
        kind,
        client_id,
        now,
        details,
        personal,
    )


@dataclass(frozen=True, slots=True)
class SignInRow:
    """An attempt to sign in."""

    event_id: UUID
    kind: str
    client_id: str
    create_time: datetime
    details: dict[str, Any]
    personal: dict[str, Any] | None


async def sign_ins(db: Connection, realm_id: str, account_id: UUID, before: UUID | None, limit: int) -> list[SignInRow]:
    """List an account's attempts to sign in, the newest first, from before an id."""
    rows = await db.fetch(
        """
        SELECT event_id, kind, client_id, create_time, details, personal FROM events
         WHERE account_id = $2 AND realm_id = $1 AND ($3::uuid IS NULL OR event_id < $3)
           AND kind IN ('signed_in', 'challenged', 'enrollment_required', 'wrong_password', 'wrong_code')
         ORDER BY event_id DESC LIMIT $4
        """,
        realm_id,
        account_id,
        before,
        limit,
    )
    return [SignInRow(**row) for row in rows]
