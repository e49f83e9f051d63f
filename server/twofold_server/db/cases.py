"""Cases of the support desk. Lock order: agents, account, case, ticket; each step judges the case in its own lock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from twofold_server.db.pool import Connection


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case. `payload` is sealed; `told_time`: when the first notice of its opening was delivered, None if none was."""

    case_id: UUID
    realm_id: str
    account_id: UUID
    opener_id: UUID
    approver_id: UUID | None
    request_mac: bytes = field(repr=False)
    action: str
    payload: bytes = field(repr=False)
    owner_unreachable: bool
    state: str
    create_time: datetime
    confirm_time: datetime | None
    approve_time: datetime | None
    wait: timedelta | None
    expire_time: datetime
    end_time: datetime | None
    told_time: datetime | None


@dataclass(frozen=True, slots=True)
class NewCase:
    """A case to be opened. `payload` is sealed."""

    case_id: UUID
    realm_id: str
    account_id: UUID
    opener_id: UUID
    request_id: UUID
    request_mac: bytes = field(repr=False)
    action: str
    payload: bytes = field(repr=False)
    owner_unreachable: bool
    create_time: datetime
    expire_time: datetime


@dataclass(frozen=True, slots=True)
class Subject:
    """The account that a case is about, locked."""

    account_id: UUID
    epoch: int
    state: str
    second_factor: bool
    reenroll_by: datetime | None
    email: str
    email_key: str
    display_name: str
    language_code: str


class RequestTaken(Exception):
    """The agent has opened a case of another account by the same request id."""


async def lock_subject(tx: Connection, realm_id: str, account_id: UUID) -> Subject | None:
    """Lock an account, in its newest version; None if the realm has no such account."""
    row = await tx.fetchrow(
        """
        SELECT account_id, epoch, state, second_factor, reenroll_by, email, email_key, display_name, language_code
          FROM accounts WHERE account_id = $2 AND realm_id = $1
           FOR NO KEY UPDATE
        """,
        realm_id,
        account_id,
    )
    return Subject(**row) if row is not None else None


async def get(db: Connection, realm_id: str, case_id: UUID) -> CaseRow | None:
    """Read a case; None if the realm has no such case."""
    row = await db.fetchrow(
        """
        SELECT c.case_id, c.realm_id, c.account_id, c.opener_id, c.approver_id, c.request_mac, c.action, c.payload, c.owner_unreachable,
               c.state, c.create_time, c.confirm_time, c.approve_time, c.wait, c.expire_time, c.end_time,
               (SELECT min(o.end_time) FROM outbox o WHERE o.ticket_id = c.case_id AND o.realm_id = c.realm_id
                   AND o.kind = 'case_opened' AND o.state = 'sent') AS told_time
          FROM cases c WHERE c.case_id = $2 AND c.realm_id = $1
        """,
        realm_id,
        case_id,
    )
    return CaseRow(**row) if row is not None else None


async def lock(tx: Connection, realm_id: str, case_id: UUID) -> CaseRow | None:
    """Lock a case whose account is locked already, in its newest version."""
    row = await tx.fetchrow(
        """
        SELECT c.case_id, c.realm_id, c.account_id, c.opener_id, c.approver_id, c.request_mac, c.action, c.payload, c.owner_unreachable,
               c.state, c.create_time, c.confirm_time, c.approve_time, c.wait, c.expire_time, c.end_time,
               (SELECT min(o.end_time) FROM outbox o WHERE o.ticket_id = c.case_id AND o.realm_id = c.realm_id
                   AND o.kind = 'case_opened' AND o.state = 'sent') AS told_time
          FROM cases c WHERE c.case_id = $2 AND c.realm_id = $1
           FOR NO KEY UPDATE OF c
        """,
        realm_id,
        case_id,
    )
    return CaseRow(**row) if row is not None else None


async def of_request(tx: Connection, realm_id: str, opener_id: UUID, request_id: UUID) -> tuple[UUID, bytes] | None:
    """The case that an agent opened by a request id, and the MAC of that request."""
    row = await tx.fetchrow(
        "SELECT case_id, request_mac FROM cases WHERE realm_id = $1 AND opener_id = $2 AND request_id = $3",
        realm_id,
        opener_id,
        request_id,
    )
    return (row["case_id"], row["request_mac"]) if row is not None else None


async def has_open(tx: Connection, realm_id: str, account_id: UUID) -> bool:
    """Tell whether a locked account has a case that is open or approved."""
    found: bool = await tx.fetchval(
        "SELECT EXISTS (SELECT FROM cases WHERE realm_id = $1 AND account_id = $2 AND state IN ('open', 'approved'))",
        realm_id,
        account_id,
    )
    return found


async def insert(tx: Connection, case: NewCase) -> None:
    """Open a case of a locked account. Raises RequestTaken; the transaction is then void."""
    try:
        await tx.execute(
            """
            INSERT INTO cases (case_id, realm_id, account_id, opener_id, request_id, request_mac, action, payload, owner_unreachable,
                               create_time, expire_time)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            """,
            case.case_id,
            case.realm_id,
            case.account_id,
            case.opener_id,
            case.request_id,
            case.request_mac,
            case.action,
            case.payload,
            case.owner_unreachable,
            case.create_time,
            case.expire_time,
        )
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "cases_request_key":
            raise RequestTaken from None
        raise


async def approve(
    tx: Connection, realm_id: str, case_id: UUID, approver_id: UUID, wait: timedelta, now: datetime
) -> bool:
    """Approve a case that is open; False if it is not."""
    done = await tx.fetchval(
        """
        UPDATE cases SET state = 'approved', approver_id = $3, approve_time = $5, wait = $4
         WHERE case_id = $2 AND realm_id = $1 AND state = 'open' AND expire_time > $5
        RETURNING true
        """,
        realm_id,
        case_id,
        approver_id,
        wait,
        now,
    )
    return bool(done)


async def confirm(tx: Connection, realm_id: str, case_id: UUID, now: datetime) -> bool:
    """Write that the new address or number of a case was confirmed; False if the case is over."""
    done = await tx.fetchval(
        """
        UPDATE cases SET confirm_time = $3
         WHERE case_id = $2 AND realm_id = $1 AND state IN ('open', 'approved') AND expire_time > $3
        RETURNING true
        """,
        realm_id,
        case_id,
        now,
    )
    return bool(done)


async def close(tx: Connection, realm_id: str, case_id: UUID, *, state: str, of: list[str], now: datetime) -> bool:
    """End a case that is in one of the states `of`, its links with it; False if it is in none of them."""
    done = await tx.fetchval(
        """
        WITH closed AS (
            UPDATE cases SET state = $3, end_time = $5
             WHERE case_id = $2 AND realm_id = $1 AND state = ANY($4::text[]) AND expire_time > $5
            RETURNING case_id
        ), links AS (
            UPDATE tickets k SET spent_time = $5 FROM closed
             WHERE k.realm_id = $1 AND k.purpose IN ('case', 'correction') AND k.subject = closed.case_id::text
               AND k.spent_time IS NULL
        )
        SELECT true FROM closed
        """,
        realm_id,
        case_id,
        state,
        of,
        now,
    )
    return bool(done)


async def expire(
    db: Connection, *, now: datetime, event_ids: list[UUID], client_id: str, account_id: UUID | None = None
) -> int:
    """End cases that were not executed in time, as many as there are ids for their events; of all realms, or of one account."""
    count = await db.fetchval(
        """
        WITH over AS MATERIALIZED (
            SELECT case_id, row_number() OVER (ORDER BY case_id) AS number
              FROM (SELECT case_id FROM cases
                     WHERE state IN ('open', 'approved') AND expire_time <= $1 AND ($4::uuid IS NULL OR account_id = $4)
                     ORDER BY case_id LIMIT cardinality($2::uuid[]) FOR NO KEY UPDATE SKIP LOCKED) c
        ), closed AS (
            UPDATE cases c SET state = 'expired', end_time = $1 FROM over WHERE c.case_id = over.case_id
            RETURNING c.case_id, c.realm_id, c.account_id, c.action, over.number
        ), event AS (
            INSERT INTO events (event_id, realm_id, account_id, kind, client_id, create_time, details)
            SELECT ($2::uuid[])[number], realm_id, account_id, 'case_expired', $3, $1,
                   jsonb_build_object('case_id', case_id, 'action', action)
              FROM closed
        )
        SELECT count(*)::int FROM closed
        """,
        now,
        event_ids,
        client_id,
        account_id,
    )
    return int(count)


async def page(
    db: Connection,
    realm_id: str,
    account_id: UUID | None,
    *,
    open_only: bool,
    now: datetime,
    before: UUID | None,
    limit: int,
) -> list[CaseRow]:
    """List a realm's cases, or those of one account, the newest first, from before an id."""
    rows = await db.fetch(
        """
        SELECT c.case_id, c.realm_id, c.account_id, c.opener_id, c.approver_id, c.request_mac, c.action, c.payload, c.owner_unreachable,
               c.state, c.create_time, c.confirm_time, c.approve_time, c.wait, c.expire_time, c.end_time,
               (SELECT min(o.end_time) FROM outbox o WHERE o.ticket_id = c.case_id AND o.realm_id = c.realm_id
                   AND o.kind = 'case_opened' AND o.state = 'sent') AS told_time
          FROM cases c
         WHERE c.realm_id = $1 AND ($2::uuid IS NULL OR c.account_id = $2) AND ($4::uuid IS NULL OR c.case_id < $4)
           AND (NOT $3 OR c.state IN ('open', 'approved') AND c.expire_time > $6)
         ORDER BY c.case_id DESC LIMIT $5
        """,
        realm_id,
        account_id,
        open_only,
        before,
        limit,
        now,
    )
    return [CaseRow(**row) for row in rows]
