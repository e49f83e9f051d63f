"""An account's epoch: all that carries it ends when it rises."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from twofold_server.db import accounts as db_accounts
from twofold_server.db.pool import Connection
from twofold_server.domain.clock import REVOCATION_LIFE


async def raise_epoch(
    tx: Connection,
    realm_id: str,
    account_id: UUID,
    now: datetime,
    *,
    second_factor: bool | None = None,
    keep_device: UUID | None = None,
    keep_devices: bool = False,
) -> int:
    """End the sessions, devices, challenges and links of a locked account, and tell verifiers; the epoch that follows.

    `second_factor`: whether the account has one from now on; None for as before. `keep_device` stays known, not
    trusted; with `keep_devices` all of them do.
    """
    return await db_accounts.raise_epoch(
        tx,
        realm_id,
        account_id,
        second_factor=second_factor,
        keep_device=keep_device,
        revocation_id=uuid7(),
        revocation_expire=now + REVOCATION_LIFE,
        now=now,
        keep_devices=keep_devices,
    )
