"""Approvers: phones paired by a code, and known by proofs of their own key, each good once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from twofold_server.crypto import approver_proofs, base64url, pairing_codes
from twofold_server.crypto.approver_keys import ApproverKey
from twofold_server.crypto.approver_proofs import InvalidProof
from twofold_server.crypto.keyring import Keyring, Place
from twofold_server.db import approvers as db_approvers
from twofold_server.db import tickets as db_tickets
from twofold_server.db.approvers import NewApprover
from twofold_server.db.pool import Pool
from twofold_server.db.tickets import NewTicket
from twofold_server.domain.clock import Clock
from twofold_server.domain.errors import ApproverInvalid, TicketNotFound
from twofold_server.domain.factors import push
from twofold_server.domain.realms import Realm, Realms
from twofold_server.domain.tickets import payload_place
from twofold_server.domain.values import PairingCode, RealmId, WakeUpToken
from twofold_server.domain.written_texts import DisplayName

_PAIR: Final = "twofold-pair/1"


@dataclass(frozen=True, slots=True)
class ActiveApprover:
    """A phone that has just proven itself, and the account that it approves for."""

    approver_id: UUID
    realm_id: RealmId
    account_id: UUID
    epoch: int
    name: str
    email: str = field(repr=False)
    language_code: str
    key: ApproverKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class PairedPhone:
    """What a phone is told that has paired."""

    approver_id: UUID
    realm: Realm
    email: str = field(repr=False)
    algorithm: str


class Approvers:
    """Pairs phones, and knows them again."""

    def __init__(self, pool: Pool, keyring: Keyring, realms: Realms, clock: Clock) -> None:
        self._pool = pool
        self._keyring = keyring
        self._realms = realms
        self._clock = clock

    async def authenticate(self, text: str | None, method: str, realm_ids: Sequence[RealmId]) -> ActiveApprover:
        """Know a phone by its proof for this method, and use the proof up. Raises ApproverInvalid for any fault."""
        if not text:
            raise ApproverInvalid
        try:
            proof = approver_proofs.read(text)
            row = await db_approvers.find(self._pool, realm_ids, proof.approver_id)
            if row is None:
                raise ApproverInvalid
            key = ApproverKey.parse(row.public_key)
            approver_proofs.judge(proof, key, realm_id=row.realm_id, method=method, now=self._clock())
        except InvalidProof:
            raise ApproverInvalid from None
        # Last: only what the key has signed leaves a row.
        if not await db_approvers.spend_proof(
            self._pool, row.realm_id, row.approver_id, row.epoch, proof.hash, proof.expire_time
        ):
            raise ApproverInvalid
        return ActiveApprover(
            row.approver_id,
            RealmId(row.realm_id),
            row.account_id,
            row.epoch,
            row.name,
            row.email,
            row.language_code,
            key,
        )

    async def begin_pairing(self, realm: Realm, enrollment: NewTicket, code_hash: bytes) -> None:
        """Let one phone pair with an enrolment, by the code that belongs to the hash, while the enrolment lives."""
        assert enrollment.account_id is not None
        ticket_id = uuid7()
        await db_tickets.put_single(
            self._pool,
            NewTicket(
                ticket_id=ticket_id,
                realm_id=realm.realm_id,
                purpose=push.PAIRING,
                subject=str(enrollment.ticket_id),
                handle_hash=code_hash,
                binding_hash=None,
                payload=self._keyring.seal(b"{}", payload_place(realm.realm_id, enrollment.account_id, ticket_id)),
                create_time=enrollment.create_time,
                expire_time=enrollment.expire_time,
                account_id=enrollment.account_id,
                epoch=enrollment.epoch,
            ),
        )

    async def pair(
        self,
        realm_ids: Sequence[RealmId],
        code: PairingCode,
        key: ApproverKey,
        signature: bytes,
        name: DisplayName,
        wake_up_token: WakeUpToken,
    ) -> PairedPhone:
        """Pair a phone that holds the key with the enrolment of a code, which is used up.

        It may do nothing before that enrolment is finished. Raises ApproverInvalid (not by the key), TicketNotFound.
        """
        # The phone shows that it has the private part: nobody pairs a key that is another's.
        message = f"{_PAIR}\n{code.text}\n{base64url.encode(key.der)}".encode("ascii")
        if not key.matches(message, signature):
            raise ApproverInvalid(field="signature")
        now = self._clock()
        found = await db_approvers.peek_pairing(self._pool, realm_ids, pairing_codes.handle_hash(code.text), now)
        if found is None:
            raise TicketNotFound(field="pairing_code")
        approver_id = uuid7()
        sealed = (
            self._keyring.seal(
                wake_up_token.text.encode("ascii"), wake_up_place(found.realm_id, found.account_id, approver_id)
            )
            if wake_up_token.text
            else None
        )
        new = NewApprover(approver_id, key.der, key.algorithm, name.text or push.NAME, sealed)
        if not await db_approvers.pair(self._pool, found.realm_id, found.ticket_id, new, now):
            raise TicketNotFound(field="pairing_code")
        realm = await self._realms.get(RealmId(found.realm_id))
        return PairedPhone(approver_id, realm, found.email, key.algorithm)

    async def living(self, approver_ids: list[UUID]) -> dict[UUID, int]:
        """Which of these phones still may, and the epochs of their accounts."""
        return await db_approvers.living(self._pool, approver_ids)


def answer_text(approver: ActiveApprover, request_id: UUID, decision: str, number: str) -> bytes:
    """What an approver signs to answer."""
    lines = ("twofold-answer/1", approver.realm_id, approver.approver_id, request_id, decision.upper(), number)
    return "\n".join(str(line) for line in lines).encode()


def wake_up_place(realm_id: str, account_id: UUID, approver_id: UUID) -> Place:
    """Where a phone's wake-up token is sealed for."""
    return Place("approvers", "wake_up_token", realm_id, str(account_id), str(approver_id))


def still(approver: ActiveApprover, living: dict[UUID, int]) -> bool:
    """Whether a phone that proved itself before is still what it was: paired, and its account unchanged."""
    return living.get(approver.approver_id) == approver.epoch
