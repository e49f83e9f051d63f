"""A service that verifies tokens in a process of its own, and notes when each is refused first.

Reads the target, the credential and the tokens as JSON from standard input; prints `ready`, then `INDEX SECONDS` (of
the machine's monotonic clock) for each token, and ends with the last.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import uvloop

from twofold import Verifier
from twofold.errors import TwofoldError

_PAUSE_SECONDS = 0.001
_LONGEST_SECONDS = 120.0


async def _watch() -> None:
    given = json.loads(sys.stdin.readline())
    async with Verifier(
        given["target"], realm_id="default", audience="twofold", credential=given["credential"]
    ) as verifier:
        left = dict(enumerate(given["tokens"]))
        for token in left.values():
            verifier.verify(token)
        print("ready", flush=True)
        ends = time.monotonic() + _LONGEST_SECONDS
        while left and time.monotonic() < ends:
            for index, token in list(left.items()):
                try:
                    verifier.verify(token)
                except TwofoldError:
                    print(index, time.monotonic(), flush=True)
                    del left[index]
            await asyncio.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    uvloop.run(_watch())
