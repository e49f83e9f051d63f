"""Mails as they are sent: built so that nothing a user or realm chose becomes a header or a link."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final, Protocol
from uuid import UUID

import email_validator

from twofold_server.crypto.names import clean_name
from twofold_server.domain.deliveries import Refusal

# Full stops of every script before a letter: what stands there reads as a host name, and mail programs make it a link.
_STOP_BEFORE_LETTER: Final = re.compile(r"[.。．｡](?=[^\W\d_])")
_SCHEME: Final = re.compile(r":\s*[/\\]{2,}")
# Specials of RFC 5322 that would need quoting, which the header folding of some Python releases loses.
_SPECIALS: Final = str.maketrans(dict.fromkeys('"<>,;:@\\()[]', " "))


class DeliveryError(Exception):
    """A message was not taken. `reason` is kept with the row, so it holds no address, no body and no server text."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TemporaryFailure(DeliveryError):
    """It may be taken later.

    `uncertain`: it may have been taken, so that no other provider may be tried; `down`: the provider itself is at
    fault, not this message; `retry_after`: seconds before which it asks not to be tried again.
    """

    def __init__(
        self, reason: str, *, uncertain: bool = False, down: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(reason)
        self.uncertain = uncertain
        self.down = down
        self.retry_after = retry_after
        # Filled in by the fail-over: whom to try again, and nobody else.
        self.provider: str | None = None


class PermanentFailure(DeliveryError):
    """It never will be. `refusal` is what the caller is told."""

    def __init__(self, reason: str, refusal: Refusal = Refusal.PROVIDER_REFUSED) -> None:
        super().__init__(reason)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail ready to be sent: envelope and message. `outbox_id` names it in logs and makes a repeat known as one."""

    outbox_id: UUID
    template: str
    create_time: datetime
    sender: str
    recipient: str = field(repr=False)
    message: EmailMessage = field(repr=False)


class Sender(Protocol):
    """Takes mails to people."""

    async def send(self, message: Mail, /) -> None:
        """Hand the mail over; once this returns, it is somebody else's to keep. Raises DeliveryError."""


def clean_text(text: str) -> str:
    """Return what somebody chose as it may stand in a mail: one line of 64 code points, nothing that becomes a link.

    `https://evil.example/x` becomes `https evil. example/x`; `Dr.Smith` gets a space; addresses of numbers stay.
    """
    return clean_name(_STOP_BEFORE_LETTER.sub(". ", _SCHEME.sub(" ", clean_name(text, limit=256))))


def clean_title(text: str) -> str:
    """Return an operator's name for a product: as `clean_text`, but `Booking.com` is let stand."""
    return clean_name(_SCHEME.sub(" ", clean_name(text, limit=256)))


def build(
    *,
    outbox_id: UUID,
    template: str,
    create_time: datetime,
    now: datetime,
    sender: str,
    sender_name: str,
    to: str,
    subject: str,
    text: str,
    html: str | None,
) -> Mail:
    """Build a mail of plain text and, where given, an HTML alternative (RFC 5322, RFC 2046).

    The Message-ID is made of the row's id: a repeat after a lost answer is the same mail. `Auto-Submitted` (RFC 3834)
    keeps vacation replies away. Raises PermanentFailure where `to` is no address.
    """
    recipient = _deliverable(to)
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(_header_text(sender_name.translate(_SPECIALS), limit=64), addr_spec=sender)
    local_part, _, domain = recipient.rpartition("@")
    message["To"] = Address(username=local_part, domain=domain)
    message["Subject"] = _header_text(subject, limit=200)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{outbox_id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text, cte=_encoding(text))
    if html is not None:
        message.add_alternative(html, subtype="html", cte=_encoding(html))
        # The boundary that the library draws is random; of the row's id, a repeat is byte for byte the same.
        message.set_boundary(f"=_{outbox_id.hex}")
    return Mail(outbox_id, template, create_time, sender, recipient, message)


def _header_text(text: str, limit: int) -> str:
    # An encoded word (RFC 2047) is decoded when the header is made, line breaks and all: it must not come in as one.
    return clean_name(text, limit=limit).replace("=?", "= ?")


def _deliverable(to: str) -> str:
    try:
        found = email_validator.validate_email(to, check_deliverability=False)
    except email_validator.EmailNotValidError:
        raise PermanentFailure("not an address", Refusal.ADDRESS_UNREACHABLE) from None
    # The domain in its ASCII form where that is possible: few servers know SMTPUTF8.
    return found.ascii_email or found.normalized


def _encoding(text: str) -> str:
    # Unwrapped where it can be, so that a link can be copied out of the raw file; RFC 5321 allows lines of 998 octets.
    return "7bit" if text.isascii() and all(len(line) < 990 for line in text.splitlines()) else "quoted-printable"
