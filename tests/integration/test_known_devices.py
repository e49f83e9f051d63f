"""Known devices: what their tokens prove, how they rotate, and what a copy of one does."""

from __future__ import annotations

from tests.integration.budgets import WRONG_PASSWORD, failures, outcome, wrong_code
from tests.service import Service, User, refused


def holding(user: User, device_token: str) -> User:
    """The same user with a device token."""
    return User(user.email, user.password, user.account_id, device_token=device_token)


async def is_known(service: Service, user: User, device_token: str) -> bool:
    """Whether the token makes its device known: its wrong password counts in the bucket of known ones."""
    before = await failures(service, user)
    with refused("INVALID_CREDENTIALS"):
        await service.sign_in(holding(user, device_token), password=WRONG_PASSWORD, device=True)
    after = await failures(service, user)
    assert sum(after) == sum(before) + 1
    return after[1] > before[1]


async def test_each_sign_in_rotates_the_token_and_the_one_before_stays_good(service: Service) -> None:
    """An answer may be lost: the predecessor gives the same successor until that was used."""
    user = await service.signed_in_user()
    first = user.device_token
    second = (await service.sign_in(holding(user, first), device=True)).signed_in.device_token
    assert second != first
    assert (await service.sign_in(holding(user, first), device=True)).signed_in.device_token == second
    third = (await service.sign_in(holding(user, second), device=True)).signed_in.device_token
    assert third not in {first, second}
    assert (await service.sign_in(holding(user, second), device=True)).signed_in.device_token == third
    assert len(await service.app.pool.fetch("SELECT FROM devices")) == 1


async def test_a_copy_that_lags_behind_ends_the_device_and_tells_the_owner(service: Service) -> None:
    """A token before the predecessor is a copy's: the device ends for both, and the sign-in is an unknown one's."""
    user = await service.signed_in_user()
    first = user.device_token
    second = (await service.sign_in(holding(user, first), device=True)).signed_in.device_token
    third = (await service.sign_in(holding(user, second), device=True)).signed_in.device_token
    thief = holding(user, first)
    assert await outcome(service.sign_in(thief, device=True)) == "signed_in"
    assert thief.device_token.split(".")[1] != first.split(".")[1]
    for token in (first, second, third):
        assert not await is_known(service, user, token)
    mails = [str(mail["Subject"]) for mail in await service.mails(user.email)]
    assert len(mails) >= 2
    events = await service.app.pool.fetch("SELECT kind FROM events WHERE kind = 'device_reused'")
    assert len(events) == 1


async def test_a_forged_token_ends_nothing(service: Service) -> None:
    """Junk with a true device's id is no copy: whoever knows an id can't end a device."""
    user = await service.signed_in_user()
    first = user.device_token
    second = (await service.sign_in(holding(user, first), device=True)).signed_in.device_token
    third = (await service.sign_in(holding(user, second), device=True)).signed_in.device_token
    parts = third.split(".")
    for generation in ("0", "1", "2", "3"):
        forged = ".".join([*parts[:2], generation, parts[3], "A" * 43])
        assert not await is_known(service, user, forged)
    await service.sign_in(user)
    assert await is_known(service, user, third)


async def test_a_device_is_known_to_its_own_account_alone(service: Service) -> None:
    """A token of another account's device chooses no bucket here, and is not used up by it."""
    user, other = await service.signed_in_user(), await service.signed_in_user()
    assert not await is_known(service, user, other.device_token)
    assert await is_known(service, other, other.device_token)


async def test_a_known_device_waives_no_second_factor(service: Service) -> None:
    """Known is not trusted: it chooses the bucket, and nothing else."""
    user = await service.two_factor_user()
    assert await outcome(service.sign_in(user, device=True)) == "challenge"


async def test_a_device_that_ended_while_its_challenge_waits_is_an_unknown_one(service: Service) -> None:
    """The sign-in goes on, counted with strangers, and makes a new device: the ended one does not come back."""
    user = await service.two_factor_user()
    challenge = (await service.sign_in(user, device=True)).challenge
    assert await service.app.pool.execute("UPDATE devices SET end_time = $1", service.clock()) == "UPDATE 1"
    ended = user.device_token
    with refused("INVALID_SECOND_FACTOR"):
        await service.finish_challenge(user, challenge, wrong_code(service, user))
    assert await failures(service, user, "totp") == [1, 0]
    await service.finish_challenge(user, challenge, service.code(user, 1))
    assert user.device_token.split(".")[1] != ended.split(".")[1]
    assert not await is_known(service, user, ended)
