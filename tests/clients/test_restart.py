"""The server's workers are renewed one after another while a client calls without a pause."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from dev.postgres import Server
from tests.clients.runners import ran
from tests.clients.server import Served, serving
from tests.clients.users import new_user
from tests.e2e.program import Program
from tests.e2e.workers import all_serve, children, until

_WORKERS = 2
_CALLERS = 16
_LOAD_SECONDS = 40
_REFRESH = b'"/twofold.v1.SessionService/RefreshSession"'
_RENEWED = b'"all workers are renewed"'


def _said(program: Program, text: bytes) -> int:
    """How often the log has a text; it is not parsed, which under load would take what the callers need."""
    return program.log.read_bytes().count(text)


async def _renew(program: Program, load: asyncio.Task[Any]) -> None:
    """Renew every worker once there is load."""
    before = children(program.process.pid)
    await until(lambda: load.done() or _said(program, _REFRESH) > _CALLERS, "there is load")
    program.tell(signal.SIGHUP)
    await until(lambda: _said(program, _RENEWED) == 1, "the workers are renewed")
    assert not before & children(program.process.pid)


@pytest.fixture
async def renewable(
    cluster: Server, cluster_admin: asyncpg.Connection[asyncpg.Record], tmp_path: Path
) -> AsyncIterator[Served]:
    """A server of two workers behind one port."""
    async with serving(cluster, cluster_admin, tmp_path, workers=_WORKERS) as started:
        yield started


async def test_workers_are_renewed_under_load_and_no_call_fails(renewable: Served) -> None:
    """Sixteen callers check, read and refresh sessions; SIGHUP renews both workers meanwhile: no call fails."""
    server = renewable.server
    await all_serve(server.program, _WORKERS)
    async with server.client(server.shop) as client:
        user = await new_user(renewable, client, "load")
        tokens = [await user.sign_in(client) for _ in range(_CALLERS)]
    sessions = [{"access_token": held.access_token, "refresh_token": held.refresh_token} for held in tokens]
    config = renewable.config("tls", {"sessions": sessions, "seconds": _LOAD_SECONDS})
    load = asyncio.create_task(ran("go", "load", config, _LOAD_SECONDS + 60))
    await _renew(server.program, load)
    assert not load.done(), "the load ended before the workers were renewed"
    (summary,) = await load
    assert (summary["failed"], summary["errors"]) == (0, {}), json.dumps(summary)
    assert summary["calls"] > 10 * _CALLERS
