"""The support desk: cases worked by two agents, from the call to the changed account."""

from __future__ import annotations

import grpc.aio
import pytest

from tests.integration.desk import DAY, Desk, link_in_mail, link_in_text, open_desk
from tests.integration.test_phone_numbers import set_number, texts
from tests.service import Service, refused, retry_after, tokens_in
from twofold.v1 import support_pb2

NUMBER = "+420605987654"


@pytest.fixture
async def desk(service: Service) -> Desk:
    """A desk with no agents yet."""
    return await open_desk(service)


async def subjects(service: Service, to: str) -> str:
    """The subjects of all mail to an address."""
    return " | ".join([" ".join(str(mail["Subject"]).split()) for mail in await service.mails(to)])


async def test_a_reset_from_the_call_to_the_new_start(service: Service, desk: Desk) -> None:
    """Opened by one agent, approved by another, executed after 24 h: every factor, session and device is gone."""
    opener, approver = await desk.agent(), await desk.agent()
    user = await service.two_factor_user()
    case = await desk.open(opener, user.account_id, evidence=["ticket 4711"])
    assert case.state == support_pb2.CASE_STATE_OPEN
    assert (case.opener_id, case.approver_id) == (opener.account_id, "")
    assert list(case.evidence) == ["ticket 4711"]
    (notice,) = [mail for mail in await service.mails(user.email) if "asked to change" in str(mail["Subject"])]
    assert len(tokens_in([notice])) == 1
    case = await desk.approve(approver, case)
    assert case.state == support_pb2.CASE_STATE_APPROVED
    assert case.approver_id == approver.account_id
    assert (case.wait_end_time.seconds - case.approve_time.seconds) == DAY
    assert len(tokens_in(await service.mails(user.email))) == 3  # of the sign-up, the opening and the approval
    with refused("CASE_NOT_READY"):
        await desk.execute(opener, case)
    await desk.wait(DAY + 1, opener)
    done = await desk.execute(opener, case)
    assert done.case.state == support_pb2.CASE_STATE_EXECUTED
    assert done.case.HasField("end_time")
    assert not await service.is_live(user)
    for table in ("factors", "backup_codes", "factor_budgets"):
        left = await service.app.pool.fetchval(
            f"SELECT count(*) FROM {table} WHERE account_id = $1::text::uuid",
            user.account_id,
        )
        assert left == 0, table
    assert "has changed your" in await subjects(service, user.email)
    kinds = [(kind, details.get("agent_id")) for kind, details in await desk.events(user.account_id)]
    assert [kind for kind in kinds if kind[0].startswith("case_")] == [
        ("case_opened", opener.account_id),
        ("case_approved", approver.account_id),
        ("case_executed", opener.account_id),
    ]
    with refused("CASE_NOT_OPEN"):
        await desk.execute(opener, case)


async def test_the_user_stops_a_case_with_the_link_of_any_notice(service: Service, desk: Desk) -> None:
    """The same link in the notices of opening and approval, by mail and SMS: it works once, and nothing is changed."""
    opener, approver = await desk.agent(), await desk.agent()
    user = await service.two_factor_user()
    await set_number(service, user, NUMBER)
    case = await desk.approved(opener, approver, user.account_id)
    mailed = await link_in_mail(service, user.email)
    told = [text for text in await texts(service, NUMBER) if "token=" in text]
    assert {link_in_text(text) for text in told} == {mailed}
    assert len(told) == 2
    await desk.cancel_by_link(mailed)
    with refused("TICKET_NOT_FOUND", "case_token"):
        await desk.cancel_by_link(mailed)
    assert (await desk.case(opener, case)).state == support_pb2.CASE_STATE_CANCELLED
    assert "stays as it is" in await subjects(service, user.email)
    assert ("case_cancelled", "link") in [(k, d.get("by")) for k, d in await desk.events(user.account_id)]
    await desk.wait(DAY + 1, opener)
    with refused("CASE_NOT_OPEN"):
        await desk.execute(opener, case)
    assert (await service.sign_in(user)).HasField("challenge")


async def test_another_address_once_its_owner_has_confirmed(service: Service, desk: Desk) -> None:
    """The new address counts when somebody who reads there has confirmed, and the wait is over; the old one is told."""
    opener, approver = await desk.agent(), await desk.agent()
    user = await service.signed_in_user("before@example.org")
    new = support_pb2.CorrectEmail(email="after@example.org")
    case = await desk.approved(opener, approver, user.account_id, correct_email=new)
    assert case.correct_email.email == "after@example.org"
    await desk.wait(DAY + 1, opener)
    with refused("CASE_NOT_READY"):
        await desk.execute(opener, case)
    token = await link_in_mail(service, "after@example.org")
    assert token not in tokens_in(await service.mails("before@example.org"))
    with refused("TICKET_NOT_FOUND"):
        await desk.cancel_by_link(token)
    await desk.confirm(token)
    with refused("TICKET_NOT_FOUND", "correction_token"):
        await desk.confirm(token)
    done = await desk.execute(opener, case)
    assert done.case.HasField("confirm_time")
    assert not done.support_code
    assert not await service.is_live(user)
    with refused("INVALID_CREDENTIALS"):
        await service.sign_in(user)
    user.email = "after@example.org"
    assert (await service.sign_in(user)).HasField("signed_in")
    for address in ("before@example.org", "after@example.org"):
        assert "has changed your" in await subjects(service, address)


async def test_another_number_once_its_owner_has_confirmed(service: Service, desk: Desk) -> None:
    """The link goes to the new number by SMS; executed, the account's number is that one, and is found by it."""
    opener, approver = await desk.agent(), await desk.agent()
    user = await service.signed_in_user()
    case = await desk.approved(
        opener, approver, user.account_id, correct_phone=support_pb2.CorrectPhone(phone_number=NUMBER)
    )
    (text,) = await texts(service, NUMBER)
    await desk.confirm(link_in_text(text))
    await desk.wait(DAY + 1, opener)
    assert (await desk.execute(opener, case)).case.state == support_pb2.CASE_STATE_EXECUTED
    found = await desk.stub.FindAccounts(
        support_pb2.FindAccountsRequest(realm_id="default", phone_number=NUMBER), metadata=desk.as_(opener)
    )
    assert [account.account_id for account in found.accounts] == [user.account_id]


async def test_who_may_approve(service: Service, desk: Desk) -> None:
    """Neither the opener, nor the account's own user by its address, nor an agent of less than 24 h."""
    opener, other = await desk.agent(), await desk.agent()
    newcomer = await desk.invite()
    user = await service.two_factor_user()
    case = await desk.open(opener, user.account_id)
    for agent in (opener, newcomer):
        with refused("AGENT_NOT_ELIGIBLE"):
            await desk.approve(agent, case)
    subject = await desk.invite(user.email)
    await service.app.pool.execute("UPDATE accounts SET create_time = '2026-01-01' WHERE realm_id = 'support'")
    with refused("AGENT_NOT_ELIGIBLE"):
        await desk.approve(subject, case)
    assert (await desk.approve(other, case)).state == support_pb2.CASE_STATE_APPROVED
    # A repeat of the same agent's gets the state reached; of another's it does not.
    assert (await desk.approve(other, case)).approver_id == other.account_id
    with refused("CASE_NOT_OPEN"):
        await desk.approve(newcomer, case)


async def test_nobody_opens_a_case_of_their_own(service: Service, desk: Desk) -> None:
    """An agent whose address the account has, or is to get, opens nothing."""
    agent = await desk.agent()
    own, other = await service.two_factor_user(agent.email), await service.two_factor_user()
    with refused("AGENT_NOT_ELIGIBLE"):
        await desk.open(agent, own.account_id)
    with refused("AGENT_NOT_ELIGIBLE"):
        await desk.open(agent, other.account_id, correct_email=support_pb2.CorrectEmail(email=agent.email.upper()))


async def test_a_repeat_of_a_request_gets_the_same_case(service: Service, desk: Desk) -> None:
    """One request id is one case, also once it is over; another request by that id is refused."""
    agent = await desk.agent()
    user, other = await service.two_factor_user(), await service.two_factor_user()
    request_id = "0197a1b2-0000-7000-8000-000000000001"
    case = await desk.open(agent, user.account_id, request_id=request_id)
    assert (await desk.open(agent, user.account_id, request_id=request_id)).case_id == case.case_id
    for account_id, reason in ((user.account_id, "Another."), (other.account_id, case.reason)):
        with refused("INVALID_FIELDS", "request_id"):
            await desk.open(agent, account_id, request_id=request_id, reason=reason)
    await desk.cancel(agent, case)
    again = await desk.open(agent, user.account_id, request_id=request_id)
    assert (again.case_id, again.state) == (case.case_id, support_pb2.CASE_STATE_CANCELLED)
    # Another agent's ids are their own.
    assert (await desk.open(await desk.agent(), user.account_id, request_id=request_id)).case_id != case.case_id


async def test_what_can_not_be_opened(service: Service, desk: Desk) -> None:
    """A second case while one stands, a reset of nothing, a taken address, and an account that there is not."""
    agent = await desk.agent()
    user, plain = await service.two_factor_user(), await service.new_user()
    case = await desk.open(agent, user.account_id)
    with refused("CASE_ALREADY_OPEN"):
        await desk.open(agent, user.account_id)
    with refused("TWO_FACTOR_NOT_ENROLLED"):
        await desk.open(agent, plain.account_id)
    with refused("ADDRESS_TAKEN"):
        await desk.open(agent, plain.account_id, correct_email=support_pb2.CorrectEmail(email=user.email.upper()))
    with refused("ACCOUNT_NOT_FOUND", "account_id"):
        await desk.open(agent, case.case_id)
    await desk.reject(agent, case)
    with refused("CASE_NOT_OPEN"):
        await desk.cancel(agent, case)
    assert (await desk.open(agent, user.account_id)).state == support_pb2.CASE_STATE_OPEN


async def test_the_wait_is_72_hours_where_nobody_was_told(service: Service, desk: Desk) -> None:
    """Where no notice was delivered, or the user says that none reaches them, 24 h are not enough."""
    opener, approver = await desk.agent(), await desk.agent()
    silent, unreachable = await service.two_factor_user(), await service.two_factor_user()
    first = await desk.open(opener, silent.account_id)
    # As an outbox that nobody serves, or a mailbox that takes nothing.
    await service.mails()
    await service.app.pool.execute("UPDATE outbox SET state = 'dead' WHERE kind = 'case_opened'")
    second = await desk.open(opener, unreachable.account_id, owner_unreachable=True)
    await service.mails()
    for case in (first, second):
        approved = await desk.approve(approver, case)
        assert approved.wait_end_time.seconds - approved.approve_time.seconds == 3 * DAY
    await desk.wait(3 * DAY - 60, opener)
    for case in (first, second):
        with refused("CASE_NOT_READY"):
            await desk.execute(opener, case)
    await desk.wait(61, opener)
    for case in (first, second):
        await desk.execute(opener, case)


async def test_whoever_is_told_late_has_the_wait_before_them(service: Service, desk: Desk) -> None:
    """A notice that is delivered 10 h after the approval moves the end of the wait by these 10 h."""
    opener, approver = await desk.agent(), await desk.agent()
    user = await service.two_factor_user()
    case = await desk.open(opener, user.account_id)
    await service.app.pool.execute(
        "UPDATE outbox SET due_time = due_time + interval '10 h' WHERE kind = 'case_opened' AND state = 'waiting'"
    )
    case = await desk.approve(approver, case)
    await desk.wait(10 * 3600, opener)
    await service.mails()
    late = await desk.case(opener, case)
    assert late.wait_end_time.seconds - late.approve_time.seconds == DAY + 10 * 3600
    await desk.wait(DAY - 60, opener)
    with refused("CASE_NOT_READY"):
        await desk.execute(opener, case)


async def test_a_case_expires(service: Service, desk: Desk) -> None:
    """After 14 days it is over, whether or not anybody wrote that down; another one may then be opened."""
    opener, approver = await desk.agent(), await desk.agent()
    user = await service.two_factor_user()
    case = await desk.approved(opener, approver, user.account_id)
    token = await link_in_mail(service, user.email)
    await desk.wait(14 * DAY, opener)
    assert (await desk.case(opener, case)).state == support_pb2.CASE_STATE_EXPIRED
    for step in (desk.execute, desk.approve, desk.reject, desk.cancel):
        with refused("CASE_NOT_OPEN"):
            await step(opener, case)
    with refused("TICKET_NOT_FOUND"):
        await desk.cancel_by_link(token)
    again = await desk.open(opener, user.account_id)
    assert "case_expired" in [kind for kind, _ in await desk.events(user.account_id)]
    assert again.state == support_pb2.CASE_STATE_OPEN


async def test_cases_are_listed_newest_first_and_in_pages(service: Service, desk: Desk) -> None:
    """All of the realm or of one account, open ones alone where asked; a page token counts for its own agent."""
    agent = await desk.agent()
    users = [await service.two_factor_user() for _ in range(3)]
    cases = [await desk.open(agent, user.account_id) for user in users]
    await desk.cancel(agent, cases[0])

    async def listed(**fields: object) -> support_pb2.ListCasesResponse:
        request = support_pb2.ListCasesRequest(realm_id="default", **fields)  # type: ignore[arg-type]
        return await desk.stub.ListCases(request, metadata=desk.as_(agent))

    first = await listed(page_size=2)
    assert [case.case_id for case in first.cases] == [case.case_id for case in reversed(cases[1:])]
    rest = await listed(page_size=2, page_token=first.next_page_token)
    assert [case.case_id for case in rest.cases] == [cases[0].case_id]
    assert not rest.next_page_token
    assert len((await listed(open_only=True)).cases) == 2
    assert len((await listed(account_id=users[0].account_id)).cases) == 1
    assert [case.case_id for case in (await listed(open_only=True, page_token=first.next_page_token)).cases] == []
    with refused("INVALID_FIELDS", "page_token"):
        await desk.stub.ListCases(
            support_pb2.ListCasesRequest(realm_id="default", page_token=first.next_page_token),
            metadata=desk.as_(await desk.agent()),
        )


async def test_execution_asks_for_what_is_missing(service: Service, desk: Desk) -> None:
    """An open case lacks its approval, an approved one the wait, of which RetryInfo tells the rest."""
    opener, approver = await desk.agent(), await desk.agent()
    user = await service.two_factor_user()
    case = await desk.open(opener, user.account_id)
    await service.mails()
    with refused("CASE_NOT_READY"):
        await desk.execute(opener, case)
    await desk.approve(approver, case)
    with pytest.raises(grpc.aio.AioRpcError) as early:
        await desk.execute(opener, case)
    assert retry_after(early.value) == pytest.approx(DAY, abs=1)


async def test_the_word_of_an_agent_who_was_ended_does_not_count(service: Service, desk: Desk) -> None:
    """Where the opener or approver is no agent any more, the case is not executed."""
    opener, approver, third = await desk.agent(), await desk.agent(), await desk.agent()
    user = await service.two_factor_user()
    case = await desk.approved(opener, approver, user.account_id)
    await service.app.pool.execute(
        "UPDATE accounts SET state = 'locked' WHERE account_id = $1::text::uuid", approver.account_id
    )
    await desk.wait(DAY + 1, third)
    with refused("CASE_NOT_READY"):
        await desk.execute(third, case)
    assert (await service.sign_in(user)).HasField("challenge")
