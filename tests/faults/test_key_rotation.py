"""Signing keys and the master key rotate while workers serve: nobody who signs in, refreshes or is checked notices."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from tests.e2e.program import Program, development, free_address, run, start
from tests.e2e.workers import all_serve, children, clients, events, serving_workers, until
from tests.service import PASSWORD, Service, User, serving, settings_for
from twofold import Client, TwofoldError, Verifier
from twofold.v1 import account_pb2, session_pb2, sign_in_pb2
from twofold_server.crypto.access_tokens import key_id_of
from twofold_server.domain.clock import system_clock

_KEEPERS, _ARRIVALS = 4, 2


@dataclass
class _Load:
    """Sessions kept up and sign-ins, all the time; every call and every check of a Verifier must succeed."""

    program: Program
    done: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    """Whose tokens were issued."""
    _stopping: bool = False

    @asynccontextmanager
    async def running(self, users: list[User]) -> AsyncIterator[None]:
        async with (
            Verifier(self.program.address, realm_id="default", audience="twofold") as verifier,
            clients(self.program, len(users)) as connected,
        ):
            await verifier.wait_ready()
            async with asyncio.TaskGroup() as group:
                for number, (client, user) in enumerate(zip(connected, users, strict=True)):
                    work = self._keep(client, user, verifier) if number < _KEEPERS else self._arrive(client, user)
                    group.create_task(self._all_the_time(work))
                yield
                await self.more()
                self._stopping = True

    async def more(self, calls: int = 8) -> None:
        """Wait until each kind of call was made so many times more, or one failed."""
        before = Counter(self.done)
        await until(
            lambda: (
                bool(self.failed)
                or all(
                    self.done[kind] >= before[kind] + calls
                    for kind in ("refresh", "check", "fresh", "local", "sign-in")
                )
            ),
            "every kind of call is made",
        )

    async def _all_the_time(self, work: AsyncIterator[str]) -> None:
        try:
            async for kind in work:
                self.done[kind] += 1
                if self._stopping:
                    return
                await asyncio.sleep(0.01)
        except TwofoldError as error:
            self.failed.append(repr(error))

    async def _keep(self, client: Client, user: User, verifier: Verifier) -> AsyncIterator[str]:
        while True:
            refresh = session_pb2.RefreshSessionRequest(refresh_token=user.tokens.refresh_token)
            user.tokens = (await client.sessions.RefreshSession(refresh)).tokens
            token = user.tokens.access_token
            self.keys.add(key_id_of(token))
            yield "refresh"
            for fresh in (False, True):
                request = session_pb2.CheckSessionRequest(audience="twofold", fresh=fresh)
                await client.sessions.CheckSession(request, session=token)
                yield "fresh" if fresh else "check"
            await verifier.check(token)
            yield "local"

    async def _arrive(self, client: Client, user: User) -> AsyncIterator[str]:
        request = account_pb2.SignInRequest(
            email=user.email, password=PASSWORD, client=sign_in_pb2.ClientContext(ip_address="192.0.2.7")
        )
        while True:
            await client.accounts.SignIn(request)
            yield "sign-in"


async def _renewed(program: Program) -> None:
    before, times = children(program.process.pid), len(events(program, "all workers are renewed"))
    program.tell(signal.SIGHUP)
    await until(lambda: len(events(program, "all workers are renewed")) > times, "the workers are renewed")
    assert not before & serving_workers(program)


async def test_keys_rotate_under_load_and_no_check_fails(database: str, tmp_path: Path) -> None:
    """A next signing key is published and takes over, then the master key is replaced and everything resealed, on two
    workers: no sign-in, refresh, CheckSession or check of a Verifier fails on the way.
    """
    old, new = secrets.token_hex(32), secrets.token_hex(32)
    key_file = tmp_path / "master.txt"
    _give(key_file, f"1*:{old}")
    before = settings_for(database, tmp_path, master_key=f"1*:{old}", issuer="https://twofold.localhost")
    async with serving(before, system_clock) as service:
        users = await _users(service)
    settings = development(database, tmp_path, workers=2)
    program = await start(settings, free_address(), tmp_path / "server.log")
    try:
        await _rotate(program, settings, database, key_file, users, (old, new))
    finally:
        program.kill()


async def _rotate(
    program: Program, settings: dict[str, str], database: str, key_file: Path, users: list[User], keys: tuple[str, str]
) -> None:
    old, new = keys
    await all_serve(program, 2)
    load = _Load(program)
    async with load.running(users):
        await load.more()
        assert (await run(settings, "keys", "rotate")).code == 0
        # In ten minutes every worker has read that it is published; here new ones do.
        await _renewed(program)
        await _due_at_once(database)
        await _renewed(program)
        await load.more()
        assert len(load.keys) == 2

        for text in (f"1*:{old},2:{new}", f"1:{old},2*:{new}"):
            _give(key_file, text)
            await _renewed(program)
            await load.more()
        resealed = await run(settings, "keys", "reseal")
        assert resealed.code == 0, resealed
        await load.more()
        await _renewed(program)
    assert load.failed == []
    # What was sealed is good with the new key alone; sessions that began under the old one need that until they end.
    _give(key_file, f"2*:{new}")
    await _renewed(program)
    async with clients(program, 1) as (client,):
        request = account_pb2.SignInRequest(
            email=users[0].email, password=PASSWORD, client=sign_in_pb2.ClientContext(ip_address="192.0.2.7")
        )
        await client.accounts.SignIn(request)


def _give(key_file: Path, keys: str) -> None:
    key_file.touch(0o600)
    key_file.write_text(keys)


async def _users(service: Service) -> list[User]:
    return [await service.signed_in_user() for _ in range(_KEEPERS + _ARRIVALS)]


async def _due_at_once(database: str) -> None:
    """Bring forward what the schedule gives verifiers ten minutes for."""
    admin = await asyncpg.connect(database)
    try:
        await admin.execute("UPDATE signing_keys SET sign_time = now() WHERE sign_time > now()")
    finally:
        await admin.close()
