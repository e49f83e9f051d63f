"""CAPTCHAs: the built-in proof of work, demanded under pressure, each good once."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from grpc.aio import AioRpcError

from tests.integration.captchas import challenge, cheap, guess, solve, solved, under_pressure, with_captcha
from tests.service import Service, details, fields, reason, refused
from twofold.v1 import account_pb2, recovery_pb2, sign_in_pb2
from twofold_server.domain.attempts import Origin
from twofold_server.domain.clients import Client
from twofold_server.domain.errors import CaptchaInvalid
from twofold_server.jobs import Retention


def altered(text: str, change: Callable[[dict[str, Any]], None]) -> str:
    """A solution with something of it changed."""
    content = json.loads(base64.b64decode(text))
    change(content)
    return base64.b64encode(json.dumps(content).encode()).decode()


async def test_a_challenge_costs_no_row_and_says_until_when(service: Service) -> None:
    """CreateCaptcha gives the widget's JSON of at most 1024 characters and the time of its end, and writes nothing."""
    asked = await challenge(service)
    content = json.loads(asked.challenge_json)
    assert asked.provider == recovery_pb2.CAPTCHA_PROVIDER_ALTCHA
    assert asked.expire_time.ToDatetime().timestamp() == content["parameters"]["expiresAt"]
    assert (asked.expire_time.ToDatetime() - service.clock().replace(tzinfo=None)).total_seconds() == 600
    assert len(asked.challenge_json) < 1024
    assert asked.challenge_json != (await challenge(service)).challenge_json
    assert not asked.site_key
    assert await service.app.pool.fetchval("SELECT count(*) FROM captchas_spent") == 0


async def test_none_is_asked_for_unless_the_realm_says_so(service: Service) -> None:
    """By default neither SignIn nor SignUp asks, however much failed, and what is sent is not looked at."""
    user = await service.new_user()
    for _ in range(5):
        with refused("INVALID_CREDENTIALS"):
            await guess(service, "pressing@example.org")
    await service.sign_in(user, client=with_captcha(service, "nobody-asked"))
    assert not service.app.services.captchas.outcomes


async def test_a_network_that_failed_must_solve_one_to_sign_in(service: Service) -> None:
    """After the realm's number of failures SignIn needs a solved CAPTCHA, each time another one."""
    user = await service.new_user()
    await under_pressure(service)
    with pytest.raises(AioRpcError) as raised:
        await service.sign_in(user)
    assert reason(raised.value) == "CAPTCHA_REQUIRED"
    assert details(raised.value)["ErrorInfo"].metadata["provider"] == "altcha"
    assert details(raised.value)["PreconditionFailure"].violations[0].type == "CAPTCHA"
    first = await solved(service)
    with refused("INVALID_CREDENTIALS"):
        await guess(service, user.email, first)
    with refused("CAPTCHA_INVALID", "client.captcha"):
        await service.sign_in(user, client=with_captcha(service, first))
    await service.sign_in(user, client=with_captcha(service, await solved(service)))
    other = sign_in_pb2.ClientContext(ip_address="198.51.100.9")
    await service.sign_in(user, client=other)
    outcomes = service.app.services.captchas.outcomes
    assert outcomes == {"required": 1, "passed": 2, "invalid": 1}


async def test_known_and_unknown_addresses_are_asked_alike_before_any_hash(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same refusal for both, and no work and no count for either."""
    user = await service.new_user()
    await under_pressure(service)
    counted = await service.app.pool.fetch("SELECT failures FROM network_failures WHERE network NOT LIKE 'sign-up%'")

    async def never(*_: object, **__: object) -> bool:
        raise AssertionError("hashed")

    monkeypatch.setattr(service.app.engine, "verify", never)
    monkeypatch.setattr(service.app.engine, "decoy", never)
    said = []
    for address in (user.email, "nobody@example.org"):
        for captcha in ("", "bm8=", "[[[["):
            with pytest.raises(AioRpcError) as raised:
                await guess(service, address, captcha)
            said.append((raised.value.code(), raised.value.details(), str(details(raised.value))))
    assert said[:3] == said[3:]
    assert [found[0].name for found in said[:3]] == ["FAILED_PRECONDITION", "INVALID_ARGUMENT", "INVALID_ARGUMENT"]
    after = await service.app.pool.fetch("SELECT failures FROM network_failures WHERE network NOT LIKE 'sign-up%'")
    assert after == counted


async def test_a_known_device_is_never_asked(service: Service) -> None:
    """However much failed around it, its owner signs in as always."""
    user = await service.signed_in_user()
    await under_pressure(service)
    await service.sign_in(user, device=True)
    with refused("CAPTCHA_REQUIRED"):
        await service.sign_in(user)


async def test_a_network_that_signs_many_up_must_solve_one(service: Service) -> None:
    """After the realm's number of sign-ups SignUp needs a solved CAPTCHA; for taken addresses as for free ones."""
    user = await service.new_user()
    await cheap(service, captcha_sign_up_after="2")
    await service.sign_up("second@example.org")
    for address in (user.email, "third@example.org"):
        with refused("CAPTCHA_REQUIRED"):
            await service.sign_up(address)
        request = account_pb2.SignUpRequest(
            email=address, password="another horse battery 4", client=with_captcha(service, await solved(service))
        )
        await service.accounts.SignUp(request)
        with refused("CAPTCHA_INVALID", "client.captcha"):
            await service.accounts.SignUp(request)


async def test_what_was_not_solved_or_was_altered_is_none(service: Service) -> None:
    """Less work, a later end, other numbers, foreign signatures and numbers of another kind are refused as such."""
    await under_pressure(service)
    good = await solved(service)

    def parameter(name: str, value: object) -> Callable[[dict[str, Any]], None]:
        return lambda content: content["challenge"]["parameters"].__setitem__(name, value)

    def solution(name: str, value: object) -> Callable[[dict[str, Any]], None]:
        return lambda content: content["solution"].__setitem__(name, value)

    for change in (
        parameter("cost", 1), parameter("cost", 100.0), parameter("keyPrefix", ""), parameter("keyLength", 32.0),
        parameter("algorithm", "SHA-256"), parameter("data", {"expire": 4102444800}), parameter("data", None),
        parameter("nonce", "00" * 16), parameter("expiresAt", None), solution("counter", 2**32),
        solution("counter", -1), solution("counter", "1"), solution("derivedKey", "00" * 32),
        solution("derivedKey", None),
        lambda content: content["challenge"].__setitem__("signature", "0" * 64),
        lambda content: content["challenge"].__setitem__("signature", None),
        lambda content: content["challenge"].__setitem__("signature", content["challenge"]["signature"].upper()),
        lambda content: content.__setitem__("challenge", []),
        lambda content: content.clear(),
    ):  # fmt: skip
        with refused("CAPTCHA_INVALID", "client.captcha"):
            await guess(service, "pressing@example.org", altered(good, change))
    for text in ("W10=", base64.b64encode(b"[" * 6000).decode(), "AAAA", "====", base64.b64encode(b"\xff").decode()):
        with refused("CAPTCHA_INVALID", "client.captcha"):
            await guess(service, "pressing@example.org", text)
    with refused("INVALID_CREDENTIALS"):
        await guess(service, "pressing@example.org", good)


async def test_one_that_was_used_is_used_however_it_is_spelt(service: Service) -> None:
    """Other spaces, another advice to the widget, another time taken: it is the same challenge."""
    await under_pressure(service)
    good = await solved(service)
    with refused("INVALID_CREDENTIALS"):
        await guess(service, "pressing@example.org", good)
    for again in (
        good,
        altered(good, lambda content: content["challenge"]["parameters"].__setitem__("expiresAt", 4102444800)),
        altered(good, lambda content: content["solution"].__setitem__("time", 7)),
        altered(good, lambda content: content.__setitem__("more", "of it")),
        good.rstrip("=") + "====",
    ):
        with refused("CAPTCHA_INVALID"):
            await guess(service, "pressing@example.org", again)


async def test_a_challenge_expires_by_the_clock_of_the_service(service: Service) -> None:
    """Solved in time, and sent too late: refused. Its row goes an hour after it could have been used."""
    await under_pressure(service, captcha_lifetime="60s", captcha_sign_up_after="1")
    late, used = await solved(service), await solved(service)
    with refused("INVALID_CREDENTIALS"):
        await guess(service, "pressing@example.org", used)
    service.clock.advance(60)
    with refused("CAPTCHA_INVALID"):
        await guess(service, "pressing@example.org", late)
    retention = Retention(service.app.pool, service.clock)
    for seconds, left in ((3599, 1), (2, 0)):
        service.clock.advance(seconds)
        await retention.run_once()
        assert await service.app.pool.fetchval("SELECT count(*) FROM captchas_spent") == left


async def test_one_realms_challenge_is_none_of_another(service: Service) -> None:
    """Whoever solves them in bulk for one realm has nothing for the next."""
    realms, captchas = service.app.services.realms, service.app.services.captchas
    await cheap(service)
    other = await realms.create("second", settings={"captcha_cost": "100"})
    text = await solved(service)
    with pytest.raises(CaptchaInvalid):
        await captchas.demand(other, Origin("shop", Client("loopback", captcha=text)), always=True)
    own = await solve((await captchas.create(other)).challenge_json)
    await captchas.demand(other, Origin("shop", Client("loopback", captcha=own)), always=True)


async def test_a_realm_may_ask_for_none(service: Service) -> None:
    """`captcha_provider=none`: CreateCaptcha says so."""
    await service.app.services.realms.set("default", {"captcha_provider": "none"})
    asked = await challenge(service)
    assert asked == recovery_pb2.CreateCaptchaResponse(provider=recovery_pb2.CAPTCHA_PROVIDER_NONE)


async def test_what_is_no_token_of_any_widget_is_named(service: Service) -> None:
    """More than 8192 characters, spaces, or other than ASCII: INVALID_FIELDS names `client.captcha`."""
    for text in ("x" * 8193, "two words", "é", "line\nbreak"):
        with pytest.raises(AioRpcError) as raised:
            await guess(service, "pressing@example.org", text)
        assert (reason(raised.value), fields(raised.value)) == ("INVALID_FIELDS", {"client.captcha"})
