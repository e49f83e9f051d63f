"""Guesses are counted where they count, and an attacker's never lock the owner out."""

from __future__ import annotations

from datetime import timedelta

import grpc.aio
import pytest

from tests.integration.budgets import (
    WRONG_PASSWORD,
    answer_new_challenge,
    failures,
    outcome,
    wrong_code,
)
from tests.service import Service, User, reason, refused, retry_after

HOUR = 3600.0
DAY = 86400.0


async def wait_told(service: Service, user: User, password: str = WRONG_PASSWORD) -> float:
    """The seconds that a refused sign-in is told to wait."""
    try:
        await service.sign_in(user, password=password)
    except grpc.aio.AioRpcError as error:
        assert reason(error) == "TOO_MANY_ATTEMPTS", reason(error)
        return retry_after(error)
    raise AssertionError("not refused")


async def guess(service: Service, user: User, times: int) -> None:
    """Wrong passwords from an unknown device."""
    for _ in range(times):
        with refused("INVALID_CREDENTIALS"):
            await service.sign_in(user, password=WRONG_PASSWORD)


async def test_after_five_failures_waits_double_from_30_seconds_to_an_hour(service: Service) -> None:
    """An account and an address without one are told the same waits, and no verdict comes before the wait's end."""
    for user in (await service.new_user(), User("nobody@example.org")):
        await guess(service, user, 5)
        for wait in (30, 60, 120, 240, 480, 960, 1920, 3600, 3600):
            assert await wait_told(service, user) == wait
            service.clock.advance(wait - 1)
            assert await wait_told(service, user) == 1
            service.clock.advance(1)
            await guess(service, user, 1)
        service.clock.advance(HOUR)


async def test_wrong_passwords_of_strangers_do_not_lock_out_a_known_device(service: Service) -> None:
    """The owner's device is counted apart: it signs in while all others are refused (GHSA-cq42-vhv7-xr7p)."""
    user = await service.signed_in_user()
    other = await service.signed_in_user()
    await guess(service, user, 5)
    assert await outcome(service.sign_in(user)) == "TOO_MANY_ATTEMPTS"
    assert await outcome(service.sign_in(user, device=True)) == "signed_in"
    assert await failures(service, user) == [5, 0]
    # A true token of another account's device is no known device of this one.
    stranger = User(user.email, user.password, device_token=other.device_token)
    assert await outcome(service.sign_in(stranger, device=True)) == "TOO_MANY_ATTEMPTS"


async def test_wrong_codes_of_strangers_do_not_lock_out_a_known_device(service: Service) -> None:
    """Whoever knows the password can close the codes to unknown devices, and to no other."""
    user = await service.two_factor_user()
    for _ in range(5):
        with refused("INVALID_SECOND_FACTOR"):
            await service.sign_in(user, second_factor=wrong_code(service, user))
    right = service.code(user, 1)
    assert await outcome(service.sign_in(User(user.email, seed=user.seed), second_factor=right)) == "TOO_MANY_ATTEMPTS"
    assert await outcome(service.sign_in(user, second_factor=right, device=True)) == "signed_in"
    assert await failures(service, user, "totp") == [5, 0]


async def test_a_known_device_that_has_closed_its_own_count_draws_on_the_strangers(service: Service) -> None:
    """Guesses from a stolen device shut nobody out: it is then as any unknown one, until that is closed too."""
    user = await service.signed_in_user()
    for closed in ([0, 5], [5, 5]):
        for _ in range(5):
            with refused("INVALID_CREDENTIALS"):
                await service.sign_in(user, password=WRONG_PASSWORD, device=True)
        assert await failures(service, user) == closed
    assert await outcome(service.sign_in(user, device=True)) == "TOO_MANY_ATTEMPTS"
    service.clock.advance(31)
    assert await outcome(service.sign_in(user, device=True)) == "signed_in"
    for _ in range(5):
        with refused("INVALID_CREDENTIALS"):
            await service.sign_in(user, password=WRONG_PASSWORD, device=True)
    assert await outcome(service.sign_in(user, device=True)) == "signed_in"


async def test_eighty_failures_close_unknown_devices_until_a_known_one_signs_in(service: Service) -> None:
    """At the ceiling no wait helps an unknown device; the owner's next sign-in on a known one reopens it."""
    user = await service.signed_in_user()
    for number in range(80):
        await guess(service, user, 1)
        service.clock.advance(0 if number < 4 else HOUR)
    service.clock.advance(HOUR)
    assert await failures(service, user) == [80, 0]
    assert await wait_told(service, user, user.password) == HOUR
    service.clock.advance(10 * DAY)
    assert await outcome(service.sign_in(user)) == "TOO_MANY_ATTEMPTS"
    assert await outcome(service.sign_in(user, device=True)) == "signed_in"
    assert await failures(service, user) == [0, 0]
    assert await outcome(service.sign_in(User(user.email))) == "signed_in"


async def test_an_unknown_identifier_closes_at_eighty_failures_too(service: Service) -> None:
    """The ceiling tells nobody which address has an account."""
    nobody = User("nobody@example.org")
    for number in range(80):
        await guess(service, nobody, 1)
        service.clock.advance(0 if number < 4 else HOUR)
    service.clock.advance(HOUR)
    assert await wait_told(service, nobody) == HOUR
    service.clock.advance(10 * DAY)
    assert await outcome(service.sign_in(nobody)) == "TOO_MANY_ATTEMPTS"


async def close(service: Service, user: User, of: str = "password") -> None:
    """Put the count of unknown devices at its ceiling, its last wait long over."""
    table = "password_credentials" if of == "password" else "factor_budgets"
    await service.app.pool.execute(
        f"UPDATE {table} SET failures[1] = 80, wait_until[1] = $2 WHERE account_id = $1::text::uuid",
        user.account_id,
        service.clock() - timedelta(days=1),
    )


async def test_a_sign_in_on_a_known_device_below_the_ceiling_reopens_nothing(service: Service) -> None:
    """Else an attacker's guesses would begin anew with each sign-in of the owner."""
    user = await service.signed_in_user()
    await guess(service, user, 4)
    assert await outcome(service.sign_in(user, device=True)) == "signed_in"
    assert await failures(service, user) == [4, 0]


@pytest.mark.parametrize("calls", [1, 2])
async def test_a_known_device_reopens_password_and_code_by_a_finished_sign_in(service: Service, calls: int) -> None:
    """With a second factor, in one call or in two: both were proven, so both are reopened for unknown devices."""
    user = await service.two_factor_user()
    await close(service, user)
    await close(service, user, "totp")
    code = service.code(user, 1)
    if calls == 1:
        await service.sign_in(user, second_factor=code, device=True)
    else:
        await answer_new_challenge(service, user, code)
    assert await failures(service, user, "totp") == [0, 0]
    assert await failures(service, user) == [0, 0]


async def test_the_password_alone_reopens_nothing_where_a_code_is_owed(service: Service) -> None:
    """A challenge is no sign-in: also where the device's own wrong passwords are cleared by the right one."""
    user = await service.two_factor_user()
    await close(service, user)
    with refused("INVALID_CREDENTIALS"):
        await service.sign_in(user, password=WRONG_PASSWORD, device=True)
    assert await outcome(service.sign_in(user, device=True)) == "challenge"
    assert await failures(service, user) == [80, 0]


async def test_counts_are_forgotten_30_days_after_the_last_failure(service: Service) -> None:
    """For accounts, codes and unknown identifiers alike; a day before they still count."""
    for days, answered in ((29, 1), (31, 5)):
        user, nobody = await service.two_factor_user(), User(f"nobody{days}@example.org")
        for someone in (user, nobody):
            await guess(service, someone, 4)
        for _ in range(4):
            with refused("INVALID_SECOND_FACTOR"):
                await service.sign_in(User(user.email), second_factor=wrong_code(service, user))
            # The right password cleared its own count; it is put back, so that it stands beside the code's.
        await guess(service, user, 4)
        service.clock.advance(days * DAY)
        for someone in (user, nobody):
            await guess(service, someone, answered)
            assert await wait_told(service, someone) == 30
        service.clock.advance(31)
        for _ in range(answered):
            with refused("INVALID_SECOND_FACTOR"):
                await service.sign_in(User(user.email), second_factor=wrong_code(service, user))
        assert await outcome(service.sign_in(User(user.email), second_factor=service.code(user))) == "TOO_MANY_ATTEMPTS"
