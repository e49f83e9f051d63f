"""Approvers: phones paired, known by their key, and let go with the factor that they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from twofold_server.db.pool import Connection


@dataclass(frozen=True, slots=True)
class ApproverRow:
    """A phone that may approve, with what of its account is needed beside it."""

    approver_id: UUID
    realm_id: str
    account_id: UUID
    public_key: bytes = field(repr=False)
    name: str
    epoch: int
    email: str
    language_code: str


@dataclass(frozen=True, slots=True)
class NewApprover:
    """A phone to be paired. `wake_up_token` is sealed."""

    approver_id: UUID
    public_key: bytes = field(repr=False)
    algorithm: str
    name: str
    wake_up_token: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Paired:
    """What a pairing came to: whose phone it is now."""

    account_id: UUID
    email: str


async def find(db: Connection, realm_ids: Sequence[str], approver_id: UUID) -> ApproverRow | None:
    """Read an approver whose enrolment is finished and whose account is active; None if there is none in these realms."""
    row = await db.fetchrow(
        """
        SELECT p.approver_id, p.realm_id, p.account_id, p.public_key, p.name, a.epoch, a.email, a.language_code
          FROM approvers p JOIN accounts a ON a.account_id = p.account_id AND a.realm_id = p.realm_id
         WHERE p.approver_id = $2 AND p.realm_id = ANY($1::text[]) AND p.factor_id IS NOT NULL AND a.state = 'active'
        """,
        list(realm_ids),
        approver_id,
    )
    return ApproverRow(**row) if row is not None else None


async def spend_proof(
    db: Connection, realm_id: str, approver_id: UUID, epoch: int, proof_hash: bytes, expire_time: datetime
) -> bool:
    """Use a proof up; False if it was used before, at whichever server, or the approver was removed or its account changed.

    Of racing uses one inserts the row: the others wait for its commit on the primary key, and then conflict.
    """
    spent = await db.fetchval(
        """
        INSERT INTO approver_proofs (approver_id, proof_hash, expire_time)
        SELECT p.approver_id, $4, $5 FROM approvers p JOIN accounts a ON a.account_id = p.account_id
         WHERE p.approver_id = $2 AND p.realm_id = $1 AND p.factor_id IS NOT NULL AND a.epoch = $3 AND a.state = 'active'
        ON CONFLICT (approver_id, proof_hash) DO NOTHING
        RETURNING true
        """,
        realm_id,
        approver_id,
        epoch,
        proof_hash,
        expire_time,
    )
    return bool(spent)


async def living(db: Connection, approver_ids: list[UUID]) -> dict[UUID, int]:
    """Tell which of these approvers, of whichever realms, still may, and their accounts' epochs."""
    rows = await db.fetch(
        """
        SELECT p.approver_id, a.epoch FROM approvers p JOIN accounts a ON a.account_id = p.account_id
         WHERE p.approver_id = ANY($1::uuid[]) AND p.factor_id IS NOT NULL AND a.state = 'active'
        """,
        approver_ids,
    )
    return {row["approver_id"]: row["epoch"] for row in rows}


@dataclass(frozen=True, slots=True)
class PairingRow:
    """A live pairing and the account that it is of."""

    ticket_id: UUID
    realm_id: str
    account_id: UUID
    payload: bytes = field(repr=False)
    email: str


async def peek_pairing(db: Connection, realm_ids: Sequence[str], code_hash: bytes, now: datetime) -> PairingRow | None:
    """Read the pairing of a code, while its enrolment waits; spends nothing."""
    row = await db.fetchrow(
        """
        SELECT k.ticket_id, k.realm_id, k.account_id, k.payload, a.email
          FROM tickets k
          JOIN tickets e ON e.ticket_id = k.subject::uuid AND e.purpose = 'enrollment' AND e.spent_time IS NULL AND e.expire_time > $3
          JOIN accounts a ON a.account_id = k.account_id AND a.epoch = k.epoch AND a.state = 'active'
         WHERE k.handle_hash = $2 AND k.realm_id = ANY($1::text[]) AND k.purpose = 'pairing' AND k.spent_time IS NULL AND k.expire_time > $3
        """,
        list(realm_ids),
        code_hash,
        now,
    )
    return PairingRow(**row) if row is not None else None


async def pair(db: Connection, realm_id: str, ticket_id: UUID, new: NewApprover, now: datetime) -> bool:
    """Spend a pairing and write its phone in one statement; False if it was spent, replaced or expired meanwhile."""
    paired = await db.fetchval(
        """
        WITH pairing AS (       -- the enrolment first, as who finishes it holds that one; a replaced one has another id
            SELECT k.ticket_id, k.account_id, e.ticket_id AS enrollment_id
              FROM tickets k JOIN tickets e ON e.ticket_id = k.subject::uuid
             WHERE k.ticket_id = $2 AND k.realm_id = $1 AND k.purpose = 'pairing' AND k.spent_time IS NULL AND k.expire_time > $8
               AND e.purpose = 'enrollment' AND e.spent_time IS NULL AND e.expire_time > $8
               FOR NO KEY UPDATE OF e, k
        ), spend AS (
            UPDATE tickets k SET spent_time = $8 FROM pairing WHERE k.ticket_id = pairing.ticket_id
        )
        INSERT INTO approvers (approver_id, account_id, realm_id, enrollment_id, public_key, algorithm, name, wake_up_token, create_time)
        SELECT $3, account_id, $1, enrollment_id, $4, $5, $6, $7, $8 FROM pairing
        RETURNING true
        """,
        realm_id,
        ticket_id,
        new.approver_id,
        new.public_key,
        new.algorithm,
        new.name,
        new.wake_up_token,
        now,
    )
    return bool(paired)


async def of_enrollment(
    db: Connection, realm_id: str, account_id: UUID, enrollment_id: UUID
) -> tuple[UUID, str] | None:
    """Tell the phone that paired with an enrolment, and what it calls itself; None while there is none."""
    row = await db.fetchrow(
        """
        SELECT approver_id, name FROM approvers
         WHERE enrollment_id = $3 AND account_id = $2 AND realm_id = $1 AND factor_id IS NULL
        """,
        realm_id,
        account_id,
        enrollment_id,
    )
    return (row["approver_id"], row["name"]) if row is not None else None


async def enrol(tx: Connection, realm_id: str, account_id: UUID, approver_id: UUID, factor_id: UUID, name: str) -> bool:
    """Let a paired phone be a factor of a locked account, within the transaction that adds it; False if it is gone."""
    enrolled = await tx.fetchval(
        """
        UPDATE approvers SET factor_id = $4, name = $5
         WHERE approver_id = $3 AND account_id = $2 AND realm_id = $1 AND factor_id IS NULL
        RETURNING true
        """,
        realm_id,
        account_id,
        approver_id,
        factor_id,
        name,
    )
    return bool(enrolled)


async def to_wake(db: Connection, realm_id: str, account_id: UUID) -> list[tuple[UUID, bytes]]:
    """List the account's phones that want to be woken, with their sealed tokens."""
    rows = await db.fetch(
        """
        SELECT approver_id, wake_up_token FROM approvers
         WHERE account_id = $2 AND realm_id = $1 AND factor_id IS NOT NULL AND wake_up_token IS NOT NULL
        """,
        realm_id,
        account_id,
    )
    return [(row["approver_id"], row["wake_up_token"]) for row in rows]


async def forget(tx: Connection, realm_id: str, account_id: UUID) -> None:
    """Unpair every phone of a locked account, one whose enrolment was not finished included."""
    await tx.execute("DELETE FROM approvers WHERE account_id = $2 AND realm_id = $1", realm_id, account_id)
