import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twofold_server.crypto.backup_codes import BackupCode, as_text_file, new_codes, normalize
from twofold_server.crypto.names import clean_name

MADE = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def test_ten_codes_one_a_slot() -> None:
    """Ten codes, slots A to J, each `A-XXXX-XXXX-XXXX-XXXX` in Crockford's alphabet, all different."""
    codes = new_codes()
    assert [code.slot for code in codes] == list("ABCDEFGHIJ")
    assert len({code.text[2:] for code in codes}) == 10
    for code in codes:
        groups = code.text.split("-")
        assert [len(group) for group in groups] == [1, 4, 4, 4, 4]
        assert set("".join(groups[1:])) <= set(string.digits + "ABCDEFGHJKMNPQRSTVWXYZ")


def test_all_symbols_are_drawn() -> None:
    """Each of the 32 symbols comes up: 16 characters carry 80 bits."""
    drawn = {character for _ in range(20) for code in new_codes() for character in code.text[2:]}
    assert len(drawn - {"-"}) == 32


@pytest.mark.parametrize("n", [0, 11])
def test_there_are_at_most_ten_slots(n: int) -> None:
    """No more codes are made than there are slots."""
    with pytest.raises(ValueError, match="between"):
        new_codes(n)


@given(st.from_regex(r"[A-J](-[0-9A-HJKMNP-TV-Z]{4}){4}", fullmatch=True), st.data())
def test_a_code_is_read_as_people_type_it(shown: str, data: st.DataObject) -> None:
    """Case, spaces, hyphens and look-alikes make no difference."""
    swaps = {"0": "0Oo", "1": "1IiLl"}
    typed = [
        data.draw(st.sampled_from(swaps.get(character, character + character.lower())))
        if place
        else data.draw(st.sampled_from((character + character.lower()).replace("Ii", "IiLl1")))
        for place, character in enumerate(shown.replace("-", ""))
    ]
    separators = st.sampled_from(["", " ", "-", " - ", "\u2011", "\u2013", "\u00a0"])
    text = data.draw(separators).join(typed)
    if len(text) <= 64:
        assert normalize(text) == BackupCode(shown[0], shown)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A",
        "A-0000-0000-0000-000",
        "A-0000-0000-0000-00000",
        "K-0000-0000-0000-0000",
        "A-U000-0000-0000-0000",
        "0-0000-0000-0000-0000",
        "A-0000-0000-0000-000\0",
        "A-0000-0000-0000-000\u0130",
        "A" + " " * 64 + "0" * 16,
        "ﷺ" * 60,
    ],
)
def test_what_cannot_be_a_code_is_none(text: str) -> None:
    """Codes of other lengths, slots and alphabets, and over-long input, are none."""
    assert normalize(text) is None


def test_full_width_letters_are_read() -> None:
    """An input method's full-width characters are the plain ones."""
    assert normalize("ａ-１２３４-ＡＢＣＤ-0000-0000") == BackupCode("A", "A-1234-ABCD-0000-0000")


def test_repr_hides_the_code() -> None:
    """A code's representation shows the slot alone."""
    code = new_codes(1)[0]
    assert code.text not in repr(code)


def test_the_text_file_lists_every_code_once() -> None:
    """The file names issuer, account and time, and has each code on a line that reads back."""
    codes = new_codes()
    text = as_text_file(codes, issuer="Example", account_name="ann@example.com", made=MADE)
    assert "Backup codes for Example\nAccount: ann@example.com\nMade: 2026-05-01 12:00 UTC\n" in text
    assert [normalize(line) for line in text.splitlines() if normalize(line)] == codes


def test_names_add_no_line_to_the_text_file() -> None:
    """Line breaks, controls and bidi characters in names change nothing but their own line."""
    evil = "x\r\nA-0000-0000-0000-0000\u2028\u202e\x1b[2J\x00\x85y"
    codes = new_codes()
    plain = as_text_file(codes, issuer="x", account_name="y", made=MADE)
    text = as_text_file(codes, issuer=evil, account_name=evil, made=MADE)
    assert len(text.splitlines()) == len(plain.splitlines())
    assert [normalize(line) for line in text.splitlines() if normalize(line)] == codes
    assert not set(text) & set("\r\u2028\u202e\x1b\x00\x85")


@given(st.text())
def test_a_clean_name_is_one_short_visible_line(name: str) -> None:
    """Any name becomes at most 64 code points on one line, and cleaning twice changes nothing."""
    cleaned = clean_name(name)
    assert len(cleaned) <= 64
    assert len(cleaned.splitlines()) <= 1
    assert cleaned.isprintable() or set(cleaned) & set("\u200c\u200d")
    assert clean_name(cleaned) == cleaned
