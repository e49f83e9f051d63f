"""Rows for the judging statements, and calls of these statements with all that a test does not care about filled in."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from twofold_server.crypto.tokens import finish_mac, mac_proof
from twofold_server.db import accounts, challenges, sessions, sign_in
from twofold_server.db.pool import Connection, Pool
from twofold_server.db.verdicts import Attempt, Code, DeviceUse, NewChallenge, NewSession, Verdict
from twofold_server.domain.realm_settings import RealmSettings

NOW: Final = datetime(2026, 3, 14, 12, 0, 0, tzinfo=UTC)
REALM: Final = "default"
CALLER: Final = "web"
UNKNOWN, KNOWN = 1, 2
SETTINGS: Final = RealmSettings.of({})
NOT_OWED: Final = Code("not_owed")
OWED: Final = Code("none")


@dataclass(frozen=True, slots=True)
class Account:
    """An account of a test: a password, one authenticator app, one backup code in slot A."""

    account_id: UUID
    factor_id: UUID
    set_id: UUID
    second_factor: bool

    def totp(self, step: int) -> Code:
        """A right code of a step; whether it is fresh, the statement says."""
        return Code("given", "totp", self.factor_id, step)

    @property
    def wrong_totp(self) -> Code:
        """A code that no seed gave."""
        return Code("given", "totp")

    @property
    def backup(self) -> Code:
        """The right code of slot A."""
        return Code("given", "backup_code", slot="A", slot_set_id=self.set_id, slot_ok=True)


async def account(db: Connection, *, second_factor: bool = False) -> Account:
    """Write an account; without a second factor its rows are there all the same, unused."""
    made = Account(uuid4(), uuid4(), uuid4(), second_factor)
    await db.execute(
        """
        WITH account AS (
            INSERT INTO accounts (account_id, realm_id, email, email_key, second_factor, create_time, update_time)
            VALUES ($1, 'default', $1::uuid::text, $1::uuid::text, $4, $5, $5)
        ), password AS (
            INSERT INTO password_credentials (account_id, realm_id, hash, scheme, update_time)
            VALUES ($1, 'default', 'h', 'x', $5)
        ), factor AS (
            INSERT INTO factors (factor_id, account_id, realm_id, kind, name, secret, create_time)
            SELECT $2, $1, 'default', 'totp', '', 's', $5 WHERE $4
        ), budgets AS (
            INSERT INTO factor_budgets (account_id, kind) VALUES ($1, 'totp'), ($1, 'backup_code')
        )
        INSERT INTO backup_codes (account_id, slot, set_id, realm_id, hash, create_time)
        SELECT $1, 'A', $3, 'default', 'h', $5 WHERE $4
        """,
        made.account_id,
        made.factor_id,
        made.set_id,
        second_factor,
        NOW,
    )
    return made


def attempt(*, now: datetime = NOW, bucket: int = UNKNOWN) -> Attempt:
    """What every verdict writes besides its own."""
    return Attempt(
        realm_id=REALM,
        client_id=CALLER,
        now=now,
        bucket=bucket,
        ceiling=SETTINGS.known_ceiling if bucket == KNOWN else SETTINGS.unknown_ceiling,
        unknown_ceiling=SETTINGS.unknown_ceiling,
        waits=list(SETTINGS.waits),
        network="192.0.2.1",
        hour=now.replace(minute=0),
        event_id=uuid4(),
        details={},
        personal={},
    )


def new_session(now: datetime = NOW) -> NewSession:
    """A session to be."""
    return NewSession(
        session_id=uuid4(),
        salt=os.urandom(32),
        audience="twofold",
        amr=["pwd"],
        aal=1,
        auth_time=now,
        second_factor_time=None,
        factor_strength=0,
        ip_address="",
        user_agent="",
        expire_time=now + timedelta(days=30),
        absolute_expire_time=now + timedelta(days=30),
    )


def new_challenge(now: datetime = NOW) -> NewChallenge:
    """A challenge to be."""
    return NewChallenge(uuid4(), os.urandom(32), os.urandom(32), b"", now + timedelta(minutes=10))


async def wrong(db: Connection, of: Account, *, now: datetime = NOW, bucket: int = UNKNOWN) -> str:
    """A wrong password."""
    return await sign_in.finish_wrong_password(db, attempt(now=now, bucket=bucket), of.account_id)


async def unknown(db: Connection, identifier_mac: bytes, *, now: datetime = NOW) -> str:
    """A wrong password for an identifier without an account."""
    return await sign_in.finish_unknown_identifier(db, attempt(now=now), identifier_mac)


async def right(
    db: Connection,
    of: Account,
    code: Code = NOT_OWED,
    *,
    epoch: int = 1,
    now: datetime = NOW,
    bucket: int = UNKNOWN,
    session: NewSession | None = None,
    device: DeviceUse | None = None,
    challenge: NewChallenge | None = None,
    second_factor: bool | None = None,
) -> Verdict:
    """A right password."""
    return await sign_in.finish_right_password(
        db,
        attempt(now=now, bucket=bucket),
        account_id=of.account_id,
        epoch=epoch,
        second_factor=of.second_factor if second_factor is None else second_factor,
        code=code,
        session=session or new_session(now),
        device=device or DeviceUse(uuid4(), False, os.urandom(32), 0),
        challenge=challenge or (new_challenge(now) if code is OWED else None),
        notice=None,
    )


async def answer(
    db: Connection, of: Account, challenge: NewChallenge, code: Code, **changes: Any
) -> tuple[Verdict, UUID | None]:
    """An answer to a challenge."""
    now = changes.pop("now", NOW)
    given: dict[str, Any] = {
        "handle_hash": challenge.handle_hash,
        "binding_hash": challenge.binding_hash,
        "proof": b"proof",
        "account_id": of.account_id,
        "epoch": 1,
        "code": code,
        "session": new_session(now),
        "device": DeviceUse(uuid4(), False, os.urandom(32), 0),
        "notice": None,
    }
    return await challenges.finish(db, attempt(now=now), **(given | changes))


@dataclass(frozen=True, slots=True)
class Tokens:
    """A session and what its refresh tokens are made of, of whatever generation."""

    session_id: UUID
    inner: bytes
    salt: bytes


async def signed_in(db: Connection, of: Account, *, epoch: int = 1, user_agent: str = "") -> Tokens:
    """An account's new session."""
    session = replace(new_session(), user_agent=user_agent)
    verdict = await right(db, of, of.totp(1) if of.second_factor else NOT_OWED, session=session, epoch=epoch)
    assert verdict.outcome == "signed_in"
    return Tokens(session.session_id, os.urandom(32), session.salt)


async def refresh(
    db: Connection,
    of: Tokens,
    generation: int,
    *,
    now: datetime = NOW,
    proof: bytes | None = None,
    client: str = CALLER,
    user_agent: str | None = None,
    user_agent_ends: bool = False,
) -> sessions.Refreshed | None:
    """A refresh with the token of a generation."""
    return await sessions.refresh(
        db,
        realm_ids=[REALM],
        session_id=of.session_id,
        generation=generation,
        inner=of.inner,
        proof=mac_proof(finish_mac(of.inner, of.salt)) if proof is None else proof,
        client_id=client,
        now=now,
        idle=SETTINGS.session_idle,
        aal2_lifetime=SETTINGS.aal2_lifetime,
        aal2_idle=SETTINGS.aal2_idle,
        aal2_ends=False,
        user_agent=user_agent,
        user_agent_ends=user_agent_ends,
        revocation_id=uuid4(),
        event_id=uuid4(),
        revocation_expire=now + timedelta(hours=1),
    )


async def end(db: Connection, of: Account, session_id: UUID, *, now: datetime = NOW) -> bool:
    """A sign-out."""
    return await sessions.end(
        db,
        REALM,
        of.account_id,
        session_id,
        kind="signed_out",
        client_id=CALLER,
        now=now,
        end_trust=True,
        revocation_id=uuid4(),
        revocation_expire=now + timedelta(hours=1),
        event_id=uuid4(),
    )


async def raise_epoch(
    tx: Connection, of: Account, keep: Tokens | None = None, *, second_factor: bool | None = None, to: int = 2
) -> int:
    """What a change does that ends all before it, with one session carried over."""
    await accounts.lock(tx, REALM, of.account_id)
    if keep is not None:
        assert await sessions.lock(tx, REALM, of.account_id, keep.session_id, to - 1, NOW) is not None
    epoch = await accounts.raise_epoch(
        tx,
        REALM,
        of.account_id,
        second_factor=second_factor,
        keep_device=None,
        revocation_id=uuid4(),
        revocation_expire=NOW + timedelta(hours=1),
        now=NOW,
    )
    if keep is not None:
        await sessions.prove(
            tx,
            REALM,
            keep.session_id,
            epoch=epoch,
            amr=["pwd"],
            aal=1,
            auth_time=NOW,
            second_factor_time=None,
            factor_strength=0,
            rotate=False,
            now=NOW,
        )
    return epoch


async def live_sessions(db: Connection | Pool, of: Account) -> int:
    """How many sessions of the account count."""
    found: int = await db.fetchval(
        """
        SELECT count(*) FROM sessions s JOIN accounts a USING (account_id)
         WHERE account_id = $1 AND s.end_time IS NULL AND s.epoch = a.epoch AND a.state = 'active'
        """,
        of.account_id,
    )
    return found


async def password_failures(db: Connection | Pool, of: Account) -> list[int]:
    """The password's count, by bucket."""
    found: list[int] = await db.fetchval(
        "SELECT failures FROM password_credentials WHERE account_id = $1", of.account_id
    )
    return found


async def code_failures(db: Connection | Pool, of: Account, kind: str = "totp") -> list[int]:
    """A kind's count, by bucket."""
    found: list[int] = await db.fetchval(
        "SELECT failures FROM factor_budgets WHERE account_id = $1 AND kind = $2", of.account_id, kind
    )
    return found
