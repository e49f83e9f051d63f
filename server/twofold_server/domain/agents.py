"""Agents: accounts of the realm `support`, made by the operator, who work the desk for the users of other realms."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Self
from uuid import UUID

from uuid_utils.compat import uuid7

from twofold_server.crypto import tokens
from twofold_server.crypto.keyring import Keyring
from twofold_server.db import events as db_events
from twofold_server.db import support as db_support
from twofold_server.db import tickets as db_tickets
from twofold_server.db.pool import Connection, Pool, transaction
from twofold_server.db.support import AgentRow
from twofold_server.db.tickets import NewTicket
from twofold_server.domain.active_sessions import ActiveSession
from twofold_server.domain.attempts import count_call
from twofold_server.domain.clock import Clock
from twofold_server.domain.epochs import raise_epoch
from twofold_server.domain.errors import AgentNotEligible, SessionEnded, SupportLimitReached
from twofold_server.domain.realms import SUPPORT_REALM, Realm, RealmRefused, Realms
from twofold_server.domain.sign_up import ACTIVATION, activation_subject
from twofold_server.domain.tickets import payload_place
from twofold_server.domain.values import EmailAddress

APPRENTICESHIP: Final = timedelta(hours=24)
"""How long an agent must have been one to approve what another has opened."""

_SETTINGS: Final = {
    # Whoever takes over an agent's mailbox or SIM card must not have the agent's second factor with it.
    "factor_kinds": "totp,passkey,push",
    "second_factor": "demanded",
    "second_factor_keep": "true",
    "session_idle": "12h",
    "session_absolute": "12h",
    "device_trust_lifetime": "0",
}


@dataclass(frozen=True, slots=True)
class Agent:
    """Who works the desk in a call: the account, the session and the caller that they came through."""

    account_id: UUID
    session_id: UUID
    epoch: int
    client_id: str

    @classmethod
    def of(cls, session: ActiveSession) -> Self:
        """The agent of a session that the boundary has let through as one."""
        return cls(session.account_id, session.session_id, session.epoch, session.client_id)

    async def hold(self, tx: Connection, others: Iterable[UUID | None] = ()) -> dict[UUID, AgentRow]:
        """Keep this agent, and others, as they are until the transaction ends. Raises SessionEnded.

        An agent who was locked after the boundary had looked does nothing more.
        """
        wanted = {self.account_id, *(other for other in others if other is not None)}
        found = await db_support.hold_agents(tx, SUPPORT_REALM, sorted(wanted))
        own = found.get(self.account_id)
        if own is None or own.state != "active" or own.epoch != self.epoch:
            raise SessionEnded
        return found

    async def count_look_up(self, pool: Pool, realms: Realms, now: datetime) -> None:
        """Count a look-up, in a commit of its own, before anything is looked at. Raises SupportLimitReached."""
        limit = (await realms.get(SUPPORT_REALM)).settings.support_lookups_per_hour
        await count_call(pool, SUPPORT_REALM, f"agent {self.account_id}", limit, now, SupportLimitReached)

    async def record(
        self,
        tx: Connection,
        realm: Realm,
        kind: str,
        now: datetime,
        *,
        account_id: UUID | None = None,
        details: dict[str, Any] | None = None,
        reason: str = "",
    ) -> None:
        """Write an event of what this agent does in a realm; a reason is erased with the account."""
        await db_events.write(
            tx,
            event_id=uuid7(),
            realm_id=realm.realm_id,
            account_id=account_id,
            kind=kind,
            client_id=self.client_id,
            now=now,
            details={"agent_id": str(self.account_id), **(details or {})},
            personal={"reason": reason} if reason else None,
        )


def demand_no_agent(realm_id: str) -> None:
    """Raise AgentNotEligible in the realm of agents: who is one, and under which address, the operator decides.

    Else one agent would bring back an ended one, or would be nobody in the events of before.
    """
    if realm_id == SUPPORT_REALM:
        raise AgentNotEligible(metadata={"why": "OPERATOR"})


class AgentRefused(Exception):
    """The operator's command on an agent can't be done; the text says why."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a new agent activates the account with, once, choosing a password."""

    activation_token: str = field(repr=False)
    expire_time: datetime


class Agents:
    """Makes and ends agents, at the operator's command."""

    def __init__(self, pool: Pool, keyring: Keyring, realms: Realms, clock: Clock) -> None:
        self._pool = pool
        self._keyring = keyring
        self._realms = realms
        self._clock = clock

    async def add(self, email: EmailAddress) -> Invitation:
        """Invite an agent, and make the realm `support` with the first; another invitation ends the one before.

        Raises AgentRefused where the address has an account there.
        """
        realm = await self.realm()
        now, ticket_id = self._clock(), uuid7()
        if await db_support.account_exists(self._pool, realm.realm_id, email.key):
            raise AgentRefused("That address has an agent's account already.")
        token, handle_hash = tokens.new_secret_token()
        claim = {
            "email": email.text,
            "hash": _no_password(),
            "display_name": "",
            "language_code": "",
            "token": token,
        }
        expire_time = now + realm.settings.activation_lifetime
        await db_tickets.put_single(
            self._pool,
            NewTicket(
                ticket_id=ticket_id,
                realm_id=realm.realm_id,
                purpose=ACTIVATION,
                subject=activation_subject(self._keyring, realm, email),
                handle_hash=handle_hash,
                # Of no device: a password chosen with the token is the one way.
                binding_hash=tokens.new_secret_token()[1],
                payload=self._keyring.seal(json.dumps(claim).encode(), payload_place(realm.realm_id, None, ticket_id)),
                create_time=now,
                expire_time=expire_time,
            ),
        )
        return Invitation(token, expire_time)

    async def end(self, email: EmailAddress) -> None:
        """Lock an agent's account, which ends its sessions at once. Raises AgentRefused."""
        await self._set_state(email, "locked", "account_locked")

    async def restore(self, email: EmailAddress) -> None:
        """Let an agent who was ended or locked sign in again. Raises AgentRefused."""
        await self._set_state(email, "active", "account_unlocked")

    async def _set_state(self, email: EmailAddress, state: str, event: str) -> None:
        now = self._clock()
        found = await db_support.find(self._pool, SUPPORT_REALM, email_key=email.key)
        if not found:
            raise AgentRefused("There is no such agent.")
        account_id = found[0].account_id
        async with transaction(self._pool) as tx:
            await db_support.set_state(tx, SUPPORT_REALM, account_id, state, now)
            if state == "locked":
                await raise_epoch(tx, SUPPORT_REALM, account_id, now)
            await db_events.write(
                tx,
                event_id=uuid7(),
                realm_id=SUPPORT_REALM,
                account_id=account_id,
                kind=event,
                client_id="operator",
                now=now,
                details={},
                personal=None,
            )

    async def realm(self) -> Realm:
        """The realm of agents, made where there is none."""
        for realm in await self._realms.every():
            if realm.realm_id == SUPPORT_REALM:
                return realm
        try:
            return await self._realms.create_reserved(SUPPORT_REALM, "Support desk", _SETTINGS)
        except RealmRefused:
            # Another command made it just now.
            return await self._realms.get(SUPPORT_REALM)


def _no_password() -> str:
    """A hash that is well formed and of no password: its tag is random."""
    salt, tag = (base64.b64encode(secrets.token_bytes(n)).decode().rstrip("=") for n in (16, 32))
    return f"$argon2id$v=19$m=19456,t=2,p=1${salt}${tag}"
