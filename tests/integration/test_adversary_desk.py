"""The support desk against one agent alone, and against whoever meets its work with a link or a password."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.integration import recoveries
from tests.integration.desk import REASON, Desk, open_desk
from tests.integration.email_steps import move, undo
from tests.service import Service, User, refused
from twofold.v1 import account_pb2, support_pb2
from twofold_server.domain.callers import Role
from twofold_server.domain.values import EmailAddress


@pytest.fixture
async def desk(service: Service) -> Desk:
    """A desk that serves the agents' own realm too."""
    return await open_desk(
        service,
        ("default", Role.SUPPORT, False),
        ("support", Role.SUPPORT, False),
        ("support", Role.FRONTEND, True),
    )


async def unlock(desk: Desk, agent: User, account_id: str, realm_id: str = "default") -> support_pb2.FoundAccount:
    """Unlock an account of a realm."""
    request = support_pb2.UnlockAccountRequest(realm_id=realm_id, account_id=account_id, reason=REASON)
    return (await desk.stub.UnlockAccount(request, metadata=desk.as_(agent))).account


async def looked_up(desk: Desk) -> list[dict[str, Any]]:
    """The details of every look-up's event."""
    rows = await desk.service.app.pool.fetch(
        "SELECT details FROM events WHERE kind = 'accounts_looked_up' ORDER BY event_id"
    )
    return [row["details"] for row in rows]


async def test_one_agent_alone_brings_no_ended_agent_back(service: Service, desk: Desk) -> None:
    """Whom the operator ended stays ended: what takes two can't be done by one who unlocks the other account."""
    agent, ended = await desk.agent(), await desk.agent()
    user = await service.two_factor_user()
    case = await desk.approved(agent, ended, user.account_id)
    await desk.agents.end(EmailAddress.parse(ended.email))
    with refused("AGENT_NOT_ELIGIBLE"):
        await unlock(desk, agent, ended.account_id, "support")
    await desk.wait(86400 + 1, agent)
    with refused("CASE_NOT_READY"):
        await desk.execute(agent, case)
    # The operator's own word is another matter.
    await desk.agents.restore(EmailAddress.parse(ended.email))
    assert (await desk.execute(await desk.sign_in(ended), case)).support_code


async def test_one_agent_alone_revives_no_invitation(service: Service, desk: Desk) -> None:
    """An invitation that the operator let lapse stays so, and its token, which is handed over, is mailed to nobody."""
    agent = await desk.agent()
    await desk.agents.add(EmailAddress.parse("confederate@desk.example.org"))
    for _ in range(2):
        with refused("SIGN_UP_NOT_FOUND", "email"):
            await desk.stub.ReviveActivation(
                support_pb2.ReviveActivationRequest(realm_id="support", email="confederate@desk.example.org"),
                metadata=desk.as_(agent),
            )
        await desk.wait(3 * 86400, agent)
    assert not await service.mails("confederate@desk.example.org")


async def test_an_unlocking_that_changes_nothing_is_a_look_up(service: Service, desk: Desk) -> None:
    """What an agent is shown of an account is counted and told by an event, whichever method shows it."""
    await service.app.services.realms.set("support", {"support_lookups_per_hour": "2"})
    agent, user = await desk.agent(), await service.two_factor_user()
    for _ in range(2):
        assert (await unlock(desk, agent, user.account_id)).masked_email
    assert [entry["agent_id"] for entry in await looked_up(desk)] == [agent.account_id] * 2
    with refused("SUPPORT_LIMIT_REACHED"):
        await unlock(desk, agent, user.account_id)
    # What protects is done whatever was looked up before, and again: only what it shows is held back.
    assert (await desk.lock(agent, user.account_id)).state == support_pb2.ACCOUNT_STATE_LOCKED
    with refused("SUPPORT_LIMIT_REACHED"):
        await desk.lock(agent, user.account_id)


async def test_whose_an_address_is_can_not_be_tried_by_cases(service: Service, desk: Desk) -> None:
    """A case that is to correct an address tells whether that has an account: such a try is counted as a look-up."""
    await service.app.services.realms.set("support", {"support_lookups_per_hour": "2"})
    agent, user, other = await desk.agent(), await service.new_user(), await service.new_user()
    correction = support_pb2.CorrectEmail(email=other.email)
    for _ in range(2):
        with refused("ADDRESS_TAKEN"):
            await desk.open(agent, user.account_id, correct_email=correction)
    assert [entry["found"] for entry in await looked_up(desk)] == [1, 1]
    with refused("SUPPORT_LIMIT_REACHED"):
        await desk.open(agent, user.account_id, correct_email=correction)


async def test_a_tag_makes_no_account_another_persons(service: Service, desk: Desk) -> None:
    """An agent's own account under a tag of the agent's address is the agent's own."""
    opener, approver = await desk.agent(), await desk.agent()
    own = await service.two_factor_user(approver.email.replace("@", "+shop@"))
    case = await desk.open(opener, own.account_id)
    with refused("AGENT_NOT_ELIGIBLE"):
        await desk.approve(approver, case)
    user = await service.new_user()
    with refused("AGENT_NOT_ELIGIBLE"):
        await desk.open(
            approver,
            user.account_id,
            correct_email=support_pb2.CorrectEmail(email=approver.email.replace("@", "+new@")),
        )


async def test_an_agent_stays_who_they_are(service: Service, desk: Desk) -> None:
    """No other address, under which their own account would be another's, and no end of the account in its events."""
    agent = await desk.agent()
    with refused("AGENT_NOT_ELIGIBLE"):
        await service.accounts.ChangeEmail(
            account_pb2.ChangeEmailRequest(new_email="another@example.org", client=service.client),
            metadata=desk.as_(agent),
        )
    with refused("AGENT_NOT_ELIGIBLE"):
        await service.accounts.DeleteAccount(
            account_pb2.DeleteAccountRequest(
                reauthentication=agent.reauthentication, second_factor=service.code(agent, 1), client=service.client
            ),
            metadata=desk.as_(agent),
        )
    assert await desk.open(agent, (await service.two_factor_user()).account_id)


async def test_no_link_of_before_gets_past_a_lock(service: Service, desk: Desk) -> None:
    """Reset, each step of a recovery, a change of address taken back; the steps get nowhere afterwards either."""
    agent, user = await desk.agent(), await recoveries.reachable_user(service)
    service.clock.advance(30)
    await service.sign_in(user, second_factor=service.code(user))
    undo_token = await move(service, user)
    reset = await recoveries.asked(service, user)
    opened = await recoveries.begun(service, user)
    token, code = await recoveries.under_way(service, user)
    await desk.lock(agent, user.account_id)
    steps: list[tuple[str, str, Callable[[], Awaitable[object]]]] = [
        ("ACCOUNT_LOCKED", "TICKET_NOT_FOUND", lambda: recoveries.reset(service, reset)),
        ("ACCOUNT_LOCKED", "TICKET_NOT_FOUND", lambda: recoveries.confirm(service, opened)),
        ("TICKET_NOT_FOUND", "TICKET_NOT_FOUND", lambda: recoveries.send(service, token)),
        ("TICKET_NOT_FOUND", "TICKET_NOT_FOUND", lambda: recoveries.finish(service, token, code)),
    ]
    for locked, _, step in steps:
        with refused(locked):
            await step()
    for password in ("", user.password):
        with refused("TICKET_NOT_FOUND"):
            await undo(service, undo_token, password=password)
    await desk.unlock(agent, user.account_id)
    for _, unlocked, step in steps:
        with refused(unlocked):
            await step()
    assert (await service.sign_in(User(user.email, user.password))).HasField("challenge")
