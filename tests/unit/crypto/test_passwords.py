import bcrypt
import pytest
from argon2 import PasswordHasher

from twofold_server.crypto import passwords
from twofold_server.crypto.passwords import (
    AbsurdCost,
    BcryptCost,
    HashParameters,
    PasswordHashError,
    UnsupportedHash,
    check_hash,
    decoy,
    is_outdated,
    make_hash,
    parse_stored,
)

CHEAP = HashParameters(8, 1, 1)
SALT = "c29tZXNhbHRzb21lc2FsdA"
TAG = "A" * 43


def argon2(memory: str = "19456", time: str = "2", lanes: str = "1", salt: str = SALT, tag: str = TAG) -> str:
    return f"$argon2id$v=19$m={memory},t={time},p={lanes}${salt}${tag}"


def test_a_password_matches_its_own_hash_alone() -> None:
    """A hash matches the password it was made of, no other, and is salted."""
    stored = make_hash("pässword", CHEAP)
    assert check_hash(parse_stored(stored), "pässword")
    assert not check_hash(parse_stored(stored), "password")
    assert make_hash("pässword", CHEAP) != stored


def test_the_default_is_owasp() -> None:
    """The default hash is Argon2id of 19 MiB, two passes, one lane, 16 bytes of salt and 32 of tag."""
    stored = make_hash("x", HashParameters())
    assert stored.startswith(b"$argon2id$v=19$m=19456,t=2,p=1$")
    assert [len(part) for part in stored.split(b"$")[4:]] == [22, 43]


def test_hashes_of_other_makers_are_verified() -> None:
    """Hashes made by argon2-cffi's and bcrypt's own interfaces are verified."""
    hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=2)
    assert check_hash(parse_stored(hasher.hash("correct horse")), "correct horse")
    made = bcrypt.hashpw(b"correct horse", bcrypt.gensalt(4))
    for prefix in (b"$2a$", b"$2b$", b"$2y$"):
        assert check_hash(parse_stored(prefix + made[4:]), "correct horse")
        assert not check_hash(parse_stored(prefix + made[4:]), "correct horsf")


def test_bcrypt_cuts_at_72_bytes_as_its_makers_did() -> None:
    """An imported bcrypt hash of a password's first 72 bytes is verified, be the cut within a character or not."""
    for password in ("a" * 100, "ä" * 50, "a" + "ä" * 50):
        made = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4))
        assert check_hash(parse_stored(made), password)
        assert not check_hash(parse_stored(made), "b" + password)


@pytest.mark.parametrize("password", ["abc\0", "abc\0def", "\0"])
def test_a_password_with_nul_matches_no_bcrypt_hash(password: str) -> None:
    """Neither the part before a NUL nor the whole matches an imported hash."""
    for made in (b"abc", b"abc ", password.encode().replace(b"\0", b" ")):
        assert not check_hash(parse_stored(bcrypt.hashpw(made, bcrypt.gensalt(4))), password)


def test_spare_bits_of_a_bcrypt_salt_do_not_matter() -> None:
    """A hash whose salt's last character has unused bits set, as some libraries write it, is verified."""
    made = bytearray(bcrypt.hashpw(b"abc", bcrypt.gensalt(4)))
    made[28] = {ord("."): ord("/"), ord("O"): ord("P"), ord("e"): ord("f"), ord("u"): ord("v")}[made[28]]
    assert check_hash(parse_stored(bytes(made)), "abc")
    assert not check_hash(parse_stored(bytes(made)), "abd")


@pytest.mark.parametrize(
    "stored",
    [
        argon2(memory="65537"),
        argon2(memory="1048576"),
        argon2(memory="9999999999"),
        argon2(time="11"),
        argon2(time="4294967295"),
        argon2(lanes="5"),
        argon2(memory="16", lanes="4"),
        "$2b$15$" + "." * 53,
        "$2b$31$" + "." * 53,
        "$2b$99$" + "." * 53,
        "$2b$03$" + "." * 53,
    ],
)
def test_absurd_costs_are_refused_before_any_work(stored: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stored hash over the ceilings is refused by reading it."""
    monkeypatch.delattr(passwords, "verify_secret")
    monkeypatch.delattr(passwords, "bcrypt")
    with pytest.raises(AbsurdCost):
        parse_stored(stored)


@pytest.mark.parametrize(
    "stored",
    [
        argon2(memory="65536", time="10", lanes="4"),
        argon2(memory="8", time="1"),
        "$2b$14$" + "." * 53,
        "$2a$04$" + "." * 53,
    ],
)
def test_costs_at_the_ceilings_are_taken(stored: str) -> None:
    """The ceilings themselves are allowed."""
    assert parse_stored(stored).text == stored.encode()


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "password",
        b"\xff\xfe",
        argon2().replace("argon2id", "argon2i"),
        argon2().replace("argon2id", "argon2d"),
        argon2().replace("v=19", "v=16"),
        argon2().replace("$v=19", ""),
        argon2().replace("p=1", "p=1,keyid=AA"),
        argon2(memory="08"),
        argon2(memory="-8"),
        argon2(memory="٨"),
        argon2(memory="0"),
        argon2(salt="AA"),
        argon2(salt=SALT + "=="),
        argon2(salt="c29tZXNhbHRzb21lc2FsdB"),
        argon2(tag="A" * 8),
        argon2(tag="A" * 200),
        argon2() + "\n",
        argon2() + "\0",
        "$2x$10$" + "." * 53,
        "$2$10$" + "." * 53,
        "$2b$10$" + "." * 52,
        "$2b$10$" + "." * 52 + "+",
        "$2b$1$" + "." * 53,
        "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
        "5f4dcc3b5aa765d61d8327deb882cf99",
    ],
)
def test_what_is_no_supported_hash_is_refused(stored: str | bytes) -> None:
    """Other schemes, versions and malformed strings are refused, without being quoted."""
    with pytest.raises(UnsupportedHash) as caught:
        parse_stored(stored)
    assert len(str(stored)) < 9 or str(stored) not in str(caught.value)


def test_today_s_parameters_are_checked_like_stored_ones() -> None:
    """Settings over the ceilings are refused as stored hashes are: nothing is made that could not be verified."""
    for parameters in ((70000, 2, 1), (19456, 11, 1), (19456, 2, 5), (19456, 0, 1)):
        with pytest.raises(PasswordHashError):
            HashParameters(*parameters)


@pytest.mark.parametrize("parameters", [CHEAP, HashParameters(64, 3, 2), BcryptCost(5)])
def test_a_decoy_has_the_parameters_and_matches_nothing(parameters: HashParameters | BcryptCost) -> None:
    """A decoy is a hash of the same scheme and cost, new each time, that no password matches."""
    first = decoy(parameters)
    assert first.parameters == parameters
    assert parse_stored(first.text) == first
    assert decoy(parameters).text != first.text
    assert not check_hash(first, "password")


def test_outdated_hashes_are_told() -> None:
    """A hash of other parameters or another scheme is to be replaced, one of today's is not."""
    assert not is_outdated(parse_stored(make_hash("x", CHEAP)), CHEAP)
    assert is_outdated(parse_stored(make_hash("x", CHEAP)), HashParameters())
    assert is_outdated(parse_stored("$2b$10$" + "." * 53), CHEAP)


def test_an_impossible_password_is_refused_unquoted() -> None:
    """A password that is not Unicode text raises an error that does not contain it."""
    with pytest.raises(ValueError, match="Unicode") as caught:
        make_hash("secret\ud800", CHEAP)
    assert "secret" not in repr(caught.value)
    assert caught.value.__cause__ is None


def test_repr_hides_the_hash() -> None:
    """A stored hash's representation shows its cost, not the hash."""
    stored = make_hash("x", CHEAP)
    assert stored.decode().rsplit("$", 1)[1] not in repr(parse_stored(stored))
