"""One account, guessed at from everywhere, while its owner goes on using it."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from dataclasses import dataclass, field

from tests.integration.budgets import WRONG_PASSWORD, outcome
from tests.service import Service, User
from twofold.v1 import sign_in_pb2

NETWORKS = 1000
_AT_ONCE = 48


@dataclass
class Siege:
    """What became of the guesses, and of the owner's sign-ins."""

    guesses: Counter[str] = field(default_factory=Counter)
    owner: Counter[str] = field(default_factory=Counter)


def most_answered(seconds: int, free: int = 5, first_wait: int = 30) -> int:
    """How many guesses an account's budget answers in so long a time: the free ones, then one after each wait."""
    return free + math.floor(math.log2(seconds / first_wait + 1))


async def besiege(service: Service, user: User, a_second: int, seconds: int) -> Siege:
    """Guess so many times in each second of the service's clock, from 1,000 networks in turn.

    Every fifth second, amid the guesses, the owner signs in on the device that they use.
    """
    found, number = Siege(), 0
    room = asyncio.Semaphore(_AT_ONCE)

    async def guess(n: int) -> None:
        where = sign_in_pb2.ClientContext(
            ip_address=f"10.{n % NETWORKS // 250}.{n % NETWORKS % 250}.9", user_agent=f"Guess/{n % 7}"
        )
        async with room:
            found.guesses[await outcome(service.sign_in(user, password=WRONG_PASSWORD, client=where))] += 1

    async def own() -> None:
        async with room:
            found.owner[await outcome(service.sign_in(user, device=True))] += 1

    for second in range(seconds):
        calls = [guess(n) for n in range(number, number + a_second)]
        if second % 5 == 0:
            calls.insert(len(calls) // 2, own())
        await asyncio.gather(*calls)
        number += a_second
        service.clock.advance(1)
    return found
