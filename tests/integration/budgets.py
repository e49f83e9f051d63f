"""Shorthands of the tests about guesses: one wrong secret by each way that takes one, and counts as they stand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc.aio

from tests.service import Service, User, reason, seed_of
from twofold.v1 import account_pb2, session_pb2, sign_in_pb2, two_factor_pb2

WRONG_PASSWORD = "not the password"
NEW_PASSWORD = "another horse battery 8"


async def outcome(call: Awaitable[Any]) -> str:
    """What a call came to: the arm of its answer, else `done`, or the reason that it was refused for."""
    try:
        response = await call
    except grpc.aio.AioRpcError as error:
        return reason(error) or f"{error.code().name}: {error.details()}"
    if "outcome" in response.DESCRIPTOR.oneofs_by_name:
        return str(response.WhichOneof("outcome"))
    return "done"


def hold(user: User, tokens: sign_in_pb2.SessionTokens) -> None:
    """Let the user hold new tokens; a refresh token that was left empty stays."""
    refresh_token = tokens.refresh_token or user.tokens.refresh_token
    user.tokens = tokens
    user.tokens.refresh_token = refresh_token


def wrong_code(service: Service, user: User) -> sign_in_pb2.SecondFactor:
    """Six digits that are none of the user's codes around now."""
    live = {service.code(user, step).totp_code for step in range(-3, 4)}
    return sign_in_pb2.SecondFactor(totp_code=next(c for n in range(100) if (c := f"{n:06d}") not in live))


def wrong_backup_code(user: User) -> sign_in_pb2.SecondFactor:
    """A well-formed backup code of an existing slot that is none of the user's."""
    code = user.backup_codes[0]
    return sign_in_pb2.SecondFactor(backup_code=code[:-1] + ("A" if code[-1] != "A" else "B"))


async def begin_enrollment(service: Service, user: User) -> two_factor_pb2.BeginEnrollmentResponse:
    """Begin to set up an authenticator app."""
    return await service.two_factor.BeginEnrollment(
        two_factor_pb2.BeginEnrollmentRequest(totp=two_factor_pb2.TotpEnrollment()), metadata=user.metadata
    )


async def finish_enrollment(
    service: Service, user: User, begun: two_factor_pb2.BeginEnrollmentResponse, code: str = "", password: str = ""
) -> two_factor_pb2.FinishEnrollmentResponse:
    """Finish what was begun, with its right code and the right password unless others are given."""
    app = User(user.email, seed=seed_of(begun.totp.secret))
    return await service.two_factor.FinishEnrollment(
        two_factor_pb2.FinishEnrollmentRequest(
            enrollment_token=begun.enrollment_token,
            totp_code=code or service.code(app).totp_code,
            reauthentication=sign_in_pb2.Reauthentication(password=password or user.password),
            client=service.client,
        ),
        metadata=user.metadata,
    )


async def change_password(
    service: Service, user: User, password: str = "", new: str = NEW_PASSWORD
) -> account_pb2.ChangePasswordResponse:
    """Change the password in the user's session, and hold its new access token."""
    response = await service.accounts.ChangePassword(
        account_pb2.ChangePasswordRequest(
            reauthentication=sign_in_pb2.Reauthentication(password=password or user.password),
            new_password=new,
            client=service.client,
        ),
        metadata=user.metadata,
    )
    hold(user, response.tokens)
    return response


async def delete_account(
    service: Service, user: User, code: sign_in_pb2.SecondFactor | None = None, password: str = ""
) -> account_pb2.DeleteAccountResponse:
    """Delete the account in the user's session."""
    return await service.accounts.DeleteAccount(
        account_pb2.DeleteAccountRequest(
            reauthentication=sign_in_pb2.Reauthentication(password=password or user.password),
            second_factor=code,
            client=service.client,
        ),
        metadata=user.metadata,
    )


async def disable(
    service: Service, user: User, code: sign_in_pb2.SecondFactor, password: str = ""
) -> two_factor_pb2.DisableTwoFactorResponse:
    """Turn two-factor off in the user's session, and hold its new access token."""
    response = await service.two_factor.DisableTwoFactor(
        two_factor_pb2.DisableTwoFactorRequest(
            reauthentication=sign_in_pb2.Reauthentication(password=password or user.password),
            second_factor=code,
            client=service.client,
        ),
        metadata=user.metadata,
    )
    hold(user, response.tokens)
    return response


async def step_up(service: Service, user: User, password: str = "") -> session_pb2.StepUpResponse:
    """Prove the password again, or, without one, open a challenge on the user's session."""
    request = session_pb2.StepUpRequest(client=service.client)
    if password:
        request.password = password
    else:
        request.second_factor.SetInParent()
    return await service.sessions.StepUp(request, metadata=user.metadata)


async def finish_step_up(
    service: Service, user: User, code: sign_in_pb2.SecondFactor
) -> two_factor_pb2.FinishChallengeResponse:
    """Open a challenge on the user's session and answer it."""
    challenge = (await step_up(service, user)).challenge
    return await service.finish_challenge(user, challenge, code, user.tokens.refresh_token)


async def answer_new_challenge(
    service: Service, user: User, code: sign_in_pb2.SecondFactor
) -> two_factor_pb2.FinishChallengeResponse:
    """Sign in on the user's own device in two calls."""
    challenge = (await service.sign_in(user, device=True)).challenge
    return await service.finish_challenge(user, challenge, code)


def ways_of_a_code(service: Service, user: User) -> dict[str, Callable[[sign_in_pb2.SecondFactor], Awaitable[Any]]]:
    """Every way that judges a code of an authenticator app, all on the user's known device."""

    async def enrol(code: sign_in_pb2.SecondFactor) -> Any:
        return await finish_enrollment(service, user, await begin_enrollment(service, user), code.totp_code)

    return {
        "SignIn": lambda code: service.sign_in(user, second_factor=code, device=True),
        "FinishChallenge": lambda code: answer_new_challenge(service, user, code),
        "StepUp": lambda code: finish_step_up(service, user, code),
        "DisableTwoFactor": lambda code: disable(service, user, code),
        "DeleteAccount": lambda code: delete_account(service, user, code),
        "FinishEnrollment": enrol,
    }


async def failures(service: Service, user: User, of: str = "password") -> list[int]:
    """The count of the password or of a kind of factor: of unknown devices, and of known ones."""
    sql = (
        "SELECT failures FROM password_credentials WHERE account_id = $1::text::uuid AND $2 = 'password'"
        if of == "password"
        else "SELECT failures FROM factor_budgets WHERE account_id = $1::text::uuid AND kind = $2"
    )
    return list(await service.app.pool.fetchval(sql, user.account_id, of))
