"""Schema changes: plain numbered SQL files, forward only, applied in order, each in a transaction of its own.

A release's files are expand before contract, so that the release before it runs on the new schema.
"""

import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Final

import asyncpg

from twofold_server.db.pool import demand_safe

if TYPE_CHECKING:
    _Session = asyncpg.Connection[asyncpg.Record]

_NAME: Final = re.compile(r"(\d{4})_[a-z0-9_]+\.sql", re.ASCII)
_CONNECT_SECONDS: Final = 10.0


class MigrationFailed(Exception):
    """The database cannot be brought to this release's schema; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered SQL file."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, hex; line ends do not count."""
        return hashlib.sha256("\n".join(self.sql.splitlines()).encode()).hexdigest()


def shipped() -> list[Migration]:
    """This release's migrations in order. Raises MigrationFailed where a number is missing or taken twice."""
    return read_from(resources.files("twofold_server.db") / "migrations")


def read_from(folder: Traversable) -> list[Migration]:
    """The migrations in a folder, as `shipped` does."""
    found = sorted(
        (
            Migration(file.name, file.read_text(encoding="utf-8"))
            for file in folder.iterdir()
            if _NAME.fullmatch(file.name)
        ),
        key=lambda migration: migration.name,
    )
    for number, migration in enumerate(found, start=1):
        if int(migration.name[:4]) != number:
            raise MigrationFailed(f"migration {migration.name} should have number {number:04}")
    return found


async def migrate(url: str, migrations: list[Migration] | None = None) -> list[str]:
    """Apply what is missing and return its names; concurrent runs wait for each other and apply each file once.

    A file that fails leaves the ones before it applied. Raises MigrationFailed (also where the database was changed by
    a newer release, or an applied file has been edited), pool.InsecureDatabase, OSError or asyncpg's errors.
    """
    wanted = shipped() if migrations is None else migrations
    demand_safe(url)
    connection = await asyncpg.connect(url, timeout=_CONNECT_SECONDS, server_settings={"timezone": "UTC"})
    try:
        await _make_table(connection)
        applied: list[str] = []
        while name := await _apply_next(connection, wanted):
            applied.append(name)
        return applied
    finally:
        await connection.close()


async def pending(url: str, migrations: list[Migration] | None = None) -> list[str]:
    """Names of what `migrate` would apply; changes nothing. Raises as `migrate` does."""
    wanted = shipped() if migrations is None else migrations
    demand_safe(url)
    connection = await asyncpg.connect(url, timeout=_CONNECT_SECONDS)
    try:
        if not await connection.fetchval("SELECT to_regclass('schema_migrations') IS NOT NULL"):
            return [migration.name for migration in wanted]
        return [migration.name for migration in await _missing(connection, wanted)]
    finally:
        await connection.close()


async def _make_table(connection: "_Session") -> None:
    statement = """
        CREATE TABLE IF NOT EXISTS schema_migrations (
            name text CONSTRAINT schema_migrations_pkey PRIMARY KEY,
            checksum text NOT NULL,
            apply_time timestamptz NOT NULL DEFAULT clock_timestamp()
        )
        """
    try:
        await connection.execute(statement)
    except (asyncpg.UniqueViolationError, asyncpg.DuplicateTableError, asyncpg.DuplicateObjectError):
        # IF NOT EXISTS does not hold against another run in the same moment; now it is there.
        await connection.execute(statement)


async def _apply_next(connection: "_Session", wanted: list[Migration]) -> str | None:
    async with connection.transaction():
        # Held to the end of the transaction: another run waits here, then sees this file applied. Readers do not wait.
        await connection.execute("LOCK TABLE schema_migrations IN SHARE ROW EXCLUSIVE MODE")
        missing = await _missing(connection, wanted)
        if not missing:
            return None
        try:
            await connection.execute(missing[0].sql)
        except asyncpg.PostgresError as error:
            raise MigrationFailed(f"migration {missing[0].name} failed and was undone: {error}") from error
        await connection.execute(
            "INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)", missing[0].name, missing[0].checksum
        )
        return missing[0].name


async def _missing(connection: "_Session", wanted: list[Migration]) -> list[Migration]:
    rows = await connection.fetch("SELECT name, checksum FROM schema_migrations ORDER BY name")
    for row, migration in zip(rows, wanted, strict=False):
        if row["name"] != migration.name:
            raise MigrationFailed(f"the database has {row['name']} where this release has {migration.name}")
        if row["checksum"] != migration.checksum:
            raise MigrationFailed(
                f"{migration.name} was edited after it had been applied: put it back, and write a new one instead"
            )
    if len(rows) > len(wanted):
        raise MigrationFailed(
            f"a newer release has migrated this database (to {rows[-1]['name']}): run that release or a newer one"
        )
    return wanted[len(rows) :]
