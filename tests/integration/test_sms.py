"""Text messages: what a gateway answers, who is tried next, and what the outbox makes of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs
from uuid import UUID

import pytest

from tests.conftest import Clock
from tests.integration.http_server import Gateway as Server
from tests.integration.http_server import answer, gateway
from tests.integration.outbox_setup import REALM, Post
from twofold_server.db import outbox
from twofold_server.db.pool import open_pool
from twofold_server.delivery.failover import FailOver, Provider
from twofold_server.delivery.files import SmsFileSender
from twofold_server.delivery.mail import PermanentFailure, TemporaryFailure
from twofold_server.delivery.sms import Gateway, GatewaySender, Sms, Twilio, TwilioSender, signature
from twofold_server.domain.deliveries import Delivery, DeliveryState, Refusal, delivery_of
from twofold_server.domain.messages import MessageKind
from twofold_server.domain.text_messages import TextMessages
from twofold_server.domain.values import PhoneNumber
from twofold_server.egress.http import Http, Origin

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)
KEY = "k" * 32
NUMBER = PhoneNumber.parse("+420777123456")
SMS = Sms(
    UUID("01890000-0000-7000-8000-000000000001"),
    "sign_in_code",
    NOW,
    NOW + timedelta(minutes=5),
    NUMBER.text,
    "Hello é",
)


def sender(server: Server, seconds: float = 5) -> GatewaySender:
    """A sender to this gateway."""
    http = Http([Origin.parse(server.origin)], seconds=seconds)
    return GatewaySender(http, Gateway(f"{server.origin}/send", KEY, "Example"), lambda: NOW)


def twilio(server: Server) -> TwilioSender:
    """A sender to this server as to Twilio."""
    account = Twilio("AC" + "0" * 32, "hunter2hunter2", "+15005550006", server.origin)
    return TwilioSender(Http([Origin.parse(server.origin)]), account)


async def test_what_a_gateway_is_sent() -> None:
    """One JSON object, signed with its time, and the row's id as idempotency key, the same at each attempt."""
    async with gateway() as server:
        await sender(server).send(SMS)
        await sender(server).send(SMS)
    first, again = server.asked
    assert json.loads(first.body) == {
        "message_id": str(SMS.outbox_id),
        "to": "+420777123456",
        "from": "Example",
        "text": "Hello é",
        "kind": "sign_in_code",
        "expire_time": "2026-03-14T12:05:00Z",
    }
    assert first.line == "POST /send HTTP/1.1"
    assert first.headers["idempotency-key"] == again.headers["idempotency-key"] == str(SMS.outbox_id)
    assert first.headers["twofold-timestamp"] == str(int(NOW.timestamp()))
    assert first.headers["twofold-signature"] == f"v1={signature(KEY, str(int(NOW.timestamp())), first.body)}"
    # The example of docs/delivery.md.
    assert signature(KEY, "1773489600", b"{}") == "2c9865189ff3f04ec9e3e04c7d9db63f01b2c582b7e32f2da190d257b12113cb"


@pytest.mark.parametrize(
    ("status", "body", "kind", "refusal", "uncertain"),
    [
        (400, b'{"reason": "number_unreachable"}', PermanentFailure, Refusal.ADDRESS_UNREACHABLE, False),
        (422, b'{"reason": "content"}', PermanentFailure, Refusal.PROVIDER_REFUSED, False),
        (410, b"not json", PermanentFailure, Refusal.PROVIDER_REFUSED, False),
        (401, b"{}", TemporaryFailure, None, False),
        (404, b"", TemporaryFailure, None, False),
        (429, b"{}", TemporaryFailure, None, False),
        (500, b"{}", TemporaryFailure, None, False),
        (503, b"{}", TemporaryFailure, None, False),
        (504, b"", TemporaryFailure, None, True),
        (200, b"<html>", TemporaryFailure, None, True),
        (307, b"", TemporaryFailure, None, False),
    ],
)
async def test_what_a_gateway_answers(
    status: int, body: bytes, kind: type[Exception], refusal: Refusal | None, uncertain: bool
) -> None:
    """A 4xx to the message is for good; the rest may pass; open is what leaves open whether it was taken."""
    async with gateway(then=answer(status, body, retry_after="42")) as server:
        with pytest.raises(kind) as caught:
            await sender(server).send(SMS)
    assert "777" not in str(caught.value)
    if isinstance(caught.value, PermanentFailure):
        assert caught.value.refusal is refusal
    elif isinstance(caught.value, TemporaryFailure):
        assert caught.value.uncertain is uncertain
        if status == 429:
            assert caught.value.retry_after == 42


async def test_no_answer_and_nobody_there() -> None:
    """A gateway that hangs up or says nothing may have the message; one that is not there has not."""
    async with gateway(then=None) as server:
        with pytest.raises(TemporaryFailure) as caught:
            await sender(server).send(SMS)
        assert caught.value.uncertain

        async def silent(*_: object) -> None:
            await asyncio.sleep(3)

        server.behave = silent
        with pytest.raises(TemporaryFailure) as caught:
            await sender(server, seconds=0.2).send(SMS)
        assert caught.value.uncertain
    with pytest.raises(TemporaryFailure) as caught:
        await sender(server).send(SMS)
    assert not caught.value.uncertain
    assert caught.value.down


async def test_what_twilio_is_sent_and_answers() -> None:
    """A form with basic authentication; its codes tell a number that can't be reached from a refusal."""
    async with gateway(then=answer(201, b'{"sid": "SM1", "status": "queued"}')) as server:
        await twilio(server).send(SMS)
        (asked,) = server.asked
        assert asked.line == f"POST /2010-04-01/Accounts/AC{'0' * 32}/Messages.json HTTP/1.1"
        assert parse_qs(asked.body.decode()) == {"To": ["+420777123456"], "From": ["+15005550006"], "Body": ["Hello é"]}
        assert asked.headers["authorization"].startswith("Basic ")
        for code, refusal in ((21614, Refusal.ADDRESS_UNREACHABLE), (21408, Refusal.PROVIDER_REFUSED)):
            server.answers = [answer(400, json.dumps({"code": code, "message": "+420777123456"}).encode())]
            with pytest.raises(PermanentFailure) as refused:
                await twilio(server).send(SMS)
            assert refused.value.refusal is refusal
            assert str(refused.value) == f"twilio: 400 {code}"
        for status in (401, 429, 500):
            server.answers = [answer(status, b'{"code": 20003}')]
            with pytest.raises(TemporaryFailure) as passing:
                await twilio(server).send(SMS)
            assert not passing.value.uncertain
    assert "hunter2" not in repr(twilio(server))


async def test_the_next_provider_is_tried_after_a_no_alone() -> None:
    """Down, 500 or 429: the next one. Refused for good: nobody else."""
    async with gateway() as first, gateway() as second:
        both = FailOver([Provider("one", sender(first)), Provider("two", sender(second))], lambda: NOW)
        assert await both.send(SMS) == "one"
        first.answers = [answer(429, b"{}")]
        assert await both.send(SMS) == "two"
        # What is down rests: it costs its wait once, not for each message.
        assert await both.send(SMS) == "two"
        assert len(first.asked) == 2
        first.then = answer(422, b"{}")
        fresh = FailOver([Provider("one", sender(first)), Provider("two", sender(second))], lambda: NOW)
        with pytest.raises(PermanentFailure):
            await fresh.send(SMS)
        assert len(second.asked) == 2


async def test_nobody_else_is_tried_where_one_may_have_said_yes() -> None:
    """After a lost answer the message stays with that provider, however it answers the next time."""
    async with gateway(then=None) as first, gateway() as second:
        both = FailOver([Provider("one", sender(first)), Provider("two", sender(second))], lambda: NOW)
        with pytest.raises(TemporaryFailure) as caught:
            await both.send(SMS)
        assert caught.value.provider == "one"
        first.then = answer(500, b"{}")
        with pytest.raises(TemporaryFailure) as caught:
            await both.send(SMS, "one")
        assert caught.value.provider == "one"
        first.then = answer(200, b'{"state": "delivered"}')
        assert await both.send(SMS, "one") == "one"
        assert second.asked == []
        with pytest.raises(PermanentFailure):
            await both.send(SMS, "three")


async def test_the_file_sender_of_text_messages(tmp_path: Path) -> None:
    """In development a text message is a file beside the mails."""
    await SmsFileSender(tmp_path).send(SMS)
    (file,) = tmp_path.glob("*")  # noqa: ASYNC240 - a temporary folder
    assert file.name == f"20260314T120000.000000Z-sign_in_code-{SMS.outbox_id}.sms"
    assert file.read_text() == "To: +420777123456\n\nHello é\n"
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.fixture
async def post(database: str, clock: Clock) -> AsyncIterator[Post]:
    pool = await open_pool(database, 10)
    yield Post(pool, clock)
    await pool.close()


async def code_to(
    post: Post, number: PhoneNumber = NUMBER, *, minutes: int = 5, guard: TextMessages | None = None
) -> tuple[UUID, Delivery]:
    """Write a code's message as a call does."""
    realm = await post.realms.get(REALM)
    row = post.messages.prepare(
        REALM,
        MessageKind.SIGN_IN_CODE,
        to=number,
        expire_time=post.clock() + timedelta(minutes=minutes),
        params={"code": "012345"},
    )
    guard = guard or TextMessages(post.keyring, configured=True)
    return row.outbox_id, await guard.admit(post.pool, realm, row, number)


async def told(post: Post, outbox_id: UUID) -> tuple[DeliveryState, Refusal | None]:
    """What a caller is told of a message."""
    found = (await delivery_of(post.pool, await post.realms.get(REALM), [outbox_id]))[outbox_id]
    return found.state, found.reason


async def test_a_code_goes_by_sms_and_its_fate_can_be_told(post: Post) -> None:
    """Waiting, then sent; the payload is gone, and neither number nor code stands in the row."""
    outbox_id, delivery = await code_to(post)
    assert delivery == Delivery(DeliveryState.WAITING, None, post.clock() + timedelta(seconds=60))
    assert await told(post, outbox_id) == (DeliveryState.WAITING, None)
    await post.worker().run_once()
    (message,) = post.sms.messages
    assert (message.recipient, message.outbox_id) == (NUMBER.text, outbox_id)
    assert message.text.startswith("Code to sign in to Twofold: 012345.")
    assert await told(post, outbox_id) == (DeliveryState.SENT, None)
    row = await post.pool.fetchval("SELECT o::text FROM outbox o WHERE outbox_id = $1", outbox_id)
    assert "777123456" not in row
    assert "012345" not in row


@pytest.mark.parametrize("refusal", [Refusal.PROVIDER_REFUSED, Refusal.ADDRESS_UNREACHABLE])
async def test_a_dead_text_message_keeps_its_reason(post: Post, refusal: Refusal) -> None:
    """What the provider refused for good ends at once, and the caller is told why."""
    post.sms.faults = [PermanentFailure("sms gateway: 400", refusal)]
    outbox_id, _ = await code_to(post)
    await post.worker().run_once()
    assert await post.row(outbox_id) == ("dead", "sms gateway: 400", None, 1)
    assert await told(post, outbox_id) == (DeliveryState.REFUSED, refusal)


async def test_the_row_remembers_who_may_have_it(post: Post, clock: Clock) -> None:
    """After a lost answer the next attempt goes to the same provider with the same key, by any worker."""
    async with gateway(then=None) as first, gateway() as second:
        providers = [Provider("one", sender(first)), Provider("two", sender(second))]
        worker = post.worker()
        worker._sms = FailOver(providers, clock)
        outbox_id, _ = await code_to(post)
        await worker.run_once()
        clock.advance(20)
        first.then = answer(200, b'{"state": "queued"}')
        other = post.worker()
        other._sms = FailOver(list(reversed(providers)), clock)
        await other.run_once()
    assert await told(post, outbox_id) == (DeliveryState.SENT, None)
    assert [asked.headers["idempotency-key"] for asked in first.asked] == [str(outbox_id)] * 2
    assert second.asked == []


async def test_a_gateway_that_asks_for_time_gets_it(post: Post, clock: Clock) -> None:
    """Retry-After is waited for; where that would be too late, the message expires and the caller is told."""
    post.sms.faults = [TemporaryFailure("sms gateway: 429", retry_after=100)]
    outbox_id, _ = await code_to(post)
    worker = post.worker()
    await worker.run_once()
    clock.advance(99)
    assert await worker.run_once() == 0
    clock.advance(2)
    assert await worker.run_once() == 1
    assert await told(post, outbox_id) == (DeliveryState.SENT, None)
    post.sms.faults = [TemporaryFailure("sms gateway: 429", retry_after=400)]
    late, _ = await code_to(post, PhoneNumber.parse("+420777123457"))
    await worker.run_once()
    assert await told(post, late) == (DeliveryState.EXPIRED, None)


async def test_no_provider_is_told_at_once(post: Post) -> None:
    """Where the operator has set none, nothing waits for one."""
    outbox_id, delivery = await code_to(post, guard=TextMessages(post.keyring, configured=False))
    assert (delivery.state, delivery.reason) == (DeliveryState.REFUSED, Refusal.CHANNEL_NOT_CONFIGURED)
    assert await told(post, outbox_id) == (DeliveryState.REFUSED, Refusal.CHANNEL_NOT_CONFIGURED)


async def test_a_slow_gateway_keeps_no_mail_waiting(post: Post) -> None:
    """Each channel has places of its own."""
    held = asyncio.Event()

    class Hangs:
        async def send(self, _message: Sms, /) -> None:
            await held.wait()

    worker = post.worker(concurrency=2)
    worker._sms = FailOver([Provider("slow", Hangs())], post.clock)
    for last in range(4):
        await code_to(post, PhoneNumber.parse(f"+42077712345{last}"))
    task = asyncio.create_task(worker.run())
    notices = [await post.notice() for _ in range(5)]
    async with asyncio.timeout(10):
        while len(post.sender.mails) < 5:
            await asyncio.sleep(0.01)
    assert {mail.outbox_id for mail in post.sender.mails} == set(notices)
    held.set()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_replaced_code_is_not_sent(post: Post) -> None:
    """Of several codes asked for during an outage the last alone is worth its money."""
    realm = await post.realms.get(REALM)
    row = post.messages.prepare(
        REALM,
        MessageKind.SIGN_IN_CODE,
        to=NUMBER,
        ticket_id=SMS.outbox_id,
        expire_time=post.clock() + timedelta(minutes=5),
        params={"code": "012345"},
    )
    await TextMessages(post.keyring, configured=True).admit(post.pool, realm, row, NUMBER)
    await post.worker().run_once()
    assert await post.state(row.outbox_id) == "superseded"
    assert post.sms.messages == []


class Outage:
    """A relay that is down at first, then takes everything; it remembers what it took, and in which order."""

    def __init__(self, clock: Clock, until: datetime) -> None:
        self.clock = clock
        self.until = until
        self.taken: list[UUID] = []
        self.asked = 0

    async def send(self, message: object, /) -> None:
        """Be down, or take it; each 11th is greylisted."""
        self.asked += 1
        if self.clock() < self.until:
            raise TemporaryFailure("smtp: ConnectionRefusedError", down=True)
        if self.asked % 11 == 0:
            raise TemporaryFailure("smtp recipient refused: 451 4.7.1")
        self.taken.append(message.outbox_id)  # type: ignore[attr-defined]


async def test_a_thousand_messages_through_an_outage_of_an_hour(post: Post, clock: Clock) -> None:
    """Everything is sent once, the urgent first, or has expired; codes of before the end are not sent late."""
    relay = Outage(clock, clock() + timedelta(hours=1))
    worker = post.worker(relay, concurrency=50)
    worker._sms = FailOver([Provider("gateway", relay)], clock)
    await post.realms.set(REALM, {"sms_per_prefix_per_day": "1000", "sms_per_country_per_day": "1000"})
    links: set[UUID] = set()
    notices: set[UUID] = set()
    codes: set[UUID] = set()
    for step in range(125):
        for n in range(5):
            notices.add(await post.notice(email=f"user{step}-{n}@example.org"))
        for n in range(2):
            links.add((await post.sign_up(f"new{step}-{n}@example.org"))[2])
        codes.add((await code_to(post, PhoneNumber.parse(f"+42077712{step:04}")))[0])
        if step % 5 == 0:
            await worker.run_once()
        clock.advance(28)
    assert relay.taken == []
    started = clock()
    clock.advance(relay.until.timestamp() - started.timestamp() + 1)
    # The first that gets through brings all the rest forward.
    for _ in range(300):
        await worker.run_once()
        clock.advance(60)
        if not await post.pool.fetchval("SELECT count(*) FROM outbox WHERE state = 'waiting'"):
            break
    states = {row["outbox_id"]: row["state"] for row in await post.pool.fetch("SELECT outbox_id, state FROM outbox")}
    assert len(states) == 1000
    assert {states[outbox_id] for outbox_id in links | notices} == {"sent"}
    assert {states[outbox_id] for outbox_id in codes} <= {"sent", "expired"}
    assert sum(states[outbox_id] == "expired" for outbox_id in codes) > 100
    assert len(relay.taken) == len(set(relay.taken))
    assert set(relay.taken) == {outbox_id for outbox_id, state in states.items() if state == "sent"}
    # A few notices were tried first, those that found the relay up again.
    order = [outbox_id in links for outbox_id in relay.taken if outbox_id not in codes]
    first_notices = sum(not urgent for urgent in order[:200])
    assert first_notices < 60, first_notices


async def test_what_is_due_after_an_outage_is_claimed_by_urgency_and_age(post: Post, clock: Clock) -> None:
    """Nobody waits out the waits of an outage once a message has got through."""
    old = await post.notice()
    urgent = (await post.sign_up())[2]
    post.sender.faults = [TemporaryFailure("down", down=True) for _ in range(2)]
    worker = post.worker(concurrency=1)
    await worker.run_once()
    await worker.run_once()
    fresh = await post.notice(email="bob@example.org")
    for _ in range(3):
        await worker.run_once()
    assert [mail.outbox_id for mail in post.sender.mails] == [fresh, urgent, old]
    depth = await outbox.queue_depth(post.pool, clock())
    assert depth.waiting == 0
