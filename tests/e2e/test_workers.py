"""Several workers behind one port: shared, replaced, renewed, ended, and never more than one machine hashes."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import itertools
import json
import os
import random
import secrets
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.conftest import Launch
from tests.e2e.program import Program, development, environment, free_address, run
from tests.service import User, serving, settings_for
from twofold import Client, ResourceExhausted, TwofoldError, Unavailable
from twofold.v1 import account_pb2, session_pb2, sign_in_pb2
from twofold_server.domain.clock import system_clock

Users = Callable[[int], Awaitable[list[User]]]
MASTER_KEY = secrets.token_hex(32)
HASH = {"argon2_memory_kib": 19456, "argon2_time_cost": 2}


@pytest.fixture
def users(database: str, tmp_path: Path) -> Users:
    """Makes accounts with a session each, before the workers start."""

    async def make(count: int) -> list[User]:
        settings = settings_for(database, tmp_path, master_key=MASTER_KEY, issuer="https://twofold.localhost")
        async with serving(settings, system_clock) as service:
            return [await service.signed_in_user() for _ in range(count)]

    return make


def settings_of(database: str, folder: Path, workers: int, **more: object) -> dict[str, str]:
    """Settings of a server in development with the tests' master key in the environment."""
    given = development(database, folder, workers=workers, **more)
    del given["TWOFOLD_MASTER_KEY_FILE"]
    return given | {"TWOFOLD_MASTER_KEY": MASTER_KEY}


def events(program: Program, name: str) -> list[dict[str, object]]:
    """The lines of an event in the log of a server and its workers."""
    lines = [line for line in program.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in map(json.loads, lines) if line["event"] == name]


def children(pid: int) -> set[int]:
    """The child processes of a process."""
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def serving_workers(program: Program) -> set[int]:
    """The workers that have said that they serve, and live."""
    said = {worker for event in events(program, "worker serves") if isinstance(worker := event["worker"], int)}
    return said & children(program.process.pid)


def shown_of(pid: int, file: str) -> bytes:
    """What the kernel shows of a process."""
    return Path(f"/proc/{pid}/{file}").read_bytes()


def lives(pid: int) -> bool:
    """Whether a process runs; one that waits for its parent to notice its end does not."""
    try:
        return shown_of(pid, "stat").rpartition(b")")[2].split()[0] != b"Z"
    except FileNotFoundError:
        return False


async def until(met: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Wait for a condition. Fails the test after so many seconds."""
    ends = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < ends, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.02)


async def all_serve(program: Program, workers: int) -> None:
    """Wait until so many workers serve."""
    await until(lambda: len(serving_workers(program)) == workers, f"{workers} workers serve")


async def killed(program: Program, worker: int) -> None:
    """Kill a worker, and wait until its supervisor knows."""
    os.kill(worker, signal.SIGKILL)
    await until(lambda: worker not in children(program.process.pid), "the supervisor knows")


@contextlib.asynccontextmanager
async def clients(program: Program, count: int, retries: int = 3) -> AsyncIterator[list[Client]]:
    """Clients with a connection each."""
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Client(program.address, retries=retries)) for _ in range(count)]


@contextlib.asynccontextmanager
async def checking(program: Program, users: list[User]) -> AsyncIterator[list[str]]:
    """For the length of the block, each user's session is checked all the time; yields what failed."""
    failed: list[str] = []
    done = asyncio.Event()

    async def check(client: Client, user: User) -> None:
        while not done.is_set():
            try:
                await check_session(client, user)
            except TwofoldError as error:
                failed.append(repr(error))
            await asyncio.sleep(0.005)

    async with clients(program, len(users)) as connected, asyncio.TaskGroup() as group:
        for client, user in zip(connected, users, strict=True):
            group.create_task(check(client, user))
        try:
            yield failed
        finally:
            done.set()


async def check_session(client: Client, user: User) -> None:
    """Check a user's session in the database."""
    request = session_pb2.CheckSessionRequest(audience="twofold", fresh=True)
    await client.sessions.CheckSession(request, session=user.tokens.access_token)


async def sign_in(client: Client, user: User, timeout: float = 5.0) -> str:  # noqa: ASYNC109 (the call's deadline)
    """Sign a user in; returns the new session's id."""
    request = account_pb2.SignInRequest(
        email=user.email, password=user.password, client=sign_in_pb2.ClientContext(ip_address="192.0.2.7")
    )
    answer = await client.accounts.SignIn(request, timeout=timeout)
    return answer.signed_in.session.session_id


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


async def test_twenty_killed_workers_hold_no_hash_slot_and_lose_no_session(
    launch: Launch, users: Users, database: str, tmp_path: Path
) -> None:
    """Workers killed while they hash keep no slot, and each session that was acknowledged is there afterwards."""
    owners = await users(4)
    program = await launch(settings_of(database, tmp_path, 4, **HASH))
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
    free = [_is_free(slot) for slot in sorted((tmp_path / "slots").iterdir())]
    assert free
    assert all(free)


async def sessions_of(client: Client, user: User) -> set[str]:
    """The ids of a user's live sessions."""
    found: set[str] = set()
    token = ""
    while True:
        request = session_pb2.ListSessionsRequest(page_token=token)
        page = await client.sessions.ListSessions(request, session=user.tokens.access_token)
        found |= {session.session_id for session in page.sessions}
        if not (token := page.next_page_token):
            return found


def _is_free(slot: Path) -> bool:
    with slot.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


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
