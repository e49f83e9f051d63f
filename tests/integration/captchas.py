"""Solves CAPTCHAs as a browser's widget does, and tells servers how many iterations that may take."""

from __future__ import annotations

import asyncio
import json

import altcha

from tests.integration.budgets import WRONG_PASSWORD
from tests.service import Service, User, refused
from twofold.v1 import recovery_pb2, sign_in_pb2


async def challenge(service: Service) -> recovery_pb2.CreateCaptchaResponse:
    """A fresh challenge of the realm `default`."""
    response: recovery_pb2.CreateCaptchaResponse = await service.recovery.CreateCaptcha(
        recovery_pb2.CreateCaptchaRequest(realm_id="default"), metadata=service.metadata
    )
    return response


async def solve(challenge_json: str) -> str:
    """What the widget returns for a challenge."""
    made = altcha.Challenge.from_dict(json.loads(challenge_json))
    solution = await asyncio.to_thread(altcha.solve_challenge, made)
    assert solution is not None
    return altcha.Payload(made, solution).to_base64()


async def solved(service: Service) -> str:
    """A solved CAPTCHA of the realm `default`."""
    return await solve((await challenge(service)).challenge_json)


async def cheap(service: Service, **settings: str) -> None:
    """Let challenges of the realm `default` cost as little as they may, and change further settings of it."""
    await service.app.services.realms.set("default", {"captcha_cost": "100", **settings})


def with_captcha(service: Service, text: str) -> sign_in_pb2.ClientContext:
    """The end user's side with what a widget returned."""
    client = sign_in_pb2.ClientContext(captcha=text)
    client.MergeFrom(service.client)
    return client


async def guess(service: Service, address: str, captcha: str = "") -> None:
    """A wrong password, from an unknown device."""
    await service.sign_in(User(address), password=WRONG_PASSWORD, client=with_captcha(service, captcha))


async def under_pressure(service: Service, **settings: str) -> None:
    """Let SignIn ask after two failures, and let the test's network have had them."""
    await cheap(service, captcha_sign_in_after="2", **settings)
    for _ in range(2):
        with refused("INVALID_CREDENTIALS"):
            await guess(service, "pressing@example.org")
