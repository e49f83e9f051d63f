"""A recovery that a realm lets wait: cancelled from every channel until its effect, ended by what ends the rest."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.conftest import Clock
from tests.integration.budgets import outcome
from tests.integration.recoveries import (
    asked,
    begun,
    cancel,
    code_to,
    confirm,
    confirmed,
    finish,
    reachable_user,
    recover,
    reset,
    send,
    under_way,
)
from tests.integration.test_factor_policy import set_realm
from tests.integration.test_phone_numbers import NUMBER, texts
from tests.integration.test_sent_codes import MAILBOX, Way, enrol
from tests.service import Service, User, refused, tokens_in
from twofold.v1 import account_pb2, two_factor_pb2
from twofold_server.db import retention

DAY = 86400


@pytest.fixture(autouse=True)
def _standing(service: Service) -> None:
    """The test alone carries out what is due."""
    for job in service.app._jobs:
        if job.get_name() == "recoveries":
            job.cancel()


async def carry_out(service: Service) -> int:
    """What the clock does every few seconds."""
    found: int = await service.app.services.recovery_effects.carry_out_due()
    return found


async def factors(service: Service, user: User) -> int:
    """How many factors an account has."""
    found: int = await service.app.pool.fetchval(
        "SELECT count(*) FROM factors WHERE account_id = $1::text::uuid", user.account_id
    )
    return found


async def held(service: Service, wait: int = 3 * DAY) -> User:
    """A user whose recovery waits."""
    await set_realm(service, two_factor_recovery_wait=wait)
    user = await reachable_user(service)
    service.clock.advance(30)
    await service.sign_in(user, second_factor=service.code(user))
    done = await recover(service, user)
    assert done.effective_time.ToSeconds() == int((service.clock() + timedelta(seconds=wait)).timestamp())
    return user


async def cancel_tokens(service: Service, user: User) -> list[str]:
    """The tokens of the cancel links that a user's mailbox was sent."""
    mails = [mail for mail in await service.mails(user.email) if "cancel-recovery" in str(mail)]
    return tokens_in(mails)


async def test_the_factor_stays_until_the_wait_is_over(service: Service, clock: Clock) -> None:
    """The owner's factor and session count meanwhile; notices say when, and how to cancel; then it goes."""
    user = await held(service)
    (waiting,) = [mail for mail in await service.mails(user.email) if "will be taken off" in str(mail["Subject"])]
    assert "March 17, 2026, 12:00 UTC" in str(waiting.get_body(("plain",)))
    assert "will be turned off" in (await texts(service, NUMBER))[-1]
    assert await service.is_live(user)
    clock.advance(3 * DAY - 1)
    assert await carry_out(service) == 0
    assert (await service.sign_in(User(user.email, user.password))).HasField("challenge")
    clock.advance(1)
    assert await carry_out(service) == 1
    assert await factors(service, user) == 0
    assert await outcome(service.sign_in(User(user.email, user.password))) == "signed_in"
    assert await carry_out(service) == 0
    assert any("was taken off" in str(mail["Subject"]) for mail in await service.mails(user.email))


async def test_the_clock_carries_it_out(service: Service) -> None:
    """The jobs of a server include it."""
    assert "recoveries" in service.app.services.jobs


async def test_it_is_cancelled_by_the_link_of_every_notice(service: Service, clock: Clock) -> None:
    """Once; the factors stay, every place is told, and what was cancelled never has its effect."""
    user = await held(service)
    assert len(set(await cancel_tokens(service, user))) == 1
    (of_phone,) = {text.partition("token=")[2][:43] for text in await texts(service) if "cancel-recovery" in text}
    assert {of_phone} == set(await cancel_tokens(service, user))
    clock.advance(2 * DAY)
    await cancel(service, of_phone)
    with refused("TICKET_NOT_FOUND", "cancel_token"):
        await cancel(service, of_phone)
    assert any("was cancelled" in str(mail["Subject"]) for mail in await service.mails(user.email))
    assert "two-factor stays on" in (await texts(service, NUMBER))[-1]
    clock.advance(2 * DAY)
    assert await carry_out(service) == 0
    assert await factors(service, user) == 1


async def test_it_is_cancelled_before_the_code_as_well(service: Service, clock: Clock) -> None:
    """From the opened link on, without a wait too: then neither a code is sent nor one taken."""
    user = await reachable_user(service)
    token, code = await under_way(service, user)
    (cancel_token,) = set(await cancel_tokens(service, user))
    await cancel(service, cancel_token)
    for call in (send(service, token), finish(service, token, code)):
        with refused("TICKET_NOT_FOUND", "recovery_token"):
            await call
    assert await factors(service, user) == 1


async def test_after_the_effect_there_is_nothing_to_cancel(service: Service, clock: Clock) -> None:
    """At once or after the wait: TICKET_NOT_FOUND, and the factor stays off. An ended recovery likewise."""
    user = await reachable_user(service)
    await recover(service, user)
    for token in set(await cancel_tokens(service, user)):
        with refused("TICKET_NOT_FOUND", "cancel_token"):
            await cancel(service, token)
    user = await held(service, 3600)
    clock.advance(3600)
    await carry_out(service)
    for token in set(await cancel_tokens(service, user)):
        with refused("TICKET_NOT_FOUND", "cancel_token"):
            await cancel(service, token)
    assert await factors(service, user) == 0


async def test_a_wait_that_is_over_can_be_cancelled_until_its_effect(service: Service, clock: Clock) -> None:
    """Where no server carried it out yet, the owner still comes first."""
    user = await held(service)
    (token,) = set(await cancel_tokens(service, user))
    clock.advance(3 * DAY + 3600)
    await cancel(service, token)
    assert await carry_out(service) == 0
    assert await factors(service, user) == 1


@pytest.mark.parametrize("change", ["password", "reset", "disabled", "locked", "deleted"])
async def test_what_ends_the_old_state_ends_the_wait(service: Service, clock: Clock, change: str) -> None:
    """A new password, two-factor turned off, a lock or a deletion meanwhile: the recovery comes to nothing."""
    user = await held(service)
    clock.advance(30)
    if change == "password":
        await service.accounts.ChangePassword(
            account_pb2.ChangePasswordRequest(
                reauthentication=user.reauthentication, new_password="one more horse battery 6", client=service.client
            ),
            metadata=service.with_session(user),
        )
        user.password = "one more horse battery 6"
    elif change == "reset":
        await reset(service, await asked(service, user), user)
    elif change == "disabled":
        await service.two_factor.DisableTwoFactor(
            two_factor_pb2.DisableTwoFactorRequest(
                reauthentication=user.reauthentication, second_factor=service.code(user), client=service.client
            ),
            metadata=service.with_session(user),
        )
        await service.sign_in(user)
        await service.enrol(user)
    elif change == "locked":
        await service.app.pool.execute("UPDATE accounts SET state = 'locked'")
    else:
        await service.accounts.DeleteAccount(
            account_pb2.DeleteAccountRequest(
                reauthentication=user.reauthentication, second_factor=service.code(user), client=service.client
            ),
            metadata=service.with_session(user),
        )
    clock.advance(3 * DAY)
    await carry_out(service)
    assert await factors(service, user) == (0 if change == "deleted" else 1)
    # And it is not tried again.
    assert await carry_out(service) == 0


async def test_what_was_enrolled_within_the_wait_goes_as_well(service: Service, clock: Clock) -> None:
    """Whoever holds a session adds nothing that outlives the owner's recovery."""
    user = await held(service)
    clock.advance(60)
    await service.sign_in(user, second_factor=service.code(user))
    await enrol(service, user, Way("email", MAILBOX, "se**@ex***.n**"))
    clock.advance(3 * DAY)
    await carry_out(service)
    assert await factors(service, user) == 0
    assert any("was taken off" in str(mail["Subject"]) for mail in await service.mails(MAILBOX))


async def test_a_wait_outlasts_an_outage(service: Service, clock: Clock) -> None:
    """However late a server looks, what is due is still there, and its effect comes then."""
    user = await held(service)
    clock.advance(30 * DAY)
    await retention.delete_expired(service.app.pool, clock())
    assert await carry_out(service) == 1
    assert await factors(service, user) == 0
    clock.advance(2 * DAY)
    await retention.delete_expired(service.app.pool, clock())
    assert await service.app.pool.fetchval("SELECT count(*) FROM tickets WHERE purpose LIKE 'recovery%'") == 0


async def test_one_that_does_not_open_holds_no_other_back(service: Service, clock: Clock) -> None:
    """A row that was altered is left alone, and the next one has its effect."""
    altered = await held(service)
    clock.advance(1)
    await service.app.pool.execute("UPDATE tickets SET payload = '\\x00' WHERE purpose = 'recovery_pending'")
    user = await reachable_user(service, number="+420777123457")
    token = (await confirm(service, await begun(service, user))).recovery_token
    await send(service, token)
    await finish(service, token, await code_to(service, "+420777123457"))
    clock.advance(3 * DAY)
    await carry_out(service)
    assert (await factors(service, altered), await factors(service, user)) == (1, 0)


async def test_a_recovery_that_waits_is_not_finished_again(service: Service, clock: Clock) -> None:
    """Its token and code are spent; another recovery beside it waits for itself."""
    user = await held(service)
    clock.advance(1)
    token = (await confirmed(service, user)).recovery_token
    await send(service, token)
    code = await code_to(service)
    await finish(service, token, code)
    with refused("TICKET_NOT_FOUND"):
        await finish(service, token, code)
    clock.advance(3 * DAY)
    await carry_out(service)
    assert await factors(service, user) == 0
    told = [mail for mail in await service.mails(user.email) if "was taken off" in str(mail["Subject"])]
    assert len(told) == 1
