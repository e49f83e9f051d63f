"""Headless Chromium, driven over its DevTools protocol through a pair of pipes: no socket, no library."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

_SECONDS: Final = 30
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")


def program() -> str | None:
    """Chromium's path; None where there is none."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


class Tab:
    """A page of the browser: commands go out with a number, and the answers of that number come back."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._numbers = itertools.count(1)
        self._session = ""

    async def open(self) -> None:
        """Attach to a new empty page."""
        made = await self.do("Target.createTarget", url="about:blank")
        attached = await self.do("Target.attachToTarget", targetId=made["targetId"], flatten=True)
        self._session = attached["sessionId"]
        await self.do("Page.enable")
        await self.do("WebAuthn.enable")

    async def do(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and wait for its answer. Raises AssertionError with the browser's message."""
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": params}
        if self._session:
            command["sessionId"] = self._session
        self._writer.write(json.dumps(command).encode() + b"\0")
        await self._writer.drain()
        answer = await self._until(lambda message: message.get("id") == number)
        assert "error" not in answer, f"{method}: {answer.get('error')}"
        found: dict[str, Any] = answer["result"]
        return found

    async def visit(self, url: str) -> None:
        """Go to a page, and wait until it is there."""
        found = await self.do("Page.navigate", url=url)
        assert "errorText" not in found, found
        await self._until(lambda message: message.get("method") == "Page.loadEventFired")

    async def run(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited, as if the user had pressed a button. Raises AssertionError."""
        found = await self.do(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]["exception"].get("description")
        return found["result"].get("value")

    async def _until(self, wanted: Any) -> dict[str, Any]:
        async with asyncio.timeout(_SECONDS):
            while True:
                message: dict[str, Any] = json.loads((await self._reader.readuntil(b"\0"))[:-1])
                if wanted(message):
                    return message


@contextlib.asynccontextmanager
async def browsing(path: str, profile: Path) -> AsyncIterator[Tab]:
    """A browser with one empty page, ended with all its processes."""
    to_browser, ours_out = os.pipe()
    ours_in, from_browser = os.pipe()
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**24)
    protocol = asyncio.StreamReaderProtocol(reader)
    reading, _ = await loop.connect_read_pipe(lambda: protocol, os.fdopen(ours_in, "rb"))
    writing, drained = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(ours_out, "wb"))
    with (profile.parent / "chromium.log").open("wb") as log:
        # The browser reads from its descriptor 3 and writes to 4, whatever the numbers of the pipes are here.
        browser = await asyncio.create_subprocess_exec(
            "/bin/bash", "-c", f'exec "$0" "$@" 3<&{to_browser} 4>&{from_browser}', path, "--headless=new",
            "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", f"--user-data-dir={profile}",
            pass_fds=(to_browser, from_browser), stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    os.close(to_browser)
    os.close(from_browser)
    try:
        tab = Tab(reader, asyncio.StreamWriter(writing, drained, None, loop))
        await tab.open()
        yield tab
    finally:
        writing.abort()
        reading.close()
        # Its group is its own: the helpers that it started go with it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(browser.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(10):
                await browser.wait()
        except TimeoutError:
            os.killpg(browser.pid, signal.SIGKILL)
            await browser.wait()
