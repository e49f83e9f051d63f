"""The devices of an account, which its user sees and ends."""

from __future__ import annotations

from uuid import UUID

from uuid_utils.compat import uuid7

from twofold_server.db import devices as db_devices
from twofold_server.db.devices import DeviceRow
from twofold_server.db.pool import Pool
from twofold_server.domain.active_sessions import ActiveSession
from twofold_server.domain.clock import Clock
from twofold_server.domain.errors import DeviceNotFound


class Devices:
    """Known and trusted devices of a session's account."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    async def page(self, session: ActiveSession, before: UUID | None, limit: int) -> list[DeviceRow]:
        """Those that count, the newest first; one whose trust is over is shown as merely known."""
        return await db_devices.page(self._pool, session.realm_id, session.account_id, before, limit)

    async def revoke(self, session: ActiveSession, device_id: UUID) -> None:
        """Make a device unknown: its token is worth nothing any more. Sessions on it go on. Raises DeviceNotFound."""
        if not await db_devices.end(
            self._pool,
            session.realm_id,
            session.account_id,
            device_id,
            client_id=session.client_id,
            now=self._clock(),
            event_id=uuid7(),
        ):
            raise DeviceNotFound
