"""The worker's mechanics: leases, retries, several workers, a database that goes away."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from structlog.testing import capture_logs
from uuid_utils.compat import uuid7

from tests.conftest import Clock
from tests.integration.outbox_setup import Post, RecordingSender
from twofold_server.db import outbox
from twofold_server.db.pool import open_pool
from twofold_server.delivery.mail import PermanentFailure, TemporaryFailure
from twofold_server.delivery.outbox import OutboxWorker, retry_wait


@pytest.fixture
async def post(database: str, clock: Clock) -> AsyncIterator[Post]:
    pool = await open_pool(database, 10)
    yield Post(pool, clock)
    await pool.close()


@contextlib.asynccontextmanager
async def running(worker: OutboxWorker) -> AsyncIterator[None]:
    """A worker in the background, as the server runs it."""
    task = asyncio.create_task(worker.run())
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something to come about, 10 s at most."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def test_two_workers_on_one_database_send_each_message_once(post: Post, database: str) -> None:
    """Of 60 messages each goes out once, and both workers take part."""
    ids = [await post.notice() for _ in range(60)]
    second_pool = await open_pool(database, 5)
    senders = RecordingSender(), RecordingSender()
    workers = post.worker(senders[0]), post.worker(senders[1], pool=second_pool)
    for sender in senders:
        sender.gate.clear()
    async with running(workers[0]), running(workers[1]):
        for sender in senders:
            await sender.reached.wait()
        for sender in senders:
            sender.gate.set()
        await until(lambda: sum(worker.outcomes["sent"] for worker in workers) >= 60)
    sent = Counter(mail.outbox_id for sender in senders for mail in sender.mails)
    assert sent == Counter(ids)
    await second_pool.close()


async def test_a_claim_skips_what_another_is_claiming_just_now(post: Post) -> None:
    """While one claim is uncommitted, another neither waits for its rows nor takes them."""
    ids = {await post.notice() for _ in range(4)}
    now = post.clock()
    lease = now + timedelta(seconds=60)
    async with post.pool.acquire() as connection, connection.transaction():
        first = await outbox.claim(connection, now=now, lease_until=lease, claim=uuid7(), limit=2)
        async with asyncio.timeout(5):
            second = await outbox.claim(post.pool, now=now, lease_until=lease, claim=uuid7(), limit=4)
    assert len(first) == len(second) == 2
    assert {message.outbox_id for message in (*first, *second)} == ids


async def test_a_dead_senders_messages_are_sent_when_its_lease_ends(post: Post, clock: Clock) -> None:
    """Nobody takes a claimed message for 60 s; then another sends it, and the first's claim settles nothing."""
    outbox_id = await post.notice()
    now = clock()
    (claimed,) = await outbox.claim(post.pool, now=now, lease_until=now + timedelta(seconds=60), claim=uuid7(), limit=8)
    worker = post.worker()
    clock.advance(59)
    assert await worker.run_once() == 0
    clock.advance(1)
    slow = RecordingSender()
    slow.gate.clear()
    other = asyncio.create_task(post.worker(slow).run_once())
    await slow.reached.wait()
    assert not await outbox.mark_sent(post.pool, claimed, "relay", clock())
    assert not await outbox.end(post.pool, claimed, "dead", "late", clock())
    assert not await outbox.retry_later(post.pool, claimed, "late", clock())
    assert await post.state(outbox_id) == "waiting"
    slow.gate.set()
    assert await other == 1
    assert await post.row(outbox_id) == ("sent", None, None, 2)


async def test_a_failure_that_may_pass_is_tried_again_later(post: Post, clock: Clock) -> None:
    """A message waits between half and all of 15 s, then twice that, keeps its reason, and is sent in the end."""
    outbox_id = await post.notice()
    post.sender.faults = [TemporaryFailure("smtp: 451"), TemporaryFailure("smtp: 452")]
    worker = post.worker()
    for seconds, reason in ((15, "smtp: 451"), (30, "smtp: 452")):
        assert await worker.run_once() == 1
        assert (await post.row(outbox_id))[:2] == ("waiting", reason)
        clock.advance(seconds / 2 - 0.01)
        assert await worker.run_once() == 0
        clock.advance(seconds / 2 + 0.01)
    await worker.run_once()
    assert await post.row(outbox_id) == ("sent", None, None, 3)
    assert worker.outcomes == {"retry": 2, "sent": 1}


async def test_a_refusal_for_good_ends_at_once(post: Post) -> None:
    """A dead letter keeps the reason and no body."""
    outbox_id = await post.notice()
    post.sender.faults = [PermanentFailure("smtp recipient refused: 550 5.1.1")]
    await post.worker().run_once()
    assert await post.row(outbox_id) == ("dead", "smtp recipient refused: 550 5.1.1", None, 1)


async def test_attempts_have_an_end(post: Post) -> None:
    """The sixtieth failure is the last, and so is a message that kills each worker which claims it."""
    failing, killing = await post.notice(), await post.notice()
    await post.pool.execute("UPDATE outbox SET attempts = CASE WHEN outbox_id = $1 THEN 59 ELSE 60 END", failing)
    post.sender.faults = [TemporaryFailure("smtp: 451")]
    await post.worker().run_once()
    assert await post.row(failing) == ("dead", "smtp: 451", None, 60)
    assert await post.row(killing) == ("dead", "too many attempts", None, 61)
    assert post.sender.mails == []


async def test_a_retry_past_the_end_is_not_waited_for(post: Post, clock: Clock) -> None:
    """A message whose next attempt would come too late ends now."""
    outbox_id = await post.notice()
    clock.advance(7 * 24 * 3600 - 5)
    post.sender.faults = [TemporaryFailure("smtp: 451")]
    await post.worker().run_once()
    assert await post.row(outbox_id) == ("expired", "smtp: 451", None, 1)


async def test_no_fault_of_a_sender_ends_the_worker(post: Post) -> None:
    """A sender that raises whatever it likes costs its own message an attempt; the others go out."""
    faults = [ValueError("ada@example.org"), TimeoutError(), KeyError("x"), RuntimeError()]
    post.sender.faults = list(faults)
    for _ in range(8):
        await post.notice()
    worker = post.worker()
    async with running(worker):
        await until(lambda: worker.outcomes["sent"] == 4)
    failures = await post.pool.fetch("SELECT failure FROM outbox WHERE state = 'waiting'")
    assert sorted(row["failure"] for row in failures) == sorted(type(fault).__name__ for fault in faults)


async def test_a_hanging_mail_keeps_no_other_waiting(post: Post) -> None:
    """One recipient's slow server holds one place; what comes after it is sent meanwhile."""
    slow = await post.notice()

    class OneHangs(RecordingSender):
        async def send(self, mail: object) -> None:
            if getattr(mail, "outbox_id", None) == slow:
                await self.gate.wait()
            self.mails.append(mail)  # type: ignore[arg-type]

    sender = OneHangs()
    sender.gate.clear()
    worker = post.worker(sender, concurrency=2)
    async with running(worker):
        await asyncio.sleep(0.1)
        rest = [await post.notice() for _ in range(5)]
        await until(lambda: worker.outcomes["sent"] == 5)
        assert {mail.outbox_id for mail in sender.mails} == set(rest)
        sender.gate.set()
        await until(lambda: worker.outcomes["sent"] == 6)


async def test_a_woken_worker_looks_at_once(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """wake() cuts short however long the worker would idle."""
    monkeypatch.setattr("twofold_server.delivery.outbox._POLL_SECONDS", 600)
    monkeypatch.setattr("twofold_server.delivery.outbox._IDLE_SECONDS", 600)
    worker = post.worker()
    async with running(worker):
        await asyncio.sleep(0.3)
        await post.notice()
        worker.wake()
        await until(lambda: len(post.sender.mails) == 1)


async def test_stopping_lets_the_mail_under_way_finish(post: Post) -> None:
    """A cancelled worker sees through what it has begun, so that a restart sends nothing twice."""
    outbox_id = await post.notice()
    post.sender.gate.clear()
    task = asyncio.create_task(post.worker().run())
    await post.sender.reached.wait()
    task.cancel()
    await asyncio.sleep(0.05)
    assert not task.done()
    post.sender.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await post.state(outbox_id) == "sent"


class Line:
    """A way to the database's socket that can be cut and mended."""

    def __init__(self, folder: Path, real: Path) -> None:
        self._socket = folder / real.name
        self._real = real
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def mend(self) -> None:
        """Let connections through."""
        self._server = await asyncio.start_unix_server(self._join, self._socket)

    async def cut(self) -> None:
        """Break every connection, and refuse new ones."""
        if self._server is not None:
            self._server.close()
        self._socket.unlink(missing_ok=True)
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(self._real)
        self._writers += [writer, far_writer]
        await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))

    @staticmethod
    async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()


async def test_a_database_that_goes_and_comes_back(post: Post, database: str, tmp_path: Path) -> None:
    """The worker says once that it waits and resumes; a mail sent meanwhile is marked then, and not sent again."""
    socket_folder = parse_qs(urlsplit(database).query)["host"][0]
    line = Line(tmp_path, Path(socket_folder) / ".s.PGSQL.5432")
    await line.mend()
    pool = await open_pool(database.replace(socket_folder, str(tmp_path)), 3)
    first = await post.notice()
    post.sender.gate.clear()
    worker = post.worker(pool=pool)
    with capture_logs() as logs:
        async with running(worker):
            await post.sender.reached.wait()
            await line.cut()
            post.sender.gate.set()
            await asyncio.sleep(2.5)
            assert len(post.sender.mails) == 1
            assert await post.state(first) == "waiting"
            await line.mend()
            second = await post.notice()
            await until(lambda: worker.outcomes["sent"] == 2)
    events = Counter(entry["event"] for entry in logs)
    assert (events["outbox_stalled"], events["outbox_resumed"]) == (1, 1)
    assert Counter(mail.outbox_id for mail in post.sender.mails) == Counter([first, second])
    await pool.close()
    await line.cut()


def test_waits_double_to_an_hour() -> None:
    """Waits grow from 15 s to an hour, at the hook from 2 to 10 s, by chance less up to half, and never overflow."""
    for attempts, most in ((1, 15), (2, 30), (5, 240), (9, 3600), (1000, 3600)):
        waits = [retry_wait(attempts).total_seconds() for _ in range(200)]
        assert most / 2 <= min(waits) <= max(waits) <= most
        assert len(set(waits)) > 100
    for attempts, most in ((1, 2), (2, 4), (9, 10), (1000, 10)):
        waits = [retry_wait(attempts, "hook").total_seconds() for _ in range(200)]
        assert most / 2 <= min(waits) <= max(waits) <= most
