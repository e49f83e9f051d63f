"""What an account owes after support has reset its second factor: another one, enrolled with support's code in time."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from twofold_server.db.pool import Connection


async def owe(tx: Connection, realm_id: str, account_id: UUID, until: datetime) -> None:
    """Write that a locked account owes it; the code is good until then."""
    await tx.execute(
        "UPDATE accounts SET reenroll_by = $3 WHERE account_id = $2 AND realm_id = $1", realm_id, account_id, until
    )


async def settle(tx: Connection, realm_id: str, account_id: UUID, purpose: str, now: datetime) -> None:
    """Write that a locked account owes it no more, and spend the code."""
    await tx.execute(
        """
        WITH account AS (
            UPDATE accounts SET reenroll_by = NULL
             WHERE account_id = $2 AND realm_id = $1 AND reenroll_by IS NOT NULL RETURNING account_id
        )
        UPDATE tickets k SET spent_time = $4 FROM account
         WHERE k.realm_id = $1 AND k.purpose = $3 AND k.subject = account.account_id::text AND k.spent_time IS NULL
        """,
        realm_id,
        account_id,
        purpose,
        now,
    )
