"""The first proof of a factor that is being enrolled: looked at, not yet judged."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import UUID

from twofold_server.crypto.hash_engine import HashEngine
from twofold_server.crypto.keyring import Keyring
from twofold_server.db import approvers as db_approvers
from twofold_server.db.pool import Pool
from twofold_server.domain.clock import Clock
from twofold_server.domain.errors import ApproverNotPaired
from twofold_server.domain.factors import email_code, passkey, push, sms_code, totp
from twofold_server.domain.factors.kinds import secret_place
from twofold_server.domain.proofs import Judge, judge_first_code, judge_first_sent_code
from twofold_server.domain.realms import Realm
from twofold_server.domain.values import FirstProof, PasskeyAnswer, PushApproval, SmsCode, TotpCode

ARMS: Final = {
    totp.KIND: "totp_code",
    email_code.KIND: "email_code",
    sms_code.KIND: "sms_code",
    passkey.KIND: "passkey_credential",
    push.KIND: "push",
}
"""The field of FinishEnrollment that each kind proves itself with."""


@dataclass(frozen=True, slots=True)
class First:
    """A first proof that was looked at: how it is judged, and what its factor's row is made of if it is right."""

    judge: Judge
    seal: Callable[[UUID], bytes]
    amr: tuple[str, ...] = ()
    aal: int | None = None
    last_step: int = 0
    credential_hash: bytes | None = None
    approver_id: UUID | None = None
    name: str = ""
    """Where the user gave none."""


class FirstProofs:
    """Looks at first proofs, and tells what judges them and what their factor keeps."""

    def __init__(self, pool: Pool, keyring: Keyring, engine: HashEngine, clock: Clock) -> None:
        self._pool = pool
        self._keyring = keyring
        self._engine = engine
        self._clock = clock

    async def look(
        self, realm: Realm, account_id: UUID, enrollment_id: UUID, begun: dict[str, Any], proof: FirstProof
    ) -> First:
        """Look at a first proof. Raises ApproverNotPaired, Overloaded."""
        kind = proof.kind
        if isinstance(proof, PushApproval):
            return await self._paired(realm, account_id, enrollment_id)
        if isinstance(proof, PasskeyAnswer):
            made = await passkey.finish(self._engine, realm, begun["question"], proof)
            judge = partial(judge_first_code, realm, account_id, kind, made is not None)
            if made is None:
                return First(judge, lambda _: b"")
            return First(
                judge,
                lambda factor_id: made.sealed(self._keyring, secret_place(realm.realm_id, account_id, factor_id)),
                amr=made.amr,
                credential_hash=passkey.credential_hash(realm, made.credential.credential_id),
            )
        secret = bytes.fromhex(begun["secret"])

        def seal(factor_id: UUID) -> bytes:
            return self._keyring.seal(secret, secret_place(realm.realm_id, account_id, factor_id))

        if isinstance(proof, TotpCode):
            step = totp.finish(realm, secret, proof, self._clock())
            return First(
                partial(judge_first_code, realm, account_id, kind, step is not None), seal, last_step=step or 0
            )
        sent_id = UUID(begun["sent_id"])
        macs = (
            sms_code.finish(self._keyring, sent_id, secret, proof)
            if isinstance(proof, SmsCode)
            else email_code.finish(self._keyring, sent_id, secret, proof)
        )
        return First(partial(judge_first_sent_code, realm, account_id, kind, sent_id, macs), seal)

    async def _paired(self, realm: Realm, account_id: UUID, enrollment_id: UUID) -> First:
        paired = await db_approvers.of_enrollment(self._pool, realm.realm_id, account_id, enrollment_id)
        if paired is None:
            raise ApproverNotPaired
        approver_id, name = paired
        kept = json.dumps({"approver_id": str(approver_id)}).encode()
        return First(
            partial(judge_first_code, realm, account_id, push.KIND, True),
            lambda factor_id: self._keyring.seal(kept, secret_place(realm.realm_id, account_id, factor_id)),
            aal=push.aal(realm),
            approver_id=approver_id,
            name=name,
        )
