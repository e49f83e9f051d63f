"""Passkeys (WebAuthn Level 3): what a browser is asked, and whether what it answers is true.

Questions and answers are JSON, as `PublicKeyCredential.parseCreationOptionsFromJSON()`, `parseRequestOptionsFromJSON()`
and `toJSON()` have it. User verification is always demanded: a passkey alone is two factors. Attestation is not asked
for.

The answer is taken apart here, strictly; attestation statements, keys and signatures are the webauthn library's, which
takes a quarter of a second to load: call `load` off the event loop before the first check. A check takes well under a
millisecond afterwards.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar

from twofold_server.crypto import base64url
from twofold_server.crypto.passkey_answers import (
    MAX_CREDENTIAL_CHARACTERS,
    Answer,
    AuthenticatorData,
    PasskeyRefused,
    demand_key,
    read_answer,
    read_attestation,
    read_authenticator_data,
)

__all__ = [
    "MAX_CREDENTIAL_CHARACTERS", "Assertion", "Credential", "Descriptor", "PasskeyRefused", "Proof", "RelyingParty",
    "User", "creation_options", "is_loaded", "load", "new_challenge", "new_user_handle", "read_assertion",
    "request_options", "verify_assertion", "verify_registration",
]  # fmt: skip

_T = TypeVar("_T")

# ES256, EdDSA (Ed25519), RS256: what the specification wants offered, the strongest that nearly all have first.
_ALGORITHMS: Final = (-7, -8, -257)
_CHALLENGE_BYTES: Final = 32
_HANDLE_BYTES: Final = 32
_TIMEOUT_SECONDS: Final = 300

_state = {"loaded": False}


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Whose passkeys they are: the domain that they are bound to, and the origins that may use them, each exactly as
    browsers write it.
    """

    rp_id: str
    origins: tuple[str, ...]
    name: str = ""
    # In a frame of another origin: whoever embeds the page could steer what its user clicks.
    cross_origin: bool = False


@dataclass(frozen=True, slots=True)
class User:
    """Whom a passkey is made for; the names are shown by the user's own device alone."""

    handle: bytes = field(repr=False)
    name: str
    display_name: str


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A passkey that the account has, for the browser to find or to leave out."""

    credential_id: bytes = field(repr=False)
    transports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Credential:
    """What is kept of a passkey. `backup_eligible`: it may be synced, so it is not bound to one device."""

    credential_id: bytes = field(repr=False)
    public_key: bytes = field(repr=False)
    sign_count: int
    aaguid: str
    transports: tuple[str, ...]
    backup_eligible: bool
    backup_state: bool


@dataclass(frozen=True, slots=True)
class Assertion:
    """An answer to `request_options`, taken apart and not yet believed."""

    credential_id: bytes = field(repr=False)
    user_handle: bytes | None = field(repr=False)
    answer: Answer = field(repr=False)


@dataclass(frozen=True, slots=True)
class Proof:
    """An assertion that is true, and what is to be kept of it.

    `counter_went_back`: the counter had not risen, though it counts. Where a passkey is synced that means nothing;
    where it is not, it may have been copied, or its device was restored. `eligibility_changed`: the passkey says
    otherwise than when it was made whether it can be synced. Both are for the log; neither locks the user out.
    """

    sign_count: int
    backup_eligible: bool
    backup_state: bool
    counter_went_back: bool
    eligibility_changed: bool


def load() -> None:
    """Load the library: a quarter of a second, once. Call it off the event loop."""
    import webauthn  # noqa: F401, PLC0415

    _state["loaded"] = True


def is_loaded() -> bool:
    """Whether a check would begin at once."""
    return _state["loaded"]


def new_challenge() -> bytes:
    """A challenge of 256 random bits, for one question."""
    return secrets.token_bytes(_CHALLENGE_BYTES)


def new_user_handle() -> bytes:
    """A name for an account on its user's devices: 256 random bits, which tell nobody anything."""
    return secrets.token_bytes(_HANDLE_BYTES)


def creation_options(
    party: RelyingParty,
    user: User,
    challenge: bytes,
    *,
    exclude: Sequence[Descriptor] = (),
    resident_key: Literal["required", "preferred"] = "required",
    timeout_seconds: int = _TIMEOUT_SECONDS,
) -> str:
    """The question for `navigator.credentials.create()`, as JSON.

    A device that has one of `exclude` makes no second one. `resident_key`: whether the passkey must be one that the
    device finds by itself, which signing in without a name needs.
    """
    return json.dumps({
        "rp": {"id": party.rp_id, "name": party.name or party.rp_id},
        "user": {"id": base64url.encode(user.handle), "name": user.name, "displayName": user.display_name},
        "challenge": base64url.encode(challenge),
        "pubKeyCredParams": [{"type": "public-key", "alg": algorithm} for algorithm in _ALGORITHMS],
        "timeout": timeout_seconds * 1000,
        "excludeCredentials": _descriptors(exclude),
        "authenticatorSelection": {
            "residentKey": resident_key,
            "requireResidentKey": resident_key == "required",
            "userVerification": "required",
        },
        "attestation": "none",
    })  # fmt: skip


def request_options(
    party: RelyingParty,
    challenge: bytes,
    *,
    allow: Sequence[Descriptor] = (),
    timeout_seconds: int = _TIMEOUT_SECONDS,
) -> str:
    """The question for `navigator.credentials.get()`, as JSON. With nothing in `allow` the device offers its own."""
    return json.dumps({
        "challenge": base64url.encode(challenge),
        "timeout": timeout_seconds * 1000,
        "rpId": party.rp_id,
        "allowCredentials": _descriptors(allow),
        "userVerification": "required",
    })  # fmt: skip


def verify_registration(text: str, *, challenge: bytes, party: RelyingParty) -> Credential:
    """Check the answer to `creation_options`. Raises PasskeyRefused, and nothing else."""
    return _refusing(_verify_registration, text, challenge, party)


def read_assertion(text: str) -> Assertion:
    """Take the answer to `request_options` apart, so that its passkey can be looked up. Raises PasskeyRefused alone."""
    return _refusing(_read_assertion, text)


def verify_assertion(assertion: Assertion, credential: Credential, *, challenge: bytes, party: RelyingParty) -> Proof:
    """Check an answer against the passkey that it names. Raises PasskeyRefused, and nothing else.

    Whose passkey it is, and whether the answer's user handle is that account's, is for the caller to check.
    """
    return _refusing(_verify_assertion, assertion, credential, challenge, party)


def _verify_registration(text: str, challenge: bytes, party: RelyingParty) -> Credential:
    from webauthn import verify_registration_response  # noqa: PLC0415
    from webauthn.helpers.cose import COSEAlgorithmIdentifier  # noqa: PLC0415
    from webauthn.helpers.structs import AuthenticatorAttestationResponse, RegistrationCredential  # noqa: PLC0415

    answer = read_answer(text)
    answer.demand_client_data("webauthn.create", challenge, party.origins, cross_origin=party.cross_origin)
    attestation = answer.bytes_of("attestationObject")
    data = read_attestation(attestation)
    _demand_party(data, party)
    made = data.credential
    if made is None or not hmac.compare_digest(made.credential_id, answer.credential_id):
        raise PasskeyRefused("credential_id")
    demand_key(made.key)
    verified = verify_registration_response(
        credential=RegistrationCredential(
            id=base64url.encode(answer.credential_id),
            raw_id=answer.credential_id,
            response=AuthenticatorAttestationResponse(
                client_data_json=answer.client_data, attestation_object=attestation
            ),
        ),
        expected_challenge=challenge,
        expected_rp_id=party.rp_id,
        expected_origin=list(party.origins),
        require_user_verification=True,
        supported_pub_key_algs=[COSEAlgorithmIdentifier(algorithm) for algorithm in _ALGORITHMS],
    )
    _demand_usable(verified.credential_public_key)
    return Credential(
        credential_id=verified.credential_id,
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        aaguid=verified.aaguid,
        transports=answer.transports,
        backup_eligible=data.backup_eligible,
        backup_state=data.backup_state,
    )


def _read_assertion(text: str) -> Assertion:
    answer = read_answer(text)
    return Assertion(answer.credential_id, answer.user_handle, answer)


def _verify_assertion(assertion: Assertion, credential: Credential, challenge: bytes, party: RelyingParty) -> Proof:
    from webauthn import verify_authentication_response  # noqa: PLC0415
    from webauthn.helpers.structs import AuthenticationCredential, AuthenticatorAssertionResponse  # noqa: PLC0415

    answer = assertion.answer
    if not hmac.compare_digest(answer.credential_id, credential.credential_id):
        raise PasskeyRefused("credential_id")
    answer.demand_client_data("webauthn.get", challenge, party.origins, cross_origin=party.cross_origin)
    raw = answer.bytes_of("authenticatorData")
    data = read_authenticator_data(raw)
    _demand_party(data, party)
    verify_authentication_response(
        credential=AuthenticationCredential(
            id=base64url.encode(answer.credential_id),
            raw_id=answer.credential_id,
            response=AuthenticatorAssertionResponse(
                client_data_json=answer.client_data, authenticator_data=raw, signature=answer.bytes_of("signature")
            ),
        ),
        expected_challenge=challenge,
        expected_rp_id=party.rp_id,
        expected_origin=list(party.origins),
        credential_public_key=credential.public_key,
        # The library refuses a counter that has not risen, which would lock out whoever restored a device; it is
        # reported instead.
        credential_current_sign_count=0,
        require_user_verification=True,
    )
    return Proof(
        sign_count=data.sign_count,
        backup_eligible=data.backup_eligible,
        backup_state=data.backup_state,
        # Those that never count say 0 for ever.
        counter_went_back=credential.sign_count > 0 and data.sign_count <= credential.sign_count,
        eligibility_changed=data.backup_eligible != credential.backup_eligible,
    )


def _demand_party(data: AuthenticatorData, party: RelyingParty) -> None:
    if not hmac.compare_digest(data.rp_id_hash, hashlib.sha256(party.rp_id.encode()).digest()):
        raise PasskeyRefused("rp_id")
    if not data.user_present:
        raise PasskeyRefused("user_presence")
    if not data.user_verified:
        raise PasskeyRefused("user_verification")
    if data.backup_state and not data.backup_eligible:
        raise PasskeyRefused("backup_flags")


def _demand_usable(public_key: bytes) -> None:
    # A point that is not on its curve would be noticed at the first sign-in only, by whoever needs it then.
    from webauthn.helpers import decode_credential_public_key, decoded_public_key_to_cryptography  # noqa: PLC0415

    decoded_public_key_to_cryptography(decode_credential_public_key(public_key))


def _refusing(check: Callable[..., _T], *args: object) -> _T:
    try:
        return check(*args)
    except PasskeyRefused:
        raise
    except Exception as error:  # noqa: BLE001 - what the library raises is not told, and quotes what was sent
        raise PasskeyRefused(_reason_of(error)) from None


def _reason_of(error: Exception) -> str:
    return {
        "InvalidAuthenticationResponse": "signature",
        "InvalidRegistrationResponse": "attestation",
    }.get(type(error).__name__, "malformed")


def _descriptors(known: Sequence[Descriptor]) -> list[dict[str, object]]:
    return [
        {
            "type": "public-key",
            "id": base64url.encode(one.credential_id),
            **({"transports": list(one.transports)} if one.transports else {}),
        }
        for one in known
    ]
