"""Workers and PostgreSQL are killed, ten times each, while people sign up and in: nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest

from tests.e2e.program import Program, free_address, start
from tests.e2e.workers import beforehand, serving_workers, settings_of, until
from tests.faults.breakable import Breakable
from tests.faults.load import Acknowledged, Load
from tests.service import PASSWORD, User
from twofold import Client, TwofoldError, Unavailable
from twofold.v1 import account_pb2, session_pb2, sign_in_pb2

_KILLS = 10
_CODE_USERS, _PLAIN_USERS = 12, 3
_SIGN_UPS = 3


@contextlib.asynccontextmanager
async def workers(database: str, folder: Path) -> AsyncIterator[tuple[Program, list[User]]]:
    """Two workers as a program of their own, and users, most with second factors, who were there before."""
    async with beforehand(database, folder) as service:
        users = [await service.two_factor_user() for _ in range(_CODE_USERS)]
        users += [await service.signed_in_user() for _ in range(_PLAIN_USERS)]
    program = await start(settings_of(database, folder, 2), free_address(), folder / "server.log")
    try:
        yield program, users
    finally:
        program.kill()


@pytest.mark.parametrize("victim", ["worker", "database"])
async def test_kills_under_load_lose_nothing_acknowledged_and_accept_no_code_twice(
    database: str, postgres: Breakable, tmp_path: Path, victim: str
) -> None:
    """Killed ten times under sign-ups and sign-ins: each acknowledged account and session is there, each code counted
    once, callers were told UNAVAILABLE and nothing else, and afterwards everybody can sign in at once.
    """
    async with workers(database, tmp_path) as (program, users):
        done = Acknowledged()
        load = Load(program.address, tmp_path / "sent", done)
        running = asyncio.create_task(load.run(users, _SIGN_UPS))

        async def kill_worker() -> None:
            # Sometimes the last one that serves.
            await until(lambda: bool(serving_workers(program)), "a worker serves")
            os.kill(random.choice(sorted(serving_workers(program))), signal.SIGKILL)

        async def kill_database() -> None:
            await postgres.kill()
            await postgres.start()

        kill: Callable[[], Awaitable[None]] = kill_worker if victim == "worker" else kill_database
        await until(lambda: len(done.accounts) >= 3, "accounts are made")
        for _ in range(_KILLS):
            before = done.count
            await until(lambda before=before: done.count >= before + 3 or bool(done.wrong), "it goes on")  # type: ignore[misc]
            await asyncio.sleep(random.uniform(0.0, 0.2))
            await kill()
        before = done.count
        await until(lambda: done.count >= before + 3, "it goes on after the last")
        load.stop()
        await running

        assert done.wrong == []
        assert done.interrupted > 0
        assert set(done.codes.values()) == {1}
        await until(lambda: bool(serving_workers(program)), "a worker serves")
        await _all_is_there(program, done, users)
        await _no_code_counted_twice(database, users)


async def _all_is_there(program: Program, done: Acknowledged, users: list[User]) -> None:
    async with Client(program.address, retries=3, wait_for_ready=True) as client:
        for session, access_token in done.sessions.items():
            request = session_pb2.CheckSessionRequest(audience="twofold", fresh=True)
            answer = await client.sessions.CheckSession(request, session=access_token)
            assert answer.session.session_id == session
        context = sign_in_pb2.ClientContext(ip_address="203.0.113.7")
        for name in done.accounts:
            await client.accounts.SignIn(account_pb2.SignInRequest(email=name, password=PASSWORD, client=context))
        assert done.accounts
        for user in users:
            # Nobody is locked out, and what was accepted once is not accepted again.
            request_again = account_pb2.SignInRequest(email=user.email, password=user.password, client=context)
            owed = "challenge" if user.backup_codes else "signed_in"
            assert (await client.accounts.SignIn(request_again)).HasField(owed)
            spent = [line.split()[1] for line in done.codes if line.split()[0] == user.email]
            for code in spent[:1]:
                request_again.second_factor.backup_code = code
                with pytest.raises(TwofoldError) as refused:
                    await client.accounts.SignIn(request_again)
                assert not isinstance(refused.value, Unavailable)
                assert refused.value.reason == "INVALID_SECOND_FACTOR"


async def _no_code_counted_twice(database: str, users: list[User]) -> None:
    """By the database's own account: as many sessions as codes are gone, besides the one from before."""
    admin = await asyncpg.connect(database)
    try:
        rows = await admin.fetch(
            """
            SELECT a.email,
                   (SELECT count(*) FROM sessions s WHERE s.account_id = a.account_id) AS sessions,
                   (SELECT count(*) FILTER (WHERE b.spent_time IS NULL)
                      FROM backup_codes b WHERE b.account_id = a.account_id) AS codes
              FROM accounts a
            """
        )
    finally:
        await admin.close()
    found = {row["email"]: (row["sessions"], row["codes"]) for row in rows}
    for user in users[:_CODE_USERS]:
        sessions, left = found[user.email]
        assert sessions - 1 == len(user.backup_codes) - left, user.email
