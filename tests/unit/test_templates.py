"""Templates and messages: each kind has its words in each language, and values in them are data."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import jinja2
import pytest

from twofold_server.crypto.keyring import Keyring, SealBroken
from twofold_server.delivery import gsm7, texts
from twofold_server.delivery.letters import ALREADY_REGISTERED, EMAIL_TAKEN, NOTHING_TO_RECOVER
from twofold_server.delivery.mail import clean_text
from twofold_server.delivery.rendering import BrokenTemplateError, Templates, utc
from twofold_server.delivery.texts import LANGUAGES, Lifetime, TextRefused, catalogue, check_override, placeholders
from twofold_server.domain.messages import BUDGETED, NOTICE, RULES, URGENT, MessageKind, Messages, address_mac
from twofold_server.domain.values import EmailAddress, PhoneNumber

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)
ALL = [*(kind.value for kind in MessageKind), ALREADY_REGISTERED, EMAIL_TAKEN, NOTHING_TO_RECOVER]
CODES = ["sign_in_code", "confirmation_code", "recovery_code"]
BY_MAIL_ALONE = {
    "activation", ALREADY_REGISTERED, "email_change", EMAIL_TAKEN, "email_undo", "password_reset",
    "two_factor_recovery", NOTHING_TO_RECOVER,
}  # fmt: skip
# The confirmation goes to whoever reads there, whose name nobody knows.
NOTICES = sorted({*ALL} - {*BY_MAIL_ALONE, *CODES, "case_confirmation"})
NAMES = frozenset().union(*(rule.shown for rule in RULES.values()))
KINDS_OF_FACTOR = ("totp", "backup_code", "email", "sms", "passkey", "push")
TEMPLATES = Templates()


def values(**changes: object) -> dict[str, object]:
    """All that a template may be given."""
    return {
        **dict.fromkeys(NAMES, ""),
        "product": "Example",
        "link": "",
        "lifetime": Lifetime(2, "day"),
        "expire_time": NOW,
        "time": NOW,
        "factor_kind": "totp",
        "phone_number": "+420*****56",
        "email": "ad**@ex***.o**",
        **changes,
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_each_text_and_each_placeholder(language: str) -> None:
    """No key is missing or too many, and none of what a text is to tell is lost in it."""
    english, other = catalogue("en"), catalogue(language)
    assert other.keys() == english.keys()
    for key, text in other.items():
        assert placeholders(text) == placeholders(english[key]), key
        assert text.strip() == text != "", key
        assert "\n" not in text
        # Anything in braces that is no placeholder is a slip of the keyboard.
        assert not re.search(r"[{}]", re.sub(r"\{[a-z_]+\}", "", text)), key


def test_each_kind_of_message_and_factor_has_texts() -> None:
    """Every kind has a subject, a text of its own, and, where it may go to a phone, a short one."""
    english = catalogue("en")
    for template in ALL:
        assert {f"{template}.subject", f"{template}.lead", f"{template}.advice"} <= english.keys()
        assert (f"{template}.sms" in english) is (template not in BY_MAIL_ALONE)
    assert {f"factors.{kind}" for kind in KINDS_OF_FACTOR} == {key for key in english if key.startswith("factors.")}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", ALL)
def test_each_message_has_words_of_all_three_forms(template: str, language: str) -> None:
    """Subject on one line, text of at most 79 columns and HTML, with nothing left open."""
    given = values(code="123456") if template in CODES else values()
    words = TEMPLATES.render(template, (language,), given)
    assert "Example" in words.subject
    assert "\n" not in words.subject
    assert len(words.subject) < 100
    assert "Example" in words.text
    assert max(map(len, words.text.splitlines())) <= 79
    assert "\n\n\n" not in words.text
    assert words.html is not None
    assert f'<html lang="{language}">' in words.html
    assert "Example" in words.html
    assert not re.search(r"[{}]", words.text + re.sub(r'style="[^"]*"', "", words.html))
    assert ("123456" in words.text and "123456" in words.html) is (template in CODES)


@pytest.mark.parametrize("template", [*NOTICES, "email_undo"])
def test_notices_say_who_when_and_where(template: str) -> None:
    """A notice has the name, the time in UTC, the address and the program; and no link."""
    words = TEMPLATES.render(template, (), values(name="Ada", ip_address="192.0.2.7", user_agent="Firefox"))
    assert words.html is not None
    for text in (words.text, words.html):
        for wanted in ("Hello Ada,", "March 14, 2026, 12:00 UTC", "192.0.2.7", "Firefox"):
            assert wanted in text
        assert "http" not in text


@pytest.mark.parametrize(
    ("language", "time", "span"),
    [
        ("en", "March 14, 2026, 12:00 UTC", "5 minutes"),
        ("cs", "14. března 2026, 12:00 UTC", "5 minut"),
        ("de", "14. März 2026, 12:00 UTC", "5 Minuten"),
        ("nl", "14 maart 2026, 12:00 UTC", "5 minuten"),
        ("fr", "14 mars 2026, 12:00 UTC", "5 minutes"),
    ],
)
def test_times_and_spans_in_the_language(language: str, time: str, span: str) -> None:
    """A code's mail says how long it lives and until when, as the language says it, and in UTC."""
    words = TEMPLATES.render(
        "sign_in_code", (language,), values(code="123456", lifetime=Lifetime.of(timedelta(minutes=5)))
    )
    assert time in " ".join(words.text.split())
    assert span in " ".join(words.text.split())


@pytest.mark.parametrize(
    ("wanted", "spoken"),
    [
        (("pt-BR",), "en"),
        (("de-AT",), "de"),
        (("DE-at",), "de"),
        (("pt", "cs"), "cs"),
        ((), "en"),
        (("../de", "nl-BE"), "nl"),
        (("fr-CA", "en"), "fr"),
    ],
)
def test_the_language_is_found(wanted: tuple[str, ...], spoken: str) -> None:
    """The first that there is, a region's without its region; English where there is none."""
    words = TEMPLATES.render("new_device", wanted, values())
    assert words.html is not None
    assert f'lang="{spoken}"' in words.html
    assert TEMPLATES.render_sms("new_device", wanted, values()) == TEMPLATES.render_sms(
        "new_device", (spoken,), values()
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", [*CODES, *NOTICES])
def test_a_text_message_is_one_segment(template: str, language: str) -> None:
    """With a name of 24 letters, the longest kind of factor and a domain's line, in GSM's alphabet, it is one."""
    for kind in KINDS_OF_FACTOR:
        given = values(product="Ředitelství pozoruhodných věcí", factor_kind=kind)
        if template in CODES:
            given["code"] = "123456"
        text = TEMPLATES.render_sms(template, (language,), given, code_domain="accounts.example.com")
        length = gsm7.septets(text)
        assert length is not None, text
        assert length <= gsm7.ONE_SEGMENT, (length, text)
        assert not re.search(r"[{}]", text)


def test_a_codes_message_says_first_what_it_is_for_and_last_whose_it_is() -> None:
    """The line that phones fill in is the last, and there only where the realm names a domain."""
    text = TEMPLATES.render_sms("sign_in_code", ("en",), values(code="012345"), code_domain="example.com")
    assert text.startswith("Code to sign in to Example: 012345.")
    assert text.splitlines()[-1] == "@example.com #012345"
    assert "@" not in TEMPLATES.render_sms("sign_in_code", ("en",), values(code="012345"))
    assert "@" not in TEMPLATES.render_sms("new_device", ("en",), values(), code_domain="example.com")


def test_letters_of_other_scripts_stay() -> None:
    """A name that GSM's alphabet can't spell is not made into something else."""
    assert gsm7.fold("Škoda Größe") == "Skoda Größe"
    assert gsm7.fold("Яндекс") == "Яндекс"
    assert gsm7.septets("a€") == 3
    assert gsm7.septets("ы") is None


def test_a_realms_own_texts() -> None:
    """Its wording stands in its language alone; what it did not change is the server's."""
    own = {"de": {"sign_in_code.subject": "{product}: Ihr Schlüssel", "sign_in_code.sms": "{code} für {product}"}}
    german = TEMPLATES.render("sign_in_code", ("de-CH",), values(code="123456"), own)
    assert german.subject == "Example: Ihr Schlüssel"
    assert "Anmeldung" in german.text
    assert TEMPLATES.render("sign_in_code", ("en",), values(code="123456"), own).subject.startswith("Your code")
    assert TEMPLATES.render_sms("sign_in_code", ("de",), values(code="123456"), own) == "123456 für Example"


@pytest.mark.parametrize("text", ["{{ 7*7 }} {code}", "{% raw %} {code}", "{code.__class__} {code}", "{code!r} {code}"])
def test_a_realms_text_is_never_run(text: str) -> None:
    """Template syntax and format syntax in it stay as they are."""
    words = TEMPLATES.render_sms("sign_in_code", ("en",), values(code="123456"), {"en": {"sign_in_code.sms": text}})
    assert words == text.replace("{code}", "123456")
    mail = TEMPLATES.render("sign_in_code", ("en",), values(code="123456"), {"en": {"sign_in_code.lead": f"{text}<b>"}})
    assert mail.html is not None
    assert "49" not in mail.html
    assert "<b>" not in mail.html


@pytest.mark.parametrize(
    ("language", "key", "text", "why"),
    [
        ("xx", "sign_in_code.sms", "{code}", "language"),
        ("en", "sign_in_code.nothing", "{code}", "key"),
        ("en", "sign_in_code.sms", "no code", "must hold"),
        ("en", "sign_in_code.sms", "{code} {name}", "placeholders"),
        ("en", "sign_in_code.subject", "{code}", "placeholders"),
        ("en", "sign_in_code.sms", "{code}\nBcc: x", "one line"),
        ("en", "sign_in_code.sms", "{code} \u202e", "one line"),
        ("en", "sign_in_code.sms", "", "characters"),
        ("en", "sign_in_code.sms", "{code}" + "x" * 1000, "characters"),
    ],
)
def test_a_realms_text_that_would_not_do(language: str, key: str, text: str, why: str) -> None:
    """It keeps its code, takes only what there is, and is one line."""
    with pytest.raises(TextRefused, match=why):
        check_override(language, key, text)


def test_a_realms_text_that_does() -> None:
    """Fewer placeholders than ours will do."""
    check_override("cs", "new_device.sms", "Nové zařízení. Nejste to vy?")
    check_override("en", "sign_in_code.sms", "{code} is your code")


def test_values_are_data_in_text_and_html() -> None:
    """Template syntax and placeholders in a value stay as they are, and mark-up is escaped in HTML."""
    hostile = "{{7*7}}{product}<b>&\"'"
    words = TEMPLATES.render("factor_added", (), values(name=hostile, factor_name=hostile, product=hostile))
    assert words.text.count(hostile) == 4
    assert words.html is not None
    assert "<b>" not in words.html
    assert "49" not in words.text + words.html
    assert "{{7*7}}{product}&lt;b&gt;&amp;&#34;&#39;" in words.html


def test_a_name_with_a_link_makes_none_in_html() -> None:
    """What a user chose never ends inside an href."""
    words = TEMPLATES.render("new_device", (), values(name=clean_text("https://evil.example")))
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
    given = values(link="https://app.example.com/activate?token=T")
    english = templates.render("activation", ("en",), given)
    assert english.subject == "Welcome to Example"
    assert "open this link" in english.text
    for language in ("pt", "pt-BR", "PT-br"):
        assert templates.render("activation", (language, "en"), given).subject == "Ative a sua conta"
    assert templates.render("activation", ("pt",), given).html is None
    assert templates.render("activation", ("xx", "pt"), given).subject == "Ative a sua conta"
    assert templates.render("new_device", ("pt", "xx", "../pt"), given).subject.startswith("A new sign-in")


def test_an_operators_frame_holds_every_message(tmp_path: Path) -> None:
    """One file changes the looks of all mails in all languages."""
    (tmp_path / "mail.html").write_text("<h1>{{ product }}</h1>{% for p in lead %}<p>{{ p }}</p>{% endfor %}")
    words = Templates(tmp_path).render("password_changed", ("cs",), values(product="A&B"))
    assert (
        words.html
        == "<h1>A&amp;B</h1><p>Heslo vašeho účtu A&amp;B bylo změněno. Všechny ostatní relace byly ukončeny.</p>"
    )


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
    assert texts.said_time(datetime.fromisoformat("2026-03-14T01:30:00+02:00"), "de") == "13. März 2026, 23:30 UTC"


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
    assert set(BUDGETED) == {
        "activation", "sign_in_code", "confirmation_code", "email_change", "password_reset", "two_factor_recovery",
        "recovery_code", "sign_in_hint", "case_confirmation",
    }  # fmt: skip


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
    # A number's is another one again, and a message to it goes by SMS.
    number = PhoneNumber.parse("+420 777 123 456")
    assert address_mac(keyring, "default", number) != address_mac(keyring, "other", number)
    prepared = Messages(keyring, lambda: NOW).prepare("default", MessageKind.NEW_DEVICE, to=number)
    assert (prepared.channel, prepared.address_mac) == ("sms", address_mac(keyring, "default", number))
