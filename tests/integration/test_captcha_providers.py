"""CAPTCHAs of others, verified by siteverify: hCaptcha, Turnstile and reCAPTCHA, up and down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import structlog
from grpc.aio import AioRpcError

from tests.conftest import Clock
from tests.integration.captchas import challenge, guess, under_pressure
from tests.integration.http_server import Gateway, answer, gateway
from tests.service import Service, reason, refused, retry_after, serving, settings_for
from twofold.v1 import recovery_pb2

SITE_KEY = "10000000-site-key"
SECRET = "0x-the-secret-of-the-site"


@pytest.fixture
async def hcaptcha() -> Any:
    """A provider that finds every token good."""
    async with gateway(then=answer(200, b'{"success": true}')) as provider:
        yield provider


def asking(provider: Gateway, database: str, folder: Path, name: str = "hcaptcha", *, allowed: bool = True) -> Any:
    """Settings of a server whose CAPTCHAs that provider checks."""
    return settings_for(
        database,
        folder,
        captcha_secrets={SITE_KEY: SECRET},
        captcha_endpoints={name: f"{provider.origin}/siteverify"},
        http_allowed=(provider.origin,) if allowed else (),
    )


async def ask_of(service: Service, name: str, **settings: str) -> None:
    """Let the realm's CAPTCHAs be a provider's."""
    await under_pressure(service, captcha_provider=name, captcha_site_key=SITE_KEY, **settings)


@pytest.mark.parametrize("name", ["hcaptcha", "turnstile", "recaptcha"])
async def test_a_providers_token_is_verified_with_the_secret_of_the_site(
    database: str, clock: Clock, tmp_path: Path, hcaptcha: Gateway, name: str
) -> None:
    """CreateCaptcha names provider and site key; the token goes to siteverify, with no address of the user."""
    async with serving(asking(hcaptcha, database, tmp_path, name), clock) as service:
        await ask_of(service, name)
        asked = await challenge(service)
        assert recovery_pb2.CaptchaProvider.Name(asked.provider) == f"CAPTCHA_PROVIDER_{name.upper()}"
        assert (asked.site_key, asked.challenge_json, asked.HasField("expire_time")) == (SITE_KEY, "", False)
        with refused("INVALID_CREDENTIALS"):
            await guess(service, "pressing@example.org", "a.token/of+the_widget=")
        (sent,) = hcaptcha.asked
        assert sent.line == "POST /siteverify HTTP/1.1"
        form = {"secret": [SECRET], "response": ["a.token/of+the_widget="]}
        assert parse_qs(sent.body.decode()) == form | ({"sitekey": [SITE_KEY]} if name == "hcaptcha" else {})


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("turnstile", {"success": False, "error-codes": ["invalid-input-response"]}, "CAPTCHA_INVALID"),
        ("turnstile", {"success": False, "error-codes": ["timeout-or-duplicate"]}, "CAPTCHA_INVALID"),
        ("turnstile", {"success": False}, "CAPTCHA_INVALID"),
        ("turnstile", {"success": False, "error-codes": "what"}, "CAPTCHA_INVALID"),
        ("turnstile", {"success": True, "score": 0.1}, "INVALID_CREDENTIALS"),
        ("recaptcha", {"success": True, "score": 0.9}, "INVALID_CREDENTIALS"),
        ("recaptcha", {"success": True, "score": 0.3}, "CAPTCHA_INVALID"),
        ("recaptcha", {"success": True}, "INVALID_CREDENTIALS"),
        ("hcaptcha", {"success": False, "error-codes": ["invalid-input-secret"]}, "CAPTCHA_UNAVAILABLE"),
        ("hcaptcha", {"success": False, "error-codes": ["sitekey-secret-mismatch"]}, "CAPTCHA_UNAVAILABLE"),
        ("hcaptcha", {"success": "true"}, "CAPTCHA_UNAVAILABLE"),
        ("hcaptcha", ["success"], "CAPTCHA_UNAVAILABLE"),
    ],
)
async def test_what_providers_answer(
    database: str, clock: Clock, tmp_path: Path, name: str, body: object, expected: str
) -> None:
    """A refused token is the user's to mend; a refused secret, or no answer to the question, is not."""
    async with (
        gateway(then=answer(200, json.dumps(body).encode())) as provider,
        serving(asking(provider, database, tmp_path, name), clock) as service,
    ):
        await ask_of(service, name)
        with refused(expected):
            await guess(service, "pressing@example.org", "token")


@pytest.mark.parametrize("fault", [None, answer(500), answer(429, b"{}"), answer(302), answer(200, b"<html>"), b"junk"])
async def test_a_provider_that_is_down_is_open_or_closed_as_the_realm_says(
    database: str, clock: Clock, tmp_path: Path, fault: bytes | None
) -> None:
    """Closed by default: UNAVAILABLE with RetryInfo. Open: let through. Both are logged and counted, no secrets."""
    async with (
        gateway(then=fault) as provider,
        serving(asking(provider, database, tmp_path), clock) as service,
    ):
        await ask_of(service, "hcaptcha")
        with structlog.testing.capture_logs() as logs, pytest.raises(AioRpcError) as raised:
            await guess(service, "pressing@example.org", "the-token-of-a-user")
        assert reason(raised.value) == "CAPTCHA_UNAVAILABLE"
        assert retry_after(raised.value) > 0
        await service.app.services.realms.set("default", {"captcha_when_down": "open"})
        with structlog.testing.capture_logs() as more, refused("INVALID_CREDENTIALS"):
            await guess(service, "pressing@example.org", "the-token-of-a-user")
        told = [line for line in [*logs, *more] if line["event"] == "captcha_provider_down"]
        assert [line["outcome"] for line in told] == ["refused", "let_through"]
        assert service.app.services.captchas.outcomes == {"refused": 1, "let_through": 1}
        for secret in (SECRET, "the-token-of-a-user"):
            assert secret not in str([*logs, *more])
        with refused("CAPTCHA_REQUIRED"):
            await guess(service, "pressing@example.org")


@pytest.mark.parametrize(
    "fault",
    [
        answer(200, b'{"success": false, "error-codes": ["bad-request"]}'),
        answer(400, b'{"success": false, "error-codes": ["bad-request"]}'), answer(400), answer(413), answer(414),
        answer(422, b"<html>"),
    ],
)  # fmt: skip
async def test_a_token_that_a_provider_cannot_read_opens_no_realm(
    database: str, clock: Clock, tmp_path: Path, fault: bytes
) -> None:
    """One that is too long, or of a form that makes the request a bad one, is no provider that is down."""
    async with (
        gateway(then=fault) as provider,
        serving(asking(provider, database, tmp_path, "turnstile"), clock) as service,
    ):
        await ask_of(service, "turnstile", captcha_when_down="open")
        with refused("CAPTCHA_INVALID"):
            await guess(service, "pressing@example.org", "t" * 8192)


async def test_a_provider_inside_the_network_is_not_called(database: str, clock: Clock, tmp_path: Path) -> None:
    """An endpoint on loopback that the operator did not allow gets no token and no secret."""
    async with (
        gateway() as provider,
        serving(asking(provider, database, tmp_path, allowed=False), clock) as service,
    ):
        await ask_of(service, "hcaptcha")
        with refused("CAPTCHA_UNAVAILABLE"):
            await guess(service, "pressing@example.org", "token")
        assert provider.asked == []


async def test_a_site_key_without_a_secret_is_a_provider_that_is_down(service: Service) -> None:
    """A realm that names a provider for which the server has no secret lets nobody through by mistake."""
    await ask_of(service, "turnstile")
    with refused("CAPTCHA_UNAVAILABLE"):
        await guess(service, "pressing@example.org", "token")
