"""RecoveryService: proto in, proto out."""

from __future__ import annotations

from typing import Any, Final

from twofold.v1 import recovery_pb2
from twofold_server.domain.attempts import Origin
from twofold_server.domain.captcha import Captchas
from twofold_server.domain.realms import Realms
from twofold_server.domain.sign_in_hints import SignInHints
from twofold_server.domain.values import ResourceName
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


class RecoveryServicer:
    """The ways back to an account, and the CAPTCHAs before its entrances."""

    SERVICE: Final = recovery_pb2.DESCRIPTOR.services_by_name["RecoveryService"]

    def __init__(self, realms: Realms, captchas: Captchas, hints: SignInHints) -> None:
        self._realms = realms
        self._captchas = captchas
        self._hints = hints

    async def RequestSignInHint(
        self, request: recovery_pb2.RequestSignInHintRequest, call: Call
    ) -> recovery_pb2.RequestSignInHintResponse:
        realm = await self._realms.get(call.realm)
        with reading(request) as door:
            name = door.parse("resource_name", ResourceName.parse)
            client = door.client(call)
        hint = await self._hints.hint(realm, name, Origin(call.caller.name, client))
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
