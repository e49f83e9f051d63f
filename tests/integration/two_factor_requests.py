"""Requests about second factors, devices and phones that succeed, as `requests_that_succeed` has them for every RPC."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from google.protobuf import field_mask_pb2

from tests.integration.phones import ask, begin_pairing, challenge, gateway, pair, shown
from tests.integration.quick import Builder, Prepared, Quick
from tests.integration.request_parts import begun, challenged, full_client, in_session
from tests.service import Metadata, User
from twofold import Approver
from twofold.v1 import session_pb2, two_factor_pb2
from twofold_server.crypto import otp


async def _two_factor_entries(service: Quick) -> tuple[User, list[two_factor_pb2.Factor]]:
    """A user with two authenticator apps."""
    user = await service.two_factor_user()
    await service.enrol(user)
    listed = await service.two_factor.ListFactors(
        two_factor_pb2.ListFactorsRequest(), metadata=service.with_session(user)
    )
    return user, list(listed.factors)


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


BUILDERS: dict[str, Builder] = {
    "TwoFactorService.GetTwoFactorStatus": in_session(two_factor_pb2.GetTwoFactorStatusRequest),
    "TwoFactorService.BeginEnrollment": _begin_enrollment,
    "TwoFactorService.FinishEnrollment": _finish_enrollment,
    "TwoFactorService.ListFactors": _list_factors,
    "TwoFactorService.UpdateFactor": _update_factor,
    "TwoFactorService.RemoveFactor": _remove_factor,
    "TwoFactorService.DisableTwoFactor": _disable,
    "TwoFactorService.GenerateBackupCodes": in_session(two_factor_pb2.GenerateBackupCodesRequest, factors=True),
    "TwoFactorService.ListDevices": _list_devices,
    "TwoFactorService.RevokeDevice": _revoke_device,
    "TwoFactorService.StartChallenge": _start_challenge,
    "TwoFactorService.FinishChallenge": _finish_challenge,
    "TwoFactorService.PairApprover": _pair_approver,
    "TwoFactorService.WatchApprovals": _watch_approvals,
    "TwoFactorService.AnswerApproval": _answer_approval,
    "TwoFactorService.WatchChallenge": _watch_challenge,
}
