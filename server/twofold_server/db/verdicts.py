"""What the judging statements of sign-in, challenges and proofs are given, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Attempt:
    """What every verdict writes beside its own: under which budget, from where, and the event."""

    realm_id: str
    client_id: str
    now: datetime
    bucket: int
    ceiling: int
    unknown_ceiling: int
    waits: list[timedelta]
    network: str
    hour: datetime
    event_id: UUID
    details: dict[str, Any]
    personal: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Code:
    """The second factor's part: `owed` is `not_owed`, `waived` (by a trusted device), `none` (owed, not given), `enrollment` (none enrolled, and the realm demands one) or `given`; the rest is what it matched."""

    owed: str
    kind: str | None = None
    factor_id: UUID | None = None  # TOTP: whose seed gave the code; None if no seed did
    step: int | None = None
    slot: str | None = None  # backup code: its slot, the set that it was checked against, and whether it was right
    slot_set_id: UUID | None = None
    slot_ok: bool = False
    sent_id: UUID | None = None  # what was sent for this challenge (a code, an assertion's nonce, a request to a phone)
    sent_macs: list[bytes] | None = field(default=None, repr=False)  # of the code that came back, under each key held
    sent_ok: bool = False  # an assertion over the nonce was right
    amr: tuple[str, ...] = ()  # what this very factor proves, where that differs within its kind
    aal: int | None = None
    new_secret: bytes | None = field(
        default=None, repr=False
    )  # the factor's, sealed anew with what was counted up in it


@dataclass(frozen=True, slots=True)
class NewSession:
    """The session that a right sign-in begins."""

    session_id: UUID
    salt: bytes
    audience: str
    amr: list[str]
    aal: int
    auth_time: datetime
    second_factor_time: datetime | None
    factor_strength: int
    ip_address: str
    user_agent: str
    expire_time: datetime
    absolute_expire_time: datetime


@dataclass(frozen=True, slots=True)
class DeviceUse:
    """The device of a sign-in: a new row, or the known one, whose generation moves on if its newest token was presented."""

    device_id: UUID
    known: bool
    salt: bytes
    presented_generation: int
    trusted_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewChallenge:
    """The ticket of a sign-in that still owes its second factor."""

    ticket_id: UUID
    handle_hash: bytes
    binding_hash: bytes
    payload: bytes
    expire_time: datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a judging statement ended, with the device's token to be, where a session began."""

    outcome: str
    device_generation: int | None
    device_salt: bytes | None
