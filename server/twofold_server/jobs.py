"""What the clock calls beside the outbox: what is over is deleted or ended, recoveries whose wait is over are made."""

from __future__ import annotations

import asyncio
from typing import Final

from twofold_server.db import retention
from twofold_server.db.pool import Pool
from twofold_server.domain.cases import Cases
from twofold_server.domain.clock import Clock
from twofold_server.domain.recovery_effect import RecoveryEffects

_PAUSE_SECONDS: Final = 60.0
_RECOVERY_PAUSE_SECONDS: Final = 5.0
# The rest has its turn a minute later: clearing a backlog must not crowd out the calls.
_MOST_BATCHES: Final = 100


class Retention:
    """Deletes what is over, each minute, in batches that hold no lock for long; any number of workers may run it."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    async def run(self) -> None:
        """Run until cancelled.

        What it raises, a database that is gone among it, ends it: whoever runs it starts it again.
        """
        while True:
            await asyncio.sleep(_PAUSE_SECONDS)
            await self.run_once()

    async def run_once(self) -> None:
        """Delete all that is over now."""
        for _ in range(_MOST_BATCHES):
            if await retention.delete_expired(self._pool, self._clock()) < retention.BATCH:
                return


class PendingRecoveries:
    """Carries out two-factor recoveries whose wait is over, within seconds; any number of workers may run it."""

    def __init__(self, effects: RecoveryEffects) -> None:
        self._effects = effects

    async def run(self) -> None:
        """Run until cancelled.

        What it raises, a database that is gone among it, ends it: whoever runs it starts it again.
        """
        while True:
            await asyncio.sleep(_RECOVERY_PAUSE_SECONDS)
            await self._effects.carry_out_due()


class CaseExpiry:
    """Ends the cases of the support desk that were not executed in time, each minute; any number of workers may run it.

    That one is overdue holds without it: this writes it down.
    """

    def __init__(self, cases: Cases) -> None:
        self._cases = cases

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            await asyncio.sleep(_PAUSE_SECONDS)
            while await self._cases.expire_overdue():
                pass
