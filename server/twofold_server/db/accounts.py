"""Accounts: made by an activation, read, locked, changed and deleted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from twofold_server.db.pool import Connection


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account, as its owner sees it."""

    account_id: UUID
    realm_id: str
    email: str
    display_name: str
    language_code: str
    create_time: datetime
    update_time: datetime


class EmailTaken(Exception):
    """The address has an account in the realm already."""


async def get(db: Connection, realm_id: str, account_id: UUID) -> AccountRow | None:
    """Read an account; None if there is none."""
    row = await db.fetchrow(
        """
        SELECT account_id, realm_id, email, display_name, language_code, create_time, update_time
          FROM accounts WHERE account_id = $2 AND realm_id = $1
        """,
        realm_id,
        account_id,
    )
    return AccountRow(**row) if row is not None else None


async def update(
    db: Connection,
    realm_id: str,
    account_id: UUID,
    *,
    display_name: str | None,
    language_code: str | None,
    now: datetime,
) -> AccountRow | None:
    """Change what is not None; None if there is no such account."""
    row = await db.fetchrow(
        """
        UPDATE accounts SET display_name = coalesce($3, display_name), language_code = coalesce($4, language_code), update_time = $5
         WHERE account_id = $2 AND realm_id = $1
        RETURNING account_id, realm_id, email, display_name, language_code, create_time, update_time
        """,
        realm_id,
        account_id,
        display_name,
        language_code,
        now,
    )
    return AccountRow(**row) if row is not None else None


async def create(
    tx: Connection,
    *,
    realm_id: str,
    account_id: UUID,
    email: str,
    email_key: str,
    display_name: str,
    language_code: str,
    hash: bytes,
    scheme: str,
    set_through: str | None,
    now: datetime,
) -> AccountRow:
    """Make an account with its password, within the activation's transaction. Raises EmailTaken; the transaction is then void."""
    try:
        row = await tx.fetchrow(
            """
            WITH account AS (
                INSERT INTO accounts (account_id, realm_id, email, email_key, display_name, language_code, create_time, update_time)
                VALUES ($2, $1, $3, $4, $5, $6, $9, $9)
                RETURNING account_id, realm_id, email, display_name, language_code, create_time, update_time
            ), password AS (
                INSERT INTO password_credentials (account_id, realm_id, hash, scheme, set_through, update_time)
                VALUES ($2, $1, $7, $8, $10, $9)
            )
            SELECT * FROM account
            """,
            realm_id,
            account_id,
            email,
            email_key,
            display_name,
            language_code,
            hash,
            scheme,
            now,
            set_through,
        )
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "accounts_realm_email_key":
            raise EmailTaken from None
        raise
    assert row is not None
    return AccountRow(**row)


@dataclass(frozen=True, slots=True)
class LockedAccount:
    """An account's and its password's row, held until the transaction ends."""

    epoch: int
    state: str
    second_factor: bool
    email: str
    language_code: str
    changes_frozen_until: datetime | None
    reenroll_by: datetime | None
    hash: bytes
    failures: list[int]
    wait_until: list[datetime]


async def lock(tx: Connection, realm_id: str, account_id: UUID) -> LockedAccount | None:
    """Lock an account and its password, in their newest versions."""
    row = await tx.fetchrow(
        """
        SELECT a.epoch, a.state, a.second_factor, a.email, a.language_code, a.changes_frozen_until, a.reenroll_by,
               p.hash, p.failures, p.wait_until
          FROM accounts a JOIN password_credentials p USING (account_id)
         WHERE a.account_id = $2 AND a.realm_id = $1
           FOR NO KEY UPDATE OF a, p
        """,
        realm_id,
        account_id,
    )
    return LockedAccount(**row) if row is not None else None


async def set_password_budget(
    tx: Connection, realm_id: str, account_id: UUID, failures: list[int], wait_until: list[datetime]
) -> None:
    """Write the count of a locked password."""
    await tx.execute(
        "UPDATE password_credentials SET failures = $3, wait_until = $4 WHERE account_id = $2 AND realm_id = $1",
        realm_id,
        account_id,
        failures,
        wait_until,
    )


async def set_password(
    tx: Connection, realm_id: str, account_id: UUID, *, hash: bytes, scheme: str, now: datetime
) -> None:
    """Replace a locked account's password; its counts begin anew."""
    await tx.execute(
        """
        UPDATE password_credentials
           SET hash = $3, scheme = $4, failures = '{0,0}', wait_until = '{epoch,epoch}', update_time = $5
         WHERE account_id = $2 AND realm_id = $1
        """,
        realm_id,
        account_id,
        hash,
        scheme,
        now,
    )


async def password_set_through(db: Connection, realm_id: str, account_id: UUID) -> str | None:
    """Tell the channel that an account's password was last set through; None if that no longer matters."""
    found: str | None = await db.fetchval(
        "SELECT set_through FROM password_credentials WHERE account_id = $2 AND realm_id = $1", realm_id, account_id
    )
    return found


async def raise_epoch(
    tx: Connection,
    realm_id: str,
    account_id: UUID,
    *,
    second_factor: bool | None,
    keep_device: UUID | None,
    revocation_id: UUID,
    revocation_expire: datetime,
    now: datetime,
    keep_devices: bool = False,
) -> int:
    """End all that carries the locked account's epoch, by one UPDATE, and return the next.

    `keep_device` stays known, not trusted; with `keep_devices` all of them do.
    """
    epoch: int = await tx.fetchval(
        """
        WITH account AS (
            UPDATE accounts SET epoch = epoch + 1, second_factor = coalesce($3, second_factor), update_time = $4
             WHERE account_id = $2 AND realm_id = $1 RETURNING epoch
        ), device AS (
            UPDATE devices d SET epoch = account.epoch, trusted_until = NULL FROM account
             WHERE (d.device_id = $5 OR $8) AND d.account_id = $2 AND d.epoch = account.epoch - 1 AND d.end_time IS NULL
        ), dead AS (            -- they count no more by their epoch; that they go as well keeps the table small
            DELETE FROM devices d USING account
             WHERE d.account_id = $2 AND d.epoch < account.epoch AND d.device_id IS DISTINCT FROM $5
               AND NOT ($8 AND d.epoch = account.epoch - 1 AND d.end_time IS NULL)
        ), revocation AS (
            INSERT INTO revocations (revocation_id, realm_id, kind, subject, epoch, expire_time)
            SELECT $6, $1, 'account', $2::uuid::text, epoch, $7 FROM account
        )
        SELECT epoch FROM account
        """,
        realm_id,
        account_id,
        second_factor,
        now,
        keep_device,
        revocation_id,
        revocation_expire,
        keep_devices,
    )
    return epoch


async def delete(
    tx: Connection,
    realm_id: str,
    account_id: UUID,
    *,
    revocation_id: UUID,
    revocation_expire: datetime,
) -> None:
    """Delete a locked account and all that hangs on it; its events stay, without their personal part."""
    await tx.execute(
        "UPDATE events SET personal = NULL WHERE account_id = $2 AND realm_id = $1 AND personal IS NOT NULL",
        realm_id,
        account_id,
    )
    await tx.execute("DELETE FROM outbox WHERE account_id = $2 AND realm_id = $1", realm_id, account_id)
    await tx.execute(
        """
        WITH account AS (DELETE FROM accounts WHERE account_id = $2 AND realm_id = $1 RETURNING epoch)
        INSERT INTO revocations (revocation_id, realm_id, kind, subject, epoch, expire_time)
        SELECT $3, $1, 'account', $2::uuid::text, epoch + 1, $4 FROM account
        """,
        realm_id,
        account_id,
        revocation_id,
        revocation_expire,
    )


async def password_schemes(db: Connection, realm_id: str) -> list[tuple[str, int]]:
    """Count the schemes of up to 10,000 stored passwords of a realm, for the proportions of decoys."""
    rows = await db.fetch(
        """
        SELECT scheme, count(*) AS n FROM (SELECT scheme FROM password_credentials WHERE realm_id = $1 LIMIT 10000) x
         GROUP BY scheme ORDER BY scheme
        """,
        realm_id,
    )
    return [(row["scheme"], row["n"]) for row in rows]
