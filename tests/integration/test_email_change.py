"""The address of an account: changed by a link to the new one, in a session of the account; told to the one before."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import grpc.aio
import pytest

from tests.conftest import Clock
from tests.integration.email_steps import ask, confirm, move, new_address, subjects, undo_link
from tests.integration.test_phone_numbers import NUMBER, set_number, texts
from tests.service import Service, User, details, reason, refused, retry_after, tokens_in
from twofold.v1 import account_pb2, session_pb2, two_factor_pb2

CHANGED = "The e-mail address of your Twofold account was changed"
UNDO = "Your Twofold account has another e-mail address now"


async def shown(service: Service, user: User) -> account_pb2.Account:
    """The account as it is shown."""
    found = await service.accounts.GetAccount(account_pb2.GetAccountRequest(), metadata=service.with_session(user))
    return found.account


async def test_an_address_is_changed_by_the_link_that_goes_to_it(service: Service, clock: Clock) -> None:
    """The new one counts from the confirmation on, and signs in; the one before does not."""
    user = await service.signed_in_user()
    before, address = user.email, "New.Address@Example.NET"
    asked = await ask(service, user, address)
    assert asked.expire_time.ToDatetime() - clock().replace(tzinfo=None) == timedelta(days=1)
    assert asked.resend_time.ToDatetime() - clock().replace(tzinfo=None) == timedelta(seconds=60)
    assert (await shown(service, user)).email == before
    (mail,) = [mail for mail in await service.mails("ddress@example.net") if "Confirm" in str(mail["Subject"])]
    body = mail.get_body(("plain",))
    assert body is not None
    assert "http://localhost:3000/change-email?token=" in body.get_content()
    changed = await confirm(service, user, tokens_in([mail])[0])
    assert changed.account.email == (await shown(service, user)).email == "New.Address@example.net"
    assert (await service.sign_in(User("new.address@EXAMPLE.net"))).HasField("signed_in")
    with refused("INVALID_CREDENTIALS"):
        await service.sign_in(User(before))


async def test_everybody_is_told_and_the_address_before_gets_a_way_back(service: Service, clock: Clock) -> None:
    """A notice to the new address, each factor's address and the number; a link to the one before, and no notice."""
    user = await service.signed_in_user()
    before, address = user.email, new_address()
    await set_number(service, user)
    clock.advance(61)
    begun = await service.two_factor.BeginEnrollment(
        two_factor_pb2.BeginEnrollmentRequest(email=two_factor_pb2.EmailEnrollment(email="factor@example.com")),
        metadata=service.with_session(user),
    )
    body = (await service.mails("factor@example.com"))[-1].get_body(("plain",))
    assert body is not None
    code = next(line.strip() for line in body.get_content().splitlines() if line.strip().isdecimal())
    await service.two_factor.FinishEnrollment(
        two_factor_pb2.FinishEnrollmentRequest(
            enrollment_token=begun.enrollment_token,
            email_code=code,
            reauthentication=user.reauthentication,
            client=service.client,
        ),
        metadata=service.with_session(user),
    )
    clock.advance(1)
    await move(service, user, address)
    assert (await subjects(service, address)).count(CHANGED) == 1
    assert (await subjects(service, "factor@example.com")).count(CHANGED) == 1
    assert (await subjects(service, before)).count(CHANGED) == 0
    assert (await subjects(service, before)).count(UNDO) == 1
    assert "your e-mail address was changed" in (await texts(service, NUMBER))[-1]
    told = (await service.mails(before))[-1].get_body(("plain",))
    assert told is not None
    text = " ".join(told.get_content().split())
    assert "ne**@ex***.n**" in text
    assert address not in text
    assert "for 7 days, until March 21, 2026" in text
    assert "192.0.2.7" in text
    assert "http://localhost:3000/undo-email-change?token=" in text


async def test_other_sessions_and_devices_end_and_this_one_goes_on(service: Service) -> None:
    """By the epoch: their tokens are dead at once, and so are this one's of before."""
    user = await service.two_factor_user()
    service.clock.advance(30)
    elsewhere = User(user.email, user.password, seed=user.seed)
    elsewhere.take(
        (
            await service.accounts.SignIn(
                account_pb2.SignInRequest(
                    email=user.email,
                    password=user.password,
                    second_factor=service.code(user),
                    trust_device=True,
                    client=service.client,
                ),
                metadata=service.metadata,
            )
        ).signed_in
    )
    assert (await service.sign_in(elsewhere, device=True)).HasField("signed_in")
    held = User(user.email)
    held.tokens.CopyFrom(user.tokens)
    await move(service, user)
    assert await service.is_live(user)
    assert not await service.is_live(elsewhere)
    assert not await service.is_live(held)
    with refused("SESSION_ENDED"):
        await service.sessions.RefreshSession(
            session_pb2.RefreshSessionRequest(refresh_token=held.tokens.refresh_token), metadata=service.metadata
        )
    await service.sessions.RefreshSession(
        session_pb2.RefreshSessionRequest(refresh_token=user.tokens.refresh_token), metadata=service.metadata
    )
    elsewhere.email = user.email
    assert (await service.sign_in(elsewhere, device=True)).HasField("challenge")


async def test_a_taken_address_answers_alike_and_its_owner_is_told(service: Service) -> None:
    """No link goes out, whatever the spelling; the owner learns of it at the address as they wrote it."""
    owner = await service.new_user("Owner.Of@example.org")
    user, other = await service.signed_in_user(), await service.signed_in_user()
    taken, free = await ask(service, user, "OWNER.OF@EXAMPLE.ORG"), await ask(service, other, new_address())
    assert taken == free
    mail = (await service.mails("Owner.Of@example.org"))[-1]
    assert str(mail["Subject"]) == "Your address was entered for another Twofold account"
    assert "Owner.Of@example.org" in str(mail["To"])
    assert tokens_in([mail]) == []
    assert user.email not in str(mail)
    assert (await service.sign_in(owner)).HasField("signed_in")


async def test_an_address_that_gets_an_account_meanwhile_is_no_longer_to_be_had(service: Service) -> None:
    """The link is as one that there never was, and nothing of the change is done."""
    user, address = await service.signed_in_user(), new_address()
    await ask(service, user, address)
    token = await service.link_token(address)
    service.clock.advance(1)
    await service.new_user(address)
    other = User(user.email)
    await service.sign_in(other)
    with refused("TICKET_NOT_FOUND", "email_change_token"):
        await confirm(service, user, token)
    assert await service.is_live(other)
    assert UNDO not in await subjects(service, user.email)


async def test_the_mailbox_alone_changes_nobodys_address(service: Service) -> None:
    """Whoever reads the new mailbox needs a session of the very account; a stranger's spends nothing."""
    user, stranger, address = await service.signed_in_user(), await service.signed_in_user(), new_address()
    await ask(service, user, address)
    token = await service.link_token(address)
    with refused("SESSION_REQUIRED"):
        await service.accounts.ConfirmEmailChange(
            account_pb2.ConfirmEmailChangeRequest(email_change_token=token, client=service.client),
            metadata=service.metadata,
        )
    with refused("TICKET_NOT_FOUND", "email_change_token"):
        await confirm(service, stranger, token)
    assert stranger.email != address
    # In another session of the account's it works: the link was opened on the phone.
    phone = User(user.email)
    await service.sign_in(phone)
    await confirm(service, phone, token)
    assert not await service.is_live(user)
    assert (await shown(service, phone)).email == address


async def test_a_link_works_once_in_its_time_and_until_the_account_changes(service: Service, clock: Clock) -> None:
    """Used, expired, replaced by another, or of before a change of the password: there is no such step."""
    user = await service.signed_in_user()
    first, second = new_address(), new_address()
    await ask(service, user, first)
    replaced = await service.link_token(first)
    clock.advance(61)
    await ask(service, user, second)
    with refused("TICKET_NOT_FOUND"):
        await confirm(service, user, replaced)
    token = await service.link_token(second)
    await confirm(service, user, token)
    with refused("TICKET_NOT_FOUND"):
        await confirm(service, user, token)
    clock.advance(61)
    third = new_address()
    await ask(service, user, third)
    token = await service.link_token(third)
    changed = await service.accounts.ChangePassword(
        account_pb2.ChangePasswordRequest(
            reauthentication=user.reauthentication, new_password="another horse battery 7", client=service.client
        ),
        metadata=service.with_session(user),
    )
    user.tokens, user.password = changed.tokens, "another horse battery 7"
    with refused("TICKET_NOT_FOUND"):
        await confirm(service, user, token)
    clock.advance(61)
    await ask(service, user, third)
    token = await service.link_token(third)
    clock.advance(86400)
    await service.sign_in(user)
    with refused("TICKET_NOT_FOUND"):
        await confirm(service, user, token)


async def test_asking_again_waits_and_the_same_address_is_none(service: Service, clock: Clock) -> None:
    """One mail a minute, to whatever address; the account's own, in any spelling, is refused by name."""
    user = await service.signed_in_user("Same@example.org")
    with refused("INVALID_FIELDS", "new_email"):
        await ask(service, user, "sAME@EXAMPLE.org")
    await ask(service, user, new_address())
    clock.advance(18)
    with pytest.raises(grpc.aio.AioRpcError) as soon:
        await ask(service, user, new_address())
    assert (reason(soon.value), retry_after(soon.value)) == ("RESEND_TOO_SOON", 42)
    clock.advance(42)
    await ask(service, user, new_address())


async def test_a_recent_second_factor_is_demanded_at_both_steps(service: Service, clock: Clock) -> None:
    """A session whose proof is old changes no address, even with the link in hand."""
    user, address = await service.two_factor_user(), new_address()
    await ask(service, user, address)
    token = await service.link_token(address)
    old = User(user.email, user.password, seed=user.seed)
    clock.advance(601)
    await service.sessions.RefreshSession(session_pb2.RefreshSessionRequest(refresh_token=user.tokens.refresh_token))
    refreshed = await service.sessions.RefreshSession(
        session_pb2.RefreshSessionRequest(refresh_token=user.tokens.refresh_token)
    )
    user.tokens = refreshed.tokens
    with refused("RECENT_TWO_FACTOR_REQUIRED"):
        await ask(service, user, new_address())
    with refused("RECENT_TWO_FACTOR_REQUIRED"):
        await confirm(service, user, token)
    await service.sign_in(old, second_factor=service.code(user))
    await confirm(service, old, token)
    assert (await shown(service, old)).email == address


async def test_a_factor_that_is_enrolled_meanwhile_must_be_proven(service: Service) -> None:
    """A session that has proven the password alone can't confirm once an app is enrolled elsewhere."""
    user, address = await service.signed_in_user(), new_address()
    thief = User(user.email)
    await service.sign_in(thief)
    await ask(service, thief, address)
    await service.enrol(user)
    with refused("RECENT_TWO_FACTOR_REQUIRED"):
        await confirm(service, thief, await service.link_token(address))


async def test_of_uses_at_once_one_changes_the_address(service: Service) -> None:
    """Ten parallel confirmations: one way back is mailed, one event written, and the winner's session goes on."""
    user, address, before = await service.signed_in_user(), new_address(), ""
    before = user.email
    await ask(service, user, address)
    token = await service.link_token(address)
    metadata = service.with_session(user)
    calls = [
        service.accounts.ConfirmEmailChange(
            account_pb2.ConfirmEmailChangeRequest(email_change_token=token, client=service.client), metadata=metadata
        )
        for _ in range(10)
    ]
    found = await asyncio.gather(*calls, return_exceptions=True)
    won = [one for one in found if isinstance(one, account_pb2.ConfirmEmailChangeResponse)]
    assert len(won) == 1
    assert {reason(one) for one in found if isinstance(one, grpc.aio.AioRpcError)} <= {
        "TICKET_NOT_FOUND",
        "SESSION_ENDED",
    }
    user.tokens = won[0].tokens
    assert await service.is_live(user)
    assert (await subjects(service, before)).count(UNDO) == 1
    assert await service.app.pool.fetchval("SELECT count(*) FROM events WHERE kind = 'email_changed'") == 1


async def test_two_accounts_that_want_one_address_do_not_share_it(service: Service) -> None:
    """Both were mailed a link while it was free: the first to confirm has it, and the other's is lost."""
    one, other, address = await service.signed_in_user(), await service.signed_in_user(), new_address()
    await ask(service, one, address)
    await ask(service, other, address)
    tokens = tokens_in(await service.mails(address))
    assert len(tokens) == 2
    found = await asyncio.gather(
        *(confirm(service, who, token) for who in (one, other) for token in tokens), return_exceptions=True
    )
    assert sum(not isinstance(result, BaseException) for result in found) == 1
    assert {reason(e) for e in found if isinstance(e, grpc.aio.AioRpcError)} == {"TICKET_NOT_FOUND"}


async def test_links_lead_to_the_realms_own_pages(service: Service) -> None:
    """Whatever the caller says of itself, the link has the realm's base URL."""
    await service.app.services.realms.set("default", {"link_base_url": "https://app.example.com/in"})
    user, address = await service.signed_in_user(), new_address()
    await service.accounts.ChangeEmail(
        account_pb2.ChangeEmailRequest(new_email=address, client=service.client),
        metadata=(*service.with_session(user), ("x-forwarded-host", "evil.example"), ("host", "evil.example")),
    )
    await service.mails()
    (mail,) = await service.mails(address)
    assert "https://app.example.com/in/change-email?token=" in mail.as_string().replace("=\n", "").replace("=3D", "=")
    assert "evil" not in mail.as_string()


async def test_nothing_of_it_stands_in_the_open(service: Service) -> None:
    """Neither new address nor token is in a ticket's row, an event or the outbox; what is left is sealed or masked."""
    user, address = await service.signed_in_user(), new_address()
    before = user.email
    await ask(service, user, address)
    token = await service.link_token(address)
    rows = str(await service.app.pool.fetch("SELECT t::text FROM tickets t")) + str(
        await service.app.pool.fetch("SELECT o::text FROM outbox o")
    )
    assert address not in rows
    assert token not in rows
    await confirm(service, user, token)
    undo_token = await undo_link(service, before)
    for table in ("tickets", "outbox", "events"):
        rows = str(await service.app.pool.fetch(f"SELECT x::text FROM {table} x"))
        for secret in (address, before, token, undo_token):
            assert secret not in rows, table


async def test_a_stranger_who_asks_again_and_again_ends_only_their_own_link(service: Service, clock: Clock) -> None:
    """Another account that asks for the same address does not replace the owner's link."""
    owner, stranger, address = await service.signed_in_user(), await service.signed_in_user(), new_address()
    await ask(service, owner, address)
    token = await service.link_token(address)
    for _ in range(3):
        await ask(service, stranger, address)
        clock.advance(61)
    await confirm(service, owner, token)
    assert owner.email == address


async def test_sign_up_and_change_of_one_address_leave_one_account(service: Service) -> None:
    """A claim of the address that somebody else made before activates nothing once the address is another's."""
    user, address = await service.signed_in_user(), new_address()
    claim = await service.sign_up(address)
    link = await service.link_token(address)
    await move(service, user, address)
    with refused("TICKET_NOT_FOUND", "activation_token"):
        await service.accounts.ActivateAccount(
            account_pb2.ActivateAccountRequest(
                activation_token=link, sign_up_binding=claim.sign_up_binding, client=service.client
            )
        )


async def test_the_error_of_a_bad_address_names_its_field(service: Service) -> None:
    """What is no address is refused before anything is written."""
    user = await service.signed_in_user()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ask(service, user, "no address")
    assert reason(caught.value) == "INVALID_FIELDS"
    assert "no address" not in str(details(caught.value))
    assert await service.app.pool.fetchval("SELECT count(*) FROM tickets WHERE purpose = 'email_change'") == 0
