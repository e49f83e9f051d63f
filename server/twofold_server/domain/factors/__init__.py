"""Second factors: one module per kind, all of one shape, and the one place where a code is matched.

Each kind states what it proves: `AMR` (RFC 8176), `AAL` (NIST SP 800-63B-4), `CHANNEL` and `STRENGTH` (the higher,
the stronger), and offers `begin` and `finish` (enrolment), `challenge` (what is sent: nothing so far) and `verify`
(what a code matches). A verdict is no verdict before the statement that counts it: `verify` only tells what that
statement is given.
"""

from __future__ import annotations

from typing import Final

from twofold_server.crypto.hash_engine import HashEngine
from twofold_server.crypto.keyring import Keyring
from twofold_server.db.sign_in import Code
from twofold_server.domain.clock import Clock
from twofold_server.domain.factors import backup_codes, push, totp
from twofold_server.domain.factors.kinds import Enrolled
from twofold_server.domain.realms import Realm
from twofold_server.domain.values import BackupCode, PushApproval, SecondFactor

AMR: Final = {totp.KIND: totp.AMR, backup_codes.KIND: backup_codes.AMR, push.KIND: push.AMR}


class Factors:
    """Matches codes against what an account has enrolled."""

    def __init__(self, keyring: Keyring, engine: HashEngine, clock: Clock) -> None:
        self._keyring = keyring
        self._engine = engine
        self._clock = clock

    async def verify(
        self, realm: Realm, enrolled: Enrolled, second_factor: SecondFactor, *, known_device: bool
    ) -> Code:
        """Tell what a code matches, for the statement that judges it. Raises Overloaded."""
        if isinstance(second_factor, BackupCode):
            return await backup_codes.verify(self._keyring, self._engine, realm, enrolled, second_factor, known_device)
        if isinstance(second_factor, PushApproval):
            return push.verify()
        return totp.verify(self._keyring, realm, enrolled, second_factor, self._clock())


def kind_of(second_factor: SecondFactor) -> str:
    """The kind of a code."""
    match second_factor:
        case BackupCode():
            return backup_codes.KIND
        case PushApproval():
            return push.KIND
        case _:
            return totp.KIND
