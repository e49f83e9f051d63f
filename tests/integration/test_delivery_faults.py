"""Mail servers and SMS gateways that greylist, hang up, are slow or away: over real sockets, through the worker."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from uuid import UUID

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.conftest import Clock
from tests.integration.http_server import answer, gateway
from tests.integration.outbox_setup import Post
from tests.integration.test_sms import code_to, sender, told
from tests.integration.test_smtp import Relay, listening, server, smtp
from tests.service import Service, settings_for, tokens_in
from twofold_server.app import build
from twofold_server.db.pool import open_pool
from twofold_server.delivery.failover import FailOver, Provider
from twofold_server.delivery.smtp import SmtpSender
from twofold_server.domain.deliveries import DeliveryState


@pytest.fixture
async def post(database: str, clock: Clock) -> AsyncIterator[Post]:
    pool = await open_pool(database, 10)
    yield Post(pool, clock)
    await pool.close()


def ids(relay: Relay) -> list[str]:
    """The Message-IDs of what a server was handed, in that order."""
    return [str(message_from_bytes(envelope.content or b"")["Message-ID"]) for envelope in relay.envelopes]  # type: ignore[arg-type]


def id_of(outbox_id: UUID) -> str:
    """The Message-ID of a message."""
    return f"<{outbox_id}@twofold.test>"


class Greylist(Relay):
    """Puts each recipient off until a while after it was first seen (RFC 6647)."""

    def __init__(self, clock: Clock, wait: timedelta) -> None:
        super().__init__()
        self.clock = clock
        self.wait = wait
        self.first: dict[str, datetime] = {}
        self.put_off = 0

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take the recipient, once the wait is over."""
        if self.clock() - self.first.setdefault(address, self.clock()) < self.wait:
            self.put_off += 1
            return "450 4.2.0 Greylisted"
        return await super().handle_RCPT(server, session, envelope, address, options)


async def test_a_greylisted_mail_comes_through_once(post: Post, clock: Clock) -> None:
    """Put off at first and taken a minute later: a link, a code within its 5 min and a notice go out once each."""
    grey = Greylist(clock, timedelta(seconds=60))
    link = (await post.sign_up("new@example.org"))[2]
    notice = await post.notice(email="old@example.org")
    async with listening(smtp(grey)) as port:
        worker = post.worker(SmtpSender(server(port)))
        while await post.pool.fetchval("SELECT EXISTS (SELECT FROM outbox WHERE state = 'waiting')"):
            await worker.run_once()
            clock.advance(5)
            assert clock() - grey.first["new@example.org"] < timedelta(minutes=3)
        assert await worker.run_once() == 0
    assert grey.put_off >= 2
    assert sorted(ids(grey)) == sorted(map(id_of, (link, notice)))
    for outbox_id in (link, notice):
        assert (await post.row(outbox_id))[:3] == ("sent", None, None)


@pytest.mark.parametrize("taken", [True, False], ids=["before the answer", "after the yes"])
async def test_a_connection_that_drops_after_data(post: Post, clock: Clock, taken: bool) -> None:
    """Without an answer the same mail goes to the same server again, known by its Message-ID; after a yes never."""

    class Drops(Relay):
        dropped = False

        async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
            said = await super().handle_DATA(server, session, envelope)
            if taken and not self.dropped:
                self.dropped = True
                assert isinstance(server.transport, asyncio.Transport)
                server.transport.abort()
            return said

    class HangsUp(SMTP):
        async def smtp_QUIT(self, _arg: str) -> None:
            assert isinstance(self.transport, asyncio.Transport)
            self.transport.abort()

    relay, other = Drops(), Relay()

    def protocol() -> asyncio.Protocol:
        return (SMTP if taken else HangsUp)(relay, hostname="relay.test", loop=asyncio.get_running_loop())

    outbox_id = await post.notice()
    async with listening(protocol) as first, listening(smtp(other)) as second:
        worker = post.worker()
        worker._mail = FailOver(
            [Provider("one", SmtpSender(server(first))), Provider("two", SmtpSender(server(second)))], clock
        )
        for _ in range(5):
            await worker.run_once()
            clock.advance(60)
    assert await post.row(outbox_id) == ("sent", None, None, 2 if taken else 1)
    assert ids(relay) == [id_of(outbox_id)] * (2 if taken else 1)
    assert other.envelopes == []


async def test_a_server_that_is_away_for_an_hour(post: Post, clock: Clock) -> None:
    """Nobody listens, then somebody does: all is sent once, the urgent first, nothing waits out the outage's waits."""
    async with listening(smtp(Relay())) as port:
        pass
    worker = post.worker(SmtpSender(server(port)), concurrency=5)
    notices = [await post.notice(email=f"old{n}@example.org") for n in range(20)]
    links = [(await post.sign_up(f"new{n}@example.org"))[2] for n in range(10)]
    for _ in range(60):
        await worker.run_once()
        clock.advance(60)
    assert Counter(await _states(post)) == {"waiting": 30}
    relay = Relay()
    listener = await asyncio.get_running_loop().create_server(smtp(relay), "127.0.0.1", port)
    # The first whose turn comes finds the server there, and brings all others forward.
    clock.advance(3600)
    for _ in range(12):
        await worker.run_once()
    listener.close()
    await listener.wait_closed()
    assert Counter(await _states(post)) == {"sent": 30}
    assert sorted(ids(relay)) == sorted(map(id_of, (*links, *notices)))
    assert {id_of(outbox_id) for outbox_id in links} == set(ids(relay)[:10])


async def _states(post: Post) -> list[str]:
    return [row["state"] for row in await post.pool.fetch("SELECT state FROM outbox")]


async def test_no_call_waits_for_a_slow_mail_server(database: str, clock: Clock, tmp_path: Path) -> None:
    """While the relay holds its answer back, people sign up, activate, sign in and change their password."""
    go = asyncio.Event()

    class Slow(Relay):
        holds = False

        async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
            if self.holds:
                await go.wait()
            return await super().handle_DATA(server, session, envelope)

    relay = Slow()
    async with listening(smtp(relay)) as port:
        settings = settings_for(
            database,
            tmp_path,
            mail_directory=None,
            smtp_host="127.0.0.1",
            smtp_port=port,
            smtp_security="none",
            mail_from="no-reply@twofold.test",
        )
        app = await build(settings, clock=clock)
        async with app.serving():
            service = _MailedService(app, clock, relay)
            async with contextlib.aclosing(service):
                user = await service.signed_in_user("ada@example.org")
                relay.holds = True
                # More than the worker has places for.
                for n in range(12):
                    await service.sign_up(f"new{n}@example.org")
                await service.sign_in(user)
                await service.enrol(user)
                assert await service.is_live(user)
                assert len(relay.envelopes) == 1
                go.set()
                async with asyncio.timeout(10):
                    while len(relay.envelopes) < 15:
                        await asyncio.sleep(0.02)
    assert len(set(ids(relay))) == len(ids(relay))


class _MailedService(Service):
    """A server whose mail goes to a relay of the test."""

    def __init__(self, app: object, clock: Clock, relay: Relay) -> None:
        super().__init__(app, clock, Path())  # type: ignore[arg-type]
        self.relay = relay

    async def aclose(self) -> None:
        """Let go of the channel."""
        await self.channel.close()

    async def link_token(self, to: str) -> str:
        """The token of the link that came for an address."""
        async with asyncio.timeout(5):
            while True:
                for envelope in self.relay.envelopes:
                    if to in envelope.rcpt_tos:
                        content = message_from_bytes(envelope.content or b"", policy=policy.default)  # type: ignore[arg-type]
                        assert isinstance(content, EmailMessage)
                        return tokens_in([content])[-1]
                await asyncio.sleep(0.02)


async def test_a_gateway_that_answers_everything_there_is(post: Post, clock: Clock) -> None:
    """Nothing, 429, 500, then 200: the same gateway is asked each time, by one key, and the caller is told so far."""
    faults = [None, answer(429, b"{}", retry_after="30"), answer(500, b"{}")]
    async with gateway(answers=faults) as first, gateway() as second:
        worker = post.worker()
        worker._sms = FailOver([Provider("one", sender(first)), Provider("two", sender(second))], clock)
        outbox_id, _ = await code_to(post, minutes=10)
        asked = []
        for _ in range(60):
            before = len(first.asked)
            await worker.run_once()
            if len(first.asked) > before:
                asked.append(clock())
                expected = DeliveryState.SENT if len(asked) == 4 else DeliveryState.WAITING
                assert await told(post, outbox_id) == (expected, None)
            clock.advance(5)
    assert len(asked) == len(first.asked) == 4
    assert asked[2] - asked[1] >= timedelta(seconds=30)
    assert {request.headers["idempotency-key"] for request in first.asked} == {str(outbox_id)}
    assert len({request.body for request in first.asked}) == 1
    assert json.loads(first.asked[0].body)["message_id"] == str(outbox_id)
    assert second.asked == []
