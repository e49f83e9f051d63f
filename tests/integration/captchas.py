"""Solves CAPTCHAs as a browser's widget does, and tells servers how many iterations that may take."""

from __future__ import annotations

import asyncio
import json

import altcha

from tests.service import Service
from twofold.v1 import recovery_pb2


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
