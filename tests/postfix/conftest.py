"""What the tests with Postfix share: one Postfix for all of them, and the server that it hands everything on to."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.test_smtp import Relay, listening, smtp
from tests.postfix.postfix import Postfix, running


@pytest.fixture(scope="session")
async def far_side() -> AsyncIterator[tuple[Postfix, Relay]]:
    """Postfix, and what comes out of it. There is no skipping: without it, `make test-postfix` has failed already."""
    relay = Relay()
    # Pytest's folders are for their owner alone, and Postfix's processes are another.
    with tempfile.TemporaryDirectory(prefix="twofold-postfix-") as name:
        async with listening(smtp(relay)) as port, running(Path(name), port) as postfix:
            yield postfix, relay


@pytest.fixture
async def postfix(far_side: tuple[Postfix, Relay]) -> Postfix:
    """The running Postfix."""
    return far_side[0]


@pytest.fixture
async def relay(far_side: tuple[Postfix, Relay]) -> Relay:
    """What Postfix hands its mail on to."""
    return far_side[1]
