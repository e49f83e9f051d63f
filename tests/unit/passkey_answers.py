"""Passkeys of one site: its questions, true answers to them, and the two checks of an answer."""

from typing import Any

import pytest

from tests.authenticator import ALGORITHMS, Authenticator
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
    """What a registration's answer makes, or the refusal."""
    return passkeys.verify_registration(answer, challenge=CHALLENGE, party=party)


def prove(answer: str, credential: Credential, party: RelyingParty = PARTY) -> Proof:
    """What an assertion proves, or the refusal."""
    return passkeys.verify_assertion(passkeys.read_assertion(answer), credential, challenge=CHALLENGE, party=party)


def refused(check: Any, *args: Any) -> str:
    """Demand that a check refuses; why it did."""
    with pytest.raises(PasskeyRefused) as raised:
        check(*args)
    return raised.value.reason


def enrolled(device: Authenticator) -> Credential:
    """A passkey of a device."""
    return register(device.create(QUESTION))
