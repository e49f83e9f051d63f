"""A forgotten password: a mailed link, and the device that asked for it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from twofold_server.crypto import tokens
from twofold_server.crypto.blocklist import Advice
from twofold_server.crypto.keyring import Keyring
from twofold_server.db import accounts as db_accounts
from twofold_server.db import events as db_events
from twofold_server.db import phone_numbers as db_phone_numbers
from twofold_server.db import recovery as db_recovery
from twofold_server.db import tickets as db_tickets
from twofold_server.db.accounts import AccountRow
from twofold_server.db.pool import Connection, Pool, transaction
from twofold_server.db.tickets import NewTicket, Ticket
from twofold_server.domain.active_sessions import demand_unfrozen
from twofold_server.domain.attempts import Origin, count_call, hourly_limit, is_known_device
from twofold_server.domain.browsers import browser_of
from twofold_server.domain.captcha import Captchas, Pressure
from twofold_server.domain.channels import channel_of
from twofold_server.domain.clock import Clock
from twofold_server.domain.destinations import open_number
from twofold_server.domain.epochs import raise_epoch
from twofold_server.domain.errors import AccountLocked, TicketNotFound
from twofold_server.domain.masking import mask_phone
from twofold_server.domain.messages import MessageKind, Messages
from twofold_server.domain.passwords import Passwords, scheme_of
from twofold_server.domain.realms import Realm, Realms
from twofold_server.domain.security_log import SecurityLog
from twofold_server.domain.sessions import SessionTokens
from twofold_server.domain.tickets import payload_place, put_in_slot
from twofold_server.domain.values import EmailAddress, Handle, NewPassword, RealmId

PASSWORD_RESET: Final = "password_reset"
# An intruder's device is a known one when it signs in again, so what it added must not depend on that alone.
_LISTED: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request for a link answers, for every address alike."""

    reset_binding: str = field(repr=False)
    resend_time: datetime


@dataclass(frozen=True, slots=True)
class Addition:
    """What came to an account lately: `sort` is factor, backup_codes, device or phone_number."""

    sort: str
    factor_kind: str
    name: str
    create_time: datetime


class PasswordResets:
    """Mails links for forgotten passwords, and sets new ones with them."""

    def __init__(
        self,
        pool: Pool,
        keyring: Keyring,
        passwords: Passwords,
        realms: Realms,
        session_tokens: SessionTokens,
        messages: Messages,
        log: SecurityLog,
        captchas: Captchas,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._keyring = keyring
        self._passwords = passwords
        self._realms = realms
        self._tokens = session_tokens
        self._messages = messages
        self._log = log
        self._captchas = captchas
        self._clock = clock

    async def request(self, realm: Realm, email: EmailAddress, origin: Origin) -> Asked:
        """Mail a link, if the address has an account: one ticket and one row of mail either way, and the same answer.

        No count of wrong passwords is asked. Raises TooManyAttempts (its network), CaptchaRequired, CaptchaInvalid,
        CaptchaUnavailable, ChangedMeanwhile.
        """
        counted = await count_recovery(self._pool, realm, origin, self._clock())
        pressure = Pressure(counted, realm.settings.captcha_recovery_after)
        await self._captchas.demand(realm, origin, pressure=pressure)
        device = origin.client.device
        found = await db_recovery.find(
            self._pool,
            realm_id=realm.realm_id,
            email_key=email.key,
            device_id=device.device_id if device else None,
            device_inner=self._tokens.device_inner(device) if device else None,
            device_proof=tokens.mac_proof(device.mac) if device else None,
        )
        known_id = found.device_id if is_known_device(origin, found.device_generation) else None
        now = self._clock()
        token, handle_hash = tokens.new_secret_token()
        binding, binding_hash = tokens.new_secret_token()
        ticket_id = uuid7()
        expire_time = now + realm.settings.reset_lifetime
        # Of the account as it is now: a change of its password or address meanwhile ends the link.
        kept = {"account_id": str(found.account_id or ""), "epoch": found.epoch, "email_key": email.key}
        ticket = NewTicket(
            ticket_id=ticket_id,
            realm_id=realm.realm_id,
            purpose=PASSWORD_RESET,
            subject=subject_of(self._keyring, realm, PASSWORD_RESET, email, known_id),
            handle_hash=handle_hash,
            binding_hash=binding_hash,
            payload=self._keyring.seal(json.dumps(kept).encode(), payload_place(realm.realm_id, None, ticket_id)),
            create_time=now,
            expire_time=expire_time,
        )
        mail = self._messages.prepare(
            realm.realm_id,
            MessageKind.PASSWORD_RESET,
            to=email,
            ticket_id=ticket_id,
            language=found.language_code or origin.client.language_code or realm.settings.language_code,
            expire_time=expire_time,
            params={"token": token},
        )
        await put_in_slot(self._pool, ticket, mail)
        return Asked(binding, now + realm.settings.resend_wait)

    async def reset(
        self, realm_ids: tuple[RealmId, ...], handle: Handle, binding: Handle, new: NewPassword, origin: Origin
    ) -> tuple[list[Addition], Advice | None]:
        """Set a new password with the token of a link, on the device that asked for it; signs nobody in.

        Ends every session, device and challenge by the epoch. Returns what came to the account since its last sign-in
        on a known device, and in the last week at least. Raises TicketNotFound, AccountLocked, ChangesFrozen,
        InvalidFields (a common or breached password), PasswordCheckUnavailable, Overloaded.
        """
        # Peek, then the slow work, then spend in the transaction of the effect: a weak password burns no link, and a
        # stranger buys no hash.
        ticket = await db_tickets.peek(
            self._pool,
            realm_ids=list(realm_ids),
            purpose=PASSWORD_RESET,
            handle_hash=handle.hash,
            now=self._clock(),
            binding_hash=binding.hash,
        )
        if ticket is None:
            raise TicketNotFound(field="reset_token")
        realm = await self._realms.get(RealmId(ticket.realm_id))
        kept = json.loads(self._keyring.open(ticket.payload, payload_place(realm.realm_id, None, ticket.ticket_id)))
        account = (
            await db_accounts.get(self._pool, realm.realm_id, UUID(kept["account_id"])) if kept["account_id"] else None
        )
        if account is None or EmailAddress.parse(account.email).key != kept["email_key"]:
            raise TicketNotFound(field="reset_token")
        inputs = [account.email, account.email.partition("@")[0], account.display_name, realm.display_name]
        self._passwords.demand_acceptable(realm, new, "new_password", inputs)
        await self._passwords.demand_unbreached(new, "new_password")
        hash = await self._passwords.hash(new, account=str(account.account_id))
        async with transaction(self._pool) as tx:
            added = await self._reset(tx, realm, ticket, handle, binding, account, kept, hash, origin)
        # The links beside it are dead by the epoch; their places need not wait until they expire. Not in the
        # transaction: two links that are used at once would each hold its own and wait for the other's.
        await db_tickets.end_others(
            self._pool, realm_id=realm.realm_id, purpose=PASSWORD_RESET, subject=ticket.subject, now=self._clock()
        )
        return added, await self._passwords.advice(new, inputs)

    async def _reset(
        self,
        tx: Connection,
        realm: Realm,
        ticket: Ticket,
        handle: Handle,
        binding: Handle,
        account: AccountRow,
        kept: dict[str, Any],
        hash: bytes,
        origin: Origin,
    ) -> list[Addition]:
        now, account_id = self._clock(), account.account_id
        if not await db_tickets.spend(
            tx,
            realm_id=realm.realm_id,
            ticket_id=ticket.ticket_id,
            handle_hash=handle.hash,
            binding_hash=binding.hash,
            now=now,
        ):
            raise TicketNotFound(field="reset_token")
        locked = await db_accounts.lock(tx, realm.realm_id, account_id)
        if locked is not None and locked.state != "active":
            raise AccountLocked
        if locked is None or locked.epoch != kept["epoch"]:
            raise TicketNotFound(field="reset_token")
        # The mailbox may be an intruder's, whose change of address was taken back.
        demand_unfrozen(locked.changes_frozen_until, now)
        # Before the epoch rises, which ends the devices among them.
        added = await self._additions(tx, realm, account_id)
        await raise_epoch(tx, realm.realm_id, account_id, now)
        await db_accounts.set_password(
            tx,
            realm.realm_id,
            account_id,
            hash=self._passwords.seal(realm.realm_id, account_id, hash),
            scheme=scheme_of(hash),
            now=now,
        )
        # Such a password proves no more than the mailbox does.
        channel = channel_of(EmailAddress.parse(account.email))
        await db_recovery.note_channel(tx, realm.realm_id, account_id, channel)
        await db_events.write(
            tx,
            event_id=uuid7(),
            realm_id=realm.realm_id,
            account_id=account_id,
            kind="password_reset",
            client_id=origin.client_id,
            now=now,
            details={"added": len(added)},
            personal=origin.personal,
        )
        await self._log.tell(
            tx,
            realm,
            account_id,
            MessageKind.PASSWORD_RESET_DONE,
            params={
                "name": account.display_name,
                **origin.personal,
                "added": ",".join(dict.fromkeys(addition.factor_kind or addition.sort for addition in added)),
            },
        )
        return added

    async def _additions(self, tx: Connection, realm: Realm, account_id: UUID) -> list[Addition]:
        found = []
        for row in await db_recovery.additions(tx, realm.realm_id, account_id, self._clock() - _LISTED):
            name = browser_of(row.name) if row.sort == "device" else row.name
            if row.sort == "phone_number" and (number := await db_phone_numbers.get(tx, realm.realm_id, account_id)):
                name = mask_phone(open_number(self._keyring, realm.realm_id, account_id, number.number))
            found.append(Addition(row.sort, row.factor_kind, name, row.create_time))
        return found


async def count_recovery(pool: Pool, realm: Realm, origin: Origin, now: datetime) -> int:
    """Count a recovery that a client network begins, and refuse it over the limit: its mail may go to any stranger.

    How many there were this hour, this one included.
    """
    settings, client = realm.settings, origin.client
    limit = hourly_limit(client, settings.recoveries_per_network_per_hour, settings.recoveries_per_caller_per_hour)
    return await count_call(pool, realm.realm_id, f"recovery {client.network}", limit, now)


def subject_of(keyring: Keyring, realm: Realm, purpose: str, email: EmailAddress, device_id: UUID | None) -> str:
    """What the slots of a link are counted by: the address, or a known device of its account, which has its own."""
    return keyring.identifier_mac(realm.realm_id, f"{purpose}:{email.key}:{device_id or ''}").hex()
