"""The statements that judge a code, at sign-in and in answer to a challenge: one use, one session, five guesses."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest

from tests.races.overlap import in_transaction, overlap
from tests.races.rows import (
    NOW,
    OWED,
    REALM,
    Account,
    account,
    answer,
    code_failures,
    live_sessions,
    new_challenge,
    new_session,
    raise_epoch,
    right,
    signed_in,
)
from twofold_server.db import factors
from twofold_server.db.pool import Connection, Pool
from twofold_server.db.verdicts import Code, DeviceUse, NewChallenge

KINDS = pytest.mark.parametrize("code_of", [lambda a: a.totp(7), lambda a: a.backup], ids=["totp", "backup_code"])
CodeOf = Callable[[Account], Code]


async def challenged(db: Connection, of: Account) -> NewChallenge:
    """A challenge of the account."""
    made = new_challenge()
    assert (await right(db, of, OWED, challenge=made)).outcome == "challenged"
    return made


@KINDS
async def test_of_100_uses_of_one_code_at_once_one_signs_in(pool: Pool, code_of: CodeOf) -> None:
    """One code is one session; the other uses are wrong codes, of which five are answered (keycloak#26106, #13607)."""
    a = await account(pool, second_factor=True)
    verdicts = await asyncio.gather(*[right(pool, a, code_of(a)) for _ in range(100)])
    assert Counter(v.outcome for v in verdicts) == {"signed_in": 1, "wrong_code": 5, "code_exhausted": 94}
    assert await live_sessions(pool, a) == 1


@KINDS
async def test_a_second_use_of_a_code_waits_for_the_first_and_is_wrong(pool: Pool, code_of: CodeOf) -> None:
    """The second use meets the first's uncommitted one, waits, and finds the code used."""
    a = await account(pool, second_factor=True)
    met = await overlap(pool, lambda c: right(c, a, code_of(a)), lambda c: right(c, a, code_of(a)))
    assert met.waited
    assert (met.first.outcome, met.second.outcome) == ("signed_in", "wrong_code")
    assert await live_sessions(pool, a) == 1


@KINDS
async def test_one_code_in_answer_to_two_challenges_signs_in_once(pool: Pool, code_of: CodeOf) -> None:
    """Challenges stand beside one another, but the code is the account's: two answers at once are one session."""
    a = await account(pool, second_factor=True)
    one, two = await challenged(pool, a), await challenged(pool, a)
    met = await overlap(pool, lambda c: answer(c, a, one, code_of(a)), lambda c: answer(c, a, two, code_of(a)))
    assert met.waited
    assert (met.first[0].outcome, met.second[0].outcome) == ("signed_in", "wrong_code")
    assert await live_sessions(pool, a) == 1


@KINDS
async def test_a_code_at_sign_in_and_in_answer_to_a_challenge_is_used_once(pool: Pool, code_of: CodeOf) -> None:
    """Both ways spend the same row, in either order."""
    for challenge_first in (True, False):
        a = await account(pool, second_factor=True)
        one = await challenged(pool, a)

        async def by_challenge(c: Connection, a: Account = a, one: NewChallenge = one) -> str:
            return (await answer(c, a, one, code_of(a)))[0].outcome

        async def at_once(c: Connection, a: Account = a) -> str:
            return (await right(c, a, code_of(a))).outcome

        met = await overlap(pool, *((by_challenge, at_once) if challenge_first else (at_once, by_challenge)))
        assert met.waited
        assert (met.first, met.second) == ("signed_in", "wrong_code")
        assert await live_sessions(pool, a) == 1


async def test_an_answer_that_is_repeated_at_once_gets_the_same_session(pool: Pool) -> None:
    """A repeat that meets the first waits for it and begins no second session; another code then finds no challenge."""
    a = await account(pool, second_factor=True)
    one = await challenged(pool, a)
    met = await overlap(pool, lambda c: answer(c, a, one, a.totp(7)), lambda c: answer(c, a, one, a.totp(7)))
    assert met.waited
    assert (met.first[0].outcome, met.second[0].outcome) == ("signed_in", "repeated")
    assert met.second[1] is not None
    assert await pool.fetchval("SELECT array_agg(session_id) FROM sessions") == [met.second[1]]
    later = NOW + timedelta(seconds=11)
    assert (await answer(pool, a, one, a.totp(7), now=later))[0].outcome == "no_ticket"
    assert (await answer(pool, a, one, a.totp(8), proof=b"another"))[0].outcome == "no_ticket"
    assert await live_sessions(pool, a) == 1


async def test_a_challenge_ends_at_its_fifth_wrong_code_among_many_at_once(pool: Pool) -> None:
    """Of 60 wrong codes for one challenge five are answered, and it stays ended when the factor's wait is over."""
    a = await account(pool, second_factor=True)
    one = await challenged(pool, a)
    verdicts = await asyncio.gather(*[answer(pool, a, one, a.wrong_totp) for _ in range(60)])
    assert Counter(v.outcome for v, _ in verdicts) == {"wrong_code": 5, "no_ticket": 55}
    later = NOW + timedelta(seconds=31)
    assert (await answer(pool, a, one, a.totp(9), now=later))[0].outcome == "no_ticket"
    assert await code_failures(pool, a) == [5, 0]


async def test_the_factors_count_holds_for_all_challenges_together(pool: Pool) -> None:
    """Sixty challenges guess no better than one."""
    a = await account(pool, second_factor=True)
    many = [await challenged(pool, a) for _ in range(20)]
    verdicts = await asyncio.gather(*[answer(pool, a, c, a.wrong_totp) for c in many for _ in range(3)])
    assert Counter(v.outcome for v, _ in verdicts) == {"wrong_code": 5, "code_exhausted": 55}
    fresh = await challenged(pool, a)
    assert (await answer(pool, a, fresh, a.totp(9)))[0].outcome == "code_exhausted"


async def test_the_right_code_waits_for_the_fifth_wrong_one_and_is_told_nothing(pool: Pool) -> None:
    """Read without the lock, the right code would be told past the budget: at sign-in and for a challenge."""
    for by_challenge in (False, True):
        a = await account(pool, second_factor=True)
        one, two = await challenged(pool, a), await challenged(pool, a)
        for _ in range(4):
            await right(pool, a, a.wrong_totp)

        async def guess(c: Connection, a: Account = a, one: NewChallenge = one) -> str:
            return (await answer(c, a, one, a.wrong_totp))[0].outcome

        async def told(
            c: Connection, a: Account = a, two: NewChallenge = two, by_challenge: bool = by_challenge
        ) -> str:
            if by_challenge:
                return (await answer(c, a, two, a.totp(7)))[0].outcome
            return (await right(c, a, a.totp(7))).outcome

        met = await overlap(pool, guess, told)
        assert met.waited
        assert (met.first, met.second) == ("wrong_code", "code_exhausted")
        assert await live_sessions(pool, a) == 0


async def test_a_challenge_is_found_by_its_handle_binding_and_caller_alone(pool: Pool) -> None:
    """A wrong handle, binding, account or epoch finds nothing and spends nothing; the right ones still do."""
    a, b = await account(pool, second_factor=True), await account(pool, second_factor=True)
    one = await challenged(pool, a)
    for changes in (
        {"handle_hash": os.urandom(32)},
        {"binding_hash": os.urandom(32)},
        {"account_id": b.account_id},
        {"epoch": 2},
        {"now": NOW + timedelta(minutes=10)},
    ):
        assert (await answer(pool, a, one, a.totp(7), **changes))[0].outcome == "no_ticket", changes
    await pool.execute("UPDATE tickets SET client_id = 'other' WHERE handle_hash = $1", one.handle_hash)
    assert (await answer(pool, a, one, a.totp(7)))[0].outcome == "no_ticket"
    await pool.execute(
        "UPDATE tickets SET client_id = 'web', purpose = 'step_up' WHERE handle_hash = $1", one.handle_hash
    )
    assert (await answer(pool, a, one, a.totp(7)))[0].outcome == "no_ticket"
    await pool.execute("UPDATE tickets SET purpose = 'challenge' WHERE handle_hash = $1", one.handle_hash)
    assert (await answer(pool, a, one, a.totp(7)))[0].outcome == "signed_in"


@pytest.mark.parametrize("change", ["locked", "epoch raised", "deleted"])
async def test_an_answer_that_waits_for_a_change_begins_no_session_of_the_old_state(pool: Pool, change: str) -> None:
    """A lock, a password change or a deletion that came first ends the challenge, right code or not."""
    a = await account(pool, second_factor=True)
    one = await challenged(pool, a)
    sql = {
        "locked": "UPDATE accounts SET state = 'locked' WHERE account_id = $1",
        "epoch raised": "UPDATE accounts SET epoch = epoch + 1 WHERE account_id = $1",
        "deleted": "DELETE FROM accounts WHERE account_id = $1",
    }[change]
    met = await overlap(pool, lambda c: c.execute(sql, a.account_id), lambda c: answer(c, a, one, a.totp(7)))
    assert met.waited
    assert met.second[0].outcome == "no_ticket"
    assert await pool.fetchval("SELECT count(*) FROM sessions") == 0


async def test_a_change_that_waits_for_an_answer_ends_its_session(pool: Pool) -> None:
    """The other order: the answer's session is begun, and dead as soon as the change is committed."""
    a = await account(pool, second_factor=True)
    kept = await signed_in(pool, a)
    one = await challenged(pool, a)
    met = await overlap(
        pool,
        lambda c: answer(c, a, one, a.totp(7)),
        lambda c: in_transaction(c, lambda tx: raise_epoch(tx, a, kept)),
    )
    assert met.waited
    assert met.first[0].outcome == "signed_in"
    assert await live_sessions(pool, a) == 1


async def test_an_answer_whose_device_ends_meanwhile_begins_no_session(pool: Pool) -> None:
    """A challenge that a known device began is nothing without that device."""
    a = await account(pool, second_factor=True)
    device = DeviceUse(uuid4(), False, os.urandom(32), 0)
    await right(pool, a, a.totp(1), device=device)
    one = await challenged(pool, a)
    known = DeviceUse(device.device_id, True, os.urandom(32), 0)
    met = await overlap(
        pool,
        lambda c: c.execute("UPDATE devices SET end_time = $2 WHERE device_id = $1", device.device_id, NOW),
        lambda c: answer(c, a, one, a.totp(7), device=known),
    )
    assert met.waited
    assert met.second[0].outcome == "no_ticket"


@pytest.mark.parametrize("by_challenge", [False, True])
async def test_a_backup_code_of_a_set_that_is_replaced_meanwhile_is_wrong(pool: Pool, by_challenge: bool) -> None:
    """The code was right for the old set when it was hashed; the new set's slot is another code's."""
    a = await account(pool, second_factor=True)
    one = await challenged(pool, a)

    async def replace(tx: Connection) -> None:
        await factors.put_backup_codes(tx, REALM, a.account_id, ["A"], [b"h"], uuid4(), NOW)

    async def use(c: Connection) -> str:
        if by_challenge:
            return (await answer(c, a, one, a.backup))[0].outcome
        return (await right(c, a, a.backup)).outcome

    met = await overlap(pool, replace, use)
    assert met.waited
    assert met.second == "wrong_code"
    # A set that was there already when the statement began, as after a longer hash.
    assert await use(pool) == "wrong_code"
    assert await live_sessions(pool, a) == 0
    assert await pool.fetchval("SELECT count(*) FROM backup_codes WHERE spent_time IS NULL") == 1


@pytest.mark.parametrize("by_challenge", [False, True])
async def test_a_code_of_a_factor_that_is_removed_meanwhile_is_wrong(pool: Pool, by_challenge: bool) -> None:
    """A removed authenticator app proves nothing to a sign-in that has matched its code already."""
    a = await account(pool, second_factor=True)
    one = await challenged(pool, a)

    async def use(c: Connection) -> str:
        if by_challenge:
            return (await answer(c, a, one, a.totp(7)))[0].outcome
        return (await right(c, a, a.totp(7))).outcome

    met = await overlap(pool, lambda c: factors.remove(c, REALM, a.account_id, a.factor_id), use)
    assert met.waited
    assert met.second == "wrong_code"
    assert await live_sessions(pool, a) == 0


async def test_an_older_step_than_the_last_used_is_wrong(pool: Pool) -> None:
    """A step is spent with all before it, whichever commits first."""
    a = await account(pool, second_factor=True)
    met = await overlap(pool, lambda c: right(c, a, a.totp(8)), lambda c: right(c, a, a.totp(7)))
    assert met.waited
    assert (met.first.outcome, met.second.outcome) == ("signed_in", "wrong_code")
    assert (await right(pool, a, a.totp(9), session=new_session())).outcome == "signed_in"
