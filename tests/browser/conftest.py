"""What the tests with a browser share: one Chromium for all of them, and a page on localhost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.browser import chromium
from tests.browser.chromium import Tab, browsing

_PAGE = b"<!doctype html><title>Shop</title>"


@pytest.fixture(scope="session")
async def origin() -> AsyncIterator[str]:
    """The origin of an empty page, which browsers trust with passkeys as it is on localhost."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(_PAGE), _PAGE))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://localhost:{server.sockets[0].getsockname()[1]}"


@pytest.fixture(scope="session")
async def tab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tab]:
    """A page of a headless Chromium. There is no skipping: without one, `make test-browser` has failed already."""
    path = chromium.program()
    assert path is not None, "no Chromium: `apt-get install chromium`"
    folder: Path = tmp_path_factory.mktemp("browser")
    async with browsing(path, folder / "profile") as opened:
        yield opened
