"""What still owes a second factor is no session, and what has not proven one lately changes none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.integration.budgets import (
    begin_enrollment,
    finish_enrollment,
    finish_step_up,
    outcome,
    step_up,
)
from tests.service import Service, User, refused
from twofold.v1 import account_pb2, session_pb2, sign_in_pb2, two_factor_pb2

Metadata = tuple[tuple[str, str], ...]


def calls_of_a_session(service: Service, user: User) -> dict[str, Callable[[Metadata], Awaitable[Any]]]:
    """One call of each kind that wants a session: reads, changes, and those that want a recent proof."""
    return {
        "GetAccount": lambda m: service.accounts.GetAccount(account_pb2.GetAccountRequest(), metadata=m),
        "ListSignIns": lambda m: service.accounts.ListSignIns(account_pb2.ListSignInsRequest(), metadata=m),
        "ChangePassword": lambda m: service.accounts.ChangePassword(
            account_pb2.ChangePasswordRequest(
                reauthentication=user.reauthentication, new_password="a new long one 77", client=service.client
            ),
            metadata=m,
        ),
        "DeleteAccount": lambda m: service.accounts.DeleteAccount(
            account_pb2.DeleteAccountRequest(reauthentication=user.reauthentication, client=service.client), metadata=m
        ),
        "BeginEnrollment": lambda m: service.two_factor.BeginEnrollment(
            two_factor_pb2.BeginEnrollmentRequest(totp=two_factor_pb2.TotpEnrollment()), metadata=m
        ),
        "ListFactors": lambda m: service.two_factor.ListFactors(two_factor_pb2.ListFactorsRequest(), metadata=m),
        "GenerateBackupCodes": lambda m: service.two_factor.GenerateBackupCodes(
            two_factor_pb2.GenerateBackupCodesRequest(), metadata=m
        ),
        "CheckSession": lambda m: service.sessions.CheckSession(
            session_pb2.CheckSessionRequest(audience="twofold"), metadata=m
        ),
        "CheckSession fresh": lambda m: service.sessions.CheckSession(
            session_pb2.CheckSessionRequest(audience="twofold", fresh=True), metadata=m
        ),
        "StepUp": lambda m: service.sessions.StepUp(
            session_pb2.StepUpRequest(password=user.password, client=service.client), metadata=m
        ),
        "ListSessions": lambda m: service.sessions.ListSessions(session_pb2.ListSessionsRequest(), metadata=m),
        "RevokeOtherSessions": lambda m: service.sessions.RevokeOtherSessions(
            session_pb2.RevokeOtherSessionsRequest(), metadata=m
        ),
        "SignOut": lambda m: service.sessions.SignOut(session_pb2.SignOutRequest(), metadata=m),
    }


async def test_what_a_sign_in_that_owes_a_factor_was_given_is_no_session(service: Service) -> None:
    """Challenge, binding and every other token that is no access token is refused by each call (CVE-2025-64103)."""
    user = await service.two_factor_user()
    begun = await begin_enrollment(service, user)
    challenge = (await service.sign_in(user)).challenge
    calls = calls_of_a_session(service, user)
    for token in (
        challenge.challenge_token,
        challenge.challenge_binding,
        begun.enrollment_token,
        user.tokens.refresh_token,
        user.device_token,
    ):
        for name, call in calls.items():
            assert await outcome(call((("twofold-session", token),))) == "SESSION_INVALID", name
    for token in (challenge.challenge_token, begun.enrollment_token):
        with refused("SESSION_INVALID", "refresh_token"):
            await service.sessions.RefreshSession(session_pb2.RefreshSessionRequest(refresh_token=token))
    for name, call in calls.items():
        assert await outcome(call(())) in {"SESSION_REQUIRED", "INVALID_FIELDS"}, name
    assert await service.is_live(user)


async def test_a_challenge_answers_to_nothing_but_its_own_purpose(service: Service) -> None:
    """A step-up's challenge begins no session; a sign-in's steps no session up; an enrolment's token is neither."""
    user = await service.two_factor_user()
    before = await service.app.pool.fetchval("SELECT count(*) FROM sessions")
    stepping_up = (await step_up(service, user)).challenge
    with refused("INVALID_FIELDS", "refresh_token"):
        await service.finish_challenge(user, stepping_up, service.code(user, 1))
    begun = await begin_enrollment(service, user)
    wrong = sign_in_pb2.SecondFactorChallenge(
        challenge_token=begun.enrollment_token, challenge_binding=stepping_up.challenge_binding
    )
    with refused("TICKET_NOT_FOUND", "challenge_token"):
        await service.finish_challenge(user, wrong, service.code(user, 1), user.tokens.refresh_token)
    assert await service.app.pool.fetchval("SELECT count(*) FROM sessions") == before
    # Nothing of this spent the code.
    assert (
        await outcome(service.finish_challenge(user, stepping_up, service.code(user, 1), user.tokens.refresh_token))
        == "signed_in"
    )


async def test_a_session_without_a_recent_factor_changes_no_factors(service: Service) -> None:
    """A password's session of before the enrolment, and one whose proof is over 10 minutes old (CVE-2026-3429)."""
    user = await service.signed_in_user()
    old = User(user.email)
    await service.sign_in(old)
    begun = await begin_enrollment(service, old)
    await service.enrol(user)
    factors = await service.two_factor.ListFactors(two_factor_pb2.ListFactorsRequest(), metadata=user.metadata)

    async def changes(someone: User) -> set[str]:
        return {
            await outcome(begin_enrollment(service, someone)),
            await outcome(
                service.two_factor.GenerateBackupCodes(
                    two_factor_pb2.GenerateBackupCodesRequest(), metadata=someone.metadata
                )
            ),
            await outcome(
                service.two_factor.RemoveFactor(
                    two_factor_pb2.RemoveFactorRequest(factor_id=factors.factors[0].factor_id),
                    metadata=someone.metadata,
                )
            ),
            await outcome(finish_enrollment(service, someone, begun)),
        }

    assert await changes(old) == {"RECENT_TWO_FACTOR_REQUIRED"}
    # The password again is not enough.
    service.clock.advance(30)
    old.tokens.access_token = (await step_up(service, old, old.password)).signed_in.tokens.access_token
    assert await changes(old) == {"RECENT_TWO_FACTOR_REQUIRED"}
    service.clock.advance(571)
    await service.sessions.RefreshSession(session_pb2.RefreshSessionRequest(refresh_token=user.tokens.refresh_token))
    user.tokens = (
        await service.sessions.RefreshSession(
            session_pb2.RefreshSessionRequest(refresh_token=user.tokens.refresh_token)
        )
    ).tokens
    assert await changes(user) == {"RECENT_TWO_FACTOR_REQUIRED"}
    await finish_step_up(service, user, service.code(user))
    assert "done" in await changes(user)


async def test_the_last_factor_is_not_removed_without_the_password(service: Service) -> None:
    """RemoveFactor does not turn two-factor off: that takes DisableTwoFactor, with password and code."""
    user = await service.two_factor_user()
    factors = await service.two_factor.ListFactors(two_factor_pb2.ListFactorsRequest(), metadata=user.metadata)
    with refused("LAST_FACTOR"):
        await service.two_factor.RemoveFactor(
            two_factor_pb2.RemoveFactorRequest(factor_id=factors.factors[0].factor_id), metadata=user.metadata
        )
    assert await outcome(service.sign_in(user)) == "challenge"


async def test_another_accounts_factor_is_not_found(service: Service) -> None:
    """By no call."""
    user, other = await service.two_factor_user(), await service.two_factor_user()
    theirs = (
        (await service.two_factor.ListFactors(two_factor_pb2.ListFactorsRequest(), metadata=other.metadata))
        .factors[0]
        .factor_id
    )
    with refused("FACTOR_NOT_FOUND", "factor_id"):
        await service.two_factor.RemoveFactor(
            two_factor_pb2.RemoveFactorRequest(factor_id=theirs), metadata=user.metadata
        )


async def test_two_accounts_with_the_same_live_code_each_open_only_their_own(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A code is looked up by its challenge, never the challenge by its code; each account spends its own."""
    monkeypatch.setattr("twofold_server.crypto.otp.new_seed", lambda: b"the same seed for al")
    one, two = await service.two_factor_user(), await service.two_factor_user()
    assert one.seed == two.seed
    challenge_one, challenge_two = (await service.sign_in(one)).challenge, (await service.sign_in(two)).challenge
    code = service.code(one, 1)
    mixed = sign_in_pb2.SecondFactorChallenge(
        challenge_token=challenge_one.challenge_token, challenge_binding=challenge_two.challenge_binding
    )
    with refused("TICKET_NOT_FOUND", "challenge_token"):
        await service.finish_challenge(User(one.email), mixed, code)
    first = (await service.finish_challenge(one, challenge_one, code)).signed_in
    second = (await service.finish_challenge(two, challenge_two, code)).signed_in
    assert (first.session.account_id, second.session.account_id) == (one.account_id, two.account_id)


async def test_random_codes_and_codes_of_others_open_nobodys_session(service: Service) -> None:
    """Codes that are live for somebody else are as wrong as random ones:."""
    users = [await service.two_factor_user() for _ in range(6)]
    for user in users:
        own = {service.code(user, step).totp_code for step in (-1, 0, 1)}
        others = [service.code(other, 1) for other in users if other is not user]
        codes = [code for code in others if code.totp_code not in own][:4]
        for code in codes:
            challenge = (await service.sign_in(User(user.email))).challenge
            with refused("INVALID_SECOND_FACTOR"):
                await service.finish_challenge(User(user.email), challenge, code)
    for user in users:
        stranger = sign_in_pb2.SecondFactor(backup_code=users[0].backup_codes[0])
        if user is not users[0]:
            with refused("INVALID_SECOND_FACTOR"):
                await service.sign_in(User(user.email), second_factor=stranger)
