"""A database that reads but does not write: a standby, or a disk that is full."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import asyncpg

from tests.faults.breakable import Breakable
from tests.faults.calls import all_served, all_unavailable, answer, check, reads, resumed, writes
from tests.faults.conftest import RunningClock
from tests.service import Service, serving, settings_for
from twofold_server.db.migrate import migrate

_DISK_MIB = 192


async def test_a_read_only_database_refuses_writes_alone(service: Service, postgres: Breakable) -> None:
    """Of a standby that was the primary (25006) reads are served, writes answer UNAVAILABLE; then they go through."""
    user = await service.signed_in_user()
    await check(service, user)()
    async with postgres.read_only():
        await all_unavailable(writes(service, user))
        await all_served({**reads(service, user), "CheckSession": check(service, user)})
    await resumed(service, user)
    await all_served(writes(service, user))


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A file system of 192 MiB of its own; None where this process may not mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MIB}m,mode=0755", "twofold-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextlib.asynccontextmanager
async def filled(disk: Path) -> AsyncIterator[None]:
    """Leave no byte on a disk."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), 1 << 20)
                file.seek(0, os.SEEK_END)
        with contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
    assert shutil.disk_usage(disk).free == 0
    try:
        yield
    finally:
        ballast.unlink()


@contextlib.asynccontextmanager
async def refusing(dsn: str) -> AsyncIterator[None]:
    """The stand-in where nothing can be mounted: the error that a table on a full disk gives, at the first new row."""
    admin = await asyncpg.connect(dsn)
    tables = ("tickets", "sessions", "outbox", "password_credentials")
    try:
        await admin.execute(
            """
            CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$
            """
        )
        for table in tables:
            await admin.execute(
                f"CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON {table} EXECUTE FUNCTION full_disk()"
            )
        yield
        await admin.execute("DROP FUNCTION full_disk CASCADE")
    finally:
        await admin.close()


async def test_a_full_disk_refuses_and_loses_nothing(tmp_path: Path, clock: RunningClock) -> None:
    """With no room for another page, writes answer UNAVAILABLE (53100), never INTERNAL; reads and checks are served.

    With room again the service goes on by itself, and every account that was acknowledged while the disk filled is
    there. The disk is a real one where this process may mount it. Elsewhere a trigger gives PostgreSQL's own error:
    what the service sees is the same, what PostgreSQL does on the way to it is then not tried.
    """
    with small_disk(tmp_path / "disk") as disk:
        postgres = Breakable(
            (disk or tmp_path) / "data", "max_wal_size=64MB", "min_wal_size=64MB", "autovacuum=off", "jit=off"
        )
        try:
            postgres.start_at_once()
            await migrate(postgres.dsn())
            async with serving(settings_for(postgres.dsn(), tmp_path), clock) as service:
                await _fill_and_free(service, clock, lambda: filled(disk) if disk else refusing(postgres.dsn()))
        finally:
            postgres.close()


async def _fill_and_free(
    service: Service, clock: RunningClock, full: Callable[[], contextlib.AbstractAsyncContextManager[None]]
) -> None:
    user = await service.signed_in_user()
    await check(service, user)()
    acknowledged: list[str] = []
    async with full():
        # Pages that have room take some more rows.
        for number in range(400):
            address = f"filler{number}@example.org"
            if await answer(_sign_up(service, address), "SignUp") is not None:
                break
            acknowledged.append(address)
        else:
            raise AssertionError("the disk is not full")
        await all_served({**reads(service, user), "CheckSession": check(service, user)})
        refusals = [await answer(writes(service, user)["SignUp"], "SignUp") for _ in range(5)]
        assert all(refusals)
        # Whatever they meet, they answer as documented.
        await asyncio.gather(*(answer(probe, name) for name, probe in writes(service, user).items()))
    await resumed(service, user)
    await all_served(writes(service, user))
    # The full disk may have cut off a claim of mails, whose lease then has to end.
    clock.advance(61)
    assert {mail["To"] for mail in await service.mails()} >= set(acknowledged)


def _sign_up(service: Service, address: str) -> Callable[[], Awaitable[object]]:
    return lambda: service.sign_up(address)
