"""The statements that rotate, carry over and end sessions, met in both orders."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta

from tests.races.overlap import in_transaction, overlap
from tests.races.rows import NOW, account, end, live_sessions, raise_epoch, refresh, right, signed_in
from twofold_server.db import accounts, sessions
from twofold_server.db.pool import Connection, Pool


async def test_50_refreshes_of_one_token_at_once_have_one_successor(pool: Pool) -> None:
    """All racing callers are given the same next token: the family is never forked."""
    a = await account(pool)
    s = await signed_in(pool, a)
    found = await asyncio.gather(*[refresh(pool, s, 0) for _ in range(50)])
    assert {(f.generation, f.ended) for f in found if f is not None} == {(1, False)}
    assert None not in found


async def test_a_refresh_that_waits_for_another_gets_the_same_successor(pool: Pool) -> None:
    """The second finds the row rotated a moment ago, and rotates it no further."""
    a = await account(pool)
    s = await signed_in(pool, a)
    met = await overlap(pool, lambda c: refresh(c, s, 0), lambda c: refresh(c, s, 0))
    assert met.waited
    assert met.first is not None
    assert met.second is not None
    assert (met.first.generation, met.second.generation, met.second.ended) == (1, 1, False)


async def test_an_old_token_ends_the_session_and_a_refresh_that_waited_gets_nothing(pool: Pool) -> None:
    """Theft ends the session for whoever holds the newest token too, in one statement."""
    a = await account(pool)
    s = await signed_in(pool, a)
    await refresh(pool, s, 0)
    await refresh(pool, s, 1)
    met = await overlap(pool, lambda c: refresh(c, s, 0), lambda c: refresh(c, s, 2))
    assert met.waited
    assert met.first is not None
    assert met.first.reused
    assert met.second is None
    assert await live_sessions(pool, a) == 0
    kinds = [row["kind"] for row in await pool.fetch("SELECT kind FROM events WHERE kind LIKE 'session%'")]
    assert kinds == ["session_reused"]
    assert await pool.fetchval("SELECT count(*) FROM revocations WHERE subject = $1", str(s.session_id)) == 1


async def test_grace_ends_ten_seconds_after_the_rotation(pool: Pool) -> None:
    """The predecessor gives the same successor for 10 s, and is theft from then on."""
    a = await account(pool)
    s = await signed_in(pool, a)
    await refresh(pool, s, 0)
    assert await refresh(pool, s, 2) is None
    within = await refresh(pool, s, 0, now=NOW + timedelta(seconds=9.9))
    assert within is not None
    assert (within.generation, within.reused) == (1, False)
    # Being used within the time does not lengthen it.
    after = await refresh(pool, s, 0, now=NOW + timedelta(seconds=10))
    assert after is not None
    assert after.reused
    assert after.ended


async def test_junk_or_another_caller_with_a_true_session_id_ends_nothing(pool: Pool) -> None:
    """Only the MAC proves a token, and only to the caller that it was issued to."""
    a = await account(pool)
    s = await signed_in(pool, a)
    await refresh(pool, s, 0)
    await refresh(pool, s, 1)
    for generation in (0, 1, 2, 3):
        assert await refresh(pool, s, generation, proof=os.urandom(32)) is None
        assert await refresh(pool, s, generation, client="other") is None
    assert await live_sessions(pool, a) == 1
    assert await refresh(pool, s, 2) is not None


async def test_a_refresh_that_waits_for_the_change_that_carries_its_session_over_goes_on(pool: Pool) -> None:
    """The account row that a refresh reads may be older than the session row it waited for: that signs nobody out."""
    a = await account(pool)
    s = await signed_in(pool, a)
    met = await overlap(pool, lambda c: raise_epoch(c, a, s), lambda c: refresh(c, s, 0))
    assert met.waited
    assert met.second is not None
    assert (met.second.session.epoch, met.second.generation, met.second.ended) == (2, 1, False)


async def test_a_session_that_is_not_carried_over_dies_whichever_commits_first(pool: Pool) -> None:
    """A refresh against a password change elsewhere: its session is dead, though it was rotated before."""
    a = await account(pool)
    kept, other = await signed_in(pool, a), await signed_in(pool, a)
    met = await overlap(pool, lambda c: raise_epoch(c, a, kept), lambda c: refresh(c, other, 0))
    # The refresh takes no lock on the account: it may rotate, but what it rotates is of the old epoch.
    assert met.second is None or met.second.session.epoch == 1
    assert await refresh(pool, other, 1) is None
    assert await refresh(pool, kept, 0) is not None
    assert await live_sessions(pool, a) == 1
    third = await signed_in(pool, a, epoch=2)
    met2 = await overlap(
        pool,
        lambda c: refresh(c, third, 0),
        lambda c: in_transaction(c, lambda tx: raise_epoch(tx, a, kept, to=3)),
    )
    assert met2.first is not None
    assert await refresh(pool, third, 1) is None
    assert await live_sessions(pool, a) == 1


async def test_a_refresh_that_waits_for_the_sign_out_gets_nothing(pool: Pool) -> None:
    """A session that is ended while its refresh waits stays ended."""
    a = await account(pool)
    s = await signed_in(pool, a)
    met = await overlap(pool, lambda c: end(c, a, s.session_id), lambda c: refresh(c, s, 0))
    assert met.waited
    assert met.first
    assert met.second is None


async def test_a_sign_out_that_waits_for_a_refresh_ends_the_rotated_session(pool: Pool) -> None:
    """The other order: the rotated token is as dead as the one before."""
    a = await account(pool)
    s = await signed_in(pool, a)
    met = await overlap(pool, lambda c: refresh(c, s, 0), lambda c: end(c, a, s.session_id))
    assert met.waited
    assert met.second
    assert await refresh(pool, s, 1) is None
    assert await refresh(pool, s, 0) is None


async def test_two_sign_outs_at_once_end_a_session_once(pool: Pool) -> None:
    """Both answer that the session is over; one revocation and one event tell of it."""
    a = await account(pool)
    s = await signed_in(pool, a)
    met = await overlap(pool, lambda c: end(c, a, s.session_id), lambda c: end(c, a, s.session_id))
    assert met.waited
    assert met.first
    assert met.second
    assert await pool.fetchval("SELECT count(*) FROM revocations") == 1
    assert await pool.fetchval("SELECT count(*) FROM events WHERE kind = 'signed_out'") == 1


async def test_a_change_cannot_carry_over_a_session_that_was_ended_meanwhile(pool: Pool) -> None:
    """A password changed from a session that is signed out in the same moment does not bring it back."""
    a = await account(pool)
    s = await signed_in(pool, a)

    async def lock(tx: Connection) -> object:
        await accounts.lock(tx, "default", a.account_id)
        return await sessions.lock(tx, "default", a.account_id, s.session_id, 1, NOW)

    met = await overlap(pool, lambda c: end(c, a, s.session_id), lambda c: in_transaction(c, lock))
    assert met.waited
    assert met.second is None


async def test_of_two_changes_of_one_account_at_once_the_second_sees_the_firsts_epoch(pool: Pool) -> None:
    """Locked rows are read in their newest version: a second change cannot carry over what the first has ended."""
    a = await account(pool)
    one, two = await signed_in(pool, a), await signed_in(pool, a)

    async def lock(tx: Connection) -> tuple[int, object]:
        account_row = await accounts.lock(tx, "default", a.account_id)
        assert account_row is not None
        return account_row.epoch, await sessions.lock(
            tx, "default", a.account_id, two.session_id, account_row.epoch, NOW
        )

    met = await overlap(pool, lambda c: raise_epoch(c, a, one), lambda c: in_transaction(c, lock))
    assert met.waited
    assert met.second == (2, None)


async def test_a_sign_in_after_the_change_is_of_the_new_state(pool: Pool) -> None:
    """One that read the old epoch is dead by construction; one that reads the new one is not."""
    a = await account(pool)
    async with pool.acquire() as c:
        await in_transaction(c, lambda tx: raise_epoch(tx, a))
    assert (await right(pool, a, epoch=1)).outcome == "moved"
    assert (await right(pool, a, epoch=2)).outcome == "signed_in"
