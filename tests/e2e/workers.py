"""What tests of several workers share: their settings, their processes, and users who were there before."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from tests.e2e.program import Program, development
from tests.service import Service, User, serving, settings_for
from twofold import Client, TwofoldError
from twofold.v1 import account_pb2, session_pb2, sign_in_pb2
from twofold_server.domain.clock import system_clock

MASTER_KEY = secrets.token_hex(32)
HASH = {"argon2_memory_kib": 19456, "argon2_time_cost": 2}


@contextlib.asynccontextmanager
async def beforehand(database: str, folder: Path) -> AsyncIterator[Service]:
    """A service to make accounts with before the workers start; it hashes cheaply."""
    settings = settings_for(database, folder, master_key=MASTER_KEY, issuer="https://twofold.localhost")
    async with serving(settings, system_clock) as service:
        yield service


def settings_of(database: str, folder: Path, workers: int, **more: object) -> dict[str, str]:
    """Settings of a server in development with the tests' master key in the environment."""
    given = development(database, folder, workers=workers, **more)
    del given["TWOFOLD_MASTER_KEY_FILE"]
    return given | {"TWOFOLD_MASTER_KEY": MASTER_KEY}


def events(program: Program, name: str) -> list[dict[str, object]]:
    """The lines of an event in the log of a server and its workers."""
    # The last line may be half written.
    lines = [line for line in program.log.read_text().rpartition("\n")[0].splitlines() if line.startswith("{")]
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
