"""What became of messages, as a caller is told it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from twofold_server.db import outbox as db_outbox
from twofold_server.db.outbox import Progress
from twofold_server.db.pool import Connection
from twofold_server.domain.attempts import hour_of
from twofold_server.domain.realms import Realm


class DeliveryState(StrEnum):
    """How far a message came."""

    WAITING = "waiting"
    SENT = "sent"
    EXPIRED = "expired"
    REFUSED = "refused"


class Refusal(StrEnum):
    """Why a message is not sent."""

    OVER_BUDGET = "over_budget"
    SPEND_CAP = "spend_cap"
    COUNTRY_NOT_SERVED = "country_not_served"
    PROVIDER_REFUSED = "provider_refused"
    ADDRESS_UNREACHABLE = "address_unreachable"
    CHANNEL_NOT_CONFIGURED = "channel_not_configured"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a message. `reason` where it was refused; `resend_time`: when another may be asked for."""

    state: DeliveryState
    reason: Refusal | None
    resend_time: datetime


_STATES: Final = {
    "waiting": DeliveryState.WAITING,
    "sent": DeliveryState.SENT,
    "expired": DeliveryState.EXPIRED,
    "superseded": DeliveryState.EXPIRED,
    "over_budget": DeliveryState.REFUSED,
    "dead": DeliveryState.REFUSED,
}
_REFUSALS: Final = frozenset(Refusal)


async def delivery_of(db: Connection, realm: Realm, outbox_ids: Sequence[UUID]) -> dict[UUID, Delivery]:
    """Tell what became of messages, by id; one that is long gone from the outbox is left out."""
    rows = await db_outbox.progress(db, realm.realm_id, list(outbox_ids))
    return {row.outbox_id: told(realm, row) for row in rows}


async def delivery_of_ticket(db: Connection, realm: Realm, ticket_id: UUID) -> Delivery | None:
    """Tell what became of the newest message of a ticket; None where there was none."""
    row = await db_outbox.progress_of_ticket(db, realm.realm_id, ticket_id)
    return told(realm, row) if row is not None else None


def told(realm: Realm, row: Progress) -> Delivery:
    """What a message's row tells."""
    state = _STATES[row.state]
    reason: Refusal | None = None
    if state is DeliveryState.REFUSED:
        named = row.refusal or ("over_budget" if row.state == "over_budget" else "failed")
        # A refusal that a newer release named is told as a failure.
        reason = Refusal(named) if named in _REFUSALS else Refusal.FAILED
    return Delivery(state, reason, resend_time(realm, row.create_time, reason, row.failure or ""))


def resend_time(realm: Realm, create_time: datetime, reason: Refusal | None, scope: str) -> datetime:
    """When another may be asked for: after the wait, and not before the window ends whose count is used up."""
    earliest = create_time + realm.settings.resend_wait
    if reason not in (Refusal.OVER_BUDGET, Refusal.SPEND_CAP):
        return earliest
    hour = hour_of(create_time)
    end = hour + timedelta(hours=1) if scope.endswith("hour") else hour.replace(hour=0) + timedelta(days=1)
    return max(earliest, end)


def new_delivery(realm: Realm, create_time: datetime, refusal: Refusal | None, scope: str = "") -> Delivery:
    """What a caller is told as soon as the message is written."""
    state = DeliveryState.WAITING if refusal is None else DeliveryState.REFUSED
    return Delivery(state, refusal, resend_time(realm, create_time, refusal, scope))
