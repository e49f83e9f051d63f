"""After support has reset an account's second factor: who enrols the next one shows the code that support handed over.

The password alone, which a thief may have, must not. The code is good for a time and for one factor; after that time
the account waits for another case.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from twofold_server.crypto import pairing_codes
from twofold_server.crypto.keyring import Keyring
from twofold_server.db import reenrollments as db_reenrollments
from twofold_server.db import tickets as db_tickets
from twofold_server.db.pool import Connection
from twofold_server.db.tickets import NewTicket
from twofold_server.domain.errors import InvalidCode, RecoveryNeedsSupport
from twofold_server.domain.realms import Realm
from twofold_server.domain.tickets import payload_place
from twofold_server.domain.values import SupportCode

REENROLLMENT: Final = "reenrollment"


async def owe(tx: Connection, keyring: Keyring, realm: Realm, account_id: UUID, now: datetime) -> tuple[str, datetime]:
    """Let a locked account owe it; the code for its user, and until when it is good. It ends the code before."""
    # Typed, perhaps read out: written like a pairing code, and as long.
    code, ticket_id = pairing_codes.new_code(), uuid7()
    expire_time = now + realm.settings.reenrollment_lifetime
    place = payload_place(realm.realm_id, account_id, ticket_id)
    await db_tickets.put_single(
        tx,
        NewTicket(
            ticket_id=ticket_id,
            realm_id=realm.realm_id,
            purpose=REENROLLMENT,
            subject=str(account_id),
            handle_hash=pairing_codes.handle_hash(code),
            binding_hash=None,
            payload=keyring.seal(b"{}", place),
            create_time=now,
            expire_time=expire_time,
            account_id=account_id,
        ),
    )
    await db_reenrollments.owe(tx, realm.realm_id, account_id, expire_time)
    return code, expire_time


async def demand_code(
    db: Connection, realm: Realm, account_id: UUID, owed_until: datetime | None, code: SupportCode | None, now: datetime
) -> None:
    """Demand the code of an account that owes it, spending nothing; of another none is looked at.

    Raises InvalidCode, RecoveryNeedsSupport (it was not used in time).
    """
    if not _owed(owed_until, now):
        return
    if code is None or not await db_tickets.peek(
        db,
        realm_ids=[realm.realm_id],
        purpose=REENROLLMENT,
        handle_hash=pairing_codes.handle_hash(code.text),
        now=now,
        account_id=account_id,
    ):
        raise InvalidCode(field="support_code")


async def settle(tx: Connection, realm: Realm, account_id: UUID, owed_until: datetime | None, now: datetime) -> None:
    """Note that a locked account has enrolled what was begun with the code; others owe nothing.

    Raises RecoveryNeedsSupport, where the code's time has run out meanwhile.
    """
    if _owed(owed_until, now):
        await db_reenrollments.settle(tx, realm.realm_id, account_id, REENROLLMENT, now)


def _owed(until: datetime | None, now: datetime) -> bool:
    if until is not None and until <= now:
        raise RecoveryNeedsSupport
    return until is not None
