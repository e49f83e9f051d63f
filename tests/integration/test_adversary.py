"""Attacks on a running server by strangers and thieves of sessions; what is asserted is that they come to nothing."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable
from uuid import uuid4

import asyncpg
import grpc.aio
import pytest

from tests.service import Service, User, reason, refused, retry_after, tokens_in
from twofold.v1 import account_pb2, session_pb2, sign_in_pb2, two_factor_pb2
from twofold_server.crypto import tokens
from twofold_server.crypto.hash_engine import HashQueueFull
from twofold_server.jobs import Retention


async def outcome(call: Awaitable[object]) -> str:
    """`OK`, or the reason of the refusal."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return reason(error) or str(error.code())
    return "OK"


async def _guess_in_session(service: Service, user: User) -> str:
    return await outcome(
        service.sessions.StepUp(
            session_pb2.StepUpRequest(password="a guess", client=service.client), metadata=user.metadata
        )
    )


async def _change_password(service: Service, user: User) -> None:
    changed = await service.accounts.ChangePassword(
        account_pb2.ChangePasswordRequest(
            reauthentication=user.reauthentication, new_password="another fine horse 7", client=service.client
        ),
        metadata=user.metadata,
    )
    user.password = "another fine horse 7"
    user.tokens.access_token = changed.tokens.access_token


async def test_sign_up_at_a_look_alike_domain_tells_nothing(service: Service) -> None:
    """fa\u00df.de and fass.de have two owners (IDNA 2008): mail to one tells nothing of accounts at the other."""
    await service.new_user("bob@fass.de")
    await service.sign_up("bob@fa\u00df.de", "mallory's own horse 9")
    mails = await service.mails("bob@xn--fa-hia.de")
    assert tokens_in(mails), [str(mail["Subject"]) for mail in mails]


async def test_owner_of_a_look_alike_domain_takes_no_address(service: Service) -> None:
    """Whoever activates an account at fa\u00df.de does not hold the identifier of the same name at fass.de."""
    claim = await service.sign_up("bob@fa\u00df.de", "mallory's own horse 9")
    await service.accounts.ActivateAccount(
        account_pb2.ActivateAccountRequest(
            activation_token=await service.link_token("bob@xn--fa-hia.de"),
            sign_up_binding=claim.sign_up_binding,
            client=service.client,
        )
    )
    with refused("INVALID_CREDENTIALS"):
        await service.sign_in(User("bob@fass.de", "mallory's own horse 9"))


@pytest.mark.parametrize("generation", [2**31 - 1, 2**31 - 2, 0])
async def test_forged_refresh_token_of_any_generation(service: Service, generation: int) -> None:
    """A made-up refresh token is refused alike, whatever generation it names."""
    forged = tokens.format_refresh_token(uuid4(), generation, 1, secrets.token_bytes(32))
    with refused("SESSION_ENDED"):
        await service.sessions.RefreshSession(session_pb2.RefreshSessionRequest(refresh_token=forged))


async def test_copied_refresh_token_dies_with_the_password_change(service: Service) -> None:
    """A copy of a session's refresh token is worth nothing once the owner has changed the password in that session."""
    user = await service.signed_in_user()
    copied = user.tokens.refresh_token
    await _change_password(service, user)
    service.clock.advance(11)
    assert await outcome(service.sessions.RefreshSession(session_pb2.RefreshSessionRequest(refresh_token=copied))) in {
        "SESSION_ENDED",
        "SESSION_REUSED",
    }


async def test_stolen_session_does_not_lock_the_known_device_out(service: Service) -> None:
    """Wrong passwords given in a stolen session leave the owner's sign-in on the known device alone."""
    user = await service.signed_in_user()
    assert [await _guess_in_session(service, user) for _ in range(5)] == ["INVALID_CREDENTIALS"] * 5
    assert (await service.sign_in(user, device=True)).HasField("signed_in")


async def test_stolen_session_does_not_end_the_others(service: Service) -> None:
    """A session without a recent proof can't end all others, which would keep the owner out for good.

    In a loop, each call moves the epoch, so that whatever the owner does meanwhile, which hashes, ends as moved.
    """
    owner = await service.signed_in_user()
    service.clock.advance(1200)
    refreshing = session_pb2.RefreshSessionRequest(refresh_token=owner.tokens.refresh_token)
    owner.tokens = (await service.sessions.RefreshSession(refreshing)).tokens
    with refused("RECENT_PASSWORD_REQUIRED"):
        await service.sessions.RevokeOtherSessions(session_pb2.RevokeOtherSessionsRequest(), metadata=owner.metadata)


async def test_wrong_passwords_for_one_link_leave_the_address_usable(service: Service) -> None:
    """An owner who tries the own password on the links of a stranger's three sign-ups can still sign up."""
    address = "owner@example.org"
    for _ in range(3):
        await service.sign_up(address, "a stranger's horse 9")
    for token in tokens_in(await service.mails(address)):
        for _ in range(5):
            with refused("INVALID_CREDENTIALS"):
                await service.accounts.ActivateAccount(
                    account_pb2.ActivateAccountRequest(
                        activation_token=token, password="the owner's horse", client=service.client
                    )
                )
    claim = await service.sign_up(address)
    activation = account_pb2.ActivateAccountRequest(
        activation_token=await service.link_token(address), sign_up_binding=claim.sign_up_binding, client=service.client
    )
    assert await outcome(service.accounts.ActivateAccount(activation)) == "OK"


async def test_full_queue_does_not_tell_the_right_password(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for one hash only, the right password beside a backup code is told by the statement that counts it.

    Refused for want of room, it would be told apart from a wrong one without a count: it is challenged instead.
    """
    user = await service.two_factor_user()
    engine, submit, room = service.app.engine, service.app.engine._submit, 0

    async def full_soon(*given: object) -> object:
        nonlocal room
        room -= 1
        if room < 0:
            raise HashQueueFull(1.0)
        return await submit(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "_submit", full_soon)
    answers = []
    for password in ("a guess", user.password):
        room = 1
        code = sign_in_pb2.SecondFactor(backup_code="A-0000-0000-0000-0000")
        answers.append(await outcome(service.sign_in(user, password=password, second_factor=code)))
    assert answers == ["INVALID_CREDENTIALS", "OK"]
    room = 1
    code = sign_in_pb2.SecondFactor(backup_code="A-0000-0000-0000-0000")
    assert (await service.sign_in(user, second_factor=code)).HasField("challenge")


async def test_unknown_and_known_forget_at_the_same_time(service: Service) -> None:
    """Thirty days after the last of many failures a known and an unknown address are still answered alike."""
    targets = [await service.new_user(), User("nobody@example.org")]

    async def guess(user: User) -> tuple[str, int]:
        try:
            await service.sign_in(user, password="a guess")
        except grpc.aio.AioRpcError as error:
            return reason(error), round(retry_after(error))
        return "OK", 0

    for _ in range(13):
        service.clock.advance(3601)
        for user in targets:
            await guess(user)
    service.clock.advance(30 * 86400 + 60)
    await Retention(service.app.pool, service.clock).run_once()
    for user in targets:
        await guess(user)
    answers = [await guess(user) for user in targets]
    assert answers[0] == answers[1], answers


async def test_every_way_to_give_a_code_draws_on_one_count(service: Service) -> None:
    """Of 72 wrong codes given at once by six ways, five are judged in the known bucket and five in the other."""
    user = await service.two_factor_user()
    service.clock.advance(30)
    await service.sign_in(user, second_factor=service.code(user), device=True)
    unknown = (await service.sign_in(user)).challenge
    known = (await service.sign_in(user, device=True)).challenge
    begun = await service.sessions.StepUp(
        session_pb2.StepUpRequest(second_factor=session_pb2.SecondFactorStepUp(), client=service.client),
        metadata=user.metadata,
    )
    right = {service.code(user, step).totp_code for step in range(-3, 4)}
    wrong = sign_in_pb2.SecondFactor(totp_code=next(c for n in range(8) if (c := f"{n:06}") not in right))

    async def disable() -> object:
        request = two_factor_pb2.DisableTwoFactorRequest(
            reauthentication=user.reauthentication, second_factor=wrong, client=service.client
        )
        return await service.two_factor.DisableTwoFactor(request, metadata=user.metadata)

    async def delete() -> object:
        request = account_pb2.DeleteAccountRequest(
            reauthentication=user.reauthentication, second_factor=wrong, client=service.client
        )
        return await service.accounts.DeleteAccount(request, metadata=user.metadata)

    async def finish(challenge: sign_in_pb2.SecondFactorChallenge, refresh_token: str = "") -> object:
        return await service.finish_challenge(user, challenge, wrong, refresh_token)

    on_known, on_unknown = [], []
    for _ in range(12):
        on_known += [disable(), delete(), finish(known), finish(begun.challenge, user.tokens.refresh_token)]
        on_unknown += [finish(unknown), service.sign_in(user, second_factor=wrong)]
    answers = await asyncio.gather(*(outcome(call) for call in on_known + on_unknown))
    # Of a known device whose bucket is closed an attempt draws on the other: which call drew on which is by chance.
    assert answers.count("INVALID_SECOND_FACTOR") <= 10, answers
    assert set(answers) <= {
        "INVALID_SECOND_FACTOR",
        "TOO_MANY_ATTEMPTS",
        "TICKET_NOT_FOUND",
        "OVERLOADED",
        "DATABASE_UNAVAILABLE",
    }


@pytest.mark.parametrize("call", ["step_up", "begin_enrollment"])
async def test_ticket_of_an_account_that_is_just_deleted(service: Service, database: str, call: str) -> None:
    """What begins while the account is being deleted ends as a documented refusal, not as INTERNAL."""
    user = await service.two_factor_user()
    other = await asyncpg.connect(database)
    deletion = other.transaction()
    await deletion.start()
    await other.execute("DELETE FROM accounts WHERE account_id = $1", user.account_id)
    request: Awaitable[object]
    if call == "step_up":
        step_up = session_pb2.StepUpRequest(second_factor=session_pb2.SecondFactorStepUp(), client=service.client)
        request = service.sessions.StepUp(step_up, metadata=user.metadata)
    else:
        enrollment = two_factor_pb2.BeginEnrollmentRequest(totp=two_factor_pb2.TotpEnrollment())
        request = service.two_factor.BeginEnrollment(enrollment, metadata=user.metadata)
    begun = asyncio.ensure_future(outcome(request))
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with asyncio.timeout(5):
        while not await other.fetchval(waits):
            await asyncio.sleep(0.02)
    await deletion.commit()
    await other.close()
    assert await begun in {"SESSION_ENDED", "CHANGED_MEANWHILE"}
