"""One server with two listeners for all clients: callers by credential over TLS, and by certificate over mutual TLS."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import asyncpg
import pytest

from dev.languages import chosen
from dev.postgres import Server
from tests.clients.server import Served, serving

_LANGUAGES = chosen(os.environ.get("LANGUAGES", ""))
# What is shown by a tool in Go, or by the Go client.
collect_ignore = [] if "go" in _LANGUAGES else ["test_grpcurl.py", "test_restart.py"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try each language of LANGUAGES, or each whose toolchain is here."""
    if "language" in metafunc.fixturenames:
        metafunc.parametrize("language", _LANGUAGES)


@pytest.fixture(scope="session")
async def served(
    cluster: Server, cluster_admin: asyncpg.Connection[asyncpg.Record], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Served]:
    """The server of all tests but those that renew its workers."""
    async with serving(cluster, cluster_admin, tmp_path_factory.mktemp("clients"), reflection="true") as started:
        yield started
