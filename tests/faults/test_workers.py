"""Several workers behind one port: shared, replaced, renewed, ended, and never more than one machine hashes."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Launch
from tests.e2e.program import environment, free_address, run
from tests.e2e.workers import (
    MASTER_KEY,
    all_serve,
    beforehand,
    check_session,
    checking,
    children,
    clients,
    events,
    killed,
    lives,
    serving_workers,
    settings_of,
    shown_of,
    sign_in,
    until,
)
from tests.service import User
from twofold import Client, ResourceExhausted, Unavailable

Users = Callable[[int], Awaitable[list[User]]]


@pytest.fixture
def users(database: str, tmp_path: Path) -> Users:
    """Makes accounts with a session each, before the workers start."""

    async def make(count: int) -> list[User]:
        async with beforehand(database, tmp_path) as service:
            return [await service.signed_in_user() for _ in range(count)]

    return make


async def test_workers_share_a_port_and_keep_secrets_and_one_killed_is_replaced_unnoticed(
    launch: Launch, users: Users, database: str, tmp_path: Path
) -> None:
    """Three workers serve on one port; no secret stands where `ps` or /proc shows it; kill -9 of one fails no check."""
    owners = await users(6)
    program = await launch(settings_of(database, tmp_path, 3))
    await all_serve(program, 3)
    supervised = events(program, "supervising")[0]
    assert (supervised["workers"], supervised["database_connections"]) == (3, 30)

    for pid in (program.process.pid, *children(program.process.pid)):
        for shown in ("environ", "cmdline"):
            text = shown_of(pid, shown)
            assert text
            assert MASTER_KEY.encode() not in text
            assert database.encode() not in text

    before = serving_workers(program)
    async with checking(program, owners) as failed:
        await asyncio.sleep(0.3)
        await killed(program, min(before))
        await all_serve(program, 3)
    assert failed == []
    assert serving_workers(program) > before - {min(before)}


async def test_sighup_renews_every_worker_and_sigterm_drains_all(
    launch: Launch, users: Users, database: str, tmp_path: Path
) -> None:
    """SIGHUP puts a new worker in each one's place and fails no call; SIGTERM ends all with 0 and leaves nothing."""
    owners = await users(6)
    program = await launch(settings_of(database, tmp_path, 2))
    await all_serve(program, 2)
    before = serving_workers(program)
    async with checking(program, owners) as failed:
        program.tell(signal.SIGHUP)
        await until(lambda: bool(events(program, "all workers are renewed")), "the workers are renewed")
        assert not before & children(program.process.pid)
        await all_serve(program, 2)
    assert failed == []

    renewed = children(program.process.pid)
    async with clients(program, 4) as connected:
        for client, owner in zip(connected, owners, strict=False):
            await check_session(client, owner)
        calls = [asyncio.create_task(sign_in(client, owner)) for client, owner in zip(connected, owners, strict=False)]
        await asyncio.sleep(0.02)
        program.tell(signal.SIGTERM)
        # What was under way is finished; what had not reached the service is cancelled, and refused when repeated.
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert not [outcome for outcome in outcomes if not isinstance(outcome, str | Unavailable)]
        assert await program.ended() == 0
    assert not [pid for pid in renewed if lives(pid)]
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        host, port = program.address.split(":")
        free.bind((host, int(port)))


async def test_workers_end_with_their_supervisor(launch: Launch, database: str, tmp_path: Path) -> None:
    """When the supervisor is killed its workers drain and end by themselves."""
    program = await launch(settings_of(database, tmp_path, 2))
    await all_serve(program, 2)
    workers = children(program.process.pid)
    program.process.kill()
    await program.ended()
    await until(lambda: not any(lives(pid) for pid in workers), "the workers have ended")


async def test_a_second_signal_kills_workers_that_hang(launch: Launch, database: str, tmp_path: Path) -> None:
    """Told to stop once, the server waits for its workers; told twice, it kills what is left: exit code 130."""
    program = await launch(settings_of(database, tmp_path, 2))
    await all_serve(program, 2)
    workers = children(program.process.pid)
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    program.tell(signal.SIGTERM)
    await until(lambda: bool(events(program, "draining")), "it drains")
    assert all(lives(pid) for pid in workers)
    program.tell(signal.SIGINT)
    assert await program.ended() == 128 + signal.SIGINT
    assert not any(lives(pid) for pid in workers)


async def test_a_port_of_another_server_is_not_joined(launch: Launch, database: str, tmp_path: Path) -> None:
    """Workers never share a port with what listens there already, even if it would share: one plain line, code 1."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        ended = await run(settings_of(database, tmp_path, 2, listen=address), "serve")
    assert ended.code == 1
    assert ended.err == f"twofold-server: cannot listen on {address}: another program listens there\n"


async def test_settings_that_make_no_server_are_told_once(empty_database: str, tmp_path: Path) -> None:
    """What stands in the first worker's way ends the server with code 1, told by one worker and not by all in turn."""
    settings = settings_of(empty_database, tmp_path, 3, listen=free_address())
    ended = await run(settings, "serve")
    assert ended.code == 1
    assert ended.err.count("run `twofold-server migrate`") == 1


async def test_several_workers_need_one_master_key(empty_database: str) -> None:
    """Without a key each worker would seal with one of its own, so several do not start."""
    settings = environment(database_url=empty_database, development="true", workers=2)
    ended = await run(settings, "serve")
    assert (ended.code, ended.err) == (
        1,
        "twofold-server: several workers need one master key: set TWOFOLD_MASTER_KEY_FILE\n",
    )


async def test_overload_is_shed_before_hashing_on_every_worker(
    launch: Launch, users: Users, database: str, tmp_path: Path
) -> None:
    """Of more sign-ins than fit the queues the excess is refused at once, with a time to come back; checks go on."""
    owners = await users(12)
    heavy = {"argon2_memory_kib": 65536, "argon2_time_cost": 6, "hash_queue_limit": 4}
    program = await launch(settings_of(database, tmp_path, 2, **heavy))
    await all_serve(program, 2)
    refused: list[float] = []
    hints: list[float] = []
    served: list[float] = []

    async def try_once(client: Client, owner: User) -> None:
        began = time.monotonic()
        try:
            await sign_in(client, owner, timeout=20.0)
        except ResourceExhausted as error:
            refused.append(time.monotonic() - began)
            hints.append(error.retry_after or 0.0)
        else:
            served.append(time.monotonic() - began)

    async with clients(program, 12, retries=0) as connected:
        for client, owner in zip(
            connected, owners, strict=True
        ):  # connected, and the hash that was made cheaply redone
            await check_session(client, owner)
        flood = [
            asyncio.create_task(try_once(client, owner))
            for client, owner in zip(connected * 4, owners * 4, strict=True)
        ]
        checks = []
        for client, owner in itertools.islice(itertools.cycle(zip(connected, owners, strict=True)), 40):
            began = time.monotonic()
            await check_session(client, owner)
            checks.append(time.monotonic() - began)
        await asyncio.gather(*flood)
    assert refused
    assert served
    assert min(hints) > 0
    assert sorted(refused)[len(refused) // 2] < sorted(served)[len(served) // 2]
    assert sorted(checks)[len(checks) // 2] < 0.5
