"""Resources: what accounts own elsewhere, by name. A user who forgot their address is reminded of it by one."""

from __future__ import annotations

from uuid_utils.compat import uuid7

from twofold_server.db import resources as rows
from twofold_server.db.pool import Pool
from twofold_server.db.resources import NameTaken, ResourceRow
from twofold_server.domain.clock import Clock
from twofold_server.domain.values import EmailAddress, RealmId
from twofold_server.domain.written_texts import ResourceName


class ResourceRefused(Exception):
    """A resource can't be added or removed; the text says why."""


class Resources:
    """The resources of a realm."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    async def add(self, realm_id: RealmId, name: ResourceName, owner: EmailAddress) -> ResourceRow:
        """Note that the account of an address owns a resource. Goes with the account. Raises ResourceRefused."""
        try:
            row = await rows.insert(
                self._pool,
                resource_id=uuid7(),
                realm_id=realm_id,
                name=name.text,
                name_key=name.key,
                email_key=owner.key,
                now=self._clock(),
            )
        except NameTaken:
            raise ResourceRefused("The realm has a resource of that name already.") from None
        if row is None:
            raise ResourceRefused("The realm has no account of that address.")
        return row

    async def every(self, realm_id: RealmId) -> list[ResourceRow]:
        """Every resource of a realm, by name."""
        return await rows.of_realm(self._pool, realm_id)

    async def remove(self, realm_id: RealmId, name: ResourceName) -> None:
        """Forget a resource. Raises ResourceRefused."""
        if not await rows.delete(self._pool, realm_id, name.key):
            raise ResourceRefused("The realm has no resource of that name.")
