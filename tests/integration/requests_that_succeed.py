"""For each RPC a request that succeeds, every field of it filled in, with whatever it needs prepared afresh."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator

from google.protobuf import field_mask_pb2
from google.protobuf.message import Message

from tests.integration import recoveries
from tests.integration.captchas import solved
from tests.integration.desk_requests import BUILDERS as DESK_BUILDERS
from tests.integration.phones import ask, begin_pairing, challenge, gateway, pair, shown
from tests.integration.quick import Builder, Prepared, Quick
from tests.service import PASSWORD, Metadata, User, seed_of
from twofold import Approver
from twofold.v1 import account_pb2, recovery_pb2, session_pb2, sign_in_pb2, two_factor_pb2
from twofold_server.crypto import otp

# Far apart, so that no range of numbers uses up what a range may have.
_phones = itertools.count(100_000, 10_007)


def full_client(service: Quick, user: User | None = None, captcha: str = "nobody-asked") -> sign_in_pb2.ClientContext:
    """A ClientContext with every field."""
    client = sign_in_pb2.ClientContext(language_code="de", captcha=captcha)
    client.MergeFrom(service.client)
    if user is not None:
        client.device_token = user.device_token
    return client


async def challenged(service: Quick) -> tuple[User, sign_in_pb2.SecondFactorChallenge]:
    """A user in the middle of a sign-in."""
    user = await service.two_factor_user()
    tokens, session, device = user.tokens, user.session, user.device_token
    response = await service.sign_in(user)
    user.tokens, user.session, user.device_token = tokens, session, device
    return user, response.challenge


async def begun(service: Quick, user: User) -> two_factor_pb2.BeginEnrollmentResponse:
    """An enrolment to be finished; the user holds its seed."""
    found: two_factor_pb2.BeginEnrollmentResponse = await service.two_factor.BeginEnrollment(
        two_factor_pb2.BeginEnrollmentRequest(totp=two_factor_pb2.TotpEnrollment()), metadata=service.with_session(user)
    )
    user.seed = seed_of(found.totp.secret)
    return found


async def _two_factor_entries(service: Quick) -> tuple[User, list[two_factor_pb2.Factor]]:
    """A user with two authenticator apps."""
    user = await service.two_factor_user()
    await service.enrol(user)
    listed = await service.two_factor.ListFactors(
        two_factor_pb2.ListFactorsRequest(), metadata=service.with_session(user)
    )
    return user, list(listed.factors)


async def _sign_up(service: Quick) -> Prepared:
    user = await service.new_user()
    request = account_pb2.SignUpRequest(
        realm_id="default", email=f"new.{user.email}", password=PASSWORD, display_name="Ada", language_code="en",
        client=full_client(service),
    )  # fmt: skip
    return Prepared(request, service.metadata)


async def _resend(service: Quick) -> Prepared:
    user = await service.new_user()
    claim = await service.sign_up(f"again.{user.email}")
    service.standing.advance(61)
    request = account_pb2.ResendActivationRequest(
        realm_id="default", email=f"again.{user.email}", sign_up_binding=claim.sign_up_binding,
        client=full_client(service),
    )  # fmt: skip
    return Prepared(request, service.metadata, once=True)


async def _activate(service: Quick) -> Prepared:
    user = await service.new_user()
    address = f"active.{user.email}"
    claim = await service.sign_up(address)
    request = account_pb2.ActivateAccountRequest(
        activation_token=await service.link_token(address), sign_up_binding=claim.sign_up_binding,
        client=full_client(service),
    )  # fmt: skip
    return Prepared(request, service.metadata, once=True)


async def _sign_in(service: Quick) -> Prepared:
    user = await service.two_factor_user()
    request = account_pb2.SignInRequest(
        realm_id="default", email=user.email, password=user.password, second_factor=service.code(user, 1),
        audience="twofold", client=full_client(service, user),
    )  # fmt: skip
    return Prepared(request, service.metadata, once=True)


async def _update_account(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    request = account_pb2.UpdateAccountRequest(
        account=account_pb2.Account(display_name="Grace", language_code="en"),
        update_mask=field_mask_pb2.FieldMask(paths=["display_name", "language_code"]),
    )
    return Prepared(request, service.with_session(user))


async def _change_password(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    request = account_pb2.ChangePasswordRequest(
        reauthentication=user.reauthentication, new_password="another horse battery 7",
        client=full_client(service, user),
    )  # fmt: skip
    return Prepared(request, service.with_session(user), once=True)


async def asked_for_email(service: Quick) -> tuple[User, str]:
    """A user who asked for another address, and that address."""
    user = await service.signed_in_user()
    address = user.email.replace("@", ".moved@")
    await service.accounts.ChangeEmail(
        account_pb2.ChangeEmailRequest(new_email=address, client=service.client), metadata=service.with_session(user)
    )
    return user, address


async def _change_email(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    request = account_pb2.ChangeEmailRequest(
        new_email=user.email.replace("@", ".moved@"), client=full_client(service, user)
    )
    return Prepared(request, service.with_session(user), once=True)


async def _confirm_email_change(service: Quick) -> Prepared:
    user, address = await asked_for_email(service)
    request = account_pb2.ConfirmEmailChangeRequest(
        email_change_token=await service.link_token(address), client=full_client(service, user)
    )
    return Prepared(request, service.with_session(user), once=True)


async def _undo_email_change(service: Quick) -> Prepared:
    user, address = await asked_for_email(service)
    await service.accounts.ConfirmEmailChange(
        account_pb2.ConfirmEmailChangeRequest(
            email_change_token=await service.link_token(address), client=service.client
        ),
        metadata=service.with_session(user),
    )
    request = account_pb2.UndoEmailChangeRequest(
        undo_token=await service.link_token(user.email), password=user.password, client=full_client(service)
    )
    return Prepared(request, service.metadata, once=True)


async def _change_phone_number(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    request = account_pb2.ChangePhoneNumberRequest(
        phone_number=f"+420777{next(_phones):06}", client=full_client(service, user)
    )
    return Prepared(request, service.with_session(user), once=True)


async def _confirm_phone_number(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    number = f"+420777{next(_phones):06}"
    begun = await service.accounts.ChangePhoneNumber(
        account_pb2.ChangePhoneNumberRequest(phone_number=number, client=service.client),
        metadata=service.with_session(user),
    )
    await service.mails()
    (code,) = [
        found[1]
        for path in service.sent.glob("*.sms")
        if number in (text := path.read_text()) and (found := re.search(r": (\d{6})\.", text))
    ]
    request = account_pb2.ConfirmPhoneNumberRequest(
        phone_number_token=begun.phone_number_token, code=code, client=full_client(service, user)
    )
    return Prepared(request, service.with_session(user), once=True)


async def _delete_account(service: Quick) -> Prepared:
    user = await service.two_factor_user()
    request = account_pb2.DeleteAccountRequest(
        reauthentication=user.reauthentication, second_factor=service.code(user, 1), client=full_client(service, user)
    )
    return Prepared(request, service.with_session(user), once=True)


async def _list_sign_ins(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    await service.sign_in(user)
    listed = await service.accounts.ListSignIns(
        account_pb2.ListSignInsRequest(page_size=1), metadata=service.with_session(user)
    )
    return Prepared(
        account_pb2.ListSignInsRequest(page_size=1, page_token=listed.next_page_token), service.with_session(user)
    )


async def _begin_enrollment(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    request = two_factor_pb2.BeginEnrollmentRequest(totp=two_factor_pb2.TotpEnrollment(), name="Phone")
    return Prepared(request, service.with_session(user))


async def _finish_enrollment(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    enrollment = await begun(service, user)
    request = two_factor_pb2.FinishEnrollmentRequest(
        enrollment_token=enrollment.enrollment_token,
        totp_code=otp.totp_code(user.seed, otp.step_at(service.clock())),
        reauthentication=user.reauthentication, client=full_client(service, user),
    )  # fmt: skip
    return Prepared(request, service.with_session(user), once=True)


async def _list_factors(service: Quick) -> Prepared:
    user, _ = await _two_factor_entries(service)
    listed = await service.two_factor.ListFactors(
        two_factor_pb2.ListFactorsRequest(page_size=1), metadata=service.with_session(user)
    )
    return Prepared(
        two_factor_pb2.ListFactorsRequest(page_size=1, page_token=listed.next_page_token), service.with_session(user)
    )


async def _update_factor(service: Quick) -> Prepared:
    user, factors = await _two_factor_entries(service)
    request = two_factor_pb2.UpdateFactorRequest(
        factor=two_factor_pb2.Factor(factor_id=factors[1].factor_id, name="Tablet", preferred=True),
        update_mask=field_mask_pb2.FieldMask(paths=["name", "preferred"]),
    )
    return Prepared(request, service.with_session(user))


async def _remove_factor(service: Quick) -> Prepared:
    user, factors = await _two_factor_entries(service)
    request = two_factor_pb2.RemoveFactorRequest(factor_id=factors[1].factor_id)
    return Prepared(request, service.with_session(user), once=True)


async def _disable(service: Quick) -> Prepared:
    user = await service.two_factor_user()
    request = two_factor_pb2.DisableTwoFactorRequest(
        reauthentication=user.reauthentication, second_factor=service.code(user, 1), client=full_client(service, user)
    )
    return Prepared(request, service.with_session(user), once=True)


async def _start_challenge(service: Quick) -> Prepared:
    _, challenge = await challenged(service)
    request = two_factor_pb2.StartChallengeRequest(
        challenge_token=challenge.challenge_token, challenge_binding=challenge.challenge_binding,
        totp=two_factor_pb2.TotpChallenge(),
    )  # fmt: skip
    return Prepared(request, service.metadata)


async def _finish_challenge(service: Quick) -> Prepared:
    """Of a step-up, since that one takes every field."""
    user = await service.two_factor_user()
    stepped = await service.sessions.StepUp(
        session_pb2.StepUpRequest(second_factor=session_pb2.SecondFactorStepUp(), client=full_client(service, user)),
        metadata=service.with_session(user),
    )
    request = two_factor_pb2.FinishChallengeRequest(
        challenge_token=stepped.challenge.challenge_token, challenge_binding=stepped.challenge.challenge_binding,
        second_factor=service.code(user, 1), refresh_token=user.tokens.refresh_token, client=full_client(service, user),
    )  # fmt: skip
    return Prepared(request, service.metadata, once=True)


class _OfPhone(tuple[tuple[str, str | bytes], ...]):  # noqa: SLOT001 (a tuple has none to fill)
    """Metadata of a phone's call, with a new proof each time that it is looked at: a proof is good once."""

    proof: Callable[[], str]

    def __iter__(self) -> Iterator[tuple[str, str | bytes]]:
        yield from (*super().__iter__(), ("twofold-approver", self.proof()))


def _of_phone(service: Quick, phone: Approver, method: str) -> Metadata:
    metadata = _OfPhone(service.metadata)
    metadata.proof = lambda: phone.proof(method)
    return metadata


async def _pair_approver(service: Quick) -> Prepared:
    """The request that the reference client sends, caught on its way."""
    user = await service.signed_in_user()
    pairing = await begin_pairing(service, user)
    sent: list[two_factor_pb2.PairApproverRequest] = []

    class Caught(Exception):
        pass

    async def catch(request: two_factor_pb2.PairApproverRequest) -> None:
        sent.append(request)
        raise Caught

    async with gateway(service) as client:
        client.two_factor.PairApprover = catch  # type: ignore[assignment]
        with contextlib.suppress(Caught):
            await Approver.pair(client, pairing.push.pairing_code, name="Phone", wake_up_token="push:1")
    return Prepared(sent[0], service.metadata, once=True)


async def _watch_approvals(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    async with gateway(service) as client:
        phone = await pair(service, client, user)
    return Prepared(two_factor_pb2.WatchApprovalsRequest(), _of_phone(service, phone, "WatchApprovals"))


async def _answer_approval(service: Quick) -> Prepared:
    """An approval, as the reference client sends it."""
    user = await service.signed_in_user()
    sent: list[two_factor_pb2.AnswerApprovalRequest] = []

    async def catch(request: two_factor_pb2.AnswerApprovalRequest, approver: str) -> None:
        sent.append(request)

    async with gateway(service) as client:
        phone = await pair(service, client, user)
        started = await ask(service, await challenge(service, user))
        (request,) = await shown(phone)
        client.two_factor.AnswerApproval = catch  # type: ignore[assignment]
        await phone.approve(request.request_id, started.number)
    return Prepared(sent[0], _of_phone(service, phone, "AnswerApproval"), once=True)


async def _watch_challenge(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    async with gateway(service) as client:
        await pair(service, client, user)
    found = await challenge(service, user)
    await ask(service, found)
    request = two_factor_pb2.WatchChallengeRequest(
        challenge_token=found.challenge_token, challenge_binding=found.challenge_binding
    )
    return Prepared(request, service.metadata)


async def _refresh(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    request = session_pb2.RefreshSessionRequest(
        refresh_token=user.tokens.refresh_token, audience="twofold", client=full_client(service, user)
    )
    return Prepared(request, service.metadata, once=True)


async def _check(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    request = session_pb2.CheckSessionRequest(realm_id="default", audience="twofold", fresh=True)
    return Prepared(request, service.with_session(user))


async def _step_up(service: Quick) -> Prepared:
    user = await service.two_factor_user()
    request = session_pb2.StepUpRequest(password=user.password, client=full_client(service, user))
    return Prepared(request, service.with_session(user))


async def _sign_out(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    return Prepared(session_pb2.SignOutRequest(), service.with_session(user), once=True)


async def _list_sessions(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    await service.sign_in(user)
    listed = await service.sessions.ListSessions(
        session_pb2.ListSessionsRequest(page_size=1), metadata=service.with_session(user)
    )
    return Prepared(
        session_pb2.ListSessionsRequest(page_size=1, page_token=listed.next_page_token), service.with_session(user)
    )


async def _revoke_session(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    other = user.session.session_id
    await service.sign_in(user)
    return Prepared(session_pb2.RevokeSessionRequest(session_id=other), service.with_session(user))


async def _list_devices(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    await service.sign_in(user)
    listed = await service.two_factor.ListDevices(
        two_factor_pb2.ListDevicesRequest(page_size=1), metadata=service.with_session(user)
    )
    return Prepared(
        two_factor_pb2.ListDevicesRequest(page_size=1, page_token=listed.next_page_token), service.with_session(user)
    )


async def _revoke_device(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    listed = await service.two_factor.ListDevices(
        two_factor_pb2.ListDevicesRequest(), metadata=service.with_session(user)
    )
    request = two_factor_pb2.RevokeDeviceRequest(device_id=listed.devices[0].device_id)
    return Prepared(request, service.with_session(user))


async def _request_password_reset(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    request = recovery_pb2.RequestPasswordResetRequest(
        realm_id="default", email=user.email, client=full_client(service, user)
    )
    return Prepared(request, service.metadata)


async def _reset_password(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    request = await recoveries.asked(service, user)
    request.client.CopyFrom(full_client(service, user))
    return Prepared(request, service.metadata, once=True)


async def _begin_recovery(service: Quick) -> Prepared:
    user = await service.two_factor_user()
    await service.app.services.realms.set("default", {"captcha_cost": "100"})
    request = recovery_pb2.BeginTwoFactorRecoveryRequest(
        realm_id="default", email=user.email, password=user.password,
        client=full_client(service, user, await solved(service)),
    )  # fmt: skip
    return Prepared(request, service.metadata, once=True)


async def _confirm_recovery(service: Quick) -> Prepared:
    user = await recoveries.reachable_user(service, number=f"+420777{next(_phones):06}")
    request = await recoveries.begun(service, user)
    request.client.CopyFrom(full_client(service, user))
    return Prepared(request, service.metadata, once=True)


async def _send_recovery_code(service: Quick) -> Prepared:
    user = await recoveries.reachable_user(service, number=f"+420777{next(_phones):06}")
    request = recovery_pb2.SendTwoFactorRecoveryCodeRequest(
        recovery_token=(await recoveries.confirmed(service, user)).recovery_token, client=full_client(service, user)
    )
    return Prepared(request, service.metadata)


async def _finish_recovery(service: Quick) -> Prepared:
    number = f"+420777{next(_phones):06}"
    user = await recoveries.reachable_user(service, number=number)
    token, code = await recoveries.under_way(service, user, number)
    request = recovery_pb2.FinishTwoFactorRecoveryRequest(
        recovery_token=token, code=code, client=full_client(service, user)
    )
    return Prepared(request, service.metadata, once=True)


async def _cancel_recovery(service: Quick) -> Prepared:
    user = await recoveries.reachable_user(service, number=f"+420777{next(_phones):06}")
    await recoveries.confirmed(service, user)
    request = recovery_pb2.CancelTwoFactorRecoveryRequest(
        cancel_token=await service.link_token(user.email), client=full_client(service, user)
    )
    return Prepared(request, service.metadata, once=True)


async def _request_sign_in_hint(service: Quick) -> Prepared:
    await service.app.services.realms.set(
        "default", {"sign_in_hint": "true", "hints_per_network_per_hour": "1000000", "captcha_cost": "100"}
    )
    request = recovery_pb2.RequestSignInHintRequest(
        realm_id="default", resource_name="shop.example", client=full_client(service, None, await solved(service))
    )
    return Prepared(request, service.metadata, once=True)


def _in_session(request: type[Message], *, factors: bool = False, once: bool = False) -> Builder:
    async def build(service: Quick) -> Prepared:
        user = await (service.two_factor_user() if factors else service.signed_in_user())
        return Prepared(request(), service.with_session(user), once=once)

    return build


def _for_anyone(request: Message) -> Builder:
    async def build(service: Quick) -> Prepared:
        return Prepared(request, service.metadata)

    return build


BUILDERS: dict[str, Builder] = DESK_BUILDERS | {
    "AccountService.SignUp": _sign_up,
    "AccountService.ResendActivation": _resend,
    "AccountService.ActivateAccount": _activate,
    "AccountService.SignIn": _sign_in,
    "AccountService.GetAccount": _in_session(account_pb2.GetAccountRequest),
    "AccountService.UpdateAccount": _update_account,
    "AccountService.ChangePassword": _change_password,
    "AccountService.ChangeEmail": _change_email,
    "AccountService.ConfirmEmailChange": _confirm_email_change,
    "AccountService.UndoEmailChange": _undo_email_change,
    "AccountService.ChangePhoneNumber": _change_phone_number,
    "AccountService.ConfirmPhoneNumber": _confirm_phone_number,
    "AccountService.DeleteAccount": _delete_account,
    "AccountService.ListSignIns": _list_sign_ins,
    "TwoFactorService.GetTwoFactorStatus": _in_session(two_factor_pb2.GetTwoFactorStatusRequest),
    "TwoFactorService.BeginEnrollment": _begin_enrollment,
    "TwoFactorService.FinishEnrollment": _finish_enrollment,
    "TwoFactorService.ListFactors": _list_factors,
    "TwoFactorService.UpdateFactor": _update_factor,
    "TwoFactorService.RemoveFactor": _remove_factor,
    "TwoFactorService.DisableTwoFactor": _disable,
    "TwoFactorService.GenerateBackupCodes": _in_session(two_factor_pb2.GenerateBackupCodesRequest, factors=True),
    "TwoFactorService.ListDevices": _list_devices,
    "TwoFactorService.RevokeDevice": _revoke_device,
    "TwoFactorService.StartChallenge": _start_challenge,
    "TwoFactorService.FinishChallenge": _finish_challenge,
    "TwoFactorService.PairApprover": _pair_approver,
    "TwoFactorService.WatchApprovals": _watch_approvals,
    "TwoFactorService.AnswerApproval": _answer_approval,
    "TwoFactorService.WatchChallenge": _watch_challenge,
    "RecoveryService.RequestPasswordReset": _request_password_reset,
    "RecoveryService.ResetPassword": _reset_password,
    "RecoveryService.BeginTwoFactorRecovery": _begin_recovery,
    "RecoveryService.ConfirmTwoFactorRecovery": _confirm_recovery,
    "RecoveryService.SendTwoFactorRecoveryCode": _send_recovery_code,
    "RecoveryService.FinishTwoFactorRecovery": _finish_recovery,
    "RecoveryService.CancelTwoFactorRecovery": _cancel_recovery,
    "RecoveryService.RequestSignInHint": _request_sign_in_hint,
    "RecoveryService.CreateCaptcha": _for_anyone(recovery_pb2.CreateCaptchaRequest(realm_id="default")),
    "SessionService.RefreshSession": _refresh,
    "SessionService.CheckSession": _check,
    "SessionService.StepUp": _step_up,
    "SessionService.SignOut": _sign_out,
    "SessionService.ListSessions": _list_sessions,
    "SessionService.RevokeSession": _revoke_session,
    "SessionService.RevokeOtherSessions": _in_session(session_pb2.RevokeOtherSessionsRequest, once=True),
    "SessionService.WatchRevocations": _for_anyone(session_pb2.WatchRevocationsRequest(realm_id="default")),
    "SessionService.GetSigningKeys": _for_anyone(session_pb2.GetSigningKeysRequest(realm_id="default")),
}
