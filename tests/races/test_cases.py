"""Cases of the support desk that two servers decide at once: one outcome, and the events say which."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from tests.integration.desk import Desk, link_in_mail, open_desk
from tests.integration.email_steps import move, new_address, undo
from tests.races.gates import met_in_lock, outcome
from tests.service import Service, User, refused
from twofold.v1 import support_pb2, support_pb2_grpc
from twofold_server.db import cases as statements
from twofold_server.db.pool import Connection

Services = tuple[Service, Service]
ENDS = {"case_rejected", "case_cancelled", "case_executed", "case_expired"}


async def second_desk(other: Service, desk: Desk) -> Desk:
    """The same desk at the other server."""
    stub: Any = support_pb2_grpc.SupportServiceStub(other.channel)
    return Desk(other, desk.metadata, stub, desk.agents)


async def story_of(desk: Desk, case: support_pb2.Case) -> list[str]:
    """The steps of a case, as its events have them."""
    return [kind for kind, details in await desk.events(case.account_id) if details.get("case_id") == case.case_id]


async def ready(desk: Desk, opener: User, approver: User, *, approved: bool) -> tuple[User, support_pb2.Case, str]:
    """A user with a case that waits for its approval, or could be executed, and the link that cancels it."""
    user = await desk.service.two_factor_user()
    case = await desk.open(opener, user.account_id)
    token = await link_in_mail(desk.service, user.email)
    if approved:
        await desk.approve(approver, case)
        await desk.service.app.pool.execute(
            "UPDATE cases SET approve_time = approve_time - interval '4 days' WHERE case_id = $1::text::uuid",
            case.case_id,
        )
    return user, case, token


@pytest.mark.parametrize("seed", range(4))
async def test_steps_at_once_and_in_any_order_leave_one_outcome(two_services: Services, seed: int) -> None:
    """Approve, reject, cancel (by link too) and execute, each at two servers: one end, told by events and row."""
    chance = random.Random(seed)
    one, other = two_services
    desk = await open_desk(one)
    desks = (desk, await second_desk(other, desk))
    opener, approver, third = await desk.agent(), await desk.agent(), await desk.agent()
    for approved in (False, True):
        user, case, token = await ready(desk, opener, approver, approved=approved)

        def steps(at: Desk, case: support_pb2.Case, token: str) -> list[Callable[[], Awaitable[Any]]]:
            return [
                lambda: at.approve(approver, case),
                lambda: at.reject(third, case),
                lambda: at.cancel(third, case),
                lambda: at.cancel_by_link(token),
                lambda: at.execute(opener, case),
            ]

        calls = [call for at in desks for call in steps(at, case, token)]
        chance.shuffle(calls)
        came_to = await asyncio.gather(*[outcome(call()) for call in calls])
        assert set(came_to) <= {
            "done",
            "CASE_NOT_OPEN",
            "CASE_NOT_READY",
            "TICKET_NOT_FOUND",
            "DATABASE_UNAVAILABLE",
        }, came_to
        story = await story_of(desk, case)
        ended = [kind for kind in story if kind in ENDS]
        assert len(ended) == 1, story
        assert story.count("case_approved") <= 1
        final = await desk.case(opener, case)
        assert ended == [f"case_{support_pb2.CaseState.Name(final.state).removeprefix('CASE_STATE_').lower()}"]
        executed = final.state == support_pb2.CASE_STATE_EXECUTED
        assert (await one.sign_in(User(user.email, user.password))).HasField("challenge") is not executed
        notices = await one.app.pool.fetch(
            "SELECT kind FROM outbox WHERE account_id = $1::text::uuid AND kind IN ('case_closed', 'case_executed')",
            user.account_id,
        )
        assert [row["kind"] for row in notices] == ["case_executed" if executed else "case_closed"]


@pytest.mark.parametrize("step", ["cancel", "cancel_by_link", "execute"])
@pytest.mark.parametrize("state", ["cancelled", "executed"])
async def test_a_step_that_waited_sees_the_end_that_came_first(service: Service, step: str, state: str) -> None:
    """The first is held uncommitted, the second waits for it, and then does nothing."""
    desk = await open_desk(service)
    opener, approver = await desk.agent(), await desk.agent()
    user, case, token = await ready(desk, opener, approver, approved=True)

    async def first(tx: Connection) -> None:
        row = await statements.get(tx, "default", UUID(case.case_id))
        assert row is not None
        assert await statements.lock_subject(tx, "default", row.account_id)
        assert await statements.close(
            tx, "default", row.case_id, state=state, of=["open", "approved"], now=service.clock()
        )

    async def late() -> Any:
        match step:
            case "cancel":
                return await desk.cancel(opener, case)
            case "cancel_by_link":
                return await desk.cancel_by_link(token)
            case _:
                return await desk.execute(opener, case)

    async with met_in_lock(service, first, late) as second:
        came_to = await outcome(second)
    # A repeat by an agent of what was done gets the state reached.
    expected = {"cancel_by_link": "TICKET_NOT_FOUND"}.get(step, "CASE_NOT_OPEN")
    assert came_to == ("done" if (step, state) == ("cancel", "cancelled") else expected)
    assert not ENDS & set(await story_of(desk, case))
    assert (await service.sign_in(User(user.email, user.password))).HasField("challenge")


async def test_two_approvals_at_once_are_one(two_services: Services) -> None:
    """Of two agents one approves; the other is told that it is past that."""
    one, other = two_services
    desk = await open_desk(one)
    there = await second_desk(other, desk)
    opener, first, second = await desk.agent(), await desk.agent(), await desk.agent()
    for _ in range(5):
        user = await one.two_factor_user()
        case = await desk.open(opener, user.account_id)
        came_to = await asyncio.gather(outcome(desk.approve(first, case)), outcome(there.approve(second, case)))
        assert sorted(came_to) == ["CASE_NOT_OPEN", "done"]
        assert (await story_of(desk, case)).count("case_approved") == 1


async def test_of_cases_opened_at_once_one_stands(two_services: Services) -> None:
    """Two agents open a case of one account at once, and one of them sends the request twice: one case."""
    one, other = two_services
    desk = await open_desk(one)
    there = await second_desk(other, desk)
    first, second = await desk.agent(), await desk.agent()
    for number in range(5):
        user = await one.two_factor_user()
        request_id = f"0197a1b2-0000-7000-8000-00000000000{number}"
        came_to = await asyncio.gather(
            outcome(desk.open(first, user.account_id, request_id=request_id)),
            outcome(there.open(first, user.account_id, request_id=request_id)),
            outcome(there.open(second, user.account_id)),
        )
        assert set(came_to) <= {"done", "CASE_ALREADY_OPEN"}
        assert came_to[0] == came_to[1] != came_to[2]
        opened = [kind for kind, _ in await desk.events(user.account_id) if kind == "case_opened"]
        assert len(opened) == 1


async def test_an_agent_who_is_locked_while_a_step_waits_does_not_take_it(service: Service) -> None:
    """The call passed the boundary; the lock of the agent's account came first, and ends it."""
    desk = await open_desk(service)
    opener, approver = await desk.agent(), await desk.agent()
    user, case, _ = await ready(desk, opener, approver, approved=True)

    async def ended(tx: Connection) -> None:
        await tx.execute(
            "UPDATE accounts SET state = 'locked', epoch = epoch + 1 WHERE account_id = $1::text::uuid",
            opener.account_id,
        )

    async with met_in_lock(service, ended, lambda: desk.execute(opener, case)) as executed:
        assert await outcome(executed) == "SESSION_ENDED"
    assert (await service.sign_in(User(user.email, user.password))).HasField("challenge")
    assert (await desk.case(approver, case)).state == support_pb2.CASE_STATE_APPROVED


async def test_expiry_and_execution_at_once_leave_one_outcome(two_services: Services) -> None:
    """A case at its end: whichever writes first, it is executed or expired, and never both."""
    one, other = two_services
    desk = await open_desk(one)
    opener, approver = await desk.agent(), await desk.agent()
    for early in (True, False):
        _, case, _ = await ready(desk, opener, approver, approved=True)
        await one.app.pool.execute(
            "UPDATE cases SET expire_time = $1", one.clock() if not early else one.clock().replace(year=2027)
        )
        cases = _cases_of(other)
        came_to, _ = await asyncio.gather(outcome(desk.execute(opener, case)), cases.expire_overdue())
        story = await story_of(desk, case)
        assert came_to == ("done" if early else "CASE_NOT_OPEN")
        assert [kind for kind in story if kind in ENDS] == (["case_executed"] if early else ["case_expired"])
        with refused("CASE_NOT_OPEN"):
            await desk.cancel(opener, case)


async def test_a_link_in_use_does_not_outlive_the_correction(service: Service) -> None:
    """Whoever keeps using the link that takes a change of address back has none left once support has corrected it."""
    desk = await open_desk(service)
    opener, approver = await desk.agent(), await desk.agent()
    user = await service.signed_in_user()
    token = await move(service, user)
    right = new_address()
    case = await desk.open(opener, user.account_id, correct_email=support_pb2.CorrectEmail(email=right))
    await desk.confirm(await link_in_mail(service, right))
    await desk.approve(approver, case)
    await service.app.pool.execute("UPDATE cases SET approve_time = approve_time - interval '4 days'")

    async def in_use(tx: Connection) -> None:
        await tx.execute("SELECT FROM tickets WHERE purpose = 'undo' FOR NO KEY UPDATE")

    async with met_in_lock(service, in_use, lambda: desk.execute(opener, case)) as executed:
        await executed
    for password in (user.password, ""):
        with refused("TICKET_NOT_FOUND"):
            await undo(service, token, password=password)
    assert (await service.sign_in(User(right, user.password))).HasField("signed_in")


def _cases_of(service: Service) -> Any:
    """The rules of a server's cases."""
    return next(
        servicer for name, servicer in service.app.services.contract.items() if name.name == "SupportService"
    )._cases  # type: ignore[attr-defined]
