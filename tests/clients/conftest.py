"""One server with two listeners for all clients: callers by credential over TLS, and by certificate over mutual TLS."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from dev.languages import chosen
from dev.postgres import Server
from tests.clients import helper
from tests.clients.server import Served
from tests.e2e.program import Program, start
from tests.e2e.secured import secured
from twofold_server.db.migrate import migrate

_DATABASE = "clients"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try each language of LANGUAGES, or each whose toolchain is here."""
    if "language" in metafunc.fixturenames:
        metafunc.parametrize("language", chosen(os.environ.get("LANGUAGES", "")))


@pytest.fixture(scope="session")
async def served(
    cluster: Server, cluster_admin: asyncpg.Connection[asyncpg.Record], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Served]:
    """A server outside development; `shop` is front end and verifier in the realm `default`, `api` a verifier alone."""
    folder: Path = tmp_path_factory.mktemp("clients")
    await cluster_admin.execute(f"CREATE DATABASE {_DATABASE}")
    await migrate(cluster.dsn(_DATABASE))
    programs: list[Program] = []

    async def begin(settings: dict[str, str], address: str) -> Program:
        programs.append(await start(settings, address, folder / "server.log"))
        return programs[-1]

    grants = {"shop": ("frontend", "verifier"), "api": ("verifier",)}
    try:
        server = await secured(cluster.dsn(_DATABASE), folder, begin, grants, reflection="true")
        with helper.serving(folder / "sent") as url:
            yield Served(server, url, folder)
    finally:
        for program in programs:
            program.kill()
