"""Requests for approval: asked, answered, and what an answer is worth; every answer that must not count."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.phones import (
    ask,
    asked,
    challenge,
    gateway,
    pair,
    rejected,
    shown,
    state,
    waiting,
    watching,
)
from tests.service import Service, User, reason, refused, retry_after
from twofold import Approver, Client
from twofold.v1 import session_pb2, sign_in_pb2, two_factor_pb2

OPEN = two_factor_pb2.APPROVAL_STATE_OPEN
APPROVED = two_factor_pb2.APPROVAL_STATE_APPROVED
DENIED = two_factor_pb2.APPROVAL_STATE_DENIED
NOT_ME = two_factor_pb2.APPROVAL_STATE_NOT_ME
WRONG_NUMBER = two_factor_pb2.APPROVAL_STATE_WRONG_NUMBER
EXPIRED = two_factor_pb2.APPROVAL_STATE_EXPIRED
WITHDRAWN = two_factor_pb2.APPROVAL_STATE_WITHDRAWN


@pytest.fixture
async def client(service: Service) -> AsyncIterator[Client]:
    """Through which the phones of a test call."""
    async with gateway(service) as opened:
        yield opened


@pytest.fixture
async def user(service: Service) -> User:
    """An account with a session and no factor yet."""
    return await service.signed_in_user()


@pytest.fixture
async def phone(service: Service, client: Client, user: User) -> Approver:
    """The user's phone."""
    return await pair(service, client, user)


def other_number(number: str) -> str:
    """Another number of the same length."""
    return f"{(int(number) + 1) % 10 ** len(number):0{len(number)}d}"


async def test_an_approval_for_a_step_up_says_so(service: Service, phone: Approver, user: User) -> None:
    """A request of StepUp has the address and browser of its session."""
    stepped = await service.sessions.StepUp(
        session_pb2.StepUpRequest(second_factor=session_pb2.SecondFactorStepUp(), client=service.client),
        metadata=service.with_session(user),
    )
    await ask(service, stepped.challenge)
    (request,) = await shown(phone)
    assert request.step_up and request.ip_address == "192.0.2.7"


async def test_a_wrong_number_ends_the_challenge(service: Service, phone: Approver, user: User) -> None:
    """Nobody guesses twice: the right number after a wrong one finds nothing, and the sign-in begins anew."""
    found, number, request_id = await asked(service, user, phone)
    await rejected(phone.approve(request_id, other_number(number)), "INVALID_SECOND_FACTOR")
    await rejected(phone.approve(request_id, number), "APPROVAL_NOT_FOUND")
    assert await state(service, found) == WRONG_NUMBER
    with refused("TICKET_NOT_FOUND"):
        await ask(service, found)


async def test_a_denied_request_leaves_the_challenge(service: Service, phone: Approver, user: User) -> None:
    """DENY ends the request, not the choice of another factor; an approval after it is refused."""
    found, number, request_id = await asked(service, user, phone)
    await phone.deny(request_id)
    assert await state(service, found) == DENIED
    await rejected(phone.approve(request_id, number), "APPROVAL_NOT_FOUND")
    await ask(service, found)


async def test_not_me_ends_the_challenge_and_tells_the_owner(service: Service, phone: Approver, user: User) -> None:
    """NOT_ME: the sign-in is over, no unknown device asks again for 10 min, and a mail goes out."""
    found, _, request_id = await asked(service, user, phone)
    await phone.not_me(request_id)
    assert await state(service, found) == NOT_ME
    with refused("TICKET_NOT_FOUND"):
        await ask(service, found)
    with refused("APPROVAL_LIMIT_REACHED"):
        await ask(service, await challenge(service, user))
    assert any("refused" in str(mail["Subject"]) for mail in await service.mails(user.email))
    service.clock.advance(601)
    await ask(service, await challenge(service, user))


async def test_not_me_ends_the_session_that_came_of_the_challenge(service: Service, client: Client) -> None:
    """Where whoever asked has finished with another factor meanwhile, that session and its device end too."""
    user = await service.two_factor_user()
    phone = await pair(service, client, user)
    found, _, request_id = await asked(service, user, phone)
    thief = User(user.email)
    await service.finish_challenge(thief, found, service.code(user, 1))
    assert await service.is_live(thief)
    await phone.not_me(request_id)
    assert not await service.is_live(thief)
    assert await service.is_live(user)
    ended = await service.app.pool.fetchval(
        "SELECT d.end_time IS NOT NULL FROM devices d JOIN sessions s USING (device_id) WHERE s.session_id::text = $1",
        thief.session.session_id,
    )
    assert ended


async def test_not_me_to_a_step_up_ends_its_session(service: Service, phone: Approver, user: User) -> None:
    """Somebody else is in the session that asked: it ends."""
    stepped = await service.sessions.StepUp(
        session_pb2.StepUpRequest(second_factor=session_pb2.SecondFactorStepUp(), client=service.client),
        metadata=service.with_session(user),
    )
    await ask(service, stepped.challenge)
    (request,) = await shown(phone)
    await phone.not_me(request.request_id)
    assert not await service.is_live(user)


async def test_another_accounts_phone_answers_nothing(
    service: Service, client: Client, phone: Approver, user: User
) -> None:
    """An approver of another account neither sees a request nor answers it, with the right number or without."""
    other = await service.signed_in_user()
    stranger = await pair(service, client, other)
    found, number, request_id = await asked(service, user, phone)
    assert await shown(stranger) == []
    for attempt in (stranger.approve(request_id, number), stranger.deny(request_id), stranger.not_me(request_id)):
        await rejected(attempt, "APPROVAL_NOT_FOUND")
    assert await state(service, found) == OPEN


async def test_an_approval_of_another_request_is_refused(service: Service, phone: Approver, user: User) -> None:
    """The number of one request does not approve another of the same account (attacks.md 25)."""
    found, number, request_id = await asked(service, user, phone)
    other = await challenge(service, user)
    started = await ask(service, other)
    second = next(r.request_id for r in await shown(phone) if r.request_id != request_id)
    await phone.approve(request_id, number)
    if started.number != number:
        await rejected(phone.approve(second, number), "INVALID_SECOND_FACTOR")
        assert await state(service, other) == WRONG_NUMBER
    assert await state(service, found) == APPROVED


async def test_an_answer_after_expiry_is_refused(service: Service, phone: Approver, user: User) -> None:
    """A request lasts for 60 s."""
    found, number, request_id = await asked(service, user, phone)
    service.clock.advance(60)
    await rejected(phone.approve(request_id, number), "APPROVAL_NOT_FOUND")
    assert await shown(phone) == []
    assert await state(service, found) == EXPIRED


async def test_asking_again_takes_the_request_before_back(service: Service, phone: Approver, user: User) -> None:
    """Of one challenge one request is open; the one before ends on the phone, and its number is worth nothing."""
    found = await challenge(service, user)
    first = await ask(service, found)
    async with watching(phone) as watched:
        (request,) = (await watched.next()).opened
        stream = waiting(service, found)
        assert (await stream.read()).state == OPEN
        await ask(service, found)
        message = await watched.next()
        assert [(e.request_id, e.state) for e in message.ended] == [(request.request_id, WITHDRAWN)]
        assert len(message.opened) == 1
        assert (await stream.read()).state == WITHDRAWN
    await rejected(phone.approve(request.request_id, first.number), "APPROVAL_NOT_FOUND")


async def test_unapproved_requests_are_limited_and_known_devices_counted_apart(
    service: Service, phone: Approver, user: User
) -> None:
    """After three that nobody approved no unknown device asks for 10 min; the owner's known one still does."""
    for _ in range(3):
        await ask(service, await challenge(service, user))
        service.clock.advance(60)
    found = await challenge(service, user)
    with pytest.raises(Exception) as failed:  # noqa: PT011
        await ask(service, found)
    assert reason(failed.value) == "APPROVAL_LIMIT_REACHED"  # type: ignore[arg-type]
    assert retry_after(failed.value) == 420  # type: ignore[arg-type]

    started = await ask(service, await challenge(service, user, device=True))
    (request,) = await shown(phone)
    await phone.approve(request.request_id, started.number)
    with refused("APPROVAL_LIMIT_REACHED"):
        await ask(service, await challenge(service, user))
    service.clock.advance(421)
    await ask(service, await challenge(service, user))


async def test_an_approval_forgets_those_before(service: Service, phone: Approver, user: User) -> None:
    """Whoever approves is there, so that signing in often does not stop at the third time."""
    for _ in range(5):
        _, number, request_id = await asked(service, user, phone)
        await phone.approve(request_id, number)


async def test_an_account_without_a_phone_asks_none(service: Service) -> None:
    """StartChallenge for push without one: TWO_FACTOR_NOT_ENROLLED."""
    user = await service.two_factor_user()
    with refused("TWO_FACTOR_NOT_ENROLLED"):
        await ask(service, await challenge(service, user))


async def test_a_challenge_that_asked_nothing_has_nothing_to_watch(
    service: Service, phone: Approver, user: User
) -> None:
    """WatchChallenge before StartChallenge: APPROVAL_NOT_FOUND; with a wrong binding TICKET_NOT_FOUND."""
    found = await challenge(service, user)
    with refused("APPROVAL_NOT_FOUND", "challenge_token"):
        await waiting(service, found).read()
    found.challenge_binding = "A" * 43
    with refused("TICKET_NOT_FOUND", "challenge_token"):
        await waiting(service, found).read()


async def test_fewer_digits_by_realm_setting(service: Service, phone: Approver, user: User) -> None:
    """Two digits where the realm says so."""
    await service.app.services.realms.set("default", {"push_digits": "2"})
    _, number, request_id = await asked(service, user, phone)
    assert len(number) == 2
    await phone.approve(request_id, number)


async def finished(
    service: Service, user: User, found: sign_in_pb2.SecondFactorChallenge
) -> two_factor_pb2.FinishChallengeResponse:
    """Finish a challenge that a phone has answered."""
    return await service.finish_challenge(user, found, sign_in_pb2.SecondFactor(push=sign_in_pb2.PushProof()))


async def test_an_approval_signs_in_once(service: Service, user: User, phone: Approver) -> None:
    """Before the phone has answered it is pending, and not counted; approved it signs in, that challenge alone."""
    found, number, request_id = await asked(service, user, phone)
    for _ in range(7):
        with refused("APPROVAL_PENDING"):
            await finished(service, user, found)
    other = await challenge(service, user)
    await phone.approve(request_id, number)
    with refused("APPROVAL_NOT_FOUND"):
        await finished(service, user, other)
    response = await finished(service, user, found)
    assert response.signed_in.session.aal == 2
    assert list(response.signed_in.session.amr) == ["pwd", "mfa", "pop"]
    assert await service.is_live(user)
    again = await finished(service, user, found)
    assert again.signed_in.session.session_id == response.signed_in.session.session_id
    service.clock.advance(11)
    with refused("TICKET_NOT_FOUND"):
        await finished(service, user, found)


async def test_a_denied_or_expired_request_signs_nobody_in(service: Service, user: User, phone: Approver) -> None:
    """Denied, and approved too late to be asked for: another factor is still open."""
    found, _, request_id = await asked(service, user, phone)
    await phone.deny(request_id)
    with refused("APPROVAL_NOT_FOUND"):
        await finished(service, user, found)
    found, number, request_id = await asked(service, user, phone)
    await phone.approve(request_id, number)
    service.clock.advance(61)
    with refused("APPROVAL_NOT_FOUND"):
        await finished(service, user, found)


async def test_what_a_phone_approved_that_was_removed_since_counts_no_more(
    service: Service, user: User, phone: Approver
) -> None:
    """The approval goes with its phone."""
    await service.enrol(user)
    listed = await service.two_factor.ListFactors(
        two_factor_pb2.ListFactorsRequest(), metadata=service.with_session(user)
    )
    (factor,) = [f for f in listed.factors if f.kind == sign_in_pb2.FACTOR_KIND_PUSH]
    found, number, request_id = await asked(service, user, phone)
    await phone.approve(request_id, number)
    await service.two_factor.RemoveFactor(
        two_factor_pb2.RemoveFactorRequest(factor_id=factor.factor_id), metadata=service.with_session(user)
    )
    with refused("APPROVAL_NOT_FOUND"):
        await finished(service, user, found)


async def test_two_digits_are_no_aal2(service: Service, user: User, phone: Approver) -> None:
    """Where the realm has the user type two digits, a guess is too likely."""
    await service.app.pool.execute("""UPDATE realms SET settings = '{"push_digits": 2}'""")
    service.clock.advance(61)
    found, number, request_id = await asked(service, user, phone)
    assert len(number) == 2
    await phone.approve(request_id, number)
    assert (await finished(service, user, found)).signed_in.session.aal == 1


async def test_a_step_up_by_phone(service: Service, user: User, phone: Approver) -> None:
    """A session steps up by an approval, which then counts as a recent proof."""
    service.clock.advance(900)
    user.tokens = (
        await service.sessions.RefreshSession(
            session_pb2.RefreshSessionRequest(refresh_token=user.tokens.refresh_token)
        )
    ).tokens
    stepped = await service.sessions.StepUp(
        session_pb2.StepUpRequest(second_factor=session_pb2.SecondFactorStepUp(), client=service.client),
        metadata=service.with_session(user),
    )
    started = await ask(service, stepped.challenge)
    (request,) = await shown(phone)
    await phone.approve(request.request_id, started.number)
    await service.finish_challenge(
        user,
        stepped.challenge,
        sign_in_pb2.SecondFactor(push=sign_in_pb2.PushProof()),
        refresh_token=user.tokens.refresh_token,
    )
    await service.two_factor.GenerateBackupCodes(
        two_factor_pb2.GenerateBackupCodesRequest(), metadata=service.with_session(user)
    )
