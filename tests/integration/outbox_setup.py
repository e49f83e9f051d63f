"""What the tests of messages share: a worker on a real database, and a sender that remembers."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from twofold_server.crypto import tokens
from twofold_server.crypto.keyring import Keyring
from twofold_server.db import outbox, tickets
from twofold_server.db.pool import Pool
from twofold_server.delivery.failover import FailOver, Provider
from twofold_server.delivery.letters import Letters
from twofold_server.delivery.mail import Mail, Sender
from twofold_server.delivery.outbox import OutboxWorker
from twofold_server.delivery.rendering import Templates
from twofold_server.delivery.sms import Sms
from twofold_server.domain.messages import MessageKind, Messages
from twofold_server.domain.realms import Realms
from twofold_server.domain.values import EmailAddress, RealmId

REALM = RealmId("default")
TEMPLATES = Templates()


class RecordingSender:
    """Keeps the mails that it is given; `faults` are raised first, one a mail."""

    def __init__(self, *faults: Exception) -> None:
        self.mails: list[Mail] = []
        self.faults = list(faults)
        self.gate = asyncio.Event()
        self.gate.set()
        self.reached = asyncio.Event()

    async def send(self, mail: Mail, /) -> None:
        """Wait for the gate, fail as told, or take the mail."""
        self.reached.set()
        await self.gate.wait()
        if self.faults:
            raise self.faults.pop(0)
        self.mails.append(mail)


class RecordingSmsSender:
    """Keeps the text messages that it is given; `faults` are raised first, one a message."""

    def __init__(self, *faults: Exception) -> None:
        self.messages: list[Sms] = []
        self.faults = list(faults)

    async def send(self, message: Sms, /) -> None:
        """Fail as told, or take the message."""
        if self.faults:
            raise self.faults.pop(0)
        self.messages.append(message)


@dataclass
class Post:
    """An outbox with all that belongs to it."""

    pool: Pool
    clock: Callable[[], datetime]
    keyring: Keyring = field(default_factory=lambda: Keyring.from_text(Keyring.generate()))
    sender: RecordingSender = field(default_factory=RecordingSender)
    sms: RecordingSmsSender = field(default_factory=RecordingSmsSender)

    def __post_init__(self) -> None:
        self.messages = Messages(self.keyring, self.clock)
        self.realms = Realms(self.pool, self.clock, issuer="https://twofold.test")

    def worker(self, sender: Sender | None = None, pool: "Pool | None" = None, concurrency: int = 8) -> OutboxWorker:
        """A worker; each call makes another."""
        pool = pool or self.pool
        return OutboxWorker(
            pool,
            letters=Letters(pool, self.messages, TEMPLATES, "no-reply@twofold.test", self.clock),
            realms=Realms(pool, self.clock, issuer="https://twofold.test").get,
            mail=FailOver([Provider("relay", sender or self.sender)], self.clock),
            sms=FailOver([Provider("gateway", self.sms)], self.clock),
            hook=FailOver([], self.clock),
            clock=self.clock,
            concurrency=concurrency,
        )

    async def sign_up(self, email: str = "ada@example.org", name: str = "") -> tuple[str, UUID, UUID]:
        """Write what a sign-up writes: a ticket and its mail. Returns the link's token, ticket and outbox ids."""
        address = EmailAddress.parse(email)
        token, handle_hash = tokens.new_secret_token()
        now = self.clock()
        ticket = tickets.NewTicket(
            uuid7(), REALM, "activation", address.key, handle_hash, None, b"", now, now + timedelta(days=2)
        )
        row = self.messages.prepare(
            REALM,
            MessageKind.ACTIVATION,
            to=address,
            ticket_id=ticket.ticket_id,
            expire_time=ticket.expire_time,
            params={"token": token, "name": name},
        )
        await tickets.put_bounded(self.pool, ticket, row, row.outbox_id.bytes, now)
        return token, ticket.ticket_id, row.outbox_id

    async def notice(
        self,
        kind: MessageKind = MessageKind.PASSWORD_CHANGED,
        email: str = "ada@example.org",
        language: str = "",
        **params: str,
    ) -> UUID:
        """Write a notice."""
        row = self.messages.prepare(REALM, kind, to=email, account_id=uuid7(), language=language, params=params)
        await outbox.insert(self.pool, row)
        return row.outbox_id

    async def account(self, email: str) -> None:
        """Write an account."""
        address = EmailAddress.parse(email)
        await self.pool.execute(
            "INSERT INTO accounts (account_id, realm_id, email, email_key, create_time, update_time)"
            " VALUES ($1, $2, $3, $4, $5, $5)",
            uuid7(),
            REALM,
            address.text,
            address.key,
            self.clock(),
        )

    async def row(self, outbox_id: UUID) -> tuple[str, str | None, bytes | None, int]:
        """State, failure, payload and attempts of a message."""
        found = await self.pool.fetchrow(
            "SELECT state, failure, payload, attempts FROM outbox WHERE outbox_id = $1", outbox_id
        )
        assert found is not None
        return found["state"], found["failure"], found["payload"], found["attempts"]

    async def state(self, outbox_id: UUID) -> str:
        """State of a message."""
        return (await self.row(outbox_id))[0]


def text_of(mail: Mail) -> str:
    """The plain text of a mail."""
    part = mail.message.get_body(("plain",))
    assert part is not None
    content = part.get_content()
    assert isinstance(content, str)
    return content


def html_of(mail: Mail) -> str:
    """The HTML of a mail."""
    part = mail.message.get_body(("html",))
    assert part is not None
    content = part.get_content()
    assert isinstance(content, str)
    return content
