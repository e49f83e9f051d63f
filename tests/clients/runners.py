"""The runners of the clients, as processes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Final

from tests.clients.server import STORY

CLIENTS: Final = Path(__file__).parents[2] / "clients"
_STORY_SECONDS: Final = 180.0


def runner(language: str) -> Path:
    """The runner of a language's client."""
    return CLIENTS / language / "runner"


async def ran(language: str, command: str, config: Path, seconds: float) -> list[dict[str, Any]]:
    """Run a command to its end; the lines that it printed. Fails the test if it fails."""
    process = await asyncio.create_subprocess_exec(
        runner(language), command, config, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, f"{out.decode()}{err.decode()}"
    return [json.loads(line) for line in out.decode().splitlines()]


async def played(language: str, config: Path) -> None:
    """Play the story to its end. Fails the test where a step is left out or did not end as it must."""
    lines = await ran(language, "story", config, _STORY_SECONDS)
    names = [step["name"] for step in json.loads(STORY.read_text(encoding="utf-8"))["steps"]]
    assert [line["step"] for line in lines if line["ok"]] == names
