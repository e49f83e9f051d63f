"""After each round: what the answers said against what the database holds, row by row."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from tests.load.bench.loadgen import Round
from tests.load.bench.seeding import World
from tests.load.bench.traffic import Expected

_SHOWN = 3
_JUDGED = ("signed_in", "wrong_password", "wrong_code")


class Ledger:
    """Collects what was answered wrongly or written wrongly; empty at the end of a good run."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._began = datetime.now(UTC)
        self.faults: list[str] = []

    def begin(self) -> None:
        """A round begins."""
        self._began = datetime.now(UTC)

    async def compare(self, name: str, done: Round, expected: Expected) -> None:
        """A round is over: hold its answers and its rows against what was sent."""
        if done.codes != dict(expected.codes):
            self.faults.append(f"{name}: answers {done.codes}, due {dict(expected.codes)}; {_first(done.errors)}")
        pool = self._world.pool
        rows = await pool.fetch(
            "SELECT account_id, kind, count(*) FROM events WHERE create_time >= $1 AND kind = ANY($2) GROUP BY 1, 2",
            self._began,
            list(_JUDGED),
        )
        written = Counter({(row["account_id"], row["kind"]): row["count"] for row in rows})
        if written != expected.events:
            differ = [key for key in written | expected.events if written[key] != expected.events[key]]
            kinds = Counter(kind for _, kind in differ)
            self.faults.append(f"{name}: {len(differ)} accounts whose history is not what was answered: {dict(kinds)}")
        signed_in = sum(count for (_, kind), count in expected.events.items() if kind == "signed_in")
        begun = await pool.fetchval("SELECT count(*) FROM sessions WHERE create_time >= $1", self._began)
        if begun != signed_in:
            self.faults.append(f"{name}: {begun} sessions begun, {signed_in} sign-ins answered")
        if expected.steps:
            await self._compare_steps(name, expected)
        if expected.rotations:
            await self._compare_generations(name)
        # Mail of this round must not be rendered in the next.
        await pool.execute("DELETE FROM outbox WHERE state = 'waiting'")

    async def _compare_steps(self, name: str, expected: Expected) -> None:
        rows = await self._world.pool.fetch(
            "SELECT account_id, last_step FROM factors WHERE last_use_time >= $1", self._began
        )
        spent = {row["account_id"]: row["last_step"] for row in rows}
        if spent != expected.steps:
            wrong = sum(spent.get(key) != expected.steps.get(key) for key in spent | expected.steps)
            self.faults.append(f"{name}: {wrong} authenticators that spent another code than the right one")

    async def _compare_generations(self, name: str) -> None:
        due = {session.row.session_id: session.generation for session in self._world.sessions}
        rows = await self._world.pool.fetch(
            "SELECT session_id, generation FROM sessions WHERE session_id = ANY($1)", list(due)
        )
        wrong = sum(due[row["session_id"]] != row["generation"] for row in rows)
        if wrong or len(rows) != len(due):
            self.faults.append(f"{name}: {wrong} sessions whose generation is not the number of their refreshes")

    def demand(self, true: bool, fault: str) -> None:
        """Note a fault unless something holds."""
        if not true:
            self.faults.append(fault)


def _first(errors: dict[str, int]) -> str:
    return "; ".join(f"{count} x {text[:120]}" for text, count in list(errors.items())[:_SHOWN])
