"""Signing in: one read, the hash, and one statement that judges, counts and writes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Final

from uuid_utils.compat import uuid7

from twofold_server.crypto import tokens
from twofold_server.crypto.keyring import Keyring
from twofold_server.db import devices as db_devices
from twofold_server.db import outbox as db_outbox
from twofold_server.db import sign_in as db_sign_in
from twofold_server.db.outbox import OutboxRow
from twofold_server.db.pool import Pool
from twofold_server.db.sign_in import Found
from twofold_server.db.verdicts import Code, NewChallenge
from twofold_server.domain.attempts import (
    KNOWN,
    UNKNOWN,
    Budget,
    Origin,
    attempt,
    budget_of,
    choose_bucket,
    demand_network,
    hour_of,
    refusal,
)
from twofold_server.domain.captcha import Captchas, Pressure
from twofold_server.domain.challenges import Challenged, challenge_place, code_refusal, kinds_of
from twofold_server.domain.channels import distinct
from twofold_server.domain.clock import Clock
from twofold_server.domain.errors import (
    AccountLocked,
    ChangedMeanwhile,
    InvalidCredentials,
    InvalidSecondFactor,
    Overloaded,
    RecoveryNeedsSupport,
)
from twofold_server.domain.factors import Factors
from twofold_server.domain.messages import MessageKind, Messages
from twofold_server.domain.new_sessions import details_of, finished, new_device, new_session, session_row, trust_end
from twofold_server.domain.owed_enrollments import EnrollmentOwed
from twofold_server.domain.passwords import Passwords, scheme_of
from twofold_server.domain.realms import Realm
from twofold_server.domain.sessions import SessionTokens, SignedIn
from twofold_server.domain.values import BackupCode, EmailAddress, Password, SecondFactor

_READS: Final = 3


class SignIns:
    """Signs users in, in one call or two."""

    def __init__(
        self,
        pool: Pool,
        keyring: Keyring,
        passwords: Passwords,
        factors: Factors,
        session_tokens: SessionTokens,
        messages: Messages,
        captchas: Captchas,
        clock: Clock,
    ) -> None:
        self._captchas = captchas
        self._pool = pool
        self._keyring = keyring
        self._passwords = passwords
        self._factors = factors
        self._tokens = session_tokens
        self._messages = messages
        self._clock = clock

    async def sign_in(
        self,
        realm: Realm,
        email: EmailAddress,
        password: Password,
        second_factor: SecondFactor | None,
        audience: str,
        origin: Origin,
        *,
        trust_device: bool = False,
    ) -> SignedIn | Challenged | EnrollmentOwed:
        """Sign in with a password and, where one is owed and given, a second factor.

        An address without an account costs the same work and the same writes, and gets the same answers. Raises
        InvalidCredentials, InvalidSecondFactor, TooManyAttempts, CaptchaRequired, CaptchaInvalid, CaptchaUnavailable,
        AccountLocked, RecoveryNeedsSupport, ChangedMeanwhile, Overloaded.
        """
        identifier_mac = self._keyring.identifier_mac(realm.realm_id, email.key)
        account = identifier_mac.hex()
        verified: tuple[bytes, bool] | None = None
        after = realm.settings.captcha_sign_in_after
        for _ in range(_READS):
            # The excess of a flood costs no read. With a device token the read tells which share of the queue is meant.
            with self._passwords.expected(account=account, known_device=origin.client.device is not None):
                found = await self._read(realm, email, identifier_mac, second_factor, origin)
            now = self._clock()
            bucket = choose_bucket(
                realm, await self._is_known(realm, found, origin), _budgets(found, second_factor), now
            )
            known = bucket == KNOWN
            if not known:
                demand_network(realm, origin.client, found.network_failures, now)
            self._demand_open(realm, found, bucket, now)
            if after and not known:
                # Before the hash, and by the network alone: whether there is an account makes no difference.
                await self._captchas.demand(realm, origin, pressure=Pressure(found.network_failures, after))
                after = 0  # It is good once, and stands for this call, however often the account is read again.
            decoy = await self._passwords.decoy_parameters(realm, identifier_mac)
            if found.account_id is None or found.hash is None:
                await self._passwords.decoy(decoy, password, account=account)
                right = False
            elif verified is not None and verified[0] == found.hash:
                right = verified[1]
            else:
                stored = self._passwords.open(realm.realm_id, found.account_id, found.hash)
                right = await self._passwords.verify(stored, password, account=account, known_device=known)
                verified = found.hash, right
            # The time of the verdict, not of the read: the hash may have waited in the queue.
            now = self._clock()
            if not right:
                await self._wrong_password(realm, found, identifier_mac, bucket, origin, now)
            result = await self._right_password(
                realm, found, second_factor, known, audience, origin, identifier_mac, now, trust_device
            )
            if result is None:
                continue
            if isinstance(result, SignedIn):
                await self._rehash(realm, found, password)
            return result
        raise ChangedMeanwhile

    async def _read(
        self,
        realm: Realm,
        email: EmailAddress,
        identifier_mac: bytes,
        second_factor: SecondFactor | None,
        origin: Origin,
    ) -> Found:
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
            slot=second_factor.slot if isinstance(second_factor, BackupCode) else None,
        )

    async def _is_known(self, realm: Realm, found: Found, origin: Origin) -> bool:
        """Whether the device counts as known; one of which an old token comes is a copy, and ends."""
        device = origin.client.device
        if device is None or found.device_id is None or found.device_generation is None:
            return False
        if device.generation >= found.device_generation - 1:
            # Newer than the row's: a restored database. Nothing is ended, and nothing is believed.
            return device.generation <= found.device_generation
        if await db_devices.end_stolen(
            self._pool, realm.realm_id, found.device_id, client_id=origin.client_id, now=self._clock(), event_id=uuid7()
        ):
            await db_outbox.insert(self._pool, self._notice(realm, found, MessageKind.DEVICE_REUSED, origin))
        return False

    def _demand_open(self, realm: Realm, found: Found, bucket: int, now: datetime) -> None:
        """Refuse before the hash what the count would refuse after it, for accounts and unknown identifiers alike."""
        if found.failures is not None and found.wait_until is not None:
            budget = Budget(found.failures, found.wait_until)
        elif found.unknown_failures is not None and found.unknown_wait_until is not None:
            budget = Budget((found.unknown_failures,), (found.unknown_wait_until,))
            bucket = UNKNOWN
        else:
            return
        if not budget.is_open(bucket, realm, now):
            raise refusal(realm, budget.wait_until[bucket - 1], now)

    async def _wrong_password(
        self, realm: Realm, found: Found, identifier_mac: bytes, bucket: int, origin: Origin, now: datetime
    ) -> None:
        at = attempt(realm, origin, bucket, now, {})
        if found.account_id is not None:
            outcome = await db_sign_in.finish_wrong_password(self._pool, at, found.account_id)
        else:
            outcome = await db_sign_in.finish_unknown_identifier(self._pool, at, identifier_mac)
        if outcome == "wrong_password":
            raise InvalidCredentials
        await self._refuse_password(realm, found, identifier_mac, bucket, now)

    async def _refuse_password(
        self, realm: Realm, found: Found, identifier_mac: bytes, bucket: int, now: datetime
    ) -> None:
        until = await db_sign_in.budget_end(self._pool, realm.realm_id, found.account_id, identifier_mac, bucket)
        raise refusal(realm, until, now)

    async def _right_password(
        self,
        realm: Realm,
        found: Found,
        second_factor: SecondFactor | None,
        known: bool,
        audience: str,
        origin: Origin,
        identifier_mac: bytes,
        now: datetime,
        trust_device: bool,
    ) -> SignedIn | Challenged | EnrollmentOwed | None:
        """Judge behind the right password; None if the account moved and must be read again."""
        assert found.account_id is not None
        code = await self._code(realm, found, second_factor, known, now)
        now = max(now, self._clock())
        bucket = KNOWN if known else UNKNOWN
        session = new_session(
            realm, origin, now, audience, second_factor if code.owed == "given" else None, auth_time=now
        )
        device = new_device(
            found.device_id,
            known,
            origin.client.device.generation if known and origin.client.device else 0,
            trust_end(realm, wanted=trust_device, proven=code.owed == "given", now=now),
        )
        challenge, owed = None, None
        if code.owed in ("none", "enrollment"):
            challenge, owed = self._owed(realm, found, origin, audience, known, now, enrolled=code.owed == "none")
        verdict = await db_sign_in.finish_right_password(
            self._pool,
            attempt(realm, origin, bucket, now, details_of(session, second_factor if code.owed == "given" else None)),
            account_id=found.account_id,
            epoch=found.epoch,
            second_factor=found.second_factor,
            code=code,
            session=session,
            device=device,
            challenge=challenge,
            notice=None if known else self._notice(realm, found, MessageKind.NEW_DEVICE, origin),
        )
        match verdict.outcome:
            case "signed_in":
                row = session_row(realm, found.account_id, found.epoch, session, device, origin, now)
                signed_in = await finished(self._tokens, realm, row, session, verdict, device)
                advised = realm.settings.second_factor == "asked" and not found.second_factor
                return replace(signed_in, enrollment_advised=advised)
            case "challenged" if owed is not None and not owed.kinds:
                # Only now that the statement has counted: before, it would tell that the password was right.
                raise RecoveryNeedsSupport
            case "enrollment_required" if found.reenroll_by is not None and found.reenroll_by <= now:
                raise RecoveryNeedsSupport
            case "challenged" | "enrollment_required":
                return owed
            case "moved":
                return None
            case "locked":
                raise AccountLocked
            case "code_exhausted":
                raise code_refusal(realm, found, second_factor.kind if second_factor else "", bucket, now)
            case "wrong_code":
                raise InvalidSecondFactor
        await self._refuse_password(realm, found, identifier_mac, bucket, now)
        return None

    async def _code(
        self, realm: Realm, found: Found, second_factor: SecondFactor | None, known: bool, now: datetime
    ) -> Code:
        if not found.second_factor:
            owed = realm.settings.second_factor == "demanded" or found.reenroll_by is not None
            return Code("enrollment" if owed else "not_owed")
        if second_factor is None:
            return Code("waived" if known and _is_trusted(realm, found, now) else "none")
        try:
            return await self._factors.verify(realm, found, second_factor, known_device=known)
        except Overloaded:
            # To refuse here would tell that the password was right, uncounted: the statement challenges instead.
            return Code("none")

    def _owed(
        self,
        realm: Realm,
        found: Found,
        origin: Origin,
        audience: str,
        known: bool,
        now: datetime,
        *,
        enrolled: bool,
    ) -> tuple[NewChallenge, Challenged | EnrollmentOwed]:
        """The ticket of what is owed: a second factor, or its enrolment."""
        token, handle_hash = tokens.new_secret_token()
        binding, binding_hash = tokens.new_secret_token()
        ticket_id = uuid7()
        expire_time = now + realm.settings.challenge_lifetime
        device = origin.client.device
        payload = {
            "audience": audience,
            "auth_time": now.isoformat(),
            "generation": device.generation if known and device else 0,
            "ip_address": origin.client.ip_address,
            "user_agent": origin.client.user_agent,
        }
        sealed = self._keyring.seal(
            json.dumps(payload).encode(), challenge_place(realm.realm_id, found.account_id, ticket_id)
        )
        ticket = NewChallenge(ticket_id, handle_hash, binding_hash, sealed, expire_time)
        if not enrolled:
            return ticket, EnrollmentOwed(
                token, binding, expire_time, realm.settings.offered_kinds, found.reenroll_by is not None
            )
        factors = [kind for _, kind, _ in distinct(self._keyring, realm, found)]
        return ticket, Challenged(token, binding, expire_time, kinds_of(realm, factors, found.backup_codes_left))

    def _notice(self, realm: Realm, found: Found, kind: MessageKind, origin: Origin) -> OutboxRow:
        return self._messages.prepare(
            realm.realm_id,
            kind,
            to=found.email,
            account_id=found.account_id,
            language=found.language_code or origin.client.language_code or realm.settings.language_code,
            params={"ip_address": origin.client.ip_address, "user_agent": origin.client.user_agent},
        )

    async def _rehash(self, realm: Realm, found: Found, password: Password) -> None:
        """Replace a hash of another cost by one of today's; whoever signed in just now knows the password."""
        assert found.account_id is not None
        assert found.hash is not None
        if not self._passwords.needs_rehash(self._passwords.open(realm.realm_id, found.account_id, found.hash)):
            return
        try:
            new = await self._passwords.hash(password, account=found.account_id.hex)
        except Overloaded:
            return  # The next sign-in will do.
        await db_sign_in.rehash(
            self._pool,
            realm.realm_id,
            found.account_id,
            old=found.hash,
            new=self._passwords.seal(realm.realm_id, found.account_id, new),
            scheme=scheme_of(new),
        )


def _is_trusted(realm: Realm, found: Found, now: datetime) -> bool:
    """Whether the device waives the second factor; the statement demands it of the row again."""
    until = found.device_trusted_until
    return bool(realm.settings.device_trust_lifetime) and until is not None and until > now


def _budgets(found: Found, second_factor: SecondFactor | None) -> list[Budget | None]:
    """The budgets of a known account that a sign-in draws on."""
    if found.failures is None or found.wait_until is None:
        return []
    code = budget_of(found, second_factor.kind) if second_factor is not None and found.second_factor else None
    return [Budget(found.failures, found.wait_until), code]
