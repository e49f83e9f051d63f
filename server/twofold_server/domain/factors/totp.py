"""Codes of an authenticator app (RFC 6238): SHA-1, 6 digits, 30 s, a seed of 160 bits."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from twofold_server.crypto import otp
from twofold_server.crypto.hash_engine import HashEngine, HashQueueFull
from twofold_server.crypto.keyring import Keyring
from twofold_server.db.verdicts import Code
from twofold_server.domain.errors import Overloaded
from twofold_server.domain.factors.kinds import Enrolled, of_kind, secret_place
from twofold_server.domain.realms import Realm
from twofold_server.domain.values import TotpCode

KIND: Final = "totp"
AMR: Final = ("otp", "mfa")
AAL: Final = 2
CHANNEL: Final = "app"
STRENGTH: Final = 3
NAME: Final = "Authenticator app"


@dataclass(frozen=True, slots=True)
class Material:
    """What an authenticator app is set up with."""

    otpauth_url: str = field(repr=False)
    qr_code_png: bytes = field(repr=False)
    secret: str = field(repr=False)


async def begin(engine: HashEngine, realm: Realm, email: str) -> tuple[bytes, Material]:
    """Make a seed and what shows it to an app. Raises Overloaded."""
    seed = otp.new_seed()
    url = otp.otpauth_url(seed, issuer=realm.settings.totp_issuer or realm.display_name, account_name=email)
    try:
        # Twenty milliseconds of Python: not on the event loop.
        png = await engine.run(otp.qr_png, url)
    except HashQueueFull as error:
        raise Overloaded(retry_after=error.retry_after_seconds) from None
    return seed, Material(url, png, otp.secret_text(seed))


def finish(realm: Realm, seed: bytes, code: TotpCode, now: datetime) -> int | None:
    """The time step of the first code of a new seed; None if it is wrong. The step is spent with the enrolment."""
    return otp.matching_step(seed, code.digits, now, drift_steps=realm.settings.totp_drift_steps)


def challenge() -> None:
    """Nothing is sent: the app makes its codes by itself."""


def verify(keyring: Keyring, realm: Realm, enrolled: Enrolled, code: TotpCode, now: datetime) -> Code:
    """Tell which of the account's seeds gives the code, and for which step."""
    matched: tuple[UUID, int] | None = None
    for factor_id, sealed in of_kind(enrolled, KIND):
        seed = keyring.open(sealed, secret_place(realm.realm_id, enrolled.account_id, factor_id))
        step = otp.matching_step(seed, code.digits, now, drift_steps=realm.settings.totp_drift_steps)
        if step is not None and matched is None:
            matched = (factor_id, step)
    return Code("given", KIND, *(matched or (None, None)))
