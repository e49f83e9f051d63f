"""RecoveryService: proto in, proto out."""

from __future__ import annotations

from typing import Any, Final

from twofold.v1 import recovery_pb2
from twofold_server.domain.captcha import Captchas
from twofold_server.domain.realms import Realms
from twofold_server.domain.recovery import Addition, PasswordResets
from twofold_server.domain.recovery_codes import RecoveryCodes
from twofold_server.domain.recovery_effect import RecoveryEffects
from twofold_server.domain.sign_in_hints import SignInHints
from twofold_server.domain.two_factor_recovery import TwoFactorRecoveries
from twofold_server.domain.written_texts import ResourceName
from twofold_server.rpc import packing
from twofold_server.rpc.call import Call
from twofold_server.rpc.door import reading

_PROVIDERS: Final[dict[str, Any]] = {
    "none": recovery_pb2.CAPTCHA_PROVIDER_NONE,
    "altcha": recovery_pb2.CAPTCHA_PROVIDER_ALTCHA,
    "hcaptcha": recovery_pb2.CAPTCHA_PROVIDER_HCAPTCHA,
    "turnstile": recovery_pb2.CAPTCHA_PROVIDER_TURNSTILE,
    "recaptcha": recovery_pb2.CAPTCHA_PROVIDER_RECAPTCHA,
}
_SORTS: Final = {
    "factor": recovery_pb2.ADDITION_KIND_FACTOR,
    "backup_codes": recovery_pb2.ADDITION_KIND_BACKUP_CODES,
    "device": recovery_pb2.ADDITION_KIND_DEVICE,
    "phone_number": recovery_pb2.ADDITION_KIND_PHONE_NUMBER,
}


class RecoveryServicer:
    """The ways back to an account, and the CAPTCHAs before its entrances."""

    SERVICE: Final = recovery_pb2.DESCRIPTOR.services_by_name["RecoveryService"]

    def __init__(
        self,
        realms: Realms,
        resets: PasswordResets,
        recoveries: TwoFactorRecoveries,
        codes: RecoveryCodes,
        effects: RecoveryEffects,
        captchas: Captchas,
        hints: SignInHints,
    ) -> None:
        self._realms = realms
        self._resets = resets
        self._recoveries = recoveries
        self._codes = codes
        self._effects = effects
        self._captchas = captchas
        self._hints = hints

    async def RequestPasswordReset(
        self, request: recovery_pb2.RequestPasswordResetRequest, call: Call
    ) -> recovery_pb2.RequestPasswordResetResponse:
        realm = await self._realms.get(call.realm)
        with reading(request) as door:
            email = door.email()
            origin = door.origin(call)
        asked = await self._resets.request(realm, email, origin)
        return recovery_pb2.RequestPasswordResetResponse(
            reset_binding=asked.reset_binding, resend_time=packing.timestamp(asked.resend_time)
        )

    async def ResetPassword(
        self, request: recovery_pb2.ResetPasswordRequest, call: Call
    ) -> recovery_pb2.ResetPasswordResponse:
        with reading(request) as door:
            handle = door.handle("reset_token")
            binding = door.handle("reset_binding")
            new = door.new_password()
            origin = door.origin(call)
        added, advice = await self._resets.reset(call.realms, handle, binding, new, origin)
        return recovery_pb2.ResetPasswordResponse(
            additions=[_addition(row) for row in added], password_advice=packing.advice(advice)
        )

    async def BeginTwoFactorRecovery(
        self, request: recovery_pb2.BeginTwoFactorRecoveryRequest, call: Call
    ) -> recovery_pb2.BeginTwoFactorRecoveryResponse:
        realm = await self._realms.get(call.realm)
        with reading(request) as door:
            email = door.email()
            password = door.password()
            origin = door.origin(call)
        begun = await self._recoveries.begin(realm, email, password, origin)
        return recovery_pb2.BeginTwoFactorRecoveryResponse(
            recovery_binding=begun.recovery_binding, expire_time=packing.timestamp(begun.expire_time)
        )

    async def ConfirmTwoFactorRecovery(
        self, request: recovery_pb2.ConfirmTwoFactorRecoveryRequest, call: Call
    ) -> recovery_pb2.ConfirmTwoFactorRecoveryResponse:
        with reading(request) as door:
            handle = door.handle("recovery_link_token")
            binding = door.handle("recovery_binding")
            origin = door.origin(call)
        found = await self._recoveries.confirm(call.realms, handle, binding, origin)
        return recovery_pb2.ConfirmTwoFactorRecoveryResponse(
            recovery_token=found.recovery_token,
            expire_time=packing.timestamp(found.expire_time),
            masked_phone_number=found.masked,
        )

    async def SendTwoFactorRecoveryCode(
        self, request: recovery_pb2.SendTwoFactorRecoveryCodeRequest, call: Call
    ) -> recovery_pb2.SendTwoFactorRecoveryCodeResponse:
        with reading(request) as door:
            handle = door.handle("recovery_token")
            origin = door.origin(call)
        sent = await self._codes.send(call.realms, handle, origin)
        return recovery_pb2.SendTwoFactorRecoveryCodeResponse(
            masked_phone_number=sent.destination,
            code_expire_time=packing.timestamp(sent.expire_time),
            delivery=packing.delivery(sent.delivery),
        )

    async def FinishTwoFactorRecovery(
        self, request: recovery_pb2.FinishTwoFactorRecoveryRequest, call: Call
    ) -> recovery_pb2.FinishTwoFactorRecoveryResponse:
        with reading(request) as door:
            handle = door.handle("recovery_token")
            code = door.short_code()
            origin = door.origin(call)
        effective = await self._codes.finish(call.realms, handle, code, origin)
        return recovery_pb2.FinishTwoFactorRecoveryResponse(effective_time=packing.timestamp(effective))

    async def CancelTwoFactorRecovery(
        self, request: recovery_pb2.CancelTwoFactorRecoveryRequest, call: Call
    ) -> recovery_pb2.CancelTwoFactorRecoveryResponse:
        with reading(request) as door:
            handle = door.handle("cancel_token")
            origin = door.origin(call)
        await self._effects.cancel(call.realms, handle, origin)
        return recovery_pb2.CancelTwoFactorRecoveryResponse()

    async def RequestSignInHint(
        self, request: recovery_pb2.RequestSignInHintRequest, call: Call
    ) -> recovery_pb2.RequestSignInHintResponse:
        realm = await self._realms.get(call.realm)
        with reading(request) as door:
            name = door.parse("resource_name", ResourceName.parse)
            origin = door.origin(call)
        hint = await self._hints.hint(realm, name, origin)
        return recovery_pb2.RequestSignInHintResponse(masked_email=hint)

    async def CreateCaptcha(
        self, request: recovery_pb2.CreateCaptchaRequest, call: Call
    ) -> recovery_pb2.CreateCaptchaResponse:
        asked = await self._captchas.create(await self._realms.get(call.realm))
        return recovery_pb2.CreateCaptchaResponse(
            provider=_PROVIDERS[asked.provider],
            challenge_json=asked.challenge_json,
            site_key=asked.site_key,
            expire_time=packing.timestamp(asked.expire_time) if asked.expire_time is not None else None,
        )


def _addition(row: Addition) -> recovery_pb2.RecentAddition:
    packed = recovery_pb2.RecentAddition(
        kind=_SORTS[row.sort], name=row.name, create_time=packing.timestamp(row.create_time)
    )
    if row.factor_kind:
        packed.factor_kind = packing.KINDS[row.factor_kind]
    return packed
