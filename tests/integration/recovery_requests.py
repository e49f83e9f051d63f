"""Requests for recovery that succeed, as `requests_that_succeed` has them for every RPC."""

from __future__ import annotations

from tests.integration import recoveries
from tests.integration.captchas import solved
from tests.integration.quick import Builder, Prepared, Quick
from tests.integration.request_parts import for_anyone, full_client, new_number
from twofold.v1 import recovery_pb2


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
    user = await recoveries.reachable_user(service, number=new_number())
    request = await recoveries.begun(service, user)
    request.client.CopyFrom(full_client(service, user))
    return Prepared(request, service.metadata, once=True)


async def _send_recovery_code(service: Quick) -> Prepared:
    user = await recoveries.reachable_user(service, number=new_number())
    request = recovery_pb2.SendTwoFactorRecoveryCodeRequest(
        recovery_token=(await recoveries.confirmed(service, user)).recovery_token, client=full_client(service, user)
    )
    return Prepared(request, service.metadata)


async def _finish_recovery(service: Quick) -> Prepared:
    number = new_number()
    user = await recoveries.reachable_user(service, number=number)
    token, code = await recoveries.under_way(service, user, number)
    request = recovery_pb2.FinishTwoFactorRecoveryRequest(
        recovery_token=token, code=code, client=full_client(service, user)
    )
    return Prepared(request, service.metadata, once=True)


async def _cancel_recovery(service: Quick) -> Prepared:
    user = await recoveries.reachable_user(service, number=new_number())
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


BUILDERS: dict[str, Builder] = {
    "RecoveryService.RequestPasswordReset": _request_password_reset,
    "RecoveryService.ResetPassword": _reset_password,
    "RecoveryService.BeginTwoFactorRecovery": _begin_recovery,
    "RecoveryService.ConfirmTwoFactorRecovery": _confirm_recovery,
    "RecoveryService.SendTwoFactorRecoveryCode": _send_recovery_code,
    "RecoveryService.FinishTwoFactorRecovery": _finish_recovery,
    "RecoveryService.CancelTwoFactorRecovery": _cancel_recovery,
    "RecoveryService.RequestSignInHint": _request_sign_in_hint,
    "RecoveryService.CreateCaptcha": for_anyone(recovery_pb2.CreateCaptchaRequest(realm_id="default")),
}
