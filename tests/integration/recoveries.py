"""The ways back into an account, as its owner goes them: the mailed link, the device that asked, the phone."""

from __future__ import annotations

import re

from tests.integration.captchas import cheap, solved, with_captcha
from tests.integration.test_phone_numbers import NUMBER, set_number, texts
from tests.service import Service, User
from twofold.v1 import recovery_pb2, sign_in_pb2

NEW_PASSWORD = "another horse battery 8"


async def ask(
    service: Service, address: str, client: sign_in_pb2.ClientContext | None = None
) -> recovery_pb2.RequestPasswordResetResponse:
    """Ask for a link for a forgotten password."""
    return await service.recovery.RequestPasswordReset(
        recovery_pb2.RequestPasswordResetRequest(email=address, client=client or service.client),
        metadata=service.metadata,
    )


async def asked(service: Service, user: User) -> recovery_pb2.ResetPasswordRequest:
    """The request that resets a user's password with a link just mailed."""
    binding = (await ask(service, user.email)).reset_binding
    return recovery_pb2.ResetPasswordRequest(
        reset_token=await service.link_token(user.email),
        reset_binding=binding,
        new_password=NEW_PASSWORD,
        client=service.client,
    )


async def reset(
    service: Service, request: recovery_pb2.ResetPasswordRequest, user: User | None = None
) -> recovery_pb2.ResetPasswordResponse:
    """Reset a password; the user knows the new one."""
    found: recovery_pb2.ResetPasswordResponse = await service.recovery.ResetPassword(request, metadata=service.metadata)
    if user is not None:
        user.password = request.new_password
    return found


async def begin(
    service: Service, user: User, *, password: str | None = None, device: bool = False
) -> recovery_pb2.BeginTwoFactorRecoveryResponse:
    """Begin to recover a lost second factor, with a CAPTCHA solved; `device`: with the user's device token."""
    await cheap(service)
    client = with_captcha(service, await solved(service))
    if device:
        client.device_token = user.device_token
    return await service.recovery.BeginTwoFactorRecovery(
        recovery_pb2.BeginTwoFactorRecoveryRequest(
            email=user.email, password=user.password if password is None else password, client=client
        ),
        metadata=service.metadata,
    )


async def begun(service: Service, user: User) -> recovery_pb2.ConfirmTwoFactorRecoveryRequest:
    """The request that confirms a recovery whose link was just mailed."""
    binding = (await begin(service, user)).recovery_binding
    return recovery_pb2.ConfirmTwoFactorRecoveryRequest(
        recovery_link_token=await service.link_token(user.email), recovery_binding=binding, client=service.client
    )


async def confirm(
    service: Service, request: recovery_pb2.ConfirmTwoFactorRecoveryRequest
) -> recovery_pb2.ConfirmTwoFactorRecoveryResponse:
    """Open the link."""
    found: recovery_pb2.ConfirmTwoFactorRecoveryResponse = await service.recovery.ConfirmTwoFactorRecovery(
        request, metadata=service.metadata
    )
    return found


async def send(service: Service, token: str) -> recovery_pb2.SendTwoFactorRecoveryCodeResponse:
    """Ask for the code."""
    return await service.recovery.SendTwoFactorRecoveryCode(
        recovery_pb2.SendTwoFactorRecoveryCodeRequest(recovery_token=token, client=service.client),
        metadata=service.metadata,
    )


async def finish(service: Service, token: str, code: str) -> recovery_pb2.FinishTwoFactorRecoveryResponse:
    """Bring the code back."""
    return await service.recovery.FinishTwoFactorRecovery(
        recovery_pb2.FinishTwoFactorRecoveryRequest(recovery_token=token, code=code, client=service.client),
        metadata=service.metadata,
    )


async def cancel(service: Service, token: str) -> None:
    """Cancel with the token of a notice's link."""
    await service.recovery.CancelTwoFactorRecovery(
        recovery_pb2.CancelTwoFactorRecoveryRequest(cancel_token=token, client=service.client),
        metadata=service.metadata,
    )


async def code_to(service: Service, number: str = NUMBER) -> str:
    """The code of the newest message to a number."""
    return str(re.findall(r": (\d{6})\.", "\n".join(await texts(service, number)))[-1])


async def reachable_user(service: Service, address: str = "", number: str = NUMBER) -> User:
    """An account with a session, a verified number and an authenticator app."""
    user = await service.signed_in_user(address)
    await set_number(service, user, number)
    await service.enrol(user)
    return user


async def confirmed(service: Service, user: User) -> recovery_pb2.ConfirmTwoFactorRecoveryResponse:
    """A recovery whose link was opened."""
    return await confirm(service, await begun(service, user))


async def under_way(service: Service, user: User, number: str = NUMBER) -> tuple[str, str]:
    """The token of a recovery and the code that was sent for it."""
    token = (await confirmed(service, user)).recovery_token
    await send(service, token)
    return token, await code_to(service, number)


async def recover(service: Service, user: User, number: str = NUMBER) -> recovery_pb2.FinishTwoFactorRecoveryResponse:
    """Take the second factor off, from the beginning to the end."""
    return await finish(service, *await under_way(service, user, number))
