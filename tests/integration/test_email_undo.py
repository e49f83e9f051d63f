"""A change of address taken back, by the link that the address before was mailed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import datetime, timedelta

import grpc.aio
import pytest

from tests.conftest import Clock
from tests.integration.email_steps import ask, confirm, move, new_address, subjects, undo, undo_link
from tests.integration.test_factor_policy import set_realm
from tests.integration.test_owed_enrollments import begin, finish, finish_request, owing
from tests.integration.test_phone_numbers import change as change_number
from tests.service import Service, User, details, reason, refused
from twofold.v1 import account_pb2, sign_in_pb2, two_factor_pb2

OTHER_PASSWORD = "another horse battery 7"
_DAY = 86400


async def change_password(service: Service, user: User, password: str = OTHER_PASSWORD) -> None:
    """Change a user's password in the session."""
    changed = await service.accounts.ChangePassword(
        account_pb2.ChangePasswordRequest(
            reauthentication=user.reauthentication, new_password=password, client=service.client
        ),
        metadata=service.with_session(user),
    )
    user.tokens, user.password = changed.tokens, password


async def address_of(service: Service, user: User) -> str:
    """The address that the account has."""
    found: str = await service.app.pool.fetchval(
        "SELECT email FROM accounts WHERE account_id::text = $1", user.account_id
    )
    return found


async def test_with_the_password_the_address_comes_back_and_all_sessions_end(service: Service) -> None:
    """The one who changed it is out, both mailboxes are told, and the address before signs in again."""
    user = await service.signed_in_user()
    before, address = user.email, new_address()
    token = await move(service, user, address)
    found = await undo(service, token, password=user.password)
    assert found.email_restored
    assert not found.HasField("changes_frozen_until")
    assert not await service.is_live(user)
    assert await address_of(service, user) == before
    with refused("INVALID_CREDENTIALS"):
        await service.sign_in(user)
    user.email = before
    assert (await service.sign_in(user)).HasField("signed_in")
    restored = "The e-mail address of your Twofold account is back"
    for told in (before, address):
        assert (await subjects(service, told)).count(restored) == 1, told
    # Nothing stays frozen: the owner changes the password next.
    await change_password(service, user)
    for proof in (user.password, ""):
        with refused("TICKET_NOT_FOUND", "undo_token"):
            await undo(service, token, password=proof)


async def test_the_mailbox_alone_protects_and_takes_nothing(service: Service, clock: Clock) -> None:
    """Without a proof the sessions end and changes are frozen for the link's life; the address stays."""
    user = await service.signed_in_user()
    before = user.email
    token = await move(service, user)
    clock.advance(_DAY)
    await service.sign_in(user)
    found = await undo(service, token)
    assert not found.email_restored
    until = found.changes_frozen_until.ToDatetime()
    assert until - clock().replace(tzinfo=None) == timedelta(days=6)
    assert not await service.is_live(user)
    assert await address_of(service, user) == user.email
    with refused("INVALID_CREDENTIALS"):
        await service.sign_in(User(before))
    await service.sign_in(user)
    # Whoever keeps the mailbox does not sign the account out for ever.
    assert (await undo(service, token)).changes_frozen_until.ToDatetime() == until
    assert await service.is_live(user)
    frozen = "Changes to your Twofold account are stopped"
    assert (await subjects(service, user.email)).count(frozen) == 1


async def test_a_frozen_account_changes_nothing_of_its_security(service: Service, clock: Clock) -> None:
    """Address, number, password, factors and the account itself stay, until the time that the error names."""
    user = await service.two_factor_user()
    token = await move(service, user)
    until: datetime = (await undo(service, token)).changes_frozen_until.ToDatetime()
    clock.advance(30)
    await service.sign_in(user, second_factor=service.code(user))
    metadata, proof = service.with_session(user), user.reauthentication
    calls: list[Awaitable[object]] = [
        service.accounts.ChangeEmail(
            account_pb2.ChangeEmailRequest(new_email=new_address(), client=service.client), metadata=metadata
        ),
        service.accounts.ChangePassword(
            account_pb2.ChangePasswordRequest(
                reauthentication=proof, new_password=OTHER_PASSWORD, client=service.client
            ),
            metadata=metadata,
        ),
        change_number(service, user),
        service.accounts.DeleteAccount(
            account_pb2.DeleteAccountRequest(
                reauthentication=proof, second_factor=service.code(user, 1), client=service.client
            ),
            metadata=metadata,
        ),
        service.two_factor.BeginEnrollment(
            two_factor_pb2.BeginEnrollmentRequest(totp=two_factor_pb2.TotpEnrollment()), metadata=metadata
        ),
        service.two_factor.DisableTwoFactor(
            two_factor_pb2.DisableTwoFactorRequest(
                reauthentication=proof, second_factor=service.code(user, 1), client=service.client
            ),
            metadata=metadata,
        ),
        service.two_factor.GenerateBackupCodes(two_factor_pb2.GenerateBackupCodesRequest(), metadata=metadata),
    ]
    for call in calls:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert reason(caught.value) == "CHANGES_FROZEN"
        assert details(caught.value)["ErrorInfo"].metadata["until"] == f"{until:%Y-%m-%dT%H:%M:%SZ}"
    clock.advance(7 * _DAY)
    await service.sign_in(user, second_factor=service.code(user))
    await change_password(service, user)


async def test_a_frozen_account_sets_up_no_factor_that_a_sign_in_owes(service: Service) -> None:
    """Whoever knows the password alone enrols nothing meanwhile, begun before the freeze or after it."""
    user = await service.signed_in_user()
    token = await move(service, user)
    await set_realm(service, second_factor="demanded")
    owed = await owing(service, user)
    begun = await begin(service, owed)
    await undo(service, token)
    with refused("TICKET_NOT_FOUND"):
        await finish(service, finish_request(service, owed, begun))
    with refused("CHANGES_FROZEN"):
        await begin(service, await owing(service, user))
    await undo(service, token, password=user.password)
    user.email = await address_of(service, user)
    owed = await owing(service, user)
    await finish(service, finish_request(service, owed, await begin(service, owed)))


async def test_a_frozen_account_comes_back_with_the_password(service: Service) -> None:
    """The link that froze it still brings the address back, and ends the freeze."""
    user = await service.signed_in_user()
    before = user.email
    token = await move(service, user)
    await undo(service, token)
    assert (await undo(service, token, password=user.password)).email_restored
    user.email = before
    await service.sign_in(user)
    await change_password(service, user)


async def test_the_present_password_counts_and_a_change_of_it_ends_no_link(service: Service, clock: Clock) -> None:
    """One who changed the password too keeps the owner from the password's way, not from a code's."""
    user = await service.two_factor_user()
    first = user.password
    token = await move(service, user)
    await change_password(service, user)
    with refused("INVALID_CREDENTIALS"):
        await undo(service, token, password=first)
    clock.advance(30)
    code = service.code(user)
    assert (await undo(service, token, second_factor=code)).email_restored
    # The code is spent with it.
    user.email = await address_of(service, user)
    with refused("INVALID_SECOND_FACTOR"):
        await service.sign_in(user, second_factor=code)


async def test_a_backup_code_brings_it_back_and_is_spent(service: Service) -> None:
    """The owner whose phone is gone has the paper."""
    user = await service.two_factor_user()
    token = await move(service, user)
    code = sign_in_pb2.SecondFactor(backup_code=user.backup_codes[0])
    assert (await undo(service, token, second_factor=code)).email_restored
    user.email = await address_of(service, user)
    with refused("INVALID_SECOND_FACTOR"):
        await service.sign_in(user, second_factor=code)


async def test_wrong_proofs_count_with_all_others(service: Service, clock: Clock) -> None:
    """Five wrong passwords close the budget, here and at the sign-in of unknown devices; the link itself stays good."""
    user = await service.signed_in_user()
    token = await move(service, user)
    for _ in range(4):
        with refused("INVALID_CREDENTIALS"):
            await undo(service, token, password="not the password 1")
    with refused("INVALID_CREDENTIALS"):
        await service.sign_in(User(user.email), password="not the password 1")
    with refused("TOO_MANY_ATTEMPTS"):
        await undo(service, token, password=user.password)
    assert await service.is_live(user)
    clock.advance(31)
    assert (await undo(service, token, password=user.password)).email_restored


async def test_wrong_codes_count_with_all_others(service: Service) -> None:
    """Five wrong codes close the app's budget, and the right one after them is refused too."""
    user = await service.two_factor_user()
    token = await move(service, user)
    right = service.code(user, 1)
    bad = sign_in_pb2.SecondFactor(totp_code=f"{(int(right.totp_code) + 1) % 10**6:06}")
    for _ in range(5):
        with refused("INVALID_SECOND_FACTOR"):
            await undo(service, token, second_factor=bad)
    with refused("TOO_MANY_ATTEMPTS"):
        await undo(service, token, second_factor=right)


async def test_parallel_guesses_are_answered_five_times(service: Service) -> None:
    """Of thirty wrong passwords at once no more are judged than of the same at a sign-in."""
    user = await service.signed_in_user()
    token = await move(service, user)
    found = await asyncio.gather(
        *(undo(service, token, password=f"not the password {n}") for n in range(30)), return_exceptions=True
    )
    reasons = [reason(one) for one in found if isinstance(one, grpc.aio.AioRpcError)]
    assert len(reasons) == 30
    assert reasons.count("INVALID_CREDENTIALS") <= 5
    # A link that is just being judged is nobody else's for that moment.
    assert set(reasons) <= {"INVALID_CREDENTIALS", "TOO_MANY_ATTEMPTS", "OVERLOADED", "DATABASE_UNAVAILABLE"}


async def test_of_uses_at_once_one_brings_the_address_back(service: Service) -> None:
    """Ten with the right password: one event, one epoch."""
    user = await service.signed_in_user()
    token = await move(service, user)
    found = await asyncio.gather(
        *(undo(service, token, password=user.password) for _ in range(10)), return_exceptions=True
    )
    assert sum(isinstance(one, account_pb2.UndoEmailChangeResponse) for one in found) == 1
    refusals = {reason(one) for one in found if isinstance(one, grpc.aio.AioRpcError)}
    assert refusals <= {"TICKET_NOT_FOUND", "CHANGED_MEANWHILE", "OVERLOADED", "DATABASE_UNAVAILABLE"}
    assert await service.app.pool.fetchval("SELECT count(*) FROM events WHERE kind = 'email_restored'") == 1


async def test_changed_twice_it_comes_back_to_the_first(service: Service, clock: Clock) -> None:
    """The first address's link outlives the second change, and ends the link that went to the intruder's first."""
    user = await service.signed_in_user()
    before = user.email
    first = await move(service, user)
    clock.advance(61)
    second = await move(service, user)
    assert (await undo(service, first, password=user.password)).email_restored
    assert await address_of(service, user) == before
    with refused("TICKET_NOT_FOUND"):
        await undo(service, second, password=user.password)


async def test_a_later_undo_leaves_the_link_of_an_earlier_change(service: Service, clock: Clock) -> None:
    """A change that was right stays, and its own week goes on."""
    user = await service.signed_in_user()
    before, middle = user.email, new_address()
    first = await move(service, user, middle)
    clock.advance(61)
    second = await move(service, user)
    await undo(service, second, password=user.password)
    assert await address_of(service, user) == middle
    await undo(service, first, password=user.password)
    assert await address_of(service, user) == before


async def test_an_address_with_an_account_of_its_own_meanwhile_stays_with_it(service: Service) -> None:
    """Only whoever gave a right proof learns it, and the link stays good for when it is free again."""
    user = await service.signed_in_user()
    before = user.email
    token = await move(service, user)
    service.clock.advance(1)
    await service.new_user(before)
    with refused("INVALID_CREDENTIALS"):
        await undo(service, token, password="not the password 1")
    with refused("EMAIL_IN_USE"):
        await undo(service, token, password=user.password)
    assert await service.is_live(user)
    await service.app.pool.execute("DELETE FROM accounts WHERE email = $1", before)
    assert (await undo(service, token, password=user.password)).email_restored


async def test_a_locked_account_is_support_s(service: Service) -> None:
    """The link neither freezes nor brings anything back there."""
    user = await service.signed_in_user()
    token = await move(service, user)
    await service.app.pool.execute("UPDATE accounts SET state = 'locked' WHERE email = $1", user.email)
    for password in ("", user.password):
        with refused("TICKET_NOT_FOUND"):
            await undo(service, token, password=password)


async def test_a_link_of_one_purpose_is_nothing_to_the_other(service: Service) -> None:
    """The link to the new address takes nothing back, and the one to the old sets nothing."""
    user, address = await service.signed_in_user(), new_address()
    before = user.email
    await ask(service, user, address)
    change = await service.link_token(address)
    with refused("TICKET_NOT_FOUND", "undo_token"):
        await undo(service, change, password=user.password)
    await confirm(service, user, change)
    with refused("TICKET_NOT_FOUND", "email_change_token"):
        await confirm(service, user, await undo_link(service, before))


async def test_the_link_ends_after_its_week(service: Service, clock: Clock) -> None:
    """Seven days to the second, or what the realm says."""
    await service.app.services.realms.set("default", {"email_undo_lifetime": str(2 * _DAY)})
    user = await service.signed_in_user()
    token = await move(service, user)
    clock.advance(2 * _DAY - 1)
    await undo(service, token)
    clock.advance(1)
    with refused("TICKET_NOT_FOUND"):
        await undo(service, token, password=user.password)
