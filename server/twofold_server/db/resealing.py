"""Sealed values of every realm, read and replaced batch by batch when the master key changes.

A value is replaced only where it is still the one that was read: whoever wrote meanwhile sealed with the new key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from twofold_server.db.pool import Connection

BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed value: where it stands, and what it was sealed for."""

    realm_id: str
    account: str
    row: str
    value: bytes


@dataclass(frozen=True, slots=True)
class _Column:
    read: str
    write: str


# By table and column. Each reads from after a row on, in the order of the row's text, and writes one row.
COLUMNS: Final[Mapping[tuple[str, str], _Column]] = {
    ("password_credentials", "hash"): _Column(
        """
        SELECT realm_id, account_id::text AS account, account_id::text AS row, hash AS value FROM password_credentials
         WHERE account_id > coalesce(nullif($1, '')::uuid, '00000000-0000-0000-0000-000000000000') ORDER BY account_id LIMIT $2
        """,
        "UPDATE password_credentials SET hash = $3 WHERE account_id = $1::text::uuid AND hash = $2",
    ),
    ("factors", "secret"): _Column(
        """
        SELECT realm_id, account_id::text AS account, factor_id::text AS row, secret AS value FROM factors
         WHERE factor_id > coalesce(nullif($1, '')::uuid, '00000000-0000-0000-0000-000000000000') ORDER BY factor_id LIMIT $2
        """,
        "UPDATE factors SET secret = $3 WHERE factor_id = $1::text::uuid AND secret = $2",
    ),
    ("backup_codes", "hash"): _Column(
        """
        SELECT realm_id, account_id::text AS account, account_id::text || slot AS row, hash AS value FROM backup_codes
         WHERE (account_id, slot) > (coalesce(nullif(left($1, 36), '')::uuid, '00000000-0000-0000-0000-000000000000'), substr($1, 37))
         ORDER BY account_id, slot LIMIT $2
        """,
        "UPDATE backup_codes SET hash = $3 WHERE account_id = left($1, 36)::uuid AND slot = substr($1, 37) AND hash = $2",
    ),
    ("tickets", "payload"): _Column(
        """
        SELECT realm_id, coalesce(account_id::text, '') AS account, ticket_id::text AS row, payload AS value FROM tickets
         WHERE ticket_id > coalesce(nullif($1, '')::uuid, '00000000-0000-0000-0000-000000000000') ORDER BY ticket_id LIMIT $2
        """,
        "UPDATE tickets SET payload = $3 WHERE ticket_id = $1::text::uuid AND payload = $2",
    ),
    ("outbox", "payload"): _Column(
        """
        SELECT realm_id, coalesce(account_id::text, '') AS account, outbox_id::text AS row, payload AS value FROM outbox
         WHERE outbox_id > coalesce(nullif($1, '')::uuid, '00000000-0000-0000-0000-000000000000') AND payload IS NOT NULL
         ORDER BY outbox_id LIMIT $2
        """,
        "UPDATE outbox SET payload = $3 WHERE outbox_id = $1::text::uuid AND payload = $2",
    ),
    ("phone_numbers", "number"): _Column(
        """
        SELECT realm_id, account_id::text AS account, account_id::text AS row, number AS value FROM phone_numbers
         WHERE account_id > coalesce(nullif($1, '')::uuid, '00000000-0000-0000-0000-000000000000') ORDER BY account_id LIMIT $2
        """,
        "UPDATE phone_numbers SET number = $3 WHERE account_id = $1::text::uuid AND number = $2",
    ),
    ("cases", "payload"): _Column(
        """
        SELECT realm_id, account_id::text AS account, case_id::text AS row, payload AS value FROM cases
         WHERE case_id > coalesce(nullif($1, '')::uuid, '00000000-0000-0000-0000-000000000000') ORDER BY case_id LIMIT $2
        """,
        "UPDATE cases SET payload = $3 WHERE case_id = $1::text::uuid AND payload = $2",
    ),
    ("approvers", "wake_up_token"): _Column(
        """
        SELECT realm_id, account_id::text AS account, approver_id::text AS row, wake_up_token AS value FROM approvers
         WHERE approver_id > coalesce(nullif($1, '')::uuid, '00000000-0000-0000-0000-000000000000') AND wake_up_token IS NOT NULL
         ORDER BY approver_id LIMIT $2
        """,
        "UPDATE approvers SET wake_up_token = $3 WHERE approver_id = $1::text::uuid AND wake_up_token = $2",
    ),
    ("signing_keys", "private_key"): _Column(
        """
        SELECT '' AS realm_id, '' AS account, key_id AS row, private_key AS value FROM signing_keys
         WHERE key_id > $1 ORDER BY key_id LIMIT $2
        """,
        "UPDATE signing_keys SET private_key = $3 WHERE key_id = $1 AND private_key = $2",
    ),
}


async def batch(db: Connection, table: str, column: str, after: str) -> list[Sealed]:
    """Read a batch of a column's sealed values, from after a row on; empty at the end."""
    rows = await db.fetch(COLUMNS[table, column].read, after, BATCH)
    return [Sealed(row["realm_id"], row["account"], row["row"], row["value"]) for row in rows]


async def replace(db: Connection, table: str, column: str, row: str, *, old: bytes, new: bytes) -> None:
    """Replace a sealed value, unless another was written meanwhile."""
    await db.execute(COLUMNS[table, column].write, row, old, new)
