"""Passkeys as the one thing that signs in: found by their credential's id."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from twofold_server.db.pool import Connection


@dataclass(frozen=True, slots=True)
class Found:
    """The account of a passkey, and what its sign-in rests on; without an account, the network's failures alone."""

    account_id: UUID | None
    epoch: int | None
    state: str | None
    email: str | None
    language_code: str | None
    factor_ids: list[UUID] | None
    factor_kinds: list[str] | None
    factor_secrets: list[bytes] | None
    backup_hash: bytes | None
    backup_set_id: UUID | None
    budget_kinds: list[str] | None
    budget_failures: list[list[int]] | None
    budget_wait_until: list[list[datetime]] | None
    device_id: UUID | None
    device_generation: int | None
    network_failures: int


async def read(
    db: Connection,
    *,
    realm_id: str,
    credential_hash: bytes,
    device_id: UUID | None,
    device_inner: bytes | None,
    device_proof: bytes | None,
    network: str,
    hour: datetime,
) -> Found:
    """Read whose passkey a credential is, in one round trip and of one shape whether or not it is anybody's."""
    row = await db.fetchrow(
        """
        SELECT a.account_id, a.epoch, a.state, a.email, a.language_code, f.factor_ids, f.factor_kinds, f.factor_secrets,
               NULL::bytea AS backup_hash, NULL::uuid AS backup_set_id, b.budget_kinds, b.budget_failures, b.budget_wait_until,
               d.device_id, d.generation AS device_generation, coalesce(n.failures, 0) AS network_failures
          FROM (SELECT) one
          LEFT JOIN factors p ON p.realm_id = $1 AND p.credential_hash = $2
          LEFT JOIN accounts a ON a.account_id = p.account_id AND a.realm_id = $1
          LEFT JOIN LATERAL (
              SELECT array_agg(x.factor_id) AS factor_ids, array_agg(x.kind) AS factor_kinds, array_agg(x.secret) AS factor_secrets
                FROM (SELECT factor_id, kind, secret FROM factors WHERE account_id = a.account_id ORDER BY preferred DESC, factor_id) x
          ) f ON true
          LEFT JOIN LATERAL (
              SELECT array_agg(kind) AS budget_kinds, array_agg(failures) AS budget_failures, array_agg(wait_until) AS budget_wait_until
                FROM factor_budgets WHERE account_id = a.account_id
          ) b ON true
          LEFT JOIN devices d ON d.device_id = $3 AND d.account_id = a.account_id AND d.realm_id = $1 AND d.epoch = a.epoch
               AND d.end_time IS NULL AND sha256(sha256($4 || d.salt)) = $5
          LEFT JOIN network_failures n ON n.realm_id = $1 AND n.network = $6 AND n.hour = $7
        """,
        realm_id,
        credential_hash,
        device_id,
        device_inner,
        device_proof,
        network,
        hour,
    )
    assert row is not None
    return Found(**row)
