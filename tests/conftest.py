"""What every test may use: one PostgreSQL for the session, a database of its own for each test, a clock to set."""

import contextlib
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from dev.postgres import Server, server
from tests.service import Service, serving, settings_for
from twofold_server.db.migrate import migrate

# Survives kill -9, not a power cut: what a test writes is worth nothing tomorrow.
FAST = (
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=on",
    "max_connections=300",
    "shared_buffers=64MB",
    "autovacuum=off",
)
_TEMPLATE = "template_twofold"
_MEMORY = "/dev/shm"
# One test's database at a time, what fixtures of modules keep, and the log: a tenth of it in practice.
_ROOM = 4 << 30
_numbers = itertools.count(1)


class Clock:
    """A clock that stands still until it is moved; calling it gives the time, aware, in UTC."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def __call__(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock; negative moves it back."""
        self._now += timedelta(seconds=seconds)


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> Iterator[None]:
    """No TWOFOLD_ variable of the machine changes what a test sees."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("TWOFOLD_") or name == "DATABASE_URL"]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running PostgreSQL, of POSTGRES_BIN or the wheel's; tests that stop one start their own.

    In memory where there is room: each test copies a database of 300 files.
    """
    with contextlib.ExitStack() as stack:
        folder: Path = tmp_path_factory.mktemp("postgres")
        if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _ROOM:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="twofold-tests-", dir=_MEMORY)))
        yield stack.enter_context(server(folder / "data", *FAST))


@pytest.fixture(scope="session")
async def cluster_admin(cluster: Server) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    """A superuser's connection, with the migrated template database in place."""
    connection = await asyncpg.connect(cluster.dsn())
    await connection.execute(f"CREATE DATABASE {_TEMPLATE}")
    await migrate(cluster.dsn(_TEMPLATE))
    yield connection
    await connection.close()


async def _clone(cluster: Server, admin: "asyncpg.Connection[asyncpg.Record]", template: str) -> str:
    name = f"test_{next(_numbers)}"
    # FILE_COPY: some 40 ms with fsync off, where the default writes every page to the log.
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    return cluster.dsn(name)


@contextlib.asynccontextmanager
async def _lent(cluster: Server, admin: "asyncpg.Connection[asyncpg.Record]", template: str) -> AsyncIterator[str]:
    dsn = await _clone(cluster, admin, template)
    yield dsn
    await admin.execute(f"DROP DATABASE IF EXISTS {name_of(dsn)} WITH (FORCE)")


def name_of(dsn: str) -> str:
    """The database that a URL of the cluster names."""
    return dsn.removeprefix("postgresql://postgres@/").partition("?")[0]


@pytest.fixture
async def database(cluster: Server, cluster_admin: "asyncpg.Connection[asyncpg.Record]") -> AsyncIterator[str]:
    """The URL of a migrated database that this test alone has."""
    async with _lent(cluster, cluster_admin, _TEMPLATE) as dsn:
        yield dsn


@pytest.fixture
async def empty_database(cluster: Server, cluster_admin: "asyncpg.Connection[asyncpg.Record]") -> AsyncIterator[str]:
    """The URL of a database with nothing in it."""
    async with _lent(cluster, cluster_admin, "template0") as dsn:
        yield dsn


@pytest.fixture
def clock() -> Clock:
    """A clock at noon of a day in 2026 that only the test moves."""
    return Clock(datetime(2026, 3, 14, 12, 0, 0, tzinfo=UTC))


@pytest.fixture
async def service(database: str, clock: Clock, tmp_path: Path) -> AsyncIterator[Service]:
    """A server in development mode on a database of its own, which the clock is set for."""
    async with serving(settings_for(database, tmp_path), clock) as started:
        yield started


@pytest.fixture
async def two_services(database: str, clock: Clock, tmp_path: Path) -> AsyncIterator[tuple[Service, Service]]:
    """Two servers on one database, as two workers are."""
    settings = settings_for(database, tmp_path)
    async with serving(settings, clock) as one, serving(settings, clock) as other:
        yield one, other
