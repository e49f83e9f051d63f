"""Solved CAPTCHAs at once: each is good for one call, on however many servers it is presented."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial

from grpc.aio import AioRpcError

from tests.integration.captchas import cheap, solved
from tests.races.overlap import overlap
from tests.service import Service, reason
from twofold.v1 import account_pb2, sign_in_pb2
from twofold_server.db import captcha
from twofold_server.db.pool import Connection, Pool

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


async def test_a_spend_waits_for_another_and_wins_only_if_that_is_undone(pool: Pool) -> None:
    """Two that spend one challenge: the second is judged on what the first left."""

    async def spend(connection: Connection, name: bytes) -> bool:
        return await captcha.spend(connection, "default", name, NOW + timedelta(minutes=10))

    for roll_back in (False, True):
        name = str(roll_back).encode().ljust(32, b"\0")
        met = await overlap(pool, partial(spend, name=name), partial(spend, name=name), roll_back=roll_back)
        assert met.waited
        assert (met.first, met.second) == (True, roll_back)


async def test_of_twenty_sign_ups_with_one_captcha_at_once_one_passes(two_services: tuple[Service, Service]) -> None:
    """Over two servers: one sign-up, nineteen refusals that name the CAPTCHA."""
    one, other = two_services
    await cheap(one, captcha_sign_up_after="1")
    await one.sign_up("first@example.org")
    client = sign_in_pb2.ClientContext(captcha=await solved(one))
    client.MergeFrom(one.client)

    async def sign_up(number: int) -> str:
        request = account_pb2.SignUpRequest(
            email=f"user{number}@example.org", password="another horse battery 4", client=client
        )
        try:
            await (one, other)[number % 2].accounts.SignUp(request)
        except AioRpcError as error:
            return reason(error)
        return "OK"

    assert Counter(await asyncio.gather(*[sign_up(number) for number in range(20)])) == {
        "OK": 1, "CAPTCHA_INVALID": 19
    }  # fmt: skip
