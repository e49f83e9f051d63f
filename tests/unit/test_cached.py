from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from twofold_server.domain.cached import GRACE, Cached

LIFETIME = timedelta(seconds=5)


class Source:
    """What is read, how often it was, and the time."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 14, 12, tzinfo=UTC)
        self.reads = 0
        self.fault: Exception | None = None

    async def read(self) -> str:
        self.reads += 1
        if self.fault is not None:
            raise self.fault
        return f"value {self.reads}"


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def cached(source: Source) -> Cached[str, str]:
    return Cached(LIFETIME, lambda: source.now)


async def test_a_clock_that_is_set_back_keeps_nothing_fresh(cached: Cached[str, str], source: Source) -> None:
    """What was read an hour ahead is read anew: else an ended caller would be let in until the clock catches up."""
    assert await cached.get("k", source.read) == "value 1"
    source.now -= timedelta(hours=1)
    assert await cached.get("k", source.read) == "value 2"


async def test_a_value_outlives_a_database_that_is_gone_by_two_seconds(
    cached: Cached[str, str], source: Source
) -> None:
    """Checks go on as long as revocations count; after that the database's failure is told."""
    await cached.get("k", source.read)
    source.fault = ConnectionRefusedError()
    source.now += LIFETIME + GRACE
    assert await cached.get("k", source.read) == "value 1"
    source.now += timedelta(milliseconds=1)
    with pytest.raises(ConnectionRefusedError):
        await cached.get("k", source.read)


async def test_a_fault_of_our_own_is_not_covered_up(cached: Cached[str, str], source: Source) -> None:
    """Only a database that can't be reached lets an old value go on."""
    await cached.get("k", source.read)
    source.fault = LookupError()
    source.now += LIFETIME + timedelta(seconds=1)
    with pytest.raises(LookupError):
        await cached.get("k", source.read)
