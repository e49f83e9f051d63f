"""What a finished recovery does: at once, or by the clock when the realm's wait is over, unless it is cancelled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from uuid_utils.compat import uuid7

from twofold_server.crypto.keyring import Keyring, KeyringError
from twofold_server.db import accounts as db_accounts
from twofold_server.db import approvers as db_approvers
from twofold_server.db import events as db_events
from twofold_server.db import factors as db_factors
from twofold_server.db import recovery as db_recovery
from twofold_server.db import tickets as db_tickets
from twofold_server.db.pool import Connection, Pool, transaction
from twofold_server.db.recovery import Pending, Step
from twofold_server.domain.attempts import Origin
from twofold_server.domain.clock import Clock
from twofold_server.domain.epochs import raise_epoch
from twofold_server.domain.errors import TicketNotFound
from twofold_server.domain.messages import MessageKind
from twofold_server.domain.realms import Realm, Realms
from twofold_server.domain.security_log import SecurityLog
from twofold_server.domain.tickets import payload_place
from twofold_server.domain.values import Handle, RealmId

RECOVERY: Final = "recovery"
CANCEL: Final = "recovery_cancel"
_log = structlog.get_logger("twofold.recoveries")
_BATCH: Final = 100
_SLACK: Final = timedelta(days=1)


class RecoveryEffects:
    """Takes second factors off, now or later, and cancels what is yet to come."""

    def __init__(self, pool: Pool, keyring: Keyring, realms: Realms, log: SecurityLog, clock: Clock) -> None:
        self._pool = pool
        self._keyring = keyring
        self._realms = realms
        self._log = log
        self._clock = clock

    def cancel_end(self, realm: Realm, expire_time: datetime) -> datetime:
        """Until when the cancel link of a recovery is kept: past the latest effect."""
        return expire_time + realm.settings.two_factor_recovery_wait + _SLACK

    async def finish(self, tx: Connection, realm: Realm, step: Step, origin: Origin, now: datetime) -> datetime:
        """Have the effect of a spent step of a locked account, or hold it for the realm's wait; tell when it is."""
        wait = realm.settings.two_factor_recovery_wait
        if not wait:
            await self._take_off(tx, realm, step.account_id, origin.client_id, origin.personal, now)
            return now
        place = payload_place(realm.realm_id, step.account_id, step.ticket_id)
        kept = json.loads(self._keyring.open(step.payload, place))
        kept |= {"client_id": origin.client_id, "personal": origin.personal}
        sealed = self._keyring.seal(json.dumps(kept).encode(), place)
        await db_recovery.hold(tx, realm.realm_id, step.ticket_id, sealed, now + wait)
        await self._write(
            tx, realm, step.account_id, "two_factor_recovery_held", origin.client_id, origin.personal, now
        )
        await self._log.tell(
            tx,
            realm,
            step.account_id,
            MessageKind.TWO_FACTOR_RECOVERY_WAITING,
            params={**origin.personal, "token": kept["cancel_token"]},
            expire_time=now + wait,
        )
        return now + wait

    async def cancel(self, realm_ids: tuple[RealmId, ...], handle: Handle, origin: Origin) -> None:
        """End a recovery that has not taken effect, and each other of the account; tell the owner everywhere.

        Raises TicketNotFound.
        """
        now = self._clock()
        link = await db_tickets.peek(
            self._pool, realm_ids=list(realm_ids), purpose=CANCEL, handle_hash=handle.hash, now=now
        )
        if link is None or link.account_id is None:
            raise TicketNotFound(field="cancel_token")
        realm = await self._realms.get(RealmId(link.realm_id))
        async with transaction(self._pool) as tx:
            if not await db_recovery.cancel(tx, realm.realm_id, link.account_id, UUID(link.subject), now):
                raise TicketNotFound(field="cancel_token")
            await self._write(
                tx, realm, link.account_id, "two_factor_recovery_cancelled", origin.client_id, origin.personal, now
            )
            await self._log.tell(
                tx, realm, link.account_id, MessageKind.TWO_FACTOR_RECOVERY_CANCELLED, params=origin.personal
            )

    async def carry_out_due(self) -> int:
        """Have the effect of every recovery whose wait is over; how many there were. Any number of workers may."""
        found = await db_recovery.due(self._pool, self._clock(), _BATCH)
        for pending in found:
            try:
                await self._carry_out(pending)
            except KeyringError:
                # Made under a key that this worker lacks, or altered: it holds back none of the others.
                _log.error("recovery_not_opened", ticket_id=str(pending.ticket_id))
        return len(found)

    async def _carry_out(self, pending: Pending) -> None:
        realm, now = await self._realms.get(RealmId(pending.realm_id)), self._clock()
        place = payload_place(realm.realm_id, pending.account_id, pending.ticket_id)
        kept = json.loads(self._keyring.open(pending.payload, place))
        async with transaction(self._pool) as tx:
            if not await db_recovery.take(tx, realm.realm_id, pending.ticket_id, now):
                return
            locked = await db_accounts.lock(tx, realm.realm_id, pending.account_id)
            # Whatever ended the account's old state within the wait ended this as well.
            if locked is None or locked.epoch != pending.epoch or locked.state != "active":
                return
            await self._take_off(tx, realm, pending.account_id, kept["client_id"], kept["personal"], now)

    async def _take_off(
        self, tx: Connection, realm: Realm, account_id: UUID, client_id: str, personal: Mapping[str, Any], now: datetime
    ) -> None:
        """Remove all that proves a second factor of a locked account, and end all that was before by its epoch."""
        # As they are before: the mailboxes and numbers of the factors that go are told as well.
        told = await self._log.destinations(tx, realm, account_id)
        await db_factors.remove_all(tx, realm.realm_id, account_id)
        await db_approvers.forget(tx, realm.realm_id, account_id)
        await raise_epoch(tx, realm.realm_id, account_id, now, second_factor=False)
        await self._write(tx, realm, account_id, "two_factor_recovered", client_id, personal, now)
        await self._log.tell(tx, realm, account_id, MessageKind.TWO_FACTOR_RECOVERED, told=told, params=dict(personal))

    async def _write(
        self,
        tx: Connection,
        realm: Realm,
        account_id: UUID,
        kind: str,
        client_id: str,
        personal: Mapping[str, Any],
        now: datetime,
    ) -> None:
        await db_events.write(
            tx,
            event_id=uuid7(),
            realm_id=realm.realm_id,
            account_id=account_id,
            kind=kind,
            client_id=client_id,
            now=now,
            details={},
            personal=dict(personal),
        )
