"""Second factors, their shared counts, and backup codes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from twofold_server.db.pool import Connection


@dataclass(frozen=True, slots=True)
class FactorRow:
    """A factor without its secret."""

    factor_id: UUID
    kind: str
    name: str
    preferred: bool
    create_time: datetime
    last_use_time: datetime | None


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """A kind's count, locked."""

    failures: list[int]
    wait_until: list[datetime]


@dataclass(frozen=True, slots=True)
class Status:
    """How far an account's two-factor goes."""

    kinds: list[str]
    factors: int
    backup_codes_remaining: int
    backup_codes_create_time: datetime | None


async def status(db: Connection, realm_id: str, account_id: UUID) -> Status:
    """Read the enrolled kinds, the preferred first, how many factors that is, and the backup codes that are left."""
    row = await db.fetchrow(
        """
        SELECT ARRAY(SELECT kind FROM factors WHERE account_id = $2 AND realm_id = $1
                      GROUP BY kind ORDER BY bool_or(preferred) DESC, min(create_time)) AS kinds,
               (SELECT count(*)::int FROM factors WHERE account_id = $2 AND realm_id = $1) AS factors,
               count(c.slot) FILTER (WHERE c.spent_time IS NULL)::int AS backup_codes_remaining,
               max(c.create_time) AS backup_codes_create_time
          FROM (SELECT) one LEFT JOIN backup_codes c ON c.account_id = $2 AND c.realm_id = $1
        """,
        realm_id,
        account_id,
    )
    assert row is not None
    return Status(**row)


async def page(db: Connection, realm_id: str, account_id: UUID, after: UUID | None, limit: int) -> list[FactorRow]:
    """List an account's factors, the oldest first, from after an id."""
    rows = await db.fetch(
        """
        SELECT factor_id, kind, name, preferred, create_time, last_use_time FROM factors
         WHERE account_id = $2 AND realm_id = $1 AND ($3::uuid IS NULL OR factor_id > $3) ORDER BY factor_id LIMIT $4
        """,
        realm_id,
        account_id,
        after,
        limit,
    )
    return [FactorRow(**row) for row in rows]


async def count(db: Connection, realm_id: str, account_id: UUID, kind: str | None = None) -> int:
    """Count an account's factors, of one kind or of all."""
    found: int = await db.fetchval(
        "SELECT count(*)::int FROM factors WHERE account_id = $2 AND realm_id = $1 AND ($3::text IS NULL OR kind = $3)",
        realm_id,
        account_id,
        kind,
    )
    return found


async def kind(db: Connection, realm_id: str, account_id: UUID, factor_id: UUID) -> str | None:
    """Tell of what kind a factor is, which never changes; None if the account has no such factor."""
    found: str | None = await db.fetchval(
        "SELECT kind FROM factors WHERE factor_id = $3 AND account_id = $2 AND realm_id = $1",
        realm_id,
        account_id,
        factor_id,
    )
    return found


async def update(
    db: Connection, realm_id: str, account_id: UUID, factor_id: UUID, *, name: str | None, preferred: bool
) -> FactorRow | None:
    """Rename a factor, or make it the preferred one and no other; None if the account has no such factor."""
    row = await db.fetchrow(
        """
        WITH account AS (       -- two choices at once follow each other
            SELECT account_id FROM accounts WHERE account_id = $2 AND realm_id = $1 FOR NO KEY UPDATE
        ), chosen AS (
            SELECT f.factor_id FROM account JOIN factors f USING (account_id) WHERE f.factor_id = $3
        ), changed AS (
            UPDATE factors f
               SET name = CASE WHEN f.factor_id = $3 THEN coalesce($4, f.name) ELSE f.name END,
                   preferred = CASE WHEN $5 THEN f.factor_id = $3 ELSE f.preferred END
              FROM chosen WHERE f.account_id = $2 AND (f.factor_id = $3 OR $5)
            RETURNING f.factor_id, f.kind, f.name, f.preferred, f.create_time, f.last_use_time
        )
        SELECT * FROM changed WHERE factor_id = $3
        """,
        realm_id,
        account_id,
        factor_id,
        name,
        preferred,
    )
    return FactorRow(**row) if row is not None else None


async def add(
    tx: Connection,
    *,
    realm_id: str,
    account_id: UUID,
    factor_id: UUID,
    kind: str,
    name: str,
    secret: bytes,
    strength: int,
    last_step: int,
    credential_hash: bytes | None,
    now: datetime,
) -> FactorRow | None:
    """Enrol a factor of a locked account; the first is the preferred one. Its kind's count is made if it is the first of its kind.

    None where its credential is enrolled already.
    """
    row = await tx.fetchrow(
        """
        WITH account AS (
            UPDATE accounts SET second_factor = true WHERE account_id = $2 AND realm_id = $1 AND NOT second_factor
        ), budget AS (
            INSERT INTO factor_budgets (account_id, kind) VALUES ($2, $4) ON CONFLICT (account_id, kind) DO NOTHING
        )
        INSERT INTO factors (factor_id, account_id, realm_id, kind, name, preferred, secret, last_step, create_time, strength, credential_hash)
        SELECT $3, $2, $1, $4, $5, NOT EXISTS (SELECT FROM factors WHERE account_id = $2), $6, $7, $8, $9, $10
        ON CONFLICT (realm_id, credential_hash) WHERE credential_hash IS NOT NULL DO NOTHING
        RETURNING factor_id, kind, name, preferred, create_time, last_use_time
        """,
        realm_id,
        account_id,
        factor_id,
        kind,
        name,
        secret,
        last_step,
        now,
        strength,
        credential_hash,
    )
    return FactorRow(**row) if row is not None else None


async def remove(tx: Connection, realm_id: str, account_id: UUID, factor_id: UUID) -> FactorRow | None:
    """Remove a factor of a locked account; if it was the preferred one, the oldest of the rest is."""
    row = await tx.fetchrow(
        """
        DELETE FROM factors WHERE factor_id = $3 AND account_id = $2 AND realm_id = $1
        RETURNING factor_id, kind, name, preferred, create_time, last_use_time
        """,
        realm_id,
        account_id,
        factor_id,
    )
    if row is not None and row["preferred"]:
        await tx.execute(
            """
            UPDATE factors SET preferred = true
             WHERE realm_id = $1 AND factor_id = (SELECT factor_id FROM factors WHERE account_id = $2 ORDER BY factor_id LIMIT 1)
            """,
            realm_id,
            account_id,
        )
    return FactorRow(**row) if row is not None else None


async def remove_all(tx: Connection, realm_id: str, account_id: UUID) -> None:
    """Remove every factor, backup code and count of a locked account."""
    await tx.execute("DELETE FROM factors WHERE account_id = $2 AND realm_id = $1", realm_id, account_id)
    await tx.execute("DELETE FROM backup_codes WHERE account_id = $2 AND realm_id = $1", realm_id, account_id)
    await tx.execute(
        "DELETE FROM factor_budgets b USING accounts a WHERE b.account_id = $2 AND a.account_id = $2 AND a.realm_id = $1",
        realm_id,
        account_id,
    )


async def make_budget(tx: Connection, realm_id: str, account_id: UUID, kind: str) -> None:
    """Make the count that all factors of a kind share, where there is none."""
    await tx.execute(
        """
        INSERT INTO factor_budgets (account_id, kind) SELECT account_id, $3 FROM accounts WHERE account_id = $2 AND realm_id = $1
        ON CONFLICT (account_id, kind) DO NOTHING
        """,
        realm_id,
        account_id,
        kind,
    )


async def lock_budget(tx: Connection, realm_id: str, account_id: UUID, kind: str) -> BudgetRow | None:
    """Lock the count that all factors of a kind share; None if no factor of the kind was ever enrolled."""
    row = await tx.fetchrow(
        """
        SELECT b.failures, b.wait_until FROM factor_budgets b JOIN accounts a USING (account_id)
         WHERE b.account_id = $2 AND b.kind = $3 AND a.realm_id = $1 FOR NO KEY UPDATE OF b
        """,
        realm_id,
        account_id,
        kind,
    )
    return BudgetRow(**row) if row is not None else None


async def set_budget(
    tx: Connection, realm_id: str, account_id: UUID, kind: str, failures: list[int], wait_until: list[datetime]
) -> None:
    """Write a locked count."""
    await tx.execute(
        """
        UPDATE factor_budgets b SET failures = $4, wait_until = $5 FROM accounts a
         WHERE b.account_id = $2 AND b.kind = $3 AND a.account_id = $2 AND a.realm_id = $1
        """,
        realm_id,
        account_id,
        kind,
        failures,
        wait_until,
    )


async def spend_step(
    tx: Connection, realm_id: str, account_id: UUID, factor_id: UUID, step: int, now: datetime
) -> bool:
    """Spend a time step of a factor; False if it or a later one was used, or the factor is gone."""
    spent = await tx.fetchval(
        """
        UPDATE factors SET last_step = $4, last_use_time = $5
         WHERE factor_id = $3 AND account_id = $2 AND realm_id = $1 AND last_step < $4 RETURNING true
        """,
        realm_id,
        account_id,
        factor_id,
        step,
        now,
    )
    return bool(spent)


async def note_use(
    tx: Connection, realm_id: str, account_id: UUID, factor_id: UUID, new_secret: bytes | None, now: datetime
) -> None:
    """Write that a factor was used, and its secret where something in it was counted up."""
    await tx.execute(
        """
        UPDATE factors SET last_use_time = $5, secret = coalesce($4, secret)
         WHERE factor_id = $3 AND account_id = $2 AND realm_id = $1
        """,
        realm_id,
        account_id,
        factor_id,
        new_secret,
        now,
    )


async def strength(db: Connection, realm_id: str, account_id: UUID) -> int:
    """Tell how strong the strongest enrolled factor of an account is; 0 without one."""
    found: int | None = await db.fetchval(
        "SELECT max(strength) FROM factors WHERE account_id = $2 AND realm_id = $1", realm_id, account_id
    )
    return found or 0


async def spend_backup_code(
    tx: Connection, realm_id: str, account_id: UUID, slot: str, set_id: UUID, now: datetime
) -> bool:
    """Spend the backup code of a slot, if it is still of the set that was checked, and unspent."""
    spent = await tx.fetchval(
        """
        UPDATE backup_codes SET spent_time = $5
         WHERE account_id = $2 AND realm_id = $1 AND slot = $3 AND set_id = $4 AND spent_time IS NULL RETURNING true
        """,
        realm_id,
        account_id,
        slot,
        set_id,
        now,
    )
    return bool(spent)


async def put_backup_codes(
    tx: Connection, realm_id: str, account_id: UUID, slots: list[str], hashes: list[bytes], set_id: UUID, now: datetime
) -> None:
    """Replace the backup codes of a locked account. Their count stays: a new set must not buy new guesses."""
    await tx.execute("DELETE FROM backup_codes WHERE account_id = $2 AND realm_id = $1", realm_id, account_id)
    await tx.execute(
        """
        WITH budget AS (
            INSERT INTO factor_budgets (account_id, kind) VALUES ($2, 'backup_code') ON CONFLICT (account_id, kind) DO NOTHING
        )
        INSERT INTO backup_codes (account_id, slot, set_id, realm_id, hash, create_time)
        SELECT $2, x.slot, $6, $1, x.hash, $5 FROM unnest($3::text[], $4::bytea[]) AS x (slot, hash)
        """,
        realm_id,
        account_id,
        slots,
        hashes,
        now,
        set_id,
    )


async def has_backup_codes(db: Connection, realm_id: str, account_id: UUID) -> bool:
    """Tell whether the account has a set of backup codes, used up or not."""
    found: bool = await db.fetchval(
        "SELECT EXISTS (SELECT FROM backup_codes WHERE account_id = $2 AND realm_id = $1)", realm_id, account_id
    )
    return found
