"""Accounts, devices, factors and sessions, written by COPY with what the server's own code seals and hashes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from twofold_server.crypto import otp, tokens
from twofold_server.crypto.keyring import Keyring
from twofold_server.crypto.passwords import HashParameters, make_hash
from twofold_server.db.pool import Pool, open_pool
from twofold_server.db.sessions import SessionRow
from twofold_server.domain.callers import Callers, Grant, Role
from twofold_server.domain.clock import system_clock
from twofold_server.domain.factors import totp
from twofold_server.domain.factors.kinds import secret_place
from twofold_server.domain.passwords import Passwords, scheme_of
from twofold_server.domain.realms import Realm, Realms
from twofold_server.domain.sessions import SessionTokens
from twofold_server.domain.signing_keys import SigningKeys
from twofold_server.domain.values import EmailAddress, RealmId

REALM: Final = RealmId("default")
CLIENT: Final = "bench"
PASSWORD: Final = "correct horse battery 9"
ISSUER: Final = "https://twofold.localhost"
_PIECE: Final = 2000
Row = tuple[Any, ...]


@dataclass(slots=True)
class User:
    """An account, and what its owner's device holds. `generation` is what the row of its device has now."""

    email: str
    account_id: UUID
    device_id: UUID
    device_salt: bytes
    seed: bytes = b""
    factor_id: UUID | None = None
    generation: int = 0
    step: int = 0
    wrong: int = 0
    """Wrong secrets so far, by either bucket: the fifth closes it."""


@dataclass(slots=True)
class Live:
    """A session whose tokens can be made at any time. `generation` is what its row has now."""

    row: SessionRow
    salt: bytes
    generation: int = 0


@dataclass(slots=True)
class World:
    """What was seeded, and the means to make tokens for it."""

    pool: Pool
    keyring: Keyring
    realm: Realm
    tokens: SessionTokens
    credential: str = field(repr=False)
    plain: list[User]
    """With a password alone."""
    guarded: list[User]
    """With an authenticator app."""
    sessions: list[Live]

    def device_token(self, user: User) -> str:
        """The token that the user's device holds."""
        return self.tokens.device(user.device_id, user.generation, user.device_salt)

    def refresh_token(self, session: Live) -> str:
        """The session's refresh token as it is now."""
        return self.tokens.refresh(session.row.session_id, session.generation, session.salt)

    async def access_tokens(self, sessions: Sequence[Live]) -> list[str]:
        """A new access token for each of these sessions."""
        found = []
        for session in sessions:
            found.append((await self.tokens.access(self.realm, session.row)).access_token)
            if len(found) % 500 == 0:
                await asyncio.sleep(0)
        return found


async def seed(dsn: str, key: str, parameters: HashParameters, *, plain: int, guarded: int, sessions: int) -> World:
    """Fill a migrated database, and open it."""
    pool = await open_pool(dsn, 4)
    keyring = Keyring.from_text(key)
    credential = await Callers(pool, system_clock).add(CLIENT, Grant(REALM, Role.FRONTEND, may_state_client=True))
    await Callers(pool, system_clock).grant(CLIENT, Grant(REALM, Role.VERIFIER, may_state_client=True))
    realms = Realms(pool, system_clock, issuer=ISSUER)
    # As long as a realm may have it: tokens that are checked for minutes must not expire meanwhile.
    realm = await realms.set(REALM, {"access_token_lifetime": "900s"})
    session_tokens = SessionTokens(keyring, SigningKeys(pool, keyring, system_clock), system_clock)
    users = [_user(number) for number in range(plain + guarded)]
    for user in users[plain:]:
        user.seed, user.factor_id = otp.new_seed(), uuid7()
    hashed = await asyncio.to_thread(make_hash, PASSWORD, parameters)
    world = World(pool, keyring, realm, session_tokens, credential, users[:plain], users[plain:], [])
    await _copy_users(world, users, hashed)
    world.sessions = [_session(users[number % len(users)]) for number in range(sessions)]
    await _copy(pool, "sessions", _SESSION_COLUMNS, [_session_record(session) for session in world.sessions])
    await pool.execute("VACUUM (ANALYZE)")
    return world


def _user(number: int) -> User:
    return User(f"user{number}@example.org", uuid7(), uuid7(), tokens.new_salt())


async def _copy_users(world: World, users: Sequence[User], hashed: bytes) -> None:
    now = datetime.now(UTC)
    # Sealing is all that is asked of it; it hashes nothing here.
    passwords = Passwords(world.pool, world.keyring, cast("Any", None))
    scheme = scheme_of(hashed)
    for start in range(0, len(users), _PIECE):
        piece = users[start : start + _PIECE]
        keys = [EmailAddress.parse(user.email).key for user in piece]
        await _copy(
            world.pool, "accounts", "account_id realm_id email email_key second_factor create_time update_time",
            [(u.account_id, REALM, u.email, k, bool(u.seed), now, now) for u, k in zip(piece, keys, strict=True)],
        )  # fmt: skip
        await _copy(
            world.pool, "password_credentials", "account_id realm_id hash scheme update_time",
            [(u.account_id, REALM, passwords.seal(REALM, u.account_id, hashed), scheme, now) for u in piece],
        )  # fmt: skip
        await _copy(
            world.pool, "devices", "device_id account_id realm_id epoch salt create_time last_use_time",
            [(u.device_id, u.account_id, REALM, 1, u.device_salt, now, now) for u in piece],
        )  # fmt: skip
        guarded = [u for u in piece if u.factor_id is not None]
        await _copy(
            world.pool, "factors", "factor_id account_id realm_id kind name preferred secret create_time",
            [
                (u.factor_id, u.account_id, REALM, totp.KIND, totp.NAME, True, _sealed_seed(world.keyring, u), now)
                for u in guarded
            ],
        )  # fmt: skip
        await _copy(world.pool, "factor_budgets", "account_id kind", [(u.account_id, totp.KIND) for u in guarded])


def _sealed_seed(keyring: Keyring, user: User) -> bytes:
    assert user.factor_id is not None
    return keyring.seal(user.seed, secret_place(REALM, user.account_id, user.factor_id))


def _session(user: User) -> Live:
    now = datetime.now(UTC)
    return Live(
        SessionRow(
            session_id=uuid7(), realm_id=REALM, account_id=user.account_id, device_id=user.device_id, client_id=CLIENT,
            epoch=1, audience="twofold", amr=["pwd"], aal=1, auth_time=now, second_factor_time=None, factor_strength=0,
            ip_address="198.51.100.7", user_agent="Bench/1.0", create_time=now, rotated_time=now,
            expire_time=now + timedelta(days=30),
        ),
        tokens.new_salt(),
    )  # fmt: skip


_SESSION_COLUMNS: Final = (
    "session_id realm_id account_id device_id client_id epoch audience amr aal auth_time ip_address user_agent "
    "create_time rotated_time expire_time salt absolute_expire_time"
)


def _session_record(session: Live) -> Row:
    row = session.row
    values = tuple(getattr(row, name) for name in _SESSION_COLUMNS.split()[:-2])
    return (*values, session.salt, row.expire_time)


async def _copy(pool: Pool, table: str, columns: str, records: Sequence[Row]) -> None:
    if records:
        await copy(cast("asyncpg.Connection[asyncpg.Record]", pool), table, columns, records)


async def copy(
    connection: asyncpg.Connection[asyncpg.Record], table: str, columns: str, records: Sequence[Row]
) -> None:
    """Write rows by COPY; columns in one text."""
    await connection.copy_records_to_table(table, records=records, columns=columns.split())
