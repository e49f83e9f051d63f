import asyncio
from pathlib import Path

import asyncpg
import pytest

from twofold_server.db import migrate as module
from twofold_server.db.migrate import Migration, MigrationFailed, migrate, pending, read_from, shipped

ONE = Migration("0001_one.sql", "CREATE TABLE one (id int);\nINSERT INTO one VALUES (1);\n")
TWO = Migration("0002_two.sql", "ALTER TABLE one ADD COLUMN name text;")
# Slow enough that runs which did not wait for each other would overlap.
SLOW = Migration("0001_slow.sql", "CREATE TABLE one (id int); SELECT pg_sleep(0.2); INSERT INTO one VALUES (1);")


async def _value(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_an_empty_database_gets_every_migration_once(empty_database: str) -> None:
    """The first run applies all files in order; a second applies none."""
    assert await pending(empty_database) == [migration.name for migration in shipped()]
    assert await migrate(empty_database) == [migration.name for migration in shipped()]
    assert await migrate(empty_database) == []
    assert await pending(empty_database) == []


async def test_only_what_is_missing_is_applied(empty_database: str) -> None:
    """A database of the release before gets the new files alone, and keeps its rows."""
    assert await migrate(empty_database, [ONE]) == ["0001_one.sql"]
    assert await migrate(empty_database, [ONE, TWO]) == ["0002_two.sql"]
    assert await _value(empty_database, "SELECT count(*) FROM one WHERE name IS NULL") == 1


async def test_of_concurrent_runs_each_file_is_applied_once(empty_database: str) -> None:
    """Eight runners at once wait for each other: one applies each file, none fails."""
    done = await asyncio.gather(*(migrate(empty_database, [SLOW, TWO]) for _ in range(8)))
    assert sorted(name for names in done for name in names) == [SLOW.name, TWO.name]
    assert await _value(empty_database, "SELECT count(*) FROM one") == 1


async def test_a_failing_file_is_undone_whole_and_the_ones_before_it_stay(empty_database: str) -> None:
    """A migration that fails half way leaves nothing of itself, and the run can be repeated."""
    broken = Migration("0002_broken.sql", "CREATE TABLE half (id int); SELECT 1 / 0;")
    with pytest.raises(MigrationFailed, match=r"0002_broken\.sql failed and was undone: division by zero"):
        await migrate(empty_database, [ONE, broken])
    assert await _value(empty_database, "SELECT to_regclass('half') IS NULL AND to_regclass('one') IS NOT NULL")
    assert await migrate(empty_database, [ONE, TWO]) == [TWO.name]


async def test_an_edited_file_is_refused(empty_database: str) -> None:
    """A file whose text differs from what was applied stops the run before anything changes."""
    await migrate(empty_database, [ONE])
    with pytest.raises(MigrationFailed, match=r"0001_one\.sql was edited"):
        await migrate(empty_database, [Migration(ONE.name, ONE.sql + "-- more\n"), TWO])
    assert await _value(empty_database, "SELECT count(*) FROM schema_migrations") == 1


async def test_a_database_of_a_newer_release_is_refused(empty_database: str) -> None:
    """An older release does not touch a database that a newer one has migrated."""
    await migrate(empty_database, [ONE, TWO])
    with pytest.raises(MigrationFailed, match="newer release"):
        await migrate(empty_database, [ONE])
    with pytest.raises(MigrationFailed, match="newer release"):
        await pending(empty_database, [ONE])


async def test_line_ends_do_not_count(empty_database: str) -> None:
    """A checkout with other line ends is the same migration."""
    await migrate(empty_database, [ONE])
    assert await migrate(empty_database, [Migration(ONE.name, ONE.sql.replace("\n", "\r\n"))]) == []


@pytest.mark.parametrize("names", [["0002_b.sql"], ["0001_a.sql", "0001_b.sql"], ["0001_a.sql", "0003_c.sql"]])
def test_numbers_run_without_gap_or_double(tmp_path: Path, names: list[str]) -> None:
    """A missing or doubled number, as two merged branches leave it, is refused."""
    for name in names:
        (tmp_path / name).write_text("SELECT 1;")
    with pytest.raises(MigrationFailed, match="should have number"):
        read_from(tmp_path)


def test_the_shipped_files_are_found() -> None:
    """The package carries its migrations."""
    assert shipped()[0].name.startswith("0001_")
    assert module.__doc__
