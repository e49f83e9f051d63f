"""What the kinds of factors have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from twofold_server.crypto.keyring import Place


class Enrolled(Protocol):
    """What a read brings of an account's factors; the lists go together, the preferred factor first."""

    @property
    def account_id(self) -> UUID | None: ...
    @property
    def factor_ids(self) -> list[UUID] | None: ...
    @property
    def factor_kinds(self) -> list[str] | None: ...
    @property
    def factor_secrets(self) -> list[bytes] | None: ...
    @property
    def backup_hash(self) -> bytes | None: ...
    @property
    def backup_set_id(self) -> UUID | None: ...


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent for a challenge and still waits for its answer; `payload` is the kind's own.

    `answer` is what the phone said that was asked, and `factor_id` the factor that this phone is.
    """

    ticket_id: UUID
    payload: dict[str, Any] = field(repr=False)
    answer: str | None = None
    factor_id: UUID | None = None


def of_kind(enrolled: Enrolled, kind: str) -> list[tuple[UUID, bytes]]:
    """The id and sealed secret of each factor of a kind, the preferred one first."""
    together = zip(enrolled.factor_ids or (), enrolled.factor_kinds or (), enrolled.factor_secrets or (), strict=True)
    return [(factor_id, secret) for factor_id, found, secret in together if found == kind]


def secret_place(realm_id: str, account_id: UUID | None, factor_id: UUID) -> Place:
    """Where a factor's secret is sealed for."""
    return Place("factors", "secret", realm_id, str(account_id), str(factor_id))
