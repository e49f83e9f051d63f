"""After support has reset a second factor: the next one takes the password and the code that support handed over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from tests.integration import recoveries
from tests.integration.desk import DAY, Desk, link_in_mail, open_desk, owing
from tests.integration.test_owed_enrollments import finish, finish_request
from tests.races.gates import held_after_hash
from tests.service import Service, User, refused
from twofold.v1 import sign_in_pb2, support_pb2, two_factor_pb2


@dataclass
class Reset:
    """An account whose second factor support has just reset, and the code for its user."""

    desk: Desk
    opener: User
    approver: User
    user: User
    code: str


async def reset(service: Service) -> Reset:
    """A case from beginning to end."""
    desk = await open_desk(service)
    opener, approver = await desk.agent(), await desk.agent()
    user = await service.two_factor_user()
    case = await desk.approved(opener, approver, user.account_id)
    await desk.wait(DAY + 1, opener, approver)
    done = await desk.execute(opener, case)
    assert done.support_code_expire_time.seconds - done.case.end_time.seconds == DAY
    return Reset(desk, opener, approver, user, done.support_code)


async def begin(
    service: Service, owed: sign_in_pb2.EnrollmentRequired, code: str, **arm: Any
) -> two_factor_pb2.BeginEnrollmentResponse:
    """Begin what is owed with a code of support's; an authenticator app unless an arm is named."""
    return await service.two_factor.BeginEnrollment(
        two_factor_pb2.BeginEnrollmentRequest(
            owed_enrollment_token=owed.owed_enrollment_token,
            owed_enrollment_binding=owed.owed_enrollment_binding,
            support_code=code,
            **(arm or {"totp": two_factor_pb2.TotpEnrollment()}),
        ),
        metadata=service.metadata,
    )


async def test_the_password_and_the_code_set_up_the_next_factor(service: Service) -> None:
    """The right password owes the enrolment, though the realm demands none; typed sloppily, the code begins it."""
    done = await reset(service)
    owed = owing(await service.sign_in(done.user))
    assert owed.support_code_required
    begun = await begin(service, owed, f" {done.code.lower().replace('-', ' ')}")
    finished = await finish(service, finish_request(service, owed, begun))
    assert finished.signed_in.session.aal == 2
    assert len(finished.backup_codes.codes) == 10
    done.user.take(finished.signed_in)
    assert await service.is_live(done.user)
    # It owes nothing any more.
    assert (await service.sign_in(done.user)).HasField("challenge")


async def test_the_password_alone_sets_up_nothing(service: Service) -> None:
    """Without the code, or with one made up, nothing is begun and no message goes anywhere."""
    done = await reset(service)
    thief = User(done.user.email, done.user.password)
    owed = owing(await service.sign_in(thief))
    arms: list[dict[str, Any]] = [
        {"totp": two_factor_pb2.TotpEnrollment()},
        {"sms": two_factor_pb2.SmsEnrollment(phone_number="+420605987654")},
        {"email": two_factor_pb2.EmailEnrollment(email="thief@example.org")},
    ]
    for code in ("", "0000-0000-0000-0000-0000-0000-0000", done.code[::-1]):
        for arm in arms:
            with refused("INVALID_CODE", "support_code"):
                await begin(service, owed, code, **arm)
    for malformed in ("123456", done.code[:-1]):
        with refused("INVALID_FIELDS", "support_code"):
            await begin(service, owed, malformed)
    assert not await service.mails("thief@example.org")
    assert not list(service.sent.glob("*.sms"))
    assert not thief.tokens.access_token


async def test_another_accounts_code_is_none(service: Service) -> None:
    """Two accounts were reset: each code begins its own account's enrolment alone."""
    first = await reset(service)
    await service.app.services.realms.set("default", {"support_wait": "1h"})
    other = await service.two_factor_user()
    case = await first.desk.approved(first.opener, first.approver, other.account_id)
    await first.desk.wait(3601, first.opener)
    second = await first.desk.execute(first.opener, case)
    owed = owing(await service.sign_in(other))
    with refused("INVALID_CODE"):
        await begin(service, owed, first.code)
    assert (await begin(service, owed, second.support_code)).enrollment_token


async def test_a_step_without_the_code_can_not_finish_one_with_it(service: Service) -> None:
    """What the user has begun is finished in the user's own step alone, though a password thief has one too."""
    done = await reset(service)
    thief, owed = owing(await service.sign_in(done.user)), owing(await service.sign_in(done.user))
    begun = await begin(service, owed, done.code)
    with refused("TICKET_NOT_FOUND", "enrollment_token"):
        await finish(service, finish_request(service, thief, begun))
    await finish(service, finish_request(service, owed, begun))


async def test_a_wrong_first_proof_settles_nothing(service: Service) -> None:
    """After a wrong code of the app the account owes as before; the same code of support's is good for the next try."""
    done = await reset(service)
    owed = owing(await service.sign_in(done.user))
    begun = await begin(service, owed, done.code)
    with refused("INVALID_SECOND_FACTOR"):
        await finish(service, finish_request(service, owed, begun, totp_code="000000"))
    again = owing(await service.sign_in(done.user))
    assert again.support_code_required
    begun = await begin(service, again, done.code)
    await finish(service, finish_request(service, again, begun))


async def test_the_code_is_good_for_one_factor(service: Service) -> None:
    """A step that was begun with it beside the first enrols nothing beside it."""
    done = await reset(service)
    first, second = owing(await service.sign_in(done.user)), owing(await service.sign_in(done.user))
    begun = await begin(service, first, done.code)
    await finish(service, finish_request(service, first, begun))
    with refused("TICKET_NOT_FOUND"):
        await begin(service, second, done.code)


async def test_after_its_time_it_takes_another_case(service: Service) -> None:
    """A day later the password leads to support, at sign-in and in steps begun before; another case helps."""
    done = await reset(service)
    await done.desk.wait(DAY - 60, done.opener)
    owed = owing(await service.sign_in(done.user))
    begun = await begin(service, owed, done.code)
    await done.desk.wait(61, done.opener, done.approver)
    with refused("RECOVERY_NEEDS_SUPPORT"):
        await finish(service, finish_request(service, owed, begun))
    with refused("RECOVERY_NEEDS_SUPPORT"):
        await begin(service, owed, done.code)
    with refused("RECOVERY_NEEDS_SUPPORT"):
        await service.sign_in(done.user)
    with refused("INVALID_CREDENTIALS"):
        await service.sign_in(done.user, password="not the password 1")
    case = await done.desk.approved(done.opener, done.approver, done.user.account_id)
    await done.desk.wait(DAY + 1, done.opener)
    executed = await done.desk.execute(done.opener, case)
    owed = owing(await service.sign_in(done.user))
    with refused("INVALID_CODE"):
        await begin(service, owed, done.code)
    begun = await begin(service, owed, executed.support_code)
    await finish(service, finish_request(service, owed, begun))


async def test_the_code_outlives_a_lock(service: Service) -> None:
    """Locked meanwhile and unlocked, the account still owes, and the code is still good."""
    done = await reset(service)
    await done.desk.lock(done.opener, done.user.account_id)
    with refused("ACCOUNT_LOCKED"):
        await service.sign_in(done.user)
    await done.desk.unlock(done.opener, done.user.account_id)
    owed = owing(await service.sign_in(done.user))
    begun = await begin(service, owed, done.code)
    await finish(service, finish_request(service, owed, begun))


async def test_the_code_outlives_a_password_reset(service: Service) -> None:
    """Who has forgotten the password as well sets a new one by mail; the code is owed, and good."""
    done = await reset(service)
    await recoveries.reset(service, await recoveries.asked(service, done.user), done.user)
    owed = owing(await service.sign_in(done.user))
    with refused("INVALID_CODE"):
        await begin(service, owed, "")
    await finish(service, finish_request(service, owed, await begin(service, owed, done.code)))


async def test_the_code_outlives_a_correction(service: Service) -> None:
    """Another case that was executed meanwhile leaves it good, whatever it corrected."""
    await service.app.services.realms.set("default", {"support_wait": "1h"})
    done = await reset(service)
    right = "right@example.org"
    case = await done.desk.open(done.opener, done.user.account_id, correct_email=support_pb2.CorrectEmail(email=right))
    await done.desk.confirm(await link_in_mail(service, right))
    await done.desk.approve(done.approver, case)
    await done.desk.wait(3601, done.opener)
    await done.desk.execute(done.opener, case)
    done.user.email = right
    owed = owing(await service.sign_in(done.user))
    await finish(service, finish_request(service, owed, await begin(service, owed, done.code)))


async def test_frozen_changes_do_not_keep_the_code_from_its_user(service: Service) -> None:
    """A change of address was taken back, which freezes changes; support has decided who the user is."""
    done = await reset(service)
    await service.app.pool.execute(
        "UPDATE accounts SET changes_frozen_until = $1 WHERE account_id = $2::text::uuid",
        service.clock() + timedelta(days=7),
        done.user.account_id,
    )
    owed = owing(await service.sign_in(done.user))
    with refused("INVALID_CODE"):
        await begin(service, owed, "")
    await finish(service, finish_request(service, owed, await begin(service, owed, done.code)))


@pytest.mark.parametrize("owes", [False, True])
async def test_a_sign_in_that_was_under_way_owes_it_too(service: Service, owes: bool) -> None:
    """Read before the reset, judged after it: no session begins without the code (attack 31)."""
    desk = await open_desk(service)
    opener, approver = await desk.agent(), await desk.agent()
    user = await service.two_factor_user()
    case = await desk.approved(opener, approver, user.account_id)
    await desk.wait(DAY + 1, opener)
    factor = None if owes else service.code(user)
    stranger = User(user.email, user.password)
    async with held_after_hash(service, lambda: service.sign_in(stranger, second_factor=factor)) as sign_in:
        await desk.execute(opener, case)
    assert owing(await sign_in).support_code_required
    assert not stranger.tokens.access_token


async def test_the_code_is_no_secret_that_is_kept(service: Service) -> None:
    """Neither the events nor any table has it; ListCases shows it to nobody."""
    done = await reset(service)
    listed = await done.desk.stub.ListCases(
        support_pb2.ListCasesRequest(realm_id="default"), metadata=done.desk.as_(done.opener)
    )
    assert done.code not in str(listed)
    for table in ("events", "tickets", "outbox", "cases", "accounts"):
        rows = await service.app.pool.fetch(f"SELECT t::text FROM {table} t")
        assert not [row for row in rows if done.code in row[0] or done.code.replace("-", "") in row[0]]
