import base64
import copy
import pickle
import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twofold_server.crypto.keyring import Keyring, Place, SealBroken, UnknownKey
from twofold_server.crypto.page_tokens import format_page_token, parse_page_token

OLD = bytes(range(32))
NEW = bytes(range(100, 132))
PLACE = Place("totp_factors", "seed", "realm-1", "account-1", "factor-1")
SESSION = uuid.UUID(int=7)


@pytest.fixture
def keyring() -> Keyring:
    return Keyring({1: OLD}, 1)


@pytest.fixture
def rotated() -> Keyring:
    return Keyring({1: OLD, 2: NEW}, 2)


@given(st.binary(max_size=200))
def test_what_is_sealed_opens_in_its_place(plaintext: bytes) -> None:
    """A sealed value opens to what was sealed, and does not contain it."""
    keyring = Keyring({1: OLD}, 1)
    sealed = keyring.seal(plaintext, PLACE)
    assert keyring.open(sealed, PLACE) == plaintext
    assert len(sealed) == len(plaintext) + 30


@pytest.mark.parametrize("part", ["table", "column", "realm", "account", "row"])
def test_a_sealed_value_cannot_be_moved(keyring: Keyring, part: str) -> None:
    """A value sealed for one row opens in no other table, column, realm, account or row."""
    sealed = keyring.seal(b"seed", PLACE)
    with pytest.raises(SealBroken):
        keyring.open(sealed, replace(PLACE, **{part: "other"}))


def test_places_do_not_run_together(keyring: Keyring) -> None:
    """Two places whose parts only join to the same text are two places."""
    sealed = keyring.seal(b"seed", Place("t", "c", "ab", "c", ""))
    with pytest.raises(SealBroken):
        keyring.open(sealed, Place("t", "c", "a", "bc", ""))


@pytest.mark.parametrize("position", range(34))
def test_an_altered_sealed_value_is_refused(rotated: Keyring, position: int) -> None:
    """One bit changed anywhere, the key id included, is found out."""
    sealed = bytearray(rotated.seal(b"seed", PLACE))
    sealed[position] ^= 3 if position == 1 else 1
    with pytest.raises(SealBroken):
        rotated.open(bytes(sealed), PLACE)


@pytest.mark.parametrize("sealed", [b"", b"\x01\x01", b"\x01\x01" + b"x" * 27, b"\x02\x01" + b"x" * 40])
def test_what_is_no_sealed_value_is_refused(keyring: Keyring, sealed: bytes) -> None:
    """A truncated value, or one of an unknown version, is refused as broken."""
    with pytest.raises(SealBroken):
        keyring.open(sealed, PLACE)


def test_equal_values_are_sealed_differently(keyring: Keyring) -> None:
    """Sealing twice gives two values, so that equal secrets are not seen to be equal."""
    assert keyring.seal(b"same", PLACE) != keyring.seal(b"same", PLACE)


def test_rotation_keeps_old_values_readable(keyring: Keyring, rotated: Keyring) -> None:
    """After a new primary key old values open and are reported for resealing; new ones need the new key."""
    sealed = keyring.seal(b"seed", PLACE)
    assert rotated.open(sealed, PLACE) == b"seed"
    assert rotated.needs_resealing(sealed)
    resealed = rotated.seal(b"seed", PLACE)
    assert not rotated.needs_resealing(resealed)
    with pytest.raises(UnknownKey):
        keyring.open(resealed, PLACE)


MACS: list[Callable[[Keyring, str], bytes]] = [
    lambda keyring, text: keyring.code_mac(uuid.UUID(int=1), "p", "d", text),
    lambda keyring, text: keyring.identifier_mac("r", text),
    lambda keyring, text: keyring.refresh_mac(1, SESSION, len(text)),
    lambda keyring, text: keyring.device_mac(1, SESSION, len(text)),
    lambda keyring, text: keyring.page_mac(1, "s", text.encode()),
    lambda keyring, text: keyring.caller_macs(SESSION, text)[0],
]


@pytest.mark.parametrize("mac", MACS)
def test_macs_depend_on_key_and_message(mac: Callable[[Keyring, str], bytes]) -> None:
    """A MAC is 32 bytes, the same for the same message, another for another message or master key."""
    first, other = Keyring({1: OLD}, 1), Keyring({1: NEW}, 1)
    assert len(mac(first, "a")) == 32
    assert mac(first, "a") == mac(first, "a")
    assert mac(first, "a") != mac(first, "ab")
    assert mac(first, "a") != mac(other, "a")


def test_uses_have_keys_of_their_own(keyring: Keyring) -> None:
    """The refresh MAC of an id and generation is not its device MAC."""
    assert keyring.refresh_mac(1, SESSION, 3) != keyring.device_mac(1, SESSION, 3)


def test_a_code_counts_for_one_ticket_purpose_and_destination(keyring: Keyring) -> None:
    """The same six digits on another ticket, purpose or destination have another MAC."""
    ticket = uuid.UUID(int=1)
    macs = {
        keyring.code_mac(ticket, "reset", "a@example.com", "123456"),
        keyring.code_mac(uuid.UUID(int=2), "reset", "a@example.com", "123456"),
        keyring.code_mac(ticket, "change", "a@example.com", "123456"),
        keyring.code_mac(ticket, "reset", "b@example.com", "123456"),
        keyring.code_mac(ticket, "reset", "a@example.com1", "23456"),
    }
    assert len(macs) == 5


def test_codes_survive_a_rotation(keyring: Keyring, rotated: Keyring) -> None:
    """A code written under the old primary key is among those looked for under the new one."""
    ticket = uuid.uuid4()
    assert keyring.code_mac(ticket, "p", "d", "1") in rotated.code_macs(ticket, "p", "d", "1")
    assert rotated.code_mac(ticket, "p", "d", "1") == rotated.code_macs(ticket, "p", "d", "1")[0]
    assert keyring.caller_macs(ticket, "s")[0] in rotated.caller_macs(ticket, "s")


def test_unknown_identifiers_keep_their_mac_in_a_rotation(keyring: Keyring, rotated: Keyring) -> None:
    """Counts of unknown identifiers stay findable while a new primary key comes in, in their own realm only."""
    assert keyring.identifier_mac("r", "x") == rotated.identifier_mac("r", "x")
    assert keyring.identifier_mac("r", "x") != keyring.identifier_mac("rx", "")


def test_a_token_of_an_unknown_key_is_told(keyring: Keyring) -> None:
    """A MAC under a key that is not held raises UnknownKey."""
    with pytest.raises(UnknownKey):
        keyring.refresh_mac(9, SESSION, 0)


@pytest.mark.parametrize(
    ("text", "primary", "ids"),
    [
        (OLD.hex(), 1, {1}),
        (f" {OLD.hex().upper()}\n", 1, {1}),
        (base64.b64encode(OLD).decode(), 1, {1}),
        (base64.urlsafe_b64encode(NEW).decode().rstrip("="), 1, {1}),
        (f"1:{OLD.hex()},2:{NEW.hex()}", 2, {1, 2}),
        (f"1*:{OLD.hex()}, 2:{base64.b64encode(NEW).decode()}", 1, {1, 2}),
        (f"255:{OLD.hex()}", 255, {255}),
    ],
)
def test_keyrings_are_read_from_text(text: str, primary: int, ids: set[int]) -> None:
    """Hex, base64, several ids and a marked primary key are understood."""
    keyring = Keyring.from_text(text)
    assert keyring.primary == primary
    assert set(keyring.key_ids) == ids


def test_a_keyring_from_text_opens_what_its_keys_sealed() -> None:
    """The keys read from text are the ones written there."""
    sealed = Keyring({1: OLD}, 1).seal(b"seed", PLACE)
    text = f"1:{base64.b64encode(OLD).decode()},2:{NEW.hex()}"
    assert Keyring.from_text(text).open(sealed, PLACE) == b"seed"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1:",
        "secretsecret",
        f"0:{OLD.hex()}",
        f"256:{OLD.hex()}",
        f"x:{OLD.hex()}",
        f"1:{OLD.hex()},1:{NEW.hex()}",
        f"{OLD.hex()},{NEW.hex()}",
        f"1*:{OLD.hex()},2*:{NEW.hex()}",
        f"1:{OLD.hex()},",
        OLD.hex() + "00",
        OLD.hex()[:-1] + "g",
        "1:" + "00" * 32,
        "²:" + OLD.hex(),
    ],
)
def test_a_bad_master_key_is_refused_unquoted(text: str) -> None:
    """What is wrong with a master key is told without quoting any of it."""
    with pytest.raises(ValueError, match="key") as caught:
        Keyring.from_text(text)
    assert "secretsecret" not in str(caught.value)
    assert OLD.hex()[:16] not in str(caught.value)


@pytest.mark.parametrize(("keys", "primary"), [({1: OLD}, 2), ({0: OLD}, 0), ({256: OLD}, 256), ({1: OLD[1:]}, 1)])
def test_impossible_keyrings_are_refused(keys: dict[int, bytes], primary: int) -> None:
    """A missing primary key, an id outside 1 to 255 and a short key are refused."""
    with pytest.raises(ValueError, match="key"):
        Keyring(keys, primary)


def test_generated_keys_are_read_and_differ() -> None:
    """A generated key is one that from_text reads, and no two are the same."""
    first, second = Keyring.generate(), Keyring.generate()
    assert first != second
    assert Keyring.from_text(first).primary == 1


def test_a_keyring_shows_no_key(rotated: Keyring) -> None:
    """Neither repr nor pickle nor copy gives a key away."""
    assert repr(rotated) == "Keyring(key_ids=(2, 1))"
    with pytest.raises(TypeError):
        pickle.dumps(rotated)
    with pytest.raises(TypeError):
        copy.copy(rotated)


@given(st.binary(max_size=100).filter(bool))
def test_page_tokens_count_in_their_list_alone(cursor: bytes) -> None:
    """A page token gives its cursor back in its scope, after a rotation too, and nothing in another scope."""
    keyring, rotated = Keyring({1: OLD}, 1), Keyring({1: OLD, 2: NEW}, 2)
    token = format_page_token(keyring, "ListSessions/account-1", cursor)
    assert parse_page_token(rotated, "ListSessions/account-1", token) == cursor
    assert parse_page_token(keyring, "ListSessions/account-2", token) is None


@pytest.mark.parametrize("text", ["", "A", "AQ", "A" * 513, "AQ==", "é" * 40, "AA" * 30, "CQ" + "A" * 60])
def test_junk_is_no_page_token(keyring: Keyring, text: str) -> None:
    """Junk, truncated and over-long page tokens, and those of unknown keys, are none."""
    assert parse_page_token(keyring, "scope", text) is None
