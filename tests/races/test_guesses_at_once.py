"""Guesses and uses at once over two servers on one database: the count is the database's, not a server's."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial

from tests.races.gates import admitted, outcome, tally
from tests.service import Service, User
from twofold.v1 import sign_in_pb2
from twofold_server.crypto.hash_slots import HashSlots

Services = tuple[Service, Service]


async def failures(service: Service, user: User) -> list[int]:
    """The password's count of an account."""
    found: list[int] = await service.app.pool.fetchval(
        "SELECT failures FROM password_credentials WHERE account_id = $1::text::uuid", user.account_id
    )
    return found


async def test_of_200_wrong_passwords_five_are_answered_and_the_right_one_among_the_rest_is_refused(
    two_services: Services,
) -> None:
    """A budget of five is five over all servers (CVE-2023-47111, CVE-2024-4629)."""
    one, _ = two_services
    user = await one.new_user()
    wrong = await tally(partial(s.sign_in, user, password="not the password") for s in two_services for _ in range(100))
    assert wrong == {"INVALID_CREDENTIALS": 5, "TOO_MANY_ATTEMPTS": 195}
    assert await outcome(one.sign_in(user)) == "TOO_MANY_ATTEMPTS"
    assert await failures(one, user) == [5, 0]
    one.clock.advance(31)
    assert await outcome(one.sign_in(user)) == "signed_in"


async def test_the_right_password_among_wrong_ones_tells_no_more_than_its_place_allows(two_services: Services) -> None:
    """Mixed with 60 wrong ones it gets in only if it came within the five; after them it is refused like the rest."""
    one, _ = two_services
    user = await one.new_user()
    calls = [partial(s.sign_in, user, password="not the password") for s in two_services for _ in range(30)]
    calls.insert(40, partial(one.sign_in, user))
    came_to = await tally(calls)
    # A right one that got in cleared the count, and five more were answered.
    allowed = 5 + 5 * came_to["signed_in"]
    assert came_to["INVALID_CREDENTIALS"] <= allowed
    assert came_to["signed_in"] + came_to["INVALID_CREDENTIALS"] + came_to["TOO_MANY_ATTEMPTS"] == 61


async def test_100_right_passwords_at_once_all_get_in(two_services: Services) -> None:
    """Nobody is locked out by signing in often."""
    one, _ = two_services
    user = await one.new_user()
    assert await tally(partial(s.sign_in, user) for s in two_services for _ in range(50)) == {"signed_in": 100}
    assert await failures(one, user) == [0, 0]


async def test_of_100_uses_of_one_totp_code_one_signs_in(two_services: Services) -> None:
    """One code, one session, however many servers it reaches at once (keycloak#13607)."""
    one, _ = two_services
    user = await one.two_factor_user()
    code = one.code(user, 1)
    came_to = await tally(partial(s.sign_in, user, second_factor=code) for s in two_services for _ in range(50))
    assert came_to == {"signed_in": 1, "INVALID_SECOND_FACTOR": 5, "TOO_MANY_ATTEMPTS": 94}


async def test_of_100_uses_of_one_backup_code_one_signs_in(two_services: Services) -> None:
    """One backup code, one session (keycloak#26106, GHSA-2299-ghjr-6vjp)."""
    one, _ = two_services
    user = await one.two_factor_user()
    code = sign_in_pb2.SecondFactor(backup_code=user.backup_codes[0])
    came_to = await tally(partial(s.sign_in, user, second_factor=code) for s in two_services for _ in range(50))
    assert came_to["signed_in"] == 1
    assert came_to["INVALID_SECOND_FACTOR"] <= 5
    assert sum(came_to.values()) == 100
    spent = await one.app.pool.fetchval("SELECT count(*) FROM backup_codes WHERE spent_time IS NOT NULL")
    assert spent == 1


async def test_a_code_answers_one_of_many_challenges_on_two_servers(two_services: Services) -> None:
    """Forty challenges and one code: one session."""
    one, _ = two_services
    user = await one.two_factor_user()
    challenges = [(await one.sign_in(user)).challenge for _ in range(40)]
    code = one.code(user, 1)
    before = await one.app.pool.fetchval("SELECT count(*) FROM sessions")
    came_to = await tally(
        partial(two_services[n % 2].finish_challenge, user, c, code) for n, c in enumerate(challenges)
    )
    assert came_to == {"signed_in": 1, "INVALID_SECOND_FACTOR": 5, "TOO_MANY_ATTEMPTS": 34}
    assert await one.app.pool.fetchval("SELECT count(*) FROM sessions") == before + 1


async def test_an_overloaded_refusal_counts_nothing(service: Service) -> None:
    """At most five hashes of one account are in flight; the others are refused before any work or count."""
    user = await service.new_user()
    pool, settings = service.app.pool, service.app.settings
    counted = await pool.fetchval("SELECT sum(failures) FROM network_failures WHERE network = '192.0.2.7'") or 0
    slots = len(list(settings.hash_slots_directory.glob("slot-*")))
    holders = [HashSlots(settings.hash_slots_directory, slots, n) for n in range(slots)]
    held = [holder.held() for holder in holders]
    for hold in held:
        hold.__enter__()
    try:
        calls = [asyncio.create_task(outcome(service.sign_in(user, password="not the password"))) for _ in range(12)]
        async with asyncio.timeout(8):
            while sum(call.done() for call in calls) < 7:
                await asyncio.sleep(0.01)
        assert {call.result() for call in calls if call.done()} == {"OVERLOADED"}
        assert await failures(service, user) == [0, 0]
    finally:
        for hold in held:
            hold.__exit__(None, None, None)
        for holder in holders:
            holder.close()
    assert Counter(await asyncio.gather(*calls)) == {"OVERLOADED": 7, "INVALID_CREDENTIALS": 5}
    assert await failures(service, user) == [5, 0]
    assert await pool.fetchval("SELECT count(*) FROM events WHERE kind = 'wrong_password'") == 5
    after = await pool.fetchval("SELECT sum(failures) FROM network_failures WHERE network = '192.0.2.7'")
    assert after == counted + 5
    assert await admitted(lambda: service.sign_in(user)) == "TOO_MANY_ATTEMPTS"
