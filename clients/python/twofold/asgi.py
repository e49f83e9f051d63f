"""Middleware that lets signed-in users alone reach an ASGI app: Starlette, FastAPI, Django or none of them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from twofold.errors import TwofoldError
from twofold.guard import RETRY_SECONDS, Guard, Refusal, bearer_token, enter, leave, refusal
from twofold.lifespan import Keeper, live

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twofold.lifespan import App, Receive, Scope, Send
    from twofold.verified import VerifiedSession
    from twofold.verifier import Verifier

SESSION_KEY: Final = "twofold.session"
"""Where in the scope the VerifiedSession is; and in `scope["state"]`, Starlette's `request.state`, as below."""
STATE_KEY: Final = "twofold_session"

_PATH: Final = re.compile(r"/[^*?#]*")
_ANSWERED_WEBSOCKET: Final = "websocket.http.response"


class VerifierMiddleware:
    """Lets signed-in users alone reach an app: `app = VerifierMiddleware(app, verifier)`, or `app.add_middleware(...)`.

    The access token is taken from `Authorization: Bearer ...`. What it says is `current_session()`,
    `scope["twofold.session"]` and `request.state.twofold_session`. Without a good one a request is answered by 401,
    and by 503 while the verifier can't judge; a WebSocket is refused before it is accepted.

    The verifier is started before the app and closed after it: do not enter it in the app's own lifespan. One that
    was started before is left to whoever did so.
    """

    def __init__(
        self,
        app: App,
        verifier: Verifier | Callable[[], Verifier],
        *,
        min_aal: int = 1,
        open_paths: Iterable[str] = (),
    ) -> None:
        """Guard `app`, except for `open_paths`: exact paths below the app's root, such as `/healthz`.

        `verifier` is a Verifier, or a function that makes one each time the app starts. With `min_aal` 2 a session
        without a proven second factor is refused with 401. Raises ValueError where a value makes no sense.
        """
        self._app = app
        self._keeper = Keeper(verifier)
        self._guard = Guard(min_aal, open_paths, _PATH, "an exact path such as /healthz")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope. Raises ValueError for one that is neither lifespan, http nor websocket."""
        kind = scope["type"]
        if kind == "lifespan":
            await live(self._keeper, self._app, scope, receive, send)
            return
        if kind not in ("http", "websocket"):
            raise ValueError(f"a scope of the type {kind!r} can't be guarded")
        if _path(scope) in self._guard.open:
            # A server may begin a request in the context of the one before it on the connection.
            await self._serve(None, scope, receive, send)
            return
        try:
            session = await self._judge(scope)
        except Refusal as refused:
            await (_refuse(refused, send) if kind == "http" else _refuse_websocket(refused, scope, receive, send))
            return
        scope[SESSION_KEY] = session
        # Another dict: a server that gives every request the same one must not have it carry a session to the next.
        scope["state"] = {**scope.get("state", {}), STATE_KEY: session}
        await self._serve(session, scope, receive, send)

    async def _serve(self, session: VerifiedSession | None, scope: Scope, receive: Receive, send: Send) -> None:
        token = enter(session)
        try:
            await self._app(scope, receive, send)
        finally:
            leave(token)

    async def _judge(self, scope: Scope) -> VerifiedSession:
        values = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"authorization"]
        token = bearer_token(values)
        try:
            return self._guard.admit(await (await self._keeper.running()).check(token))
        except TwofoldError as error:
            raise refusal(error) from error


def _path(scope: Scope) -> str:
    """The path below the app's root, as frameworks route by it: whether a server leaves the root in differs."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    return path[len(root) :] if path.startswith(root + "/") else path


def _answer(refused: Refusal) -> tuple[list[tuple[bytes, bytes]], bytes]:
    told = {"error": refused.error, "reason": refused.reason, "message": refused.text}
    body = json.dumps({key: value for key, value in told.items() if value}).encode("ascii")
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode("ascii"))]
    if refused.challenge:
        headers.append((b"www-authenticate", refused.challenge.encode("ascii")))
    else:
        headers.append((b"retry-after", str(RETRY_SECONDS).encode("ascii")))
    return headers, body


async def _refuse(refused: Refusal, send: Send, prefix: str = "http") -> None:
    headers, body = _answer(refused)
    start: dict[str, Any] = {"type": f"{prefix}.response.start", "status": refused.http_status, "headers": headers}
    await send(start)
    await send({"type": f"{prefix}.response.body", "body": body})


async def _refuse_websocket(refused: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    if _ANSWERED_WEBSOCKET in (scope.get("extensions") or {}):
        await _refuse(refused, send, "websocket.http")
    else:
        # Before it is accepted: the server answers 403.
        await send({"type": "websocket.close", "code": 1008})
