"""The server that every client is tried against, and what a runner is told of it."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg

from dev.postgres import Server
from tests.clients import helper
from tests.e2e.program import Program, start
from tests.e2e.secured import PREFIX, Secured, secured
from twofold_server.db.migrate import migrate

STORY: Final = Path(__file__).parents[2] / "clients" / "scenario" / "story.json"
REALM: Final = "default"
AUDIENCE: Final = "twofold"
WAYS: Final = ("tls", "mtls")
"""How a client connects: with a credential over TLS, or by its certificate over mutual TLS."""

_GRANTS: Final = {"shop": ("frontend", "verifier"), "api": ("verifier",)}
_databases = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Served:
    """A running server, its users' helper, and the folder of all that was written for it."""

    server: Secured
    helper: str
    folder: Path
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def variables(self, name: str) -> dict[str, Any]:
        """A user and a network that nobody else has: sign-ups and failures are counted by network."""
        number = next(self._numbers)
        return {"email": f"{name}-{number}@example.org", "ip_address": f"198.51.100.{number}"}

    def config(self, way: str, variables: Mapping[str, Any]) -> Path:
        """Write what a runner is told; the path of the file."""
        number = next(self._numbers)
        server = self.server
        told: dict[str, Any] = {
            "target": f"localhost:{server.port if way == 'tls' else server.mtls_port}",
            "credential": server.shop if way == "tls" else None,
            "root_certificates": str(self.folder / "servers.crt"),
            "client_certificate": None,
            "client_key": None,
            "realm_id": REALM,
            "audience": AUDIENCE,
            "helper": self.helper,
            "story": str(STORY),
            "variables": dict(variables),
        }
        if way == "mtls":
            certificate, key = server.clients.service(f"{PREFIX}shop").write(self.folder, f"shop-{number}")
            told |= {"client_certificate": str(certificate), "client_key": str(key)}
        path = self.folder / f"config-{number}.json"
        path.touch(0o600)
        path.write_text(json.dumps(told))
        return path


@contextlib.asynccontextmanager
async def serving(
    cluster: Server, admin: asyncpg.Connection[asyncpg.Record], folder: Path, **settings: object
) -> AsyncIterator[Served]:
    """A server outside development; `shop` is front end and verifier in the realm `default`, `api` a verifier alone."""
    database = f"clients_{next(_databases)}"
    await admin.execute(f"CREATE DATABASE {database}")
    await migrate(cluster.dsn(database))
    programs: list[Program] = []

    async def begin(given: dict[str, str], address: str) -> Program:
        programs.append(await start(given, address, folder / "server.log"))
        return programs[-1]

    try:
        server = await secured(cluster.dsn(database), folder, begin, _GRANTS, **settings)
        with helper.serving(folder / "sent") as url:
            yield Served(server, url, folder)
    finally:
        for program in programs:
            program.kill()
