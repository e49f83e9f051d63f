"""Refreshes of one session by two programs, met in both orders."""

from __future__ import annotations

import asyncio

import pytest

from tests.races.overlap import overlap
from tests.races.rows import Account, Tokens, account, live_sessions, refresh, signed_in
from twofold_server.db.pool import Pool


async def shown(pool: Pool) -> tuple[Account, Tokens]:
    """An account with a session of one program."""
    a = await account(pool)
    return a, await signed_in(pool, a, user_agent="Own/1.0")


async def test_another_program_first_ends_the_session_for_the_one_that_waits(pool: Pool) -> None:
    """The right program's refresh waits for the other's, and finds the session over."""
    a, s = await shown(pool)
    met = await overlap(
        pool,
        lambda c: refresh(c, s, 0, user_agent="Other/2.0", user_agent_ends=True),
        lambda c: refresh(c, s, 0, user_agent="Own/1.0", user_agent_ends=True),
    )
    assert met.waited
    assert met.first is not None
    assert (met.first.ended, met.first.user_agent_changed, met.first.reused) == (True, True, False)
    assert met.second is None
    assert await live_sessions(pool, a) == 0
    assert await pool.fetchval("SELECT count(*) FROM revocations WHERE subject = $1", str(s.session_id)) == 1


async def test_another_program_second_ends_what_was_just_rotated(pool: Pool) -> None:
    """The same token within its ten seconds is no way round the comparison."""
    a, s = await shown(pool)
    met = await overlap(
        pool,
        lambda c: refresh(c, s, 0, user_agent="Own/1.0", user_agent_ends=True),
        lambda c: refresh(c, s, 0, user_agent="Other/2.0", user_agent_ends=True),
    )
    assert met.waited
    assert met.first is not None
    assert not met.first.ended
    assert met.second is not None
    assert (met.second.ended, met.second.user_agent_changed) == (True, True)
    assert await live_sessions(pool, a) == 0
    assert await refresh(pool, s, 1, user_agent="Own/1.0", user_agent_ends=True) is None


@pytest.mark.parametrize("ends", [False, True])
async def test_a_change_that_two_refreshes_show_is_seen_by_one(pool: Pool, ends: bool) -> None:
    """One event; where the session goes on, both get the same successor, and one tells the owner."""
    _, s = await shown(pool)
    met = await overlap(
        pool,
        lambda c: refresh(c, s, 0, user_agent="Other/2.0", user_agent_ends=ends),
        lambda c: refresh(c, s, 0, user_agent="Other/2.0", user_agent_ends=ends),
    )
    assert met.waited
    assert met.first is not None
    assert met.first.user_agent_changed
    if ends:
        assert met.second is None
    else:
        assert met.second is not None
        assert (met.second.generation, met.second.user_agent_changed, met.second.ended) == (1, False, False)
        assert met.second.session.user_agent == "Other/2.0"
    kinds = [row["kind"] for row in await pool.fetch("SELECT kind FROM events WHERE kind LIKE 'session%'")]
    assert kinds == ["session_user_agent_changed"]


async def test_fifty_refreshes_of_two_programs_at_once_end_it_once(pool: Pool) -> None:
    """Whatever their order: one end, nobody left with a token that works."""
    a, s = await shown(pool)
    found = await asyncio.gather(
        *(refresh(pool, s, 0, user_agent="Other/2.0" if n % 2 else "Own/1.0", user_agent_ends=True) for n in range(50))
    )
    assert [f.ended for f in found if f is not None].count(True) == 1
    assert await live_sessions(pool, a) == 0
    assert await pool.fetchval("SELECT count(*) FROM revocations") == 1
