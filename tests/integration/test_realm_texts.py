"""A realm's own wording, from the command line's store to the mail."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.conftest import Clock
from tests.integration.outbox_setup import REALM, TEMPLATES, Post, html_of, text_of
from twofold_server.db.pool import open_pool
from twofold_server.delivery.letters import Letters
from twofold_server.domain.realm_texts import RealmTexts


@pytest.fixture
async def post(database: str, clock: Clock) -> AsyncIterator[Post]:
    pool = await open_pool(database, 10)
    yield Post(pool, clock)
    await pool.close()


async def test_a_realms_wording_reaches_its_mails_within_seconds(post: Post, clock: Clock) -> None:
    """Set, it stands in the next mails of that language; emptied, the text that ships stands again."""
    texts = RealmTexts(post.pool, clock)
    worker = post.worker()
    letters = Letters(post.pool, post.messages, TEMPLATES, "no-reply@twofold.test", clock, texts.get)
    worker._letters = letters
    await RealmTexts(post.pool, clock).set(REALM, "de", "password_changed.lead", "Neu bei {product}: <b>{{ 7*7 }}</b>")
    await post.notice(language="de-AT")
    await post.notice(language="cs", email="bob@example.org")
    await worker.run_once()
    german, czech = sorted(post.sender.mails, key=lambda mail: mail.recipient)
    assert "Neu bei Twofold: <b>{{ 7*7 }}</b>" in text_of(german)
    assert "Neu bei Twofold: &lt;b&gt;{{ 7*7 }}&lt;/b&gt;" in html_of(german)
    assert "Guten Tag" in text_of(german)
    assert "bylo změněno" in text_of(czech)
    await texts.set(REALM, "de", "password_changed.lead", "")
    clock.advance(6)
    await post.notice(language="de", email="eve@example.org")
    await worker.run_once()
    assert "wurde geändert" in text_of(post.sender.mails[-1])
