"""One story for every client: the same steps, against the same server, by both ways to connect."""

from __future__ import annotations

import pytest

from tests.clients.runners import played
from tests.clients.server import WAYS, Served


@pytest.mark.parametrize("way", WAYS)
async def test_the_story(served: Served, language: str, way: str) -> None:
    """The client plays the story to its end: each step ends as it must, each error is of its kind and reason."""
    await played(language, served.config(way, served.variables(f"{language}-{way}")))
