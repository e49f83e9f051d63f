import asyncio
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest

from twofold_server.db.pool import InsecureDatabase, demand_safe, open_pool, transaction


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@db.example.com/twofold",
        "postgresql://u:p@192.0.2.1:5432/twofold?sslmode=require",
        "postgresql://u:p@localhost,db.example.com/twofold",
        "postgresql://u:p@[2001:db8::1]:5432/twofold",
        "postgresql://u:p@/twofold?host=db.example.com&sslmode=verify-ca",
        "postgresql://u:p@localhost.example.com/twofold",
        "mysql://u:p@localhost/twofold",
        "postgresql://u:p@[broken/twofold",
    ],
)
def test_a_network_without_proof_of_the_server_is_refused(url: str) -> None:
    """A URL that leaves this machine needs sslmode=verify-full; the error repeats no part of the URL."""
    with pytest.raises(InsecureDatabase) as caught:
        demand_safe(url)
    assert "u:p" not in str(caught.value)
    assert "example" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@localhost/twofold",
        "postgres://u:p@127.0.0.1:6432/twofold",
        "postgresql://u:p@[::1]:5432/twofold",
        "postgresql://postgres@/twofold?host=/run/postgresql",
        "postgresql:///twofold",
        "postgresql://u:p@db.example.com/twofold?sslmode=verify-full",
    ],
)
def test_this_machine_or_a_proven_server_is_accepted(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback, UNIX sockets and verify-full pass."""
    monkeypatch.delenv("PGHOST", raising=False)
    demand_safe(url)


async def test_values_come_as_python_has_them(database: str) -> None:
    """uuid, timestamptz and jsonb arrive as UUID, aware UTC datetime and dict, and go back the same way."""
    pool = await open_pool(database, 2)
    try:
        row = await pool.fetchrow(
            "SELECT $1::uuid AS id, $2::timestamptz AS at, $3::jsonb AS settings",
            UUID(int=7), datetime(2026, 1, 1, tzinfo=UTC), {"a": [1, None]},
        )  # fmt: skip
        assert row is not None
        assert tuple(row) == (UUID(int=7), datetime(2026, 1, 1, tzinfo=UTC), {"a": [1, None]})
        assert row["at"].tzinfo is not None
    finally:
        await pool.close()


async def test_a_statement_is_one_round_trip(database: str) -> None:
    """Giving a connection back runs nothing: what the server saw last is our own statement."""
    pool = await open_pool(database, 1)
    watcher = await asyncpg.connect(database)
    try:
        backend = await pool.fetchval("SELECT pg_backend_pid()")
        last = await watcher.fetchval("SELECT query FROM pg_stat_activity WHERE pid = $1", backend)
        assert last == "SELECT pg_backend_pid()"
    finally:
        await watcher.close()
        await pool.close()


async def test_a_transaction_commits_whole_or_not_at_all(empty_database: str) -> None:
    """An exception inside rolls back, a normal end commits, and the connection is fit for use afterwards."""
    pool = await open_pool(empty_database, 1)
    try:
        await pool.execute("CREATE TABLE t (id int)")
        with pytest.raises(ZeroDivisionError):
            async with transaction(pool) as db:
                await db.execute("INSERT INTO t VALUES (1)")
                raise ZeroDivisionError
        async with transaction(pool) as db:
            await db.execute("INSERT INTO t VALUES (2)")
        assert [row["id"] for row in await pool.fetch("SELECT id FROM t")] == [2]
    finally:
        await pool.close()


async def test_a_cancelled_transaction_leaves_nothing_and_no_lock(empty_database: str) -> None:
    """A caller that hangs up in the middle of a transaction leaves neither rows nor locks."""
    pool = await open_pool(empty_database, 2)
    try:
        await pool.execute("CREATE TABLE t (id int PRIMARY KEY)")
        inserted = asyncio.Event()

        async def half() -> None:
            async with transaction(pool) as db:
                await db.execute("INSERT INTO t VALUES (1)")
                inserted.set()
                await asyncio.sleep(60)

        task = asyncio.create_task(half())
        await inserted.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(pool.execute("INSERT INTO t VALUES (1)"), 2)
    finally:
        await pool.close()


async def test_a_forgotten_transaction_is_ended_by_the_server(database: str) -> None:
    """Connections carry time limits for statements, locks and idle transactions, and UTC."""
    pool = await open_pool(database, 1)
    try:
        for setting, value in {
            "idle_in_transaction_session_timeout": "10s",
            "statement_timeout": "10s",
            "lock_timeout": "1200ms",
            "TimeZone": "UTC",
        }.items():
            assert await pool.fetchval("SELECT current_setting($1)", setting) == value
    finally:
        await pool.close()


async def test_a_connection_is_taken_and_given_back_without_a_wait_for_anyone(database: str) -> None:
    """More statements at once than connections all get one, transactions among them, and the same ones go on."""
    pool = await open_pool(database, 2)
    try:

        async def statement() -> int:
            return int(await pool.fetchval("SELECT pg_backend_pid() FROM pg_sleep(0.001)"))

        async def whole() -> int:
            async with transaction(pool) as db:
                return int(await db.fetchval("SELECT pg_backend_pid()"))

        for _ in range(5):
            used = await asyncio.gather(*(statement() for _ in range(20)), *(whole() for _ in range(20)))
            assert len(set(used)) <= 2
        assert pool.get_size() <= 2
    finally:
        await asyncio.wait_for(pool.close(), 2)


async def test_a_connection_that_broke_is_not_used_again(database: str) -> None:
    """What was cancelled, failed or cut leaves the pool with connections that work."""
    pool = await open_pool(database, 2)
    admin = await asyncpg.connect(database)
    try:
        with pytest.raises(TimeoutError):
            await pool.execute("SELECT pg_sleep(5)", timeout=0.05)
        task = asyncio.create_task(pool.execute("SELECT pg_sleep(5)"))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(asyncpg.DivisionByZeroError):
            await pool.fetchval("SELECT 1 / 0")
        assert await asyncio.gather(*(pool.fetchval("SELECT 1") for _ in range(6))) == [1] * 6
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        await asyncio.sleep(0.2)
        assert await asyncio.gather(*(pool.fetchval("SELECT 1") for _ in range(6))) == [1] * 6
    finally:
        await admin.close()
        await asyncio.wait_for(pool.close(), 2)


async def test_closing_waits_for_statements_under_way_and_no_longer(database: str) -> None:
    """A pool that is closed lets what runs end, and does not wait for connections that nobody uses."""
    pool = await open_pool(database, 3)
    await asyncio.gather(*(pool.fetchval("SELECT 1 FROM pg_sleep(0.01)") for _ in range(3)))
    last = asyncio.create_task(pool.fetchval("SELECT 7 FROM pg_sleep(0.2)"))
    await asyncio.sleep(0.05)
    await asyncio.wait_for(pool.close(), 2)
    assert await last == 7
