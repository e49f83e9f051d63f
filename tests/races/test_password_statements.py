"""The statements that judge a password: what meets on one row is judged one after the other, on its newest state."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from datetime import timedelta
from uuid import UUID

import pytest

from tests.races.overlap import in_transaction, overlap
from tests.races.rows import (
    KNOWN,
    NOW,
    OWED,
    UNKNOWN,
    account,
    code_failures,
    live_sessions,
    password_failures,
    raise_epoch,
    right,
    signed_in,
    unknown,
    wrong,
)
from twofold_server.db import accounts
from twofold_server.db.pool import Connection, Pool
from twofold_server.db.verdicts import DeviceUse


async def test_of_200_wrong_passwords_at_once_five_are_answered(pool: Pool) -> None:
    """However many wrong passwords arrive together, five are judged, and the right one after them is not."""
    a = await account(pool)
    outcomes = Counter(await asyncio.gather(*[wrong(pool, a) for _ in range(200)]))
    assert outcomes == {"wrong_password": 5, "password_exhausted": 195}
    assert (await right(pool, a)).outcome == "password_exhausted"
    assert await password_failures(pool, a) == [5, 0]
    assert (await right(pool, a, now=NOW + timedelta(seconds=31))).outcome == "signed_in"
    assert await password_failures(pool, a) == [0, 0]


async def test_of_200_wrong_passwords_for_an_unknown_identifier_five_are_answered(pool: Pool) -> None:
    """An identifier without an account is counted as strictly as one with."""
    mac = os.urandom(32)
    outcomes = Counter(await asyncio.gather(*[unknown(pool, mac) for _ in range(200)]))
    assert outcomes == {"wrong_password": 5, "password_exhausted": 195}


async def test_100_right_passwords_at_once_all_get_in(pool: Pool) -> None:
    """Right passwords wait for one another's row and lose nothing by it."""
    a = await account(pool)
    verdicts = await asyncio.gather(*[right(pool, a) for _ in range(100)])
    assert Counter(v.outcome for v in verdicts) == {"signed_in": 100}
    assert await live_sessions(pool, a) == 100


@pytest.mark.parametrize("rolled_back", [False, True])
async def test_a_wrong_password_waits_for_the_fifth_one_and_is_judged_after_it(pool: Pool, rolled_back: bool) -> None:
    """Two guesses with one try left: the second waits, and is judged only if the first was never counted."""
    a = await account(pool)
    for _ in range(4):
        await wrong(pool, a)
    met = await overlap(pool, lambda c: wrong(c, a), lambda c: wrong(c, a), roll_back=rolled_back)
    assert met.waited
    assert (met.first, met.second) == ("wrong_password", "wrong_password" if rolled_back else "password_exhausted")
    assert await password_failures(pool, a) == [5, 0]


async def test_an_unknown_identifiers_guess_waits_for_the_fifth_one_and_is_judged_after_it(pool: Pool) -> None:
    """As for an account: of two guesses with one try left, one is judged. So too for the very first, which inserts."""
    mac = os.urandom(32)
    met = await overlap(pool, lambda c: unknown(c, mac), lambda c: unknown(c, mac))
    assert met.waited
    assert await pool.fetchval("SELECT failures FROM unknown_identifiers WHERE identifier_mac = $1", mac) == 2
    for _ in range(2):
        await unknown(pool, mac)
    met = await overlap(pool, lambda c: unknown(c, mac), lambda c: unknown(c, mac))
    assert met.waited
    assert (met.first, met.second) == ("wrong_password", "password_exhausted")


async def test_the_right_password_waits_for_the_fifth_wrong_one_and_is_told_nothing(pool: Pool) -> None:
    """Among guesses the right one takes the row's lock too: read without it, it would be told past the budget."""
    a = await account(pool)
    for _ in range(4):
        await wrong(pool, a)
    met = await overlap(pool, lambda c: wrong(c, a), lambda c: right(c, a))
    assert met.waited
    assert (met.first, met.second.outcome) == ("wrong_password", "password_exhausted")
    assert await live_sessions(pool, a) == 0


async def test_a_wrong_password_waits_for_the_right_one_and_counts_from_none(pool: Pool) -> None:
    """The right password clears its bucket, and the guess that waited for it is the first again."""
    a = await account(pool)
    for _ in range(4):
        await wrong(pool, a)
    met = await overlap(pool, lambda c: right(c, a), lambda c: wrong(c, a))
    assert met.waited
    assert (met.first.outcome, met.second) == ("signed_in", "wrong_password")
    assert await password_failures(pool, a) == [1, 0]


async def test_success_clears_the_proven_secret_in_its_own_bucket_alone(pool: Pool) -> None:
    """A right password clears neither the other bucket nor the code's count; a right code clears its own bucket."""
    a = await account(pool, second_factor=True)
    for bucket in (UNKNOWN, KNOWN):
        for _ in range(3):
            await wrong(pool, a, bucket=bucket)
            assert (await right(pool, a, a.wrong_totp, bucket=bucket)).outcome == "wrong_code"
            await wrong(pool, a, bucket=bucket)
    assert await password_failures(pool, a) == [1, 1]
    assert (await right(pool, a, OWED)).outcome == "challenged"
    assert await password_failures(pool, a) == [0, 1]
    assert await code_failures(pool, a) == [3, 3]
    assert (await right(pool, a, a.totp(7))).outcome == "signed_in"
    assert await code_failures(pool, a) == [0, 3]


async def _change(tx: Connection, change: str, account_id: UUID) -> None:
    sql = {
        "locked": "UPDATE accounts SET state = 'locked' WHERE account_id = $1",
        "epoch raised": "UPDATE accounts SET epoch = epoch + 1 WHERE account_id = $1",
        "factor enrolled": "UPDATE accounts SET second_factor = true WHERE account_id = $1",
        "deleted": "DELETE FROM accounts WHERE account_id = $1",
    }[change]
    await tx.execute(sql, account_id)


@pytest.mark.parametrize(
    ("change", "outcome"),
    [("locked", "locked"), ("epoch raised", "moved"), ("factor enrolled", "moved"), ("deleted", "moved")],
)
async def test_a_sign_in_that_waits_for_a_change_begins_no_session_of_the_old_state(
    pool: Pool, change: str, outcome: str
) -> None:
    """What was read before the hash is demanded again in the lock: lock, epoch, enrolment and deletion are all seen."""
    a = await account(pool)
    met = await overlap(pool, lambda c: _change(c, change, a.account_id), lambda c: right(c, a))
    assert met.waited
    assert met.second.outcome == outcome
    assert await pool.fetchval("SELECT count(*) FROM sessions") == 0


async def test_a_change_that_waits_for_a_sign_in_ends_its_session(pool: Pool) -> None:
    """The other order: the session was begun first, and the raised epoch ends it, unseen as it was."""
    a = await account(pool)
    kept = await signed_in(pool, a)
    met = await overlap(pool, lambda c: right(c, a), lambda c: in_transaction(c, lambda tx: raise_epoch(tx, a, kept)))
    assert met.waited
    assert met.first.outcome == "signed_in"
    assert await pool.fetchval("SELECT count(*) FROM sessions") == 2
    assert await live_sessions(pool, a) == 1


async def test_a_sign_in_that_waits_for_its_devices_end_is_not_of_a_known_device(pool: Pool) -> None:
    """A device that was ended since the read gives neither its bucket nor its place."""
    a = await account(pool)
    device = DeviceUse(await _device(pool, a.account_id), True, os.urandom(32), 0)
    assert (await right(pool, a, bucket=KNOWN, device=device)).outcome == "signed_in"
    met = await overlap(
        pool,
        lambda c: c.execute("UPDATE devices SET end_time = $2 WHERE device_id = $1", device.device_id, NOW),
        lambda c: right(c, a, bucket=KNOWN, device=device),
    )
    assert met.waited
    assert met.second.outcome == "moved"


async def test_two_sign_ins_of_one_device_token_rotate_it_once(pool: Pool) -> None:
    """Both that presented the same generation get the same next one: neither is later taken for a thief."""
    a = await account(pool)
    device = DeviceUse(await _device(pool, a.account_id), True, os.urandom(32), 0)
    met = await overlap(
        pool,
        lambda c: right(c, a, bucket=KNOWN, device=device),
        lambda c: right(c, a, bucket=KNOWN, device=device),
    )
    assert met.waited
    assert (met.first.device_generation, met.second.device_generation) == (1, 1)


async def test_a_password_set_while_a_sign_in_waits_is_not_cleared_of_its_count(pool: Pool) -> None:
    """A sign-in by the old password that waited for the change writes nothing at all."""
    a = await account(pool)
    kept = await signed_in(pool, a)

    async def change(tx: Connection) -> None:
        await raise_epoch(tx, a, kept)
        await accounts.set_password(tx, "default", a.account_id, hash=b"new", scheme="x", now=NOW)
        await tx.execute("UPDATE password_credentials SET failures = '{3,0}' WHERE account_id = $1", a.account_id)

    met = await overlap(pool, change, lambda c: right(c, a))
    assert met.waited
    assert met.second.outcome == "moved"
    assert await password_failures(pool, a) == [3, 0]


async def _device(pool: Pool, account_id: UUID) -> UUID:
    made: UUID = await pool.fetchval(
        """
        INSERT INTO devices (device_id, account_id, realm_id, epoch, salt, create_time, last_use_time)
        VALUES (gen_random_uuid(), $1, 'default', 1, 's', $2, $2) RETURNING device_id
        """,
        account_id,
        NOW,
    )
    return made


async def test_a_bucket_at_its_ceiling_answers_nothing_though_its_wait_is_over(pool: Pool) -> None:
    """Each statement judges the ceiling by itself: 80 failures of unknown devices, 20 of known ones, 30 days long."""
    a, mac = await account(pool, second_factor=True), os.urandom(32)
    yesterday = NOW - timedelta(days=1)
    for table in ("password_credentials", "factor_budgets"):
        await pool.execute(
            f"UPDATE {table} SET failures = '{{80,20}}', wait_until = ARRAY[$1, $1]::timestamptz[]", yesterday
        )
    await unknown(pool, mac)
    await pool.execute("UPDATE unknown_identifiers SET failures = 80, wait_until = $1", yesterday)
    assert await unknown(pool, mac) == "password_exhausted"
    for bucket in (UNKNOWN, KNOWN):
        assert await wrong(pool, a, bucket=bucket) == "password_exhausted"
        assert (await right(pool, a, a.totp(7), bucket=bucket)).outcome == "password_exhausted"
    await pool.execute("UPDATE password_credentials SET failures = '{0,0}'")
    for bucket in (UNKNOWN, KNOWN):
        assert (await right(pool, a, a.totp(7), bucket=bucket)).outcome == "code_exhausted"
    assert await live_sessions(pool, a) == 0
    later = NOW + timedelta(days=30)
    assert (await right(pool, a, a.totp(7), now=later)).outcome == "signed_in"
    assert await wrong(pool, a, now=later) == "wrong_password"
    assert await unknown(pool, mac, now=later) == "wrong_password"
