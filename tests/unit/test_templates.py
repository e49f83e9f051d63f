"""Templates and messages: each kind has its words, and values in them are data."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import jinja2
import pytest

from twofold_server.crypto.keyring import Keyring, SealBroken
from twofold_server.delivery.letters import ALREADY_REGISTERED
from twofold_server.delivery.mail import clean_text
from twofold_server.delivery.rendering import BrokenTemplateError, Templates, utc
from twofold_server.delivery.texts import Lifetime
from twofold_server.domain.messages import BUDGETED, NOTICE, RULES, URGENT, MessageKind, Messages, address_mac
from twofold_server.domain.values import EmailAddress

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)
ALL = [*(kind.value for kind in MessageKind), ALREADY_REGISTERED]
NAMES = frozenset().union(*(rule.shown for rule in RULES.values()))


def values(**changes: object) -> dict[str, object]:
    """All that a template may be given."""
    return {
        **dict.fromkeys(NAMES, ""),
        "product": "Example",
        "link": "https://app.example.com/activate?token=T",
        "lifetime": Lifetime(2, "day"),
        "expire_time": NOW,
        "time": NOW,
        **changes,
    }


@pytest.mark.parametrize("template", ALL)
def test_each_message_has_words_of_all_three_forms(template: str) -> None:
    """Subject on one line, text and HTML, made of nothing else than what the kind is given."""
    shown = RULES[MessageKind(template)].shown if template != ALREADY_REGISTERED else frozenset({"name"})
    given = {name: value for name, value in values().items() if name not in NAMES or name in shown}
    words = Templates().render(template, (), given)
    assert "Example" in words.subject
    assert "\n" not in words.subject
    assert len(words.subject) < 100
    assert "Example" in words.text
    assert max(map(len, words.text.splitlines())) <= 79
    assert words.html is not None
    assert "Example" in words.html
    assert "{{" not in words.text + words.html


@pytest.mark.parametrize("template", sorted(set(ALL) - {"activation", ALREADY_REGISTERED}))
def test_notices_say_who_when_and_where(template: str) -> None:
    """A notice has the name, the time in UTC, the address and the program; and no link."""
    words = Templates().render(template, (), values(name="Ada", ip_address="192.0.2.7", user_agent="Firefox"))
    assert words.html is not None
    for text in (words.text, words.html):
        for wanted in ("Hello Ada,", "2026-03-14 12:00 UTC", "192.0.2.7", "Firefox"):
            assert wanted in text
        assert "app.example.com" not in text


def test_values_are_data_in_text_and_html() -> None:
    """Template syntax in a value stays as it is, and mark-up is escaped in HTML."""
    hostile = "{{ 7*7 }}{% raw %}<b>&\"'"
    words = Templates().render("factor_added", (), values(name=hostile, factor_name=hostile, product=hostile))
    assert words.text.count(hostile) == 4
    assert words.html is not None
    assert "<b>" not in words.html
    assert "49" not in words.text + words.html
    assert "{{ 7*7 }}{% raw %}&lt;b&gt;&amp;&#34;&#39;" in words.html


def test_a_name_with_a_link_makes_none_in_html() -> None:
    """What a user chose never ends inside an href."""
    words = Templates().render("new_device", (), values(name=clean_text("https://evil.example")))
    assert words.html is not None
    assert "href" not in words.html
    assert "evil.example" not in words.html


def test_an_operators_templates_come_first(tmp_path: Path) -> None:
    """A directory may replace one file and add a language; what it lacks is the server's own."""
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "activation.subject").write_text("Welcome to {{ product }}")
    (tmp_path / "pt").mkdir()
    (tmp_path / "pt" / "activation.subject").write_text("Ative a sua conta")
    (tmp_path / "pt" / "activation.txt").write_text("{{ link }} {{ expire_time | utc }}")
    templates = Templates(tmp_path)
    english = templates.render("activation", ("en",), values())
    assert english.subject == "Welcome to Example"
    assert "open this link" in english.text
    for language in ("pt", "pt-BR", "PT-br"):
        assert templates.render("activation", (language, "en"), values()).subject == "Ative a sua conta"
    assert templates.render("activation", ("pt",), values()).html is None
    assert templates.render("activation", ("xx", "pt"), values()).subject == "Ative a sua conta"
    assert templates.render("new_device", ("pt", "xx", "../pt"), values()).subject.startswith("A new sign-in")


def test_a_broken_template_stops_the_start_and_names_its_line(tmp_path: Path) -> None:
    """What an operator wrote wrongly is found before the first mail; so is a directory that is not there."""
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "activation.txt").write_text("fine\n{% if %}\n")
    with pytest.raises(BrokenTemplateError, match=r"^en/activation.txt, line 2: "):
        Templates(tmp_path)
    with pytest.raises(FileNotFoundError):
        Templates(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ product.__init__.__globals__ }}",
        "{{ self._TemplateReference__context }}{{ cycler.__init__.__globals__.os }}",
        "{{ missing }}",
    ],
)
def test_a_template_is_in_a_sandbox(tmp_path: Path, source: str) -> None:
    """Even an operator's template reaches no Python, and a word that is not given is an error, not a gap."""
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "activation.txt").write_text(source)
    with pytest.raises(jinja2.TemplateError):
        Templates(tmp_path).render("activation", (), values())


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(days=2), Lifetime(2, "day")),
        (timedelta(days=2) - timedelta(milliseconds=80), Lifetime(2, "day")),
        (timedelta(days=1), Lifetime(24, "hour")),
        (timedelta(minutes=90), Lifetime(90, "minute")),
        (timedelta(minutes=30), Lifetime(30, "minute")),
        (timedelta(seconds=-5), Lifetime(0, "minute")),
    ],
)
def test_lifetimes_as_they_are_said(span: timedelta, said: Lifetime) -> None:
    """The largest unit of which there are two."""
    assert Lifetime.of(span) == said


def test_times_are_utc() -> None:
    """A time of any zone is written in UTC, and says so."""
    assert utc(datetime.fromisoformat("2026-03-14T01:30:00+02:00")) == "2026-03-13 23:30 UTC"


@pytest.fixture
def messages() -> Messages:
    return Messages(Keyring({1: bytes(range(32))}, 1), lambda: NOW)


def test_a_message_is_sealed_for_its_row(messages: Messages) -> None:
    """The payload opens with realm, account and row as they were, and with nothing else."""
    account = uuid4()
    row = messages.prepare(
        "default", MessageKind.NEW_DEVICE, to="Ada@Example.org", account_id=account, params={"name": "Ada"}
    )
    assert b"example" not in row.payload.lower()
    payload = messages.open("default", account, row.outbox_id, row.payload)
    assert (payload.to, dict(payload.params)) == ("Ada@example.org", {"name": "Ada"})
    for realm, owner, outbox_id in (
        ("other", account, row.outbox_id),
        ("default", None, row.outbox_id),
        ("default", account, uuid4()),
    ):
        with pytest.raises(SealBroken):
            messages.open(realm, owner, outbox_id, row.payload)
    assert "Ada" not in repr(payload)
    assert "payload" not in repr(row)


def test_urgency_and_life_by_kind(messages: Messages) -> None:
    """Links come before notices and live as long as their ticket; a notice is worth a week. Due at once, all."""
    end = NOW + timedelta(hours=3)
    link = messages.prepare("default", MessageKind.ACTIVATION, to="ada@example.org", expire_time=end)
    notice = messages.prepare("default", MessageKind.PASSWORD_CHANGED, to="ada@example.org")
    assert (link.priority, link.expire_time, link.due_time) == (URGENT, end, NOW)
    assert (notice.priority, notice.expire_time, notice.due_time) == (NOTICE, NOW + timedelta(days=7), NOW)
    assert URGENT < NOTICE
    assert BUDGETED == (MessageKind.ACTIVATION,)


def test_what_a_kind_does_not_have_is_a_mistake(messages: Messages) -> None:
    """A parameter that the kind does not know, a link without its end and a bad address are refused, unrepeated."""
    with pytest.raises(ValueError, match="no parameter token"):
        messages.prepare("default", MessageKind.NEW_DEVICE, to="ada@example.org", params={"token": "secret"})
    with pytest.raises(ValueError, match="expire_time"):
        messages.prepare("default", MessageKind.ACTIVATION, to="ada@example.org")
    with pytest.raises(ValueError, match=r"^Not an e-mail address\.$"):
        messages.prepare("default", MessageKind.NEW_DEVICE, to="ada@@example.org")


def test_an_address_has_one_mac_in_all_its_spellings_and_another_in_each_realm() -> None:
    """Budgets can't be slipped past by spelling, and realms can't be compared."""
    keyring = Keyring({1: bytes(range(32))}, 1)
    one, two = EmailAddress.parse("ADA@Example.org"), EmailAddress.parse("ada@example.org")
    assert address_mac(keyring, "default", one) == address_mac(keyring, "default", two)
    assert address_mac(keyring, "default", one) != address_mac(keyring, "other", one)
    # Not that of a sign-in name, so that two tables of a dump can't be joined.
    assert address_mac(keyring, "default", one) != keyring.identifier_mac("default", one.key)
