"""A change of address taken back, by the link that the address before was mailed.

The link alone protects: it freezes changes and ends sessions. The address comes back only with the account's password
or a code, since whoever keeps an old mailbox must not take the account.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from twofold_server.crypto.keyring import Keyring
from twofold_server.db import accounts as db_accounts
from twofold_server.db import attempts as db_attempts
from twofold_server.db import email_changes as db_email_changes
from twofold_server.db import events as db_events
from twofold_server.db import tickets as db_tickets
from twofold_server.db.accounts import AccountRow, EmailTaken, LockedAccount
from twofold_server.db.attempts import Proofs
from twofold_server.db.pool import Connection, Pool, transaction
from twofold_server.db.tickets import Ticket
from twofold_server.db.verdicts import Code
from twofold_server.domain.attempts import UNKNOWN, Budget, Origin, budget_of, demand_network, hour_of, refusal
from twofold_server.domain.clock import Clock
from twofold_server.domain.destinations import Told
from twofold_server.domain.email_changes import UNDO, opened
from twofold_server.domain.epochs import raise_epoch
from twofold_server.domain.errors import (
    ChangedMeanwhile,
    EmailInUse,
    InvalidCredentials,
    InvalidSecondFactor,
    TicketNotFound,
    TwofoldError,
)
from twofold_server.domain.factors import Factors
from twofold_server.domain.messages import MessageKind
from twofold_server.domain.passwords import Passwords
from twofold_server.domain.proofs import judge_code
from twofold_server.domain.realms import Realm, Realms
from twofold_server.domain.security_log import SecurityLog
from twofold_server.domain.values import BackupCode, EmailAddress, Handle, Password, RealmId, SecondFactor

# Whoever has the link may be wrong so often, whatever strangers have counted: they would else keep its owner out.
_OWN_PROOFS: Final = 4


@dataclass(frozen=True, slots=True)
class Undone:
    """What came of it: the address is back, changes are frozen until a time, or both."""

    restored: bool
    frozen_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Link:
    """A link in use: its ticket and account, and who came with it."""

    realm: Realm
    account_id: UUID
    ticket: Ticket
    handle: Handle = field(repr=False)
    origin: Origin


class EmailUndos:
    """Takes changes of address back."""

    def __init__(
        self,
        pool: Pool,
        keyring: Keyring,
        passwords: Passwords,
        factors: Factors,
        realms: Realms,
        log: SecurityLog,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._keyring = keyring
        self._passwords = passwords
        self._factors = factors
        self._realms = realms
        self._log = log
        self._clock = clock

    async def undo(
        self, realm_ids: tuple[RealmId, ...], handle: Handle, proof: Password | SecondFactor | None, origin: Origin
    ) -> Undone:
        """Freeze the account's changes and end its sessions; with a right proof, bring the address before back instead.

        The link works until it has brought the address back; freezing is done once, and what an earlier link froze
        stays so. A proof is judged on the account as it is now, in the counts of unknown devices; the first four wrong
        ones of a link where those are closed, too. Raises TicketNotFound, InvalidCredentials, InvalidSecondFactor,
        TooManyAttempts, EmailInUse, ChangedMeanwhile, Overloaded.
        """
        ticket = await db_tickets.peek(
            self._pool, realm_ids=list(realm_ids), purpose=UNDO, handle_hash=handle.hash, now=self._clock()
        )
        if ticket is None or ticket.account_id is None:
            raise TicketNotFound(field="undo_token")
        realm = await self._realms.get(RealmId(ticket.realm_id))
        link = _Link(realm, ticket.account_id, ticket, handle, origin)
        if proof is None:
            async with transaction(self._pool) as tx:
                return await self._freeze(tx, link)
        found, right = await self._looked_at(link, proof)
        try:
            async with transaction(self._pool) as tx:
                result = await self._judge(tx, link, found, right)
        except EmailTaken:
            raise EmailInUse from None
        # After the commit: a wrong proof must stay counted.
        if isinstance(result, TwofoldError):
            raise result
        return result

    async def _looked_at(self, link: _Link, proof: Password | SecondFactor) -> tuple[Proofs, bool | Code]:
        """The slow part: whether the password is right, or what the code matches."""
        realm, now = link.realm, self._clock()
        found = await db_attempts.read(
            self._pool,
            realm_id=realm.realm_id,
            account_id=link.account_id,
            # The change ended every device but the one that made it.
            device_id=None,
            slot=proof.slot if isinstance(proof, BackupCode) else None,
            network=link.origin.client.network,
            hour=hour_of(now),
        )
        if found is None:
            raise TicketNotFound(field="undo_token")
        demand_network(realm, link.origin.client, found.network_failures, now)
        own = link.ticket.attempts < _OWN_PROOFS
        if not isinstance(proof, Password):
            code_budget = budget_of(found, proof.kind)
            if not own and code_budget is not None and not code_budget.is_open(UNKNOWN, realm, now):
                raise refusal(realm, code_budget.wait_until[UNKNOWN - 1], now)
            return found, await self._factors.verify(realm, found, proof, known_device=False)
        budget = Budget(found.failures, found.wait_until)
        if not own and not budget.is_open(UNKNOWN, realm, now):
            raise refusal(realm, budget.wait_until[UNKNOWN - 1], now)
        stored = self._passwords.open(realm.realm_id, link.account_id, found.hash)
        return found, await self._passwords.verify(stored, proof, account=str(link.account_id))

    async def _judge(self, tx: Connection, link: _Link, found: Proofs, right: bool | Code) -> TwofoldError | Undone:
        """Judge in the order ticket, account, password, code; an error that is returned is committed with its count."""
        realm, ticket = link.realm, link.ticket
        await self._spend(tx, link)
        wrong = await db_email_changes.lock_links(tx, realm.realm_id, found.account_id, ticket.ticket_id, UNDO)
        own = wrong < _OWN_PROOFS
        account = await self._locked(tx, link)
        # Not the epoch: whoever has a session can raise that again and again.
        if account.hash != found.hash:
            raise ChangedMeanwhile
        now = self._clock()
        if isinstance(right, Code):
            error = await judge_code(realm, found.account_id, right, tx, UNKNOWN, now, closed_too=own)
        else:
            error = await self._judge_password(tx, realm, found, account, right, own)
        if error is None:
            return Undone(restored=True, frozen_until=await self._restore(tx, link, now))
        await db_tickets.unspend(tx, realm_id=realm.realm_id, ticket_id=ticket.ticket_id, attempt=own)
        if isinstance(error, InvalidCredentials | InvalidSecondFactor):
            await db_attempts.count_network(tx, realm.realm_id, link.origin.client.network, hour_of(now))
            secret = "code" if isinstance(right, Code) else "password"
            await self._event(tx, link, "proof_failed", {"known_device": False, "secret": secret})
        return error

    async def _judge_password(
        self, tx: Connection, realm: Realm, found: Proofs, account: LockedAccount, right: bool, own: bool
    ) -> TwofoldError | None:
        now = self._clock()
        budget = Budget(account.failures, account.wait_until)
        if not own and not budget.is_open(UNKNOWN, realm, now):
            return refusal(realm, budget.wait_until[UNKNOWN - 1], now)
        counts = budget.cleared(UNKNOWN, realm) if right else budget.counted(UNKNOWN, realm, now)
        if counts is not None:
            await db_accounts.set_password_budget(tx, realm.realm_id, found.account_id, *counts)
        return None if right else InvalidCredentials()

    async def _restore(self, tx: Connection, link: _Link, now: datetime) -> datetime | None:
        """Bring the address back; until when changes stay frozen, where an earlier link froze them."""
        realm, ticket = link.realm, link.ticket
        before = EmailAddress.parse(opened(self._keyring, ticket))
        told = await self._log.destinations(tx, realm, link.account_id)
        await raise_epoch(tx, realm.realm_id, link.account_id, now)
        account = await db_email_changes.set_email(
            tx,
            realm.realm_id,
            link.account_id,
            email=before.text,
            email_key=before.key,
            now=now,
            link_ends=ticket.expire_time,
        )
        # Those of later changes, whose links went to mailboxes that the account should never have had.
        await db_email_changes.end_later_links(tx, realm.realm_id, link.account_id, ticket.ticket_id, UNDO, now)
        others = [address for address in told.emails if address.key != before.key]
        told = Told([before, *others], told.numbers, told.language)
        await self._record(tx, link, "email_restored", MessageKind.EMAIL_RESTORED, told, account)
        return await db_email_changes.frozen_until(tx, realm.realm_id, link.account_id)

    async def _freeze(self, tx: Connection, link: _Link) -> Undone:
        realm, ticket = link.realm, link.ticket
        await self._spend(tx, link)
        locked = await self._locked(tx, link)
        # The link is still worth its other use.
        await db_tickets.unspend(tx, realm_id=realm.realm_id, ticket_id=ticket.ticket_id, attempt=False)
        now = self._clock()
        until = await db_email_changes.freeze(tx, realm.realm_id, link.account_id, ticket.expire_time, now)
        if until is None:
            # Done before: whoever keeps the link can't end the user's sessions again and again.
            return Undone(restored=False, frozen_until=locked.changes_frozen_until)
        # Devices stay known: among strangers alone, whom the holder of the link can count out, the owner would be too.
        await raise_epoch(tx, realm.realm_id, link.account_id, now, keep_devices=True)
        told = await self._log.destinations(tx, realm, link.account_id)
        account = await db_accounts.get(tx, realm.realm_id, link.account_id)
        await self._record(tx, link, "changes_frozen", MessageKind.CHANGES_FROZEN, told, account)
        return Undone(restored=False, frozen_until=until)

    async def _spend(self, tx: Connection, link: _Link) -> None:
        """Spend the ticket. Raises TicketNotFound."""
        if not await db_tickets.spend(
            tx,
            realm_id=link.realm.realm_id,
            ticket_id=link.ticket.ticket_id,
            handle_hash=link.handle.hash,
            binding_hash=None,
            now=self._clock(),
        ):
            raise TicketNotFound(field="undo_token")

    async def _locked(self, tx: Connection, link: _Link) -> LockedAccount:
        """Lock the link's account. Raises TicketNotFound, where support has locked the account too."""
        account = await db_accounts.lock(tx, link.realm.realm_id, link.account_id)
        if account is None or account.state != "active":
            raise TicketNotFound(field="undo_token")
        return account

    async def _record(
        self, tx: Connection, link: _Link, event: str, notice: MessageKind, told: Told, account: AccountRow | None
    ) -> None:
        await self._event(tx, link, event, {})
        params = {**link.origin.personal, "name": account.display_name if account is not None else ""}
        await self._log.tell(tx, link.realm, link.account_id, notice, told=told, params=params)

    async def _event(self, tx: Connection, link: _Link, kind: str, details: dict[str, object]) -> None:
        await db_events.write(
            tx,
            event_id=uuid7(),
            realm_id=link.realm.realm_id,
            account_id=link.account_id,
            kind=kind,
            client_id=link.origin.client_id,
            now=self._clock(),
            details=details,
            personal=link.origin.personal,
        )
