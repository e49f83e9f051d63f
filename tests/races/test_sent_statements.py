"""What was sent for a challenge, and a device's trust: judged on their newest state, once."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from tests.races.overlap import overlap
from tests.races.rows import (
    KNOWN,
    NOW,
    OWED,
    REALM,
    Account,
    account,
    answer,
    live_sessions,
    new_challenge,
    right,
)
from twofold_server.db import sent
from twofold_server.db.pool import Connection, Pool
from twofold_server.db.tickets import NewTicket
from twofold_server.db.verdicts import Code, DeviceUse, NewChallenge

WAIVED = Code("waived")


async def mailed(db: Connection) -> tuple[Account, UUID]:
    """An account with codes by e-mail."""
    made, factor_id = await account(db, second_factor=True), uuid4()
    await db.execute(
        """
        WITH budget AS (
            INSERT INTO factor_budgets (account_id, kind) VALUES ($1, 'email')
        )
        INSERT INTO factors (factor_id, account_id, realm_id, kind, name, secret, strength, create_time)
        VALUES ($2, $1, 'default', 'email', '', 's', 1, $3)
        """,
        made.account_id,
        factor_id,
        NOW,
    )
    return made, factor_id


async def challenged(db: Connection, of: Account) -> NewChallenge:
    """A sign-in that owes its second factor."""
    challenge = new_challenge()
    assert (await right(db, of, OWED, challenge=challenge)).outcome == "challenged"
    return challenge


async def send(db: Connection, of: Account, challenge: NewChallenge, mac: bytes, *, since: timedelta) -> UUID | None:
    """Send a code for a challenge; None if one went out within `since`."""
    ticket = NewTicket(
        ticket_id=uuid4(),
        realm_id=REALM,
        purpose="sent",
        subject=str(challenge.ticket_id),
        handle_hash=os.urandom(32),
        binding_hash=None,
        payload=b"",
        create_time=NOW,
        expire_time=NOW + timedelta(minutes=5),
        account_id=of.account_id,
        epoch=1,
    )
    return ticket.ticket_id if await sent.put(db, ticket, 1, mac, NOW - since) else None


def code(factor_id: UUID, sent_id: UUID, mac: bytes) -> Code:
    """A code that came back."""
    return Code("given", "email", factor_id=factor_id, sent_id=sent_id, sent_macs=[mac])


async def test_of_50_answers_with_one_sent_code_one_signs_in(pool: Pool) -> None:
    """However many arrive together, there is one session; the rest are told that it is the same one."""
    of, factor_id = await mailed(pool)
    challenge, mac = await challenged(pool, of), os.urandom(32)
    sent_id = await send(pool, of, challenge, mac, since=timedelta(0))
    assert sent_id is not None
    given = code(factor_id, sent_id, mac)
    outcomes = Counter(
        verdict.outcome for verdict, _ in await asyncio.gather(*[answer(pool, of, challenge, given) for _ in range(50)])
    )
    assert outcomes == {"signed_in": 1, "repeated": 49}
    assert await live_sessions(pool, of) == 1


async def test_a_code_that_is_replaced_while_its_answer_waits_is_worth_nothing(pool: Pool) -> None:
    """The new code's row is another: the answer finds nothing that came back."""
    of, factor_id = await mailed(pool)
    challenge, mac = await challenged(pool, of), os.urandom(32)
    sent_id = await send(pool, of, challenge, mac, since=timedelta(0))
    assert sent_id is not None
    met = await overlap(
        pool,
        lambda c: send(c, of, challenge, os.urandom(32), since=timedelta(0)),
        lambda c: answer(c, of, challenge, code(factor_id, sent_id, mac)),
    )
    assert met.first is not None
    assert met.second[0].outcome == "wrong_code"


async def test_of_two_requests_for_a_code_at_once_one_sends(pool: Pool) -> None:
    """The second waits for the first, and then finds that one has just gone out."""
    of, _ = await mailed(pool)
    challenge = await challenged(pool, of)
    met = await overlap(
        pool,
        lambda c: send(c, of, challenge, os.urandom(32), since=timedelta(minutes=1)),
        lambda c: send(c, of, challenge, os.urandom(32), since=timedelta(minutes=1)),
    )
    assert met.waited
    assert (met.first is None, met.second is None) == (False, True)


async def test_a_factor_that_is_removed_while_its_answer_waits_proves_nothing(pool: Pool) -> None:
    """Whoever took the address away meant it."""
    of, factor_id = await mailed(pool)
    challenge, mac = await challenged(pool, of), os.urandom(32)
    sent_id = await send(pool, of, challenge, mac, since=timedelta(0))
    assert sent_id is not None
    met = await overlap(
        pool,
        lambda c: c.execute("DELETE FROM factors WHERE factor_id = $1", factor_id),
        lambda c: answer(c, of, challenge, code(factor_id, sent_id, mac)),
    )
    assert met.waited
    assert met.second[0].outcome == "wrong_code"


@pytest.mark.parametrize("end", ["trusted_until = NULL", "end_time = now()"])
async def test_trust_that_ends_while_a_sign_in_waits_waives_nothing(pool: Pool, end: str) -> None:
    """A sign-out or a revocation that commits first sends the sign-in back to its beginning."""
    of = await account(pool, second_factor=True)
    device = DeviceUse(uuid4(), True, os.urandom(32), 0)
    await pool.execute(
        """
        INSERT INTO devices (device_id, account_id, realm_id, epoch, salt, create_time, last_use_time, trusted_until)
        VALUES ($1, $2, 'default', 1, $3, $4, $4, $5)
        """,
        device.device_id,
        of.account_id,
        device.salt,
        NOW,
        NOW + timedelta(days=7),
    )
    assert (await right(pool, of, WAIVED, bucket=KNOWN, device=device)).outcome == "signed_in"
    met = await overlap(
        pool,
        lambda c: c.execute(f"UPDATE devices SET {end} WHERE device_id = $1", device.device_id),
        lambda c: right(c, of, WAIVED, bucket=KNOWN, device=device),
    )
    assert met.waited
    assert met.second.outcome == "moved"


async def test_trust_that_is_over_waives_nothing(pool: Pool) -> None:
    """By the statement's own time, whatever the read saw."""
    of = await account(pool, second_factor=True)
    device = DeviceUse(uuid4(), True, os.urandom(32), 0)
    await pool.execute(
        """
        INSERT INTO devices (device_id, account_id, realm_id, epoch, salt, create_time, last_use_time, trusted_until)
        VALUES ($1, $2, 'default', 1, $3, $4, $4, $4)
        """,
        device.device_id,
        of.account_id,
        device.salt,
        NOW,
    )
    assert (await right(pool, of, WAIVED, bucket=KNOWN, device=device)).outcome == "moved"
