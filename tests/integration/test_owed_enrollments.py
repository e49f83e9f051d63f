"""A realm that demands a second factor, or asks for one, and what a sign-in without one gets."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.test_factor_policy import set_realm, status
from tests.integration.test_sent_codes import MAILBOX, Way
from tests.service import PASSWORD, Service, User, refused, seed_of
from twofold.v1 import account_pb2, session_pb2, sign_in_pb2, two_factor_pb2
from twofold_server.crypto import otp


async def owing(service: Service, user: User, **fields: Any) -> sign_in_pb2.EnrollmentRequired:
    """A sign-in that owes its enrolment."""
    response = await service.sign_in(user, **fields)
    assert response.WhichOneof("outcome") == "enrollment_required"
    return response.enrollment_required


async def begin(
    service: Service, owed: sign_in_pb2.EnrollmentRequired, **arm: Any
) -> two_factor_pb2.BeginEnrollmentResponse:
    """Begin what is owed; an authenticator app unless an arm is named."""
    return await service.two_factor.BeginEnrollment(
        two_factor_pb2.BeginEnrollmentRequest(
            owed_enrollment_token=owed.owed_enrollment_token,
            owed_enrollment_binding=owed.owed_enrollment_binding,
            **(arm or {"totp": two_factor_pb2.TotpEnrollment()}),
        ),
        metadata=service.metadata,
    )


def finish_request(
    service: Service, owed: sign_in_pb2.EnrollmentRequired, begun: two_factor_pb2.BeginEnrollmentResponse, **fields: Any
) -> two_factor_pb2.FinishEnrollmentRequest:
    """What finishes it; the right code of an authenticator app unless a proof is named."""
    if begun.HasField("totp") and "totp_code" not in fields:
        fields["totp_code"] = otp.totp_code(seed_of(begun.totp.secret), otp.step_at(service.clock()))
    return two_factor_pb2.FinishEnrollmentRequest(
        **{
            "owed_enrollment_token": owed.owed_enrollment_token,
            "owed_enrollment_binding": owed.owed_enrollment_binding,
            "enrollment_token": begun.enrollment_token,
            "client": service.client,
            **fields,
        }
    )


async def finish(
    service: Service, request: two_factor_pb2.FinishEnrollmentRequest
) -> two_factor_pb2.FinishEnrollmentResponse:
    """Finish what is owed."""
    return await service.two_factor.FinishEnrollment(request, metadata=service.metadata)


async def test_a_demanded_factor_is_set_up_before_a_session_begins(service: Service) -> None:
    """The right password gets a ticket and no token; the enrolment finishes the sign-in, and the next is challenged."""
    await set_realm(service, second_factor="demanded")
    user = await service.new_user()
    owed = await owing(service, user)
    assert sign_in_pb2.FACTOR_KIND_TOTP in {kind.kind for kind in owed.offered_kinds}
    assert 590 <= (owed.expire_time.ToDatetime() - service.clock().replace(tzinfo=None)).total_seconds() <= 600
    begun = await begin(service, owed)
    finished = await finish(service, finish_request(service, owed, begun))
    assert len(finished.backup_codes.codes) == 10
    assert finished.signed_in.session.aal == 2
    assert list(finished.signed_in.session.amr) == ["pwd", "otp", "mfa"]
    assert finished.signed_in.session.HasField("second_factor_time")
    assert finished.signed_in.device_token
    user.take(finished.signed_in)
    assert await service.is_live(user)
    refreshed = await service.sessions.RefreshSession(
        session_pb2.RefreshSessionRequest(refresh_token=finished.signed_in.tokens.refresh_token),
        metadata=service.metadata,
    )
    assert refreshed.tokens.access_token
    history = await service.accounts.ListSignIns(account_pb2.ListSignInsRequest(), metadata=service.with_session(user))
    assert [entry.result for entry in history.sign_ins] == [
        account_pb2.SIGN_IN_RESULT_SIGNED_IN,
        account_pb2.SIGN_IN_RESULT_ENROLLMENT_REQUIRED,
    ]
    assert history.sign_ins[0].two_factor_verified
    assert "two-factor" in str((await service.mails(user.email))[-1]["Subject"]).casefold()
    assert (await service.sign_in(user)).HasField("challenge")


async def test_the_step_is_good_once_and_with_its_binding_alone(service: Service) -> None:
    """Used, bound elsewhere, of another enrolment or another caller's: TICKET_NOT_FOUND, and nothing is enrolled."""
    await set_realm(service, second_factor="demanded")
    user, other = await service.new_user(), await service.new_user()
    owed, of_other = await owing(service, user), await owing(service, other)
    begun, again = await begin(service, owed), await begin(service, of_other)
    for wrong in (
        {"owed_enrollment_binding": of_other.owed_enrollment_binding},
        {"enrollment_token": again.enrollment_token},
        {
            "owed_enrollment_token": of_other.owed_enrollment_token,
            "owed_enrollment_binding": of_other.owed_enrollment_binding,
        },
    ):
        with refused("TICKET_NOT_FOUND"):
            await finish(service, finish_request(service, owed, begun, **wrong))
    request = finish_request(service, owed, begun)
    await finish(service, request)
    with refused("TICKET_NOT_FOUND", "owed_enrollment_token"):
        await finish(service, request)
    with refused("TICKET_NOT_FOUND", "owed_enrollment_token"):
        await begin(service, owed)


async def test_a_second_step_of_the_account_ends_when_the_first_has_enrolled(service: Service) -> None:
    """Two sign-ins owe an enrolment: the slower one can't add a factor beside the first, but has to prove that."""
    await set_realm(service, second_factor="demanded")
    user = await service.new_user()
    first, second = await owing(service, user), await owing(service, user)
    theirs = await begin(service, second)
    begun = await begin(service, first)
    await finish(service, finish_request(service, first, begun))
    with refused("TICKET_NOT_FOUND"):
        await finish(service, finish_request(service, second, theirs))
    with refused("TICKET_NOT_FOUND"):
        await begin(service, second)


async def test_wrong_proofs_are_counted_with_all_others_and_end_the_step(service: Service) -> None:
    """Five wrong codes close the count; the right one is then refused too."""
    await set_realm(service, second_factor="demanded")
    user = await service.new_user()
    owed = await owing(service, user)
    begun = await begin(service, owed)
    right = finish_request(service, owed, begun)
    for _ in range(5):
        with refused("INVALID_SECOND_FACTOR"):
            await finish(service, finish_request(service, owed, begun, totp_code="000000"))
    with refused("TICKET_NOT_FOUND"):
        await finish(service, right)
    fresh = await owing(service, user)
    begun = await begin(service, fresh)
    with refused("TOO_MANY_ATTEMPTS"):
        await finish(service, finish_request(service, fresh, begun))


async def test_the_ticket_is_no_session(service: Service) -> None:
    """Neither token opens anything but the enrolment."""
    await set_realm(service, second_factor="demanded")
    user = await service.new_user()
    owed = await owing(service, user)
    for token in (owed.owed_enrollment_token, owed.owed_enrollment_binding):
        with refused("SESSION_INVALID"):
            await service.accounts.GetAccount(
                account_pb2.GetAccountRequest(), metadata=(*service.metadata, ("twofold-session", token))
            )
    with refused("TICKET_NOT_FOUND"):
        await service.two_factor.FinishChallenge(
            two_factor_pb2.FinishChallengeRequest(
                challenge_token=owed.owed_enrollment_token,
                challenge_binding=owed.owed_enrollment_binding,
                second_factor=sign_in_pb2.SecondFactor(totp_code="123456"),
                client=service.client,
            ),
            metadata=service.metadata,
        )
    with refused("SESSION_REQUIRED"):
        await service.two_factor.BeginEnrollment(
            two_factor_pb2.BeginEnrollmentRequest(totp=two_factor_pb2.TotpEnrollment()), metadata=service.metadata
        )


async def test_a_changed_password_ends_the_step(service: Service) -> None:
    """What was owed under the old password is dead with the epoch."""
    user = await service.signed_in_user()
    await set_realm(service, second_factor="demanded")
    owed = await owing(service, user)
    begun = await begin(service, owed)
    await service.accounts.ChangePassword(
        account_pb2.ChangePasswordRequest(
            reauthentication=user.reauthentication, new_password="another long enough one", client=service.client
        ),
        metadata=service.with_session(user),
    )
    with refused("TICKET_NOT_FOUND"):
        await finish(service, finish_request(service, owed, begun))


async def test_whoever_has_one_may_not_go_back_to_none(service: Service) -> None:
    """Where a factor is demanded DisableTwoFactor is refused, and the status says so."""
    user = await service.two_factor_user()
    await set_realm(service, second_factor="demanded")
    assert not (await status(service, user)).can_disable
    with refused("SECOND_FACTOR_KEPT"):
        await service.two_factor.DisableTwoFactor(
            two_factor_pb2.DisableTwoFactorRequest(
                reauthentication=user.reauthentication, second_factor=service.code(user, 1), client=service.client
            ),
            metadata=service.with_session(user),
        )


@pytest.mark.parametrize("rule", ["optional", "asked"])
async def test_a_realm_that_only_asks_signs_in_and_says_so(service: Service, rule: str) -> None:
    """`asked`: the session says that a factor should be offered; until there is one."""
    await set_realm(service, second_factor=rule)
    user = await service.new_user()
    assert (await service.sign_in(user)).signed_in.enrollment_advised is (rule == "asked")
    await service.enrol(user)
    service.clock.advance(30)
    assert not (await service.sign_in(user, second_factor=service.code(user))).signed_in.enrollment_advised


async def test_trust_that_was_asked_for_holds_from_the_enrolment_on(service: Service) -> None:
    """`trust_device` in FinishEnrollment: the next sign-in on the device owes no second factor."""
    await set_realm(service, second_factor="demanded")
    user = await service.new_user()
    owed = await owing(service, user)
    begun = await begin(service, owed)
    finished = await finish(service, finish_request(service, owed, begun, trust_device=True))
    user.take(finished.signed_in)
    again = await service.sign_in(user, device=True)
    assert again.signed_in.session.aal == 1


async def test_a_mailed_code_can_be_what_is_owed(service: Service) -> None:
    """Another kind by the same two calls; the session says what it proves."""
    await set_realm(service, second_factor="demanded")
    user = await service.new_user()
    owed = await owing(service, user)
    begun = await begin(service, owed, email=two_factor_pb2.EmailEnrollment(email=MAILBOX))
    code = await Way("email", MAILBOX, "").code(service)
    finished = await finish(service, finish_request(service, owed, begun, email_code=code))
    assert finished.signed_in.session.aal == 1
    assert finished.factor.kind == sign_in_pb2.FACTOR_KIND_EMAIL


async def test_a_mailbox_that_set_the_password_is_no_second_factor(service: Service) -> None:
    """Activated with a new password, by the mailbox alone: codes to that mailbox, however it is spelt, are refused as a
    factor, and those to another one are not.
    """
    await service.sign_up("lucie@example.org", "somebody else's choice")
    activated = await service.accounts.ActivateAccount(
        account_pb2.ActivateAccountRequest(
            activation_token=await service.link_token("lucie@example.org"), new_password=PASSWORD, client=service.client
        ),
        metadata=service.metadata,
    )
    user = User("lucie@example.org", PASSWORD, activated.account.account_id)
    await service.sign_in(user)
    for spelling in ("lucie@example.org", "LUCIE@example.org"):
        with refused("CHANNEL_NOT_DISTINCT"):
            await service.two_factor.BeginEnrollment(
                two_factor_pb2.BeginEnrollmentRequest(email=two_factor_pb2.EmailEnrollment(email=spelling)),
                metadata=service.with_session(user),
            )
    await service.two_factor.BeginEnrollment(
        two_factor_pb2.BeginEnrollmentRequest(email=two_factor_pb2.EmailEnrollment(email="lucie@example.net")),
        metadata=service.with_session(user),
    )
    # With a factor on another channel proven at a sign-in, the mailbox is one beside it.
    await service.enrol(user)
    service.clock.advance(30)
    await service.sign_in(user, second_factor=service.code(user))
    service.clock.advance(60)
    await service.two_factor.BeginEnrollment(
        two_factor_pb2.BeginEnrollmentRequest(email=two_factor_pb2.EmailEnrollment(email="lucie@example.org")),
        metadata=service.with_session(user),
    )
