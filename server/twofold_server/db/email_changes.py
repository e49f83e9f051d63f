"""The address of a locked account: changed, taken back, and frozen with all else that its security rests on."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg

from twofold_server.db.accounts import AccountRow, EmailTaken
from twofold_server.db.pool import Connection


async def set_email(
    tx: Connection,
    realm_id: str,
    account_id: UUID,
    *,
    email: str,
    email_key: str,
    now: datetime,
    link_ends: datetime | None = None,
) -> AccountRow:
    """Give a locked account another address, and end a freeze of its changes, unless an earlier link than the one that
    ends at `link_ends` froze them. Raises EmailTaken; the transaction is then void.
    """
    try:
        row = await tx.fetchrow(
            """
            UPDATE accounts SET email = $3, email_key = $4, update_time = $5,
                   changes_frozen_until = CASE WHEN changes_frozen_until > $5 AND changes_frozen_until < $6 THEN changes_frozen_until END
             WHERE account_id = $2 AND realm_id = $1
            RETURNING account_id, realm_id, email, display_name, language_code, create_time, update_time
            """,
            realm_id,
            account_id,
            email,
            email_key,
            now,
            link_ends,
        )
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "accounts_realm_email_key":
            raise EmailTaken from None
        raise
    assert row is not None
    return AccountRow(**row)


async def freeze(tx: Connection, realm_id: str, account_id: UUID, until: datetime, now: datetime) -> datetime | None:
    """Freeze the changes of a locked account until a link ends; None where this link or an earlier one froze them already.

    The end tells which link it was: a freeze by a later one becomes the earlier one's.
    """
    frozen: datetime | None = await tx.fetchval(
        """
        UPDATE accounts SET changes_frozen_until = $3
         WHERE account_id = $2 AND realm_id = $1
           AND (changes_frozen_until IS NULL OR changes_frozen_until <= $4 OR changes_frozen_until > $3)
        RETURNING changes_frozen_until
        """,
        realm_id,
        account_id,
        until,
        now,
    )
    return frozen


async def frozen_until(db: Connection, realm_id: str, account_id: UUID) -> datetime | None:
    """Until when the changes of an account are frozen, a time that is over included; None if they are free."""
    until: datetime | None = await db.fetchval(
        "SELECT changes_frozen_until FROM accounts WHERE account_id = $2 AND realm_id = $1", realm_id, account_id
    )
    return until


async def lock_links(tx: Connection, realm_id: str, account_id: UUID, ticket_id: UUID, purpose: str) -> int:
    """Lock a link and those of later changes, the oldest first; how many wrong proofs came with that link.

    Before the account, as every statement locks: a restoration ends the later ones, which may be in use just now.
    """
    rows = await tx.fetch(
        """
        SELECT k.ticket_id, k.attempts FROM tickets k
         WHERE k.realm_id = $1 AND k.account_id = $2 AND k.purpose = $4
           AND k.create_time >= (SELECT t.create_time FROM tickets t WHERE t.ticket_id = $3 AND t.realm_id = $1)
         ORDER BY k.create_time, k.ticket_id FOR NO KEY UPDATE
        """,
        realm_id,
        account_id,
        ticket_id,
        purpose,
    )
    return sum(row["attempts"] for row in rows if row["ticket_id"] == ticket_id)


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
