"""The verified phone number of an account, and the ticket by which one is confirmed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from twofold_server.db.pool import Connection

Judged = Literal["right", "wrong", "unknown"]


@dataclass(frozen=True, slots=True)
class PhoneRow:
    """A verified number, sealed."""

    number: bytes = field(repr=False)
    verify_time: datetime


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a code was judged: `right` once only. The payload and the ticket's id are there where the ticket was."""

    outcome: Judged
    ticket_id: UUID | None = None
    payload: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Destinations:
    """What an account can be told by: sealed, with the rows that the values stand in; factors of e-mail and SMS."""

    email: str
    language_code: str
    number: bytes | None = field(repr=False)
    factor_ids: list[UUID]
    factor_kinds: list[str]
    factor_secrets: list[bytes] = field(repr=False)


async def get(db: Connection, realm_id: str, account_id: UUID) -> PhoneRow | None:
    """The number of an account; None if it has none."""
    row = await db.fetchrow(
        "SELECT number, verify_time FROM phone_numbers WHERE account_id = $2 AND realm_id = $1", realm_id, account_id
    )
    return PhoneRow(**row) if row is not None else None


async def put(
    tx: Connection, realm_id: str, account_id: UUID, number: bytes, now: datetime, *, number_mac: bytes
) -> bool:
    """Set the number of a locked account, sealed, and the MAC that it is found by; True where it had one before."""
    had: bool = await tx.fetchval(
        """
        INSERT INTO phone_numbers (account_id, realm_id, number, verify_time, number_mac) VALUES ($2, $1, $3, $4, $5)
        ON CONFLICT ON CONSTRAINT phone_numbers_pkey DO UPDATE
           SET number = excluded.number, verify_time = excluded.verify_time, number_mac = excluded.number_mac
        RETURNING xmax <> 0
        """,
        realm_id,
        account_id,
        number,
        now,
        number_mac,
    )
    return had


async def set_mac(db: Connection, realm_id: str, account_id: UUID, number: bytes, number_mac: bytes) -> None:
    """Set the MAC that a number is found by, unless another number was set meanwhile."""
    await db.execute(
        "UPDATE phone_numbers SET number_mac = $4 WHERE account_id = $2 AND realm_id = $1 AND number = $3",
        realm_id,
        account_id,
        number,
        number_mac,
    )


async def destinations(db: Connection, realm_id: str, account_id: UUID) -> Destinations | None:
    """Every verified address and number of an account, in one read; None if it is gone."""
    row = await db.fetchrow(
        """
        SELECT a.email, a.language_code, p.number,
               coalesce(array_agg(f.factor_id ORDER BY f.factor_id) FILTER (WHERE f.factor_id IS NOT NULL), '{}') AS factor_ids,
               coalesce(array_agg(f.kind ORDER BY f.factor_id) FILTER (WHERE f.factor_id IS NOT NULL), '{}') AS factor_kinds,
               coalesce(array_agg(f.secret ORDER BY f.factor_id) FILTER (WHERE f.factor_id IS NOT NULL), '{}') AS factor_secrets
          FROM accounts a
          LEFT JOIN phone_numbers p USING (account_id)
          LEFT JOIN factors f ON f.account_id = a.account_id AND f.kind IN ('email', 'sms')
         WHERE a.account_id = $2 AND a.realm_id = $1
         GROUP BY a.account_id, p.account_id
        """,
        realm_id,
        account_id,
    )
    return Destinations(**row) if row is not None else None


async def judge(
    tx: Connection,
    *,
    realm_id: str,
    purpose: str,
    handle_hash: bytes,
    account_id: UUID,
    session_id: UUID,
    epoch: int,
    code_macs: list[bytes],
    ticket_id: UUID,
    now: datetime,
) -> Confirmed:
    """Judge a code, count it if it is wrong, and spend the ticket if it is right.

    Of racing right codes one wins; of racing wrong ones five are judged.
    """
    # The UPDATE waits for the row and then sees its newest version: no count is judged by an older one.
    row = await tx.fetchrow(
        """
        UPDATE tickets
           SET attempts = attempts + CASE WHEN code_mac = ANY ($8) THEN 0 ELSE 1 END,
               spent_time = CASE WHEN code_mac = ANY ($8) THEN $9::timestamptz END
         WHERE realm_id = $1 AND ticket_id = $2 AND purpose = $3 AND handle_hash = $4 AND account_id = $5 AND session_id = $6
           AND epoch = $7 AND spent_time IS NULL AND expire_time > $9 AND attempts < 5
        RETURNING ticket_id, payload, spent_time IS NOT NULL AS spent
        """,
        realm_id,
        ticket_id,
        purpose,
        handle_hash,
        account_id,
        session_id,
        epoch,
        code_macs,
        now,
    )
    if row is None:
        return Confirmed("unknown")
    return Confirmed("right" if row["spent"] else "wrong", row["ticket_id"], row["payload"])
