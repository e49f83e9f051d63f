"""Which statements a call ran, as PostgreSQL logged them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from dev.postgres import Server

_LINE = re.compile(r"^\d{4}-\d\d-\d\d [^\n]*?\[\d+\] LOG:  (?:execute [^:]*|statement): ", re.MULTILINE)
# asyncpg's own, once a connection, where it meets a type: not the call's.
_OF_THE_DRIVER = ("SELECT current_setting('jit')", "WITH RECURSIVE typeinfo_tree", "SELECT set_config('jit'")
_END = re.compile(r"\n\d{4}-\d\d-\d\d ")


class Statements:
    """Reads the log of a cluster, of which one database has its statements logged."""

    def __init__(self, log: Path) -> None:
        self._log = log

    async def during(self, call: Callable[[], Awaitable[object]]) -> list[str]:
        """The statements that a call ran, each on one line, sorted."""
        start = self._log.stat().st_size
        await call()
        with self._log.open("rb") as file:
            file.seek(start)
            text = file.read().decode(errors="replace")
        found = []
        for match in _LINE.finditer(text):
            end = _END.search(text, match.end())
            found.append(" ".join(text[match.end() : end.start() if end else len(text)].split()))
        return sorted(statement for statement in found if not statement.startswith(_OF_THE_DRIVER))


async def log_statements(cluster: Server, admin: asyncpg.Connection[asyncpg.Record], database: str) -> Statements:
    """Have PostgreSQL log what runs on a database, from the next connection on."""
    name = urlsplit(database).path.removeprefix("/")
    await admin.execute(f"ALTER DATABASE {name} SET log_statement = 'all'")
    await admin.execute(f"ALTER DATABASE {name} SET log_min_duration_statement = -1")
    return Statements(cluster.log)
