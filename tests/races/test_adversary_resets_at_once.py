"""Attacks by timing on the ways back into an account: each step in flight while a reset commits, and the other way."""

from __future__ import annotations

from functools import partial

from tests.authenticator import Authenticator
from tests.integration import test_passkeys as passkeys
from tests.integration.recoveries import asked, begin, begun, confirm, finish, reachable_user, reset, under_way
from tests.integration.test_factor_policy import set_realm
from tests.races.gates import held_after_hash, met_in_lock, outcome
from tests.races.test_old_state import sessions_of
from tests.service import Service, User
from twofold_server.db.pool import Connection

Services = tuple[Service, Service]


async def raised(user: User, tx: Connection) -> None:
    """What a reset does to the account."""
    await tx.execute("UPDATE accounts SET epoch = epoch + 1 WHERE account_id = $1::text::uuid", user.account_id)


async def test_a_recovery_begun_with_the_old_password_under_a_reset_mails_no_link(two_services: Services) -> None:
    """The password was right when it was hashed: it is judged again, by the new one, and counts as wrong."""
    one, other = two_services
    user = await reachable_user(one)
    request = await asked(one, user)
    async with held_after_hash(one, lambda: begin(one, User(user.email, user.password))) as beginning:
        await reset(other, request)
    assert await outcome(beginning) == "done"
    mails = [str(mail["Subject"]) for mail in await one.mails(user.email)]
    assert not [subject for subject in mails if "second factor" in subject]
    assert await one.app.pool.fetchval("SELECT failures[1] FROM password_credentials") == 1


async def test_a_passkeys_answer_under_a_reset_begins_no_session(two_services: Services) -> None:
    """It waits for the account and finds another epoch."""
    one, other = two_services
    authenticator = Authenticator(passkeys.ORIGIN)
    user = await passkeys.passkey_user(one, authenticator)
    sign_in = await passkeys.begun(other)
    answer = authenticator.get(sign_in.request_options_json)
    before = await sessions_of(one, user)
    async with met_in_lock(one, partial(raised, user), lambda: passkeys.answered(other, sign_in, answer)) as answering:
        assert await outcome(answering) in {"TICKET_NOT_FOUND", "CHANGED_MEANWHILE"}
    assert await sessions_of(one, user) <= before


async def test_each_step_of_a_recovery_waits_for_a_reset_and_ends(two_services: Services) -> None:
    """The link, the code, and a wait that is over: none has its effect on the account of after."""
    one, other = two_services
    for job in [*one.app._jobs, *other.app._jobs]:
        if job.get_name() == "recoveries":
            job.cancel()
    user = await reachable_user(one)
    request = await begun(one, user)
    async with met_in_lock(one, partial(raised, user), lambda: confirm(other, request)) as confirming:
        assert await outcome(confirming) == "TICKET_NOT_FOUND"
    one.clock.advance(61)
    token, code = await under_way(one, user)
    async with met_in_lock(one, partial(raised, user), lambda: finish(other, token, code)) as finishing:
        assert await outcome(finishing) == "TICKET_NOT_FOUND"
    await set_realm(one, two_factor_recovery_wait=3600)
    one.clock.advance(61)
    await finish(one, *await under_way(one, user))
    one.clock.advance(3600)
    due = other.app.services.recovery_effects.carry_out_due
    async with met_in_lock(one, partial(raised, user), due) as carried_out:
        await carried_out
    assert await one.app.pool.fetchval("SELECT second_factor FROM accounts")
    assert await one.app.pool.fetchval("SELECT count(*) FROM events WHERE kind = 'two_factor_recovered'") == 0
