"""The ASGI middleware, driven as a server drives it, with a verifier of a server that does what a test tells it to."""

from __future__ import annotations

import asyncio
import contextvars
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest

from tests.integration.client.asgi_app import App, Life, alive, ask, converse
from tests.integration.client.fake_server import fails, hangs
from tests.integration.client.stream_server import StreamServer, eventually, now
from tests.unit.verifier.samples import AUDIENCE, CASES, CLAIMS, GOOD, NOW, REALM, revocation
from twofold import Verifier, VerifierMiddleware, current_session
from twofold.guard import enter

ONE_FACTOR = next(case["token"] for case in CASES if case["expect"] == "ok" and case["claims"]["aal"] == 1)
BEARER = [(b"authorization", f"Bearer {GOOD}".encode())]


@pytest.fixture
async def server() -> AsyncIterator[StreamServer]:
    """A running fake of the service."""
    fake = StreamServer()
    server = fake.server()
    fake.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    yield fake
    await server.stop(0)


@pytest.fixture
def verifier(server: StreamServer) -> Callable[[], Verifier]:
    """Makes a verifier of that server."""
    return lambda: Verifier(server.target, realm_id=REALM, audience=AUDIENCE, clock=lambda: NOW, deadline=2.0)


async def test_a_good_token_is_served_with_its_session(verifier: Any) -> None:
    """Scope, state (beside what was there) and context have the session, and those of no other request do."""
    app, state = App(), {"pool": "of the lifespan"}
    async with alive(VerifierMiddleware(app, verifier())) as guarded:
        for number in range(20):
            status, _, body = await ask(guarded, headers=BEARER, state=state)
            assert (status, body) == (200, b"served")
            assert app.sessions[number] == CLAIMS["sub"]
    for scope in app.scopes:
        assert scope["twofold.session"].session_id == CLAIMS["sid"]
        assert scope["state"] == {"pool": "of the lifespan", "twofold_session": scope["twofold.session"]}
    assert state == {"pool": "of the lifespan"}
    with pytest.raises(LookupError):
        current_session()


@pytest.mark.parametrize(
    ("headers", "reason", "challenge"),
    [
        ([], "SESSION_REQUIRED", b"Bearer"),
        ([(b"authorization", b"Basic YTpi")], "SESSION_REQUIRED", b"Bearer"),
        ([(b"authorization", b"Bearer junk")], "SESSION_INVALID", b'Bearer error="invalid_token"'),
        ([(b"authorization", b"Bearer \xff\xfe")], "SESSION_INVALID", b'Bearer error="invalid_token"'),
        ([(b"authorization", f"Bearer {GOOD[:-2]}".encode())], "SESSION_INVALID", b'Bearer error="invalid_token"'),
        (BEARER * 2, "SESSION_INVALID", b'Bearer error="invalid_token"'),
    ],
)
async def test_no_token_and_a_bad_one_are_401(verifier: Any, headers: Any, reason: str, challenge: bytes) -> None:
    """The app never hears of them; the challenge is that of RFC 6750, and nothing of the token is repeated."""
    app = App()
    async with alive(VerifierMiddleware(app, verifier())) as guarded:
        status, answered, body = await ask(guarded, headers=headers)
    assert status == 401
    assert answered[b"www-authenticate"].startswith(challenge)
    assert (b"error" in answered[b"www-authenticate"]) == (reason != "SESSION_REQUIRED")
    assert json.loads(body)["reason"] == reason
    assert int(answered[b"content-length"]) == len(body)
    assert app.scopes == []
    assert b"junk" not in body + answered[b"www-authenticate"]


async def test_an_ended_session_is_401(server: StreamServer, verifier: Any) -> None:
    """As soon as the stream tells of it."""
    async with alive(VerifierMiddleware(App(), verifier())) as guarded:
        assert (await ask(guarded, headers=BEARER))[0] == 200
        server.send(now(revocation("SESSION", CLAIMS["sid"])))
        async with asyncio.timeout(5):
            while (answer := await ask(guarded, headers=BEARER))[0] == 200:
                await asyncio.sleep(0.005)
    assert answer[0] == 401
    assert json.loads(answer[2])["reason"] == "SESSION_ENDED"


async def test_too_little_assurance_is_401(verifier: Any) -> None:
    """With the error of RFC 9470; a session with two factors is served."""
    async with alive(VerifierMiddleware(App(), verifier(), min_aal=2)) as guarded:
        status, headers, _ = await ask(guarded, headers=[(b"authorization", f"Bearer {ONE_FACTOR}".encode())])
        assert status == 401
        assert headers[b"www-authenticate"].startswith(b'Bearer error="insufficient_user_authentication"')
        assert (await ask(guarded, headers=BEARER))[0] == 200


async def test_an_unready_verifier_is_503(server: StreamServer, verifier: Any) -> None:
    """The app starts although the service is silent, answers 503 with Retry-After, and serves once it can judge."""
    server.will([now(reset=True, current=False), hangs])
    async with alive(VerifierMiddleware(App(), verifier())) as guarded:
        status, headers, _ = await ask(guarded, headers=BEARER)
        assert (status, headers[b"retry-after"]) == (503, b"1")
        assert b"www-authenticate" not in headers
        assert (await ask(guarded))[0] == 401
        async with asyncio.timeout(10):
            while (await ask(guarded, headers=BEARER))[0] != 200:
                await asyncio.sleep(0.05)


async def test_open_paths_ask_for_nothing(verifier: Any) -> None:
    """The exact path, whatever root the app is mounted at, and nothing that looks like it; they have no session."""
    app = App()
    async with alive(VerifierMiddleware(app, verifier(), open_paths=["/healthz"])) as guarded:
        assert (await ask(guarded, "/healthz"))[0] == 200
        assert (await ask(guarded, "/healthz", BEARER))[0] == 200
        assert (await ask(guarded, "/api/healthz", root_path="/api"))[0] == 200
        assert (await ask(guarded, "/healthz", root_path="/api"))[0] == 200
        assert app.sessions == [""] * 4
        assert all("twofold.session" not in scope for scope in app.scopes)
        for path in ("/healthz/", "//healthz", "/healthz/../whoami", "/Healthz", "/healthz;a", "/api/healthz", "/"):
            assert (await ask(guarded, path))[0] == 401, path
        assert (await ask(guarded, "/apihealthz", root_path="/api"))[0] == 401


async def test_an_open_path_has_no_session_of_the_request_before_it(server: StreamServer, verifier: Any) -> None:
    """Even where the server begins it in that request's context, as uvicorn may on a connection that is kept."""
    app = App()
    async with verifier() as running, alive(VerifierMiddleware(app, running, open_paths=["/healthz"])) as guarded:
        context = contextvars.copy_context()
        context.run(enter, running.verify(GOOD))
        await asyncio.create_task(ask(guarded, "/healthz"), context=context)
    assert app.sessions == [""]


async def test_a_websocket_is_refused_before_it_is_accepted(verifier: Any) -> None:
    """By closing it, or by the answer itself where the server can give one; a good token's is served."""
    app = App()
    connect = {"type": "websocket.connect"}
    async with alive(VerifierMiddleware(app, verifier())) as guarded:
        assert await converse(guarded, connect, type="websocket") == [{"type": "websocket.close", "code": 1008}]
        start, body = await converse(guarded, connect, type="websocket", extensions={"websocket.http.response": {}})
        assert (start["type"], start["status"]) == ("websocket.http.response.start", 401)
        assert body["type"] == "websocket.http.response.body"
        assert app.scopes == []
        assert await converse(guarded, connect, type="websocket", headers=BEARER) == [{"type": "websocket.accept"}]
        assert app.sessions == [CLAIMS["sub"]]


async def test_a_scope_of_another_kind_is_not_let_through(verifier: Any) -> None:
    """What can't be judged is not served."""
    app = App()
    with pytest.raises(ValueError, match="webtransport"):
        await converse(VerifierMiddleware(app, verifier()), type="webtransport", headers=BEARER)
    assert app.scopes == []


async def test_the_verifier_lives_as_long_as_the_app(server: StreamServer, verifier: Any) -> None:
    """It is ready before the app starts, and closed when the app has stopped; then the app may start again."""
    app = App(has_lifespan=True)
    guarded = VerifierMiddleware(app, verifier)
    for round_ in (1, 2):
        async with alive(guarded):
            assert (await ask(guarded, headers=BEARER))[0] == 200
            assert server.live == 1
            assert app.life == ["lifespan.startup", "lifespan.shutdown"] * (round_ - 1) + ["lifespan.startup"]
        await eventually(lambda: server.live == 0)


async def test_an_app_that_cannot_start_leaves_nothing_behind(server: StreamServer, verifier: Any) -> None:
    """Its own words reach the server, and the verifier is closed."""
    life = Life(VerifierMiddleware(App(has_lifespan=True, fails_at_start=True), verifier()))
    assert await life.tell("startup") == {"type": "lifespan.startup.failed", "message": "no luck"}
    await life.task
    await eventually(lambda: server.live == 0)


async def test_what_waiting_does_not_mend_fails_the_start(server: StreamServer, verifier: Any) -> None:
    """A caller that the service does not know, or a mistaken audience: the app does not start, and says why."""
    app = App(has_lifespan=True)
    server.key_step = fails(grpc.StatusCode.UNAUTHENTICATED, "CALLER_UNKNOWN")
    life = Life(VerifierMiddleware(app, verifier()))
    answer = await life.tell("startup")
    assert answer["type"] == "lifespan.startup.failed"
    assert "CALLER_UNKNOWN" in answer["message"]
    server.key_step = None
    typo = Verifier(server.target, realm_id=REALM, audience="typo")
    answer = await Life(VerifierMiddleware(app, typo)).tell("startup")
    assert "typo" in answer["message"]
    assert app.life == []


async def test_a_closed_verifier_fails_the_start(verifier: Any) -> None:
    """One that was given as it is serves one life of the app; the next start says what to do."""
    guarded = VerifierMiddleware(App(), verifier())
    async with alive(guarded):
        pass
    assert "give a function" in (await Life(guarded).tell("startup"))["message"]


async def test_a_verifier_that_runs_already_is_left_to_its_owner(server: StreamServer, verifier: Any) -> None:
    """Neither the app's start nor its stop touches it."""
    async with verifier() as running:
        async with alive(VerifierMiddleware(App(), running)) as guarded:
            assert (await ask(guarded, headers=BEARER))[0] == 200
        running.verify(GOOD)
        assert server.live == 1


async def test_without_a_lifespan_the_first_request_starts_it(server: StreamServer, verifier: Any) -> None:
    """Servers that tell no start are served too; an open path starts nothing."""
    made = verifier()
    guarded = VerifierMiddleware(App(), made, open_paths=["/healthz"])
    assert (await ask(guarded, "/healthz"))[0] == 200
    assert server.opened == []
    answers = await asyncio.gather(*[ask(guarded, headers=BEARER) for _ in range(5)])
    assert {status for status, _, _ in answers} <= {200, 503}
    assert (await ask(guarded, headers=BEARER))[0] == 200
    assert len(server.opened) == 1
    await made.close()
