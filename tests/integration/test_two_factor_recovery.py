"""A lost second factor: the password, the mailbox and the phone take it off, and nothing of an intruder's stays."""

from __future__ import annotations

import pytest

from tests.conftest import Clock
from tests.integration.budgets import WRONG_PASSWORD, failures, outcome, wrong_code
from tests.integration.captchas import cheap, solved, with_captcha
from tests.integration.phones import gateway, pair
from tests.integration.recoveries import (
    asked,
    begin,
    begun,
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
from tests.integration.test_phone_numbers import NUMBER, OTHER, set_number, texts, wrong
from tests.integration.test_sent_codes import MAILBOX, Way, enrol, started
from tests.service import Service, User, refused, tokens_in
from twofold.v1 import recovery_pb2, sign_in_pb2, two_factor_pb2

SMS = Way("sms", NUMBER, "+420*****56")


async def links(service: Service, user: User) -> list[str]:
    """The tokens of the links that begin a recovery, as a user was mailed them."""
    mails = await service.mails(user.email)
    return tokens_in([mail for mail in mails if "without its second factor" in str(mail["Subject"])])


async def left(service: Service, user: User) -> dict[str, int]:
    """What an account has left to prove a second factor by, or to skip it."""
    row = await service.app.pool.fetchrow(
        """
        SELECT (SELECT count(*) FROM factors WHERE account_id = a.account_id) AS factors,
               (SELECT count(*) FROM backup_codes WHERE account_id = a.account_id) AS backup_codes,
               (SELECT count(*) FROM approvers WHERE account_id = a.account_id) AS approvers,
               (SELECT count(*) FROM devices d WHERE d.account_id = a.account_id AND d.epoch = a.epoch) AS devices,
               (SELECT count(*) FROM sessions s WHERE s.account_id = a.account_id AND s.epoch >= a.epoch) AS sessions
          FROM accounts a WHERE account_id = $1::text::uuid
        """,
        user.account_id,
    )
    assert row is not None
    return {name: count for name, count in row.items() if count}


async def subjects(service: Service, user: User) -> list[str]:
    """The subjects of a user's mails."""
    return [str(mail["Subject"]) for mail in await service.mails(user.email)]


async def test_the_story_of_a_lost_second_factor(service: Service, clock: Clock) -> None:
    """Password, link, code by SMS: then the password alone signs in. Each step says what it is and until when."""
    user = await reachable_user(service)
    clock.advance(60)
    answer = await begin(service, user)
    assert answer.expire_time.ToSeconds() - int(clock().timestamp()) == 300
    (link,) = await links(service, user)
    opened = await confirm(
        service,
        recovery_pb2.ConfirmTwoFactorRecoveryRequest(
            recovery_link_token=link, recovery_binding=answer.recovery_binding, client=service.client
        ),
    )
    assert opened.masked_phone_number == SMS.masked
    assert opened.expire_time.ToSeconds() - int(clock().timestamp()) == 600
    assert "is being taken off" in (await subjects(service, user))[-1]
    sent = await send(service, opened.recovery_token)
    assert sent.masked_phone_number == SMS.masked
    assert sent.code_expire_time.ToSeconds() - int(clock().timestamp()) == 300
    assert sent.delivery.state == sign_in_pb2.DELIVERY_STATE_WAITING
    clock.advance(100)
    code = await code_to(service)
    done = await finish(service, opened.recovery_token, f"{code[:3]} {code[3:]}")
    assert done.effective_time.ToSeconds() == int(clock().timestamp())
    assert not await service.is_live(user)
    assert await left(service, user) == {}
    signed_in = (await service.sign_in(user, device=True)).signed_in
    assert list(signed_in.session.amr) == ["pwd"]
    assert any("was taken off" in subject for subject in await subjects(service, user))
    assert "two-factor was turned off by a recovery" in (await texts(service, NUMBER))[-1]
    await service.enrol(user)


async def test_nothing_that_an_intruder_added_outlives_it(service: Service, clock: Clock) -> None:
    """Apps, mailboxes, phones, backup codes, devices and sessions of a minute in a session all go; the places of the
    factors that went are told as well.
    """
    async with gateway(service) as client:
        user = await reachable_user(service)
        clock.advance(30)
        await service.sign_in(user, second_factor=service.code(user))
        await service.enrol(user)
        clock.advance(61)
        await enrol(service, user, Way("email", MAILBOX, "se**@ex***.n**"))
        clock.advance(61)
        await service.sign_in(user, second_factor=service.code(user))
        await pair(service, client, user)
    thief = User(user.email, user.password, seed=user.seed, backup_codes=user.backup_codes)
    clock.advance(30)
    await service.sign_in(thief, second_factor=service.code(user))
    assert set(await left(service, user)) == {"factors", "backup_codes", "approvers", "devices", "sessions"}
    await recover(service, user)
    assert await left(service, user) == {}
    assert not await service.is_live(thief)
    assert any("was taken off" in str(mail["Subject"]) for mail in await service.mails(MAILBOX))
    # Enrolled anew, the codes of before are worth nothing.
    await service.sign_in(user)
    await service.enrol(user)
    backup = sign_in_pb2.SecondFactor(backup_code=thief.backup_codes[0])
    assert await outcome(service.sign_in(thief, second_factor=backup)) == "INVALID_SECOND_FACTOR"


async def test_each_recovery_is_asked_for_a_captcha(service: Service) -> None:
    """Before the password is looked at, alike for every address; a solved one is good once."""
    user = await reachable_user(service)
    await cheap(service)

    async def bare(client: sign_in_pb2.ClientContext, password: str = user.password) -> None:
        await service.recovery.BeginTwoFactorRecovery(
            recovery_pb2.BeginTwoFactorRecoveryRequest(email=user.email, password=password, client=client),
            metadata=service.metadata,
        )

    for password in (user.password, WRONG_PASSWORD):
        with refused("CAPTCHA_REQUIRED"):
            await bare(service.client, password)
    assert await failures(service, user) == [0, 0]
    client = with_captcha(service, await solved(service))
    await bare(client)
    with refused("CAPTCHA_INVALID"):
        await bare(client)
    assert len(await links(service, user)) == 1


async def test_a_wrong_password_gets_the_answer_and_no_mail(service: Service) -> None:
    """As does an address without an account; five are judged, on one count with those of sign-ins."""
    user = await reachable_user(service)
    before = len(await service.mails())
    right = await begin(service, user)
    for address, password in ((user.email, WRONG_PASSWORD), ("nobody@example.org", user.password)):
        answer = await begin(service, User(address), password=password)
        assert len(answer.recovery_binding) == len(right.recovery_binding)
        assert answer.expire_time == right.expire_time
    assert len(await service.mails()) == before + 1
    for _ in range(2):
        await begin(service, user, password=WRONG_PASSWORD)
    for _ in range(2):
        assert await outcome(service.sign_in(user, password=WRONG_PASSWORD)) == "INVALID_CREDENTIALS"
    assert await failures(service, user) == [5, 0]
    for password in (WRONG_PASSWORD, user.password):
        assert await outcome(begin(service, user, password=password)) == "TOO_MANY_ATTEMPTS"
    assert await outcome(service.sign_in(user)) == "TOO_MANY_ATTEMPTS"
    # The owner's device is counted apart, here too.
    assert await outcome(begin(service, user, device=True)) == "done"
    assert len(set(await links(service, user))) == 2
    for _ in range(4):
        await begin(service, User("nobody@example.org"))
    assert await outcome(begin(service, User("nobody@example.org"))) == "TOO_MANY_ATTEMPTS"


async def test_a_right_password_clears_no_count(service: Service) -> None:
    """It signs nobody in: whoever has it may not wash away what a stranger's guesses have counted."""
    user = await reachable_user(service)
    for _ in range(3):
        await begin(service, user, password=WRONG_PASSWORD)
    await begin(service, user)
    assert await failures(service, user) == [3, 0]


async def test_a_link_is_good_once_for_five_minutes_with_its_binding(service: Service, clock: Clock) -> None:
    """Opened on another device it spends nothing; the second use, and one after five minutes, find no link."""
    user = await reachable_user(service)
    request = await begun(service, user)
    other = await begin(service, user)
    foreign = recovery_pb2.ConfirmTwoFactorRecoveryRequest()
    foreign.CopyFrom(request)
    foreign.recovery_binding = other.recovery_binding
    with refused("TICKET_NOT_FOUND", "recovery_link_token"):
        await confirm(service, foreign)
    await confirm(service, request)
    with refused("TICKET_NOT_FOUND", "recovery_link_token"):
        await confirm(service, request)
    clock.advance(1)
    late = await begun(service, user)
    clock.advance(300)
    with refused("TICKET_NOT_FOUND"):
        await confirm(service, late)


async def test_guesses_take_no_place_of_the_owner(service: Service) -> None:
    """Wrong passwords fill places of their own; links stand three side by side, those of a known device apart."""
    user = await reachable_user(service)
    for _ in range(4):
        await begin(service, user, password=WRONG_PASSWORD)
    for _ in range(5):
        await begin(service, user)
    assert len(set(await links(service, user))) == 3
    await begin(service, user, device=True)
    assert len(set(await links(service, user))) == 4


async def test_without_a_phone_number_support_is_named(service: Service, clock: Clock) -> None:
    """Only once the mailbox is shown, and the link is not burnt: with a number it goes on."""
    user = await service.two_factor_user()
    request = await begun(service, user)
    with refused("RECOVERY_NEEDS_SUPPORT"):
        await confirm(service, request)
    clock.advance(30)
    await set_number(service, user)
    assert (await confirm(service, request)).masked_phone_number == SMS.masked


async def test_an_account_without_a_second_factor_is_told_so_by_mail(service: Service) -> None:
    """The caller gets the same answer; the mail has no link."""
    user = await service.signed_in_user()
    answer = await begin(service, user)
    assert answer.recovery_binding
    mail = (await service.mails(user.email))[-1]
    assert str(mail["Subject"]) == "Your Twofold account has no second factor"
    assert not tokens_in([mail])


async def test_of_a_locked_account_nothing_is_recovered(service: Service) -> None:
    """Told behind the password and the mailbox, at each step; nothing is spent."""
    user = await reachable_user(service)
    request = await begun(service, user)
    await service.app.pool.execute("UPDATE accounts SET state = 'locked'")
    with refused("ACCOUNT_LOCKED"):
        await confirm(service, request)
    await service.app.pool.execute("UPDATE accounts SET state = 'active'")
    token = (await confirm(service, request)).recovery_token
    await send(service, token)
    await service.app.pool.execute("UPDATE accounts SET state = 'locked'")
    with refused("ACCOUNT_LOCKED"):
        await finish(service, token, await code_to(service))
    assert (await left(service, user))["factors"] == 1


async def test_five_wrong_codes_end_it(service: Service, clock: Clock) -> None:
    """Counted with every other code by SMS; the right one after them is refused, and a new recovery's too."""
    user = await reachable_user(service)
    token, code = await under_way(service, user)
    for _ in range(5):
        with refused("INVALID_CODE"):
            await finish(service, token, wrong(code))
    with refused("TICKET_NOT_FOUND"):
        await finish(service, token, code)
    assert await failures(service, user, "sms") == [5, 0]
    clock.advance(1)
    request = await begun(service, user)
    fresh = (await confirm(service, request)).recovery_token
    with refused("TOO_MANY_ATTEMPTS"):
        await finish(service, fresh, code)
    assert (await left(service, user))["factors"] == 1


async def test_asking_again_sends_one_code_a_minute(service: Service, clock: Clock) -> None:
    """Within the minute the answer tells how far the message came; another code ends the one before."""
    user = await reachable_user(service)
    token, first = await under_way(service, user)
    again = await send(service, token)
    assert again.delivery.state == sign_in_pb2.DELIVERY_STATE_SENT
    assert await code_to(service) == first
    clock.advance(60)
    await send(service, token)
    second = await code_to(service)
    if first != second:
        with refused("INVALID_CODE"):
            await finish(service, token, first)
    await finish(service, token, second)


async def test_a_code_is_of_its_own_recovery(service: Service, clock: Clock) -> None:
    """A sign-in's code, another recovery's, or none sent at all is wrong; this one's signs nobody in."""
    user = await reachable_user(service)
    clock.advance(61)
    await service.sign_in(user, second_factor=service.code(user))
    await enrol(service, user, SMS)
    clock.advance(61)
    challenge, of_sign_in = await started(service, user, SMS)
    clock.advance(61)
    first = (await confirmed(service, user)).recovery_token
    with refused("INVALID_CODE"):
        await finish(service, first, of_sign_in)
    await send(service, first)
    of_first = await code_to(service)
    clock.advance(61)
    second = (await confirmed(service, user)).recovery_token
    await send(service, second)
    of_second = await code_to(service)
    if of_first != of_second:
        with refused("INVALID_CODE"):
            await finish(service, second, of_first)
        with refused("INVALID_SECOND_FACTOR"):
            await service.finish_challenge(user, challenge, SMS.factor(of_second))
    await finish(service, first, of_first)
    # What the first one did ended the other.
    with refused("TICKET_NOT_FOUND"):
        await finish(service, second, of_second)


async def test_a_code_to_a_number_of_before_is_wrong(service: Service, clock: Clock) -> None:
    """Whoever had the number when the code went out has no say once the account has another."""
    user = await reachable_user(service)
    clock.advance(61)
    await service.sign_in(user, second_factor=service.code(user))
    token, code = await under_way(service, user)
    await set_number(service, user, OTHER)
    with refused("INVALID_CODE"):
        await finish(service, token, code)
    clock.advance(61)
    assert (await send(service, token)).masked_phone_number != SMS.masked
    await finish(service, token, await code_to(service, OTHER))


async def test_the_token_is_good_for_ten_minutes(service: Service, clock: Clock) -> None:
    """After them neither a code is sent nor one taken."""
    user = await reachable_user(service)
    token, code = await under_way(service, user)
    clock.advance(599)
    await send(service, token)
    clock.advance(1)
    for call in (send(service, token), finish(service, token, code)):
        with refused("TICKET_NOT_FOUND", "recovery_token"):
            await call


async def test_a_changed_password_ends_what_was_begun(service: Service, clock: Clock) -> None:
    """A reset within the recovery ends its link, its token and its code."""
    user = await reachable_user(service)
    request = await begun(service, user)
    clock.advance(1)
    token, code = await under_way(service, user)
    clock.advance(1)
    await reset(service, await asked(service, user), user)
    with refused("TICKET_NOT_FOUND"):
        await confirm(service, request)
    with refused("TICKET_NOT_FOUND"):
        await send(service, token)
    with refused("TICKET_NOT_FOUND"):
        await finish(service, token, code)
    assert (await left(service, user))["factors"] == 1


async def test_mailbox_and_phone_are_two_channels_even_after_a_reset(service: Service, clock: Clock) -> None:
    """A password that the mailbox has set proves no more than the mailbox; the phone is the second channel."""
    user = await reachable_user(service)
    await reset(service, await asked(service, user), user)
    clock.advance(1)
    await recover(service, user)
    assert list((await service.sign_in(user)).signed_in.session.amr) == ["pwd"]


async def test_a_demanded_factor_is_owed_again_after_a_recovery(service: Service) -> None:
    """Where the realm demands one, the next sign-in sets one up."""
    await set_realm(service, second_factor="demanded")
    user = await service.new_user()
    await set_realm(service)
    await service.sign_in(user)
    await set_number(service, user)
    await service.enrol(user)
    await set_realm(service, second_factor="demanded")
    await recover(service, user)
    assert (await service.sign_in(user)).WhichOneof("outcome") == "enrollment_required"


async def test_no_token_of_it_is_another_step(service: Service, clock: Clock) -> None:
    """A recovery's token answers no challenge and opens no session, and a challenge's finishes no recovery."""
    user = await reachable_user(service)
    clock.advance(30)
    token, code = await under_way(service, user)
    challenge = (await service.sign_in(user)).challenge
    with refused("TICKET_NOT_FOUND"):
        await finish(service, challenge.challenge_token, code)
    with refused("TICKET_NOT_FOUND"):
        await service.two_factor.FinishChallenge(
            two_factor_pb2.FinishChallengeRequest(
                challenge_token=token,
                challenge_binding=challenge.challenge_binding,
                second_factor=wrong_code(service, user),
                client=service.client,
            ),
            metadata=service.metadata,
        )
    await service.finish_challenge(user, challenge, service.code(user))


@pytest.mark.parametrize("language", ["cs", "de", "nl", "fr", "en"])
async def test_every_message_of_it_is_written_in_the_users_language(
    service: Service, clock: Clock, language: str
) -> None:
    """Mails and text messages of each step can be written, with their links and codes."""
    await set_realm(service, two_factor_recovery_wait=3600)
    user = await reachable_user(service)
    await service.app.pool.execute("UPDATE accounts SET language_code = $1", language)
    clock.advance(1)
    before = len(await service.mails(user.email)), len(await texts(service))
    token, code = await under_way(service, user)
    await finish(service, token, code)
    await service.mails()
    clock.advance(3601)
    await service.app.services.recovery_effects.carry_out_due()
    mails = (await service.mails(user.email))[before[0] :]
    assert len(mails) == 4
    assert len(tokens_in(mails)) == 3
    sent = (await texts(service))[before[1] :]
    assert len(sent) == 4
    assert sum("/cancel-recovery?token=" in text for text in sent) == 2
