"""What becomes of a message: sent once, superseded, held back, too late."""

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.conftest import Clock
from tests.integration.outbox_setup import REALM, Post, RecordingSender, html_of, text_of
from twofold_server.crypto.keyring import Keyring
from twofold_server.db import outbox
from twofold_server.db.pool import open_pool
from twofold_server.delivery.files import FileSender
from twofold_server.delivery.mail import PermanentFailure
from twofold_server.domain.messages import MessageKind, Messages


@pytest.fixture
async def post(database: str, clock: Clock) -> AsyncIterator[Post]:
    pool = await open_pool(database, 10)
    yield Post(pool, clock)
    await pool.close()


async def test_a_sign_up_gets_its_link_once_and_from_the_realms_setting(post: Post) -> None:
    """The link stands under the realm's own URL, the text says how long it lives, and the payload is gone once sent."""
    await post.realms.set(REALM, {"link_base_url": "https://app.example.com/", "mail_from_name": "Example"})
    token, _, outbox_id = await post.sign_up("Ada@Example.org")
    worker = post.worker()

    assert await worker.run_once() == 1
    assert await worker.run_once() == 0

    (mail,) = post.sender.mails
    assert mail.recipient == "Ada@example.org"
    assert f"https://app.example.com/activate?token={token}\n" in text_of(mail)
    assert f'href="https://app.example.com/activate?token={token}"' in html_of(mail)
    assert "once, for 2 days, until March 16, 2026, 12:00 UTC" in text_of(mail)
    assert mail.message["From"] == "Example <no-reply@twofold.test>"
    assert mail.message["Subject"] == "Activate your Example account"
    assert mail.message["Message-ID"] == f"<{outbox_id}@twofold.test>"
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert mail.message["Date"] == "Sat, 14 Mar 2026 12:00:00 +0000"
    assert await post.row(outbox_id) == ("sent", None, None, 1)


async def test_a_taken_address_is_told_so_and_gets_no_link(post: Post) -> None:
    """Where the address has an account, whatever its spelling, the mail says that and holds no token."""
    await post.account("ada@example.org")
    token, _, _ = await post.sign_up("ADA@example.org", name="Win a prize")
    await post.worker().run_once()
    (mail,) = post.sender.mails
    assert mail.template == "already_registered"
    assert "You already have a" in mail.message["Subject"]
    for text in (text_of(mail), html_of(mail)):
        assert token not in text
        assert "/activate" not in text
        assert "href" not in text
        # What a stranger typed as name is no text to mail to others.
        assert "prize" not in text


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE tickets SET spent_time = now()",
        "UPDATE tickets SET handle_hash = '\\x00'",
        "UPDATE tickets SET expire_time = '2026-03-14 12:00:00+00'",
        "DELETE FROM tickets",
    ],
)
async def test_a_link_that_opens_nothing_is_not_sent(post: Post, change: str) -> None:
    """A ticket spent, replaced, expired or never made: the mail is superseded, and its payload erased."""
    _, _, outbox_id = await post.sign_up()
    await post.pool.execute(change)
    await post.worker().run_once()
    state, _, payload, _ = await post.row(outbox_id)
    assert (state, payload, post.sender.mails) == ("superseded", None, [])


async def test_a_fourth_sign_up_writes_the_same_row_and_sends_nothing(post: Post) -> None:
    """A stranger's fourth claim of an address ends none of the three that stand, and mails nothing."""
    first = [await post.sign_up() for _ in range(3)]
    _, _, fourth = await post.sign_up()
    await post.worker().run_once()
    assert await post.state(fourth) == "superseded"
    assert len(post.sender.mails) == 3
    for token, _, _ in first:
        assert any(token in text_of(mail) for mail in post.sender.mails)


async def test_what_is_too_late_is_not_sent(post: Post, clock: Clock) -> None:
    """A notice is worth 7 days; after that it expires, and its payload is erased."""
    outbox_id = await post.notice()
    clock.advance(7 * 24 * 3600)
    await post.worker().run_once()
    assert await post.row(outbox_id) == ("expired", "too late", None, 1)
    assert post.sender.mails == []


async def test_links_and_codes_go_before_notices(post: Post) -> None:
    """A queue of notices does not keep a link waiting."""
    for _ in range(5):
        await post.notice()
    await post.sign_up()
    await post.worker(concurrency=1).run_once()
    assert [mail.template for mail in post.sender.mails] == ["activation"]


async def test_an_address_gets_only_so_many_mails_an_hour_from_strangers(post: Post, clock: Clock) -> None:
    """The budget holds in a burst too, takes each spelling for one address, never holds a notice back, and ends."""
    await post.realms.set(REALM, {"mails_per_address_per_hour": "2"})
    ids = [(await post.sign_up(f"{name}@example.org"))[2] for name in ("ada", "Ada", "ADA")]
    other = (await post.sign_up("bob@example.org"))[2]
    notice = await post.notice()
    worker = post.worker()
    await worker.run_once()
    states = [await post.row(outbox_id) for outbox_id in ids]
    assert sorted(state for state, *_ in states) == ["over_budget", "sent", "sent"]
    assert all(payload is None for _, _, payload, _ in states)
    assert await post.state(other) == await post.state(notice) == "sent"

    clock.advance(3601)
    await post.pool.execute("UPDATE tickets SET spent_time = create_time")
    _, _, later = await post.sign_up()
    await worker.run_once()
    assert await post.state(later) == "sent"


async def test_a_failed_mail_uses_up_no_budget(post: Post, clock: Clock) -> None:
    """Only what was sent counts against an address."""
    await post.realms.set(REALM, {"mails_per_address_per_hour": "1"})
    post.sender.faults = [PermanentFailure("no")]
    await post.sign_up()
    worker = post.worker()
    await worker.run_once()
    _, _, second = await post.sign_up()
    await worker.run_once()
    assert await post.state(second) == "sent"


async def test_no_secret_stands_in_the_table_or_the_log(post: Post) -> None:
    """Neither before nor after sending does a row or a log hold token, address or name: raw, as hex or base64."""
    token, _, outbox_id = await post.sign_up("ada@example.org", name="Ada Lovelace")
    secrets = [token.encode(), b"ada@example.org", b"Lovelace"]

    async def shown() -> bytes:
        row = await post.pool.fetchrow("SELECT o::text, o.payload FROM outbox o WHERE outbox_id = $1", outbox_id)
        assert row is not None
        return str(row[0]).encode() + (row[1] or b"")

    before = await shown()
    post.sender.faults = [RuntimeError(f"550 <ada@example.org> {token}")]
    worker = post.worker()
    with capture_logs() as logs:
        await worker.run_once()
        failed = await shown()
        await post.pool.execute("UPDATE outbox SET due_time = create_time")
        await worker.run_once()
    assert await post.state(outbox_id) == "sent"
    found = [before, failed, await shown(), repr(logs).encode(), repr(post.sender.mails).encode()]
    for secret in secrets:
        for form in (secret, secret.hex().encode(), base64.b64encode(secret).rstrip(b"=")):
            assert not any(form in text for text in found)
    assert [(entry["outcome"], entry["outbox_id"]) for entry in logs] == [
        ("retry", str(outbox_id)),
        ("sent", str(outbox_id)),
    ]


async def test_a_payload_opens_in_its_own_row_alone(post: Post) -> None:
    """Whoever can write the table can't have one person's link mailed to another: a moved payload ends as dead."""
    _, _, mine = await post.sign_up("mallory@example.org")
    _, _, theirs = await post.sign_up("ada@example.org")
    await post.pool.execute(
        "UPDATE outbox SET payload = (SELECT payload FROM outbox WHERE outbox_id = $1) WHERE outbox_id = $2",
        mine,
        theirs,
    )
    await post.worker().run_once()
    assert await post.row(theirs) == ("dead", "the payload does not open", None, 1)


async def test_a_key_that_has_not_come_yet_is_waited_for(post: Post) -> None:
    """A worker that lacks the key of a row, as in a rotation, leaves the message for later."""
    row = Messages(Keyring({7: bytes(32)}, 7), post.clock).prepare(
        REALM, MessageKind.NEW_DEVICE, to="ada@example.org", params={}
    )
    await outbox.insert(post.pool, row)
    await post.worker().run_once()
    state, failure, payload, _ = await post.row(row.outbox_id)
    assert (state, failure, payload) == ("waiting", "UnknownKey", row.payload)


async def test_depth_and_retention(post: Post, clock: Clock) -> None:
    """The depth counts what waits and what is due; rows long ended are forgotten, waiting ones never."""
    sent = await post.notice()
    await post.worker().run_once()
    later = post.messages.prepare(REALM, MessageKind.NEW_DEVICE, to="ada@example.org")
    await outbox.insert(post.pool, later)
    depth = await outbox.queue_depth(post.pool, clock())
    assert (depth.waiting, depth.due, depth.oldest_due_time) == (1, 1, clock())
    assert await outbox.forget_ended(post.pool, clock()) == 0
    assert await outbox.forget_ended(post.pool, clock() + timedelta(seconds=1)) == 1
    assert await post.pool.fetchval("SELECT count(*) FROM outbox WHERE outbox_id = $1", sent) == 0
    assert await post.state(later.outbox_id) == "waiting"


async def test_the_file_sender_writes_each_mail_once_and_for_its_owner_only(post: Post, tmp_path: Path) -> None:
    """A file of mode 0600 named by time, template and id, the link whole on one line; sent again, the same file."""
    folder = tmp_path / "sent"
    token, _, outbox_id = await post.sign_up()
    worker = post.worker(sender=FileSender(folder))
    await worker.run_once()
    (file,) = folder.iterdir()
    assert file.name == f"20260314T120000.000000Z-activation-{outbox_id}.eml"
    assert file.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    first = file.read_bytes()
    assert f"/activate?token={token}\r\n".encode() in first

    _, _, again = await post.sign_up("bob@example.org")
    recorder = RecordingSender()
    await post.worker(sender=recorder).run_once()
    (mail,) = recorder.mails
    await asyncio.gather(*(FileSender(folder).send(mail) for _ in range(10)))
    assert sorted(found.name for found in folder.iterdir()) == sorted(
        [file.name, f"20260314T120000.000000Z-activation-{again}.eml"]
    )
    assert file.read_bytes() == first
