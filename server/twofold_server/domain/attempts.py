"""Attempt budgets: how many wrong secrets an authenticator takes, and how long it then stays closed.

The count stands in the authenticator's own row, in two buckets: unknown devices together, and known ones. The
statement that gives a verdict is the one that counts it. Failures before the wait, the waits and the ceilings are the
realm's. Source: NIST SP 800-63B-4, 3.2.2; ASVS 6.3.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from uuid_utils.compat import uuid7

from twofold_server.db import attempts as db_attempts
from twofold_server.db.pool import Pool
from twofold_server.db.verdicts import Attempt
from twofold_server.domain.clients import Client
from twofold_server.domain.errors import TooManyAttempts, TwofoldError
from twofold_server.domain.realms import Realm

UNKNOWN: Final = 1
KNOWN: Final = 2
# As in the SQL function live_failures: so long after the last failure a count is forgotten.
FORGOTTEN_AFTER: Final = timedelta(days=30)
NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a call comes from: the calling service, and the end user's side as far as it is believed."""

    client_id: str
    client: Client

    @property
    def personal(self) -> dict[str, Any]:
        return {"ip_address": self.client.ip_address, "user_agent": self.client.user_agent}


@dataclass(frozen=True, slots=True)
class Budget:
    """The two counts of one authenticator, by bucket."""

    failures: Sequence[int]
    wait_until: Sequence[datetime]

    def live(self, bucket: int, now: datetime) -> int:
        """The failures that still count."""
        return 0 if self.wait_until[bucket - 1] < now - FORGOTTEN_AFTER else self.failures[bucket - 1]

    def is_open(self, bucket: int, realm: Realm, now: datetime) -> bool:
        """Whether an attempt would be judged. Only advice before a hash; the statement that counts judges again."""
        return self.live(bucket, now) < ceiling(realm, bucket) and self.wait_until[bucket - 1] <= now

    def counted(self, bucket: int, realm: Realm, now: datetime) -> tuple[list[int], list[datetime]]:
        """The counts after one more failure."""
        failures, wait_until = list(self.failures), list(self.wait_until)
        failures[bucket - 1] = self.live(bucket, now) + 1
        wait_until[bucket - 1] = now + realm.waits[min(failures[bucket - 1], len(realm.waits)) - 1]
        return failures, wait_until

    def cleared(self, bucket: int, realm: Realm) -> tuple[list[int], list[datetime]] | None:
        """The counts after a right secret.

        None if there is nothing to clear. A known device reopens the other bucket at its ceiling.
        """
        failures, wait_until = list(self.failures), list(self.wait_until)
        buckets = [bucket]
        if bucket == KNOWN and failures[UNKNOWN - 1] >= ceiling(realm, UNKNOWN):
            buckets.append(UNKNOWN)
        if not any(failures[b - 1] for b in buckets):
            return None
        for b in buckets:
            failures[b - 1], wait_until[b - 1] = 0, NEVER
        return failures, wait_until


class Counted(Protocol):
    """What a read brings of the counts of an account's codes: one for each kind, the lists go together."""

    @property
    def budget_kinds(self) -> list[str] | None: ...
    @property
    def budget_failures(self) -> list[list[int]] | None: ...
    @property
    def budget_wait_until(self) -> list[list[datetime]] | None: ...


def budget_of(found: Counted, kind: str) -> Budget | None:
    """The count of a kind of factor, as a read brought it."""
    if found.budget_kinds is None or found.budget_failures is None or found.budget_wait_until is None:
        return None
    if kind not in found.budget_kinds:
        return None
    number = found.budget_kinds.index(kind)
    return Budget(found.budget_failures[number], found.budget_wait_until[number])


def is_known_device(origin: Origin, generation: int | None) -> bool:
    """Whether the device that a call names is the one that was found, by a token of now or of just before."""
    device = origin.client.device
    return device is not None and generation is not None and generation - 1 <= device.generation <= generation


def choose_bucket(realm: Realm, known_device: bool, budgets: Sequence[Budget | None], now: datetime) -> int:
    """The bucket that an attempt draws on: a known device's own, while each budget that it needs is open there.

    Then it is one of the unknown devices: whoever closes the known bucket, from a stolen session say, shuts nobody out.
    """
    if known_device and all(budget is None or budget.is_open(KNOWN, realm, now) for budget in budgets):
        return KNOWN
    return UNKNOWN


def ceiling(realm: Realm, bucket: int) -> int:
    """How many failures close a bucket for good."""
    return realm.settings.known_ceiling if bucket == KNOWN else realm.settings.unknown_ceiling


def refusal(realm: Realm, until: datetime | None, now: datetime) -> TooManyAttempts:
    """Say that a budget is closed, and until when.

    At its ceiling there is no such time, and the longest wait is told.
    """
    left = (until - now).total_seconds() if until is not None else 0.0
    return TooManyAttempts(retry_after=left if left > 0 else realm.settings.longest_wait.total_seconds())


def hour_of(now: datetime) -> datetime:
    """The hour that a network's failures are counted in."""
    return now.replace(minute=0, second=0, microsecond=0)


def demand_network(realm: Realm, client: Client, failures: int, now: datetime) -> None:
    """Refuse a network that failed too often this hour.

    Failures alone are counted, and known devices are never asked.
    """
    settings = realm.settings
    limit = hourly_limit(client, settings.network_failures_per_hour, settings.caller_failures_per_hour)
    if failures >= limit:
        raise TooManyAttempts(retry_after=_left_of_hour(now))


async def count_call(
    pool: Pool, realm_id: str, counted_as: str, limit: int, now: datetime, refused: type[TwofoldError] = TooManyAttempts
) -> int:
    """Count a call of which `limit` are answered in an hour, in a commit of its own, before anything else is done.

    How many there were this hour, this one included. Raises `refused` over the limit.
    """
    counted = await db_attempts.count_network(pool, realm_id, counted_as, hour_of(now))
    if counted > limit:
        raise refused(retry_after=_left_of_hour(now))
    return counted


def hourly_limit(client: Client, of_network: int, of_caller: int) -> int:
    """The limit that holds for a client: its network's, or its caller's, where that may not state its client."""
    return of_network if client.stated else of_caller


def _left_of_hour(now: datetime) -> float:
    return (hour_of(now) + timedelta(hours=1) - now).total_seconds()


def attempt(realm: Realm, origin: Origin, bucket: int, now: datetime, details: dict[str, Any]) -> Attempt:
    """What a verdict writes beside its own."""
    return Attempt(
        realm_id=realm.realm_id,
        client_id=origin.client_id,
        now=now,
        bucket=bucket,
        ceiling=ceiling(realm, bucket),
        unknown_ceiling=ceiling(realm, UNKNOWN),
        waits=list(realm.waits),
        network=origin.client.network,
        hour=hour_of(now),
        event_id=uuid7(),
        details=details | {"known_device": bucket == KNOWN},
        personal=origin.personal,
    )
