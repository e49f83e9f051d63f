"""The spend guard under callers at once: what is admitted is counted in the same statement, and no more goes out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest

from tests.conftest import Clock
from tests.integration.outbox_setup import REALM, Post
from twofold_server.db.pool import Connection, open_pool
from twofold_server.domain.deliveries import Delivery, DeliveryState, Refusal, delivery_of
from twofold_server.domain.messages import MessageKind
from twofold_server.domain.text_messages import TextMessages
from twofold_server.domain.values import PhoneNumber

NUMBER = PhoneNumber.parse("+420777123456")


@pytest.fixture
async def post(database: str, clock: Clock) -> AsyncIterator[Post]:
    pool = await open_pool(database, 20)
    yield Post(pool, clock)
    await pool.close()


async def ask(
    post: Post,
    number: PhoneNumber | str = NUMBER,
    kind: MessageKind = MessageKind.SIGN_IN_CODE,
    tx: Connection | None = None,
) -> tuple[UUID, Delivery]:
    """Ask for a code, or tell something, by SMS."""
    number = PhoneNumber.parse(number) if isinstance(number, str) else number
    realm = await post.realms.get(REALM)
    code = kind is MessageKind.SIGN_IN_CODE
    row = post.messages.prepare(
        REALM,
        kind,
        to=number,
        expire_time=post.clock() + timedelta(minutes=5) if code else None,
        params={"code": "123456"} if code else {},
    )
    return row.outbox_id, await TextMessages(post.keyring, configured=True).admit(tx or post.pool, realm, row, number)


async def test_of_two_at_once_the_second_waits_and_is_refused(post: Post) -> None:
    """While the first, which takes the last place, is uncommitted, the second waits for its count."""
    await post.realms.set(REALM, {"sms_per_number_per_hour": "1"})
    async with post.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        _, first = await ask(post, tx=connection)
        second = asyncio.create_task(ask(post))
        async with asyncio.timeout(5):
            while not await post.pool.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
                await asyncio.sleep(0.01)
        assert not second.done()
        await transaction.commit()
    outbox_id, refused = await second
    assert first.state is DeliveryState.WAITING
    assert (refused.state, refused.reason) == (DeliveryState.REFUSED, Refusal.OVER_BUDGET)
    assert await post.row(outbox_id) == ("over_budget", "number_hour", None, 0)


async def test_what_is_undone_is_not_counted(post: Post) -> None:
    """A call that fails after it was admitted gives its place back."""
    await post.realms.set(REALM, {"sms_per_number_per_hour": "1"})
    async with post.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await ask(post, tx=connection)
        await transaction.rollback()
    assert (await ask(post))[1].state is DeliveryState.WAITING


@pytest.mark.parametrize(
    ("setting", "numbers", "refusal"),
    [
        ("sms_per_number_per_hour", [NUMBER.text] * 12, Refusal.OVER_BUDGET),
        ("sms_per_number_per_day", [NUMBER.text] * 12, Refusal.OVER_BUDGET),
        ("sms_per_prefix_per_day", [f"+42077712{n:04}" for n in range(12)], Refusal.SPEND_CAP),
        ("sms_per_country_per_day", [f"+420777{n:02}3456" for n in range(12)], Refusal.SPEND_CAP),
        (
            "sms_per_day",
            [*(f"+420777{n:02}3456" for n in range(6)), *(f"+4367612345{n:02}" for n in range(6))],
            Refusal.SPEND_CAP,
        ),
    ],
)
async def test_of_many_at_once_no_more_than_the_cap_are_admitted(
    post: Post, setting: str, numbers: list[str], refusal: Refusal
) -> None:
    """Each cap by itself, with twelve callers at once: three get through, and the rest are told why."""
    await post.realms.set(REALM, {setting: "3"})
    found = await asyncio.gather(*(ask(post, number) for number in numbers))
    assert sum(delivery.state is DeliveryState.WAITING for _, delivery in found) == 3
    assert {delivery.reason for _, delivery in found} == {None, refusal}
    # What is told later is what was told at once.
    realm = await post.realms.get(REALM)
    later = await delivery_of(post.pool, realm, [outbox_id for outbox_id, _ in found])
    assert [later[outbox_id] for outbox_id, _ in found] == [delivery for _, delivery in found]
    assert await post.worker(concurrency=20).run_once() == 3
    assert len(post.sms.messages) == 3


async def test_windows_end(post: Post, clock: Clock) -> None:
    """`resend_time` is the end of the window, and then it is open again."""
    await post.realms.set(REALM, {"sms_per_number_per_hour": "1", "sms_per_number_per_day": "2"})
    clock.advance(600)
    await ask(post)
    _, refused = await ask(post)
    assert refused.resend_time == clock().replace(hour=13, minute=0)
    clock.advance((refused.resend_time - clock()).total_seconds())
    assert (await ask(post))[1].state is DeliveryState.WAITING
    clock.advance(3600)
    _, refused = await ask(post)
    assert refused.reason is Refusal.OVER_BUDGET
    clock.advance((refused.resend_time - clock()).total_seconds())
    assert clock().hour == 0
    assert (await ask(post))[1].state is DeliveryState.WAITING


async def test_strangers_silence_no_notice(post: Post) -> None:
    """Codes that anybody can ask for use up nothing of what notices have."""
    for _ in range(8):
        await ask(post)
    assert (await ask(post))[1].reason is Refusal.OVER_BUDGET
    assert (await ask(post, kind=MessageKind.PASSWORD_CHANGED))[1].state is DeliveryState.WAITING


async def test_a_refusal_higher_up_costs_the_realm_nothing(post: Post) -> None:
    """A number that is over its count uses up neither its country's nor the realm's."""
    await post.realms.set(REALM, {"sms_per_number_per_hour": "1", "sms_per_day": "2"})
    for _ in range(5):
        await ask(post)
    assert (await ask(post, "+420777123457"))[1].state is DeliveryState.WAITING
    assert (await ask(post, "+420777123458"))[1].reason is Refusal.SPEND_CAP


async def test_countries_that_are_not_served(post: Post) -> None:
    """An allow-list of countries is looked at before anything is counted."""
    await post.realms.set(REALM, {"sms_countries": "DE,AT"})
    outbox_id, refused = await ask(post)
    assert refused.reason is Refusal.COUNTRY_NOT_SERVED
    assert await post.state(outbox_id) == "dead"
    assert (await ask(post, "+4915112345678"))[1].state is DeliveryState.WAITING
    assert await post.pool.fetchval("SELECT count(*) FROM sms_counts WHERE scope LIKE 'country:CZ'") == 0
