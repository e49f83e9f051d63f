"""Second factors: one module per kind, all of one shape, and the one place where a code is matched.

Each kind states what it proves: `AMR` (RFC 8176), `AAL` (NIST SP 800-63B-4), `CHANNEL` and `STRENGTH` (the higher,
the stronger), and offers `begin` and `finish` (enrolment), `challenge` (what is sent) and `verify` (what a code
matches). A verdict is no verdict before the statement that counts it: `verify` only tells what that statement is given.
"""

from __future__ import annotations

from typing import Final

from twofold_server.crypto.hash_engine import HashEngine
from twofold_server.crypto.keyring import Keyring
from twofold_server.db.verdicts import Code
from twofold_server.domain.clock import Clock
from twofold_server.domain.factors import backup_codes, email_code, passkey, push, sms_code, totp
from twofold_server.domain.factors.kinds import Enrolled, Sent
from twofold_server.domain.realms import Realm
from twofold_server.domain.values import BackupCode, EmailCode, PasskeyAnswer, PushApproval, SecondFactor, SmsCode

_MODULES: Final = (totp, backup_codes, email_code, sms_code, passkey, push)
AMR: Final = {module.KIND: module.AMR for module in _MODULES}
AAL: Final = {module.KIND: module.AAL for module in _MODULES}
STRENGTH: Final = {module.KIND: module.STRENGTH for module in _MODULES}
NAME: Final = {module.KIND: module.NAME for module in (totp, email_code, sms_code, passkey, push)}
SLOT: Final = {module.KIND: module.SLOT for module in (email_code, sms_code, passkey, push)}
"""Of the kinds that something is sent for."""


class Factors:
    """Matches codes against what an account has enrolled."""

    def __init__(self, keyring: Keyring, engine: HashEngine, clock: Clock) -> None:
        self._keyring = keyring
        self._engine = engine
        self._clock = clock

    async def verify(
        self,
        realm: Realm,
        enrolled: Enrolled,
        second_factor: SecondFactor,
        *,
        known_device: bool,
        sent: Sent | None = None,
    ) -> Code:
        """Tell what a code matches, for the statement that judges it. Raises Overloaded."""
        match second_factor:
            case BackupCode():
                return await backup_codes.verify(
                    self._keyring, self._engine, realm, enrolled, second_factor, known_device
                )
            case EmailCode():
                return email_code.verify(self._keyring, second_factor, sent)
            case PasskeyAnswer():
                return await self._passkey(realm, enrolled, second_factor, sent)
            case PushApproval():
                return push.verify(realm, sent)
            case SmsCode():
                return sms_code.verify(self._keyring, second_factor, sent)
        return totp.verify(self._keyring, realm, enrolled, second_factor, self._clock())

    async def _passkey(self, realm: Realm, enrolled: Enrolled, answer: PasskeyAnswer, sent: Sent | None) -> Code:
        if sent is None:
            return Code("given", passkey.KIND)
        found = await passkey.verify(self._keyring, self._engine, realm, enrolled, sent.payload, answer)
        return Code(
            "given",
            passkey.KIND,
            factor_id=found.factor_id,
            sent_id=sent.ticket_id,
            sent_ok=found.right,
            amr=found.amr,
            new_secret=found.secret,
        )
