"""Pairing codes as people type them."""

import pytest

from twofold_server.crypto import pairing_codes
from twofold_server.crypto.pairing_codes import handle_hash, new_code, normalize

CODE = "7Q2M-XK4T-9ZRA-B1DE-0011-VWYZ-8H6J"


def test_codes_are_new_each_time_and_of_one_spelling() -> None:
    """140 random bits, seven groups of four, which reading leaves as they are."""
    codes = {new_code() for _ in range(1000)}
    assert len(codes) == 1000
    for code in codes:
        assert normalize(code) == code
    assert pairing_codes._CHARACTERS * 5 >= 128


@pytest.mark.parametrize(
    "typed",
    [CODE, CODE.lower(), CODE.replace("-", ""), CODE.replace("-", " – "), f"  {CODE}\n", CODE.replace("0011", "OoIl")],
)
def test_typing_is_forgiven(typed: str) -> None:
    """Case, spaces, hyphens of every kind, O for 0, I and L for 1."""
    assert normalize(typed) == CODE


@pytest.mark.parametrize("typed", ["", "x", CODE[:-1], CODE + "A", CODE.replace("7", "U"), "1" * 65, "٧" + CODE[1:]])
def test_what_is_no_code_is_none(typed: str) -> None:
    """Another length, another letter, other digits."""
    assert normalize(typed) is None


def test_codes_are_found_by_their_hash_alone() -> None:
    """32 bytes, others for each code, and not those of a ticket's token."""
    assert len(handle_hash(CODE)) == 32
    assert handle_hash(CODE) != handle_hash(new_code())
