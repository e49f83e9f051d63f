"""A server for a whole module of tests: its database, a caller with a credential, and accounts made fast."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import asyncpg
import grpc.aio
from google.protobuf.message import Message

from dev.postgres import Server
from tests.conftest import Clock
from tests.service import Metadata, Service, serving, settings_for, tokens_in
from twofold_server.app import App
from twofold_server.domain.callers import Grant, Role
from twofold_server.domain.values import RealmId

Admin = "asyncpg.Connection[asyncpg.Record]"
_numbers = itertools.count(1)


class Quick(Service):
    """Reads each mail once, so that the hundredth account costs what the first did."""

    def __init__(self, app: App, clock: Clock, sent: Path, metadata: Metadata = ()) -> None:
        super().__init__(app, clock, sent, metadata)
        self.standing = clock
        # With the address, which costs more to read of a message than the rest of it.
        self._read: list[tuple[str, EmailMessage]] = []
        self._links: dict[str, int] = {}

    @property
    def credential(self) -> str:
        """The credential of the caller that the calls come from."""
        return str(dict(self.metadata)["authorization"]).removeprefix("Bearer ")

    async def mails(self, to: str = "") -> list[EmailMessage]:
        """All mail so far; what was read leaves the folder."""
        found = await super().mails()
        for path in self.sent.glob("*.eml"):
            path.unlink()
        self._read += [(str(mail["To"]), mail) for mail in found]
        return [mail for address, mail in self._read if to in address]

    async def link_token(self, to: str) -> str:
        """The token of the newest link to an address, once; the server's own worker may be at it."""
        for _ in range(100):
            found = tokens_in(await self.mails(to))
            if len(found) > self._links.get(to, 0):
                self._links[to] = len(found)
                return found[-1]
            await asyncio.sleep(0.02)
        raise AssertionError("no link was mailed")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that succeeds. `once`: a success uses it up; a refusal must not."""

    request: Message
    metadata: Metadata
    once: bool = False


Builder = Callable[[Quick], Awaitable[Prepared]]


async def new_database(cluster: Server, admin: asyncpg.Connection[asyncpg.Record], label: str) -> str:
    """The URL of a migrated database for a module; `label` is the module's own word."""
    name = f"{label}_{next(_numbers)}"
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE template_twofold STRATEGY FILE_COPY")
    return cluster.dsn(name)


def bearer(credential: str) -> Metadata:
    """Metadata of a caller's credential."""
    return (("authorization", f"Bearer {credential}"),)


async def add_caller(app: App, name: str, *grants: tuple[str, Role, bool]) -> str:
    """A caller with grants (realm, role, may state its client); its credential."""
    first, *others = [Grant(RealmId(realm), role, states) for realm, role, states in grants]
    credential = await app.services.callers.add(name, first)
    for grant in others:
        await app.services.callers.grant(name, grant)
    return credential


@contextlib.asynccontextmanager
async def quick_server(database: str, folder: Path, clock: Clock, **settings: str | int) -> AsyncIterator[Quick]:
    """A server whose calls come from `shop`: frontend and verifier of the realm `default`, believed about its users."""
    async with serving(settings_for(database, folder, **settings), clock) as served:
        credential = await add_caller(
            served.app, "shop", ("default", Role.FRONTEND, True), ("default", Role.VERIFIER, True)
        )
        # Hundreds of accounts come from one address here.
        many = dict.fromkeys(("sign_ups_per_network_per_hour", "recoveries_per_network_per_hour"), "1000000")
        await served.app.services.realms.set("default", many | {"captcha_recovery_after": "0"})
        quick = Quick(served.app, clock, served.sent, bearer(credential))
        try:
            yield quick
        finally:
            await quick.channel.close()


async def send(service: Quick, path: str, raw: bytes, metadata: Metadata, *, stream: bool) -> bytes:
    """Send bytes as they are; of a stream the first answer. Raises AioRpcError."""
    sent: Any = raw
    if not stream:
        # A channel's raw methods have no types of their own.
        answer: Any = await service.channel.unary_unary(path)(sent, metadata=tuple(metadata), timeout=10)
        return cast(bytes, answer)
    call: Any = service.channel.unary_stream(path)(sent, metadata=tuple(metadata), timeout=10)
    try:
        first = await call.read()
        if first == grpc.aio.EOF:
            # Ended without an answer: the status says why.
            async for _ in call:
                pass
        return cast(bytes, first)
    finally:
        call.cancel()
        await asyncio.sleep(0)
