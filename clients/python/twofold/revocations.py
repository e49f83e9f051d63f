"""What is revoked, as the stream WatchRevocations tells it."""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING, Final

from twofold.v1 import session_pb2

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

_ACCOUNT: Final = session_pb2.REVOCATION_KIND_ACCOUNT
_SESSION: Final = session_pb2.REVOCATION_KIND_SESSION
_SIGNING_KEY: Final = session_pb2.REVOCATION_KIND_SIGNING_KEY
_REALM: Final = session_pb2.REVOCATION_KIND_REALM
_KINDS: Final = frozenset({_ACCOUNT, _SESSION, _SIGNING_KEY, _REALM})

# No token outlives its revocation's expire_time by more than a verifier's leeway.
_KEPT_ON_SECONDS: Final = 30.0


class StreamBroken(Exception):
    """The stream is not to be trusted any more; the text says why."""


class RevocationSet:
    """The revocations that concern one realm.

    One thread writes, any number may ask meanwhile: each change is one assignment into a dict or set.
    """

    __slots__ = ("_epochs", "_expiries", "_heap", "_keys", "_realm_id", "_realms", "_sessions")

    def __init__(self, realm_id: str) -> None:
        self._realm_id = realm_id
        self._sessions: set[str] = set()
        self._epochs: dict[str, int] = {}
        self._keys: set[str] = set()
        self._realms: set[str] = set()
        self._expiries: dict[tuple[int, str], float] = {}
        self._heap: list[tuple[float, int, str]] = []

    def __len__(self) -> int:
        return len(self._expiries)

    def is_dead(self, session_id: str, account_id: str, epoch: int, kid: str) -> bool:
        """Say whether a token of this session, account, epoch and key is revoked."""
        return (
            session_id in self._sessions
            or self._epochs.get(account_id, 0) > epoch
            or kid in self._keys
            or self._realm_id in self._realms
        )

    def dead_keys(self) -> frozenset[str]:
        """Give the signing keys that are revoked."""
        return frozenset(self._keys)

    def is_key_dead(self, kid: str) -> bool:
        """Say whether a signing key is revoked."""
        return kid in self._keys

    def add(self, revocation: session_pb2.Revocation) -> None:
        """Hold a revocation of this realm, or of every realm. The same may come again, in any order."""
        kind, subject = revocation.kind, revocation.subject
        if kind not in _KINDS or revocation.realm_id not in ("", self._realm_id):
            return
        if kind == _SESSION:
            self._sessions.add(subject)
        elif kind == _ACCOUNT:
            self._epochs[subject] = max(revocation.epoch, self._epochs.get(subject, 0))
        elif kind == _SIGNING_KEY:
            self._keys.add(subject)
        else:
            self._realms.add(subject)
        expires = seconds(revocation.expire_time) if revocation.HasField("expire_time") else math.inf
        if expires > self._expiries.get((kind, subject), -math.inf):
            self._expiries[kind, subject] = expires
            heapq.heappush(self._heap, (expires, kind, subject))

    def forget(self, now: float) -> None:
        """Let go of what concerns no token that is still good at `now` (seconds since 1970)."""
        heap = self._heap
        while heap and heap[0][0] + _KEPT_ON_SECONDS <= now:
            expires, kind, subject = heapq.heappop(heap)
            # Revoked again, for longer: its later entry is still to come.
            if self._expiries.get((kind, subject)) != expires:
                continue
            del self._expiries[kind, subject]
            if kind == _SESSION:
                self._sessions.discard(subject)
            elif kind == _ACCOUNT:
                self._epochs.pop(subject, None)
            elif kind == _SIGNING_KEY:
                self._keys.discard(subject)
            else:
                self._realms.discard(subject)


class Received:
    """What was received so far, over every stream: the set, its place, and a snapshot that is under way."""

    def __init__(self, realm_id: str) -> None:
        self.held = RevocationSet(realm_id)
        """What is revoked. Replaced as a whole once a new snapshot is complete."""
        self.resume_token = ""
        """From where the next stream goes on; empty: it begins with a snapshot."""
        self._realm_id = realm_id

    def stream(self, silence: float) -> ReceivedStream:
        """Begin to take the messages of a stream that was opened with `resume_token`; `silence` in seconds."""
        return ReceivedStream(self, self._realm_id, silence)


class ReceivedStream:
    """One stream, from its opening to its end."""

    def __init__(self, received: Received, realm_id: str, silence: float) -> None:
        self._received = received
        self._realm_id = realm_id
        self._silence = silence
        self._lag = math.inf
        self._server_time = -math.inf
        self._complete = bool(received.resume_token)
        self._snapshot: RevocationSet | None = None

    def take(self, message: session_pb2.WatchRevocationsResponse, now: float, wall: float) -> bool:
        """Take a message in at `now` (monotonic) and `wall` (seconds since 1970).

        True: with it everything is known. Raises StreamBroken for a stream whose clock goes back or falls behind: what
        it says may be old.
        """
        server_time = seconds(message.server_time)
        if server_time < self._server_time:
            raise StreamBroken("its time went back")
        self._server_time = server_time
        # Held up somewhere, each message a little more than the one before, a stream can be old and never silent.
        self._lag = min(self._lag, now - server_time)
        if now - server_time - self._lag > self._silence:
            raise StreamBroken("it fell behind")
        received = self._received
        if message.reset:
            self._snapshot, self._complete = RevocationSet(self._realm_id), True
        if not self._complete:
            raise StreamBroken("it began without a snapshot")
        for revocation in message.revocations:
            # At once, even where its snapshot is not complete: it is as true before.
            received.held.add(revocation)
            if self._snapshot is not None:
                self._snapshot.add(revocation)
        if message.current and self._snapshot is not None:
            received.held, self._snapshot = self._snapshot, None
        if message.resume_token and self._snapshot is None:
            received.resume_token = message.resume_token
        if message.current:
            # The earlier of two clocks: one that jumped ahead must not make anything forgotten.
            received.held.forget(min(wall, server_time))
        return message.current


def seconds(time: Timestamp) -> float:
    """Give a Timestamp as seconds since 1970."""
    return float(time.seconds + time.nanos / 1e9)
