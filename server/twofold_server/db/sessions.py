"""Sessions: read with the account that they stand for, rotated, carried over, ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from twofold_server.db.pool import Connection


@dataclass(frozen=True, slots=True)
class Live:
    """A session that counts, whether its account has a second factor, how strong its strongest is (0 without), and
    until when its changes are frozen.
    """

    session: SessionRow
    second_factor: bool
    strength: int
    changes_frozen_until: datetime | None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session's row, without what its tokens are made of."""

    session_id: UUID
    realm_id: str
    account_id: UUID
    device_id: UUID | None
    client_id: str
    epoch: int
    audience: str
    amr: list[str]
    aal: int
    auth_time: datetime
    second_factor_time: datetime | None
    factor_strength: int
    ip_address: str
    user_agent: str
    create_time: datetime
    rotated_time: datetime
    expire_time: datetime


async def live(db: Connection, realm_id: str, session_id: UUID, epoch: int, now: datetime) -> Live | None:
    """Read a session that counts, by its id and the epoch of its token, with what its account has enrolled."""
    row = await db.fetchrow(
        """
        SELECT s.session_id, s.realm_id, s.account_id, s.device_id, s.client_id, s.epoch, s.audience, s.amr, s.aal, s.auth_time,
               s.second_factor_time, s.factor_strength, s.ip_address, s.user_agent, s.create_time, s.rotated_time, s.expire_time, a.second_factor,
               a.changes_frozen_until,
               CASE WHEN a.second_factor THEN (SELECT max(f.strength) FROM factors f WHERE f.account_id = a.account_id) END AS strength
          FROM sessions s JOIN accounts a ON a.account_id = s.account_id AND a.realm_id = s.realm_id
         WHERE s.session_id = $2 AND s.realm_id = $1 AND s.end_time IS NULL AND s.expire_time > $4
           AND s.epoch = a.epoch AND s.epoch = $3 AND a.state = 'active'
        """,
        realm_id,
        session_id,
        epoch,
        now,
    )
    if row is None:
        return None
    values = dict(row)
    second_factor, strength, frozen = (values.pop(n) for n in ("second_factor", "strength", "changes_frozen_until"))
    return Live(SessionRow(**values), second_factor, strength or 0, frozen)


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh came to: the session, the generation and salt of its token, or `reused` or `ended` set.

    `user_agent_changed`: by this very refresh, whether or not that ends the session.
    """

    session: SessionRow
    generation: int
    salt: bytes
    reused: bool
    ended: bool
    user_agent_changed: bool


async def refresh(
    db: Connection,
    *,
    realm_ids: list[str],
    session_id: UUID,
    generation: int,
    inner: bytes,
    proof: bytes,
    client_id: str,
    now: datetime,
    idle: timedelta,
    aal2_lifetime: timedelta,
    aal2_idle: timedelta,
    aal2_ends: bool,
    user_agent: str | None,
    user_agent_ends: bool,
    revocation_id: UUID,
    event_id: UUID,
    revocation_expire: datetime,
) -> Refreshed | None:
    """Rotate a session's refresh token in one UPDATE by primary key; None if dead, unknown, another caller's or forged.

    The row's generation gives the next; the one before within 10 s gives the same again, as an answer was lost or two calls
    raced; anything older is theft and ends the session. Newer than the row's (a restored database) finds nothing.
    `user_agent`: to be compared with the row's, where that has one; None: not compared. Another one ends the session or,
    not `user_agent_ends`, takes the place of the row's.
    """
    # s.epoch >= a.epoch, never =: a is the snapshot's, and a session that was carried over during the wait is ahead of it.
    # generation - 1, never $4 + 1: a forged token of the highest generation would overflow, which no forged one may tell.
    # The MAC needs the row's salt, so SQL finishes it; both sides are hashed, as = is not constant in time.
    # RETURNING sees the new row alone: that its User-Agent was another one shows by the id of this call's event in it.
    row = await db.fetchrow(
        """
        WITH s AS (
            UPDATE sessions s
               SET generation = s.generation + (s.generation = $4)::int,
                   rotated_time = CASE WHEN s.generation = $4 THEN $8::timestamptz ELSE s.rotated_time END,
                   expire_time = CASE WHEN s.generation = $4 THEN least($8 + $9::interval, s.absolute_expire_time) ELSE s.expire_time END,
                   aal = CASE WHEN s.second_factor_time + $10::interval <= $8 OR s.rotated_time + $11::interval <= $8 THEN 1 ELSE s.aal END,
                   amr = CASE WHEN s.aal = 2 AND (s.second_factor_time + $10 <= $8 OR s.rotated_time + $11 <= $8)
                              THEN CASE WHEN 'pwd' = ANY(s.amr) THEN '{pwd}' ELSE array_remove(s.amr, 'mfa') END ELSE s.amr END,
                   second_factor_time = CASE WHEN s.second_factor_time + $10 <= $8 OR s.rotated_time + $11 <= $8
                                             THEN NULL ELSE s.second_factor_time END,
                   user_agent = CASE WHEN s.user_agent <> $15::text AND NOT $16 AND s.user_agent <> '' THEN $15 ELSE s.user_agent END,
                   user_agent_event_id = CASE WHEN s.user_agent <> $15 AND s.user_agent <> '' THEN $13 ELSE s.user_agent_event_id END,
                   end_time = CASE WHEN s.generation - 1 > $4 OR s.generation - 1 = $4 AND s.rotated_time + interval '10 s' <= $8 THEN $8
                                   WHEN $12 AND s.aal = 2 AND (s.second_factor_time + $10 <= $8 OR s.rotated_time + $11 <= $8) THEN $8
                                   WHEN $16 AND s.user_agent <> $15 AND s.user_agent <> '' THEN $8 END
              FROM accounts a
             WHERE s.session_id = $2 AND s.realm_id = ANY($1::text[]) AND s.client_id = $3 AND s.end_time IS NULL AND s.expire_time > $8
               AND s.generation >= $4 AND sha256(sha256($5 || s.salt)) = $6
               AND a.account_id = s.account_id AND a.state = 'active' AND s.epoch >= a.epoch
            RETURNING s.session_id, s.realm_id, s.account_id, s.device_id, s.client_id, s.epoch, s.audience, s.amr, s.aal, s.auth_time,
                      s.second_factor_time, s.factor_strength, s.ip_address, s.user_agent, s.create_time, s.rotated_time, s.expire_time,
                      s.generation, s.salt, s.end_time,
                      s.generation - 1 > $4 OR s.generation - 1 = $4 AND s.rotated_time + interval '10 s' <= $8 AS reused,
                      coalesce(s.user_agent_event_id = $13, false) AS user_agent_changed
        ), revocation AS (
            INSERT INTO revocations (revocation_id, realm_id, kind, subject, expire_time)
            SELECT $7, realm_id, 'session', session_id::text, $14 FROM s WHERE end_time IS NOT NULL
        ), event AS (
            INSERT INTO events (event_id, realm_id, account_id, kind, client_id, create_time, details)
            SELECT $13, realm_id, account_id, CASE WHEN reused THEN 'session_reused'
                                                   WHEN user_agent_changed THEN 'session_user_agent_changed'
                                                   ELSE 'session_ended' END,
                   $3, $8, jsonb_build_object('session_id', session_id) FROM s WHERE end_time IS NOT NULL OR user_agent_changed
        )
        SELECT * FROM s
        """,
        realm_ids,
        session_id,
        client_id,
        generation,
        inner,
        proof,
        revocation_id,
        now,
        idle,
        aal2_lifetime,
        aal2_idle,
        aal2_ends,
        event_id,
        revocation_expire,
        user_agent,
        user_agent_ends,
    )
    if row is None:
        return None
    values = dict(row)
    # RETURNING sees the new row: a token that was the row's newest has moved it to $4 + 1 at this very moment.
    generation, salt, end_time, reused, changed = (
        values.pop(n) for n in ("generation", "salt", "end_time", "reused", "user_agent_changed")
    )
    return Refreshed(SessionRow(**values), generation, salt, reused, end_time is not None, changed)


@dataclass(frozen=True, slots=True)
class TokenState:
    """What the refresh token of a session is made of now, and its device's token."""

    generation: int
    salt: bytes
    device_generation: int | None = None
    device_salt: bytes | None = None


async def lock(
    tx: Connection, realm_id: str, account_id: UUID, session_id: UUID, epoch: int, now: datetime
) -> tuple[SessionRow, TokenState] | None:
    """Lock a live session of an account that is locked already, in its newest version."""
    row = await tx.fetchrow(
        """
        SELECT s.session_id, s.realm_id, s.account_id, s.device_id, s.client_id, s.epoch, s.audience, s.amr, s.aal, s.auth_time,
               s.second_factor_time, s.factor_strength, s.ip_address, s.user_agent, s.create_time, s.rotated_time, s.expire_time, s.generation, s.salt
          FROM sessions s
         WHERE s.session_id = $3 AND s.realm_id = $1 AND s.account_id = $2 AND s.epoch = $4 AND s.end_time IS NULL AND s.expire_time > $5
           FOR NO KEY UPDATE
        """,
        realm_id,
        account_id,
        session_id,
        epoch,
        now,
    )
    if row is None:
        return None
    values = dict(row)
    state = TokenState(values.pop("generation"), values.pop("salt"))
    return SessionRow(**values), state


async def token_state(db: Connection, realm_id: str, session_id: UUID) -> tuple[SessionRow, TokenState] | None:
    """Read a session with what its refresh token and its device's token are made of."""
    row = await db.fetchrow(
        """
        SELECT s.session_id, s.realm_id, s.account_id, s.device_id, s.client_id, s.epoch, s.audience, s.amr, s.aal, s.auth_time,
               s.second_factor_time, s.factor_strength, s.ip_address, s.user_agent, s.create_time, s.rotated_time, s.expire_time, s.generation, s.salt,
               d.generation AS device_generation, d.salt AS device_salt
          FROM sessions s LEFT JOIN devices d ON d.device_id = s.device_id AND d.end_time IS NULL
         WHERE s.session_id = $2 AND s.realm_id = $1 AND s.end_time IS NULL
        """,
        realm_id,
        session_id,
    )
    if row is None:
        return None
    values = dict(row)
    state = TokenState(*(values.pop(n) for n in ("generation", "salt", "device_generation", "device_salt")))
    return SessionRow(**values), state


async def prove(
    tx: Connection,
    realm_id: str,
    session_id: UUID,
    *,
    epoch: int,
    amr: list[str],
    aal: int,
    auth_time: datetime,
    second_factor_time: datetime | None,
    factor_strength: int,
    rotate: bool,
    now: datetime,
    new_salt: bytes | None = None,
) -> SessionRow:
    """Write what a locked session has proven, carry it to `epoch`, and rotate its refresh token if asked to.

    With `new_salt` every refresh token of before is one that was never made: no copy of it refreshes or ends anything.
    """
    row = await tx.fetchrow(
        """
        UPDATE sessions s
           SET epoch = $3, amr = $4, aal = $5, auth_time = $6, second_factor_time = $7,
               generation = s.generation + $8::boolean::int, rotated_time = CASE WHEN $8 THEN $9 ELSE s.rotated_time END,
               salt = coalesce($10, s.salt), factor_strength = $11
         WHERE s.session_id = $2 AND s.realm_id = $1
        RETURNING s.session_id, s.realm_id, s.account_id, s.device_id, s.client_id, s.epoch, s.audience, s.amr, s.aal, s.auth_time,
                  s.second_factor_time, s.factor_strength, s.ip_address, s.user_agent, s.create_time, s.rotated_time, s.expire_time
        """,
        realm_id,
        session_id,
        epoch,
        amr,
        aal,
        auth_time,
        second_factor_time,
        rotate,
        now,
        new_salt,
        factor_strength,
    )
    assert row is not None
    return SessionRow(**row)


async def end(
    db: Connection,
    realm_id: str,
    account_id: UUID,
    session_id: UUID,
    *,
    kind: str,
    client_id: str,
    now: datetime,
    end_trust: bool,
    revocation_id: UUID,
    revocation_expire: datetime,
    event_id: UUID,
) -> bool:
    """End one session of an account, and its device's trust if asked to; False if the account has no such session.

    A session that is over already stays so, and counts as found.
    """
    found: bool = await db.fetchval(
        """
        WITH ended AS (
            UPDATE sessions s SET end_time = $4
             WHERE s.session_id = $3 AND s.realm_id = $1 AND s.account_id = $2 AND s.end_time IS NULL
            RETURNING s.device_id
        ), trust AS (
            UPDATE devices d SET trusted_until = NULL FROM ended
             WHERE $9 AND d.device_id = ended.device_id AND d.trusted_until IS NOT NULL
        ), revocation AS (
            INSERT INTO revocations (revocation_id, realm_id, kind, subject, expire_time)
            SELECT $5, $1, 'session', $3::uuid::text, $6 FROM ended
        ), event AS (
            INSERT INTO events (event_id, realm_id, account_id, kind, client_id, create_time, details)
            SELECT $7, $1, $2, $8, $10, $4, jsonb_build_object('session_id', $3::uuid) FROM ended
        )
        SELECT EXISTS (SELECT FROM ended)
            OR EXISTS (SELECT FROM sessions s WHERE s.session_id = $3 AND s.realm_id = $1 AND s.account_id = $2)
        """,
        realm_id,
        account_id,
        session_id,
        now,
        revocation_id,
        revocation_expire,
        event_id,
        kind,
        end_trust,
        client_id,
    )
    return found


async def by_refresh_token(
    db: Connection, *, realm_ids: list[str], session_id: UUID, inner: bytes, proof: bytes, client_id: str
) -> tuple[str, UUID] | None:
    """Tell realm and account of the session whose refresh token, of whatever generation, this is; None if forged or another caller's."""
    row = await db.fetchrow(
        """
        SELECT realm_id, account_id FROM sessions s
         WHERE s.session_id = $2 AND s.realm_id = ANY($1::text[]) AND s.client_id = $5 AND sha256(sha256($3 || s.salt)) = $4
        """,
        realm_ids,
        session_id,
        inner,
        proof,
        client_id,
    )
    return (row["realm_id"], row["account_id"]) if row is not None else None


async def page(
    db: Connection, realm_id: str, account_id: UUID, now: datetime, before: UUID | None, limit: int
) -> list[SessionRow]:
    """List the account's sessions that count, the newest first, from before an id."""
    rows = await db.fetch(
        """
        SELECT s.session_id, s.realm_id, s.account_id, s.device_id, s.client_id, s.epoch, s.audience, s.amr, s.aal, s.auth_time,
               s.second_factor_time, s.factor_strength, s.ip_address, s.user_agent, s.create_time, s.rotated_time, s.expire_time
          FROM sessions s JOIN accounts a ON a.account_id = s.account_id AND a.epoch = s.epoch
         WHERE s.account_id = $2 AND s.realm_id = $1 AND s.end_time IS NULL AND s.expire_time > $3
           AND ($4::uuid IS NULL OR s.session_id < $4)
         ORDER BY s.session_id DESC LIMIT $5
        """,
        realm_id,
        account_id,
        now,
        before,
        limit,
    )
    return [SessionRow(**row) for row in rows]
