"""What a proof inside a session rests on, and the count of a client network."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from twofold_server.db.pool import Connection


@dataclass(frozen=True, slots=True)
class Proofs:
    """The account's password and factors, as a read saw them."""

    account_id: UUID
    epoch: int
    second_factor: bool
    email: str
    language_code: str
    hash: bytes
    failures: list[int]
    wait_until: list[datetime]
    factor_ids: list[UUID] | None
    factor_kinds: list[str] | None
    factor_secrets: list[bytes] | None
    budget_kinds: list[str] | None
    budget_failures: list[list[int]] | None
    budget_wait_until: list[list[datetime]] | None
    backup_hash: bytes | None
    backup_set_id: UUID | None
    device_id: UUID | None
    network_failures: int


async def read(
    db: Connection,
    *,
    realm_id: str,
    account_id: UUID,
    device_id: UUID | None,
    slot: str | None,
    network: str,
    hour: datetime,
) -> Proofs | None:
    """Read what a session's user may prove themselves with; None if the account is gone."""
    row = await db.fetchrow(
        """
        SELECT a.account_id, a.epoch, a.second_factor, a.email, a.language_code, p.hash, p.failures, p.wait_until,
               f.factor_ids, f.factor_kinds, f.factor_secrets,
               b.budget_kinds, b.budget_failures, b.budget_wait_until, c.hash AS backup_hash,
               c.set_id AS backup_set_id, d.device_id,
               coalesce(n.failures, 0) AS network_failures
          FROM accounts a
          JOIN password_credentials p ON p.account_id = a.account_id
          LEFT JOIN LATERAL (
              SELECT array_agg(x.factor_id) AS factor_ids, array_agg(x.kind) AS factor_kinds, array_agg(x.secret) AS factor_secrets
                FROM (SELECT factor_id, kind, secret FROM factors
                       WHERE account_id = a.account_id ORDER BY preferred DESC, factor_id) x
          ) f ON true
          LEFT JOIN LATERAL (
              SELECT array_agg(kind) AS budget_kinds, array_agg(failures) AS budget_failures, array_agg(wait_until) AS budget_wait_until
                FROM factor_budgets WHERE account_id = a.account_id
          ) b ON true
          LEFT JOIN backup_codes c ON c.account_id = a.account_id AND c.slot = $4 AND c.spent_time IS NULL
          LEFT JOIN devices d ON d.device_id = $3 AND d.account_id = a.account_id AND d.epoch = a.epoch AND d.end_time IS NULL
          LEFT JOIN network_failures n ON n.realm_id = $1 AND n.network = $5 AND n.hour = $6
         WHERE a.account_id = $2 AND a.realm_id = $1
        """,
        realm_id,
        account_id,
        device_id,
        slot,
        network,
        hour,
    )
    return Proofs(**row) if row is not None else None


async def count_network(tx: Connection, realm_id: str, network: str, hour: datetime) -> int:
    """Count a failure, or what else is limited, of a client network; how many there were this hour."""
    count: int = await tx.fetchval(
        """
        INSERT INTO network_failures AS n (realm_id, network, hour, failures) VALUES ($1, $2, $3, 1)
        ON CONFLICT (realm_id, network, hour) DO UPDATE SET failures = n.failures + 1
        RETURNING failures
        """,
        realm_id,
        network,
        hour,
    )
    return count
