"""Verification of access tokens without a call, for threads."""

from __future__ import annotations

import math
import threading
import time
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Literal

from twofold.errors import TwofoldError
from twofold.judging import Judge, JudgedStream
from twofold.reconnecting import Tries
from twofold.revocations import StreamBroken
from twofold.sync_client import SyncClient
from twofold.v1 import session_pb2
from twofold.verified import UnknownKey, VerifiedSession, invalid, not_ready
from twofold.verifier import KEYS_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from twofold.transport import TlsOptions


class SyncVerifier:
    """Verifies access tokens as `Verifier` does, for any number of threads: `session = verifier.verify(token)`.

    Threads of its own fetch the keys and read the stream. Use it as `with SyncVerifier(...) as verifier`, or `start()`
    and `close()`. Make it after a fork, not before.
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
        """Take what `Verifier` takes, and raise what it raises."""
        if on_silence not in ("refuse", "ask"):
            raise ValueError(f"on_silence is 'refuse' or 'ask', not {on_silence!r}")
        self._closed = threading.Event()
        self._keys_wanted = threading.Event()
        self._judge = Judge(
            realm_id,
            audience,
            leeway=leeway,
            silence=silence,
            cache_size=cache_size,
            clock=clock,
            monotonic=monotonic,
            fetch_keys=self._keys_wanted.set,
        )
        self._asks = on_silence == "ask"
        self._deadline = deadline
        self._connect = partial(
            SyncClient, target, credential=credential, tls=tls, deadline=deadline, user_agent=user_agent
        )
        self._client = self._connect()
        # A connection of its own, given up as soon as it is silent: a dead one would be found out much later.
        self._stream_client = self._connect()
        self._heard_at = math.inf
        self._target = target
        self._threads: list[threading.Thread] = []
        self._news = threading.Condition()
        self._keys = Tries("signing keys")
        self._stream = Tries("revocations")

    def __repr__(self) -> str:
        return f"<SyncVerifier of {self._judge.realm_id} for {self._judge.audience} at {self._target}>"

    def __enter__(self) -> Self:
        self.start()
        try:
            self.wait_ready()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Begin to fetch keys and revocations, and go on until `close`. Returns at once: `wait_ready` follows."""
        if self._threads or self._closed.is_set():
            raise RuntimeError("The verifier was started before.")
        jobs = (self._keep_keys, self._keep_watching, self._break_silence)
        self._threads = [threading.Thread(target=job, name=f"twofold{job.__name__}", daemon=True) for job in jobs]
        for thread in self._threads:
            thread.start()

    @property
    def is_started(self) -> bool:
        """Whether `start` was called; it can be called once."""
        return bool(self._threads)

    def wait_ready(self, timeout: float | None = None) -> None:
        """Return once tokens can be verified. Raises what `Verifier.wait_ready` raises."""
        seconds = self._deadline if timeout is None else timeout
        with self._news:
            self._news.wait_for(lambda: self._judge.is_fresh or self._refusal() is not None, seconds)
        if self._judge.is_fresh:
            return
        if refusal := self._refusal():
            raise refusal
        raise not_ready(f"Not ready in {seconds:g} s.") from (self._keys.error or self._stream.error)

    def close(self) -> None:
        """End the stream, the connections and the threads. From then on nobody is vouched for."""
        self._closed.set()
        self._keys_wanted.set()
        self._client.close()
        self._stream_client.close()
        for thread in self._threads:
            thread.join(self._deadline)
        self._stream_client.close()
        self._judge.stop()

    def verify(self, token: str) -> VerifiedSession:
        """Return what a good token says; never waits, never calls. Raises what `Verifier.verify` raises."""
        return self._judge.verify(token)

    def check(self, token: str) -> VerifiedSession:
        """Return what a good token says, like `verify`, but block where that helps: see `Verifier.check`."""
        # Before it is judged: what is heard meanwhile does not make what was held before fresh.
        fresh = self._judge.is_fresh
        try:
            session = self._judge.judge(token)
        except UnknownKey:
            self._await_keys()
            fresh = self._judge.is_fresh
            session = self._judge_again(token)
        if fresh:
            return session
        if not self._asks:
            raise not_ready(self._judge.why_not_fresh())
        request = session_pb2.CheckSessionRequest(realm_id=self._judge.realm_id, audience=self._judge.audience)
        self._client.sessions.CheckSession(request, session=token)
        return session

    def _await_keys(self) -> None:
        if self._judge.want_keys():
            with self._news:
                if not self._news.wait_for(lambda: not self._judge.keys_coming, self._deadline):
                    raise not_ready("The signing keys could not be fetched.") from self._keys.error

    def _judge_again(self, token: str) -> VerifiedSession:
        try:
            return self._judge.judge(token)
        except UnknownKey:
            raise invalid("unknown key") from None

    def _refusal(self) -> Exception | None:
        return self._keys.refusal or self._stream.refusal

    def _keep_keys(self) -> None:
        request = session_pb2.GetSigningKeysRequest(realm_id=self._judge.realm_id)
        while not self._closed.is_set():
            self._keys_wanted.clear()
            self._judge.begin_fetch()
            try:
                self._judge.take_keys(self._client.sessions.GetSigningKeys(request))
            except (TwofoldError, ValueError, RuntimeError) as error:
                if not self._closed.is_set():
                    pause = self._keys.failed(error)
                    self._tell()
                    self._closed.wait(pause)
                continue
            self._keys.succeeded()
            self._tell()
            self._keys_wanted.wait(KEYS_SECONDS)

    def _keep_watching(self) -> None:
        while not self._closed.is_set():
            client, stream = self._stream_client, self._judge.open_stream()
            self._heard_at = time.monotonic()
            pause = 0.0
            try:
                self._watch(client, stream)
            except (TwofoldError, StreamBroken, RuntimeError) as error:
                if self._closed.is_set():
                    return
                pause = self._stream.failed(error)
                if not isinstance(error, TwofoldError) or client.is_closed:
                    client.close()
                    self._stream_client = self._connect()
            finally:
                self._heard_at = math.inf
            self._tell()
            self._closed.wait(pause)

    def _watch(self, client: SyncClient, stream: JudgedStream) -> None:
        judge = self._judge
        request = session_pb2.WatchRevocationsRequest(realm_id=judge.realm_id, resume_token=judge.received.resume_token)
        with closing(client.sessions.WatchRevocations(request)) as messages:
            for message in messages:
                self._heard_at = time.monotonic()
                stream.take(message)
                if stream.told and self._stream.error is not None:
                    self._stream.succeeded()
                self._tell()
        raise StreamBroken("it ended")

    def _break_silence(self) -> None:
        silence = self._judge.silence
        while not self._closed.wait(silence / 4):
            if time.monotonic() - self._heard_at > silence:
                self._stream_client.close()

    def _tell(self) -> None:
        with self._news:
            self._news.notify_all()
