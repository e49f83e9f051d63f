"""Answers about passkeys that are of another shape, cut, changed or hostile: refused by the one exception."""

import json
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.authenticator import (
    ALGORITHMS,
    CREDENTIAL,
    EXTENSIONS,
    Algorithm,
    Authenticator,
    altered,
    b64,
    lying,
    unb64,
)
from tests.unit.passkey_answers import (
    ANSWERS,
    DEVICES,
    ORIGIN,
    QUESTION,
    REQUEST,
    USER,
    prove,
    refused,
    register,
)
from twofold_server.crypto import passkeys
from twofold_server.crypto.passkeys import PasskeyRefused

ASSERTIONS = {algorithm: device.get(REQUEST) for algorithm, device in DEVICES.items()}
DEVICE = Authenticator(ORIGIN)

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
@pytest.mark.parametrize("value", MISSHAPEN)
def test_each_field_of_a_registration_is_of_its_shape(name: str, value: Any) -> None:
    """Missing, empty, of another type, in wrong base64, too long."""
    assert refused(register, altered(ANSWERS["ES256"], **{name: value})) in {"malformed", "credential_id"}


@pytest.mark.parametrize(
    "name", ["id", "rawId", "type", "response", "clientDataJSON", "authenticatorData", "signature"]
)
@pytest.mark.parametrize("value", MISSHAPEN)
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
