"""How a server ends its jobs."""

from __future__ import annotations

import asyncio

from twofold_server.app import ended


async def test_a_job_that_loses_a_cancellation_is_ended_all_the_same() -> None:
    """As one does whose wait is over at the very moment; two of them do not keep a server from stopping."""
    lost = 0

    async def job() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                if lost == 2:
                    raise
                lost += 1

    jobs = [asyncio.create_task(job())]
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await ended(jobs)
    assert lost == 2
    assert jobs[0].cancelled()


async def test_no_job_is_nothing_to_wait_for() -> None:
    """As where the server did not start."""
    await ended([])
