"""Typed values take what they promise, refuse the rest, and never repeat what was sent."""

import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twofold_server.crypto import backup_codes, tokens
from twofold_server.domain import clients
from twofold_server.domain.clients import network_of, parse_ip_address
from twofold_server.domain.values import (
    Audience,
    BackupCode,
    EmailAddress,
    Handle,
    LanguageCode,
    NewPassword,
    Password,
    TotpCode,
    parse_id,
    parse_realm_id,
)
from twofold_server.domain.written_texts import DisplayName

PARSERS: dict[str, Callable[[str], Any]] = {
    "realm_id": parse_realm_id,
    "id": parse_id,
    "email": EmailAddress.parse,
    "password": Password.parse,
    "new_password": NewPassword.parse,
    "handle": Handle.parse,
    "totp_code": TotpCode.parse,
    "backup_code": BackupCode.parse,
    "display_name": DisplayName.parse,
    "language_code": LanguageCode.parse,
    "audience": Audience.parse,
    "ip_address": parse_ip_address,
}
HOSTILE = [
    "",
    " ",
    "\x00",
    "a\x00b",
    "x" * 10_000,
    "é" * 10_000,
    "\u0301" * 10_000,
    "\u202e\u2066evil",
    "a\r\nBcc: x",
    "\ud800",
    "\ufdfa" * 200,
    "{{7*7}}",
    "'; DROP TABLE accounts; --",
    "%00",
    "../../etc/passwd",
    "-1",
    "1e9",
    "٠١٢٣٤٥",
    "０１２３４５",
    "\ufeff123456",
    "NaN",
]


@pytest.mark.parametrize("name", PARSERS)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_a_value_or_a_plain_refusal(name: str, text: str) -> None:
    """Anything gives a value or ValueError, whose text repeats nothing that was sent."""
    try:
        PARSERS[name](text)
    except ValueError as error:
        assert not isinstance(error, UnicodeError)
        if len(text) > 3:
            assert text not in str(error)


@pytest.mark.parametrize("name", PARSERS)
@given(text=st.text(max_size=300))
@settings(max_examples=60, deadline=None)
def test_any_text_is_a_value_or_a_plain_refusal(name: str, text: str) -> None:
    """The same of text that a machine thinks up."""
    try:
        PARSERS[name](text)
    except ValueError as error:
        assert not isinstance(error, UnicodeError)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada@Example.com", "ada@example.COM"),
        ("ada@example.com", "ADA@EXAMPLE.COM"),
        ("ﬁona@example.com", "fiona@example.com"),
        ("straße@example.com", "STRASSE@example.com"),
        ("ada@bücher.example.com", "ada@xn--bcher-kva.example.com"),
        ("Ada@example.com", "\uff21da@example.com"),
        ("J\u0301@example.com", "j\u0301@example.com"),
        ("caf\u00e9@example.com", "cafe\u0301@example.com"),
    ],
)
def test_spellings_of_one_address_share_a_key(one: str, other: str) -> None:
    """Case, composed forms, width and ligatures don't make another address (CVE-2025-24806)."""
    assert EmailAddress.parse(one).key == EmailAddress.parse(other).key


@given(local=st.from_regex(r"[A-Za-z0-9]{1,20}", fullmatch=True))
@settings(max_examples=100, deadline=None)
def test_a_key_is_its_own_key(local: str) -> None:
    """Parsing what was parsed changes nothing more."""
    address = EmailAddress.parse(f"{local}@example.com")
    assert EmailAddress.parse(address.key).key == address.key


@pytest.mark.parametrize(
    "text",
    [
        "ada",
        "@example.com",
        "ada@",
        "ada@@example.com",
        "ada@[127.0.0.1]",
        "ada @example.com",
        "ada@example.com\n",
        "ada@example.com, eve@example.com",
        "<ada@example.com>",
        '"ada eve"@example.com',
        "ada@exa mple.com",
        "ada@" + "a" * 250 + ".com",
        "ada\u200b@example.com",
        "\u202eada@example.com",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """One bare address, without display name, comment, literal or white space."""
    with pytest.raises(ValueError, match=r"address|characters"):
        EmailAddress.parse(text)


def test_the_longest_address_fits() -> None:
    """An address of 254 characters is one, one of 255 is none (RFC 5321)."""
    labels = ".".join(["a" * 61] * 3)
    local = "x" * (254 - len(labels) - 1)
    assert len(f"{local[:64]}@{labels}") <= 254
    assert EmailAddress.parse(f"{local[:64]}@{labels}.com"[:254]).text


def test_passwords_count_code_points_after_composition() -> None:
    """8 to 256 code points, NFC: two ways to type one password are one password."""
    assert NewPassword.parse("12345678").text == "12345678"
    assert NewPassword.parse("😀" * 8).text == "😀" * 8
    with pytest.raises(ValueError, match="Shorter"):
        NewPassword.parse("e\u0301" * 7)
    assert Password.parse("e\u0301").text == Password.parse("\u00e9").text
    assert NewPassword.parse("x" * 256).text
    for parse in (Password.parse, NewPassword.parse):
        with pytest.raises(ValueError, match="Longer"):
            parse("x" * 257)
        with pytest.raises(ValueError, match="Required"):
            parse("")
    with pytest.raises(ValueError, match="Shorter"):
        NewPassword.parse("x" * 14, 15)
    with pytest.raises(ValueError, match="NUL"):
        NewPassword.parse("1234567\x008")


def test_spaces_in_a_password_count() -> None:
    """Nothing is cut off or trimmed (ASVS 6.2.8)."""
    assert NewPassword.parse("  pass word  ").text == "  pass word  "


@pytest.mark.parametrize("text", ["123456", " 123 456 ", "123\u00a0456", "1 2 3 4 5 6"])
def test_codes_may_have_spaces(text: str) -> None:
    """Apps show codes in groups."""
    assert TotpCode.parse(text).digits == "123456"


@pytest.mark.parametrize("text", ["12345", "1234567", "12345a", "123-456", "１２３４５６", "٠١٢٣٤٥", "", " ", "1" * 33])
def test_codes_have_six_ascii_digits(text: str) -> None:
    """Letters, other digits and other lengths are refused."""
    with pytest.raises(ValueError, match=r"digits|Required"):
        TotpCode.parse(text)


def test_backup_codes_forgive_case_spaces_and_hyphens() -> None:
    """A backup code in any of the ways that people type it is the same value."""
    code = backup_codes.new_codes()[0].text
    bare = code.replace("-", "")
    for text in (code, code.lower(), bare, f" {bare.lower()} ", " ".join(bare)):
        assert BackupCode.parse(text) == BackupCode.parse(code)
    with pytest.raises(ValueError, match="Not a backup code"):
        BackupCode.parse(code + "A")


def test_a_handle_is_a_hash_and_one_spelling() -> None:
    """A token of 43 characters is known by its hash alone; altered, padded or cut ones are none."""
    text, hashed = tokens.new_secret_token()
    assert Handle.parse(text).hash == hashed
    for other in (text[:-1], text + "=", text + "A", text[:-1] + "!", "A" * 42 + "B"):
        with pytest.raises(ValueError, match="Not a token"):
            Handle.parse(other)


@pytest.mark.parametrize("text", ["", "Ada Lovelace", "O'Neil-Smith", "山田 太郎", "👩‍💻", "مریم", "José"])
def test_names_of_people_are_taken(text: str) -> None:
    """Names in any script, with joiners, are names."""
    assert DisplayName.parse(text).text == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    "text",
    [
        "a\nb",
        "a\rb",
        "a\tb",
        "a\u2028b",
        "a\u2029b",
        "\u202eevil",
        "\u2066evil",
        "a\x00b",
        "\x1b[31m",
        "see https://evil.example",
        "WWW.evil.example",
        "x" * 65,
        "a\ufeffb",
    ],
)
def test_names_carry_no_orders(text: str) -> None:
    """Line breaks, controls, bidi characters, links and long names are refused."""
    with pytest.raises(ValueError, match=r"characters|link"):
        DisplayName.parse(text)


@pytest.mark.parametrize("text", ["", "en", "pt-BR", "zh-Hant-TW", "de-CH-1996"])
def test_language_tags_are_taken(text: str) -> None:
    """BCP 47 tags, and none."""
    assert LanguageCode.parse(text).text == text


@pytest.mark.parametrize("text", ["e", "english", "en_US", "en-", "../en", "en\n", "en-" + "x" * 40])
def test_what_is_no_language_tag_is_refused(text: str) -> None:
    """A tag never leads to a file outside the templates."""
    with pytest.raises(ValueError, match="language"):
        LanguageCode.parse(text)


@pytest.mark.parametrize(
    ("text", "canonical", "network"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1", "2001:db8::/64"),
        ("2001:db8:0:0:ffff:ffff:ffff:ffff", "2001:db8::ffff:ffff:ffff:ffff", "2001:db8::/64"),
        ("127.0.0.1", "127.0.0.1", "loopback"),
        ("127.9.9.9", "127.9.9.9", "loopback"),
        ("::1", "::1", "loopback"),
        ("::ffff:127.0.0.1", "127.0.0.1", "loopback"),
        ("10.1.2.3", "10.1.2.3", "private"),
        ("192.168.1.1", "192.168.1.1", "private"),
        ("fd00::1", "fd00::1", "private"),
        ("fe80::1", "fe80::1", "private"),
    ],
)
def test_writings_of_one_address_count_as_one_network(text: str, canonical: str, network: str) -> None:
    """IPv4 addresses and IPv6 /64 are counted, whatever the spelling; loopback and private ones are one each."""
    assert parse_ip_address(text) == canonical
    assert network_of(parse_ip_address(text)) == network


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost",
        "192.0.2",
        "192.0.2.256",
        "192.0.2.01",
        "0x7f.0.0.1",
        "2130706433",
        "192.0.2.1/24",
        "192.0.2.1:80",
        "[::1]",
        "fe80::1%eth0",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "192.0.2.1\n",
        " 192.0.2.1",
        "1" * 46,
        "::ffff:0.0.0.0",
        "::ffff:224.0.0.1",
    ],
)
def test_what_is_no_unicast_address_is_refused(text: str) -> None:
    """Names, networks, ports, zones, other number systems and addresses of nobody are refused."""
    with pytest.raises(ValueError, match=r"address"):
        parse_ip_address(text)


def test_ids_have_one_spelling() -> None:
    """A UUID counts as Twofold returned it, in lower case with hyphens."""
    text = "01890a5d-ac96-774b-bcce-b302099a8057"
    assert str(parse_id(text)) == text
    for other in (text.upper(), text.replace("-", ""), f"{{{text}}}", f"urn:uuid:{text}", text + " ", text[:-1]):
        with pytest.raises(ValueError, match="id"):
            parse_id(other)


def test_secrets_are_not_shown() -> None:
    """repr of a value that holds a secret does not show it."""
    code = backup_codes.new_codes()[0].text
    shown = repr(
        [
            Password.parse("s3cret-password"),
            NewPassword.parse("s3cret-password"),
            TotpCode.parse("135790"),
            BackupCode.parse(code),
            Handle.parse(tokens.new_secret_token()[0]),
        ]
    )
    assert "s3cret" not in shown
    assert "135790" not in shown
    assert code[2:6] not in shown
    assert "hash=" not in shown


def test_a_client_that_was_not_stated_has_a_network_of_its_callers() -> None:
    """The defaults of Client believe nothing."""
    client = clients.Client(network="caller:x")
    assert not client.stated
    assert client.device is None
    assert client.ip_address == ""
