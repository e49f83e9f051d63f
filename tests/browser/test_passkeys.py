"""Passkeys in a real browser: what it makes of the options, and what it answers, is what the server takes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.browser.chromium import Tab
from twofold_server.crypto import passkeys
from twofold_server.crypto.passkeys import Credential, Descriptor, PasskeyRefused, Proof, RelyingParty, User

USER = User(passkeys.new_user_handle(), "ada@example.com", "Ada")

CREATE = """navigator.credentials.create({publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(%s)})
    .then(made => JSON.stringify(made.toJSON()), error => error.name)"""
GET = """navigator.credentials.get({publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(%s)})
    .then(given => JSON.stringify(given.toJSON()), error => error.name)"""


@pytest.fixture(params=["device-bound", "synced"])
async def device(request: pytest.FixtureRequest, tab: Tab, origin: str) -> AsyncIterator[dict[str, Any]]:
    """A virtual authenticator in the browser, on a page of the party's; ended with its passkeys."""
    synced = request.param == "synced"
    options = {
        "protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": "internal", "hasResidentKey": True,
        "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True,
        "defaultBackupEligibility": synced, "defaultBackupState": synced,
    }  # fmt: skip
    made = await tab.do("WebAuthn.addVirtualAuthenticator", options=options)
    await tab.visit(origin)
    yield {"id": made["authenticatorId"], "synced": synced}
    await tab.do("WebAuthn.removeVirtualAuthenticator", authenticatorId=made["authenticatorId"])


async def registered(tab: Tab, party: RelyingParty, exclude: tuple[Descriptor, ...] = ()) -> Credential:
    challenge = passkeys.new_challenge()
    answer = await tab.run(CREATE % passkeys.creation_options(party, USER, challenge, exclude=exclude))
    assert answer.startswith("{"), answer
    return passkeys.verify_registration(answer, challenge=challenge, party=party)


async def proven(tab: Tab, party: RelyingParty, credential: Credential, allow: tuple[Descriptor, ...]) -> Proof:
    challenge = passkeys.new_challenge()
    answer = await tab.run(GET % passkeys.request_options(party, challenge, allow=allow))
    assert answer.startswith("{"), answer
    assertion = passkeys.read_assertion(answer)
    if not allow:
        assert assertion.user_handle == USER.handle
    return passkeys.verify_assertion(assertion, credential, challenge=challenge, party=party)


async def test_a_passkey_signs_in_again_and_again(tab: Tab, origin: str, device: dict[str, Any]) -> None:
    """Made, proven by its name, proven again without one; device-bound and synced ones say which they are."""
    party = RelyingParty("localhost", (origin,), "Shop")
    credential = await registered(tab, party)
    assert credential.backup_eligible == credential.backup_state == device["synced"]
    first = await proven(tab, party, credential, (Descriptor(credential.credential_id, credential.transports),))
    second = await proven(tab, party, credential, ())
    assert second.sign_count > first.sign_count > 0
    assert not (first.counter_went_back or second.counter_went_back or second.eligibility_changed)


async def test_the_browser_keeps_to_the_options(tab: Tab, origin: str, device: dict[str, Any]) -> None:
    """A second passkey on the same device is refused by it, and so is a question for a passkey that it has not."""
    party = RelyingParty("localhost", (origin,), "Shop")
    credential = await registered(tab, party)
    known = Descriptor(credential.credential_id, credential.transports)
    options = passkeys.creation_options(party, USER, passkeys.new_challenge(), exclude=[known])
    assert await tab.run(CREATE % options) == "InvalidStateError"
    asked = json.loads(passkeys.request_options(party, passkeys.new_challenge(), allow=[Descriptor(b"x" * 32)]))
    asked["timeout"] = 1000
    assert await tab.run(GET % json.dumps(asked)) == "NotAllowedError"
    elsewhere = RelyingParty("example.com", ("https://example.com",))
    options = passkeys.creation_options(elsewhere, USER, passkeys.new_challenge())
    assert await tab.run(CREATE % options) == "SecurityError"


async def test_an_unverified_user_and_another_port_are_refused(tab: Tab, origin: str, device: dict[str, Any]) -> None:
    """Where the device does not verify the user there is no answer; an answer from another port is another origin's."""
    party = RelyingParty("localhost", (origin,), "Shop")
    credential = await registered(tab, party)
    with pytest.raises(PasskeyRefused) as refused:
        await proven(tab, RelyingParty("localhost", (f"{origin}1", "http://localhost")), credential, ())
    assert refused.value.reason == "origin"
    await tab.do("WebAuthn.setUserVerified", authenticatorId=device["id"], isUserVerified=False)
    asked = json.loads(passkeys.request_options(party, passkeys.new_challenge()))
    asked["timeout"] = 1000
    assert await tab.run(GET % json.dumps(asked)) == "NotAllowedError"
