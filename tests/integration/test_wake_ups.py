"""Phones that are woken: a signed call to the operator's push service, which says nothing but whose phone it is."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from tests.conftest import Clock
from tests.integration import http_server
from tests.integration.http_server import Asked, answer
from tests.integration.phones import ask, begin_pairing, challenge, finish_pairing, gateway
from tests.service import Service, User, serving, settings_for
from twofold import Approver
from twofold_server.delivery.mail import PermanentFailure, TemporaryFailure
from twofold_server.delivery.wake_ups import PushHook, PushHookSender, WakeUp, signed
from twofold_server.egress.http import Http, Origin

TOKEN = "fcm:device-1"
KEY = "k" * 32
HOOK_ID = UUID("01890000-0000-7000-8000-000000000001")
NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)


def signature_of(asked: Asked, key: str = KEY) -> str:
    """The signature that the headers and body of a call should have."""
    text = f"{asked.headers['webhook-id']}.{asked.headers['webhook-timestamp']}.".encode() + asked.body
    return "v1," + base64.b64encode(hmac.new(key.encode(), text, hashlib.sha256).digest()).decode()


@pytest.fixture
async def hook() -> AsyncIterator[http_server.Gateway]:
    """A push service."""
    async with http_server.gateway(then=answer(204)) as server:
        yield server


@pytest.fixture
async def waking(database: str, clock: Clock, tmp_path: Path, hook: http_server.Gateway) -> AsyncIterator[Service]:
    """A server that wakes phones."""
    settings = settings_for(
        database, tmp_path, push_hook_url=f"{hook.origin}/wake", push_hook_key=KEY, http_allowed=(hook.origin,)
    )
    async with serving(settings, clock) as started:
        yield started


async def user_with_phones(service: Service, *tokens: str) -> User:
    """A user with a phone for each token; an empty one: of a phone that gave none."""
    user = await service.signed_in_user()
    async with gateway(service) as client:
        for token in tokens:
            begun = await begin_pairing(service, user)
            await Approver.pair(client, begun.push.pairing_code, wake_up_token=token)
            await finish_pairing(service, user, begun)
    # The notices of all that are out of the way.
    await service.mails()
    return user


async def ends(service: Service) -> list[tuple[str, str | None]]:
    """Send what is due, and say how the wake-ups stand, the oldest first."""
    await service.mails()
    rows = await service.app.pool.fetch("SELECT state, failure FROM outbox WHERE channel = 'hook' ORDER BY outbox_id")
    return [(row["state"], row["failure"]) for row in rows]


async def test_a_request_wakes_the_phones_that_gave_a_token(waking: Service, hook: http_server.Gateway) -> None:
    """One signed call with the token alone; none for a phone without one; nothing of the token stays in the row."""
    user = await user_with_phones(waking, TOKEN, "")
    await ask(waking, await challenge(waking, user))
    assert await ends(waking) == [("sent", None)]
    (asked,) = hook.asked
    assert asked.line == "POST /wake HTTP/1.1"
    assert json.loads(asked.body) == {"wake_up_token": TOKEN}
    assert asked.headers["webhook-signature"] == signature_of(asked)
    assert asked.headers["webhook-timestamp"] == str(int(waking.clock().timestamp()))
    assert asked.headers["content-type"] == "application/json"
    row = await waking.app.pool.fetchrow("SELECT outbox_id, payload, provider FROM outbox WHERE channel = 'hook'")
    assert row is not None
    assert (str(row["outbox_id"]), row["payload"], row["provider"]) == (asked.headers["webhook-id"], None, "push_hook")


async def test_a_phone_without_a_token_is_not_woken(waking: Service, hook: http_server.Gateway) -> None:
    """It asked for no wake-up when it was paired."""
    user = await user_with_phones(waking, "")
    await ask(waking, await challenge(waking, user))
    assert await ends(waking) == []
    assert hook.asked == []


async def test_without_a_push_service_nothing_is_written(service: Service) -> None:
    """Where the operator has none, no row waits for it."""
    user = await user_with_phones(service, TOKEN)
    await ask(service, await challenge(service, user))
    assert await ends(service) == []


async def test_a_wake_up_is_tried_again_with_the_same_id(
    waking: Service, clock: Clock, hook: http_server.Gateway
) -> None:
    """After a 500 and after a lost answer: seconds later, by the same id, signed anew."""
    user = await user_with_phones(waking, TOKEN)
    hook.answers = [answer(500), None]
    await ask(waking, await challenge(waking, user))
    assert await ends(waking) == [("waiting", "push hook: 500")]
    clock.advance(2)
    ((state, _),) = await ends(waking)
    assert (state, len(hook.asked)) == ("waiting", 2)
    clock.advance(4)
    ((state, _),) = await ends(waking)
    assert state == "sent"
    assert len(hook.asked) == 3
    assert len({asked.headers["webhook-id"] for asked in hook.asked}) == 1
    assert len({asked.headers["webhook-timestamp"] for asked in hook.asked}) == 3
    assert all(asked.headers["webhook-signature"] == signature_of(asked) for asked in hook.asked)


async def test_a_wake_up_ends_with_its_request(waking: Service, clock: Clock, hook: http_server.Gateway) -> None:
    """Tried some times within the minute that the request lives, and never after it."""
    user = await user_with_phones(waking, TOKEN)
    hook.then = answer(503)
    await ask(waking, await challenge(waking, user))
    end = clock().timestamp() + 60
    for _ in range(40):
        if (await ends(waking))[0][0] != "waiting":
            break
        clock.advance(2)
    assert (await ends(waking))[0][0] == "expired"
    assert 5 <= len(hook.asked) <= 12
    assert all(int(asked.headers["webhook-timestamp"]) < end for asked in hook.asked)

    hook.asked.clear()
    await ask(waking, await challenge(waking, user))
    assert (await ends(waking))[1][0] == "waiting"
    clock.advance(60)
    assert (await ends(waking))[1] == ("expired", "too late")
    assert len(hook.asked) == 1


async def test_a_request_that_was_replaced_wakes_nobody(
    waking: Service, clock: Clock, hook: http_server.Gateway
) -> None:
    """Asked again after an outage, the phone is woken for the last request alone."""
    user = await user_with_phones(waking, TOKEN)
    hook.answers = [answer(500)]
    found = await challenge(waking, user)
    await ask(waking, found)
    assert await ends(waking) == [("waiting", "push hook: 500")]
    await ask(waking, found)
    clock.advance(2)
    assert [state for state, _ in await ends(waking)] == ["superseded", "sent"]
    assert len(hook.asked) == 2


async def test_a_refusal_is_final_and_nothing_tells_the_token(waking: Service, hook: http_server.Gateway) -> None:
    """A 410 that repeats the token ends the row with the status; neither row nor log has the token."""
    user = await user_with_phones(waking, TOKEN)
    hook.then = answer(410, json.dumps({"reason": TOKEN}).encode(), x_token=TOKEN)
    with capture_logs() as logs:
        await ask(waking, await challenge(waking, user))
        assert await ends(waking) == [("dead", "push hook: 410")]
        async with asyncio.timeout(5):
            # The line follows the row.
            while not any(line.get("outcome") == "dead" for line in logs):
                await asyncio.sleep(0.01)
    assert TOKEN not in repr(logs)
    assert len(hook.asked) == 1
    assert TOKEN not in await waking.app.pool.fetchval("SELECT o::text FROM outbox o WHERE channel = 'hook'")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(status, PermanentFailure) for status in (400, 401, 404, 410, 422)]
    + [(status, TemporaryFailure) for status in (302, 408, 425, 429, 500, 502, 503, 504)],
)
async def test_what_answers_mean(hook: http_server.Gateway, status: int, kind: type[Exception]) -> None:
    """What may pass, and what is for good; no text of a failure tells token, key or URL."""
    hook.then = answer(status, TOKEN.encode(), location=f"https://{TOKEN}.example.com", retry_after="7")
    sender = PushHookSender(Http([Origin.parse(hook.origin)]), PushHook(f"{hook.origin}/wake", KEY), lambda: NOW)
    with pytest.raises(kind) as caught:
        await sender.send(WakeUp(HOOK_ID, TOKEN))
    assert not any(text in str(caught.value) for text in (TOKEN, KEY, "/wake"))
    if isinstance(caught.value, TemporaryFailure) and status != 302:
        assert caught.value.retry_after == 7


async def test_plain_http_needs_the_operators_leave(hook: http_server.Gateway) -> None:
    """Without an entry in the allow-list nothing is sent."""
    sender = PushHookSender(Http(), PushHook(f"{hook.origin}/wake", KEY), lambda: NOW)
    with pytest.raises(TemporaryFailure):
        await sender.send(WakeUp(HOOK_ID, TOKEN))
    assert hook.asked == []
    with pytest.raises(ValueError, match="32"):
        PushHookSender(Http(), PushHook(f"{hook.origin}/wake", KEY[1:]), lambda: NOW)


def test_the_example_of_the_documents() -> None:
    """docs/delivery.md says what a body is signed as."""
    headers = signed(KEY, HOOK_ID, datetime.fromtimestamp(1773489600, UTC), b"{}")
    assert f"`{headers['webhook-signature']}`" in Path("docs/delivery.md").read_text()
