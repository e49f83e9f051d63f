"""The phone number of an account: asked for, confirmed, shown, and told of."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import grpc.aio
import pytest

from tests.conftest import Clock
from tests.service import Service, User, details, reason, refused, retry_after
from twofold.v1 import account_pb2, sign_in_pb2

NUMBER = "+420777123456"
OTHER = "+4915112345678"


async def texts(service: Service, to: str = "") -> list[str]:
    """The text messages sent so far, to one number or all, the oldest first."""
    await service.mails()
    found = [path.read_text() for path in sorted(service.sent.glob("*.sms"))]
    return [text for text in found if text.startswith(f"To: {to}")]


async def change(service: Service, user: User, number: str = NUMBER) -> account_pb2.ChangePhoneNumberResponse:
    """Ask for a code to a number."""
    found: account_pb2.ChangePhoneNumberResponse = await service.accounts.ChangePhoneNumber(
        account_pb2.ChangePhoneNumberRequest(phone_number=number, client=service.client),
        metadata=service.with_session(user),
    )
    return found


async def confirm(service: Service, user: User, token: str, code: str) -> account_pb2.ConfirmPhoneNumberResponse:
    """Bring a code back."""
    found: account_pb2.ConfirmPhoneNumberResponse = await service.accounts.ConfirmPhoneNumber(
        account_pb2.ConfirmPhoneNumberRequest(phone_number_token=token, code=code, client=service.client),
        metadata=service.with_session(user),
    )
    return found


async def code_for(service: Service, number: str = NUMBER) -> str:
    """The code of the newest message to a number."""
    found = re.search(r": (\d{6})\.", (await texts(service, number))[-1])
    assert found
    return found[1]


def wrong(code: str) -> str:
    """Another code."""
    return f"{(int(code) + 1) % 10**6:06}"


async def set_number(service: Service, user: User, number: str = NUMBER) -> None:
    """Give an account a number."""
    begun = await change(service, user, number)
    await confirm(service, user, begun.phone_number_token, await code_for(service, number))


async def shown(service: Service, user: User) -> account_pb2.Account:
    """The account as it is shown."""
    found = await service.accounts.GetAccount(account_pb2.GetAccountRequest(), metadata=service.with_session(user))
    return found.account


async def test_a_number_is_set_by_its_code_and_told_of(service: Service, clock: Clock) -> None:
    """The answer says where the code goes; the number counts from the code on; the mailbox is told."""
    user = await service.signed_in_user()
    begun = await change(service, user, "+420 777-123-456")
    assert begun.masked_phone_number == "+420*****56"
    assert begun.delivery.state == sign_in_pb2.DELIVERY_STATE_WAITING
    assert begun.delivery.resend_time.ToDatetime() == begun.expire_time.ToDatetime().replace(minute=1)
    assert (await shown(service, user)).phone_number == ""
    code = await code_for(service)
    confirmed = await confirm(service, user, begun.phone_number_token, f"{code[:3]} {code[3:]}")
    assert confirmed.account.phone_number == NUMBER
    account = await shown(service, user)
    assert (account.phone_number, account.phone_number_verify_time.ToDatetime()) == (
        NUMBER,
        clock().replace(tzinfo=None),
    )
    mail = (await service.mails(user.email))[-1]
    assert "phone number was added" in str(mail["Subject"])
    assert "+420*****56" in str(mail)
    assert NUMBER not in str(mail)
    # Its row is sealed.
    row = await service.app.pool.fetchval("SELECT p::text || encode(number, 'escape') FROM phone_numbers p")
    assert "777123456" not in row


async def test_a_change_tells_the_old_number_and_the_mailbox(service: Service, clock: Clock) -> None:
    """Whoever holds the number before learns that it is no longer the account's; each place gets one message."""
    user = await service.signed_in_user()
    await set_number(service, user)
    clock.advance(61)
    before = len(await service.mails(user.email))
    await set_number(service, user, OTHER)
    assert (await shown(service, user)).phone_number == OTHER
    mails = await service.mails(user.email)
    assert [str(mail["Subject"]) for mail in mails[before:]] == ["The phone number of your Twofold account was changed"]
    assert "your phone number was changed" in (await texts(service, NUMBER))[-1]
    assert len(await texts(service, OTHER)) == 1


async def test_security_changes_go_to_every_place(service: Service) -> None:
    """A changed password is told by mail and by SMS, in the transaction that changes it."""
    user = await service.signed_in_user()
    await set_number(service, user)
    await service.accounts.ChangePassword(
        account_pb2.ChangePasswordRequest(
            reauthentication=user.reauthentication, new_password="another horse battery 7", client=service.client
        ),
        metadata=service.with_session(user),
    )
    subjects = [str(mail["Subject"]) for mail in await service.mails(user.email)]
    assert subjects.count("Your Twofold password was changed") == 1
    assert (await texts(service, NUMBER))[-1].endswith(
        "Twofold: your password was changed. Not you? Set a new one or ask support at once.\n"
    )


async def test_wrong_codes_end_it(service: Service) -> None:
    """Five wrong codes are judged; then the right one is refused as well, and works for nobody."""
    user = await service.signed_in_user()
    begun = await change(service, user)
    code = await code_for(service)
    for _ in range(5):
        with refused("INVALID_CODE"):
            await confirm(service, user, begun.phone_number_token, wrong(code))
    with refused("TICKET_NOT_FOUND", "phone_number_token"):
        await confirm(service, user, begun.phone_number_token, code)
    assert (await shown(service, user)).phone_number == ""


async def test_asking_again_buys_no_guesses(service: Service, clock: Clock) -> None:
    """Another code comes after the wait; the count goes on, the first code is dead, and after five there is none."""
    user = await service.signed_in_user()
    begun = await change(service, user)
    first = await code_for(service)
    for _ in range(3):
        with refused("INVALID_CODE"):
            await confirm(service, user, begun.phone_number_token, wrong(first))
    with pytest.raises(grpc.aio.AioRpcError) as soon:
        await change(service, user)
    assert reason(soon.value) == "RESEND_TOO_SOON"
    assert retry_after(soon.value) == 60
    assert dict(details(soon.value)["ErrorInfo"].metadata) == {"delivery_state": "SENT"}
    clock.advance(60)
    again = await change(service, user)
    with refused("TICKET_NOT_FOUND"):
        await confirm(service, user, begun.phone_number_token, first)
    second = await code_for(service)
    for _ in range(2):
        with refused("INVALID_CODE"):
            await confirm(service, user, again.phone_number_token, wrong(second))
    with refused("TICKET_NOT_FOUND"):
        await confirm(service, user, again.phone_number_token, second)
    clock.advance(61)
    with refused("RESEND_TOO_SOON"):
        await change(service, user)
    clock.advance(300)
    user = await service.signed_in_user()
    await set_number(service, user)


async def test_a_code_works_once_in_its_session_and_its_time(service: Service, clock: Clock) -> None:
    """Spent, expired, or brought by another session of the same user or by another user: there is no such step."""
    user = await service.signed_in_user()
    begun = await change(service, user)
    code = await code_for(service)
    stranger = await service.signed_in_user()
    elsewhere = User(user.email, user.password)
    await service.sign_in(elsewhere)
    for other in (stranger, elsewhere):
        with refused("TICKET_NOT_FOUND"):
            await confirm(service, other, begun.phone_number_token, code)
    await confirm(service, user, begun.phone_number_token, code)
    with refused("TICKET_NOT_FOUND"):
        await confirm(service, user, begun.phone_number_token, code)
    clock.advance(61)
    late = await change(service, user, OTHER)
    clock.advance(239)
    code = await code_for(service, OTHER)
    clock.advance(61)
    await service.sign_in(user)
    with refused("TICKET_NOT_FOUND"):
        await confirm(service, user, late.phone_number_token, code)


async def test_of_uses_at_once_one_wins(service: Service) -> None:
    """Ten parallel right codes set the number once, and tell of it once."""
    user = await service.signed_in_user()
    begun = await change(service, user)
    code = await code_for(service)
    found = await asyncio.gather(
        *(confirm(service, user, begun.phone_number_token, code) for _ in range(10)), return_exceptions=True
    )
    assert sum(not isinstance(one, BaseException) for one in found) == 1
    told = [mail for mail in await service.mails(user.email) if "phone number" in str(mail["Subject"])]
    assert len(told) == 1


async def test_of_guesses_at_once_five_are_judged(service: Service) -> None:
    """Twenty parallel wrong codes, and the right one after them is refused."""
    user = await service.signed_in_user()
    begun = await change(service, user)
    code = await code_for(service)
    guesses = [f"{(int(code) + n) % 10**6:06}" for n in range(1, 21)]
    found = await asyncio.gather(
        *(confirm(service, user, begun.phone_number_token, guess) for guess in guesses), return_exceptions=True
    )
    reasons = [reason(one) for one in found if isinstance(one, grpc.aio.AioRpcError)]
    assert (reasons.count("INVALID_CODE"), reasons.count("TICKET_NOT_FOUND")) == (5, 15)
    with refused("TICKET_NOT_FOUND"):
        await confirm(service, user, begun.phone_number_token, code)


@pytest.mark.parametrize(
    "number",
    [
        "", "777123456", "420777123456", "+999123456789", "+4207771234567", "+42077712345", "+420222123456",
        "+420900123456",
        "+18005551234", "+4420 7946 0958 ext 5", "+٤٢٠777123456", "+44 7640 123456",
        "tel:+420777123456",
        "+" + "1" * 40,
    ],
)  # fmt: skip
async def test_numbers_that_take_no_text_messages(service: Service, number: str) -> None:
    """What can't exist, or can't receive SMS, is named at its field."""
    user = await service.signed_in_user()
    with refused("INVALID_FIELDS", "phone_number"):
        await change(service, user, number)
    assert await texts(service) == []


async def test_a_recent_second_factor_is_demanded(service: Service, clock: Clock) -> None:
    """A session whose proof is old can't change the number."""
    user = await service.two_factor_user()
    clock.advance(601)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await change(service, user)
    assert reason(caught.value) in {"RECENT_TWO_FACTOR_REQUIRED", "SESSION_EXPIRED"}


async def test_a_refused_message_is_told_in_the_answer(service: Service, clock: Clock, tmp_path: Path) -> None:
    """The spend guard's reason reaches the caller at once, with the time from which another may be asked for."""
    await service.app.services.realms.set("default", {"sms_countries": "DE"})
    user = await service.signed_in_user()
    begun = await change(service, user)
    assert begun.delivery.state == sign_in_pb2.DELIVERY_STATE_REFUSED
    assert begun.delivery.reason == sign_in_pb2.DELIVERY_REASON_COUNTRY_NOT_SERVED
    assert await texts(service) == []
