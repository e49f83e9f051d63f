"""How a verifier judges a token: what it holds, and the way through it. No I/O, and any thread may ask."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final, TypeAlias

from twofold import access_token
from twofold.access_token import Key
from twofold.claims import MAX_LEEWAY_SECONDS, Expected
from twofold.p256 import PublicKey
from twofold.revocations import Received, ReceivedStream, seconds
from twofold.verified import BadToken, ExpiredToken, UnknownKey, VerifiedSession, ended, expired, invalid, not_ready

if TYPE_CHECKING:
    from collections.abc import Callable

    from twofold.v1 import session_pb2

UNKNOWN_KEY_SECONDS: Final = 30.0
"""At most one fetch of the keys in this time for the sake of tokens that name an unknown one."""

_Entry: TypeAlias = tuple[VerifiedSession, float, str, str, int, str]


class _Cache:
    """Entries by digest, those of the last `size` or half as many: what was not asked for meanwhile is let go.

    Two halves instead of an order of use, which each look-up would have to write. Racing threads lose an entry at
    worst.
    """

    __slots__ = ("_half", "_old", "_young")

    def __init__(self, size: int) -> None:
        self._half = max(1, size // 2)
        self._young: dict[bytes, _Entry] = {}
        self._old: dict[bytes, _Entry] = {}

    def get(self, digest: bytes) -> _Entry | None:
        entry = self._young.get(digest)
        if entry is None:
            entry = self._old.get(digest)
            if entry is not None:
                self.put(digest, entry)
        return entry

    def put(self, digest: bytes, entry: _Entry) -> None:
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[digest] = entry


@dataclass(frozen=True, slots=True)
class _Trust:
    """A key set and what was verified with it: another set begins with an empty cache."""

    expected: Expected
    keys: dict[str, Key]
    published: bytes
    cache: _Cache = field(repr=False)
    headers: dict[bytes, Key] = field(default_factory=dict)


class Judge:
    """Judges tokens of one realm and audience by the keys and revocations that it is given."""

    def __init__(
        self,
        realm_id: str,
        audience: str,
        *,
        leeway: float,
        silence: float,
        cache_size: int,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        fetch_keys: Callable[[], None],
    ) -> None:
        """Take the settings of a Verifier; `fetch_keys` is called, from any thread, when the keys are to be fetched.

        Raises ValueError where a value makes no sense.
        """
        if not realm_id or not audience:
            raise ValueError("a verifier needs the realm and the audience that its tokens must have been issued for")
        if not 0 <= leeway <= MAX_LEEWAY_SECONDS:
            raise ValueError(f"the leeway is 0 to {MAX_LEEWAY_SECONDS:.0f} seconds, not {leeway}")
        if not (math.isfinite(silence) and silence > 0):
            raise ValueError(f"silence must be a positive number of seconds, not {silence}")
        if cache_size < 2:
            raise ValueError("cache_size must be at least 2")
        self.realm_id = realm_id
        self.audience = audience
        self.silence = silence
        self.received = Received(realm_id)
        self._leeway = leeway
        self._cache_size = cache_size
        self._clock = clock
        self._monotonic = monotonic
        self._fetch_keys = fetch_keys
        self._trust: _Trust | None = None
        self._fresh_until = -math.inf
        self._lock = threading.Lock()
        self._fetching = False
        self._stopped = False
        self._unknown_key_from = -math.inf

    @property
    def has_keys(self) -> bool:
        """Whether there are keys to verify with."""
        return self._trust is not None

    @property
    def is_fresh(self) -> bool:
        """Whether all that was revoked is known, and a sign of life was heard lately."""
        return self._trust is not None and self._monotonic() <= self._fresh_until

    def verify(self, token: str) -> VerifiedSession:
        """Judge a token by what is held; never waits. Raises as Verifier.verify."""
        # Before it is judged: what is heard meanwhile, in another thread, does not make what was held before fresh.
        fresh_until = self._fresh_until
        try:
            session = self.judge(token)
        except UnknownKey:
            if self.want_keys():
                raise not_ready("The token names a key that is being fetched.") from None
            raise invalid("unknown key") from None
        if self._monotonic() > fresh_until:
            raise not_ready(self.why_not_fresh())
        return session

    def judge(self, token: str) -> VerifiedSession:
        """Judge a token by what is held, fresh or not. Raises UnknownKey, SessionEnded, SessionExpired."""
        trust = self._trust
        if trust is None:
            raise not_ready("The signing keys have not been fetched yet.")
        try:
            raw = token.encode("ascii")
        except UnicodeEncodeError:
            raise invalid("not ASCII") from None
        except AttributeError:
            raise TypeError(f"the token is a str, not {type(token).__name__}") from None
        now = self._clock()
        # Of the whole token: a forged copy with another signature is another entry.
        digest = sha256(raw).digest()
        entry = trust.cache.get(digest)
        if entry is None or now >= entry[1]:
            entry = self._read(trust, raw, digest, now)
        session, _, session_id, account_id, epoch, kid = entry
        if self.received.held.is_dead(session_id, account_id, epoch, kid):
            raise ended()
        return session

    def _read(self, trust: _Trust, raw: bytes, digest: bytes, now: float) -> _Entry:
        try:
            session, until, kid = access_token.read(raw, trust.keys, trust.headers, trust.expected, now)
        except UnknownKey as unknown:
            # Taken out of the set because it is revoked: there is nothing to fetch.
            if self.received.held.is_key_dead(unknown.kid):
                raise ended() from None
            raise
        except ExpiredToken:
            raise expired() from None
        except BadToken as bad:
            raise invalid(str(bad)) from None
        entry = (session, until, session.session_id, session.account_id, session.epoch, kid)
        trust.cache.put(digest, entry)
        return entry

    def why_not_fresh(self) -> str:
        """Say why nobody is vouched for."""
        if self._fresh_until == -math.inf:
            return "It is not known yet what is revoked."
        return f"Nothing was heard of what is revoked for {self.silence:g} s."

    def take_keys(self, response: session_pb2.GetSigningKeysResponse) -> None:
        """Verify with these keys from now on. Raises ValueError where they or the issuer make no sense."""
        if not response.issuer:
            raise ValueError("the server names no issuer")
        if self.audience not in response.audiences:
            raise ValueError(f"the realm {self.realm_id!r} issues no tokens for the audience {self.audience!r}")
        published = response.SerializeToString(deterministic=True)
        with self._lock:
            self._fetching = False
            if self._stopped or (self._trust is not None and self._trust.published == published):
                return
            keys = {
                key.key_id: Key(
                    key.key_id,
                    PublicKey(key.x, key.y),
                    seconds(key.retire_time) if key.HasField("retire_time") else math.inf,
                )
                for key in response.keys
            }
            expected = Expected(self.realm_id, response.issuer, self.audience, self._leeway)
            self._trust = _Trust(expected, keys, published, _Cache(self._cache_size))

    def want_keys(self) -> bool:
        """Have the keys fetched because of an unknown one, unless that was done lately. True: they are on their way."""
        with self._lock:
            if self._fetching:
                return True
            now = self._monotonic()
            if now < self._unknown_key_from:
                return False
            self._unknown_key_from = now + UNKNOWN_KEY_SECONDS
            self._fetching = True
        self._fetch_keys()
        return True

    @property
    def keys_coming(self) -> bool:
        """Whether the keys are being fetched."""
        return self._fetching

    def begin_fetch(self) -> None:
        """A fetch of the keys begins; it ends with take_keys, however often it must be tried."""
        with self._lock:
            self._fetching = True

    def open_stream(self) -> JudgedStream:
        """Begin to take the messages of a stream that was opened with `received.resume_token`."""
        return JudgedStream(self, self.received.stream(self.silence))

    def take(self, stream: ReceivedStream, message: session_pb2.WatchRevocationsResponse) -> bool:
        """Take a message of a stream in; True if all is known with it. Raises StreamBroken."""
        keys_before = self.received.held.dead_keys()
        heard = self._monotonic()
        current = stream.take(message, heard, self._clock())
        if current:
            self._fresh_until = heard + self.silence
        if self.received.held.dead_keys() - keys_before:
            # Withdrawn in an emergency: what signs now may be known to nobody yet.
            self._fetch_keys()
        return current

    def stop(self) -> None:
        """Vouch for nobody any more, whatever arrives yet."""
        with self._lock:
            self._stopped = True
            self._trust = None
        self._fresh_until = -math.inf


class JudgedStream:
    """One stream of revocations, taken in by a Judge."""

    def __init__(self, judge: Judge, stream: ReceivedStream) -> None:
        self._judge = judge
        self._stream = stream
        self.told = False
        """Whether it has told all, once at least."""

    def take(self, message: session_pb2.WatchRevocationsResponse) -> None:
        """Take a message in. Raises StreamBroken."""
        self.told = self._judge.take(self._stream, message) or self.told
