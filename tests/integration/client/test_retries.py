"""When a call is made again, and when it must not be."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import grpc
import pytest

from tests.integration.client.fake_server import FakeServer, bare, fails, hangs, retry_info, works
from twofold import Client, SyncClient, TwofoldError, Unavailable
from twofold.v1 import account_pb2, session_pb2, two_factor_pb2

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from tests.integration.client.conftest import Call, Connect

Code = grpc.StatusCode
draining = fails(Code.UNAVAILABLE, "SERVER_DRAINING")
cut_off = fails(Code.UNAVAILABLE, "CALL_CUT_OFF")
SIGN_IN = account_pb2.SignInRequest(email="ada@example.com", password="correct horse")
GET_ACCOUNT = account_pb2.GetAccountRequest()

REPEATABLE: list[tuple[str, Message]] = [
    ("accounts.GetAccount", GET_ACCOUNT),  # NO_SIDE_EFFECTS
    ("accounts.UpdateAccount", account_pb2.UpdateAccountRequest()),  # IDEMPOTENT
    ("sessions.RefreshSession", session_pb2.RefreshSessionRequest()),  # IDEMPOTENT
]
ONCE: list[tuple[str, Message]] = [
    ("accounts.SignIn", SIGN_IN),
    ("accounts.SignUp", account_pb2.SignUpRequest()),
    ("accounts.ChangePassword", account_pb2.ChangePasswordRequest()),
    ("two_factor.FinishChallenge", two_factor_pb2.FinishChallengeRequest()),
]


@pytest.mark.parametrize(("name", "request_"), REPEATABLE)
@pytest.mark.parametrize("failure", [draining, bare(Code.UNAVAILABLE)])
async def test_unavailable_repeats_what_may_be_repeated(
    fake: FakeServer, call: Call, name: str, request_: Message, failure: object
) -> None:
    """A method with an idempotency level is called again, whoever said UNAVAILABLE, and its answer is returned."""
    fake.will(failure, failure, works)  # type: ignore[arg-type]
    await call(name, request_)
    assert len(fake.seen) == 3


@pytest.mark.parametrize(("name", "request_"), ONCE)
@pytest.mark.parametrize("failure", [cut_off, bare(Code.UNAVAILABLE)])
async def test_unavailable_never_repeats_the_others(
    fake: FakeServer, call: Call, name: str, request_: Message, failure: object
) -> None:
    """SignIn and its like arrive once: the first may have been done, and each counts as an attempt."""
    fake.will(failure)  # type: ignore[arg-type]
    with pytest.raises(Unavailable):
        await call(name, request_)
    assert len(fake.seen) == 1


@pytest.mark.parametrize(("name", "request_"), ONCE)
async def test_a_stopping_server_that_says_so_has_not_begun_the_call(
    fake: FakeServer, call: Call, name: str, request_: Message
) -> None:
    """SERVER_DRAINING says that nothing was done, so any method is called again."""
    fake.will(draining, works)
    await call(name, request_)
    assert len(fake.seen) == 2


@pytest.mark.parametrize(("name", "request_"), [*REPEATABLE, *ONCE])
async def test_cancelled_without_request_id_repeats_any_method(
    fake: FakeServer, call: Call, name: str, request_: Message
) -> None:
    """A stopping server cancels what its service never saw: nothing was done, so any method is called again."""
    fake.will(bare(Code.CANCELLED), works)
    await call(name, request_)
    assert len(fake.seen) == 2


@pytest.mark.parametrize(("name", "request_"), [*REPEATABLE, *ONCE])
async def test_cancelled_with_request_id_is_not_repeated(
    fake: FakeServer, call: Call, name: str, request_: Message
) -> None:
    """Where the service itself answered CANCELLED the call had reached it."""
    fake.will(fails(Code.CANCELLED, "SERVER_DRAINING"))
    with pytest.raises(TwofoldError) as caught:
        await call(name, request_)
    assert caught.value.code is Code.CANCELLED
    assert len(fake.seen) == 1


@pytest.mark.parametrize("code", [c for c in Code if c not in (Code.OK, Code.UNAVAILABLE, Code.CANCELLED)])
async def test_no_other_code_is_repeated(fake: FakeServer, call: Call, code: grpc.StatusCode) -> None:
    """Only UNAVAILABLE and CANCELLED ever lead to a repeat."""
    fake.will(bare(code))
    with pytest.raises(TwofoldError):
        await call("accounts.GetAccount", GET_ACCOUNT)
    assert len(fake.seen) == 1


@pytest.mark.parametrize("retries", [0, 2])
async def test_repeats_end_at_the_number_that_was_set(fake: FakeServer, connect: Connect, retries: int) -> None:
    """With `retries=n` a call is made at most n + 1 times, and the last failure is raised."""
    fake.will(*[draining] * 9)
    async with connect(fake.target, retries=retries) as call:
        with pytest.raises(Unavailable) as caught:
            await call("accounts.GetAccount", GET_ACCOUNT)
    assert caught.value.reason == "SERVER_DRAINING"
    assert len(fake.seen) == retries + 1


@pytest.mark.alone
async def test_repeats_stay_within_the_deadline_of_the_call(fake: FakeServer, connect: Connect) -> None:
    """However many repeats are allowed, the whole call ends by its deadline, and each attempt is told what is left."""
    fake.will(*[draining] * 99)
    async with connect(fake.target, retries=99) as call:
        started = time.monotonic()
        with pytest.raises(Unavailable):
            await call("accounts.GetAccount", GET_ACCOUNT, timeout=0.6)
        assert time.monotonic() - started < 0.9
    assert 2 <= len(fake.seen) < 10
    assert fake.seen[-1].seconds_left < fake.seen[0].seconds_left - 0.04


async def test_repeat_waits_as_long_as_the_server_asks(fake: FakeServer, call: Call) -> None:
    """RetryInfo is the least wait before the repeat."""
    fake.will(fails(Code.UNAVAILABLE, "DATABASE_UNAVAILABLE", "Later.", retry_info(0.4)), works)
    started = time.monotonic()
    await call("accounts.GetAccount", GET_ACCOUNT)
    assert 0.4 <= time.monotonic() - started < 1.5


async def test_wait_that_outlasts_the_deadline_is_not_begun(fake: FakeServer, call: Call) -> None:
    """Where the server asks for more than the deadline leaves, its error is raised at once."""
    fake.will(fails(Code.UNAVAILABLE, "DATABASE_UNAVAILABLE", "Later.", retry_info(30)))
    started = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        await call("accounts.GetAccount", GET_ACCOUNT, timeout=3)
    assert time.monotonic() - started < 1
    assert caught.value.retry_after == 30
    assert len(fake.seen) == 1


async def test_cancelled_task_makes_no_further_attempt(fake: FakeServer) -> None:
    """Cancelling the task cancels the call for good, whether it waits for the server or for the next attempt."""
    waits = fails(Code.UNAVAILABLE, "DATABASE_UNAVAILABLE", "Later.", retry_info(0.3))
    async with Client(fake.target) as client:
        for step in (hangs, waits):
            fake.seen.clear()
            fake.will(step)
            task = asyncio.create_task(client.accounts.GetAccount(GET_ACCOUNT))
            await fake.arrivals(1)
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.sleep(0.4)
            assert len(fake.seen) == 1


async def test_closing_the_client_ends_its_calls_with_unavailable(fake: FakeServer) -> None:
    """A call under way when its client is closed raises Unavailable and is not made again; no task is cancelled."""
    client, sync_client = Client(fake.target), SyncClient(fake.target)
    fake.will(hangs, hangs)
    calls = [
        asyncio.create_task(client.accounts.GetAccount(GET_ACCOUNT)),
        asyncio.create_task(asyncio.to_thread(sync_client.accounts.GetAccount, GET_ACCOUNT)),
    ]
    await fake.arrivals(2)
    await client.close()
    sync_client.close()
    for task in calls:
        with pytest.raises(Unavailable, match="closed") as caught:
            await task
        assert caught.value.code is Code.UNAVAILABLE  # it may have been done, which CANCELLED would deny
    assert len(fake.seen) == 2


async def test_call_outlives_the_server_it_was_made_to(connect: Connect) -> None:
    """A repeatable call whose server dies under it is answered by the next; a sign-in is not made a second time."""
    first, second = FakeServer(), FakeServer()
    server = first.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with connect(f"127.0.0.1:{port}", retries=20) as call:
        first.will(hangs, hangs)
        safe = asyncio.create_task(call("accounts.GetAccount", GET_ACCOUNT))
        once = asyncio.create_task(call("accounts.SignIn", SIGN_IN))
        await first.arrivals(2)
        await server.stop(0)
        successor = second.server()
        successor.add_insecure_port(f"127.0.0.1:{port}")
        await successor.start()
        await safe
        with pytest.raises(Unavailable):
            await once
        await successor.stop(0)
    assert second.methods() == ["GetAccount"]


async def test_wait_for_ready_waits_for_a_server_to_come(connect: Connect) -> None:
    """With `wait_for_ready` a call made while nobody listens is sent, once, when somebody does; without, it fails."""
    probe = FakeServer().server()
    port = probe.add_insecure_port("127.0.0.1:0")
    await probe.start()
    await probe.stop(0)
    async with connect(f"127.0.0.1:{port}") as call:
        with pytest.raises(Unavailable):
            await call("accounts.SignIn", SIGN_IN)
    fake = FakeServer()
    async with connect(f"127.0.0.1:{port}", wait_for_ready=True) as call:
        pending = asyncio.create_task(call("accounts.SignIn", SIGN_IN))
        await asyncio.sleep(0.3)
        server = fake.server()
        server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        await pending
        await server.stop(0)
    assert fake.methods() == ["SignIn"]
