"""What an attacker can make the server pay or say: absurd hashes, crafted passwords, names in mails."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import grpc
import pytest

from tests.conftest import Clock
from tests.integration.quick import Quick, quick_server
from tests.integration.stored_hashes import bcrypt_hash, put_hash
from tests.service import PASSWORD, User, reason, refused
from twofold.v1 import account_pb2, session_pb2, sign_in_pb2

# 4 GiB and ten passes; a terabyte; bcrypt of 2^31 rounds; no hash at all.
ABSURD = {
    "argon2 memory": ("$argon2id$v=19$m=4194304,t=10,p=4$c29tZXNhbHQ$" + "A" * 43, "argon2id:4194304,10,4"),
    "argon2 beyond numbers": ("$argon2id$v=19$m=9999999999,t=9999999999,p=1$c29tZXNhbHQ$" + "A" * 43, "argon2id:1,1,1"),
    "bcrypt": ("$2b$31$" + "a" * 53, "bcrypt:31"),
    "another scheme": ("$scrypt$ln=30,r=8,p=1$c29tZXNhbHQ$" + "A" * 43, "scrypt:30,8,1"),
    "junk": ("\x00\xff{{7*7}}", "'; DROP TABLE accounts"),
}
CRAFTED = {
    "substitutes": "a4@4@({[<6|1!|17$5S+7" * 13, "letters": "aA@4" * 64, "sequences": "abcdefgh" * 32,
    "dates": "1/1/1991-" * 29, "repeats": "aab" * 86, "keyboards": "qwertyuiop" * 26, "words": "password" * 32,
    "digits": "1234567890" * 26, "marks": "e\u0301" * 128, "wide": "ｐａｓｓ" * 64, "emoji": "🔐" * 256,
}  # fmt: skip


@pytest.fixture
async def quick(database: str, tmp_path: Path, clock: Clock) -> AsyncIterator[Quick]:
    async with quick_server(database, tmp_path, clock) as service:
        yield service


@pytest.fixture
async def db(database: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.mark.parametrize("kind", ABSURD)
async def test_a_stored_hash_of_absurd_cost_is_a_wrong_password(
    quick: Quick, db: asyncpg.Connection[asyncpg.Record], kind: str
) -> None:
    """Nothing of it is computed: sign-in and proofs in a session answer INVALID_CREDENTIALS, quickly and counted."""
    user = await quick.signed_in_user()
    stored, scheme = ABSURD[kind]
    await put_hash(quick, db, user, stored.encode("latin-1"), scheme)
    started = time.perf_counter()
    with refused("INVALID_CREDENTIALS"):
        await quick.sign_in(user)
    for call in (
        quick.sessions.StepUp(
            session_pb2.StepUpRequest(password=user.password, client=quick.client), metadata=quick.with_session(user)
        ),
        quick.accounts.DeleteAccount(
            account_pb2.DeleteAccountRequest(reauthentication=user.reauthentication, client=quick.client),
            metadata=quick.with_session(user),
        ),
    ):
        with refused("INVALID_CREDENTIALS"):
            await call
    assert time.perf_counter() - started < 2
    failures = await db.fetchval("SELECT failures FROM password_credentials WHERE account_id = $1", user.account_id)
    assert sum(failures) == 3


@pytest.mark.parametrize("kind", ABSURD)
async def test_an_unknown_address_pays_no_absurd_cost(
    quick: Quick, db: asyncpg.Connection[asyncpg.Record], kind: str
) -> None:
    """Where all of a realm's rows are absurd, addresses without an account still answer, and quickly."""
    user = await quick.new_user()
    stored, scheme = ABSURD[kind]
    await put_hash(quick, db, user, stored.encode("latin-1"), scheme)
    started = time.perf_counter()
    for number in range(3):
        with refused("INVALID_CREDENTIALS"):
            await quick.sign_in(User(f"nobody{number}@example.org"))
    assert time.perf_counter() - started < 2


async def test_an_imported_bcrypt_hash_signs_in_and_is_replaced(
    quick: Quick, db: asyncpg.Connection[asyncpg.Record]
) -> None:
    """A payable hash of another system works with its password alone, and the sign-in makes it one of today's."""
    user = await quick.new_user()
    await put_hash(quick, db, user, bcrypt_hash("the old horse 1", 5), "bcrypt:5")
    with refused("INVALID_CREDENTIALS"):
        await quick.sign_in(user)
    await quick.sign_in(user, password="the old horse 1")
    scheme = await db.fetchval("SELECT scheme FROM password_credentials WHERE account_id = $1", user.account_id)
    assert scheme == "argon2id:8,1,1"
    await quick.sign_in(user, password="the old horse 1")


@pytest.mark.alone
async def test_a_crafted_password_costs_no_more_than_a_plain_one(quick: Quick) -> None:
    """Of 256 code points made to keep zxcvbn busy, none holds SignUp for half a second, nor other calls at all."""
    user = await quick.signed_in_user()
    slowest_other = 0.0

    async def watch() -> None:
        nonlocal slowest_other
        while True:
            started = time.perf_counter()
            await quick.accounts.GetAccount(account_pb2.GetAccountRequest(), metadata=quick.with_session(user))
            slowest_other = max(slowest_other, time.perf_counter() - started)
            await asyncio.sleep(0.005)

    watching = asyncio.create_task(watch())
    taken = {}
    for number, (kind, text) in enumerate(CRAFTED.items()):
        times = []
        for attempt in range(3):
            started = time.perf_counter()
            await quick.sign_up(f"crafted{number}.{attempt}@example.org", text[:256])
            times.append(time.perf_counter() - started)
        taken[kind] = min(times)
    watching.cancel()
    assert max(taken.values()) < 0.5, taken
    assert slowest_other < 0.5


async def test_a_password_of_257_code_points_is_refused_before_any_work(quick: Quick) -> None:
    """Overlong passwords are INVALID_FIELDS, in SignIn as in SignUp, and count nothing against the account."""
    user = await quick.new_user()
    for _ in range(10):
        with refused("INVALID_FIELDS", "password"):
            await quick.sign_in(user, password="e\u0301" * 129)
    with refused("INVALID_FIELDS", "password"):
        await quick.sign_up("long@example.org", "x" * 257)
    await quick.sign_in(user)


NAMES = {
    "jinja": "{{ 7*7 }}{% if 1 %}", "format": "{link}{0}%s", "shell": "${jndi:ldap}`id`", "html": "<b>&amp;\"'",
    "domain": "pay at evil.example/now", "mail": "Ada <eve@evil.example>",
}  # fmt: skip


@pytest.mark.parametrize("kind", NAMES)
async def test_what_users_choose_runs_nothing_and_links_nowhere_in_mails(quick: Quick, kind: str) -> None:
    """Names and programs with template syntax, mark-up or addresses are text of the body: no header, no link."""
    name = NAMES[kind]
    await quick.sign_up(f"chosen.{kind}@example.org", display_name=name)
    link = await quick.link_token(f"chosen.{kind}@example.org")
    claim = await quick.sign_up(f"other.{kind}.user@example.org", display_name=name)
    await quick.accounts.ActivateAccount(
        account_pb2.ActivateAccountRequest(activation_token=link, password=PASSWORD, client=quick.client),
        metadata=quick.metadata,
    )
    assert claim.sign_up_binding
    evil = f"{name} https://evil.example/\r\nBcc: eve@evil.example\u202e"
    client = sign_in_pb2.ClientContext(ip_address="192.0.2.9", user_agent=evil)
    for _ in range(2):
        # The second time from a device that was not seen before.
        await quick.sign_in(User(f"chosen.{kind}@example.org"), client=client)
    mails = await quick.mails(f"chosen.{kind}@example.org")
    bodies = [part.get_content() for mail in mails for part in mail.walk() if part.get_content_maintype() == "text"]
    assert any("Program:" in body for body in bodies)
    for mail in mails:
        headers = "".join(f"{key}: {value}" for key, value in mail.items())
        assert [address.addr_spec for address in mail["To"].addresses] == [f"chosen.{kind}@example.org"]
        assert mail["Bcc"] is None
        assert "evil" not in headers
        assert name not in headers
    for body in bodies:
        assert not re.search(r"evil\.example|https://evil|\u202e|\b49\b", body)
        assert "<b>" not in body.partition("<!DOCTYPE")[2]
        assert set(re.findall(r'href="([^"?]*)', body)) <= {"http://localhost:3000/activate"}


@pytest.mark.parametrize(
    "name", ["https://evil.example", "www.evil.example", "a\r\nb", "a\u2028b", "a\u202eb", "a\x00b"]
)
async def test_names_with_links_lines_or_directions_are_refused(quick: Quick, name: str) -> None:
    """Such a name is INVALID_FIELDS wherever one is taken, and the account keeps the one it had."""
    user = await quick.signed_in_user()
    with refused("INVALID_FIELDS", "display_name"):
        await quick.sign_up("named@example.org", display_name=name)
    request = account_pb2.UpdateAccountRequest(account=account_pb2.Account(display_name=name))
    request.update_mask.paths.append("display_name")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await quick.accounts.UpdateAccount(request, metadata=quick.with_session(user))
    assert reason(caught.value) == "INVALID_FIELDS"
    found = await quick.accounts.GetAccount(account_pb2.GetAccountRequest(), metadata=quick.with_session(user))
    assert found.account.display_name == ""
