"""The database part of a sign-in, with many accounts against few: the read and the judging statement, as they run."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from tests.load.bench.processes import Database
from tests.load.bench.rows import Row
from tests.load.bench.seeding import ISSUER, REALM
from tests.load.bench.summaries import percentile
from twofold_server.crypto import tokens
from twofold_server.db import sign_in
from twofold_server.db.migrate import migrate
from twofold_server.db.pool import Pool, open_pool
from twofold_server.db.verdicts import Code
from twofold_server.domain.attempts import KNOWN, Origin, attempt, hour_of
from twofold_server.domain.clients import Client
from twofold_server.domain.clock import system_clock
from twofold_server.domain.new_sessions import details_of, new_device, new_session
from twofold_server.domain.realms import Realm, Realms

_GOAL = 1.2
_FEW = 10_000
_TURN = 100
# Of the length that a sealed hash has; nothing here opens it.
_SEALED_BYTES = 127
_SALT = bytes(32)
# Ids as ordered as those of version 7 are, so that the indexes grow as they do in a service.
_ID = "('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid"


@dataclass(frozen=True, slots=True)
class _Side:
    accounts: int
    pool: Pool
    realm: Realm


async def size_row(database: Database, *, accounts: int, seconds: float) -> Row:
    """Measure both sizes in turns."""
    few, many = await _side(database, "few", _FEW), await _side(database, "many", accounts)
    taken: dict[int, list[float]] = {_FEW: [], accounts: []}
    for side in (few, many):  # plans and caches
        for _ in range(_TURN):
            await _sign_in(side)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        for side in (few, many):
            for _ in range(_TURN):
                began = time.perf_counter()
                await _sign_in(side)
                taken[side.accounts].append((time.perf_counter() - began) * 1000)
    for side in (few, many):
        await side.pool.close()
    p50s = {accounts: percentile(values, 0.5) for accounts, values in taken.items()}
    return Row(
        f"{accounts:,} accounts / {_FEW:,}: p50 of the database part of sign-in",
        p50s[accounts] / p50s[_FEW],
        _GOAL,
        "low",
        p50_ms=p50s[accounts],
        p99_ms=percentile(taken[accounts], 0.99),
        more={"few_p50_ms": round(p50s[_FEW], 3), "sign_ins": len(taken[accounts])},
    )


async def _side(database: Database, name: str, accounts: int) -> _Side:
    admin = await asyncpg.connect(database.dsn())
    await admin.execute(f"CREATE DATABASE {name}")
    await admin.close()
    await migrate(database.dsn(name))
    pool = await open_pool(database.dsn(name), 1)
    async with pool.acquire() as connection:
        # Rows by the million: without a look at what each refers to, which is written beside it.
        await connection.execute("SET session_replication_role = replica; SET statement_timeout = 0")
        for statement, arguments in _FILL.items():
            await connection.execute(statement, accounts, *arguments, timeout=300)
        await connection.execute("VACUUM (ANALYZE)", timeout=300)
        await connection.execute("RESET session_replication_role; RESET statement_timeout")
    return _Side(accounts, pool, await Realms(pool, system_clock, issuer=ISSUER).get(REALM))


_FILL: dict[str, tuple[object, ...]] = {
    f"""
    INSERT INTO accounts (account_id, realm_id, email, email_key, create_time, update_time)
    SELECT {_ID}, 'default', 'user' || n || '@example.org', 'user' || n || '@example.org', now(), now()
      FROM generate_series(1, $1::int) n
    """: (),
    f"""
    INSERT INTO password_credentials (account_id, realm_id, hash, scheme, update_time)
    SELECT {_ID}, 'default', $2::bytea, 'argon2id:19456,2,1', now() FROM generate_series(1, $1::int) n
    """: (bytes(_SEALED_BYTES),),
    f"""
    INSERT INTO devices (device_id, account_id, realm_id, epoch, salt, create_time, last_use_time)
    SELECT {_ID}, {_ID}, 'default', 1, $2::bytea, now(), now() FROM generate_series(1, $1::int) n
    """: (_SALT,),
}


async def _sign_in(side: _Side) -> None:
    number = random.randint(1, side.accounts)
    now = system_clock()
    inner, device_id = bytes(32), UUID(int=(0x01900000_0000_7000_8000 << 48) + number)
    found = await sign_in.read(
        side.pool,
        realm_id=REALM,
        email_key=f"user{number}@example.org",
        identifier_mac=random.randbytes(32),
        network="198.51.100.7",
        hour=hour_of(now),
        device_id=device_id,
        device_inner=inner,
        device_proof=tokens.mac_proof(tokens.finish_mac(inner, _SALT)),
        slot=None,
    )
    assert found.account_id is not None
    assert found.device_id is not None
    origin = Origin("bench", Client("198.51.100.7", "198.51.100.7", "Bench/1.0", None, "", stated=True))
    session = new_session(side.realm, origin, now, "twofold", None, auth_time=now)
    verdict = await sign_in.finish_right_password(
        side.pool,
        attempt(side.realm, origin, KNOWN, now, details_of(session, None)),
        account_id=found.account_id,
        epoch=found.epoch,
        second_factor=False,
        code=Code("not_owed"),
        session=session,
        device=new_device(device_id, True, 0),
        challenge=None,
        notice=None,
    )
    assert verdict.outcome == "signed_in", verdict.outcome
