"""What the tests of faults have for themselves: a PostgreSQL with durable writes to break, and a clock that runs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from tests.e2e.conftest import launch  # noqa: F401 (the tests of workers start servers too)
from tests.faults.breakable import Breakable
from twofold_server.db.migrate import migrate
from twofold_server.domain.clock import system_clock

_numbers = itertools.count(1)


class RunningClock:
    """The system's clock, and how far it was stepped."""

    def __init__(self) -> None:
        self._step = timedelta()

    def __call__(self) -> datetime:
        return system_clock() + self._step

    def advance(self, seconds: float) -> None:
        """Step the clock; negative steps it back."""
        self._step += timedelta(seconds=seconds)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Breakable]:
    """A PostgreSQL of the module's own, with fsync on."""
    folder: Path = tmp_path_factory.mktemp("postgres")
    broken = Breakable(folder / "data")
    try:
        broken.start_at_once()
        yield broken
    finally:
        broken.close()


@pytest.fixture
async def database(postgres: Breakable) -> str:
    """The URL of a migrated database of the test's own, in the PostgreSQL that it may break."""
    name = f"faults_{next(_numbers)}"
    admin = await asyncpg.connect(postgres.dsn())
    try:
        await admin.execute(f"CREATE DATABASE {name}")
    finally:
        await admin.close()
    await migrate(postgres.dsn(name))
    return postgres.dsn(name)


@pytest.fixture
def clock() -> RunningClock:
    """A clock that runs, and can be stepped: what is kept in memory gets old during an outage, as it does outside."""
    return RunningClock()
