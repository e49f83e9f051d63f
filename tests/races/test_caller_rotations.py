"""Rotations of one caller's credential that meet."""

from __future__ import annotations

import os
from datetime import timedelta
from uuid import uuid4

from tests.races.overlap import overlap
from tests.races.rows import NOW
from twofold_server.db import callers
from twofold_server.db.pool import Pool

UNTIL = NOW + timedelta(days=1)
GRANT = callers.GrantRow("default", "frontend", may_state_client=False)


async def added(pool: Pool) -> tuple[str, bytes]:
    """A new caller's name, and the hash of its credential."""
    name, hashed = f"shop-{uuid4().hex}", os.urandom(32)
    assert await callers.insert(pool, caller_id=uuid4(), name=name, credential_hash=hashed, grant=GRANT, now=NOW)
    return name, hashed


async def test_of_two_rotations_at_once_both_credentials_are_good(pool: Pool) -> None:
    """The second waits, and its predecessor is what the first has printed: no credential is lost or good unseen."""
    name, _ = await added(pool)
    one, other = os.urandom(32), os.urandom(32)
    met = await overlap(
        pool, lambda c: callers.rotate(c, name, one, UNTIL), lambda c: callers.rotate(c, name, other, UNTIL)
    )
    assert met.waited
    assert met.first == met.second
    row = await callers.by_name(pool, name)
    assert row is not None
    assert (row.credential_hash, row.previous_hash, row.previous_until) == (other, one, UNTIL)


async def test_a_rotation_that_waits_for_the_end_of_its_caller_gives_none(pool: Pool) -> None:
    """An ended caller keeps what it had, so that no new credential of it is ever printed."""
    name, hashed = await added(pool)
    met = await overlap(
        pool, lambda c: callers.end(c, name, NOW), lambda c: callers.rotate(c, name, os.urandom(32), UNTIL)
    )
    assert met.waited
    assert met.second is None
    row = await callers.by_name(pool, name)
    assert row is not None
    assert (row.credential_hash, row.end_time) == (hashed, NOW)
