"""The statements that write and spend tickets: three side by side at most, none overwritten, each spent once."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import partial
from uuid import uuid4

from tests.races.overlap import in_transaction, overlap
from tests.races.rows import NOW, REALM
from twofold_server.db import tickets
from twofold_server.db.outbox import OutboxRow
from twofold_server.db.pool import Connection, Pool
from twofold_server.db.tickets import NewTicket


def ticket(subject: str = "s", **changes: object) -> NewTicket:
    """An activation ticket to be."""
    made = NewTicket(
        ticket_id=uuid4(),
        realm_id=REALM,
        purpose="activation",
        subject=subject,
        handle_hash=os.urandom(32),
        binding_hash=os.urandom(32),
        payload=b"",
        create_time=NOW,
        expire_time=NOW + timedelta(days=2),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


async def put(db: Connection, t: NewTicket) -> bool:
    """Write a bounded ticket with its mail."""
    mail = OutboxRow(
        uuid4(), REALM, None, t.ticket_id, "activation", b"", b"", 1, t.create_time, t.create_time, t.expire_time
    )
    return await tickets.put_bounded(db, t, mail, os.urandom(32), t.create_time)


async def spend(db: Connection, t: NewTicket, **changes: object) -> bool:
    """Spend a ticket from its own device."""
    given: dict[str, object] = {
        "realm_id": REALM,
        "ticket_id": t.ticket_id,
        "handle_hash": t.handle_hash,
        "binding_hash": t.binding_hash,
        "now": NOW,
    }
    return await tickets.spend(db, **(given | changes))  # type: ignore[arg-type]


async def live(pool: Pool, *candidates: NewTicket) -> list[bool]:
    """Which tickets can still be spent."""
    found = [
        await tickets.peek(pool, realm_ids=[REALM], purpose="activation", handle_hash=t.handle_hash, now=NOW)
        for t in candidates
    ]
    return [t is not None for t in found]


async def test_two_claims_that_meet_on_a_slot_never_overwrite_one_another(pool: Pool) -> None:
    """The second waits for the first, finds the slot taken, and takes another at its next try."""
    one, two = ticket(), ticket()
    met = await overlap(pool, lambda c: put(c, one), lambda c: put(c, two))
    assert met.waited
    assert (met.first, met.second) == (True, False)
    assert await pool.fetchval("SELECT count(*) FROM outbox") == 1
    assert await put(pool, two)
    assert await live(pool, one, two) == [True, True]


async def test_a_claim_that_waited_for_one_that_was_undone_takes_its_slot(pool: Pool) -> None:
    """The other order of ends: nothing is lost where the first never came about."""
    one, two = ticket(), ticket()
    met = await overlap(pool, lambda c: put(c, one), lambda c: put(c, two), roll_back=True)
    assert met.waited
    assert met.second
    assert await live(pool, one, two) == [False, True]


async def test_of_twelve_claims_at_once_three_live_and_all_are_answered_alike(pool: Pool) -> None:
    """The fourth and further ones write a mail that the worker drops, and end none of the three."""
    claims = [ticket() for _ in range(12)]

    async def until_done(t: NewTicket) -> int:
        for tries in range(1, 9):
            if await put(pool, t):
                return tries
        raise AssertionError("never done")

    await asyncio.gather(*[until_done(t) for t in claims])
    assert Counter(await live(pool, *claims)) == {True: 3, False: 9}
    assert await pool.fetchval("SELECT count(*) FROM outbox") == 12
    before = await pool.fetchval("SELECT array_agg(ticket_id ORDER BY slot) FROM tickets")
    for _ in range(5):
        assert await put(pool, ticket())
    assert await pool.fetchval("SELECT array_agg(ticket_id ORDER BY slot) FROM tickets") == before


async def test_a_slot_is_free_again_once_its_ticket_is_spent_or_expired(pool: Pool) -> None:
    """Bounded is not for ever."""
    three = [ticket() for _ in range(3)]
    for t in three:
        await put(pool, t)
    assert await spend(pool, three[1])
    late = ticket()
    assert await put(pool, late)
    assert await live(pool, *three, late) == [True, False, True, True]
    # Expired all the same, for a later one.
    for t in [
        replace(ticket(), create_time=NOW + timedelta(days=3), expire_time=NOW + timedelta(days=5)) for _ in "123"
    ]:
        assert await put(pool, t)
        assert await pool.fetchval("SELECT count(*) FROM tickets WHERE ticket_id = $1", t.ticket_id) == 1


async def test_of_50_spends_of_one_ticket_at_once_one_wins(pool: Pool) -> None:
    """A ticket is spent once."""
    t = ticket()
    await put(pool, t)
    assert Counter(await asyncio.gather(*[spend(pool, t) for _ in range(50)])) == {True: 1, False: 49}


async def test_a_spend_waits_for_another_and_wins_only_if_that_is_undone(pool: Pool) -> None:
    """Two that spend one ticket: the second is judged on what the first left."""
    for roll_back in (False, True):
        t = ticket(subject=str(roll_back))
        await put(pool, t)
        met = await overlap(pool, partial(spend, t=t), partial(spend, t=t), roll_back=roll_back)
        assert met.waited
        assert (met.first, met.second) == (True, roll_back)


async def test_a_ticket_is_spent_by_its_handle_and_binding_alone(pool: Pool) -> None:
    """The id, another handle, another device's binding or a time past its end spend nothing."""
    t = ticket()
    await put(pool, t)
    for changes in (
        {"handle_hash": os.urandom(32)},
        {"binding_hash": os.urandom(32)},
        {"realm_id": "other"},
        {"now": NOW + timedelta(days=2)},
    ):
        assert not await spend(pool, t, **changes), changes
    assert await spend(pool, t)
    assert not await spend(pool, t)


async def test_a_ticket_that_is_replaced_while_its_spending_waits_is_not_spent(pool: Pool) -> None:
    """A single ticket's row lives on under a new handle: whoever held the old one spends neither."""
    old = ticket(purpose="enrollment")
    await tickets.put_single(pool, old)
    new = ticket(purpose="enrollment")
    met = await overlap(pool, lambda c: tickets.put_single(c, new), lambda c: spend(c, old))
    assert met.waited
    assert not met.second
    assert await pool.fetchval("SELECT count(*) FROM tickets WHERE spent_time IS NULL") == 1
    assert await spend(pool, new)


async def test_a_ticket_takes_five_wrong_secrets_and_a_right_one_that_waits_for_the_fifth_is_refused(
    pool: Pool,
) -> None:
    """The fifth wrong password of a claim ends its link, also for the right one that meets it."""
    t = ticket()
    await put(pool, t)

    async def count(c: Connection) -> bool:
        return await tickets.count_attempt(c, realm_id=REALM, ticket_id=t.ticket_id, handle_hash=t.handle_hash, now=NOW)

    for _ in range(4):
        assert await count(pool)
    met = await overlap(pool, count, lambda c: in_transaction(c, lambda tx: spend(tx, t)))
    assert met.waited
    assert met.first
    assert not met.second
    assert not await count(pool)
