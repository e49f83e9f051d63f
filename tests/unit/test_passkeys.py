"""Passkeys: the true answer to the very question of the right site is taken; every other one is refused."""

import json
import subprocess
import sys
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.authenticator import (
    ALGORITHMS,
    BACKED_UP,
    CREDENTIAL,
    ELIGIBLE,
    EXTENSIONS,
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
    unb64,
)
from twofold_server.crypto import passkeys
from twofold_server.crypto.passkeys import Credential, PasskeyRefused, Proof, RelyingParty, User

ORIGIN = "https://app.example.com"
PARTY = RelyingParty("example.com", ("https://example.com", ORIGIN, "https://app.example.com:8443"), "Shop")
CHALLENGE = bytes(range(32))
USER = User(b"h" * 32, "ada@example.com", "Ada")
QUESTION = passkeys.creation_options(PARTY, USER, CHALLENGE)
REQUEST = passkeys.request_options(PARTY, CHALLENGE)

# Made once: a key of RSA takes its time.
DEVICES = {algorithm: Authenticator(ORIGIN, algorithm=algorithm) for algorithm in ALGORITHMS}
ANSWERS = {algorithm: device.create(QUESTION) for algorithm, device in DEVICES.items()}


def register(answer: str, party: RelyingParty = PARTY) -> Credential:
    return passkeys.verify_registration(answer, challenge=CHALLENGE, party=party)


def prove(answer: str, credential: Credential, party: RelyingParty = PARTY) -> Proof:
    return passkeys.verify_assertion(passkeys.read_assertion(answer), credential, challenge=CHALLENGE, party=party)


def refused(check: Any, *args: Any) -> str:
    with pytest.raises(PasskeyRefused) as raised:
        check(*args)
    return raised.value.reason


def enrolled(device: Authenticator) -> Credential:
    return register(device.create(QUESTION))


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


MISSHAPEN: list[Any] = [None, "", 7, True, [], {}, "x", "====", "a b", "A" * 5, "é" * 40, "\ud800", b64(b"x" * 2000)]

HOSTILE_TEXT = [
    "",
    " ",
    "null",
    "[]",
    "7",
    '"x"',
    "{}",
    "{",
    "NaN",
    "\x00",
    "\ud800",
    "[" * 16_000,
    '{"a":' * 3_000,
    "1" * 16_000,
    "x" * 16_385,
    '{"id":1,"id":1}',
]


@pytest.mark.parametrize("text", HOSTILE_TEXT)
def test_what_is_no_credential_is_refused(text: str) -> None:
    """Empty, no JSON, other JSON, deep, long, of repeated names: one exception for all."""
    credential = register(ANSWERS["ES256"])
    assert refused(register, text) == "malformed"
    assert refused(prove, text, credential) == "malformed"


@pytest.mark.parametrize("name", ["id", "rawId", "type", "response", "clientDataJSON", "attestationObject"])
@pytest.mark.parametrize(
    "value", [None, "", 7, True, [], {}, "x", "====", "a b", "A" * 5, "é" * 40, "\ud800", b64(b"x" * 2000)]
)
def test_each_field_of_a_registration_is_of_its_shape(name: str, value: Any) -> None:
    """Missing, empty, of another type, in wrong base64, too long."""
    assert refused(register, altered(ANSWERS["ES256"], **{name: value})) in {"malformed", "credential_id"}


@pytest.mark.parametrize(
    "name", ["id", "rawId", "type", "response", "clientDataJSON", "authenticatorData", "signature"]
)
@pytest.mark.parametrize(
    "value", [None, "", 7, True, [], {}, "x", "====", "a b", "A" * 5, "é" * 40, "\ud800", b64(b"x" * 2000)]
)
def test_each_field_of_an_assertion_is_of_its_shape(name: str, value: Any) -> None:
    """Missing, empty, of another type, in wrong base64, too long."""
    answer = altered(DEVICES["ES256"].get(REQUEST), **{name: value})
    assert refused(prove, answer, register(ANSWERS["ES256"])) in {"malformed", "credential_id", "signature", "rp_id"}


def test_a_user_handle_is_read_or_absent() -> None:
    """The device's word on whose passkey it is: bytes, none, or refused; it is for the caller to believe."""
    device = DEVICES["ES256"]
    assert passkeys.read_assertion(device.get(REQUEST)).user_handle == USER.handle
    assert passkeys.read_assertion(device.get(REQUEST, lying(no_user_handle=True))).user_handle is None
    for value in ("", "=", 7, b64(b"x" * 65)):
        assert refused(passkeys.read_assertion, altered(device.get(REQUEST), userHandle=value)) == "malformed"


def test_authenticator_data_ends_where_it_ends() -> None:
    """Cut off anywhere, with bytes after it, or with flags for what is not there: refused."""
    attestation = cbor2.loads(unb64(json.loads(ANSWERS["ES256"])["response"]["attestationObject"]))
    data = attestation["authData"]
    wrong = [data[:length] for length in range(len(data))] + [data + b"\x00"]
    wrong.append(data[:32] + bytes([data[32] | EXTENSIONS]) + data[33:])
    wrong.append(data[:32] + bytes([data[32] & ~CREDENTIAL]) + data[33:])
    wrong.append(data[:32] + bytes([data[32] & ~CREDENTIAL]) + data[33:37])
    for one in wrong:
        altered_object = cbor2.dumps({**attestation, "authData": one})
        answer = altered(ANSWERS["ES256"], attestationObject=b64(altered_object))
        assert refused(register, answer) in {"malformed", "credential_id"}
    extended = data[:32] + bytes([data[32] | EXTENSIONS]) + data[33:] + cbor2.dumps({"credProtect": 3})
    assert register(
        altered(ANSWERS["ES256"], attestationObject=b64(cbor2.dumps({**attestation, "authData": extended})))
    )


def test_shared_references_never_reach_an_encoder() -> None:
    """A key of a few hundred bytes that would be written out as terabytes is refused at once."""
    bomb: Any = b"x" * 10
    encoded = cbor2.dumps(bomb)
    # 28 marks a shared value, 29 refers to it: each level holds the one below twice.
    for level in range(40):
        encoded = b"\xd8\x1c\x82" + encoded + b"\xd8\x1d" + cbor2.dumps(level)
    for place in (encoded, cbor2.dumps({1: 2, 3: -7, -1: 1})[:-1] + encoded):
        answer = Authenticator(ORIGIN).create(QUESTION, lying(cose_key=place))
        assert refused(register, answer) == "malformed"
    data = json.loads(ANSWERS["ES256"])["response"]
    raw = cbor2.loads(unb64(data["attestationObject"]))["authData"]
    extended = raw[:32] + bytes([raw[32] | EXTENSIONS]) + raw[33:] + encoded
    answer = altered(
        ANSWERS["ES256"],
        attestationObject=b64(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": extended})),
    )
    assert refused(register, answer) == "malformed"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=2000)
@given(st.sampled_from(["id", "rawId", "type", "response", "clientDataJSON", "attestationObject"]), JSON_VALUES)
def test_any_value_in_a_registration_is_refused(name: str, value: Any) -> None:
    """Whatever stands in the place of a field, one exception or none."""
    try:
        register(altered(ANSWERS["ES256"], **{name: value}))
    except PasskeyRefused:
        return
    assert (name, value) == ("type", "public-key")


@settings(max_examples=500, deadline=2000)
@given(st.sampled_from(ALGORITHMS), st.data())
def test_any_change_of_the_bytes_is_refused(algorithm: Algorithm, data: st.DataObject) -> None:
    """Bytes changed, cut out or put in, in any signed part: the answer is refused by the one exception."""
    answer = ASSERTIONS[algorithm]
    name = data.draw(st.sampled_from(["clientDataJSON", "authenticatorData", "signature"]))
    raw = unb64(json.loads(answer)["response"][name])
    start = data.draw(st.integers(0, len(raw)))
    end = data.draw(st.integers(start, min(len(raw), start + 8)))
    changed = raw[:start] + data.draw(st.binary(max_size=8)) + raw[end:]
    if changed != raw:
        refused(prove, altered(answer, **{name: b64(changed)}), register(ANSWERS[algorithm]))


@settings(max_examples=500, deadline=2000)
@given(st.data())
def test_any_change_of_an_attestation_is_read_or_refused(data: st.DataObject) -> None:
    """Bytes changed, cut out or put in: no exception but the one, whatever passkey comes of it."""
    raw = unb64(json.loads(ANSWERS["ES256"])["response"]["attestationObject"])
    start = data.draw(st.integers(0, len(raw)))
    end = data.draw(st.integers(start, min(len(raw), start + 8)))
    changed = raw[:start] + data.draw(st.binary(max_size=8)) + raw[end:]
    try:
        register(altered(ANSWERS["ES256"], attestationObject=b64(changed)))
    except PasskeyRefused as error:
        assert error.reason.isidentifier()


@settings(max_examples=300, deadline=2000)
@given(st.binary(max_size=300))
def test_any_bytes_as_a_key_are_refused(key: bytes) -> None:
    """No bytes in the place of the key bring another exception."""
    answer = DEVICE.create(QUESTION, lying(cose_key=key))
    refused(register, answer)


def test_nothing_of_the_library_is_loaded_before_it_is_needed() -> None:
    """Questions, and the server's start, do without it."""
    program = (
        "import sys; from twofold_server.crypto import passkeys as p; import twofold_server.app;"
        "p.request_options(p.RelyingParty('a.example', ()), p.new_challenge());"
        "assert not p.is_loaded() and not {'webauthn', 'cbor2'} & set(sys.modules), 'loaded';"
        "p.load(); assert p.is_loaded() and 'webauthn' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


ASSERTIONS = {algorithm: device.get(REQUEST) for algorithm, device in DEVICES.items()}
DEVICE = Authenticator(ORIGIN)
