"""How the life of an ASGI app's verifier follows the life of the app."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from twofold.errors import TwofoldError, VerifierNotReady
from twofold.verifier import Verifier

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_LOG = logging.getLogger("twofold")


class Keeper:
    """Starts the verifier of an app, and closes it, unless whoever made it has started it: then they close it too."""

    def __init__(self, verifier: Verifier | Callable[[], Verifier]) -> None:
        self._given = verifier
        self._running: Verifier | None = None
        self._is_ours = False
        self._is_over = False

    async def running(self) -> Verifier:
        """The verifier; started with the first request where the server told nothing of a start."""
        if self._running is None:
            try:
                await self.start()
            except TwofoldError as error:
                _LOG.warning("The verifier of access tokens is not ready: %s", error)
        if self._running is None:
            raise RuntimeError("The verifier is closed.")
        return self._running

    async def start(self) -> None:
        """Start the verifier, and wait until it can verify or its deadline has passed: it goes on trying.

        Raises what waiting does not mend, see `Verifier.wait_ready`, and RuntimeError for a verifier that is closed.
        """
        if self._is_over and isinstance(self._given, Verifier):
            raise RuntimeError(
                "The verifier is closed: where an app starts more than once, give a function that makes one each time."
            )
        verifier = self._given if isinstance(self._given, Verifier) else self._given()
        self._running, self._is_ours = verifier, not verifier.is_started
        if self._is_ours:
            verifier.start()
        try:
            await verifier.wait_ready()
        except VerifierNotReady as error:
            _LOG.warning("The verifier of access tokens is not ready, so requests are refused for now: %s", error)

    async def close(self) -> None:
        """Close the verifier if it was started here."""
        verifier, self._running = self._running, None
        if verifier is not None and self._is_ours:
            self._is_over = True
            await verifier.close()


async def live(keeper: Keeper, app: App, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve the scope `lifespan`: the verifier is ready before the app starts, and is closed after it has stopped."""
    startup = await receive()
    try:
        await keeper.start()
    except (TwofoldError, ValueError, RuntimeError) as error:
        await keeper.close()
        await send({"type": "lifespan.startup.failed", "message": f"twofold: {error}"})
        return
    told: list[Message] = [startup]
    answers: list[str] = []

    async def receive_again() -> Message:
        return told.pop() if told else await receive()

    async def send_last(message: Message) -> None:
        answers.append(message["type"])
        if message["type"] != "lifespan.startup.complete":
            await keeper.close()
        await send(message)

    try:
        try:
            await app(scope, receive_again, send_last)
        except Exception:
            if answers:
                raise
            # As a server does: an app that raises at this scope, as Django's, knows no lifespan.
            _LOG.debug("The app has no lifespan of its own.", exc_info=True)
        if not answers:
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await keeper.close()
            await send({"type": "lifespan.shutdown.complete"})
    finally:
        await keeper.close()
