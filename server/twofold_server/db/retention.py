"""What is over is deleted, a batch at a time; of every realm, so no realm stands in these statements."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from twofold_server.db import outbox, sms
from twofold_server.db.pool import JOB_SECONDS, Connection

BATCH: Final = 1000
REVIVABLE: Final = timedelta(days=14)
"""How long after its expiry the link of a sign-up can be made good again."""


async def delete_expired(db: Connection, now: datetime) -> int:
    """Delete up to a batch of each kind of row that nothing reads any more; how many the largest batch had."""
    deleted = [
        # Not a recovery whose time has come and which nobody has carried out yet, however long no server ran.
        await db.execute(
            # A sign-up that was never activated stays a while: support may revive it.
            """
            DELETE FROM tickets WHERE ticket_id IN (
                SELECT ticket_id FROM tickets
                 WHERE expire_time < $1 AND (purpose <> 'recovery_pending' OR spent_time IS NOT NULL)
                   AND (purpose <> 'activation' OR spent_time IS NOT NULL OR expire_time < $3) LIMIT $2)
            """,
            now - timedelta(days=1),
            BATCH,
            now - REVIVABLE,
            timeout=JOB_SECONDS,
        ),
        await db.execute(
            """
            DELETE FROM resend_waits WHERE key_mac IN (SELECT key_mac FROM resend_waits WHERE expire_time < $1 LIMIT $2)
            """,
            now,
            BATCH,
            timeout=JOB_SECONDS,
        ),
        await db.execute(
            """
            DELETE FROM unknown_identifiers WHERE identifier_mac IN (SELECT identifier_mac FROM unknown_identifiers WHERE expire_time < $1 LIMIT $2)
            """,
            now,
            BATCH,
            timeout=JOB_SECONDS,
        ),
        await db.execute(
            """
            DELETE FROM network_failures WHERE (realm_id, network, hour) IN (SELECT realm_id, network, hour FROM network_failures WHERE hour < $1 LIMIT $2)
            """,
            now - timedelta(days=1),
            BATCH,
            timeout=JOB_SECONDS,
        ),
        await db.execute(
            """
            DELETE FROM revocations WHERE revocation_id IN (SELECT revocation_id FROM revocations WHERE expire_time < $1 LIMIT $2)
            """,
            now,
            BATCH,
            timeout=JOB_SECONDS,
        ),
        await db.execute(
            """
            DELETE FROM sessions WHERE session_id IN (SELECT session_id FROM sessions WHERE absolute_expire_time < $1 LIMIT $2)
            """,
            now - timedelta(days=1),
            BATCH,
            timeout=JOB_SECONDS,
        ),
        await db.execute(
            """
            DELETE FROM approver_proofs WHERE (approver_id, proof_hash) IN (
                SELECT approver_id, proof_hash FROM approver_proofs WHERE expire_time < $1 LIMIT $2)
            """,
            now,
            BATCH,
            timeout=JOB_SECONDS,
        ),
        # Not at once: where another server's clock is behind, its age alone does not refuse it yet.
        await db.execute(
            """
            DELETE FROM captchas_spent WHERE (realm_id, challenge_hash) IN (
                SELECT realm_id, challenge_hash FROM captchas_spent WHERE expire_time < $1 LIMIT $2)
            """,
            now - timedelta(hours=1),
            BATCH,
            timeout=JOB_SECONDS,
        ),
        # Paired, and never enrolled: an enrolment lives for an hour at most.
        await db.execute(
            """
            DELETE FROM approvers WHERE approver_id IN (
                SELECT approver_id FROM approvers WHERE factor_id IS NULL AND create_time < $1 LIMIT $2)
            """,
            now - timedelta(hours=2),
            BATCH,
            timeout=JOB_SECONDS,
        ),
    ]
    return max(
        await outbox.forget_ended(db, now - timedelta(days=30), BATCH),
        await sms.forget_counts(db, now - timedelta(days=2), BATCH),
        *(int(d.rpartition(" ")[2]) for d in deleted),
    )
