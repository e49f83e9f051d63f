"""Realms: populations of accounts that know nothing of each other, each with settings of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from twofold_server.db import realms as rows
from twofold_server.db.pool import Pool
from twofold_server.domain import realm_settings
from twofold_server.domain.cached import Cached
from twofold_server.domain.clock import Clock
from twofold_server.domain.errors import RealmNotFound
from twofold_server.domain.realm_settings import RealmSettings
from twofold_server.domain.setting_forms import SettingRefused
from twofold_server.domain.values import RealmId, parse_realm_id
from twofold_server.domain.written_texts import DisplayName

CACHE_LIFETIME: Final = timedelta(seconds=5)
"""How long a realm may go on with the settings that it had."""

SUPPORT_REALM: Final = RealmId("support")
"""The realm of agents. Nobody signs up in it: whoever has an account there may work the desk."""


@dataclass(frozen=True, slots=True)
class Realm:
    """A realm and what follows from its settings: `issuer` is the `iss` of its tokens, `waits` stand by failure."""

    realm_id: RealmId
    display_name: str
    settings: RealmSettings
    issuer: str
    waits: tuple[timedelta, ...]
    stored: Mapping[str, Any] = field(default_factory=dict, compare=False)


class RealmRefused(Exception):
    """The operator's command on a realm can't be done; the text says why."""


class Realms:
    """Realms by id, read at most every 5 seconds each."""

    def __init__(self, pool: Pool, clock: Clock, *, issuer: str) -> None:
        self._pool = pool
        self._clock = clock
        self._issuer = issuer
        self._cached: Cached[RealmId, Realm] = Cached(CACHE_LIFETIME, clock)

    async def get(self, realm_id: RealmId) -> Realm:
        """A realm. Raises RealmNotFound. For ids that a caller is granted: others are not to be asked for here."""
        realm = self._cached.fresh(realm_id) or await self._cached.get(realm_id, lambda: self._read(realm_id))
        if realm is None:
            raise RealmNotFound
        return realm

    async def create(self, realm_id: str, display_name: str = "", settings: Mapping[str, str] | None = None) -> Realm:
        """Make a realm with settings in their text form. Raises RealmRefused."""
        if realm_id == SUPPORT_REALM:
            raise RealmRefused(f"The realm {SUPPORT_REALM} is that of agents: `twofold-server agent add` makes it.")
        return await self.create_reserved(realm_id, display_name, settings or {})

    async def create_reserved(self, realm_id: str, display_name: str, settings: Mapping[str, str]) -> Realm:
        """Make a realm, whatever its name. Raises RealmRefused."""
        stored = _merged({}, settings)
        try:
            checked_id = parse_realm_id(realm_id)
            checked_name = DisplayName.parse(display_name or realm_id).text
        except ValueError as error:
            raise RealmRefused(str(error)) from None
        if not await rows.insert(self._pool, checked_id, checked_name, stored, self._clock()):
            raise RealmRefused(f"There is a realm {checked_id} already: `realm set` changes it.")
        return await self.get(checked_id)

    async def set(self, realm_id: str, settings: Mapping[str, str], *, display_name: str | None = None) -> Realm:
        """Change settings, given as text; an empty text takes the default again. Other servers follow within 5 s.

        Raises RealmRefused, RealmNotFound.
        """
        row = await rows.by_id(self._pool, realm_id)
        if row is None:
            raise RealmNotFound
        stored = _merged(row.settings, settings)
        try:
            name = row.display_name if display_name is None else DisplayName.parse(display_name).text
        except ValueError as error:
            raise RealmRefused(f"name: {error}") from None
        now = max(self._clock(), row.update_time + timedelta(microseconds=1))
        if not await rows.update(
            self._pool, realm_id, display_name=name or row.realm_id, settings=stored, read_time=row.update_time, now=now
        ):
            raise RealmRefused("The realm was changed by somebody else just now: look at it, and try again.")
        self._cached.forget(RealmId(realm_id))
        return await self.get(RealmId(realm_id))

    async def every(self) -> list[Realm]:
        """Every realm, by id."""
        return [self._realm(row) for row in await rows.every(self._pool)]

    async def _read(self, realm_id: RealmId) -> Realm | None:
        row = await rows.by_id(self._pool, realm_id)
        return self._realm(row) if row is not None else None

    def _realm(self, row: rows.RealmRow) -> Realm:
        settings = RealmSettings.of(row.settings)
        return Realm(
            realm_id=RealmId(row.realm_id),
            display_name=row.display_name,
            settings=settings,
            issuer=f"{self._issuer}/{row.realm_id}",
            waits=settings.waits,
            stored=row.settings,
        )


def _merged(stored: Mapping[str, Any], changes: Mapping[str, str]) -> dict[str, Any]:
    merged = dict(stored)
    try:
        for name, text in changes.items():
            if text.strip():
                merged[name] = realm_settings.parse(name, text)
            else:
                merged.pop(name, None)
        RealmSettings.of(merged)
    except SettingRefused as error:
        raise RealmRefused(str(error)) from None
    return merged
