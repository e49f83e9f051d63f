"""Attacks on the ways back into an account: the reset by a mailbox, the recovery by a phone, and what guards them."""

from __future__ import annotations

from tests.authenticator import Authenticator
from tests.integration import test_passkeys as passkeys
from tests.integration.budgets import outcome
from tests.integration.email_steps import ask as ask_for_address
from tests.integration.email_steps import confirm as confirm_address
from tests.integration.email_steps import new_address
from tests.integration.recoveries import (
    asked,
    begun,
    cancel,
    confirm,
    finish,
    reachable_user,
    reset,
    under_way,
)
from tests.integration.test_factor_policy import set_realm
from tests.integration.test_owed_enrollments import begin as begin_owed
from tests.integration.test_owed_enrollments import finish as finish_owed
from tests.integration.test_owed_enrollments import finish_request, owing
from tests.integration.test_phone_numbers import set_number
from tests.integration.test_sent_codes import Way, enrol
from tests.service import Service, User, refused, tokens_in
from twofold.v1 import sign_in_pb2

EMAIL = sign_in_pb2.FACTOR_KIND_EMAIL


async def test_a_passkey_of_the_owner_vouches_for_no_password_of_a_mailbox(service: Service) -> None:
    """Whoever reads the mailbox resets the password; the owner, who never types one, signs in by passkey as always: the
    mailbox is still no second factor beside that password, until the two were given together.
    """
    authenticator = Authenticator(passkeys.ORIGIN)
    owner = await passkeys.passkey_user(service, authenticator)
    service.clock.advance(61)
    await enrol(service, owner, Way("email", owner.email, "us**@ex***.o**"))
    thief = User(owner.email)
    await reset(service, await asked(service, owner), thief)
    asked_for = await passkeys.begun(service)
    answer = authenticator.get(asked_for.request_options_json)
    assert (await passkeys.answered(service, asked_for, answer)).HasField("signed_in")
    service.clock.advance(61)
    challenge = (await service.sign_in(thief)).challenge
    assert EMAIL not in challenge.kinds
    with refused("TWO_FACTOR_NOT_ENROLLED"):
        await service.two_factor.StartChallenge(
            Way("email", owner.email, "").challenge(challenge), metadata=service.metadata
        )
    # Its owner, with the password and the passkey.
    answer = authenticator.get(await passkeys.asked(service, challenge))
    await service.finish_challenge(thief, challenge, passkeys.factor(answer))
    assert EMAIL in (await service.sign_in(User(thief.email, thief.password))).challenge.kinds


async def test_what_was_owed_under_the_old_password_is_not_set_up_after_a_reset(service: Service) -> None:
    """Whoever knew the password enrols no factor of theirs with the step that it began."""
    await set_realm(service, second_factor="demanded")
    user = await service.new_user()
    owed = await owing(service, User(user.email, user.password))
    enrolling = await begin_owed(service, owed)
    await reset(service, await asked(service, user), user)
    with refused("TICKET_NOT_FOUND"):
        await begin_owed(service, owed)
    with refused("TICKET_NOT_FOUND"):
        await finish_owed(service, finish_request(service, owed, enrolling))
    assert (await service.sign_in(user)).HasField("enrollment_required")


async def test_an_address_asked_for_before_a_reset_is_not_set_after_it(service: Service) -> None:
    """Not by a session of before, which has ended, nor by one of after."""
    user = await service.signed_in_user()
    address = new_address()
    await ask_for_address(service, user, address)
    token = await service.link_token(address)
    before = User(user.email, tokens=user.tokens)
    await reset(service, await asked(service, user), user)
    assert await outcome(confirm_address(service, before, token)) in {"SESSION_ENDED", "SESSION_EXPIRED"}
    await service.sign_in(user)
    assert await outcome(confirm_address(service, user, token)) == "TICKET_NOT_FOUND"


async def test_recoveries_side_by_side_buy_no_guesses(service: Service) -> None:
    """Two of them under way, each with a code of its own: five wrong codes in all, and the right one is refused."""
    user = await reachable_user(service)
    tokens, right = [], ""
    for _ in range(2):
        service.clock.advance(61)
        token, right = await under_way(service, user)
        tokens.append(token)
    wrong = f"{(int(right) + 1) % 10**6:06}"
    for n in range(5):
        with refused("INVALID_CODE"):
            await finish(service, tokens[n % 2], wrong)
    with refused("TOO_MANY_ATTEMPTS"):
        await finish(service, tokens[1], right)


async def test_a_number_that_was_changed_meanwhile_finishes_no_recovery(service: Service) -> None:
    """The code of the number before is wrong, one that is asked for anew goes to the number of now."""
    user = await reachable_user(service)
    service.clock.advance(30)
    await service.sign_in(user, second_factor=service.code(user))
    token, code = await under_way(service, user)
    await set_number(service, user, "+420777123457")
    with refused("INVALID_CODE"):
        await finish(service, token, code)


async def test_one_link_cancels_every_recovery_of_the_account(service: Service) -> None:
    """Whoever has the phone begins them in numbers, so that some notice is overlooked: the owner cancels once."""
    for job in service.app._jobs:
        if job.get_name() == "recoveries":
            job.cancel()
    await set_realm(service, two_factor_recovery_wait=3600)
    user, other = await reachable_user(service), await reachable_user(service, number="+420777123457")
    service.clock.advance(61)
    await finish(service, *await under_way(service, user))
    await finish(service, *await under_way(service, other, "+420777123457"))
    link = tokens_in([mail for mail in await service.mails(user.email) if "cancel-recovery" in str(mail)])[-1]
    service.clock.advance(61)
    token, code = await under_way(service, user)
    await cancel(service, link)
    with refused("TICKET_NOT_FOUND"):
        await finish(service, token, code)
    with refused("TICKET_NOT_FOUND"):
        await cancel(service, link)
    service.clock.advance(3601)
    assert await service.app.services.recovery_effects.carry_out_due() == 1
    enrolled = await service.app.pool.fetch("SELECT email FROM accounts WHERE second_factor")
    assert [row["email"] for row in enrolled] == [user.email]


async def test_a_link_of_a_deleted_account_is_none_of_the_next_one(service: Service) -> None:
    """The address signs up again: what was mailed before opens nothing of the new account."""
    user = await reachable_user(service)
    of_reset, of_recovery = await asked(service, user), await begun(service, user)
    service.clock.advance(61)
    await service.app.pool.execute("DELETE FROM accounts WHERE email = $1", user.email)
    await service.new_user(user.email)
    with refused("TICKET_NOT_FOUND"):
        await reset(service, of_reset)
    with refused("TICKET_NOT_FOUND"):
        await confirm(service, of_recovery)
