"""A stream that is ended while a message is on its way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest

from twofold_server.rpc import streams

if TYPE_CHECKING:
    from twofold_server.rpc.passage import Context


class SlowReader:
    """Takes a message when it is let."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.begun = asyncio.Event()
        self.let = asyncio.Event()
        self.taken: list[bytes] = []
        self._failure = failure

    async def write(self, message: bytes) -> None:
        """As a context's."""
        self.begun.set()
        await self.let.wait()
        if self._failure is not None:
            raise self._failure
        self.taken.append(message)


@pytest.mark.parametrize("failure", [None, RuntimeError("hung up")])
async def test_a_cancelled_stream_ends_after_the_message_that_is_on_its_way(failure: Exception | None) -> None:
    """The cancellation is not lost, and arrives when the core has its hands free, whatever became of the message."""
    reader = SlowReader(failure)
    stream = asyncio.ensure_future(streams.write(cast("Context", reader), b"message"))
    await reader.begun.wait()
    stream.cancel()
    await asyncio.wait({stream}, timeout=0.05)
    assert not stream.done()
    reader.let.set()
    with pytest.raises(asyncio.CancelledError):
        await stream
    assert reader.taken == ([] if failure else [b"message"])


async def test_what_fails_on_its_way_fails_the_stream() -> None:
    """As without it."""
    reader = SlowReader(RuntimeError("hung up"))
    reader.let.set()
    with pytest.raises(RuntimeError, match="hung up"):
        await streams.write(cast("Context", reader), b"message")
