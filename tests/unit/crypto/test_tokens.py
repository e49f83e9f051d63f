import hashlib
import uuid
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twofold_server.crypto import base64url, tokens
from twofold_server.crypto.keyring import Keyring

ID = uuid.UUID("01890a5d-ac96-774b-bcce-b302099a8057")
MAC = bytes(range(32))


def test_a_secret_token_is_known_by_its_hash() -> None:
    """A new token has 43 characters and hashes to what is stored; no two are the same."""
    text, stored = tokens.new_secret_token()
    assert len(text) == 43
    assert tokens.token_hash(text) == stored == hashlib.sha256(text.encode()).digest()
    assert tokens.new_secret_token()[0] != text


@pytest.mark.parametrize(
    "text",
    ["", "A" * 42, "A" * 44, "A" * 42 + "=", "A" * 42 + "B", " " + "A" * 42, "é" * 43, "A" * 42 + "\n", "\0" * 43],
)
def test_what_cannot_be_a_token_has_no_hash(text: str) -> None:
    """A token of another length, alphabet or non-canonical spelling is none."""
    assert tokens.token_hash(text) is None


@given(st.binary(max_size=100))
def test_base64url_has_one_spelling(raw: bytes) -> None:
    """What is encoded decodes, and no changed last character, padding or white space gives the same bytes."""
    text = base64url.encode(raw)
    assert base64url.decode(text) == raw
    for other in (text + "=", text + "\n", " " + text, text + "A"):
        assert base64url.decode(other) != raw


@given(st.uuids(), st.integers(0, 2**31 - 1), st.integers(1, 255), st.binary(min_size=32, max_size=32))
def test_rotating_tokens_round_trip(row: uuid.UUID, generation: int, key_id: int, mac: bytes) -> None:
    """Refresh and device tokens read back as they were written, each only as its own kind, within 160 characters."""
    refresh = tokens.format_refresh_token(row, generation, key_id, mac)
    device = tokens.format_device_token(row, generation, key_id, mac)
    assert tokens.parse_refresh_token(refresh) == tokens.RefreshParts(row, generation, key_id, mac)
    assert tokens.parse_device_token(device) == tokens.DeviceParts(row, generation, key_id, mac)
    assert tokens.parse_refresh_token(device) is None
    assert tokens.parse_device_token(refresh) is None
    assert len(refresh) <= 160


GOOD = tokens.format_refresh_token(ID, 7, 1, MAC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD[:-1],
        GOOD + "A",
        GOOD + "\n",
        GOOD.upper(),
        GOOD.replace(".7.", ".07."),
        GOOD.replace(".7.", ".-7."),
        GOOD.replace(".7.", ".2147483648."),
        GOOD.replace(".7.", ".٧."),
        GOOD.replace(".7.", "." + "9" * 200 + "."),
        GOOD.replace(".1.", ".0."),
        GOOD.replace(".1.", ".256."),
        GOOD.replace(".1.", ".01."),
        GOOD.replace(ID.hex, str(ID)),
        GOOD.replace("r1.", "r2."),
        GOOD.replace("r1.", ""),
        GOOD[:-1] + chr(ord(GOOD[-1]) + 1),
        GOOD + "=",
        "\0" * 100,
    ],
)
def test_a_refresh_token_has_one_spelling(text: str) -> None:
    """Anything but the canonical spelling of a refresh token is none."""
    assert tokens.parse_refresh_token(GOOD) is not None
    assert tokens.parse_refresh_token(text) is None


@pytest.mark.parametrize(("generation", "key_id", "mac"), [(-1, 1, MAC), (2**31, 1, MAC), (0, 0, MAC), (0, 1, b"x")])
def test_a_rotating_token_of_impossible_parts_is_not_written(generation: int, key_id: int, mac: bytes) -> None:
    """Parts that could not be read back are refused when written."""
    with pytest.raises(ValueError, match="out of range"):
        tokens.format_refresh_token(ID, generation, key_id, mac)


def test_the_row_finishes_the_mac() -> None:
    """The MAC needs key and salt both, and SQL's double hash of it is what a presented one hashes to."""
    inner = Keyring({1: MAC}, 1).refresh_mac(1, ID, 7)
    salt = tokens.new_salt()
    mac = tokens.finish_mac(inner, salt)
    assert tokens.mac_proof(mac) == hashlib.sha256(hashlib.sha256(inner + salt).digest()).digest()
    assert mac != tokens.finish_mac(inner, tokens.new_salt())


def test_caller_credentials_round_trip() -> None:
    """A credential names its caller and secret, whatever underscores the secret has."""
    secret = base64url.encode(b"\xff" * 32)
    assert "_" in secret
    text = tokens.format_caller_credential(ID, secret)
    assert tokens.parse_caller_credential(text) == tokens.CallerCredential(ID, secret)


@pytest.mark.parametrize(
    "change", [lambda t: t[:-1], lambda t: t + "A", str.upper, lambda t: "x" + t, lambda t: t[:-1] + "B"]
)
def test_a_caller_credential_has_one_spelling(change: Callable[[str], str]) -> None:
    """Anything but the canonical spelling of a credential is none."""
    text = tokens.format_caller_credential(ID, "A" * 43)
    assert tokens.parse_caller_credential(change(text)) is None


def test_a_caller_secret_that_could_not_be_read_is_not_written() -> None:
    """Only a token of 256 bits becomes a credential."""
    with pytest.raises(ValueError, match="secret"):
        tokens.format_caller_credential(ID, "hunter2")


def test_no_repr_shows_a_secret() -> None:
    """MACs and secrets stay out of representations, where logs would find them."""
    shown = repr(tokens.parse_refresh_token(GOOD)) + repr(tokens.CallerCredential(ID, "A" * 43))
    assert repr(MAC) not in shown
    assert "A" * 43 not in shown
