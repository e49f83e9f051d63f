"""Nobody learns which addresses have an account: same answers, same work, same writes, same waits, same time."""

from __future__ import annotations

import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest

from dev.postgres import Server
from tests.conftest import Clock
from tests.integration.quick import Quick, new_database, quick_server
from tests.integration.recoveries import NEW_PASSWORD, asked
from tests.integration.rows_written import mark, written
from tests.integration.statements import Statements, log_statements
from tests.integration.stored_hashes import bcrypt_hash, put_hash
from tests.service import User, details, refused
from twofold.v1 import account_pb2, recovery_pb2
from twofold_server.crypto.tokens import new_secret_token


@dataclass(frozen=True, slots=True)
class Seen:
    """What a call shows to its caller and costs the database."""

    answer: str
    size: int
    statements: int
    rows: int


@dataclass(frozen=True, slots=True)
class Watched:
    """A server whose statements are read."""

    quick: Quick
    db: asyncpg.Connection[asyncpg.Record]
    statements: Statements

    async def see(self, call: Callable[[], Awaitable[Any]]) -> Seen:
        """Make a call and note everything of it but its ids, secrets and times."""
        answer, size = "", 0

        async def noted() -> None:
            nonlocal answer, size
            try:
                message = await call()
            except grpc.aio.AioRpcError as error:
                shown = sorted(str(detail) for detail in details(error).values())
                answer = f"{error.code().name} {error.details()} {shown}"
                size = sum(len(value) for _, value in error.trailing_metadata() or ())
            else:
                answer = " ".join(field.name for field, _ in message.ListFields())
                size = message.ByteSize()

        since = await mark(self.db)
        statements = await self.statements.during(noted)
        rows = await written(self.db, since)
        return Seen(answer, size, len(statements), sum(rows.values()))


@pytest.fixture(scope="module")
async def watched(
    cluster: Server, cluster_admin: asyncpg.Connection[asyncpg.Record], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Watched]:
    database = await new_database(cluster, cluster_admin, "enumeration")
    statements = await log_statements(cluster, cluster_admin, database)
    clock = Clock(datetime(2026, 3, 14, 12, 0, tzinfo=UTC))
    async with quick_server(database, tmp_path_factory.mktemp("enumeration"), clock) as quick:
        db = await asyncpg.connect(database)
        await db.execute("SET log_statement = 'none'")
        # What the clock calls would be counted with the calls.
        for job in quick.app._jobs:
            job.cancel()
        yield Watched(quick, db, statements)
        await db.close()


def _sign_in(quick: Quick, address: str, password: str = "a wrong horse 3") -> Callable[[], Awaitable[Any]]:
    return lambda: quick.sign_in(User(address), password=password)


async def test_a_wrong_password_and_an_unknown_address_are_one(watched: Watched) -> None:
    """SignIn: the same code, text, details and size, as many statements, and as many rows written."""
    user = await watched.quick.new_user()
    # Warm: each connection prepares a statement once.
    for address in (user.email, "warm@example.org"):
        await watched.see(_sign_in(watched.quick, address))
    known = await watched.see(_sign_in(watched.quick, user.email))
    unknown = await watched.see(_sign_in(watched.quick, "nobody@example.org"))
    first = await watched.see(_sign_in(watched.quick, (await watched.quick.new_user()).email))
    assert "INVALID_CREDENTIALS" in known.answer
    assert known.rows > 0
    assert known == first == unknown


async def test_budgets_close_alike_for_what_does_not_exist(watched: Watched) -> None:
    """Ninety failures in a row: the sixth and later ones are refused with the same waits, to the ceiling and beyond."""
    user = await watched.quick.new_user()
    seen: dict[str, list[str]] = {user.email: [], "never@example.org": []}
    refusals = 0
    for _ in range(90):
        for address, answers in seen.items():
            answers.append((await watched.see(_sign_in(watched.quick, address))).answer)
        assert answers[-1] == seen[user.email][-1]
        if "TOO_MANY_ATTEMPTS" in answers[-1]:
            refusals += 1
            watched.quick.standing.advance(3601)
    assert "TOO_MANY_ATTEMPTS" in seen[user.email][5]
    assert refusals > 30
    watched.quick.standing.advance(31 * 86400)
    for address in seen:
        with refused("INVALID_CREDENTIALS"):
            await _sign_in(watched.quick, address)()


async def test_signing_up_a_taken_address_looks_like_a_free_one(watched: Watched) -> None:
    """SignUp: the same fields and size, as many statements, and as many rows, the first time and the fourth."""
    user = await watched.quick.new_user()
    await watched.quick.sign_up("warm.up@example.org")
    for attempt in range(5):
        taken = await watched.see(lambda: watched.quick.sign_up(user.email))
        free = await watched.see(lambda: watched.quick.sign_up("free@example.org"))
        assert taken == free, attempt
        assert taken.answer == "sign_up_binding resend_time password_advice"


async def test_a_resend_tells_nothing_of_claim_or_account(watched: Watched) -> None:
    """ResendActivation for a claim, for an account and for nothing: the same answers and writes, and the same waits."""
    user = await watched.quick.new_user()
    claim = await watched.quick.sign_up("claimed@example.org")
    taken = await watched.quick.sign_up(user.email)
    watched.quick.standing.advance(61)
    claimed = 2  # Two bindings that SignUp returned, for whoever holds them; the others are invented.
    presented = [
        ("claimed@example.org", claim.sign_up_binding),
        (user.email, taken.sign_up_binding),
        ("claimed@example.org", new_secret_token()[0]),
        (user.email, new_secret_token()[0]),
        ("nothing@example.org", new_secret_token()[0]),
    ]

    def resend(address: str, binding: str) -> Callable[[], Awaitable[Any]]:
        return lambda: watched.quick.accounts.ResendActivation(
            account_pb2.ResendActivationRequest(email=address, sign_up_binding=binding, client=watched.quick.client),
            metadata=watched.quick.metadata,
        )

    first: list[Seen] = []
    for _ in range(7):
        # Caller and realm are read again once a minute has passed.
        await resend("warm@example.org", new_secret_token()[0])()
        first = [await watched.see(resend(*one)) for one in presented]
        again = [await watched.see(resend(*one)) for one in presented]
        for alike in (first[:claimed], first[claimed:]):
            assert len(set(alike)) == 1, alike
        for alike in (again[:claimed], again[claimed:]):
            assert {seen.answer for seen in alike} == {alike[0].answer}
            assert "RESEND_TOO_SOON" in alike[0].answer
        watched.quick.standing.advance(61)
    assert "RESEND_TOO_SOON" in first[0].answer
    assert "RESEND_TOO_SOON" in first[-1].answer


async def test_links_that_lead_nowhere_are_one(watched: Watched) -> None:
    """ActivateAccount: an invented, a used and an expired link and a wrong binding answer alike, with as few writes."""
    quick = watched.quick
    used = await quick.sign_up("used@example.org")
    used_link = await quick.link_token("used@example.org")
    live = await quick.sign_up("live@example.org")
    live_link = await quick.link_token("live@example.org")

    def activate(token: str, binding: str) -> Callable[[], Awaitable[Any]]:
        return lambda: quick.accounts.ActivateAccount(
            account_pb2.ActivateAccountRequest(activation_token=token, sign_up_binding=binding, client=quick.client),
            metadata=quick.metadata,
        )

    await activate(used_link, used.sign_up_binding)()
    answers = [
        await watched.see(activate(token, binding))
        for token, binding in (
            (new_secret_token()[0], used.sign_up_binding),
            (used_link, used.sign_up_binding),
            (live_link, used.sign_up_binding),
            (live_link, new_secret_token()[0]),
            (used_link, live.sign_up_binding),
        )
    ]
    assert {(seen.answer, seen.size, seen.rows) for seen in answers} == {(answers[0].answer, answers[0].size, 0)}
    await activate(live_link, live.sign_up_binding)()


def _ask(quick: Quick, address: str) -> Callable[[], Awaitable[Any]]:
    return lambda: quick.recovery.RequestPasswordReset(
        recovery_pb2.RequestPasswordResetRequest(email=address, client=quick.client), metadata=quick.metadata
    )


def _recover(quick: Quick, address: str, password: str = "a wrong horse 3") -> Callable[[], Awaitable[Any]]:
    return lambda: quick.recovery.BeginTwoFactorRecovery(
        recovery_pb2.BeginTwoFactorRecoveryRequest(email=address, password=password, client=quick.client),
        metadata=quick.metadata,
    )


async def test_a_reset_of_no_account_looks_like_one_of_an_account(watched: Watched) -> None:
    """RequestPasswordReset: the same fields and size, as many statements, and as many rows, the first time and the
    fifth, when all places are taken.
    """
    user = await watched.quick.new_user()
    await watched.see(_ask(watched.quick, "warm.reset@example.org"))
    for attempt in range(5):
        known = await watched.see(_ask(watched.quick, user.email))
        unknown = await watched.see(_ask(watched.quick, "nobody.reset@example.org"))
        assert known == unknown, attempt
        assert known.answer == "reset_binding resend_time"


async def test_a_recovery_with_any_password_looks_like_one_of_no_account(watched: Watched) -> None:
    """BeginTwoFactorRecovery: right, wrong and nobody's password have one answer, size, cost and number of rows; then
    wrong and nobody's are refused alike.
    """
    await watched.quick.app.services.realms.set("default", {"captcha_provider": "none"})
    user, warm = await watched.quick.two_factor_user(), await watched.quick.new_user()
    other = await watched.quick.two_factor_user()
    for address, password in ((other.email, other.password), (warm.email, "no"), ("warm.two@example.org", "no")):
        await watched.see(_recover(watched.quick, address, password))
    fresh = await watched.quick.new_user()
    # A fourth has no place left, and writes no ticket.
    right = [await watched.see(_recover(watched.quick, user.email, user.password)) for _ in range(4)]
    seen = []
    for _ in range(6):
        wrong = await watched.see(_recover(watched.quick, fresh.email))
        unknown = await watched.see(_recover(watched.quick, "nobody.two@example.org"))
        assert wrong == unknown
        seen.append(wrong)
    assert right[0].answer == "recovery_binding expire_time"
    assert seen[:4] == right
    assert "TOO_MANY_ATTEMPTS" in seen[5].answer


async def test_reset_links_that_lead_nowhere_are_one(watched: Watched) -> None:
    """ResetPassword: an invented, a used, a foreign and nobody's link and a wrong binding answer alike and write
    nothing.
    """
    quick = watched.quick
    user, other = await quick.new_user(), await quick.new_user()
    used, live = await asked(quick, user), await asked(quick, other)
    nobody = (await _ask(quick, "nobody.link@example.org")()).reset_binding

    def redeem(token: str, binding: str) -> Callable[[], Awaitable[Any]]:
        request = recovery_pb2.ResetPasswordRequest(
            reset_token=token, reset_binding=binding, new_password=NEW_PASSWORD, client=quick.client
        )
        return lambda: quick.recovery.ResetPassword(request, metadata=quick.metadata)

    await redeem(used.reset_token, used.reset_binding)()
    answers = [
        await watched.see(redeem(token, binding))
        for token, binding in (
            (new_secret_token()[0], used.reset_binding),
            (used.reset_token, used.reset_binding),
            (live.reset_token, used.reset_binding),
            (live.reset_token, nobody),
            (new_secret_token()[0], nobody),
        )
    ]
    assert {(seen.answer, seen.size, seen.rows) for seen in answers} == {(answers[0].answer, answers[0].size, 0)}
    await redeem(live.reset_token, live.reset_binding)()


async def _quartiles(calls: list[Callable[[int], Awaitable[None]]], samples: int) -> list[float]:
    """The lower quartile of each call's times, sampled in turns.

    Whatever else the machine does hits all alike, and the quicker half of the samples least.
    """
    times: list[list[float]] = [[] for _ in calls]
    for number in range(samples):
        for place in range(len(calls)):
            # Now one, now another goes first.
            at = (place + number) % len(calls)
            started = time.perf_counter()
            await calls[at](number)
            times[at].append(time.perf_counter() - started)
    return [statistics.quantiles(found, n=4)[0] for found in times]


@pytest.mark.alone
@pytest.mark.parametrize("imported", [False, True], ids=["argon2id", "bcrypt"])
async def test_known_and_unknown_take_the_same_time(
    database: str, tmp_path: Path, clock: Clock, imported: bool
) -> None:
    """The quickest quarters differ by less than a sixth, with hashes of our own and with imported ones."""
    async with quick_server(database, tmp_path, clock, argon2_memory_kib=2048, argon2_time_cost=3) as quick:
        await quick.app.services.realms.set(
            "default", {"network_failures_per_hour": "1000000", "captcha_provider": "none"}
        )
        user = await quick.new_user()
        db = await asyncpg.connect(database)
        if imported:
            await put_hash(quick, db, user, bcrypt_hash(user.password, 7), "bcrypt:7")

        async def known(_number: int) -> None:
            with refused("INVALID_CREDENTIALS"):
                await _sign_in(quick, user.email)()
            await db.execute("UPDATE password_credentials SET failures = '{0,0}', wait_until = '{epoch,epoch}'")

        async def unknown(number: int) -> None:
            with refused("INVALID_CREDENTIALS"):
                await _sign_in(quick, f"nobody{number}@example.org")()
            await db.execute("UPDATE password_credentials SET failures = '{0,0}', wait_until = '{epoch,epoch}'")

        async def taken(number: int) -> None:
            await quick.sign_up(user.email)
            await db.execute("DELETE FROM tickets")

        async def free(number: int) -> None:
            await quick.sign_up(f"free{number}@example.org")
            await db.execute("DELETE FROM tickets")

        async def asked_for(number: int) -> None:
            await _ask(quick, user.email)()
            await db.execute("DELETE FROM tickets")

        async def asked_for_nobody(number: int) -> None:
            await _ask(quick, f"free{number}@example.org")()
            await db.execute("DELETE FROM tickets")

        async def recovered(_number: int) -> None:
            await _recover(quick, user.email)()
            await db.execute("UPDATE password_credentials SET failures = '{0,0}', wait_until = '{epoch,epoch}'")

        async def recovered_by_nobody(number: int) -> None:
            await _recover(quick, f"nobody{number}@example.org")()
            await db.execute("UPDATE password_credentials SET failures = '{0,0}', wait_until = '{epoch,epoch}'")

        pairs = ((known, unknown), (taken, free), (asked_for, asked_for_nobody), (recovered, recovered_by_nobody))
        for one, other in pairs:
            ratios: list[float] = []
            for _ in range(6):
                first, second = await _quartiles([one, other], 25)
                ratios.append(first / second)
                if 6 / 7 < ratios[-1] < 7 / 6:
                    break
            else:
                raise AssertionError(f"{one.__name__} / {other.__name__}: {ratios}")
        await db.close()
