"""The keys of access tokens: one set for the deployment, private parts sealed, switched by each row's time on every
worker alike.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from uuid_utils.compat import uuid7

from twofold_server.crypto.access_tokens import SigningKey, VerificationKey
from twofold_server.crypto.keyring import Keyring, Place
from twofold_server.db import signing_keys as rows
from twofold_server.db.pool import Pool
from twofold_server.domain import faults
from twofold_server.domain.clock import REVOCATION_LIFE, Clock

PUBLISHED_BEFORE: Final = timedelta(minutes=10)
"""How long a key is to be found before it signs."""

_READ_AGAIN_SECONDS: Final = 30.0
# As long as revocations count without the database: a key that was removed is told by one.
_GRACE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """A key as verifiers get it."""

    key: VerificationKey
    publish_time: datetime
    sign_time: datetime
    retire_time: datetime | None


class SigningKeys:
    """The current set, read again every 30 s; the first key is made where there is none."""

    def __init__(self, pool: Pool, keyring: Keyring, clock: Clock) -> None:
        self._pool = pool
        self._keyring = keyring
        self._clock = clock
        self._read_at = float("-inf")
        self._signing: list[tuple[datetime, datetime | None, SigningKey]] = []
        self._published: list[PublishedKey] = []
        self._verification: dict[str, VerificationKey] = {}

    async def signing(self) -> SigningKey:
        """The key that signs now: the newest whose time has come."""
        await self._fresh()
        now = self._clock()
        usable = [key for start, end, key in self._signing if start <= now and (end is None or now < end)]
        # None has begun where this clock is behind that of the server that made the first key: it signs all the same.
        return usable[-1] if usable else self._signing[0][2]

    async def verification(self) -> Mapping[str, VerificationKey]:
        """The keys by id that a token may have been signed with."""
        await self._fresh()
        return self._verification

    async def published(self) -> list[PublishedKey]:
        """The keys that verifiers are given, those that will sign soon among them."""
        await self._fresh()
        return self._published

    def read_again(self) -> None:
        """Read the set anew at the next use: a key was removed."""
        self._read_at = float("-inf")

    async def rotate(self) -> PublishedKey | None:
        """Publish the next key, which signs in 10 minutes, when every verifier has had time to read it.

        What signs now stays good until its last token has expired. None where a next key is published already.
        """
        now = self._clock()
        row = self._new_row(now, now + PUBLISHED_BEFORE)
        if not await rows.rotate(self._pool, row, row.sign_time + REVOCATION_LIFE):
            return None
        self.read_again()
        await self._fresh()
        return next(p for p in self._published if p.key.kid == row.key_id)

    async def remove(self, key_id: str) -> bool:
        """Take a key that was stolen out of use at once: nothing that it signed counts any more, on any server or
        verifier.

        Where no other key signs, a new one does from now on; sessions live on, and get a token of it when they refresh.
        False where there is no such key.
        """
        now = self._clock()
        removed = await rows.remove(
            self._pool,
            key_id,
            self._new_row(now, now),
            now=now,
            revocation_id=uuid7(),
            revocation_expire=now + REVOCATION_LIFE,
        )
        self.read_again()
        return removed

    async def _fresh(self) -> None:
        age = time.monotonic() - self._read_at
        if age < _READ_AGAIN_SECONDS:
            return
        now = self._clock()
        try:
            found = await rows.all_current(self._pool, now)
        except Exception as error:
            if faults.is_unavailable(error) and age < _READ_AGAIN_SECONDS + _GRACE_SECONDS:
                return
            raise
        if not found:
            await rows.add_first(self._pool, self._new_row(now, now))
            found = await rows.all_current(self._pool, now)
        signing: list[tuple[datetime, datetime | None, SigningKey]] = []
        published: list[PublishedKey] = []
        for row in found:
            key = SigningKey.from_pkcs8(row.key_id, self._keyring.open(row.private_key, _place(row.key_id)))
            signing.append((row.sign_time, row.retire_time, key))
            published.append(PublishedKey(key.verification_key(), row.publish_time, row.sign_time, row.retire_time))
        self._signing, self._published = signing, published
        self._verification = {p.key.kid: p.key for p in published}
        self._read_at = time.monotonic()

    def _new_row(self, now: datetime, sign_time: datetime) -> rows.SigningKeyRow:
        key = SigningKey.generate()
        return rows.SigningKeyRow(
            key_id=key.kid,
            private_key=self._keyring.seal(key.pkcs8(), _place(key.kid)),
            public_key=key.verification_key().spki(),
            publish_time=now,
            sign_time=sign_time,
            retire_time=None,
        )


def _place(key_id: str) -> Place:
    return Place("signing_keys", "private_key", "", "", key_id)
