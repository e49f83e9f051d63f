"""Changes of an address, and their undoing, against what else happens to the account, over two servers."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial

from tests.integration.email_steps import ask, confirm, move, new_address, undo
from tests.races.gates import held_after_hash, met_in_lock, outcome, tally
from tests.races.test_old_state import NEW_PASSWORD, change_password, sessions_of
from tests.service import Service, User
from twofold.v1 import account_pb2, session_pb2
from twofold_server.crypto import tokens
from twofold_server.db.pool import Connection

Services = tuple[Service, Service]


async def test_of_50_confirmations_of_one_link_one_changes_the_address(two_services: Services) -> None:
    """Over two servers: the winner's session goes on, and the change is written once."""
    one, _ = two_services
    user, address = await one.signed_in_user(), new_address()
    await ask(one, user, address)
    request = account_pb2.ConfirmEmailChangeRequest(email_change_token=await one.link_token(address), client=one.client)
    came_to = await tally(
        partial(s.accounts.ConfirmEmailChange, request, metadata=user.metadata) for s in two_services for _ in range(25)
    )
    assert came_to["done"] == 1
    assert set(came_to) <= {"done", "TICKET_NOT_FOUND", "SESSION_ENDED"}
    assert await sessions_of(one, user) == 1


async def test_of_a_change_and_an_activation_of_one_address_one_has_it(two_services: Services) -> None:
    """The other's link is as one that there never was."""
    one, other = two_services
    for _ in range(4):
        user, address = await one.signed_in_user(), new_address()
        claim = await one.sign_up(address)
        activation = account_pb2.ActivateAccountRequest(
            activation_token=await one.link_token(address), sign_up_binding=claim.sign_up_binding, client=one.client
        )
        one.clock.advance(1)
        await ask(one, user, address)
        token = await one.link_token(address)
        came_to = await asyncio.gather(
            outcome(confirm(one, user, token)), outcome(other.accounts.ActivateAccount(activation))
        )
        assert Counter(came_to) == {"done": 1, "TICKET_NOT_FOUND": 1}


async def test_a_sign_in_by_an_address_that_changes_under_it_is_refused(two_services: Services) -> None:
    """It began with the address before, which is nobody's when its hash is done."""
    one, other = two_services
    user = await one.signed_in_user()
    stranger = User(user.email, user.password)
    async with held_after_hash(one, lambda: one.sign_in(stranger)) as sign_in:
        await move(other, user)
    assert await outcome(sign_in) == "INVALID_CREDENTIALS"
    assert await sessions_of(one, user) == 1


async def test_a_change_of_password_under_which_changes_are_frozen_has_no_effect(two_services: Services) -> None:
    """The one who took the account was just about to set another password."""
    one, other = two_services
    user = await one.signed_in_user()
    token = await move(one, user)
    async with held_after_hash(one, lambda: change_password(one, user)) as changing:
        await undo(other, token)
    assert await outcome(changing) == "SESSION_ENDED"
    assert (await undo(one, token, password=user.password)).email_restored


async def test_a_password_that_is_changed_while_it_is_looked_at_brings_nothing_back(two_services: Services) -> None:
    """It was right when it was hashed. The link is as good as before, for the one that is right now."""
    one, other = two_services
    user = await one.signed_in_user()
    token = await move(one, user)
    async with held_after_hash(one, lambda: undo(one, token, password=user.password)) as undoing:
        await change_password(other, user)
    assert await outcome(undoing) == "CHANGED_MEANWHILE"
    assert await outcome(undo(one, token, password=user.password)) == "INVALID_CREDENTIALS"
    assert (await undo(one, token, password=NEW_PASSWORD)).email_restored


async def test_a_confirmation_that_waits_for_a_freeze_changes_nothing(two_services: Services) -> None:
    """The address is to change a second time, while its first owner freezes the account."""
    one, other = two_services
    user = await one.signed_in_user()
    undo_token = await move(one, user)
    one.clock.advance(61)
    address = new_address()
    await ask(one, user, address)
    token = await one.link_token(address)

    async def freeze(tx: Connection) -> None:
        await tx.execute("UPDATE accounts SET epoch = epoch + 1 WHERE email = $1", user.email)

    async with met_in_lock(one, freeze, lambda: confirm(one, user, token)) as confirming:
        pass
    assert await outcome(confirming) == "SESSION_ENDED"
    assert await outcome(undo(other, undo_token)) == "done"
    assert await one.app.pool.fetchval("SELECT count(*) FROM accounts WHERE email = $1", address) == 0


async def test_a_sign_in_under_which_the_address_comes_back_is_of_an_old_state(two_services: Services) -> None:
    """Whoever knows the password signs in by the new address at that very moment, and holds nothing afterwards."""
    one, other = two_services
    user = await one.signed_in_user()
    token = await move(one, user)
    thief = User(user.email, user.password)
    async with held_after_hash(one, lambda: one.sign_in(thief)) as sign_in:
        await undo(other, token, password=user.password)
    assert await outcome(sign_in) == "INVALID_CREDENTIALS"
    assert await sessions_of(one, user) == 0


async def test_of_two_freezes_at_once_one_ends_the_sessions(two_services: Services) -> None:
    """The second finds it done, and raises no epoch."""
    one, other = two_services
    user = await one.signed_in_user()
    token = await move(one, user)
    before = await one.app.pool.fetchval("SELECT epoch FROM accounts WHERE email = $1", user.email)
    came_to = await tally(partial(undo, s, token) for s in (one, other) for _ in range(5))
    assert came_to == {"done": 10}
    assert await one.app.pool.fetchval("SELECT epoch FROM accounts WHERE email = $1", user.email) == before + 1
    assert await one.app.pool.fetchval("SELECT count(*) FROM events WHERE kind = 'changes_frozen'") == 1


async def test_sessions_that_end_under_it_keep_no_address_from_coming_back(two_services: Services) -> None:
    """Whoever has a session raises the epoch as often as they like: it is the password that must still be the same."""
    one, other = two_services
    user = await one.signed_in_user()
    token = await move(one, user)
    async with held_after_hash(one, lambda: undo(one, token, password=user.password)) as undoing:
        await other.sessions.RevokeOtherSessions(
            session_pb2.RevokeOtherSessionsRequest(), metadata=other.with_session(user)
        )
    assert await outcome(undoing) == "done"
    assert await sessions_of(one, user) == 0


async def test_the_link_of_a_later_change_that_is_in_use_is_waited_for_before_the_account(
    two_services: Services,
) -> None:
    """The intruder uses it at that very moment, and takes the account's row next: neither call waits for the other."""
    one, _ = two_services
    user = await one.signed_in_user()
    first = await move(one, user)
    one.clock.advance(61)
    second = tokens.token_hash(await move(one, user))
    pool = one.app.pool
    async with pool.acquire() as intruder, pool.acquire() as watcher, intruder.transaction():
        await intruder.execute("UPDATE tickets SET spent_time = now() WHERE handle_hash = $1", second)
        undoing = asyncio.create_task(undo(one, first, password=user.password))
        async with asyncio.timeout(8):
            while not await watcher.fetchval(
                "SELECT EXISTS (SELECT FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock')"
            ):
                assert not undoing.done(), await outcome(undoing)
                await asyncio.sleep(0.005)
        await intruder.execute(
            "SELECT FROM accounts WHERE account_id::text = $1 FOR NO KEY UPDATE NOWAIT", user.account_id
        )
    assert await outcome(undoing) == "done"
