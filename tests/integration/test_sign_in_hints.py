"""Hints of a forgotten address: for a resource's name, real or made up, and nobody can tell which."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from grpc.aio import AioRpcError

from dev.postgres import Server
from tests.conftest import Clock
from tests.integration.captchas import solved
from tests.integration.quick import Quick, new_database, quick_server
from tests.integration.rows_written import mark, written
from tests.integration.statements import log_statements
from tests.service import Service, reason, refused, retry_after
from twofold.v1 import recovery_pb2, sign_in_pb2
from twofold_server.domain.resources import ResourceRefused, Resources
from twofold_server.domain.values import EmailAddress, RealmId
from twofold_server.domain.written_texts import ResourceName

REALM = RealmId("default")
See = Callable[[Callable[[], Awaitable[Any]]], Awaitable[tuple[int, dict[str, int]]]]
FORM = re.compile(r"([a-z0-9][a-z0-9._-]?)?\*{2}@([a-z0-9][a-z0-9.-]?)?\*{3}\.[a-z]\*{2}")


async def hint(service: Service, name: str, captcha: str | None = None, network: str = "192.0.2.7") -> str:
    """The hint for a name, with a CAPTCHA solved for it."""
    client = sign_in_pb2.ClientContext(
        ip_address=network, captcha=await solved(service) if captcha is None else captcha
    )
    request = recovery_pb2.RequestSignInHintRequest(realm_id="default", resource_name=name, client=client)
    response = await service.recovery.RequestSignInHint(request, metadata=service.metadata)
    return str(response.masked_email)


async def allow(service: Service, **settings: str) -> None:
    """Let the realm give hints."""
    await service.app.services.realms.set("default", {"captcha_cost": "100", "sign_in_hint": "true", **settings})


def resources(service: Service) -> Resources:
    """What accounts own."""
    return Resources(service.app.pool, service.clock)


async def own(service: Service, name: str, address: str) -> None:
    """Note that the account of an address owns something."""
    await resources(service).add(REALM, ResourceName.parse(name), EmailAddress.parse(address))


async def test_whoever_names_something_of_the_account_gets_the_address_masked(service: Service) -> None:
    """RequestSignInHint: two letters of each part, however the name is written; the owner is told."""
    await allow(service)
    user = await service.new_user("lukas@wedos.com")
    await own(service, "Shop  Example.org", user.email)
    assert await hint(service, "shop example.ORG") == "lu**@we***.c**"
    (told,) = [mail for mail in await service.mails(user.email) if "hint" in str(mail["Subject"])]
    body = told.get_body(("plain",))
    assert body is not None
    assert "192.0.2.7" in body.get_content()


async def test_a_name_that_nobody_has_gets_a_hint_that_stays(service: Service) -> None:
    """Made up, the same each time and however it is written, others for other names, and nobody is mailed."""
    await allow(service, hints_per_network_per_hour="1000")
    found = [await hint(service, name) for name in ("nothing.example", "NOTHING.example", "nothing.example")]
    assert len(set(found)) == 1
    others = {await hint(service, f"other{number}.example") for number in range(12)}
    assert len(others) > 6
    assert all(FORM.fullmatch(one) for one in (*found, *others))
    assert await service.mails() == []


async def test_realms_give_none_unless_they_are_set_to(service: Service) -> None:
    """Off by default: FAILED_PRECONDITION for every name, before anything is counted or asked."""
    user = await service.new_user()
    await own(service, "shop.example", user.email)
    for name in ("shop.example", "nothing.example"):
        with refused("SIGN_IN_HINT_UNAVAILABLE"):
            await hint(service, name, "")


async def test_a_captcha_is_demanded_always_and_good_once(service: Service) -> None:
    """Without one, with an unsolved one or with one that was used: no hint, and no mail."""
    await allow(service)
    user = await service.new_user()
    await own(service, "shop.example", user.email)
    used = await solved(service)
    await hint(service, "nothing.example", used)
    sent = len(await service.mails(user.email))
    for captcha, expected in (("", "CAPTCHA_REQUIRED"), ("e30=", "CAPTCHA_INVALID"), (used, "CAPTCHA_INVALID")):
        with refused(expected):
            await hint(service, "shop.example", captcha)
    assert len(await service.mails(user.email)) == sent


async def test_a_network_gets_twenty_an_hour(service: Service) -> None:
    """More are refused with RetryInfo until the hour is over, for whatever name; another network goes on."""
    await allow(service, hints_per_network_per_hour="2")
    for name in ("one.example", "two.example"):
        await hint(service, name)
    with pytest.raises(AioRpcError) as raised:
        await hint(service, "one.example")
    assert reason(raised.value) == "TOO_MANY_ATTEMPTS"
    assert 0 < retry_after(raised.value) <= 3600
    await hint(service, "one.example", network="198.51.100.9")
    service.clock.advance(3600)
    await hint(service, "one.example")


async def test_owners_are_not_flooded_with_notices(service: Service) -> None:
    """From many networks, one owner is told as often in an hour as strangers may, and no link waits for that."""
    await allow(service, mails_per_address_per_hour="2")
    user = await service.new_user("owner@example.org")
    await own(service, "shop.example", user.email)
    for number in range(4):
        await hint(service, "shop.example", network=f"198.51.100.{number}")
    told = [mail for mail in await service.mails(user.email) if "hint" in str(mail["Subject"])]
    assert len(told) == 2
    await service.sign_up(user.email)
    assert len(await service.mails(user.email)) == 4


async def test_resources_have_one_owner_and_go_with_the_account(service: Service) -> None:
    """A name is unique in its realm; who has no account owns nothing; what was removed is a made-up hint again."""
    await allow(service)
    user, other = await service.new_user("lukas@wedos.com"), await service.new_user()
    before = await hint(service, "shop.example")
    await own(service, "shop.example", user.email)
    for name, address in (("SHOP.example", other.email), ("free.example", "nobody@example.org")):
        with pytest.raises(ResourceRefused):
            await own(service, name, address)
    listed = await resources(service).every(REALM)
    assert [(row.name, row.email) for row in listed] == [("shop.example", user.email)]
    assert await hint(service, "shop.example") == "lu**@we***.c**"
    await service.app.pool.execute("DELETE FROM accounts WHERE email = $1", user.email)
    assert await hint(service, "shop.example") == before
    with pytest.raises(ResourceRefused):
        await resources(service).remove(REALM, ResourceName.parse("shop.example"))


@pytest.mark.parametrize("name", ["", " ", "x" * 65, "two\nlines", "\u202eevil", "see https://evil.example"])
async def test_what_is_no_name_is_named(service: Service, name: str) -> None:
    """INVALID_FIELDS names `resource_name`."""
    await allow(service)
    with refused("INVALID_FIELDS", "resource_name"):
        await hint(service, name, "e30=")


@pytest.fixture(scope="module")
async def quick(
    cluster: Server, cluster_admin: asyncpg.Connection[asyncpg.Record], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Quick, See]]:
    database = await new_database(cluster, cluster_admin, "hints")
    statements = await log_statements(cluster, cluster_admin, database)
    clock = Clock(datetime(2026, 3, 14, 12, 0, tzinfo=UTC))
    async with quick_server(database, tmp_path_factory.mktemp("hints"), clock) as service:
        db = await asyncpg.connect(database)
        await db.execute("SET log_statement = 'none'")
        for job in service.app._jobs:
            job.cancel()

        async def see(call: Callable[[], Awaitable[Any]]) -> tuple[int, dict[str, int]]:
            since = await mark(db)
            made = await statements.during(call)
            return len(made), await written(db, since)

        yield service, see
        await db.close()


async def test_known_and_unknown_names_cost_the_same(
    quick: tuple[Quick, See],
) -> None:
    """As many statements, as many rows in the same tables."""
    service, see = quick
    await allow(service, hints_per_network_per_hour="1000")
    user = await service.new_user()
    await own(service, "shop.example", user.email)
    captchas = [await solved(service) for _ in range(4)]
    for name, captcha in (("shop.example", captchas[0]), ("nothing.example", captchas[1])):
        await hint(service, name, captcha)  # Warm: each connection prepares a statement once.

    known = await see(lambda: hint(service, "shop.example", captchas[2]))
    unknown = await see(lambda: hint(service, "nothing.example", captchas[3]))
    assert known == unknown
    assert known[1]["outbox"] == 1
    assert known[1]["captchas_spent"] == 1
