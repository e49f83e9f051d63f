"""Workers killed while they hash: no slot stays taken, no acknowledged session is lost."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import itertools
import random
from functools import partial
from pathlib import Path

from tests.e2e.program import Program, free_address, start
from tests.e2e.workers import (
    HASH,
    all_serve,
    beforehand,
    clients,
    killed,
    serving_workers,
    sessions_of,
    settings_of,
    sign_in,
    until,
)
from tests.service import User
from twofold import Client, TwofoldError


async def test_twenty_killed_workers_hold_no_hash_slot_and_lose_no_session(database: str, tmp_path: Path) -> None:
    """Workers killed while they hash keep no slot, and each session that was acknowledged is there afterwards."""
    async with beforehand(database, tmp_path) as service:
        owners = [await service.signed_in_user() for _ in range(4)]
    program = await start(settings_of(database, tmp_path, 4, **HASH), free_address(), tmp_path / "server.log")
    try:
        await _kill_twenty(program, owners)
        free = [_is_free(slot) for slot in sorted((tmp_path / "slots").iterdir())]
        assert free
        assert all(free)
    finally:
        program.kill()


async def _kill_twenty(program: Program, owners: list[User]) -> None:
    await all_serve(program, 4)
    acknowledged: dict[str, set[str]] = {owner.email: set() for owner in owners}
    done = asyncio.Event()

    def enough(count: int) -> bool:
        return sum(map(len, acknowledged.values())) > count

    async def keep_signing_in(client: Client, owner: User) -> None:
        while not done.is_set():
            with contextlib.suppress(TwofoldError):  # its worker may just have been killed
                acknowledged[owner.email].add(await sign_in(client, owner))
            await asyncio.sleep(0.1)  # or hashing would keep the cores from starting workers

    async with clients(program, len(owners)) as connected, asyncio.TaskGroup() as group:
        for client, owner in zip(connected, owners, strict=True):
            group.create_task(keep_signing_in(client, owner))
        for number in range(20):
            # Each kill comes while sign-ins go on, and the next one not before some have gone through.
            await until(partial(enough, 3 * number), "sign-ins go through")
            await until(lambda: len(serving_workers(program)) > 1, "another worker serves")
            await asyncio.sleep(random.uniform(0.0, 0.1))
            await killed(program, random.choice(sorted(serving_workers(program))))
        done.set()

    await all_serve(program, 4)
    async with clients(program, len(owners)) as connected:
        # As many as there are slots, several times over: one slot kept would make the rest take turns for ever.
        for client, owner in itertools.product(connected, owners[:2]):
            acknowledged[owner.email].add(await sign_in(client, owner))
        for client, owner in zip(connected, owners, strict=True):
            assert acknowledged[owner.email] <= await sessions_of(client, owner), owner.email


def _is_free(slot: Path) -> bool:
    with slot.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
