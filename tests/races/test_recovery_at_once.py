"""Recoveries that meet: one effect of each link, and no session of before survives, whichever commits first."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial

import pytest

from tests.integration.recoveries import (
    NEW_PASSWORD,
    asked,
    begun,
    cancel,
    finish,
    reachable_user,
    reset,
    under_way,
)
from tests.integration.test_factor_policy import set_realm
from tests.integration.test_password_reset import links
from tests.races.gates import admitted, held_after_hash, met_in_lock, outcome, tally
from tests.races.test_old_state import sessions_of
from tests.service import Service, User, tokens_in
from twofold.v1 import account_pb2, recovery_pb2, session_pb2
from twofold_server.db.pool import Connection

Services = tuple[Service, Service]


async def test_of_100_uses_of_one_reset_link_one_sets_the_password(two_services: Services) -> None:
    """Each with a password of its own: one is set, and it alone signs in (authentik PR 19967)."""
    one, _ = two_services
    user = await one.new_user()
    request = await asked(one, user)
    requests = []
    for n in range(100):
        mine = recovery_pb2.ResetPasswordRequest()
        mine.CopyFrom(request)
        mine.new_password = f"{NEW_PASSWORD} {n}"
        requests.append(mine)

    came_to = await asyncio.gather(
        *[
            admitted(partial(two_services[n % 2].recovery.ResetPassword, mine, metadata=one.metadata))
            for n, mine in enumerate(requests)
        ]
    )
    assert Counter(came_to) == {"done": 1, "TICKET_NOT_FOUND": 99}
    user.password = requests[came_to.index("done")].new_password
    assert await outcome(one.sign_in(user)) == "signed_in"
    told = [mail for mail in await one.mails(user.email) if "set anew" in str(mail["Subject"])]
    assert len(told) == 1


async def test_two_reset_links_used_at_once_set_one_password(two_services: Services) -> None:
    """The first to commit ends the other by the epoch; neither waits for the other for ever."""
    one, other = two_services
    user = await one.new_user()
    first, second = await asked(one, user), recovery_pb2.ResetPasswordRequest()
    second.CopyFrom(first)
    answer = await one.recovery.RequestPasswordReset(
        recovery_pb2.RequestPasswordResetRequest(email=user.email, client=one.client)
    )
    second.reset_binding = answer.reset_binding
    (second.reset_token,) = {*await links(one, user)} - {first.reset_token}
    second.new_password = f"{NEW_PASSWORD} 2"
    came_to = await asyncio.gather(
        *[outcome(s.recovery.ResetPassword(r)) for s, r in zip((one, other), (first, second), strict=True)]
    )
    assert Counter(came_to) == {"done": 1, "TICKET_NOT_FOUND": 1}


async def test_a_sign_in_that_a_reset_comes_under_is_refused(two_services: Services) -> None:
    """The old password was right when it was hashed; the reset commits first."""
    one, other = two_services
    user = await one.new_user()
    request = await asked(one, user)
    async with held_after_hash(one, lambda: one.sign_in(User(user.email, user.password))) as sign_in:
        await reset(other, request)
    assert await outcome(sign_in) == "INVALID_CREDENTIALS"
    assert await sessions_of(one, user) == 0


async def test_a_reset_waits_for_whoever_holds_the_account(two_services: Services) -> None:
    """It judges the account as it is after the wait: raised by another change meanwhile, the link finds nothing."""
    one, other = two_services
    user = await one.new_user()
    request = await asked(one, user)

    async def change(tx: Connection) -> None:
        await tx.execute("UPDATE accounts SET epoch = epoch + 1 WHERE account_id = $1::text::uuid", user.account_id)

    async with met_in_lock(one, change, lambda: reset(other, request)) as resetting:
        assert await outcome(resetting) == "TICKET_NOT_FOUND"
    assert await outcome(one.sign_in(user)) == "signed_in"


async def test_a_sign_in_committed_before_the_reset_is_ended_by_it(two_services: Services) -> None:
    """A reset that has read and hashed already, and then finds a session that is newer: it ends that one."""
    one, other = two_services
    user = await one.new_user()
    request = await asked(one, user)
    hash, reached, go = other.app.engine.hash, asyncio.Event(), asyncio.Event()

    async def stopped(*args: object, **kwargs: object) -> bytes:
        made: bytes = await hash(*args, **kwargs)  # type: ignore[arg-type]
        reached.set()
        await go.wait()
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(other.app.engine, "hash", stopped)
        resetting = asyncio.create_task(reset(other, request))
        await asyncio.wait_for(reached.wait(), 8)
    stranger = User(user.email, user.password)
    await one.sign_in(stranger)
    assert await one.is_live(stranger)
    go.set()
    await resetting
    assert not await one.is_live(stranger)


async def test_a_refresh_under_a_reset_brings_no_session_over(two_services: Services) -> None:
    """Whichever comes first, the session's next refresh is refused."""
    one, other = two_services
    user = await one.signed_in_user()
    request = await asked(one, user)

    async def refresh() -> str:
        return await outcome(
            one.sessions.RefreshSession(session_pb2.RefreshSessionRequest(refresh_token=user.tokens.refresh_token))
        )

    await asyncio.gather(refresh(), reset(other, request))
    assert await refresh() == "SESSION_ENDED"


async def test_a_challenge_answered_under_a_reset_begins_no_session(two_services: Services) -> None:
    """The proof waits for the account and finds another epoch."""
    one, other = two_services
    user = await one.two_factor_user()
    request = await asked(one, user)
    challenge = (await one.sign_in(User(user.email, user.password))).challenge
    answering = partial(one.finish_challenge, User(user.email), challenge, one.code(user, 1))
    first, second = await asyncio.gather(outcome(answering()), outcome(reset(other, request)))
    assert first in {"signed_in", "TICKET_NOT_FOUND", "CHANGED_MEANWHILE"}
    assert second == "done"
    assert await sessions_of(one, user) == 0


async def test_of_100_uses_of_one_recovery_link_one_goes_on(two_services: Services) -> None:
    """And one notice of it goes out (authentik PR 19967)."""
    one, _ = two_services
    user = await reachable_user(one)
    request = await begun(one, user)
    came_to = await tally(
        partial(s.recovery.ConfirmTwoFactorRecovery, request) for s in two_services for _ in range(50)
    )
    assert came_to == {"done": 1, "TICKET_NOT_FOUND": 99}
    assert len([m for m in await one.mails(user.email) if "is being taken off" in str(m["Subject"])]) == 1


async def test_of_a_code_brought_back_many_times_at_once_one_has_the_effect(two_services: Services) -> None:
    """The epoch rises once, and every place is told once."""
    one, _ = two_services
    user = await reachable_user(one)
    token, code = await under_way(one, user)
    epoch = await one.app.pool.fetchval("SELECT epoch FROM accounts")
    came_to = await tally(partial(finish, s, token, code) for s in two_services for _ in range(20))
    assert came_to == {"done": 1, "TICKET_NOT_FOUND": 39}
    assert await one.app.pool.fetchval("SELECT epoch FROM accounts") == epoch + 1
    assert len([m for m in await one.mails(user.email) if "was taken off" in str(m["Subject"])]) == 1


async def test_of_guesses_of_the_code_at_once_five_are_judged(two_services: Services) -> None:
    """Twenty wrong codes over two servers, and the right one after them is refused."""
    one, _ = two_services
    user = await reachable_user(one)
    token, code = await under_way(one, user)
    guesses = [f"{(int(code) + n) % 10**6:06}" for n in range(1, 21)]
    came_to = Counter(
        await asyncio.gather(
            *[admitted(partial(finish, two_services[n % 2], token, guess)) for n, guess in enumerate(guesses)]
        )
    )
    assert came_to["INVALID_CODE"] == 5
    assert set(came_to) <= {"INVALID_CODE", "TICKET_NOT_FOUND", "TOO_MANY_ATTEMPTS"}
    assert await outcome(finish(one, token, code)) == "TICKET_NOT_FOUND"


async def test_a_cancelling_and_the_code_at_once_have_one_outcome(two_services: Services) -> None:
    """Either the factor is off and nothing was cancelled, or it stays and the code finds nothing."""
    one, other = two_services
    for _ in range(4):
        user = await reachable_user(one)
        token, code = await under_way(one, user)
        link = tokens_in([m for m in await one.mails(user.email) if "being taken off" in str(m["Subject"])])[-1]
        finished, cancelled = await asyncio.gather(outcome(finish(one, token, code)), outcome(cancel(other, link)))
        kept = await one.app.pool.fetchval(
            "SELECT count(*) FROM factors WHERE account_id = $1::text::uuid", user.account_id
        )
        assert (finished, cancelled, kept) in {("done", "TICKET_NOT_FOUND", 0), ("TICKET_NOT_FOUND", "done", 1)}
        one.clock.advance(3700)


async def test_two_servers_carry_a_recovery_out_once(two_services: Services) -> None:
    """Whose wait is over: one of them has the effect; a cancelling beside it wins or finds nothing."""
    one, other = two_services
    await set_realm(one, two_factor_recovery_wait=3600)
    user = await reachable_user(one)
    await finish(one, *await under_way(one, user))
    link = tokens_in([m for m in await one.mails(user.email) if "will be taken off" in str(m["Subject"])])[-1]
    one.clock.advance(3600)
    epoch = await one.app.pool.fetchval("SELECT epoch FROM accounts")
    *_, cancelled = await asyncio.gather(
        *(s.app.services.recovery_effects.carry_out_due() for s in two_services for _ in range(5)),
        outcome(cancel(other, link)),
    )
    effects = await one.app.pool.fetchval("SELECT count(*) FROM events WHERE kind = 'two_factor_recovered'")
    assert (cancelled, effects) in {("done", 0), ("TICKET_NOT_FOUND", 1)}
    assert await one.app.pool.fetchval("SELECT epoch FROM accounts") == epoch + effects


async def test_a_factor_enrolled_under_a_recovery_goes_with_it(two_services: Services) -> None:
    """A session that enrols while the recovery holds the account finds itself ended."""
    one, other = two_services
    user = await reachable_user(one)
    one.clock.advance(30)
    await one.sign_in(user, second_factor=one.code(user))
    token, code = await under_way(one, user)
    app = User(user.email, user.password, tokens=user.tokens)
    await asyncio.gather(finish(other, token, code), outcome(one.enrol(app)))
    assert await one.app.pool.fetchval("SELECT count(*) FROM factors") == 0
    assert not await one.app.pool.fetchval("SELECT second_factor FROM accounts")


async def test_many_requests_of_one_address_at_once_are_answered_alike(two_services: Services) -> None:
    """Three of them have a link."""
    one, _ = two_services
    await set_realm(one, captcha_recovery_after=0)
    user = await one.new_user()
    request = recovery_pb2.RequestPasswordResetRequest(email=user.email, client=one.client)
    came_to = await tally(partial(s.recovery.RequestPasswordReset, request) for s in two_services for _ in range(10))
    assert came_to == {"done": 20}
    assert len(set(await links(one, user))) == 3


async def test_a_password_changed_under_a_reset_stays(two_services: Services) -> None:
    """The session's change commits first: the link was of the password before, and resets nothing."""
    one, other = two_services
    user = await one.signed_in_user()
    request = await asked(one, user)
    change = account_pb2.ChangePasswordRequest(
        reauthentication=user.reauthentication, new_password="one more horse battery 6", client=one.client
    )
    came_to = await asyncio.gather(
        outcome(one.accounts.ChangePassword(change, metadata=one.with_session(user))), outcome(reset(other, request))
    )
    assert tuple(came_to) in {("done", "TICKET_NOT_FOUND"), ("SESSION_ENDED", "done"), ("INVALID_CREDENTIALS", "done")}
