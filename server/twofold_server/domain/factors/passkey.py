"""Passkeys (WebAuthn): a second factor, and a way in without a password, as user verification makes each two factors.

Attestation is not asked for, so whether a passkey is bound to one device is its own word: what says that it can be
synced is a software key (`swk`), and so is what ever said so.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

import structlog

from twofold_server.crypto import passkeys
from twofold_server.crypto.hash_engine import HashEngine, HashQueueFull
from twofold_server.crypto.keyring import Keyring, Place
from twofold_server.crypto.passkeys import Credential, Descriptor, PasskeyRefused, Proof, RelyingParty, User
from twofold_server.domain.errors import FactorKindUnavailable, Overloaded, TwoFactorNotEnrolled
from twofold_server.domain.factors.kinds import Enrolled, of_kind, secret_place
from twofold_server.domain.realms import Realm
from twofold_server.domain.values import PasskeyAnswer

KIND: Final = "passkey"
# RFC 8176: a key in software, the user's presence, more than one factor. What is bound to one device: AMR_HARDWARE.
AMR: Final = ("swk", "user", "mfa")
AMR_HARDWARE: Final = ("hwk", "user", "mfa")
AAL: Final = 2
CHANNEL: Final = "device"
STRENGTH: Final = 3
NAME: Final = "Passkey"
SLOT: Final = 3

_DEVICES: Final = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("CrOS", "Chromebook"), ("Macintosh", "Mac"),
    ("Windows", "Windows"), ("Linux", "Linux"),
)  # fmt: skip

_log = structlog.get_logger("twofold.passkeys")


@dataclass(frozen=True, slots=True)
class Passkey:
    """What is sealed of a passkey in its factor's row. `user_handle` is what the user's devices call the account."""

    credential: Credential = field(repr=False)
    user_handle: bytes = field(repr=False)

    @property
    def amr(self) -> tuple[str, ...]:
        """What it proves, by RFC 8176."""
        return AMR if self.credential.backup_eligible else AMR_HARDWARE

    def sealed(self, keyring: Keyring, at: Place) -> bytes:
        """Seal it for its place."""
        kept = self.credential
        plain = {
            "credential_id": kept.credential_id.hex(),
            "public_key": kept.public_key.hex(),
            "sign_count": kept.sign_count,
            "aaguid": kept.aaguid,
            "transports": kept.transports,
            "backup_eligible": kept.backup_eligible,
            "backup_state": kept.backup_state,
            "user_handle": self.user_handle.hex(),
        }
        return keyring.seal(json.dumps(plain).encode(), at)

    @classmethod
    def opened(cls, keyring: Keyring, sealed: bytes, at: Place) -> Passkey:
        """Open what `sealed` sealed for the same place."""
        plain = json.loads(keyring.open(sealed, at))
        return cls(
            Credential(
                credential_id=bytes.fromhex(plain["credential_id"]),
                public_key=bytes.fromhex(plain["public_key"]),
                sign_count=plain["sign_count"],
                aaguid=plain["aaguid"],
                transports=tuple(plain["transports"]),
                backup_eligible=plain["backup_eligible"],
                backup_state=plain["backup_state"],
            ),
            bytes.fromhex(plain["user_handle"]),
        )

    def proven(self, proof: Proof) -> Passkey:
        """The same after a proof. What was ever eligible for backup stays so: a copy may be anywhere."""
        eligible = self.credential.backup_eligible or proof.backup_eligible
        return replace(
            self,
            credential=replace(
                self.credential,
                sign_count=proof.sign_count,
                backup_eligible=eligible,
                backup_state=proof.backup_state,
            ),
        )


@dataclass(frozen=True, slots=True)
class Question:
    """What the browser is asked, and what must be sealed in the ticket of the step until the answer comes."""

    options_json: str = field(repr=False)
    payload: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an answer proves one of the account's passkeys: which, what it is sealed as from now on, what it proves.

    All but `right` is there only where that is True; nothing is proven before the statement that spends the step.
    """

    right: bool
    factor_id: UUID | None = None
    secret: bytes | None = field(default=None, repr=False)
    sign_count: int = 0
    counter_went_back: bool = False
    amr: tuple[str, ...] = ()


WRONG: Final = Verdict(right=False)


def is_offered(realm: Realm) -> bool:
    """Whether the realm has a domain for passkeys."""
    return bool(realm.settings.passkey_rp_id)


def begin(keyring: Keyring, realm: Realm, enrolled: Enrolled, *, email: str, display_name: str) -> Question:
    """Ask for a new passkey, on a device that has none of the account's yet. Raises FactorKindUnavailable."""
    party = _party(realm)
    known = list(_passkeys(keyring, realm, enrolled).values())
    # One handle for all passkeys of an account: to a device, two handles are two accounts.
    handle = known[0].user_handle if known else passkeys.new_user_handle()
    challenge = passkeys.new_challenge()
    options = passkeys.creation_options(
        party,
        User(handle, email, display_name or email),
        challenge,
        exclude=[_descriptor(passkey) for passkey in known],
        timeout_seconds=int(realm.settings.enrollment_lifetime.total_seconds()),
    )
    return Question(options, {"challenge": challenge.hex(), "user_handle": handle.hex()})


async def finish(engine: HashEngine, realm: Realm, payload: Mapping[str, str], answer: PasskeyAnswer) -> Passkey | None:
    """The new passkey, by the payload of `begin`; None if the answer is not one to it.

    Raises FactorKindUnavailable, Overloaded.
    """
    party = _party(realm)
    await _load(engine)
    try:
        made = passkeys.verify_registration(answer.text, challenge=bytes.fromhex(payload["challenge"]), party=party)
    except PasskeyRefused as error:
        _log.info("passkey_refused", realm=realm.realm_id, step="enrollment", reason=error.reason)
        return None
    return Passkey(made, bytes.fromhex(payload["user_handle"]))


def challenge(keyring: Keyring, realm: Realm, enrolled: Enrolled) -> Question:
    """Ask for a proof by one of the account's passkeys. Raises FactorKindUnavailable, TwoFactorNotEnrolled."""
    known = _passkeys(keyring, realm, enrolled)
    if not known:
        raise TwoFactorNotEnrolled
    return _question(realm, [_descriptor(passkey) for passkey in known.values()])


def discover(realm: Realm) -> Question:
    """Ask whoever is there for a passkey of the realm: for signing in without a name. Raises FactorKindUnavailable.

    It is the same for everybody, and tells nothing of any account.
    """
    return _question(realm, [])


def looked_up_by(realm: Realm, answer: PasskeyAnswer) -> bytes | None:
    """What the row of the answer's passkey is found by; None if the answer is none."""
    try:
        assertion = passkeys.read_assertion(answer.text)
    except PasskeyRefused as error:
        _log.info("passkey_refused", realm=realm.realm_id, step="sign_in", reason=error.reason)
        return None
    return credential_hash(realm, assertion.credential_id)


def credential_hash(realm: Realm, credential_id: bytes) -> bytes:
    """What a passkey's row is found by, in `factors.credential_hash`.

    Plain SHA-256: an id is random, and a hash under a key would be lost with that key.
    """
    return hashlib.sha256(realm.realm_id.encode() + b"\x00" + credential_id).digest()


async def verify(
    keyring: Keyring,
    engine: HashEngine,
    realm: Realm,
    enrolled: Enrolled,
    payload: Mapping[str, str],
    answer: PasskeyAnswer,
    *,
    first_factor: bool = False,
) -> Verdict:
    """Tell which of the account's passkeys an answer proves, by the payload of `challenge` or `discover`.

    As `first_factor` the device must say whose passkey it is as well. Raises FactorKindUnavailable, Overloaded.
    """
    party = _party(realm)
    await _load(engine)
    known = _passkeys(keyring, realm, enrolled)
    try:
        assertion = passkeys.read_assertion(answer.text)
        factor_id, passkey = _named(known, assertion.credential_id)
        _demand_handle(passkey, assertion.user_handle, required=first_factor)
        proof = passkeys.verify_assertion(
            assertion, passkey.credential, challenge=bytes.fromhex(payload["challenge"]), party=party
        )
    except PasskeyRefused as error:
        _log.info("passkey_refused", realm=realm.realm_id, step="assertion", reason=error.reason)
        return WRONG
    if proof.counter_went_back or proof.eligibility_changed:
        # Told, and nothing more: a restored device or a synced passkey does the same as a copied one.
        _log.warning(
            "passkey_unlike_before",
            realm=realm.realm_id,
            factor_id=str(factor_id),
            counter_went_back=proof.counter_went_back,
            eligibility_changed=proof.eligibility_changed,
            synced=proof.backup_eligible,
        )
    after = passkey.proven(proof)
    return Verdict(
        right=True,
        factor_id=factor_id,
        secret=after.sealed(keyring, secret_place(realm.realm_id, enrolled.account_id, factor_id)),
        sign_count=proof.sign_count,
        counter_went_back=proof.counter_went_back,
        amr=after.amr,
    )


def name_for(user_agent: str) -> str:
    """A name for a new passkey that the user gave none: `Passkey (iPhone)`, by the device that made it."""
    return next((f"{NAME} ({name})" for token, name in _DEVICES if token in user_agent), NAME)


def _party(realm: Realm) -> RelyingParty:
    rp_id = realm.settings.passkey_rp_id
    if not rp_id:
        raise FactorKindUnavailable
    return RelyingParty(rp_id, realm.settings.passkey_origins or (f"https://{rp_id}",), realm.display_name)


def _question(realm: Realm, allow: list[Descriptor]) -> Question:
    party = _party(realm)
    challenge = passkeys.new_challenge()
    seconds = int(realm.settings.challenge_lifetime.total_seconds())
    options = passkeys.request_options(party, challenge, allow=allow, timeout_seconds=seconds)
    return Question(options, {"challenge": challenge.hex()})


def _passkeys(keyring: Keyring, realm: Realm, enrolled: Enrolled) -> dict[UUID, Passkey]:
    return {
        factor_id: Passkey.opened(keyring, sealed, secret_place(realm.realm_id, enrolled.account_id, factor_id))
        for factor_id, sealed in of_kind(enrolled, KIND)
    }


def _named(known: Mapping[UUID, Passkey], credential_id: bytes) -> tuple[UUID, Passkey]:
    for factor_id, passkey in known.items():
        if hmac.compare_digest(passkey.credential.credential_id, credential_id):
            return factor_id, passkey
    raise PasskeyRefused("credential_id")


def _demand_handle(passkey: Passkey, said: bytes | None, *, required: bool) -> None:
    # WebAuthn 7.2, step 6: where the passkey alone says who signs in, it must say it itself.
    if said is None and not required:
        return
    if said is None or not hmac.compare_digest(passkey.user_handle, said):
        raise PasskeyRefused("user_handle")


def _descriptor(passkey: Passkey) -> Descriptor:
    return Descriptor(passkey.credential.credential_id, passkey.credential.transports)


async def _load(engine: HashEngine) -> None:
    # Once a process, off the event loop; the checks themselves are quicker than a trip to a thread.
    if passkeys.is_loaded():
        return
    try:
        await engine.run(passkeys.load)
    except HashQueueFull as error:
        raise Overloaded(retry_after=error.retry_after_seconds) from None
