"""One count for every way that takes a secret: what adds to it, and what clears it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.integration.budgets import (
    WRONG_PASSWORD,
    begin_enrollment,
    change_password,
    delete_account,
    disable,
    failures,
    finish_enrollment,
    outcome,
    step_up,
    ways_of_a_code,
    wrong_backup_code,
    wrong_code,
)
from tests.service import Service, refused
from twofold.v1 import sign_in_pb2, two_factor_pb2


@pytest.mark.parametrize(
    "way", ["SignIn", "FinishChallenge", "StepUp", "DisableTwoFactor", "DeleteAccount", "FinishEnrollment"]
)
async def test_every_way_that_takes_a_code_feeds_one_count(service: Service, way: str) -> None:
    """Wrong codes by one way close all ways, with the right code too (CVE-2024-32868): five known, five unknown."""
    user = await service.two_factor_user()
    ways = ways_of_a_code(service, user)
    # An enrolment draws on its device's count alone.
    guesses = [way] * 5 + (["SignIn"] if way == "FinishEnrollment" else [way]) * 5
    for number, name in enumerate(guesses):
        assert await outcome(ways[name](wrong_code(service, user))) == "INVALID_SECOND_FACTOR", number
    assert await failures(service, user, "totp") == [5, 5]
    for name, attempt in ways.items():
        assert await outcome(attempt(service.code(user, 1))) == "TOO_MANY_ATTEMPTS", name
    assert await failures(service, user, "totp") == [5, 5]
    assert await service.is_live(user)


async def test_codes_by_different_ways_add_up(service: Service) -> None:
    """Wrong codes by each of five ways, ten in all, close the sixth."""
    user = await service.two_factor_user()
    ways = ways_of_a_code(service, user)
    several = ["SignIn", "FinishChallenge", "StepUp", "DisableTwoFactor"]
    for name in ["FinishEnrollment", *several, "SignIn", *several]:
        assert await outcome(ways[name](wrong_code(service, user))) == "INVALID_SECOND_FACTOR", name
    assert await outcome(ways["DeleteAccount"](service.code(user, 1))) == "TOO_MANY_ATTEMPTS"


async def test_every_way_that_takes_the_password_feeds_one_count(service: Service) -> None:
    """Sign-in, step-up, change, enrolment, disabling and deletion (on one device) share their guesses."""
    user = await service.two_factor_user()
    begun = await begin_enrollment(service, user)
    code = service.code(user, 1)
    ways: dict[str, Callable[[str], Awaitable[Any]]] = {
        "SignIn": lambda p: service.sign_in(user, password=p, device=True),
        "StepUp": lambda p: step_up(service, user, p),
        "ChangePassword": lambda p: change_password(service, user, p),
        "FinishEnrollment": lambda p: finish_enrollment(service, user, begun, password=p),
        "DisableTwoFactor": lambda p: disable(service, user, code, p),
        "DeleteAccount": lambda p: delete_account(service, user, code, p),
    }
    for name in list(ways)[:5] * 2:
        assert await outcome(ways[name](WRONG_PASSWORD)) == "INVALID_CREDENTIALS", name
    assert await failures(service, user) == [5, 5]
    for name, attempt in ways.items():
        assert await outcome(attempt(user.password)) == "TOO_MANY_ATTEMPTS", name
    # And a wrong password never spends or counts the code that came with it.
    assert await failures(service, user, "totp") == [0, 0]
    service.clock.advance(30)
    assert await outcome(service.sign_in(user, second_factor=code, device=True)) == "signed_in"


async def test_what_a_call_lacks_is_told_before_its_password_is_looked_at(service: Service) -> None:
    """A missing code is answered alike for the right and a wrong password, and counts nothing: no oracle."""
    user = await service.two_factor_user()
    for password in (user.password, WRONG_PASSWORD):
        assert await outcome(delete_account(service, user, None, password)) == "SECOND_FACTOR_REQUIRED"
    plain = await service.signed_in_user()
    nothing = sign_in_pb2.SecondFactor(totp_code="000000")
    for password in (plain.password, WRONG_PASSWORD):
        assert await outcome(disable(service, plain, nothing, password)) == "TWO_FACTOR_NOT_ENROLLED"
    assert await failures(service, user) == [0, 0]
    assert await failures(service, plain) == [0, 0]


async def test_success_clears_the_count_and_asking_for_a_new_code_does_not(service: Service) -> None:
    """New challenges, a begun enrolment and a new set of backup codes buy no further guesses (zitadel#8546)."""
    user = await service.two_factor_user()
    for _ in range(4):
        with refused("INVALID_SECOND_FACTOR"):
            await service.sign_in(user, second_factor=wrong_code(service, user), device=True)
        with refused("INVALID_SECOND_FACTOR"):
            await service.sign_in(user, second_factor=wrong_backup_code(user), device=True)
    challenge = (await service.sign_in(user, device=True)).challenge
    await service.two_factor.StartChallenge(
        two_factor_pb2.StartChallengeRequest(
            challenge_token=challenge.challenge_token,
            challenge_binding=challenge.challenge_binding,
            totp=two_factor_pb2.TotpChallenge(),
        )
    )
    await begin_enrollment(service, user)
    made = await service.two_factor.GenerateBackupCodes(
        two_factor_pb2.GenerateBackupCodesRequest(), metadata=user.metadata
    )
    user.backup_codes = list(made.backup_codes.codes)
    assert await failures(service, user, "totp") == [0, 4]
    assert await failures(service, user, "backup_code") == [0, 4]
    # A right code of one kind clears that kind's count alone.
    await service.sign_in(user, second_factor=service.code(user, 1), device=True)
    assert await failures(service, user, "totp") == [0, 0]
    assert await failures(service, user, "backup_code") == [0, 4]
    with refused("INVALID_SECOND_FACTOR"):
        await service.sign_in(user, second_factor=wrong_backup_code(user), device=True)
    assert await failures(service, user, "backup_code") == [0, 5]
    # Closed for known devices: this one is now as unknown as any.
    for _ in range(5):
        with refused("INVALID_SECOND_FACTOR"):
            await service.sign_in(user, second_factor=wrong_backup_code(user), device=True)
    right = sign_in_pb2.SecondFactor(backup_code=user.backup_codes[0])
    assert await outcome(service.sign_in(user, second_factor=right, device=True)) == "TOO_MANY_ATTEMPTS"


async def test_the_right_password_never_clears_the_codes_count(service: Service) -> None:
    """Whoever knows the password has five codes, not five for each sign-in."""
    user = await service.two_factor_user()
    for _ in range(5):
        assert await outcome(service.sign_in(user)) == "challenge"
        with refused("INVALID_SECOND_FACTOR"):
            await service.sign_in(user, second_factor=wrong_code(service, user))
    assert await outcome(service.sign_in(user)) == "challenge"
    assert await outcome(service.sign_in(user, second_factor=service.code(user, 1))) == "TOO_MANY_ATTEMPTS"


async def test_a_challenge_ends_at_its_fifth_wrong_code(service: Service) -> None:
    """It stays ended when the factor's wait is over; a new one is answered."""
    user = await service.two_factor_user()
    challenge = (await service.sign_in(user)).challenge
    for _ in range(5):
        with refused("INVALID_SECOND_FACTOR"):
            await service.finish_challenge(user, challenge, wrong_code(service, user))
    service.clock.advance(31)
    with refused("TICKET_NOT_FOUND", "challenge_token"):
        await service.finish_challenge(user, challenge, service.code(user))
    again = (await service.sign_in(user)).challenge
    assert await outcome(service.finish_challenge(user, again, service.code(user))) == "signed_in"


async def test_a_step_ups_challenge_ends_at_its_fifth_wrong_code(service: Service) -> None:
    """As that of a sign-in; the session lives on."""
    user = await service.two_factor_user()
    challenge = (await step_up(service, user)).challenge
    for _ in range(5):
        with refused("INVALID_SECOND_FACTOR"):
            await service.finish_challenge(user, challenge, wrong_code(service, user), user.tokens.refresh_token)
    service.clock.advance(31)
    with refused("TICKET_NOT_FOUND", "challenge_token"):
        await service.finish_challenge(user, challenge, service.code(user), user.tokens.refresh_token)
    assert await service.is_live(user)


async def test_the_factors_count_holds_for_all_challenges(service: Service) -> None:
    """Five challenges with a wrong code each close the sixth."""
    user = await service.two_factor_user()
    for _ in range(5):
        challenge = (await service.sign_in(user)).challenge
        with refused("INVALID_SECOND_FACTOR"):
            await service.finish_challenge(user, challenge, wrong_code(service, user))
    challenge = (await service.sign_in(user)).challenge
    with refused("TOO_MANY_ATTEMPTS"):
        await service.finish_challenge(user, challenge, service.code(user, 1))
