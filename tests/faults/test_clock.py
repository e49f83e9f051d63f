"""The server's clock is stepped by an hour, forward and back."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.calls import Probe, all_served, check, reads, writes
from tests.faults.conftest import RunningClock
from tests.service import Service, User, refused
from twofold.v1 import session_pb2, sign_in_pb2, two_factor_pb2

HOUR = 3600.0


async def _renew(service: Service, refresh_token: str) -> session_pb2.RefreshSessionResponse:
    return await service.sessions.RefreshSession(
        session_pb2.RefreshSessionRequest(refresh_token=refresh_token), metadata=service.metadata
    )


def _lasting(service: Service, user: User) -> dict[str, Probe]:
    """What a session may do whose proof of the password is not of the last minutes, or dated ahead."""
    return {name: probe for name, probe in writes(service, user).items() if name != "BeginEnrollment"}


@pytest.mark.parametrize("step", [HOUR, -HOUR])
async def test_a_stepped_clock_ends_no_session_and_refuses_no_sign_in(
    service: Service, clock: RunningClock, step: float
) -> None:
    """An hour on or back: a session goes on by its refresh token, people sign up and in, mail goes out at once.

    Access tokens from before are refused: expired, or dated ahead. What was signed out stays so.
    """
    user, ended = await service.signed_in_user(), await service.signed_in_user()
    await check(service, user)()
    await service.sessions.SignOut(session_pb2.SignOutRequest(), metadata=service.with_session(ended))
    await service.sign_up("before@example.org")

    clock.advance(step)
    if step > 0:
        with refused("SESSION_EXPIRED"):
            await check(service, user)()
    with refused("SESSION_ENDED"):
        await _renew(service, ended.tokens.refresh_token)
    renewed = await _renew(service, user.tokens.refresh_token)
    user.tokens.CopyFrom(renewed.tokens)
    await all_served({"CheckSession": check(service, user), **reads(service, user), **_lasting(service, user)})
    with refused("SESSION_EXPIRED" if step > 0 else "SESSION_INVALID"):
        await check(service, ended)()
    assert await service.mails("before@example.org")
    await service.sign_in(await service.new_user())


async def test_there_and_back_again(service: Service, clock: RunningClock) -> None:
    """An hour on, and back: what was done in between stands, a sign-out is known at once, nobody is locked out.

    Access tokens from in between are refused, being dated ahead, and RefreshSession gives good ones.
    """
    user = await service.signed_in_user()
    clock.advance(HOUR)
    user.tokens.CopyFrom((await _renew(service, user.tokens.refresh_token)).tokens)
    other = await service.signed_in_user()
    clock.advance(-HOUR)

    # A token dated an hour ahead is nobody's; its session goes on.
    with refused("SESSION_INVALID"):
        await check(service, user)()
    user.tokens.CopyFrom((await _renew(service, user.tokens.refresh_token)).tokens)
    await all_served({"CheckSession": check(service, user), **reads(service, user), **_lasting(service, user)})
    await service.sign_in(other)
    await check(service, other)()
    await service.sessions.SignOut(session_pb2.SignOutRequest(), metadata=service.with_session(other))
    await asyncio.sleep(0.5)
    with refused("SESSION_ENDED"):
        await check(service, other)()


@pytest.mark.parametrize("step", [HOUR, -HOUR])
async def test_a_code_is_spent_whatever_the_clock_does(service: Service, clock: RunningClock, step: float) -> None:
    """A code of an authenticator app that was accepted is never accepted again: stepped away, and stepped back to it.

    After a step back the app's older codes count as spent; a backup code signs in meanwhile.
    """
    user = await service.two_factor_user()
    code = service.code(user, 1)
    await service.sign_in(user, second_factor=code)

    clock.advance(step)
    with refused("INVALID_SECOND_FACTOR"):
        await service.sign_in(user, second_factor=code)
    if step > 0:
        await service.sign_in(user, second_factor=service.code(user))
    else:
        with refused("INVALID_SECOND_FACTOR"):
            await service.sign_in(user, second_factor=service.code(user))
    clock.advance(-step)
    with refused("INVALID_SECOND_FACTOR"):
        await service.sign_in(user, second_factor=code)
    backup = sign_in_pb2.SecondFactor(backup_code=user.backup_codes[0])
    await service.sign_in(user, second_factor=backup)
    with refused("INVALID_SECOND_FACTOR"):
        await service.sign_in(user, second_factor=backup)


async def test_a_sign_in_from_the_future_proves_nothing_recent(service: Service, clock: RunningClock) -> None:
    """After a step back, a proof dated an hour ahead does not count as recent for the hour to come."""
    clock.advance(HOUR)
    user = await service.two_factor_user()
    clock.advance(-HOUR)
    user.tokens.CopyFrom((await _renew(service, user.tokens.refresh_token)).tokens)
    with refused("RECENT_TWO_FACTOR_REQUIRED"):
        await service.two_factor.GenerateBackupCodes(
            two_factor_pb2.GenerateBackupCodesRequest(), metadata=service.with_session(user)
        )
