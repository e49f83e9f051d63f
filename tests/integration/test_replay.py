"""What was used once is used up: codes, links, challenges; only a lost answer may be asked for again."""

from __future__ import annotations

from tests.integration.budgets import (
    begin_enrollment,
    delete_account,
    disable,
    finish_enrollment,
    finish_step_up,
    outcome,
    step_up,
    wrong_code,
)
from tests.service import Service, User, refused, seed_of
from twofold.v1 import account_pb2, session_pb2, sign_in_pb2


async def test_a_used_code_is_refused_in_the_next_step_too(service: Service) -> None:
    """Within the drift that is forgiven a code lives 90 s, and is good once (devise-two-factor#106, RFC 6238 5.2)."""
    user = await service.two_factor_user()
    service.clock.advance(30)
    code = service.code(user)
    before = service.code(user, -1)
    assert await outcome(service.sign_in(user, second_factor=code)) == "signed_in"
    assert await outcome(service.sign_in(user, second_factor=code)) == "INVALID_SECOND_FACTOR"
    service.clock.advance(30)
    assert await outcome(service.sign_in(user, second_factor=code)) == "INVALID_SECOND_FACTOR"
    # One of a step before the used one is as used.
    assert await outcome(service.sign_in(user, second_factor=before)) == "INVALID_SECOND_FACTOR"
    assert await outcome(service.sign_in(user, second_factor=service.code(user))) == "signed_in"


async def test_the_code_that_confirmed_the_enrolment_is_used_up_by_it(service: Service) -> None:
    """The first sign-in takes another code (hanko#2723)."""
    user = await service.two_factor_user()
    assert await outcome(service.sign_in(user, second_factor=service.code(user))) == "INVALID_SECOND_FACTOR"
    challenge = (await service.sign_in(user)).challenge
    with refused("INVALID_SECOND_FACTOR"):
        await service.finish_challenge(user, challenge, service.code(user))
    assert await outcome(service.sign_in(user, second_factor=service.code(user, 1))) == "signed_in"


async def test_a_code_is_good_once_whichever_way_it_was_used(service: Service) -> None:
    """Step-up, sign-in in two calls, disabling and deletion spend the same steps and backup codes as sign-in."""
    user = await service.two_factor_user()
    stepped_up = service.code(user, 1)
    await finish_step_up(service, user, stepped_up)
    for code in (stepped_up, service.code(user)):
        assert await outcome(service.sign_in(user, second_factor=code, device=True)) == "INVALID_SECOND_FACTOR"
        assert await outcome(disable(service, user, code)) == "INVALID_SECOND_FACTOR"
    service.clock.advance(60)
    backup = sign_in_pb2.SecondFactor(backup_code=user.backup_codes[4])
    await finish_step_up(service, user, backup)
    assert await outcome(service.sign_in(user, second_factor=backup)) == "INVALID_SECOND_FACTOR"
    assert await outcome(delete_account(service, user, backup)) == "INVALID_SECOND_FACTOR"
    other = sign_in_pb2.SecondFactor(backup_code=user.backup_codes[5])
    assert await outcome(delete_account(service, user, other)) == "done"


async def test_a_backup_code_is_good_once_however_it_is_spelled(service: Service) -> None:
    """Spaces, hyphens and letter case make no new code."""
    user = await service.two_factor_user()
    code = user.backup_codes[0]
    assert await outcome(service.sign_in(user, second_factor=sign_in_pb2.SecondFactor(backup_code=code))) == "signed_in"
    for spelling in (code, code.lower(), code.replace("-", ""), code.replace("-", " ")):
        again = sign_in_pb2.SecondFactor(backup_code=spelling)
        assert await outcome(service.sign_in(user, second_factor=again)) == "INVALID_SECOND_FACTOR"


async def test_an_activation_link_is_good_once(service: Service) -> None:
    """Also for the device that began it, and also when its account is gone again (CVE-2022-23555)."""
    claim = await service.sign_up("ada@example.org")
    request = account_pb2.ActivateAccountRequest(
        activation_token=await service.link_token("ada@example.org"),
        sign_up_binding=claim.sign_up_binding,
        client=service.client,
    )
    await service.accounts.ActivateAccount(request)
    with refused("TICKET_NOT_FOUND", "activation_token"):
        await service.accounts.ActivateAccount(request)
    user = User("ada@example.org")
    await service.sign_in(user)
    await delete_account(service, user)
    with refused("TICKET_NOT_FOUND", "activation_token"):
        await service.accounts.ActivateAccount(request)


async def test_a_challenge_finished_again_within_10_s_gives_the_same_session(service: Service) -> None:
    """An answer that was lost is asked for with the same code: the same session, refresh and device token."""
    user = await service.two_factor_user()
    challenge = (await service.sign_in(user)).challenge
    code = service.code(user, 1)
    first = (await service.finish_challenge(user, challenge, code)).signed_in
    service.clock.advance(9)
    again = (await service.finish_challenge(user, challenge, code)).signed_in
    assert again.session.session_id == first.session.session_id
    assert again.tokens.refresh_token == first.tokens.refresh_token
    assert again.device_token == first.device_token
    service.clock.advance(2)
    with refused("TICKET_NOT_FOUND", "challenge_token"):
        await service.finish_challenge(user, challenge, code)
    assert await service.is_live(user)


async def test_a_backup_codes_challenge_finished_again_gives_the_same_session(service: Service) -> None:
    """As with an app's code: the repeat spends nothing more."""
    user = await service.two_factor_user()
    challenge = (await service.sign_in(user)).challenge
    code = sign_in_pb2.SecondFactor(backup_code=user.backup_codes[0])
    first = (await service.finish_challenge(user, challenge, code)).signed_in
    again = (await service.finish_challenge(user, challenge, code)).signed_in
    assert again.tokens.refresh_token == first.tokens.refresh_token
    spent = await service.app.pool.fetchval("SELECT count(*) FROM backup_codes WHERE spent_time IS NOT NULL")
    assert spent == 1


async def test_a_finished_challenge_gives_nothing_to_another_code_or_device(service: Service) -> None:
    """Only the code that finished it, with handle and binding, finds the session again, and only until it is used."""
    user = await service.two_factor_user()
    challenge = (await service.sign_in(user)).challenge
    code = service.code(user, 1)
    await service.finish_challenge(user, challenge, code)
    for other in (service.code(user), service.code(user, -1), wrong_code(service, user)):
        with refused("TICKET_NOT_FOUND", "challenge_token"):
            await service.finish_challenge(User(user.email), challenge, other)
    stolen = sign_in_pb2.SecondFactorChallenge()
    stolen.CopyFrom(challenge)
    stolen.challenge_binding = (await service.sign_in(user)).challenge.challenge_binding
    with refused("TICKET_NOT_FOUND", "challenge_token"):
        await service.finish_challenge(User(user.email), stolen, code)
    await service.sessions.RefreshSession(session_pb2.RefreshSessionRequest(refresh_token=user.tokens.refresh_token))
    with refused("TICKET_NOT_FOUND", "challenge_token"):
        await service.finish_challenge(User(user.email), challenge, code)


async def test_a_finished_challenge_does_not_bring_back_a_session_that_was_signed_out(service: Service) -> None:
    """Within the 10 s too."""
    user = await service.two_factor_user()
    challenge = (await service.sign_in(user)).challenge
    code = service.code(user, 1)
    await service.finish_challenge(user, challenge, code)
    await service.sessions.SignOut(session_pb2.SignOutRequest(), metadata=user.metadata)
    with refused("TICKET_NOT_FOUND", "challenge_token"):
        await service.finish_challenge(User(user.email), challenge, code)


async def test_a_step_up_finished_again_within_10_s_gives_the_same_refresh_token(service: Service) -> None:
    """With the refresh token that it rotated; later, or with another token or code, it gives nothing."""
    user = await service.two_factor_user()
    before = user.tokens.refresh_token
    challenge = (await step_up(service, user)).challenge
    code = service.code(user, 1)
    first = (await service.finish_challenge(user, challenge, code, before)).signed_in.tokens.refresh_token
    assert first != before
    service.clock.advance(9)
    again = (await service.finish_challenge(user, challenge, code, before)).signed_in.tokens.refresh_token
    assert again == first
    for other_code, token in ((code, first), (service.code(user, -1), before)):
        with refused("TICKET_NOT_FOUND", "challenge_token"):
            await service.finish_challenge(user, challenge, other_code, token)
    service.clock.advance(2)
    with refused("TICKET_NOT_FOUND", "challenge_token"):
        await service.finish_challenge(user, challenge, code, before)
    assert await service.is_live(user)


async def test_a_second_begun_enrolment_ends_the_first(service: Service) -> None:
    """One pending seed at a time, so that a forgotten QR code enrols nothing."""
    user = await service.signed_in_user()
    first, second = await begin_enrollment(service, user), await begin_enrollment(service, user)
    with refused("TICKET_NOT_FOUND", "enrollment_token"):
        await finish_enrollment(service, user, first)
    # The first's code is none of the second's.
    lost = User(user.email, seed=seed_of(first.totp.secret))
    with refused("INVALID_SECOND_FACTOR"):
        await finish_enrollment(service, user, second, service.code(lost).totp_code)
    assert await outcome(finish_enrollment(service, user, second)) == "signed_in"
    with refused("TICKET_NOT_FOUND", "enrollment_token"):
        await finish_enrollment(service, user, second)


async def test_an_enrolment_is_its_own_sessions_and_no_other(service: Service) -> None:
    """Another session, another account, a changed password or a time past its end: no such enrolment."""
    user, stranger = await service.signed_in_user(), await service.signed_in_user()
    begun = await begin_enrollment(service, user)
    second = User(user.email)
    await service.sign_in(second)
    for someone in (second, stranger):
        with refused("TICKET_NOT_FOUND", "enrollment_token"):
            await finish_enrollment(service, someone, begun)
    await service.sessions.RevokeOtherSessions(session_pb2.RevokeOtherSessionsRequest(), metadata=second.metadata)
    with refused("SESSION_ENDED"):
        await finish_enrollment(service, user, begun)
    again = User(user.email)
    await service.sign_in(again)
    late = await begin_enrollment(service, again)
    service.clock.advance(601)
    await service.sign_in(again)
    with refused("TICKET_NOT_FOUND", "enrollment_token"):
        await finish_enrollment(service, again, late)


async def test_a_wrong_password_or_code_burns_no_enrolment(service: Service) -> None:
    """What was begun can still be finished."""
    user = await service.signed_in_user()
    begun = await begin_enrollment(service, user)
    with refused("INVALID_CREDENTIALS"):
        await finish_enrollment(service, user, begun, password="not the password")
    app = User(user.email, seed=seed_of(begun.totp.secret))
    with refused("INVALID_SECOND_FACTOR"):
        await finish_enrollment(service, user, begun, wrong_code(service, app).totp_code)
    assert await outcome(finish_enrollment(service, user, begun)) == "signed_in"


async def test_a_code_used_for_disabling_is_not_spent_where_disabling_failed(service: Service) -> None:
    """A wrong password beside a right code leaves the code good."""
    user = await service.two_factor_user()
    code = service.code(user, 1)
    with refused("INVALID_CREDENTIALS"):
        await disable(service, user, code, "not the password")
    assert await outcome(disable(service, user, code)) == "done"
