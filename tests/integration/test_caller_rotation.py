"""A caller's credential is rotated: for a while the one before is good beside it."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.conftest import Clock
from twofold_server.db.pool import Pool, open_pool
from twofold_server.domain import callers as module
from twofold_server.domain.callers import CallerRefused, Callers, Grant, Role
from twofold_server.domain.errors import CallerUnknown
from twofold_server.domain.values import RealmId

FRONTEND = Grant(RealmId("default"), Role.FRONTEND)
DAY = timedelta(days=1)


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    pool = await open_pool(database, 5)
    yield pool
    await pool.close()


@pytest.fixture
def callers(pool: Pool, clock: Clock) -> Callers:
    return Callers(pool, clock)


async def is_good(callers: Callers, credential: str) -> bool:
    """Whether a credential is the caller's."""
    try:
        return (await callers.authenticate(credential)).name == "shop"
    except CallerUnknown:
        return False


async def goods(callers: Callers, *credentials: str) -> list[bool]:
    """Which of the credentials are good."""
    return [await is_good(callers, credential) for credential in credentials]


async def test_both_are_good_until_the_overlap_ends(callers: Callers, clock: Clock) -> None:
    """The new credential and the old one name the same caller; the old one ends to the second, cached or not."""
    old = await callers.add("shop", FRONTEND)
    new = await callers.rotate("shop", DAY)
    assert await goods(callers, old, new) == [True, True]
    assert await callers.authenticate(old) == await callers.authenticate(new)
    clock.advance(DAY.total_seconds() - 1)
    assert await goods(callers, old, new) == [True, True]
    clock.advance(1)
    assert await goods(callers, old, new) == [False, True]


async def test_a_server_follows_within_five_seconds(callers: Callers, clock: Clock) -> None:
    """A server that has just read the caller learns of the rotation when it reads it again."""
    old = await callers.add("shop", FRONTEND)
    assert await is_good(callers, old)
    new = await callers.rotate("shop", timedelta(0))
    clock.advance(5.1)
    assert await goods(callers, old, new) == [False, True]


async def test_no_overlap_ends_the_old_one(callers: Callers) -> None:
    """With an overlap of 0 s the new credential alone is good, although another was still in its overlap."""
    first = await callers.add("shop", FRONTEND)
    second = await callers.rotate("shop", DAY)
    third = await callers.rotate("shop", timedelta(0))
    assert await goods(callers, first, second, third) == [False, False, True]


async def test_two_are_good_at_most(callers: Callers, clock: Clock) -> None:
    """Rotating during the overlap ends the oldest; the overlap of the next one counts from now."""
    first = await callers.add("shop", FRONTEND)
    second = await callers.rotate("shop", DAY)
    clock.advance(60)
    third = await callers.rotate("shop", timedelta(hours=1))
    assert await goods(callers, first, second, third) == [False, True, True]
    clock.advance(3600)
    assert await goods(callers, first, second, third) == [False, False, True]


async def test_an_ended_caller_has_no_credential(callers: Callers, clock: Clock) -> None:
    """`end` ends both, and an ended caller is given no new one."""
    old = await callers.add("shop", FRONTEND)
    new = await callers.rotate("shop", DAY)
    await callers.end("shop")
    clock.advance(5.1)
    assert await goods(callers, old, new) == [False, False]
    with pytest.raises(CallerRefused, match="no live caller"):
        await callers.rotate("shop", DAY)


async def test_a_rotation_leaves_the_other_ways_and_callers_alone(callers: Callers) -> None:
    """Grants, the name in a certificate and other callers' credentials stay as they were."""
    await callers.add("shop", FRONTEND)
    other = await callers.add("other", FRONTEND)
    new = await callers.rotate("shop", DAY)
    assert (await callers.authenticate(new)).grants == (FRONTEND,)
    assert (await callers.by_certificate("shop")).name == "shop"
    assert (await callers.authenticate(other)).name == "other"
    assert not await is_good(callers, new[:37] + other[37:])


@pytest.mark.parametrize("overlap", [timedelta(seconds=-1), timedelta(days=30, seconds=1)])
async def test_the_overlap_has_bounds(callers: Callers, overlap: timedelta) -> None:
    """0 s to 30 days; beyond that nothing is changed."""
    old = await callers.add("shop", FRONTEND)
    with pytest.raises(CallerRefused, match="0s to 30d"):
        await callers.rotate("shop", overlap)
    assert await is_good(callers, old)


async def test_every_check_compares_as_much(callers: Callers, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """Two comparisons in constant time whichever matches, if any, and whether there is an old credential or not."""
    counted: list[int] = []

    def compare(one: bytes, other: bytes) -> bool:
        counted.append(len(one))
        assert len(one) == len(other) == 32
        return hmac.compare_digest(one, other)

    class Counting:
        compare_digest = staticmethod(compare)

    old = await callers.add("shop", FRONTEND)
    monkeypatch.setattr(module, "hmac", Counting)
    await is_good(callers, old)
    new = await callers.rotate("shop", DAY)
    clock.advance(5.1)
    for credential in (old, new, new[:-2] + "AA"):
        await is_good(callers, credential)
    clock.advance(2 * DAY.total_seconds())
    await goods(callers, old, new)
    assert len(counted) == 2 * 6


async def test_no_secret_is_stored_or_shown(callers: Callers, pool: Pool) -> None:
    """The rows hold hashes, and what is printed of a caller holds neither."""
    old = await callers.add("shop", FRONTEND)
    new = await callers.rotate("shop", DAY)
    dump = "".join(str(row) for row in await pool.fetch("SELECT c::text FROM callers c"))
    for credential in (old, new):
        assert credential[37:] not in dump
        assert credential[37:].encode().hex() not in dump
    (row,) = await callers.every()
    assert row.previous_hash is not None
    assert repr(row.previous_hash) not in repr(row)
    await is_good(callers, new)
    assert "hash" not in repr(callers._known._kept)
