"""A realm's own wording of messages, read at most every 5 seconds."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from twofold_server.db import realm_texts as rows
from twofold_server.db.pool import Pool
from twofold_server.domain.cached import Cached
from twofold_server.domain.clock import Clock
from twofold_server.domain.realms import CACHE_LIFETIME
from twofold_server.domain.values import RealmId

Texts = Mapping[str, Mapping[str, str]]


class RealmTexts:
    """Texts by language and key. What may stand in one is judged by whoever sets it: delivery/texts.py."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._cached: Cached[RealmId, Texts] = Cached(CACHE_LIFETIME, clock)

    async def get(self, realm_id: RealmId) -> Texts:
        """The realm's own texts; where it has none, none."""
        found = self._cached.fresh(realm_id) or await self._cached.get(realm_id, lambda: self._read(realm_id))
        return found or {}

    async def set(self, realm_id: RealmId, language_code: str, text_key: str, content: str) -> None:
        """Write one; an empty content takes the text that ships again. Other servers follow within 5 s."""
        if content:
            await rows.put(self._pool, realm_id, language_code, text_key, content, self._clock())
        else:
            await rows.remove(self._pool, realm_id, language_code, text_key)
        self._cached.forget(realm_id)

    async def _read(self, realm_id: RealmId) -> Texts:
        found: dict[str, dict[str, str]] = {}
        for language, key, content in await rows.of_realm(self._pool, realm_id):
            found.setdefault(language, {})[key] = content
        return MappingProxyType(found)
