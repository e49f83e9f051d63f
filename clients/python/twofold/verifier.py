"""Verification of access tokens without a call, for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import time
from functools import partial
from typing import TYPE_CHECKING, Literal

from twofold.client import Client
from twofold.errors import TwofoldError
from twofold.judging import Judge, JudgedStream
from twofold.reconnecting import Tries
from twofold.revocations import StreamBroken
from twofold.v1 import session_pb2
from twofold.verified import UnknownKey, VerifiedSession, invalid, not_ready

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from twofold.transport import TlsOptions

KEYS_SECONDS = 300.0
"""How often the signing keys are fetched anyway: a new one is published 10 min before it signs."""


class Verifier:
    """Verifies access tokens of one realm and audience: `session = verifier.verify(token)`, no call per token.

    It holds the realm's signing keys and, by a stream, all that is revoked: a sign-out is known here within 250 ms.
    Before the first snapshot of that, and after 5 s without a sign of life, it vouches for nobody (VerifierNotReady).
    Use it as `async with Verifier(...) as verifier`, or `start()` and `close()`; it belongs to that event loop, and is
    made after a fork, not before. Its caller needs the role `verifier` in the realm.
    """

    def __init__(
        self,
        target: str,
        *,
        realm_id: str,
        audience: str,
        credential: str | None = None,
        tls: TlsOptions | None = None,
        on_silence: Literal["refuse", "ask"] = "refuse",
        silence: float = 5.0,
        leeway: float = 0.0,
        cache_size: int = 32_768,
        deadline: float = 5.0,
        user_agent: str = "",
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare a verifier of tokens that `realm_id` issued for `audience`; neither has a default.

        `target`, `credential`, `tls`, `deadline` and `user_agent` are those of a Client. `on_silence` is what `check`
        does while nothing is heard: refuse, or ask CheckSession. `silence` is the seconds without a sign of life that
        are borne (heartbeats come each second), `leeway` (0 to 30 s) what an expired token is forgiven, `cache_size`
        how many verified tokens are remembered at most (some 1.5 KB each). `clock` gives seconds since 1970. Raises
        ValueError where a value makes no sense.
        """
        if on_silence not in ("refuse", "ask"):
            raise ValueError(f"on_silence is 'refuse' or 'ask', not {on_silence!r}")
        self._judge = Judge(
            realm_id,
            audience,
            leeway=leeway,
            silence=silence,
            cache_size=cache_size,
            clock=clock,
            monotonic=monotonic,
            fetch_keys=self._fetch_keys,
        )
        self._asks = on_silence == "ask"
        self._deadline = deadline
        self._connect = partial(
            Client, target, credential=credential, tls=tls, deadline=deadline, user_agent=user_agent
        )
        self._client = self._connect()
        self._target = target
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._keys_wanted = asyncio.Event()
        self._news = asyncio.Event()
        self._keys = Tries("signing keys")
        self._stream = Tries("revocations")

    def __repr__(self) -> str:
        return f"<Verifier of {self._judge.realm_id} for {self._judge.audience} at {self._target}>"

    async def __aenter__(self) -> Self:
        self.start()
        try:
            await self.wait_ready()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def start(self) -> None:
        """Begin to fetch keys and revocations, and go on until `close`. Returns at once: `wait_ready` follows."""
        if self._loop is not None:
            raise RuntimeError("The verifier was started before.")
        self._loop = asyncio.get_running_loop()
        self._tasks = [self._loop.create_task(self._keep_keys()), self._loop.create_task(self._keep_watching())]

    @property
    def is_started(self) -> bool:
        """Whether `start` was called; it can be called once."""
        return self._loop is not None

    async def wait_ready(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 the same as of a call
        """Return once tokens can be verified. Raises VerifierNotReady after `timeout` seconds (`deadline`).

        Raises at once what waiting does not mend: Unauthenticated or PermissionDenied for the caller, NotFound for the
        realm, ValueError for an audience that the realm issues no tokens for.
        """
        seconds = self._deadline if timeout is None else timeout
        try:
            async with asyncio.timeout(seconds):
                while not self._judge.is_fresh:
                    if refusal := self._keys.refusal or self._stream.refusal:
                        raise refusal
                    await self._news.wait()
        except TimeoutError:
            cause = self._keys.error or self._stream.error
            raise not_ready(f"Not ready in {seconds:g} s.") from cause

    async def close(self) -> None:
        """End the stream and the connection. From then on nobody is vouched for."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._judge.stop()
        await self._client.close()

    def verify(self, token: str) -> VerifiedSession:
        """Return what a good token says; never waits, never calls.

        Raises SessionExpired, SessionEnded (its reason SESSION_ENDED if it was revoked, SESSION_INVALID if the token is
        not one of this realm and audience), or VerifierNotReady: then nothing is said of the token, answer 503.
        """
        return self._judge.verify(token)

    async def check(self, token: str) -> VerifiedSession:
        """Return what a good token says, like `verify`, but wait where that helps.

        For the keys, where the token names one that is not known yet; and for the answer of CheckSession, where nothing
        is heard and `on_silence` is "ask". Raises what `verify` raises, and with "ask" what CheckSession does.
        """
        try:
            session = self._judge.judge(token)
        except UnknownKey:
            session = await self._judge_with_new_keys(token)
        if self._judge.is_fresh:
            return session
        if not self._asks:
            raise not_ready(self._judge.why_not_fresh())
        request = session_pb2.CheckSessionRequest(realm_id=self._judge.realm_id, audience=self._judge.audience)
        await self._client.sessions.CheckSession(request, session=token)
        return session

    async def _judge_with_new_keys(self, token: str) -> VerifiedSession:
        if self._judge.want_keys():
            try:
                async with asyncio.timeout(self._deadline):
                    while self._judge.keys_coming:
                        await self._news.wait()
            except TimeoutError:
                raise not_ready("The signing keys could not be fetched.") from self._keys.error
        try:
            return self._judge.judge(token)
        except UnknownKey:
            raise invalid("unknown key") from None

    def _fetch_keys(self) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._keys_wanted.set)

    async def _keep_keys(self) -> None:
        request = session_pb2.GetSigningKeysRequest(realm_id=self._judge.realm_id)
        while True:
            self._keys_wanted.clear()
            self._judge.begin_fetch()
            try:
                self._judge.take_keys(await self._client.sessions.GetSigningKeys(request))
            except (TwofoldError, ValueError) as error:
                pause = self._keys.failed(error)
                self._tell()
                await asyncio.sleep(pause)
                continue
            self._keys.succeeded()
            self._tell()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(KEYS_SECONDS):
                    await self._keys_wanted.wait()

    async def _keep_watching(self) -> None:
        # A connection of its own, given up as soon as it is silent: a dead one would be found out much later.
        client = self._connect()
        try:
            while True:
                stream = self._judge.open_stream()
                pause = 0.0
                try:
                    await self._watch(client, stream)
                except TwofoldError as error:
                    pause = self._stream.failed(error)
                except (TimeoutError, StreamBroken) as error:
                    pause = self._stream.failed(error)
                    await client.close()
                    client = self._connect()
                self._tell()
                await asyncio.sleep(pause)
        finally:
            await client.close()

    async def _watch(self, client: Client, stream: JudgedStream) -> None:
        judge = self._judge
        request = session_pb2.WatchRevocationsRequest(realm_id=judge.realm_id, resume_token=judge.received.resume_token)
        async with contextlib.aclosing(client.sessions.WatchRevocations(request)) as messages:
            while True:
                try:
                    async with asyncio.timeout(judge.silence):
                        message = await anext(messages)
                except StopAsyncIteration:
                    raise StreamBroken("it ended") from None
                stream.take(message)
                if stream.told and self._stream.error is not None:
                    self._stream.succeeded()
                self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
