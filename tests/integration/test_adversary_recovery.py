"""Attacks on the way back from a change of address, on owed enrolments, on channels, and on sessions of one browser."""

from __future__ import annotations

import pytest

from tests.integration.email_steps import move, undo
from tests.integration.test_claims import activate
from tests.integration.test_email_undo import address_of, change_password
from tests.service import PASSWORD, Service, User, refused
from twofold.v1 import sign_in_pb2, two_factor_pb2

WRONG = "not the password 1"


async def taken(service: Service) -> tuple[User, str, str]:
    """An account whose address an intruder changed twice: the links of its owner and of the intruder's own mailbox."""
    user = await service.signed_in_user()
    owners = await move(service, user)
    service.clock.advance(61)
    return user, owners, await move(service, user)


async def test_the_link_of_a_later_change_ends_no_freeze_of_an_earlier_one(service: Service) -> None:
    """Whoever changed the address twice holds a link too, and the password: the freeze stays, and the first link."""
    thief, owners, own = await taken(service)
    until = (await undo(service, owners)).changes_frozen_until
    found = await undo(service, own, password=thief.password)
    assert found.email_restored
    assert found.changes_frozen_until == until
    thief.email = await address_of(service, thief)
    await service.sign_in(thief)
    with refused("CHANGES_FROZEN"):
        await change_password(service, thief)
    assert (await undo(service, owners, password=thief.password)).email_restored


async def test_the_link_of_a_later_change_takes_no_freeze_for_itself(service: Service) -> None:
    """Frozen by the intruder first, before the owner or after: it ends the intruder's sessions, and is the owner's."""
    thief, owners, own = await taken(service)
    await undo(service, own)
    await service.sign_in(thief)
    until = (await undo(service, owners)).changes_frozen_until
    assert not await service.is_live(thief)
    await service.sign_in(thief)
    assert (await undo(service, own)).changes_frozen_until == until
    assert await service.is_live(thief)
    await undo(service, own, password=thief.password)
    thief.email = await address_of(service, thief)
    await service.sign_in(thief)
    with refused("CHANGES_FROZEN"):
        await change_password(service, thief)


async def close_the_count(service: Service, user: User) -> None:
    """Guess the password from anywhere until the count of unknown devices is closed."""
    for _ in range(5):
        with refused("INVALID_CREDENTIALS"):
            await service.sign_in(User(user.email), password=WRONG)


async def test_strangers_who_guess_keep_no_owner_from_taking_an_address_back(service: Service) -> None:
    """The session was stolen, not the password: its thief closes the count, and the link has four tries of its own."""
    user = await service.signed_in_user()
    token = await move(service, user)
    await close_the_count(service, user)
    for _ in range(3):
        with refused("INVALID_CREDENTIALS"):
            await undo(service, token, password=WRONG)
    assert (await undo(service, token, password=user.password)).email_restored


async def test_the_tries_of_a_link_are_four_for_passwords_and_codes_together(service: Service) -> None:
    """Whoever keeps an old mailbox guesses no more with it than that, and protects with the link as before."""
    user = await service.two_factor_user()
    token = await move(service, user)
    await close_the_count(service, user)
    right = service.code(user, 1)
    wrong = sign_in_pb2.SecondFactor(totp_code=f"{(int(right.totp_code) + 1) % 10**6:06}")
    for _ in range(2):
        with refused("INVALID_CREDENTIALS"):
            await undo(service, token, password=WRONG)
        with refused("INVALID_SECOND_FACTOR"):
            await undo(service, token, second_factor=wrong)
    with refused("TOO_MANY_ATTEMPTS"):
        await undo(service, token, password=user.password)
    for _ in range(3):
        with refused("INVALID_SECOND_FACTOR"):
            await undo(service, token, second_factor=wrong)
    with refused("TOO_MANY_ATTEMPTS"):
        await undo(service, token, second_factor=right)
    assert (await undo(service, token)).HasField("changes_frozen_until")


async def test_whoever_keeps_an_old_mailbox_does_not_keep_the_owner_out(service: Service) -> None:
    """They guess until strangers are counted out, then end the sessions: the owner's device is known as before."""
    user = await service.signed_in_user()
    token = await move(service, user)
    await close_the_count(service, user)
    await undo(service, token)
    assert not await service.is_live(user)
    assert (await service.sign_in(user, device=True)).HasField("signed_in")


async def test_a_freeze_ends_the_trust_of_every_device(service: Service) -> None:
    """Known is not trusted: the second factor is asked for again."""
    user = await service.two_factor_user()
    token = await move(service, user)
    challenge = (await service.sign_in(user)).challenge
    finished = await service.two_factor.FinishChallenge(
        two_factor_pb2.FinishChallengeRequest(
            challenge_token=challenge.challenge_token,
            challenge_binding=challenge.challenge_binding,
            second_factor=service.code(user, 1),
            client=service.client,
            trust_device=True,
        ),
        metadata=service.metadata,
    )
    user.take(finished.signed_in)
    assert (await service.sign_in(user, device=True)).HasField("signed_in")
    await undo(service, token)
    assert (await service.sign_in(user, device=True)).HasField("challenge")


@pytest.mark.parametrize(
    "address", ["own+codes@example.org", "OWN@example.org", "\uff4f\uff57\uff4e@EXAMPLE.org", "own+a+b@example.org"]
)
async def test_no_spelling_of_a_mailbox_is_both_factors(service: Service, address: str) -> None:
    """The password was set by the mailbox alone: a tag or another form of the same one makes no second factor of it."""
    await service.sign_up("own@example.org", "a strangers horse 7")
    await activate(service, await service.link_token("own@example.org"), new_password=PASSWORD)
    user = User("own@example.org")
    await service.sign_in(user)
    with refused("CHANNEL_NOT_DISTINCT"):
        await service.two_factor.BeginEnrollment(
            two_factor_pb2.BeginEnrollmentRequest(email=two_factor_pb2.EmailEnrollment(email=address)),
            metadata=service.with_session(user),
        )
