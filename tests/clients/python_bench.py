"""How fast the Python client's verifier is on one core, beside the limits that nothing of its kind can pass."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import Any, Final

from tests.load.verifier import AUDIENCE, ES256, ISSUER, KEY, KID, REALM, alternate, token
from twofold import SyncVerifier
from twofold.v1 import session_pb2

_SECONDS: Final = 1.0
_TOKENS: Final = 4_000


def main(config: dict[str, Any]) -> None:
    """Print the four rates, in calls a second, each over a second at least; limit and verifier take turns."""
    verifier = _ready()
    public = KEY.public_key()
    raw, new, look_up, seen = ([0, 0.0] for _ in range(4))
    while min(raw[1], new[1], look_up[1], seen[1]) < _SECONDS:
        made = [token(int(time.time())) for _ in range(_TOKENS)]
        texts = [text.decode() for text, _, _ in made]
        found = alternate(lambda one: public.verify(one[2], one[1], ES256), made, verifier.verify, texts)
        _add(raw, new, found)
        # Other strings of the same text: those of a request are never the ones that were seen.
        find = {sha256(text).digest(): text for text, _, _ in made}.get
        for _ in range(10):
            again = [text.decode() for text, _, _ in made]
            bare = [text.decode() for text, _, _ in made]
            _add(look_up, seen, alternate(partial(_look_up, find), bare, verifier.verify, again))
    rates = {"raw_p256": raw, "hash_and_map": look_up, "new": new, "seen": seen}
    print(json.dumps({name: round(count / seconds) for name, (count, seconds) in rates.items()}))


def _ready() -> SyncVerifier:
    """A verifier that is told by hand what a server would tell it."""
    verifier = SyncVerifier("127.0.0.1:9", realm_id=REALM, audience=AUDIENCE, silence=3600.0, cache_size=4 * _TOKENS)
    numbers = KEY.public_key().public_numbers()
    key = session_pb2.SigningKey(key_id=KID, x=numbers.x.to_bytes(32, "big"), y=numbers.y.to_bytes(32, "big"))
    verifier._judge.take_keys(session_pb2.GetSigningKeysResponse(keys=[key], issuer=ISSUER, audiences=[AUDIENCE]))
    message = session_pb2.WatchRevocationsResponse(reset=True, current=True, resume_token="1.1")
    message.server_time.GetCurrentTime()
    verifier._judge.open_stream().take(message)
    return verifier


def _look_up(find: Callable[[bytes], object], text: str) -> object:
    return find(sha256(text.encode()).digest())


def _add(limit: list[Any], work: list[Any], chunks: tuple[list[float], list[float]]) -> None:
    for total, seconds in zip((limit, work), chunks, strict=True):
        total[0] += _TOKENS
        total[1] += sum(seconds) * _TOKENS / len(seconds)
