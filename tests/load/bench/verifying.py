"""The rows of the Verifier, as `tests.load.verifier` measures them in processes of its own."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys

from dev.environment import ROOT
from tests.load.bench.processes import environment
from tests.load.bench.rows import Row

_NEW, _SEEN = "Verifier, token new / raw P-256 verification", "Verifier, token seen / SHA-256 + dict look-up"
_GOAL_NEW, _GOAL_SEEN = 0.7, 0.1
_LINE = re.compile(r"(?P<row>new|seen) token: (?P<rate>[\d,]+)/s; [^:]+: (?P<limit>[\d,]+)/s; ratio (?P<ratio>[\d.]+)")


async def verifier_rows() -> list[Row]:
    """Measure both."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.load.verifier", stdout=subprocess.PIPE, cwd=ROOT, env=environment({})
    )
    output, _ = await process.communicate()
    found = {match["row"]: match for match in _LINE.finditer(output.decode())}
    if found.keys() != {"new", "seen"}:
        return [
            Row(name, None, goal, more={"why": "it failed"}) for name, goal in ((_NEW, _GOAL_NEW), (_SEEN, _GOAL_SEEN))
        ]
    return [_row(_NEW, found["new"], _GOAL_NEW), _row(_SEEN, found["seen"], _GOAL_SEEN)]


def _row(name: str, found: re.Match[str], goal: float) -> Row:
    rate = float(found["rate"].replace(",", ""))
    return Row(name, float(found["ratio"]), goal, rate=rate, more={"limit, calls a second": found["limit"]})
