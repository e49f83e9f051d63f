"""Signing up: a claim of an address, a mailed link, and the account that the link and its own proof make."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from uuid_utils.compat import uuid7

from twofold_server.crypto import tokens
from twofold_server.crypto.blocklist import Advice
from twofold_server.crypto.keyring import Keyring
from twofold_server.db import accounts as db_accounts
from twofold_server.db import attempts as db_attempts
from twofold_server.db import events as db_events
from twofold_server.db import outbox as db_outbox
from twofold_server.db import tickets as db_tickets
from twofold_server.db.accounts import AccountRow, EmailTaken
from twofold_server.db.pool import Connection, Pool, transaction
from twofold_server.db.tickets import NewTicket, Ticket
from twofold_server.domain.attempts import Origin, count_call, hour_of, hourly_limit
from twofold_server.domain.captcha import Captchas, Pressure
from twofold_server.domain.channels import channel_of
from twofold_server.domain.clock import Clock
from twofold_server.domain.errors import (
    InvalidCredentials,
    ResendTooSoon,
    SignUpClosed,
    TicketNotFound,
    TooManyAttempts,
)
from twofold_server.domain.messages import MessageKind, Messages
from twofold_server.domain.passwords import Passwords, scheme_of
from twofold_server.domain.realms import SUPPORT_REALM, Realm, Realms
from twofold_server.domain.tickets import payload_place, put_in_slot
from twofold_server.domain.values import EmailAddress, Handle, LanguageCode, NewPassword, Password, RealmId
from twofold_server.domain.written_texts import DisplayName

ACTIVATION: Final = "activation"


@dataclass(frozen=True, slots=True)
class SignedUp:
    """What a sign-up answers, for every address alike."""

    sign_up_binding: str = field(repr=False)
    resend_time: datetime
    advice: Advice | None


class SignUps:
    """Claims addresses and makes accounts of the claims that are proven."""

    def __init__(
        self,
        pool: Pool,
        keyring: Keyring,
        passwords: Passwords,
        realms: Realms,
        messages: Messages,
        captchas: Captchas,
        clock: Clock,
    ) -> None:
        self._captchas = captchas
        self._pool = pool
        self._keyring = keyring
        self._passwords = passwords
        self._realms = realms
        self._messages = messages
        self._clock = clock

    async def sign_up(
        self,
        realm: Realm,
        email: EmailAddress,
        password: NewPassword,
        display_name: DisplayName,
        language: LanguageCode,
        origin: Origin,
    ) -> SignedUp:
        """Claim an address: one ticket and one mail, whether or not it has an account; which mail it is, the worker
        decides.

        Raises InvalidFields (a common or breached password), TooManyAttempts (its network), CaptchaRequired,
        CaptchaInvalid, CaptchaUnavailable, PasswordCheckUnavailable, Overloaded, SignUpClosed (agents).
        """
        if realm.realm_id == SUPPORT_REALM:
            raise SignUpClosed
        inputs = [email.text, email.text.partition("@")[0], display_name.text, realm.display_name]
        self._passwords.demand_acceptable(realm, password, "password", inputs)
        sign_ups = await self._count(realm, origin)
        # This one is among those counted.
        pressure = Pressure(sign_ups - 1, realm.settings.captcha_sign_up_after)
        await self._captchas.demand(realm, origin, pressure=pressure)
        await self._passwords.demand_unbreached(password, "password")
        hash = await self._passwords.hash(password, account=self._subject(realm, email))
        advice = await self._passwords.advice(password, inputs)
        now = self._clock()
        token, handle_hash = tokens.new_secret_token()
        binding, binding_hash = tokens.new_secret_token()
        ticket_id = uuid7()
        expire_time = now + realm.settings.activation_lifetime
        language_code = language.text or origin.client.language_code
        claim = {
            "email": email.text,
            "hash": hash.decode(),
            "display_name": display_name.text,
            "language_code": language_code,
            "token": token,
        }
        ticket = NewTicket(
            ticket_id=ticket_id,
            realm_id=realm.realm_id,
            purpose=ACTIVATION,
            subject=self._subject(realm, email),
            handle_hash=handle_hash,
            binding_hash=binding_hash,
            payload=self._keyring.seal(json.dumps(claim).encode(), payload_place(realm.realm_id, None, ticket_id)),
            create_time=now,
            expire_time=expire_time,
            client_id=origin.client_id,
        )
        mail = self._messages.prepare(
            realm.realm_id,
            MessageKind.ACTIVATION,
            to=email,
            ticket_id=ticket_id,
            language=language_code or realm.settings.language_code,
            expire_time=expire_time,
            params={"name": display_name.text, "token": token},
        )
        resend_time = now + realm.settings.resend_wait
        await put_in_slot(self._pool, ticket, mail, self._wait_key(realm, email, binding_hash), resend_time)
        return SignedUp(binding, resend_time, advice)

    async def resend(self, realm: Realm, email: EmailAddress, binding: Handle, origin: Origin) -> datetime:
        """Mail the link of a claim again, and tell when the next one becomes possible. Raises ResendTooSoon.

        The wait is kept by what was presented, so that a binding of nothing waits and is refused like a real one.
        """
        await self._count(realm, origin)
        now = self._clock()
        next_time = now + realm.settings.resend_wait
        until = await db_tickets.pass_wait(
            self._pool,
            self._wait_key(realm, email, binding.hash),
            now=now,
            next_time=next_time,
            expire_time=now + realm.settings.activation_lifetime,
            limit=realm.settings.resend_limit,
        )
        if until is not None:
            raise ResendTooSoon(retry_after=max(1.0, (until - now).total_seconds()))
        ticket = await db_tickets.of_binding(
            self._pool,
            realm_id=realm.realm_id,
            purpose=ACTIVATION,
            subject=self._subject(realm, email),
            binding_hash=binding.hash,
            now=now,
        )
        claim = self._claim(ticket) if ticket is not None else None
        # Without a claim the same row is written, for a ticket that does not exist: the worker drops it.
        await db_outbox.insert(
            self._pool,
            self._messages.prepare(
                realm.realm_id,
                MessageKind.ACTIVATION,
                to=email,
                ticket_id=ticket.ticket_id if ticket is not None else uuid7(),
                language=(claim or {}).get("language_code") or realm.settings.language_code,
                expire_time=ticket.expire_time if ticket is not None else now + realm.settings.activation_lifetime,
                params={
                    "name": (claim or {}).get("display_name", ""),
                    "token": claim["token"] if claim is not None else tokens.new_secret_token()[0],
                },
            ),
        )
        return next_time

    async def _count(self, realm: Realm, origin: Origin) -> int:
        """Count a mail that a client network causes, and refuse it over the limit: it may go to any stranger.

        How many there were this hour, this one included.
        """
        settings, client = realm.settings, origin.client
        limit = hourly_limit(client, settings.sign_ups_per_network_per_hour, settings.sign_ups_per_caller_per_hour)
        return await count_call(self._pool, realm.realm_id, f"sign-up {client.network}", limit, self._clock())

    async def activate(
        self, realm_ids: tuple[RealmId, ...], handle: Handle, proof: Handle | Password | NewPassword, origin: Origin
    ) -> AccountRow:
        """Make the account of a claim, with its link and the proof whose claim it is.

        A binding or the claim's own password keeps what was claimed; with a new password the mailbox alone is proven,
        and the claim's password and profile are thrown away: whoever registered somebody else's address keeps
        nothing. Raises TicketNotFound, InvalidCredentials, TooManyAttempts, InvalidFields (a common or breached new
        password), PasswordCheckUnavailable, Overloaded.
        """
        # Peek, then the slow work, then spend in the transaction of the effect: a weak password burns no link.
        now = self._clock()
        ticket = await db_tickets.peek(
            self._pool, realm_ids=list(realm_ids), purpose=ACTIVATION, handle_hash=handle.hash, now=now
        )
        if ticket is None:
            raise TicketNotFound(field="activation_token")
        realm = await self._realms.get(RealmId(ticket.realm_id))
        claim = self._claim(ticket)
        email = EmailAddress.parse(claim["email"])
        binding_hash = None
        match proof:
            case Handle():
                binding_hash = proof.hash
            case Password():
                await self._demand_claim_password(realm, ticket, handle, claim, proof, origin)
            case NewPassword():
                self._passwords.demand_acceptable(
                    realm, proof, "new_password", [email.text, email.text.partition("@")[0], realm.display_name]
                )
                await self._passwords.demand_unbreached(proof, "new_password")
                claim = claim | {
                    "hash": (await self._passwords.hash(proof, account=str(ticket.ticket_id))).decode(),
                    "display_name": "",
                    "language_code": origin.client.language_code,
                    "set_through": channel_of(email),
                }
        try:
            async with transaction(self._pool) as tx:
                return await self._create(tx, realm, ticket, handle, binding_hash, claim, email, origin)
        except EmailTaken:
            raise TicketNotFound(field="activation_token") from None

    async def _demand_claim_password(
        self, realm: Realm, ticket: Ticket, handle: Handle, claim: dict[str, Any], password: Password, origin: Origin
    ) -> None:
        right = await self._passwords.verify(claim["hash"].encode(), password, account=str(ticket.ticket_id))
        if right:
            # It counts only with the spending of the ticket, which demands that its five attempts are not used up.
            return
        now = self._clock()
        counted = await db_tickets.count_attempt(
            self._pool, realm_id=realm.realm_id, ticket_id=ticket.ticket_id, handle_hash=handle.hash, now=now
        )
        if not counted:
            raise TooManyAttempts(retry_after=(ticket.expire_time - now).total_seconds())
        await db_attempts.count_network(self._pool, realm.realm_id, origin.client.network, hour_of(now))
        raise InvalidCredentials

    async def _create(
        self,
        tx: Connection,
        realm: Realm,
        ticket: Ticket,
        handle: Handle,
        binding_hash: bytes | None,
        claim: dict[str, Any],
        email: EmailAddress,
        origin: Origin,
    ) -> AccountRow:
        now = self._clock()
        account_id = uuid7()
        hash = claim["hash"].encode()
        account = await db_accounts.create(
            tx,
            realm_id=realm.realm_id,
            account_id=account_id,
            email=email.text,
            email_key=email.key,
            display_name=claim["display_name"],
            language_code=claim["language_code"],
            hash=self._passwords.seal(realm.realm_id, account_id, hash),
            scheme=scheme_of(hash),
            # Without the claim's own proof the mailbox alone has set it.
            set_through=claim.get("set_through"),
            now=now,
        )
        # After the account: its unique key puts competing claims in a row. Tickets first, each would hold its own and
        # wait for the other's.
        spent = await db_tickets.spend(
            tx,
            realm_id=realm.realm_id,
            ticket_id=ticket.ticket_id,
            handle_hash=handle.hash,
            binding_hash=binding_hash,
            now=now,
        )
        if not spent:
            raise TicketNotFound(field="activation_token")
        await db_tickets.end_others(
            tx, realm_id=realm.realm_id, purpose=ACTIVATION, subject=self._subject(realm, email), now=now
        )
        await db_events.write(
            tx,
            event_id=uuid7(),
            realm_id=realm.realm_id,
            account_id=account_id,
            kind="account_activated",
            client_id=origin.client_id,
            now=now,
            details={},
            personal=origin.personal,
        )
        return account

    def _subject(self, realm: Realm, email: EmailAddress) -> str:
        return activation_subject(self._keyring, realm, email)

    def _wait_key(self, realm: Realm, email: EmailAddress, binding_hash: bytes) -> bytes:
        return self._keyring.identifier_mac(realm.realm_id, f"resend:{email.key}:{binding_hash.hex()}")

    def _claim(self, ticket: Ticket) -> dict[str, Any]:
        claim: dict[str, Any] = json.loads(
            self._keyring.open(ticket.payload, payload_place(ticket.realm_id, None, ticket.ticket_id))
        )
        return claim


def activation_subject(keyring: Keyring, realm: Realm, email: EmailAddress) -> str:
    """What a claim's slots are counted by: not the address itself, which may be no customer's."""
    return keyring.identifier_mac(realm.realm_id, f"activation:{email.key}").hex()
