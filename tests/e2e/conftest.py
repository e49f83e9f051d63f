"""Servers as processes of their own, each ended with its test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Protocol

import pytest

from tests.e2e.program import Program, development, free_address, start


class Launch(Protocol):
    """Starts a server on the test's database, in development and on a free port unless told otherwise."""

    async def __call__(self, settings: dict[str, str] | None = None, address: str = "") -> Program: ...


@pytest.fixture
async def launch(database: str, tmp_path: Path) -> AsyncIterator[Launch]:
    """Starts servers; those that still run at the end of the test are killed."""
    programs: list[Program] = []

    async def launch(settings: dict[str, str] | None = None, address: str = "") -> Program:
        log = tmp_path / f"server-{len(programs)}.log"
        program = await start(settings or development(database, tmp_path), address or free_address(), log)
        programs.append(program)
        return program

    yield launch
    for program in programs:
        program.kill()


@pytest.fixture
async def program(launch: Callable[[], Awaitable[Program]]) -> Program:
    """One server in development."""
    return await launch()
