"""A forgotten password: the mailed link, the device that asked for it, and what a reset ends and leaves."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.conftest import Clock
from tests.integration.budgets import WRONG_PASSWORD, failures, outcome
from tests.integration.captchas import cheap, solved, with_captcha
from tests.integration.recoveries import (
    NEW_PASSWORD,
    ask,
    asked,
    begin,
    begun,
    code_to,
    confirm,
    finish,
    reachable_user,
    reset,
    send,
)
from tests.integration.test_factor_policy import set_realm
from tests.integration.test_phone_numbers import NUMBER, set_number, texts
from tests.integration.test_sent_codes import MAILBOX, Way, enrol
from tests.service import PASSWORD, Service, User, refused, tokens_in
from twofold.v1 import account_pb2, recovery_pb2, sign_in_pb2, two_factor_pb2
from twofold_server.domain.values import RealmId


async def subjects(service: Service, user: User) -> list[str]:
    """The subjects of a user's mails."""
    return [str(mail["Subject"]) for mail in await service.mails(user.email)]


async def links(service: Service, user: User) -> list[str]:
    """The tokens of the reset links that a user was mailed."""
    return tokens_in([mail for mail in await service.mails(user.email) if "Set a new" in str(mail["Subject"])])


async def test_a_link_sets_a_new_password_and_signs_nobody_in(service: Service, clock: Clock) -> None:
    """The old password, every session and every device end; every mailbox and number is told."""
    user = await service.signed_in_user()
    await set_number(service, user)
    answer = await ask(service, user.email)
    assert answer.resend_time.ToSeconds() == int(clock().timestamp()) + 60
    (mail,) = [mail for mail in await service.mails(user.email) if "Set a new" in str(mail["Subject"])]
    assert "30 minutes" in str(mail.get_body(("plain",)))
    request = recovery_pb2.ResetPasswordRequest(
        reset_token=tokens_in([mail])[0],
        reset_binding=answer.reset_binding,
        new_password=NEW_PASSWORD,
        client=service.client,
    )
    done = await reset(service, request)
    assert done.password_advice.score >= 0
    assert not await service.is_live(user)
    assert await outcome(service.sign_in(user)) == "INVALID_CREDENTIALS"
    user.password = NEW_PASSWORD
    before = user.device_token
    assert await outcome(service.sign_in(user, device=True)) == "signed_in"
    # The device is a new one: the old one ended.
    assert user.device_token.split(".")[1] != before.split(".")[1]
    assert "Your Twofold password was set anew" in await subjects(service, user)
    assert "your password was reset by mail" in (await texts(service, NUMBER))[-1]
    row = await service.app.pool.fetchval("SELECT set_through FROM password_credentials")
    assert row == f"email:{user.email}"


async def test_a_link_is_good_once_for_half_an_hour_with_its_binding(service: Service, clock: Clock) -> None:
    """Another device's binding spends nothing; the second use, and one after 30 minutes, find no link."""
    user, other = await service.new_user(), await service.new_user()
    request, of_other = await asked(service, user), await asked(service, other)
    for binding in (of_other.reset_binding, of_other.reset_token):
        changed = recovery_pb2.ResetPasswordRequest()
        changed.CopyFrom(request)
        changed.reset_binding = binding
        with refused("TICKET_NOT_FOUND", "reset_token"):
            await reset(service, changed)
    await reset(service, request, user)
    with refused("TICKET_NOT_FOUND", "reset_token"):
        await reset(service, request)
    clock.advance(1800)
    with refused("TICKET_NOT_FOUND"):
        await reset(service, of_other)
    assert await outcome(service.sign_in(other)) == "signed_in"


async def test_a_refused_password_burns_no_link(service: Service) -> None:
    """A common password and a short one are refused with their field; then the link still works."""
    user = await service.new_user()
    request = await asked(service, user)
    for weak in ("password1", "short"):
        request.new_password = weak
        with refused("INVALID_FIELDS", "new_password"):
            await reset(service, request)
    request.new_password = NEW_PASSWORD
    await reset(service, request, user)
    assert await outcome(service.sign_in(user)) == "signed_in"


async def test_a_reset_still_owes_the_second_factor(service: Service, clock: Clock) -> None:
    """Factors stay as they were: the next sign-in is a challenge (keycloak#12759); no token of the reset answers it."""
    user = await service.two_factor_user()
    request = await asked(service, user)
    await reset(service, request, user)
    clock.advance(30)
    challenge = (await service.sign_in(user, device=True)).challenge
    assert sign_in_pb2.FACTOR_KIND_TOTP in challenge.kinds
    with refused("TICKET_NOT_FOUND"):
        await service.two_factor.FinishChallenge(
            two_factor_pb2.FinishChallengeRequest(
                challenge_token=request.reset_token,
                challenge_binding=request.reset_binding,
                second_factor=service.code(user),
                client=service.client,
            ),
            metadata=service.metadata,
        )
    await service.finish_challenge(user, challenge, service.code(user))


async def test_no_step_of_another_recovery_resets(service: Service, clock: Clock) -> None:
    """The link of a two-factor recovery, of a sign-up, or a reset's of another account in its place: no such link
    (CVE-2026-18963).
    """
    user = await service.two_factor_user()
    recovery = await begun(service, user)
    claim = await service.sign_up("new@example.org")
    activation = await service.link_token("new@example.org")
    clock.advance(1)
    request = await asked(service, user)
    for token, binding in (
        (recovery.recovery_link_token, recovery.recovery_binding),
        (activation, claim.sign_up_binding),
        (recovery.recovery_link_token, request.reset_binding),
    ):
        with refused("TICKET_NOT_FOUND"):
            await reset(
                service,
                recovery_pb2.ResetPasswordRequest(
                    reset_token=token, reset_binding=binding, new_password=NEW_PASSWORD, client=service.client
                ),
            )
    with refused("TICKET_NOT_FOUND"):
        await confirm(
            service,
            recovery_pb2.ConfirmTwoFactorRecoveryRequest(
                recovery_link_token=request.reset_token, recovery_binding=request.reset_binding, client=service.client
            ),
        )
    await reset(service, request, user)


async def test_a_reset_works_while_wrong_passwords_close_the_sign_in(service: Service, clock: Clock) -> None:
    """An attacker's eighty failures keep nobody from a new password, which opens the sign-in again
    (GHSA-cq42-vhv7-xr7p).
    """
    user = await service.new_user()
    for _ in range(80):
        if await outcome(service.sign_in(user, password=WRONG_PASSWORD)) == "TOO_MANY_ATTEMPTS":
            clock.advance(3600)
            await outcome(service.sign_in(user, password=WRONG_PASSWORD))
    await service.app.pool.execute("UPDATE password_credentials SET failures = '{80,20}'")
    assert await outcome(service.sign_in(user)) == "TOO_MANY_ATTEMPTS"
    await reset(service, await asked(service, user), user)
    assert await failures(service, user) == [0, 0]
    assert await outcome(service.sign_in(user)) == "signed_in"


async def test_of_a_locked_account_nothing_is_reset(service: Service) -> None:
    """The link is told so and stays unspent: locked by support is locked until support unlocks."""
    user = await service.new_user()
    request = await asked(service, user)
    await service.app.pool.execute("UPDATE accounts SET state = 'locked'")
    with refused("ACCOUNT_LOCKED"):
        await reset(service, request)
    await service.app.pool.execute("UPDATE accounts SET state = 'active'")
    assert await outcome(service.sign_in(user)) == "signed_in"
    await reset(service, request, user)


async def test_while_changes_are_frozen_nothing_is_reset_or_recovered(service: Service, clock: Clock) -> None:
    """An intruder who moved the address to a mailbox of theirs does not take the account by it: the owner's undo link
    has frozen all that its security rests on, until the address is back or the freeze is over.
    """
    user = await reachable_user(service)
    clock.advance(30)
    await service.sign_in(user, second_factor=service.code(user))
    await service.app.pool.execute("UPDATE accounts SET changes_frozen_until = $1", clock() + timedelta(days=7))
    request = await asked(service, user)
    with refused("CHANGES_FROZEN"):
        await reset(service, request)
    clock.advance(1)
    confirmation = await begun(service, user)
    with refused("CHANGES_FROZEN"):
        await confirm(service, confirmation)
    await service.app.pool.execute("UPDATE accounts SET changes_frozen_until = NULL")
    token = (await confirm(service, confirmation)).recovery_token
    await send(service, token)
    await service.app.pool.execute("UPDATE accounts SET changes_frozen_until = $1", clock() + timedelta(days=7))
    with refused("CHANGES_FROZEN"):
        await finish(service, token, await code_to(service))
    # Nothing was spent by the refusals.
    await service.app.pool.execute("UPDATE accounts SET changes_frozen_until = $1", clock())
    await reset(service, request, user)


async def test_requests_of_strangers_take_no_place_of_the_owner(service: Service, clock: Clock) -> None:
    """The owner's link goes on working beside a hundred requests of others, and a device that is known has places of
    its own; what is asked beyond them gets the same answer and no mail.
    """
    await set_realm(service, captcha_recovery_after=0)
    user = await service.signed_in_user()
    own = await asked(service, user)
    for _ in range(90):
        assert (await ask(service, user.email)).reset_binding
    assert len(set(await links(service, user))) == 3
    device = sign_in_pb2.ClientContext(ip_address="198.51.100.9", device_token=user.device_token)
    binding = (await ask(service, user.email, device)).reset_binding
    known = await service.link_token(user.email)
    assert len(set(await links(service, user))) == 4
    clock.advance(1700)
    await reset(service, own, user)
    # The other link was of the old password.
    with refused("TICKET_NOT_FOUND"):
        await reset(
            service,
            recovery_pb2.ResetPasswordRequest(
                reset_token=known, reset_binding=binding, new_password=NEW_PASSWORD, client=service.client
            ),
        )


async def test_another_users_device_is_not_known_here(service: Service) -> None:
    """A device token of another account opens no places of its own for this one."""
    user, stranger = await service.signed_in_user(), await service.signed_in_user()
    client = sign_in_pb2.ClientContext(ip_address="198.51.100.9", device_token=stranger.device_token)
    for _ in range(3):
        await ask(service, user.email)
    for _ in range(3):
        await ask(service, user.email, client)
    assert len(set(await links(service, user))) == 3


async def test_an_address_without_an_account_gets_the_answer_and_no_mail(service: Service) -> None:
    """One row of mail is written and dropped by the worker; the binding is worth nothing."""
    user = await service.new_user()
    answers = [await ask(service, address) for address in (user.email, "nobody@example.org")]
    assert len({len(answer.reset_binding) for answer in answers}) == 1
    assert len({answer.resend_time.ToSeconds() for answer in answers}) == 1
    rows = await service.app.pool.fetchval("SELECT count(*) FROM outbox WHERE kind = 'password_reset'")
    assert rows == 2
    assert not await service.mails("nobody@example.org")
    assert len(await links(service, user)) == 1


async def test_a_link_goes_to_the_address_as_its_owner_wrote_it(service: Service) -> None:
    """A spelling that is taken for the same leads to no other mailbox."""
    user = await service.new_user("ada.lovelace@example.org")
    await ask(service, "ADA.Lovelace@EXAMPLE.org")
    assert len(await links(service, user)) == 1
    assert not await service.mails("ADA.Lovelace")


async def test_a_network_asks_a_hundred_times_an_hour(service: Service, clock: Clock) -> None:
    """Requests of both kinds count together, for any address; another network and the next hour are free."""
    await set_realm(service, recoveries_per_network_per_hour=3)
    for n in range(3):
        await ask(service, f"somebody{n}@example.org")
    user = await service.new_user()
    with refused("TOO_MANY_ATTEMPTS"):
        await ask(service, user.email)
    with refused("TOO_MANY_ATTEMPTS"):
        await begin(service, user)
    await ask(service, user.email, sign_in_pb2.ClientContext(ip_address="198.51.100.9"))
    clock.advance(3600)
    await ask(service, user.email)


async def test_many_requests_of_a_network_are_asked_for_a_captcha(service: Service) -> None:
    """From the tenth of the hour on, for any address alike; each is good once. A realm without a provider asks none."""
    user = await service.new_user()
    await cheap(service)
    for n in range(9):
        await ask(service, f"somebody{n}@example.org")
    for address in (user.email, "nobody@example.org"):
        with refused("CAPTCHA_REQUIRED"):
            await ask(service, address)
    with refused("CAPTCHA_INVALID"):
        await ask(service, user.email, with_captcha(service, "W10="))
    assert not await links(service, user)
    client = with_captcha(service, await solved(service))
    await ask(service, user.email, client)
    assert len(await links(service, user)) == 1
    with refused("CAPTCHA_INVALID"):
        await ask(service, user.email, client)
    await cheap(service, captcha_provider="none")
    await ask(service, user.email)


async def test_a_change_of_the_password_ends_the_links(service: Service) -> None:
    """A link that was mailed under the old password resets the new one never."""
    user = await service.signed_in_user()
    request = await asked(service, user)
    await service.accounts.ChangePassword(
        account_pb2.ChangePasswordRequest(
            reauthentication=user.reauthentication, new_password="one more horse battery 6", client=service.client
        ),
        metadata=service.with_session(user),
    )
    with refused("TICKET_NOT_FOUND", "reset_token"):
        await reset(service, request)
    user.password = "one more horse battery 6"
    # The places of dead links are free again once they have expired, and one is free now.
    await reset(service, await asked(service, user), user)


async def test_a_pending_step_of_the_old_password_ends(service: Service, clock: Clock) -> None:
    """A challenge that was opened with the old password opens nothing after the reset."""
    user = await service.two_factor_user()
    challenge = (await service.sign_in(User(user.email, user.password))).challenge
    await reset(service, await asked(service, user), user)
    clock.advance(30)
    with refused("TICKET_NOT_FOUND"):
        await service.finish_challenge(user, challenge, service.code(user))


async def test_the_answer_and_the_notice_list_what_came_lately(service: Service, clock: Clock) -> None:
    """What was there at the last sign-in on a known device, a week ago, is not listed; what came since is, with kind
    and time, though the device that it came from has been known since.
    """
    user = await service.signed_in_user()
    clock.advance(60)
    await set_number(service, user)
    clock.advance(60)
    await service.sign_in(user, device=True)
    clock.advance(8 * 86400)
    # Somebody else with the password: a device that is new, and factors of theirs.
    intruder = User(user.email, user.password)
    await service.sign_in(intruder)
    clock.advance(60)
    await service.enrol(intruder)
    clock.advance(61)
    await enrol(service, intruder, Way("email", MAILBOX, "se**@ex***.n**"))
    await service.sign_in(intruder, second_factor=service.code(intruder), device=True)
    done = await reset(service, await asked(service, user), user)
    assert [(row.kind, row.factor_kind) for row in done.additions] == [
        (recovery_pb2.ADDITION_KIND_BACKUP_CODES, sign_in_pb2.FACTOR_KIND_UNSPECIFIED),
        (recovery_pb2.ADDITION_KIND_FACTOR, sign_in_pb2.FACTOR_KIND_TOTP),
        (recovery_pb2.ADDITION_KIND_FACTOR, sign_in_pb2.FACTOR_KIND_EMAIL),
        (recovery_pb2.ADDITION_KIND_DEVICE, sign_in_pb2.FACTOR_KIND_UNSPECIFIED),
    ]
    assert [row.create_time.ToSeconds() - int(clock().timestamp()) for row in done.additions] == [-61, -61, 0, -121]
    (notice,) = [mail for mail in await service.mails(user.email) if "set anew" in str(mail["Subject"])]
    body = notice.get_body(("plain",))
    assert body is not None
    text = " ".join(body.get_content().split())
    assert "backup codes, authenticator app, codes by e-mail, a device" in text


async def test_nothing_that_came_lately_is_said_so(service: Service) -> None:
    """An account as it was a week ago, and at its last sign-in on a known device, lists nothing."""
    user = await service.signed_in_user()
    await service.sign_in(user, device=True)
    service.clock.advance(8 * 86400)
    done = await reset(service, await asked(service, user), user)
    assert not done.additions


async def test_a_mailbox_that_reset_the_password_is_no_second_factor(service: Service, clock: Clock) -> None:
    """Codes to the mailbox alone sign nobody in after a reset by it, nor does a recovery without a phone: support does.

    With a backup code, which came another way, the sign-in finishes and the mailbox is one beside it again.
    """
    user = await service.signed_in_user()
    await enrol(service, user, Way("email", user.email, "us**@ex***.o**"))
    codes = list(user.backup_codes)
    await reset(service, await asked(service, user), user)
    clock.advance(61)
    challenge = (await service.sign_in(user)).challenge
    assert list(challenge.kinds) == [sign_in_pb2.FACTOR_KIND_BACKUP_CODE]
    with refused("TWO_FACTOR_NOT_ENROLLED"):
        await service.two_factor.StartChallenge(
            two_factor_pb2.StartChallengeRequest(
                challenge_token=challenge.challenge_token,
                challenge_binding=challenge.challenge_binding,
                email=two_factor_pb2.EmailChallenge(),
            ),
            metadata=service.metadata,
        )
    kept = await service.app.pool.fetchval("SELECT array_agg(slot) FROM backup_codes")
    await service.app.pool.execute("UPDATE backup_codes SET spent_time = $1", clock())
    assert await outcome(service.sign_in(user)) == "RECOVERY_NEEDS_SUPPORT"
    with refused("RECOVERY_NEEDS_SUPPORT"):
        await confirm(service, await begun(service, user))
    await service.app.pool.execute("UPDATE backup_codes SET spent_time = NULL WHERE slot = ANY($1)", kept)
    await service.sign_in(user, second_factor=sign_in_pb2.SecondFactor(backup_code=codes[0]))
    assert sign_in_pb2.FACTOR_KIND_EMAIL in (await service.sign_in(User(user.email, user.password))).challenge.kinds


async def test_links_lead_to_the_realms_own_pages(service: Service) -> None:
    """Whatever host the caller names, the link has the operator's base URL (CVE-2023-49097)."""
    user = await service.new_user()
    await service.recovery.RequestPasswordReset(
        recovery_pb2.RequestPasswordResetRequest(email=user.email, client=service.client),
        metadata=(*service.metadata, ("host", "evil.example"), ("x-forwarded-host", "evil.example")),
    )
    (mail,) = [mail for mail in await service.mails(user.email) if "Set a new" in str(mail["Subject"])]
    realm = await service.app.services.realms.get(RealmId("default"))
    assert f"{realm.settings.link_base_url.rstrip('/')}/reset-password?token=" in str(mail)
    assert "evil.example" not in str(mail)


async def test_resets_of_two_accounts_at_once_are_each_their_own(service: Service) -> None:
    """Each link sets the password of its own account, and no other's."""
    users = [await service.new_user() for _ in range(3)]
    requests = [await asked(service, user) for user in users]
    for number, request in enumerate(requests):
        request.new_password = f"{NEW_PASSWORD} {number}"
    await asyncio.gather(*(reset(service, r, u) for r, u in zip(requests, users, strict=True)))
    for user in users:
        assert await outcome(service.sign_in(user)) == "signed_in"
        assert await outcome(service.sign_in(user, password=PASSWORD)) == "INVALID_CREDENTIALS"


@pytest.mark.parametrize("language", ["cs", "de", "nl", "fr"])
async def test_links_are_written_in_the_users_language(service: Service, language: str) -> None:
    """The device's language where the account has none."""
    user = await service.new_user()
    await ask(service, user.email, sign_in_pb2.ClientContext(ip_address="192.0.2.7", language_code=language))
    mail = (await service.mails(user.email))[-1]
    assert "Set a new" not in str(mail["Subject"])
    assert len(tokens_in([mail])) == 1
