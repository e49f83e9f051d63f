"""What ends a session ends it at once, in all its tokens; what carries one over carries over that one alone."""

from __future__ import annotations

import pytest

from tests.integration.budgets import (
    NEW_PASSWORD,
    WRONG_PASSWORD,
    change_password,
    delete_account,
    disable,
    failures,
    finish_step_up,
    hold,
    outcome,
    step_up,
)
from tests.service import Service, User, refused
from twofold.v1 import account_pb2, session_pb2, two_factor_pb2


async def refresh(service: Service, user: User) -> None:
    """Refresh the user's session."""
    response = await service.sessions.RefreshSession(
        session_pb2.RefreshSessionRequest(refresh_token=user.tokens.refresh_token)
    )
    user.tokens = response.tokens


async def two_sessions(service: Service, *, second_factor: bool = False) -> tuple[User, User]:
    """One account, signed in on two devices."""
    user = await (service.two_factor_user() if second_factor else service.signed_in_user())
    other = User(user.email, user.password, user.account_id, seed=user.seed)
    if second_factor:
        service.clock.advance(30)
        await service.sign_in(other, second_factor=service.code(user))
    else:
        await service.sign_in(other)
    return user, other


@pytest.mark.parametrize("change", ["password", "disable", "others revoked"])
async def test_a_change_ends_every_session_but_its_own(service: Service, change: str) -> None:
    """Its own goes on under the new epoch with new tokens; a copy of the old ones is worth nothing."""
    user, other = await two_sessions(service, second_factor=True)
    old_token, old_refresh_token = user.metadata, user.tokens.refresh_token
    service.clock.advance(30)
    match change:
        case "password":
            await change_password(service, user)
        case "disable":
            await disable(service, user, service.code(user))
        case "others revoked":
            response = await service.sessions.RevokeOtherSessions(
                session_pb2.RevokeOtherSessionsRequest(), metadata=user.metadata
            )
            hold(user, response.tokens)
    assert await service.is_live(user)
    assert not await service.is_live(other)
    with refused("SESSION_ENDED"):
        await service.accounts.GetAccount(account_pb2.GetAccountRequest(), metadata=old_token)
    with refused("SESSION_ENDED"):
        await refresh(service, other)
    with refused("SESSION_ENDED"):
        await service.sessions.RefreshSession(session_pb2.RefreshSessionRequest(refresh_token=old_refresh_token))
    await refresh(service, user)
    await refresh(service, user)
    assert await service.is_live(user)
    listed = await service.sessions.ListSessions(session_pb2.ListSessionsRequest(), metadata=user.metadata)
    assert [s.session_id for s in listed.sessions] == [user.session.session_id]


@pytest.mark.parametrize("change", ["password", "disable"])
async def test_a_change_leaves_known_only_the_device_that_made_it(service: Service, change: str) -> None:
    """Devices of before keep no bucket of their own: a thief's is a stranger again."""
    user, other = await two_sessions(service, second_factor=True)
    service.clock.advance(30)
    if change == "password":
        await change_password(service, user)
    else:
        await disable(service, user, service.code(user))
    for someone, bucket in ((other, [1, 0]), (user, [1, 1])):
        with refused("INVALID_CREDENTIALS"):
            await service.sign_in(someone, password=WRONG_PASSWORD, device=True)
        assert await failures(service, user) == bucket


async def test_a_challenge_of_before_a_change_is_nothing_after_it(service: Service) -> None:
    """The sign-in that was half done by the old password must begin again."""
    user = await service.two_factor_user()
    challenge = (await service.sign_in(user)).challenge
    await change_password(service, user)
    with refused("TICKET_NOT_FOUND", "challenge_token"):
        await service.finish_challenge(User(user.email), challenge, service.code(user, 1))
    with refused("INVALID_CREDENTIALS"):
        await service.sign_in(User(user.email))
    assert await outcome(service.sign_in(User(user.email, NEW_PASSWORD))) == "challenge"


async def test_a_deleted_accounts_sessions_fail_at_once(service: Service) -> None:
    """Access, refresh, challenge and sign-in; the address is as unknown as ever (CVE-2025-64521)."""
    user, other = await two_sessions(service, second_factor=True)
    challenge = (await service.sign_in(other)).challenge
    service.clock.advance(30)
    await delete_account(service, user, service.code(user))
    for someone in (user, other):
        assert not await service.is_live(someone)
        with refused("SESSION_ENDED"):
            await refresh(service, someone)
    with refused("TICKET_NOT_FOUND", "challenge_token"):
        await service.finish_challenge(User(user.email), challenge, service.code(user, 1))
    assert await outcome(service.sign_in(user, device=True)) == "INVALID_CREDENTIALS"


async def test_a_locked_accounts_sessions_fail_at_once(service: Service) -> None:
    """Whatever was begun before; the lock is told only behind the right password."""
    user, other = await two_sessions(service, second_factor=True)
    challenge = (await service.sign_in(other)).challenge
    await service.app.pool.execute("UPDATE accounts SET state = 'locked'")
    for someone in (user, other):
        assert not await service.is_live(someone)
        with refused("SESSION_ENDED"):
            await refresh(service, someone)
    with refused("TICKET_NOT_FOUND", "challenge_token"):
        await service.finish_challenge(User(user.email), challenge, service.code(user, 1))
    with refused("ACCOUNT_LOCKED"):
        await service.sign_in(User(user.email))
    with refused("INVALID_CREDENTIALS"):
        await service.sign_in(User(user.email), password=WRONG_PASSWORD)


async def test_a_revoked_session_is_over_and_no_other(service: Service) -> None:
    """By its id, of the own account alone; again, it stays so."""
    user, other = await two_sessions(service)
    stranger = await service.signed_in_user()
    request = session_pb2.RevokeSessionRequest(session_id=other.session.session_id)
    with refused("SESSION_NOT_FOUND", "session_id"):
        await service.sessions.RevokeSession(request, metadata=stranger.metadata)
    assert await service.is_live(other)
    for _ in range(2):
        await service.sessions.RevokeSession(request, metadata=user.metadata)
    assert not await service.is_live(other)
    with refused("SESSION_ENDED"):
        await refresh(service, other)
    assert await service.is_live(user)


async def test_a_signed_out_session_is_over_by_either_token(service: Service) -> None:
    """The refresh token alone signs out too, for a front end whose access token has expired."""
    user, other = await two_sessions(service)
    await service.sessions.SignOut(session_pb2.SignOutRequest(), metadata=user.metadata)
    await service.sessions.SignOut(session_pb2.SignOutRequest(refresh_token=other.tokens.refresh_token))
    for someone in (user, other):
        assert not await service.is_live(someone)
        with refused("SESSION_ENDED"):
            await refresh(service, someone)
    # A repeat is no fault.
    await service.sessions.SignOut(session_pb2.SignOutRequest(refresh_token=other.tokens.refresh_token))


async def test_a_step_up_by_password_renews_the_sessions_authentication(service: Service) -> None:
    """The same session, a new `auth_time` and access token; the refresh token stays, so no other tab is signed out."""
    user = await service.signed_in_user()
    service.clock.advance(290)
    await refresh(service, user)
    service.clock.advance(290)
    await refresh(service, user)
    service.clock.advance(30)
    with refused("RECENT_PASSWORD_REQUIRED"):
        await service.two_factor.BeginEnrollment(
            two_factor_pb2.BeginEnrollmentRequest(totp=two_factor_pb2.TotpEnrollment()), metadata=user.metadata
        )
    stepped = (await step_up(service, user, user.password)).signed_in
    assert stepped.session.session_id == user.session.session_id
    assert stepped.session.auth_time.ToDatetime() == service.clock().replace(tzinfo=None)
    assert not stepped.tokens.refresh_token
    hold(user, stepped.tokens)
    await service.enrol(user)


async def test_a_step_up_by_second_factor_rotates_its_sessions_refresh_token(service: Service) -> None:
    """The newest token of that session alone: another session's, an older or a forged one steps nothing up."""
    user, other = await two_sessions(service, second_factor=True)
    older = user.tokens.refresh_token
    await refresh(service, user)
    newest = user.tokens.refresh_token
    challenge = (await step_up(service, user)).challenge
    service.clock.advance(30)
    code = service.code(user)
    forged = newest[:-43] + "A" * 43
    for token in (other.tokens.refresh_token, older, forged):
        with refused("SESSION_INVALID", "refresh_token"):
            await service.finish_challenge(User(user.email), challenge, code, token)
    # None of these spent the code or the challenge, nor ended the session.
    stepped = (await service.finish_challenge(user, challenge, code, newest)).signed_in
    assert stepped.session.session_id == user.session.session_id
    assert stepped.tokens.refresh_token not in {"", newest, older}
    assert stepped.session.second_factor_time.ToDatetime() == service.clock().replace(tzinfo=None)
    await refresh(service, user)


async def test_a_step_up_of_a_session_that_ended_meanwhile_is_nothing(service: Service) -> None:
    """Signed out, or ended by a change elsewhere, before the code came."""
    user, other = await two_sessions(service, second_factor=True)
    service.clock.advance(30)
    challenge = (await step_up(service, user)).challenge
    await service.sessions.RevokeSession(
        session_pb2.RevokeSessionRequest(session_id=user.session.session_id), metadata=other.metadata
    )
    code = service.code(user)
    with refused("SESSION_ENDED"):
        await service.finish_challenge(user, challenge, code, user.tokens.refresh_token)
    third = User(user.email, seed=user.seed)
    await service.sign_in(third, second_factor=code)
    challenge = (await step_up(service, third)).challenge
    await change_password(service, other)
    with refused("TICKET_NOT_FOUND", "challenge_token"):
        await service.finish_challenge(third, challenge, service.code(user, 1), third.tokens.refresh_token)
    await finish_step_up(service, other, service.code(user, 1))
