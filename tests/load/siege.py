"""1,000 guesses a second at one account from 1,000 networks, for a minute of compressed time.

`.venv/bin/python -m tests.load.siege [guesses a second]`: a PostgreSQL and a server of its own. Prints what became of
the guesses and of the owner's sign-ins on their device; fails where more guesses were answered than the budget allows,
or where the owner was refused.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from dev.postgres import server
from tests.conftest import Clock
from tests.races.siege import besiege, most_answered
from tests.service import serving, settings_for
from twofold_server import logs
from twofold_server.db.migrate import migrate

_SECONDS = 60


async def main(a_second: int) -> int:
    """Besiege a server for a minute of its clock; 1 where the budget did not hold."""
    logs.configure("error")
    with tempfile.TemporaryDirectory(prefix="twofold-siege-") as name, server(Path(name) / "data") as started:
        dsn = started.dsn("postgres")
        await migrate(dsn)
        async with serving(settings_for(dsn, Path(name)), Clock(datetime.now(UTC))) as service:
            user = await service.signed_in_user()
            began = time.monotonic()
            siege = await besiege(service, user, a_second, _SECONDS)
            took = time.monotonic() - began
    allowed = most_answered(_SECONDS)
    print(f"guesses {dict(siege.guesses)}, {allowed} may be answered; owner {dict(siege.owner)}; in {took:.0f} s")
    answered = siege.guesses["INVALID_CREDENTIALS"]
    return int(answered > allowed or set(siege.owner) != {"signed_in"} or siege.guesses.total() != a_second * _SECONDS)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)))
