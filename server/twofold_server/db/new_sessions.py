"""A session that begins at the end of a transaction which has judged all that it rests on."""

from __future__ import annotations

from uuid import UUID

from twofold_server.db.outbox import OutboxRow
from twofold_server.db.pool import Connection
from twofold_server.db.verdicts import Attempt, DeviceUse, NewSession, Verdict


async def begin(
    tx: Connection,
    at: Attempt,
    *,
    account_id: UUID,
    epoch: int,
    session: NewSession,
    device: DeviceUse,
    notice: OutboxRow | None,
) -> Verdict | None:
    """Begin a session of a locked account on its device, with its event; None where a known device has ended meanwhile."""
    row = await tx.fetchrow(
        """
        WITH known AS (
            INSERT INTO devices AS d (device_id, account_id, realm_id, epoch, salt, create_time, last_use_time, trusted_until,
                                      ip_address, user_agent)
            VALUES ($4, $1, $2, $5, $6, $3, $3, $7, $8, $9)
            ON CONFLICT (device_id) DO UPDATE
               SET generation = d.generation + (d.generation = $10)::int, last_use_time = $3,
                   trusted_until = coalesce(excluded.trusted_until, d.trusted_until),
                   ip_address = excluded.ip_address, user_agent = excluded.user_agent
             WHERE d.account_id = $1 AND d.epoch = $5 AND d.end_time IS NULL
            RETURNING d.generation, d.salt
        ), session AS (
            INSERT INTO sessions (session_id, realm_id, account_id, device_id, client_id, epoch, salt, audience, amr, aal, auth_time,
                                  second_factor_time, factor_strength, ip_address, user_agent, create_time, rotated_time, expire_time,
                                  absolute_expire_time)
            SELECT $11, $2, $1, $4, $12, $5, $13, $14, $15, $16, $17, $18, $19, $8, $9, $3, $3, $20, $21 FROM known
        ), notice AS (          -- an account's very first device is no news
            INSERT INTO outbox (outbox_id, realm_id, account_id, kind, address_mac, payload, priority, create_time, due_time, expire_time)
            SELECT $22, $2, $1, $23, $24, $25, $26, $3, $3, $27 FROM known
             WHERE $22::uuid IS NOT NULL AND EXISTS (SELECT FROM devices WHERE account_id = $1)
        ), event AS (
            INSERT INTO events (event_id, realm_id, account_id, kind, client_id, create_time, details, personal)
            SELECT $28, $2, $1, 'signed_in', $12, $3, $29::jsonb, $30 FROM known
        )
        SELECT generation, salt FROM known
        """,
        account_id,
        at.realm_id,
        at.now,
        device.device_id,
        epoch,
        device.salt,
        device.trusted_until,
        session.ip_address,
        session.user_agent,
        device.presented_generation,
        session.session_id,
        at.client_id,
        session.salt,
        session.audience,
        session.amr,
        session.aal,
        session.auth_time,
        session.second_factor_time,
        session.factor_strength,
        session.expire_time,
        session.absolute_expire_time,
        notice and notice.outbox_id,
        notice and notice.kind,
        notice and notice.address_mac,
        notice and notice.payload,
        notice and notice.priority,
        notice and notice.expire_time,
        at.event_id,
        at.details,
        at.personal,
    )
    return Verdict("signed_in", row["generation"], row["salt"]) if row is not None else None
