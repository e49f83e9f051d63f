"""The password that a recovery begins with: judged and counted as a sign-in's, its verdict kept from the caller."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from twofold_server.crypto import tokens
from twofold_server.crypto.keyring import Keyring
from twofold_server.db import recovery as db_recovery
from twofold_server.db import sign_in as db_sign_in
from twofold_server.db.pool import Pool
from twofold_server.db.sign_in import Found
from twofold_server.domain.attempts import (
    KNOWN,
    UNKNOWN,
    Budget,
    Origin,
    attempt,
    choose_bucket,
    demand_network,
    hour_of,
    is_known_device,
    refusal,
)
from twofold_server.domain.clock import Clock
from twofold_server.domain.errors import ChangedMeanwhile
from twofold_server.domain.passwords import Passwords
from twofold_server.domain.realms import Realm
from twofold_server.domain.sessions import SessionTokens
from twofold_server.domain.values import EmailAddress, Password

_READS: Final = 3


@dataclass(frozen=True, slots=True)
class Judged:
    """What the gate found; `account_id` is None where the password was wrong or nobody's."""

    account_id: UUID | None
    epoch: int
    language_code: str
    device_id: UUID | None
    """Of a known device of the account, where the password was right."""


class PasswordGate:
    """Judges a password for a recovery: the same work, writes and refusals for every address and password."""

    def __init__(
        self, pool: Pool, keyring: Keyring, passwords: Passwords, session_tokens: SessionTokens, clock: Clock
    ) -> None:
        self._pool = pool
        self._keyring = keyring
        self._passwords = passwords
        self._tokens = session_tokens
        self._clock = clock

    async def judge(self, realm: Realm, email: EmailAddress, password: Password, origin: Origin) -> Judged:
        """Judge a password by the count that sign-ins draw on. A right one clears nothing, as it signs nobody in.

        Raises TooManyAttempts, ChangedMeanwhile, Overloaded.
        """
        identifier_mac = self._keyring.identifier_mac(realm.realm_id, email.key)
        account = identifier_mac.hex()
        for _ in range(_READS):
            with self._passwords.expected(account=account, known_device=origin.client.device is not None):
                found = await self._read(realm, email, identifier_mac, origin)
            now = self._clock()
            budget = _budget(found)
            bucket = choose_bucket(realm, is_known_device(origin, found.device_generation), [budget], now)
            if found.account_id is None:
                bucket = UNKNOWN
            if bucket != KNOWN:
                demand_network(realm, origin.client, found.network_failures, now)
            if budget is not None and not budget.is_open(bucket, realm, now):
                raise refusal(realm, budget.wait_until[bucket - 1], now)
            right = await self._verify(realm, found, identifier_mac, password, account, known=bucket == KNOWN)
            # The time of the verdict, not of the read: the hash may have waited in the queue.
            now = self._clock()
            at = attempt(realm, origin, bucket, now, {})
            if found.account_id is None:
                outcome = await db_sign_in.finish_unknown_identifier(self._pool, at, identifier_mac)
            elif right:
                outcome = await db_recovery.begin_with_right_password(self._pool, at, found.account_id, found.epoch)
            else:
                outcome = await db_sign_in.finish_wrong_password(self._pool, at, found.account_id)
            match outcome:
                case "begun":
                    known_id = found.device_id if bucket == KNOWN else None
                    return Judged(found.account_id, found.epoch, found.language_code, known_id)
                case "wrong_password":
                    return Judged(None, 0, "", None)
                case "password_exhausted":
                    raise refusal(realm, await self._end(realm, found, identifier_mac, bucket), now)
        raise ChangedMeanwhile

    async def _read(self, realm: Realm, email: EmailAddress, identifier_mac: bytes, origin: Origin) -> Found:
        device = origin.client.device
        return await db_sign_in.read(
            self._pool,
            realm_id=realm.realm_id,
            email_key=email.key,
            identifier_mac=identifier_mac,
            network=origin.client.network,
            hour=hour_of(self._clock()),
            device_id=device.device_id if device else None,
            device_inner=self._tokens.device_inner(device) if device else None,
            device_proof=tokens.mac_proof(device.mac) if device else None,
            slot=None,
        )

    async def _verify(
        self, realm: Realm, found: Found, identifier_mac: bytes, password: Password, account: str, *, known: bool
    ) -> bool:
        decoy = await self._passwords.decoy_parameters(realm, identifier_mac)
        if found.account_id is None or found.hash is None:
            await self._passwords.decoy(decoy, password, account=account)
            return False
        stored = self._passwords.open(realm.realm_id, found.account_id, found.hash)
        return await self._passwords.verify(stored, password, account=account, known_device=known)

    async def _end(self, realm: Realm, found: Found, identifier_mac: bytes, bucket: int) -> datetime | None:
        return await db_sign_in.budget_end(self._pool, realm.realm_id, found.account_id, identifier_mac, bucket)


def _budget(found: Found) -> Budget | None:
    """The password's counts, or those of an identifier without an account."""
    if found.failures is not None and found.wait_until is not None:
        return Budget(found.failures, found.wait_until)
    if found.unknown_failures is not None and found.unknown_wait_until is not None:
        return Budget((found.unknown_failures,), (found.unknown_wait_until,))
    return None
