"""Phones at once: a proof, a pairing code, a request and the limit of requests are used as often as they may be."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from tests.integration.phones import ask, asked, begin_pairing, challenge, gateway, pair
from tests.races.gates import outcome
from tests.races.overlap import overlap
from tests.service import Service, User
from twofold import Approver
from twofold.v1 import two_factor_pb2, two_factor_pb2_grpc
from twofold_server.db import accounts, approvals, approvers, factors
from twofold_server.db.approvals import Decision, NewRequest
from twofold_server.db.approvers import NewApprover
from twofold_server.db.outbox import OutboxRow
from twofold_server.db.pool import Connection, Pool


@dataclass
class Scene:
    """Two servers, a user with a phone, and a request that is open to it."""

    one: Service
    other: Service
    user: User
    phone: Approver
    found: Any
    number: str
    request_id: UUID

    @property
    def pool(self) -> Pool:
        return self.one.app.pool

    @property
    def now(self) -> datetime:
        return self.one.clock()

    @property
    def approver_id(self) -> UUID:
        return UUID(self.phone.identity.approver_id)

    async def code_mac(self) -> bytes:
        """What the number of the request is stored as."""
        found: bytes = await self.pool.fetchval("SELECT code_mac FROM tickets WHERE ticket_id = $1", self.request_id)
        return found

    def answer(self, decision: Decision, mac: bytes, now: datetime | None = None) -> Any:
        """An answer of the phone to the request, as a statement."""
        at = now or self.now

        async def run(connection: Connection) -> str:
            return await approvals.answer(
                connection,
                "default",
                account_id=UUID(self.user.account_id),
                epoch=1,
                approver_id=self.approver_id,
                request_id=self.request_id,
                decision=decision,
                code_macs=[mac],
                client_id="shop",
                now=at,
                limit=3,
                event_id=uuid7(),
                revocation_id=uuid7(),
                revocation_expire=at + timedelta(minutes=10),
                notice=_notice(at),
            )

        return run

    def ask(self, challenge_id: UUID) -> Any:
        """A further request of a challenge, as a statement."""

        async def run(connection: Connection) -> str:
            new = NewRequest(
                request_id=uuid7(),
                challenge_id=challenge_id,
                account_id=UUID(self.user.account_id),
                epoch=1,
                client_id="shop",
                device_id=None,
                handle_hash=uuid7().bytes,
                code_mac=b"mac",
                payload=b"sealed",
                create_time=self.now,
                expire_time=self.now + timedelta(minutes=1),
            )
            came, _ = await approvals.ask(
                connection, "default", new, window=timedelta(minutes=10), limit=3, event_id=uuid7(), wake_ups=()
            )
            return came

        return run


@pytest.fixture
async def scene(two_services: tuple[Service, Service]) -> AsyncIterator[Scene]:
    """A request that waits for an answer."""
    one, other = two_services
    async with gateway(one) as client:
        user = await one.signed_in_user()
        phone = await pair(one, client, user)
        found, number, request_id = await asked(one, user, phone)
        yield Scene(one, other, user, phone, found, number, UUID(request_id))


def _notice(now: datetime) -> OutboxRow:
    return OutboxRow(
        outbox_id=uuid7(),
        realm_id="default",
        account_id=None,
        ticket_id=None,
        kind="approval_not_me",
        address_mac=b"",
        payload=b"",
        priority=5,
        create_time=now,
        due_time=now,
        expire_time=now + timedelta(days=7),
    )


async def _challenge_id(scene: Scene) -> UUID:
    found: UUID = await scene.pool.fetchval("SELECT subject::uuid FROM tickets WHERE ticket_id = $1", scene.request_id)
    return found


@pytest.mark.parametrize("second", ["deny", "not_me", "approve"])
async def test_of_two_answers_at_once_the_first_counts(scene: Scene, second: Decision) -> None:
    """An answer that meets another one waits for it, and finds the request answered."""
    mac = await scene.code_mac()
    met = await overlap(scene.pool, scene.answer("approve", mac), scene.answer(second, mac))
    assert (met.first, met.second, met.waited) == ("approved", "no_request", True)
    assert await scene.pool.fetchval("SELECT answer FROM tickets WHERE ticket_id = $1", scene.request_id) == "approved"


async def test_a_right_number_that_meets_a_wrong_one_is_refused(scene: Scene) -> None:
    """Two guesses at once are one guess."""
    mac = await scene.code_mac()
    met = await overlap(scene.pool, scene.answer("approve", b"wrong"), scene.answer("approve", mac))
    assert (met.first, met.second) == ("wrong_number", "no_request")


async def test_an_answer_that_meets_the_next_request_is_refused(scene: Scene) -> None:
    """Asked again while the phone answers: the answer was to what is no more."""
    mac = await scene.code_mac()
    met = await overlap(scene.pool, scene.ask(await _challenge_id(scene)), scene.answer("approve", mac))
    assert (met.first, met.second, met.waited) == ("asked", "no_request", True)


async def test_an_answer_that_meets_the_removal_of_its_phone_is_refused(scene: Scene) -> None:
    """A phone that is being removed approves nothing more."""
    mac = await scene.code_mac()

    async def remove(connection: Connection) -> None:
        await connection.execute("DELETE FROM factors WHERE kind = 'push'")

    met = await overlap(scene.pool, remove, scene.answer("approve", mac))
    assert (met.second, met.waited) == ("no_request", True)


async def test_an_answer_and_the_removal_of_its_phone_never_wait_for_each_other(scene: Scene) -> None:
    """Both begin with the account: a removal that is half done goes on, and the answer that waits finds no phone."""
    answer, account_id = scene.answer("approve", await scene.code_mac()), UUID(scene.user.account_id)
    async with scene.pool.acquire() as one, scene.pool.acquire() as other:
        async with one.transaction():
            assert await accounts.lock(one, "default", account_id) is not None
            # As far as the removal has come once it holds the factor, whose going takes the phone with it.
            factor_id = await one.fetchval("SELECT factor_id FROM factors WHERE kind = 'push' FOR UPDATE")
            pid = await other.fetchval("SELECT pg_backend_pid()")
            task = asyncio.ensure_future(answer(other))
            async with asyncio.timeout(4):
                while not await scene.pool.fetchval(
                    "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND NOT granted)", pid
                ):
                    assert not task.done()
                    await asyncio.sleep(0.003)
            assert await factors.remove(one, "default", account_id, factor_id) is not None
        assert await task == "no_request"


@pytest.mark.parametrize("change", ["epoch = epoch + 1", "state = 'locked'"])
async def test_an_answer_that_meets_a_change_of_its_account_is_refused(scene: Scene, change: str) -> None:
    """What the phone was asked for an account of before says nothing for the one of after."""
    mac = await scene.code_mac()
    met = await overlap(
        scene.pool, lambda connection: connection.execute(f"UPDATE accounts SET {change}"), scene.answer("approve", mac)
    )
    assert (met.second, met.waited) == ("no_request", True)


@pytest.mark.parametrize(("seconds", "came"), [(59.999, "approved"), (60, "no_request")])
async def test_a_request_is_answered_before_its_last_moment(scene: Scene, seconds: float, came: str) -> None:
    """At the end of its 60 s an answer is too late, whatever the phone's own clock says."""
    run = scene.answer("approve", await scene.code_mac(), scene.now + timedelta(seconds=seconds))
    assert await run(scene.pool) == came


async def test_answers_at_two_servers_at_once(scene: Scene) -> None:
    """Ten approvals over two servers, each with a proof of its own: one is taken."""
    async with gateway(scene.one) as near, gateway(scene.other) as far:
        phones = [Approver(client, scene.phone.identity, clock=scene.now.timestamp) for client in (near, far)]

        async def approve(phone: Approver) -> str:
            try:
                await phone.approve(str(scene.request_id), scene.number)
            except Exception as error:  # noqa: BLE001
                return str(getattr(error, "reason", error))
            return "approved"

        came = Counter(await asyncio.gather(*[approve(phones[n % 2]) for n in range(10)]))
    assert came == {"approved": 1, "APPROVAL_NOT_FOUND": 9}


async def test_a_proof_that_meets_itself_is_good_once(scene: Scene) -> None:
    """Of two uses of one proof the second waits for the first, and is refused."""
    end = scene.now + timedelta(seconds=90)

    async def spend(connection: Connection) -> bool:
        return await approvers.spend_proof(connection, "default", scene.approver_id, 1, b"hash", end)

    met = await overlap(scene.pool, spend, spend)
    assert (met.first, met.second, met.waited) == (True, False, True)


async def test_a_proof_replayed_at_two_servers_is_taken_once(scene: Scene) -> None:
    """One proof sent ten times to two servers at once opens one stream."""
    metadata = (("twofold-approver", scene.phone.proof("WatchApprovals")),)

    async def watch(service: Service) -> str:
        stub: Any = two_factor_pb2_grpc.TwoFactorServiceStub(service.channel)
        stream = stub.WatchApprovals(two_factor_pb2.WatchApprovalsRequest(), metadata=metadata)
        came = await outcome(stream.read())
        stream.cancel()
        return came

    came = Counter(await asyncio.gather(*[watch((scene.one, scene.other)[n % 2]) for n in range(10)]))
    assert came == {"done": 1, "APPROVER_INVALID": 9}


async def test_one_phone_pairs_with_a_code(scene: Scene) -> None:
    """Of two phones that use one code at once the first is paired."""
    begun = await begin_pairing(scene.one, scene.user)
    assert begun.push.pairing_code
    ticket_id = await scene.pool.fetchval(
        "SELECT ticket_id FROM tickets WHERE purpose = 'pairing' AND spent_time IS NULL"
    )

    def paired(new: NewApprover) -> Any:
        return lambda connection: approvers.pair(connection, "default", ticket_id, new, scene.now)

    new = NewApprover(uuid7(), b"key", "ES256", "Phone", None)
    met = await overlap(scene.pool, paired(new), paired(replace(new, approver_id=uuid7())))
    assert (met.first, met.second, met.waited) == (True, False, True)


async def test_of_requests_at_once_as_many_pass_as_may(scene: Scene) -> None:
    """The third request of an account lets the fourth, which meets it, not through."""
    service, user = scene.one, scene.user
    await ask(service, await challenge(service, user))
    ids = []
    for _ in range(2):
        await challenge(service, user)
        ids.append(
            await scene.pool.fetchval(
                "SELECT ticket_id FROM tickets WHERE purpose = 'challenge' ORDER BY ticket_id DESC LIMIT 1"
            )
        )
    met = await overlap(scene.pool, scene.ask(ids[0]), scene.ask(ids[1]))
    assert (met.first, met.second, met.waited) == ("asked", "limited", True)
