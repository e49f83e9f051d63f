"""Messages of a stream, written so that the stream can be ended at any moment."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twofold_server.rpc.passage import Context


async def write(context: Context, message: bytes) -> None:
    """Hand a message to the core, to the end, also where the stream is cancelled meanwhile.

    The core takes a status only when no message is in its hands: a stream that was ended in the middle of one
    would lose the reason that it ends with.
    """
    writing = asyncio.ensure_future(context.write(message))
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait({writing})
        if not writing.cancelled():
            # A caller that hung up meanwhile; seen here, it is not logged as an exception that nobody took.
            writing.exception()
        raise
