"""Mails: what users, strangers and realms put into them runs nothing, and makes no header and no link."""

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twofold_server.delivery.mail import Mail, PermanentFailure, build, clean_text, clean_title

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)
ID = UUID("01890000-0000-7000-8000-000000000001")
# As mail programs find links in plain text.
LINK = re.compile(r"://|www\.\S|[^\s@]+@[^\s@]+\.[^\W\d_]|[^\W_]\.[^\W\d_]{2}", re.IGNORECASE)
HOSTILE = [
    "{{ 7 * 7 }}",
    "{% for x in range(10**9) %}{% endfor %}",
    "Ada\r\nBcc: victim@example.org",
    "Ada\nContent-Type: text/html\n\n<script>",
    "Ada\u2028Bcc: victim@example.org",
    "Ada\x00\x1b[31m\x85Bcc: x",
    "\u202egro.elpmaxe\u202c",
    "\u2066evil\u2069",
    "https://evil.example/reset?token=1",
    "http:\\\\evil.example",
    "hxxp : // evil.example",
    "www.evil.example",
    "evil.example/login",
    "evil。example",
    "evil．example",
    "mailto:ceo@evil.example",
    '<a href="https://evil.example">click</a>',
    "<img src=x onerror=alert(1)>",
    '"; drop',
    "Ada <ada@evil.example>, Bob",
    "=?utf-8?q?=0D=0ABcc=3A_x?=",
    "==??utf-8?q?=0D=0ABcc=3A_x?=",
    "x" * 100_000,
    "Z̸͓̈́" * 1000,
]


def mail(**changes: Any) -> Mail:
    """A mail with something changed."""
    values: dict[str, Any] = {
        "outbox_id": ID,
        "template": "activation",
        "create_time": NOW,
        "now": NOW,
        "sender": "no-reply@example.com",
        "sender_name": "Example",
        "to": "ada@example.org",
        "subject": "Subject",
        "text": "Hello\n",
        "html": "<p>Hello</p>",
    }
    return build(**values | changes)


def parsed(built: Mail) -> EmailMessage:
    """The mail as its reader's program sees it."""
    found = message_from_bytes(bytes(built.message), policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_name_or_subject_injects_no_header(text: str) -> None:
    """Whatever the sender's name and the subject hold, the mail has its eight headers, one sender and one recipient."""
    found = parsed(mail(sender_name=text, subject=text))
    assert found.keys() == HEADERS
    assert [address.addr_spec for address in found["From"].addresses] == ["no-reply@example.com"]
    assert [address.addr_spec for address in found["To"].addresses] == ["ada@example.org"]


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_text_at_all_injects_a_header(name: str, subject: str) -> None:
    """The same for any text that there is."""
    found = parsed(mail(sender_name=name, subject=subject))
    assert found.keys() == HEADERS
    assert [address.addr_spec for address in found["From"].addresses] == ["no-reply@example.com"]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_somebody_chose_becomes_no_link(text: str) -> None:
    """A cleaned text is one line of at most 64 code points, without control and direction marks, and makes no link."""
    cleaned = clean_text(text)
    assert len(cleaned) <= 64
    assert cleaned.isprintable() or "\u200d" in cleaned
    assert not LINK.search(cleaned), cleaned


@given(st.text(max_size=300))
def test_cleaning_is_final(text: str) -> None:
    """Cleaning twice changes nothing more, so nothing hides in what the first pass joins."""
    cleaned = clean_text(text)
    assert len(cleaned) <= 64
    assert "://" not in cleaned
    assert clean_text(cleaned) == cleaned


@pytest.mark.parametrize(
    "text", ["Ada Lovelace", "Ада", "علی‌رضا", "J. R. R. Tolkien", "O'Brien", "192.0.2.7", "2001:db8::7", "👩‍💻"]
)
def test_an_honest_name_stays(text: str) -> None:
    """Names of any script, initials and addresses are shown as they are."""
    assert clean_text(text) == text


def test_a_product_may_be_named_like_a_host() -> None:
    """An operator's title keeps its dots, and is no link with a scheme."""
    assert clean_title("Booking.com") == "Booking.com"
    assert "://" not in clean_title("See https://evil.example")


@pytest.mark.parametrize(
    "to", ["", "ada", "ada@example.org\r\nBcc: x@example.org", "a@b@example.org", "Ada <ada@example.org>"]
)
def test_what_is_no_address_gets_no_mail(to: str) -> None:
    """A recipient is one bare address; all else ends the message, and the reason does not repeat it."""
    with pytest.raises(PermanentFailure, match=r"^not an address$"):
        mail(to=to)


def test_a_mail_of_plain_text_alone() -> None:
    """Without HTML the mail is one part."""
    assert parsed(mail(html=None)).get_content_type() == "text/plain"


def test_a_link_stands_whole_in_the_raw_mail() -> None:
    """A long link is on one line, not folded, so that it can be copied from a file."""
    link = f"https://app.example.com/{'long/' * 60}activate?token={'x' * 43}"
    assert link.encode() in bytes(mail(text=f"Open\n\n{link}\n").message)


def test_no_repr_shows_recipient_or_text() -> None:
    """A mail in a log line or traceback tells its id and kind."""
    assert "ada@" not in repr(mail())
    assert "Hello" not in repr(mail())
