"""Passwords known from data breaches: asked of a file or by five digits of a hash, and refused wherever one is set."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from grpc.aio import AioRpcError

from tests.conftest import Clock
from tests.integration.http_server import answer, gateway
from tests.service import Service, User, details, reason, refused, retry_after, serving, settings_for
from twofold.v1 import account_pb2
from twofold_server.settings import Settings

BREACHED = "turquoise teapot 19"
GOOD = "another horse battery 4"


def digest(password: str) -> str:
    """SHA-1, as such lists have it."""
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


def asking(where: str, database: str, folder: Path, when_down: str = "closed", *allowed: str) -> Settings:
    """Settings of a server that looks new passwords up."""
    return settings_for(
        database, folder, breached_passwords=where, breached_passwords_when_down=when_down, http_allowed=allowed
    )


def range_of(*passwords: str) -> bytes:
    """An answer of the range protocol: the passwords, others, and padding."""
    lines = [f"{digest(password)[5:]}:7" for password in passwords]
    others = [f"{number:035X}:{number}" for number in range(1, 5)]
    return answer(200, "\r\n".join([*others, *lines, "0" * 34 + "A:0"]).encode())


async def places(service: Service) -> dict[str, tuple[str, Callable[[str], Awaitable[Any]]]]:
    """Every way to set a password: the field and the call."""
    user = await service.signed_in_user(password=GOOD)
    await service.sign_up("mailbox@example.org", password=GOOD)
    link = await service.link_token("mailbox@example.org")
    return {
        "SignUp": ("password", lambda password: service.sign_up("someone@example.org", password=password)),
        "ActivateAccount": (
            "new_password",
            lambda password: service.accounts.ActivateAccount(
                account_pb2.ActivateAccountRequest(activation_token=link, new_password=password, client=service.client)
            ),
        ),
        "ChangePassword": (
            "new_password",
            lambda password: service.accounts.ChangePassword(
                account_pb2.ChangePasswordRequest(
                    reauthentication=user.reauthentication, new_password=password, client=service.client
                ),
                metadata=service.with_session(user),
            ),
        ),
    }


@pytest.fixture
async def service(database: str, clock: Clock, tmp_path: Path) -> Any:
    """A server with a file of one breached password among others."""
    lines = sorted(f"{digest(text)}:3" for text in (BREACHED, *(f"filler {number}" for number in range(500))))
    file = tmp_path / "breached.txt"
    file.write_text("\n".join(lines) + "\n")
    async with serving(asking(f"file:{file}", database, tmp_path), clock) as served:
        yield served


async def test_every_place_that_sets_a_password_asks_the_file(service: Service) -> None:
    """SignUp, ActivateAccount and ChangePassword refuse a listed password by name of its field, and take another."""
    for name, (field, call) in (await places(service)).items():
        with refused("INVALID_FIELDS", field):
            await call(BREACHED)
        await call(f"{GOOD} of {name}")


async def test_signing_up_says_the_same_of_taken_and_free_addresses(service: Service) -> None:
    """The refusal differs by password only, and nothing is mailed."""
    user = await service.new_user(password=GOOD)
    sent = len(await service.mails())
    said = []
    for address in (user.email, "free@example.org"):
        with pytest.raises(AioRpcError) as raised:
            await service.sign_up(address, password=BREACHED)
        said.append((raised.value.details(), str(details(raised.value)["BadRequest"])))
    assert said[0] == said[1]
    assert len(await service.mails()) == sent


async def test_signing_in_is_never_asked_about(database: str, clock: Clock, tmp_path: Path) -> None:
    """A password that was set before it was listed still signs in; and no sign-in tells anybody of its password."""
    async with gateway(then=range_of()) as lists:
        where = f"{lists.origin}/range"
        async with serving(asking(where, database, tmp_path, "closed", lists.origin), clock) as service:
            user = await service.new_user(password=BREACHED)
            lists.then = None
            asked = len(lists.asked)
            await service.sign_in(user)
            assert len(lists.asked) == asked


async def test_no_more_than_five_digits_of_the_hash_leave(database: str, clock: Clock, tmp_path: Path) -> None:
    """GET {base}/{five digits}, padded, with nothing else of the password; its line is found in any case of letters."""
    async with gateway(then=range_of(BREACHED)) as lists:
        where = f"{lists.origin}/range/"
        async with serving(asking(where, database, tmp_path, "closed", lists.origin), clock) as service:
            with structlog.testing.capture_logs() as logs, refused("INVALID_FIELDS", "password"):
                await service.sign_up("someone@example.org", password=BREACHED)
            lists.then = answer(200, f"{digest(BREACHED)[5:].lower()}:12".encode())
            with refused("INVALID_FIELDS", "password"):
                await service.sign_up("someone@example.org", password=BREACHED)
            # Padding that happens to be it, another range's line, and nothing at all.
            for body in (f"{digest(BREACHED)[5:]}:0", f"{digest(GOOD)[5:]}:9", ""):
                lists.then = answer(200, body.encode())
                await service.sign_up("someone@example.org", password=BREACHED)
        for sent in lists.asked:
            assert sent.line == f"GET /range/{digest(BREACHED)[:5]} HTTP/1.1"
            assert sent.headers["add-padding"] == "true"
            assert sent.body == b""
        everything = str([*logs, *(str(sent) for sent in lists.asked)])
        for secret in (BREACHED, digest(BREACHED), digest(BREACHED)[5:], digest(BREACHED).lower()[:10]):
            assert secret not in everything


@pytest.mark.parametrize(
    "fault", [None, answer(500), answer(404), answer(302), answer(200, b"<html>"), answer(200, b"A" * 300_000), b"junk"]
)
async def test_a_list_that_is_down_is_open_or_closed_as_the_operator_says(
    database: str, clock: Clock, tmp_path: Path, fault: bytes | None
) -> None:
    """Closed: UNAVAILABLE with RetryInfo, nothing done. Open: the password passes. Both are logged, and no password."""
    async with gateway(then=fault) as lists:
        where = f"{lists.origin}/range"
        settings = asking(where, database, tmp_path, "closed", lists.origin)
        async with serving(settings, clock) as service:
            with structlog.testing.capture_logs() as logs, pytest.raises(AioRpcError) as raised:
                await service.sign_up("someone@example.org", password=BREACHED)
            assert reason(raised.value) == "PASSWORD_CHECK_UNAVAILABLE"
            assert retry_after(raised.value) > 0
            assert await service.mails() == []
        settings = settings.model_copy(update={"breached_passwords_when_down": "open"})
        async with serving(settings, clock) as service:
            with structlog.testing.capture_logs() as more:
                await service.sign_up("someone@example.org", password=BREACHED)
            assert len(await service.mails()) == 1
        told = [line for line in [*logs, *more] if line["event"] == "breach_list_down"]
        assert [line["outcome"] for line in told] == ["refused", "let_through"]
        assert digest(BREACHED)[:5] not in str([*logs, *more])


async def test_a_list_inside_the_network_is_not_called(database: str, clock: Clock, tmp_path: Path) -> None:
    """An endpoint on loopback that the operator did not allow is down, and hears nothing."""
    async with gateway() as lists:
        async with serving(asking(f"{lists.origin}/range", database, tmp_path), clock) as service:
            with refused("PASSWORD_CHECK_UNAVAILABLE"):
                await service.sign_up("someone@example.org", password=BREACHED)
        assert lists.asked == []


async def test_a_slow_list_holds_up_nobody_else(database: str, clock: Clock, tmp_path: Path) -> None:
    """While one sign-up waits for the list, the server answers others; it hangs up, and the setting decides."""
    asked, answered = asyncio.Event(), asyncio.Event()

    async def hang(*_: object) -> None:
        asked.set()
        await answered.wait()

    async with gateway(behave=hang) as lists:
        where = f"{lists.origin}/range"
        async with serving(asking(where, database, tmp_path, "closed", lists.origin), clock) as service:
            waiting = asyncio.create_task(service.sign_up("someone@example.org", password=BREACHED))
            await asked.wait()
            with refused("INVALID_CREDENTIALS"):
                await service.sign_in(User("nobody@example.org"), password=GOOD)
            answered.set()
            with refused("PASSWORD_CHECK_UNAVAILABLE"):
                await waiting


async def test_a_file_that_goes_or_is_spoilt_is_a_list_that_is_down(service: Service, tmp_path: Path) -> None:
    """While the server runs, as with any other list; and one that is put in its place is read at once."""
    file = tmp_path / "breached.txt"
    kept = file.read_bytes()
    for spoilt in (b"x" * 10_000, b"\0" * 300, b"no line\n" * 100):
        file.write_bytes(spoilt)
        with refused("PASSWORD_CHECK_UNAVAILABLE"):
            await service.sign_up("someone@example.org", password=GOOD)
    file.unlink()
    with refused("PASSWORD_CHECK_UNAVAILABLE"):
        await service.sign_up("someone@example.org", password=GOOD)
    file.write_bytes(kept)
    await service.sign_up("someone@example.org", password=GOOD)


async def test_a_word_of_the_context_is_no_password(service: Service) -> None:
    """The address, its parts, the name, the realm's name and the product's, with digits or marks or without."""
    await service.app.services.realms.set("default", {"totp_issuer": "Mountaineers", "mail_from_name": "Wood & Wire"})
    address = "valentina.ortiz@riverside-bakery.example"
    for password in (
        "valentina.ortiz@riverside-bakery.example", "Valentina.Ortiz", "valentinaortiz", "valentina.ortiz1!",
        "ValentinaOrtiz2024", "riverside-bakery", "RiversideBakery.example", "riversidebakery99", "Mountaineers!",
        "mountaineers2026", "Wood & Wire", "WoodWire123", "Xanthippe1", "!Xanthippe!",
    ):  # fmt: skip
        with refused("INVALID_FIELDS", "password"):
            await service.sign_up(address, password=password, display_name="Xanthippe")
    for password in ("valentina ortiz eats bread", "mountaineers climb", "Xanthippe and Socrates"):
        await service.sign_up(address, password=password, display_name="Xanthippe")
    user = await service.signed_in_user("quentin.bright@example.org", password=GOOD)
    with refused("INVALID_FIELDS", "new_password"):
        await service.accounts.ChangePassword(
            account_pb2.ChangePasswordRequest(
                reauthentication=user.reauthentication, new_password="QuentinBright7!", client=service.client
            ),
            metadata=service.with_session(user),
        )
