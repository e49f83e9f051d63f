"""What the kinds of factors have in common."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID


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
