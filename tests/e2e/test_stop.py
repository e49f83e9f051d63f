"""SIGTERM: health says so, calls under way finish, nothing is left, and callers notice nothing."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from dev.stage import Mailbox
from tests.e2e.conftest import Launch
from tests.e2e.program import Program, development, free_address
from twofold import Client, TwofoldError
from twofold.v1 import account_pb2, session_pb2, sign_in_pb2

PASSWORD = "correct horse battery 9"
SIDE = sign_in_pb2.ClientContext(ip_address="192.0.2.7", user_agent="Test/1.0")
SIGN_IN = account_pb2.SignInRequest(email="ada@example.org", password=PASSWORD, client=SIDE)
# One account: five of its hashes at a time is the limit.
_WORKERS = 4


@dataclass
class Load:
    """What callers saw: how many calls were answered, by method, and every failure."""

    answered: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    _stopping: bool = False

    async def work(self, address: str) -> None:
        """Sign in, refresh and look, over and over, as a front end with a connection of its own does."""
        async with Client(address, wait_for_ready=True, deadline=20.0) as client:
            while not self._stopping:
                answer = await self._call("SignIn", client.accounts.SignIn(SIGN_IN))
                for _ in range(5):
                    if answer is None or self._stopping:
                        break
                    tokens = (answer.signed_in if hasattr(answer, "signed_in") else answer).tokens
                    await self._call(
                        "GetAccount",
                        client.accounts.GetAccount(account_pb2.GetAccountRequest(), session=tokens.access_token),
                    )
                    answer = await self._call(
                        "RefreshSession",
                        client.sessions.RefreshSession(
                            session_pb2.RefreshSessionRequest(refresh_token=tokens.refresh_token)
                        ),
                    )

    async def _call(self, name: str, call: Any) -> Any:
        try:
            answer = await call
        except TwofoldError as error:
            self.failed.append(f"{name}: {error}")
            return None
        self.answered[name] = self.answered.get(name, 0) + 1
        return answer

    @asynccontextmanager
    async def running(self, address: str) -> AsyncIterator[None]:
        """Callers at work for the length of the block, and until each of their calls has ended."""
        async with asyncio.TaskGroup() as group:
            for _ in range(_WORKERS):
                group.create_task(self.work(address))
            yield
            self._stopping = True

    async def more(self, calls: int) -> None:
        """Wait until so many more calls of each kind have been answered."""
        before = dict(self.answered)
        async with asyncio.timeout(30):
            while any(
                self.answered.get(name, 0) < before.get(name, 0) + calls
                for name in ("SignIn", "GetAccount", "RefreshSession")
            ):
                await asyncio.sleep(0.01)


async def make_account(program: Program, sent: Path) -> None:
    """The account that the calls are about."""
    async with Client(program.address) as client:
        claim = await client.accounts.SignUp(
            account_pb2.SignUpRequest(email=SIGN_IN.email, password=PASSWORD, client=SIDE)
        )
        letter = await Mailbox(sent, SIGN_IN.email).newest_link()
        await client.accounts.ActivateAccount(
            account_pb2.ActivateAccountRequest(
                activation_token=letter.token, sign_up_binding=claim.sign_up_binding, client=SIDE
            )
        )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_health_and_calls_under_way(
    launch: Launch, database: str, tmp_path: Path, number: signal.Signals
) -> None:
    """Whoever watches health hears NOT_SERVING, a call under way gets its answer, and the server ends with 0, whole."""
    # A hash takes a few tenths of a second.
    program = await launch(development(database, tmp_path, argon2_memory_kib=65536, argon2_time_cost=6))
    await make_account(program, tmp_path / "sent")
    async with (
        Client(program.address) as client,
        grpc.aio.insecure_channel(program.address, (("grpc.use_local_subchannel_pool", 1),)) as channel,
    ):
        stub: Any = health_pb2_grpc.HealthStub(channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        await client.wait_ready()
        under_way = asyncio.create_task(client.accounts.SignIn(SIGN_IN, timeout=20.0))
        await asyncio.sleep(0.1)
        assert not under_way.done()
        program.tell(number)
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert (await under_way).signed_in.tokens.access_token
        with pytest.raises(grpc.aio.AioRpcError) as end:
            await watch.read()
        assert end.value.code() is grpc.StatusCode.UNAVAILABLE
    assert await program.ended() == 0
    assert program.nothing_left()
    with pytest.raises(grpc.aio.AioRpcError):
        await program.health()


async def test_no_call_fails_where_another_server_shares_the_port(
    launch: Launch, database: str, tmp_path: Path
) -> None:
    """With a second server on the same port, no call of any method fails while the first is told to stop."""
    settings, address = development(database, tmp_path, reuse_port="true"), free_address()
    first = await launch(settings, address)
    await make_account(first, tmp_path / "sent")
    load = Load()
    async with load.running(address):
        await load.more(10)
        second = await launch(settings, address)
        first.tell(signal.SIGTERM)
        assert await first.ended() == 0
        await load.more(10)
    assert load.failed == []
    assert first.nothing_left()
    assert second.process.poll() is None


async def test_no_call_fails_across_a_restart(launch: Launch, database: str, tmp_path: Path) -> None:
    """Where the next server starts only after the first has ended, calls wait for it and none fails."""
    settings, address = development(database, tmp_path), free_address()
    first = await launch(settings, address)
    await make_account(first, tmp_path / "sent")
    load = Load()
    async with load.running(address):
        await load.more(10)
        first.tell(signal.SIGTERM)
        assert await first.ended() == 0
        await launch(settings, address)
        await load.more(10)
    assert load.failed == []
