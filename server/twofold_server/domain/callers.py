"""Calling services: who they are, and what they are granted in which realm."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from twofold_server.crypto import tokens
from twofold_server.db import callers as rows
from twofold_server.db.pool import Pool
from twofold_server.domain import durations
from twofold_server.domain.cached import Cached
from twofold_server.domain.clock import Clock
from twofold_server.domain.errors import CallerUnknown, Overloaded
from twofold_server.domain.values import RealmId

CACHE_LIFETIME: Final = timedelta(seconds=5)
"""How long an ended caller, or a changed grant, may go on as it was."""

LONGEST_OVERLAP: Final = timedelta(days=30)
"""How long a credential may go on beside its successor at most."""

DEVELOPMENT: Final = "development"
"""Name of the caller of calls without a credential, in development alone."""

_UNKNOWN_KEPT: Final = 1024
_UNKNOWN_READS_PER_SECOND: Final = 50
_BEFORE_SECRET: Final = len("tfc_") + 32 + len("_")
_NO_HASH: Final = bytes(hashlib.sha256().digest_size)
_NAME = re.compile(r"[a-z0-9]([a-z0-9._/-]{0,126}[a-z0-9])?")


class Role(StrEnum):
    """What a calling service is to Twofold; the names are those of the contract's CallerRole."""

    FRONTEND = "frontend"
    VERIFIER = "verifier"
    SUPPORT = "support"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Grant:
    """One role in one realm. Only a grant that may state its client is believed about the end user's address."""

    realm_id: RealmId
    role: Role
    may_state_client: bool = False


@dataclass(frozen=True, slots=True)
class Caller:
    """A calling service that has shown who it is. `name` is the `client_id` of the sessions that it begins."""

    caller_id: UUID
    name: str
    grants: tuple[Grant, ...]
    _roles: dict[RealmId, frozenset[Role]] = field(init=False, repr=False, compare=False)
    _stating: frozenset[RealmId] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        roles: dict[RealmId, set[Role]] = {}
        for grant in self.grants:
            roles.setdefault(grant.realm_id, set()).add(grant.role)
        object.__setattr__(self, "_roles", {realm: frozenset(held) for realm, held in roles.items()})
        object.__setattr__(self, "_stating", frozenset(g.realm_id for g in self.grants if g.may_state_client))

    def realms_as(self, roles: frozenset[Role]) -> tuple[RealmId, ...]:
        """The realms in which the caller has any one of the roles."""
        return tuple([realm for realm, held in self._roles.items() if held & roles])

    def knows(self, realm_id: str) -> bool:
        """Whether the caller has any grant in the realm."""
        return realm_id in self._roles

    def may_state_client(self, realm_id: RealmId) -> bool:
        """Whether the caller is believed, in this realm, about the end user's address."""
        return realm_id in self._stating


class CallerRefused(Exception):
    """The operator's command on a caller can't be done; the text says why."""


@dataclass(frozen=True, slots=True)
class _Entry:
    caller: Caller
    credential_hash: bytes = field(repr=False)
    previous_hash: bytes | None = field(repr=False)
    previous_until: datetime | None
    ended: bool

    def accepts(self, presented: bytes, now: datetime) -> bool:
        """Whether a credential of that hash is good: the last one, or the one before until its overlap ends."""
        overlaps = self.previous_hash is not None and self.previous_until is not None and now < self.previous_until
        # Always two comparisons, both to their end: the time tells neither which one matched nor whether two are good.
        is_last = hmac.compare_digest(presented, self.credential_hash)
        is_previous = hmac.compare_digest(presented, self.previous_hash or _NO_HASH) & overlaps
        return (is_last | is_previous) and not self.ended


class Callers:
    """Callers by credential or by the name in their certificate, read at most every 5 seconds each.

    An ended caller is refused within CACHE_LIFETIME. Ids that nobody has cost 50 reads a second at most, and 1,024 of
    them are remembered, so that a flood of invented credentials fills neither memory nor the database's connections.
    Beyond that the ids that exist are listed, once a second, so that such a flood keeps no real caller out.
    """

    def __init__(self, pool: Pool, clock: Clock, *, development: bool = False) -> None:
        self._pool = pool
        self._clock = clock
        # By the credential's text before its secret, or by the certificate's name.
        self._known: Cached[str, _Entry] = Cached(CACHE_LIFETIME, clock)
        self._unknown: dict[str, datetime] = {}
        self._window = datetime.min.replace(tzinfo=UTC)
        self._window_reads = 0
        self._existing: frozenset[str] = frozenset()
        self._listed = self._window
        self._without_credential = _development_caller() if development else None

    async def authenticate(self, credential: str | None) -> Caller:
        """The caller that a credential belongs to; without one, in development, the caller `development`.

        Raises CallerUnknown, or Overloaded where too many unknown ids were tried within this second.
        """
        if credential is None:
            if self._without_credential is None:
                raise CallerUnknown
            return self._without_credential
        entry = self._known.fresh(credential[:_BEFORE_SECRET])
        if entry is None:
            parts = tokens.parse_caller_credential(credential)
            if parts is None:
                raise CallerUnknown
            entry = await self._find(credential[:_BEFORE_SECRET], lambda: rows.by_id(self._pool, parts.caller_id))
        # What stands before the secret was found as it is spelt, and the hash covers every character after it.
        presented = hashlib.sha256(credential[_BEFORE_SECRET:].encode("utf-8", "surrogatepass")).digest()
        if not entry.accepts(presented, self._clock()):
            raise CallerUnknown
        return entry.caller

    async def by_certificate(self, name: str) -> Caller:
        """The caller of the name that a verified client certificate carries. Raises CallerUnknown, Overloaded."""
        entry = self._known.fresh(name)
        if entry is None:
            if not _NAME.fullmatch(name):
                raise CallerUnknown
            entry = await self._find(name, lambda: rows.by_name(self._pool, name))
        if entry.ended:
            raise CallerUnknown
        return entry.caller

    async def add(self, name: str, grant: Grant) -> str:
        """Make a caller and return its credential, which is not stored and never shown again. Raises CallerRefused."""
        if not _NAME.fullmatch(name) or name == DEVELOPMENT:
            raise CallerRefused(
                "A caller's name is 1 to 128 lower-case letters, digits and inner . _ / -, other than `development`."
            )
        caller_id = uuid7()
        secret, hashed = tokens.new_secret_token()
        if not await rows.insert(
            self._pool, caller_id=caller_id, name=name, credential_hash=hashed, grant=_row(grant), now=self._clock()
        ):
            taken = await rows.by_name(self._pool, name)
            raise CallerRefused(
                f"There is a caller {name} already: `caller grant` gives it another role."
                if taken
                else f"There is no realm {grant.realm_id}: `realm list` shows those there are."
            )
        return tokens.format_caller_credential(caller_id, secret)

    async def grant(self, name: str, grant: Grant) -> None:
        """Grant a role, or change whether it may state its client. Works within 5 seconds. Raises CallerRefused."""
        if not await rows.put_grant(self._pool, name, _row(grant), self._clock()):
            raise CallerRefused(f"There is no live caller {name}, or no realm {grant.realm_id}.")

    async def rotate(self, name: str, overlap: timedelta) -> str:
        """Give a caller a new credential and return it; it is not stored, never shown again, and known in 5 seconds.

        The one until now stays good for `overlap` (0 s to 30 days); the one before that, if it is still good, ends.
        Raises CallerRefused.
        """
        if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
            raise CallerRefused(f"The overlap is 0s to {durations.show(LONGEST_OVERLAP)}.")
        secret, hashed = tokens.new_secret_token()
        caller_id = await rows.rotate(self._pool, name, hashed, self._clock() + overlap if overlap else None)
        if caller_id is None:
            raise CallerRefused(f"There is no live caller {name}.")
        return tokens.format_caller_credential(caller_id, secret)

    async def end(self, name: str) -> None:
        """End a caller with all its credentials for good; it is refused within 5 seconds. Raises CallerRefused."""
        if not await rows.end(self._pool, name, self._clock()):
            raise CallerRefused(f"There is no live caller {name}.")

    async def every(self) -> list[rows.CallerRow]:
        """Every caller, ended ones too, by name."""
        return await rows.every(self._pool)

    async def _find(self, key: str, read: Callable[[], Awaitable[rows.CallerRow | None]]) -> _Entry:
        if not self._known.is_known(key):
            now = self._clock()
            since = self._unknown.get(key)
            if since is not None and abs(now - since) <= CACHE_LIFETIME:
                raise CallerUnknown
            if not self._may_read_unknown(now) and not await self._exists(key):
                raise Overloaded(retry_after=1.0)
        entry = await self._known.get(key, lambda: _read_entry(read))
        if entry is None:
            self._unknown[key] = self._clock()
            while len(self._unknown) > _UNKNOWN_KEPT:
                del self._unknown[next(iter(self._unknown))]
            raise CallerUnknown
        return entry

    def _may_read_unknown(self, now: datetime) -> bool:
        # abs: a clock that was set back must not keep the old window open.
        if abs(now - self._window) >= timedelta(seconds=1):
            self._window, self._window_reads = now, 0
        if self._window_reads >= _UNKNOWN_READS_PER_SECOND:
            return False
        self._window_reads += 1
        return True

    async def _exists(self, key: str) -> bool:
        if self._listed != self._window:
            # Before the read: of calls that come at once, one reads.
            self._listed = self._window
            existing = [row for row in await rows.every(self._pool) if row.end_time is None]
            self._existing = frozenset(
                [row.name for row in existing] + [f"tfc_{row.caller_id.hex}_" for row in existing]
            )
        return key in self._existing


async def _read_entry(read: Callable[[], Awaitable[rows.CallerRow | None]]) -> _Entry | None:
    row = await read()
    if row is None:
        return None
    grants = tuple(Grant(RealmId(g.realm_id), Role(g.role), g.may_state_client) for g in row.grants)
    return _Entry(
        Caller(row.caller_id, row.name, grants),
        row.credential_hash,
        row.previous_hash,
        row.previous_until,
        row.end_time is not None,
    )


def names(roles: Iterable[Role]) -> str:
    """Roles as the contract names them, comma-separated."""
    return ",".join(sorted(role.name for role in roles))


def _row(grant: Grant) -> rows.GrantRow:
    return rows.GrantRow(grant.realm_id, grant.role.value, grant.may_state_client)


def _development_caller() -> Caller:
    realm = RealmId("default")
    return Caller(
        UUID(int=0),
        DEVELOPMENT,
        tuple(Grant(realm, role, may_state_client=True) for role in Role if role is not Role.SUPPORT),
    )
