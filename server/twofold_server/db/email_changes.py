"""The address of a locked account: changed, taken back, and frozen with all else that its security rests on."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg

from twofold_server.db.accounts import AccountRow, EmailTaken
from twofold_server.db.pool import Connection


async def set_email(
    tx: Connection, realm_id: str, account_id: UUID, *, email: str, email_key: str, now: datetime
) -> AccountRow:
    """Give a locked account another address, and end a freeze of its changes. Raises EmailTaken; the transaction is then void."""
    try:
        row = await tx.fetchrow(
            """
            UPDATE accounts SET email = $3, email_key = $4, changes_frozen_until = NULL, update_time = $5
             WHERE account_id = $2 AND realm_id = $1
            RETURNING account_id, realm_id, email, display_name, language_code, create_time, update_time
            """,
            realm_id,
            account_id,
            email,
            email_key,
            now,
        )
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "accounts_realm_email_key":
            raise EmailTaken from None
        raise
    assert row is not None
    return AccountRow(**row)


async def freeze(tx: Connection, realm_id: str, account_id: UUID, until: datetime) -> datetime | None:
    """Freeze the changes of a locked account; None where they were frozen for as long already."""
    frozen: datetime | None = await tx.fetchval(
        """
        UPDATE accounts SET changes_frozen_until = $3
         WHERE account_id = $2 AND realm_id = $1 AND (changes_frozen_until IS NULL OR changes_frozen_until < $3)
        RETURNING changes_frozen_until
        """,
        realm_id,
        account_id,
        until,
    )
    return frozen


async def frozen_until(db: Connection, realm_id: str, account_id: UUID) -> datetime | None:
    """Until when the changes of an account are frozen, a time that is over included; None if they never were."""
    until: datetime | None = await db.fetchval(
        "SELECT changes_frozen_until FROM accounts WHERE account_id = $2 AND realm_id = $1", realm_id, account_id
    )
    return until


async def end_later_links(
    tx: Connection, realm_id: str, account_id: UUID, ticket_id: UUID, purpose: str, now: datetime
) -> None:
    """Spend the links of a locked account that were made after the one of a ticket, of the same purpose."""
    await tx.execute(
        """
        UPDATE tickets SET spent_time = $5
         WHERE realm_id = $1 AND account_id = $2 AND purpose = $4 AND spent_time IS NULL AND ticket_id <> $3
           AND create_time >= (SELECT t.create_time FROM tickets t WHERE t.ticket_id = $3 AND t.realm_id = $1)
        """,
        realm_id,
        account_id,
        ticket_id,
        purpose,
        now,
    )
