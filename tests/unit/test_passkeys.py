"""Passkeys: the true answer to the very question of the right site is taken; every other one is refused."""

import json
import subprocess
import sys
from typing import Any

import cbor2
import pytest

from tests.authenticator import (
    ALGORITHMS,
    BACKED_UP,
    CREDENTIAL,
    ELIGIBLE,
    PRESENT,
    VERIFIED,
    Algorithm,
    Authenticator,
    Lies,
    altered,
    b64,
    cose_key,
    lying,
    new_key,
)
from tests.unit.passkey_answers import (
    ANSWERS,
    CHALLENGE,
    DEVICES,
    ORIGIN,
    PARTY,
    QUESTION,
    REQUEST,
    USER,
    enrolled,
    prove,
    refused,
    register,
)
from twofold_server.crypto import passkeys
from twofold_server.crypto.passkeys import Credential, Proof, RelyingParty


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("synced", [False, True])
def test_a_passkey_is_made_and_proves_itself(algorithm: Algorithm, synced: bool) -> None:
    """Of each algorithm, synced or not: what is kept of it is enough to believe its answers, one after the other."""
    device = Authenticator(ORIGIN, algorithm=algorithm, synced=synced)
    credential = enrolled(device)
    assert credential.credential_id in device.passkeys
    assert (credential.backup_eligible, credential.backup_state) == (synced, synced)
    assert credential.transports == ("hybrid", "internal")
    for count in (1, 2):
        assert prove(device.get(REQUEST), credential) == Proof(count, synced, synced, False, False)


def test_the_questions_are_what_browsers_read() -> None:
    """Every value that must be demanded is: verification, no attestation, three algorithms, the device's own search."""
    known = [passkeys.Descriptor(b"k" * 16, ("usb",)), passkeys.Descriptor(b"m" * 16)]
    asked = json.loads(passkeys.creation_options(PARTY, USER, CHALLENGE, exclude=known))
    assert asked["rp"] == {"id": "example.com", "name": "Shop"}
    assert asked["user"] == {"id": b64(USER.handle), "name": "ada@example.com", "displayName": "Ada"}
    assert asked["challenge"] == b64(CHALLENGE)
    assert [one["alg"] for one in asked["pubKeyCredParams"]] == [-7, -8, -257]
    assert asked["authenticatorSelection"] == {
        "residentKey": "required", "requireResidentKey": True, "userVerification": "required"
    }  # fmt: skip
    assert asked["attestation"] == "none"
    assert asked["excludeCredentials"] == [
        {"type": "public-key", "id": b64(b"k" * 16), "transports": ["usb"]},
        {"type": "public-key", "id": b64(b"m" * 16)},
    ]  # fmt: skip
    preferred = json.loads(passkeys.creation_options(PARTY, USER, CHALLENGE, resident_key="preferred"))
    assert preferred["authenticatorSelection"]["requireResidentKey"] is False
    asked = json.loads(passkeys.request_options(PARTY, CHALLENGE, allow=known))
    assert (asked["rpId"], asked["userVerification"], asked["challenge"]) == ("example.com", "required", b64(CHALLENGE))
    assert [one["id"] for one in asked["allowCredentials"]] == [b64(b"k" * 16), b64(b"m" * 16)]
    assert json.loads(REQUEST)["allowCredentials"] == []


def test_challenges_and_handles_are_random() -> None:
    """256 bits each, never the same again."""
    for make in (passkeys.new_challenge, passkeys.new_user_handle):
        made = {make() for _ in range(100)}
        assert len(made) == 100
        assert {len(one) for one in made} == {32}


OTHER_ORIGINS = [
    "http://app.example.com",
    "https://app.example.com.evil.test",
    "https://evil.test/https://app.example.com",
    "https://app.example.com@evil.test",
    "https://evilexample.com",
    "https://other.example.com",
    "https://app.example.com:444",
    "https://app.example.com:443",
    "https://app.example.com/",
    "https://app.example.com ",
    "https://APP.example.com",
    "https://app.examp\u013ae.com",
    "https://\u0430pp.example.com",
    "https://xn--pp-7kc.example.com",
    "https://app.example.com\u0000",
    "https://app.example.com.",
    "app.example.com",
    "null",
    "",
    "android:apk-key-hash:AAAA",
    None,
    True,
    1,
    ["https://app.example.com"],
    {"https://app.example.com": 1},
]


@pytest.mark.parametrize("origin", OTHER_ORIGINS)
def test_a_page_of_another_origin_gets_nothing(origin: Any) -> None:
    """Whatever looks like an origin of the site, and is none, is refused: at making a passkey and at using it."""
    data = {"challenge": b64(CHALLENGE), "origin": origin, "crossOrigin": False}
    device = DEVICES["ES256"]
    made = lying(client_data=json.dumps({"type": "webauthn.create", **data}).encode())
    assert refused(register, Authenticator(ORIGIN).create(QUESTION, made)) == "origin"
    used = lying(client_data=json.dumps({"type": "webauthn.get", **data}).encode())
    assert refused(prove, device.get(REQUEST, used), register(ANSWERS["ES256"])) == "origin"


WRONG: list[tuple[Lies, str]] = [
    (lying(challenge=b64(bytes(32))), "challenge"),
    (lying(challenge=b64(CHALLENGE) + "="), "challenge"),
    (lying(challenge=b64(CHALLENGE)[:-1]), "challenge"),
    (lying(challenge=""), "challenge"),
    (lying(challenge="\ud800"), "challenge"),
    (lying(challenge=7), "challenge"),
    (lying(type="webauthn.other"), "type"),
    (lying(type=["webauthn.get"]), "type"),
    (lying(cross_origin=True), "cross_origin"),
    (lying(cross_origin="false"), "cross_origin"),
    (lying(cross_origin=0), "cross_origin"),
    (lying(top_origin=ORIGIN), "cross_origin"),
    (lying(rp_id="app.example.com"), "rp_id"),
    (lying(rp_id="evil.test"), "rp_id"),
    (lying(present=False), "user_presence"),
    (lying(verified=False), "user_verification"),
    (lying(credential_id=b"x" * 32), "credential_id"),
]


@pytest.mark.parametrize(("lies", "reason"), WRONG)
def test_one_wrong_thing_is_enough(lies: Lies, reason: str) -> None:
    """Challenge, kind, frame, site, presence, verification: each alone is refused by its own reason."""
    device = DEVICES["ES256"]
    credential = register(ANSWERS["ES256"])
    assert refused(prove, device.get(REQUEST, lies), credential) == reason
    if reason == "credential_id":
        lies = lying(authenticator_data=b"")
        reason = "malformed"
    assert refused(register, Authenticator(ORIGIN).create(QUESTION, lies)) == reason


def test_answers_do_not_change_places() -> None:
    """An answer that made a passkey proves nothing, and a proof makes none."""
    device = DEVICES["ES256"]
    credential = register(ANSWERS["ES256"])
    assert refused(register, device.get(REQUEST)) == "type"
    assert refused(prove, ANSWERS["ES256"], credential) == "type"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_signature_is_of_the_passkey_and_of_all_that_was_said(algorithm: Algorithm) -> None:
    """Another key, a changed bit, another's signature or data put together from two answers: refused."""
    device = DEVICES[algorithm]
    credential = register(ANSWERS[algorithm])
    assert refused(prove, device.get(REQUEST, lying(foreign_key=True)), credential) == "signature"
    assert refused(prove, device.get(REQUEST, lying(bad_signature=True)), credential) in {"signature", "malformed"}
    one, two = device.get(REQUEST), device.get(REQUEST)
    mixed = altered(one, authenticatorData=json.loads(two)["response"]["authenticatorData"])
    assert refused(prove, mixed, credential) == "signature"
    for signature in (b"\x00", b"\x30\x06\x02\x01\x00\x02\x01\x00", bytes(64), bytes(8000)):
        assert refused(prove, altered(one, signature=b64(signature)), credential) in {"signature", "malformed"}


def test_a_replayed_or_foreign_answer_is_refused() -> None:
    """A true answer to an older question, and one of another account's passkey, are worth nothing here."""
    device = Authenticator(ORIGIN)
    mine, theirs = enrolled(device), enrolled(device)
    old = device.get(passkeys.request_options(PARTY, passkeys.new_challenge()))
    assert refused(prove, old, theirs) == "challenge"
    assert refused(prove, device.get(REQUEST), mine) == "credential_id"


def test_a_frame_of_another_site_is_refused_unless_asked_for() -> None:
    """Where the party asks for it, a frame inside one of its own origins may use passkeys; inside another's never."""
    framed = RelyingParty(PARTY.rp_id, PARTY.origins, cross_origin=True)
    credential = register(ANSWERS["ES256"])
    device = DEVICES["ES256"]
    within = lying(cross_origin=True, top_origin="https://example.com")
    assert prove(device.get(REQUEST, within), credential, framed).sign_count > 0
    assert refused(prove, device.get(REQUEST, within), credential) == "cross_origin"
    elsewhere = lying(cross_origin=True, top_origin="https://evil.test")
    assert refused(prove, device.get(REQUEST, elsewhere), credential, framed) == "cross_origin"


@pytest.mark.parametrize("synced", [False, True])
def test_a_counter_that_goes_back_is_told_and_locks_nobody_out(synced: bool) -> None:
    """Equal, lower or zero after it counted: right, and reported. A passkey that never counts is never reported."""
    device = Authenticator(ORIGIN, synced=synced)
    made = enrolled(device)
    credential = Credential(
        made.credential_id, made.public_key, 7, made.aaguid, made.transports, made.backup_eligible, made.backup_state
    )
    for count, back in ((8, False), (7, True), (6, True), (0, True), (2**32 - 1, False)):
        proof = prove(device.get(REQUEST, lying(sign_count=count)), credential)
        assert (proof.sign_count, proof.counter_went_back) == (count, back)
    silent = Authenticator(ORIGIN, synced=synced, counts=False)
    never = enrolled(silent)
    for _ in range(2):
        assert prove(silent.get(REQUEST), never).counter_went_back is False


def test_backup_flags_that_cannot_be_are_refused_and_changed_ones_told() -> None:
    """Backed up without being eligible is no passkey; eligibility that changed is reported, and locks nobody out."""
    device = Authenticator(ORIGIN)
    credential = enrolled(device)
    impossible = lying(flags=PRESENT | VERIFIED | BACKED_UP)
    assert refused(prove, device.get(REQUEST, impossible), credential) == "backup_flags"
    impossible = lying(flags=PRESENT | VERIFIED | BACKED_UP | CREDENTIAL)
    assert refused(register, Authenticator(ORIGIN).create(QUESTION, impossible)) == "backup_flags"
    proof = prove(device.get(REQUEST, lying(flags=PRESENT | VERIFIED | ELIGIBLE | BACKED_UP)), credential)
    assert (proof.eligibility_changed, proof.backup_eligible) == (True, True)


RSA = cose_key(new_key("RS256"))
EC = cose_key(new_key("ES256"))
ED = cose_key(new_key("EdDSA"))


@pytest.mark.parametrize(
    "key",
    [
        {**EC, 3: None},
        {**EC, 3: -8},
        {**EC, 3: -257},
        {**EC, 3: -35},
        {**EC, 3: 0},
        {**EC, 3: "ES256"},
        {**EC, 1: None},
        {**EC, 1: 1},
        {**EC, -1: 2},
        {**EC, -1: True},
        {**EC, -2: b"x" * 31},
        {**EC, -2: b"x" * 66},
        {**EC, -2: b"\xff" * 32},
        {**EC, -2: bytes(32), -3: bytes(32)},
        {**EC, -3: "y" * 32},
        {**EC, 99: 1},
        {**ED, -1: 4},
        {**ED, -2: b"x" * 31},
        {**ED, 1: True},
        {**RSA, -2: b"\x03"},
        {**RSA, -2: b"\x01"},
        {**RSA, -2: b"\xff" * 256},
        {**RSA, -1: b"\xff" * 128},
        {**RSA, -1: b"\xff" * 513},
        {**RSA, -1: b""},
        {**RSA, -1: 7},
        {1: 3, 3: -257},
        {1: 7, 3: -48, -1: b"x" * 1312},
        {},
        [],
        None,
        4,
        b"\x04" + b"x" * 64,
        cbor2.CBORTag(28, EC),
        b"",
        b"\xff",
    ],
)
def test_a_key_is_of_its_algorithm_curve_and_size(key: Any) -> None:
    """No algorithm, a foreign one, another curve, a point off it, an RSA key of absurd size or exponent: refused."""
    device = Authenticator(ORIGIN)
    encoded = key if isinstance(key, bytes) else cbor2.dumps(key)
    assert refused(register, device.create(QUESTION, lying(cose_key=encoded))) in {"key", "malformed"}


def test_makers_certificates_are_not_looked_at_and_self_attestation_is_checked() -> None:
    """Nobody asked for attestation: one with certificates is refused unparsed, the passkey's own must be right."""
    chain = {"alg": -7, "sig": b"x" * 70, "x5c": [b"\x30" * 100]}
    for fmt, statement in (
        ("packed", chain),
        ("fido-u2f", {"sig": b"x", "x5c": [b"x"]}),
        ("tpm", {}),
        ("android-safetynet", {"ver": "1", "response": b"x"}),
        ("none", {"alg": -7}),
        (None, {}),
        (7, {}),
        ("none", []),
    ):
        answer = Authenticator(ORIGIN).create(QUESTION, lying(fmt=fmt, statement=statement))
        assert refused(register, answer) in {"attestation", "malformed"}
    for algorithm in ALGORITHMS:
        device = Authenticator(ORIGIN, algorithm=algorithm)
        assert register(device.create(QUESTION, lying(fmt="self"))).credential_id in device.passkeys
        wrong = lying(fmt="self", foreign_key=True)
        assert refused(register, device.create(QUESTION, wrong)) in {"attestation", "malformed"}


def test_nothing_of_the_library_is_loaded_before_it_is_needed() -> None:
    """Questions, and the server's start, do without it."""
    program = (
        "import sys; from twofold_server.crypto import passkeys as p; import twofold_server.app;"
        "p.request_options(p.RelyingParty('a.example', ()), p.new_challenge());"
        "assert not p.is_loaded() and not {'webauthn', 'cbor2'} & set(sys.modules), 'loaded';"
        "p.load(); assert p.is_loaded() and 'webauthn' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
