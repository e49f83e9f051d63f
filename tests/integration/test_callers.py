"""Callers: how a credential is looked up, and what floods of unknown ones cost."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from tests.conftest import Clock
from twofold_server.crypto import tokens
from twofold_server.db import callers as rows
from twofold_server.db.pool import Connection, Pool, open_pool
from twofold_server.domain.callers import DEVELOPMENT, CallerRefused, Callers, Grant, Role
from twofold_server.domain.errors import CallerUnknown, Overloaded
from twofold_server.domain.values import RealmId

DEFAULT = RealmId("default")
FRONTEND = Grant(DEFAULT, Role.FRONTEND, may_state_client=True)


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    pool = await open_pool(database, 5)
    yield pool
    await pool.close()


@pytest.fixture
def callers(pool: Pool, clock: Clock) -> Callers:
    return Callers(pool, clock)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was looked up in the database."""
    found: list[object] = []
    by_id = rows.by_id

    async def noted(db: Connection, caller_id: UUID) -> rows.CallerRow | None:
        found.append(caller_id)
        return await by_id(db, caller_id)

    monkeypatch.setattr(rows, "by_id", noted)
    return found


async def test_a_credential_names_its_caller_and_grants(callers: Callers) -> None:
    """What `add` returned is the caller, with the grants that were made since."""
    credential = await callers.add("shop", FRONTEND)
    await callers.grant("shop", Grant(DEFAULT, Role.VERIFIER))
    caller = await callers.authenticate(credential)
    assert caller.name == "shop"
    assert caller.realms_as(frozenset({Role.VERIFIER})) == (DEFAULT,)
    assert caller.realms_as(frozenset({Role.ADMIN})) == ()
    assert caller.may_state_client(DEFAULT)


async def test_a_caller_may_lose_its_word_on_the_client(callers: Callers, clock: Clock) -> None:
    """Granting again without --may-state-client takes it away."""
    credential = await callers.add("shop", FRONTEND)
    await callers.grant("shop", Grant(DEFAULT, Role.FRONTEND))
    assert not (await callers.authenticate(credential)).may_state_client(DEFAULT)


async def test_no_part_of_a_credential_is_stored_or_shown(callers: Callers, pool: Pool) -> None:
    """Rows hold a hash, and nothing that is printed of a caller holds the secret."""
    credential = await callers.add("shop", FRONTEND)
    secret = credential[37:]
    dump = "".join(str(row) for row in await pool.fetch("SELECT c::text FROM callers c"))
    assert secret not in dump
    assert secret.encode().hex() not in dump
    (row,) = await callers.every()
    assert row.credential_hash.hex() in dump
    assert repr(row.credential_hash) not in repr(row)


async def test_every_altered_credential_is_unknown(callers: Callers) -> None:
    """One character more, less or other, another's secret, or the id spelt otherwise: CallerUnknown, cached or not."""
    credential = await callers.add("shop", FRONTEND)
    other = await callers.add("other", FRONTEND)
    altered = [
        credential[:-1],
        credential + "A",
        credential[:-1] + ("A" if credential[-1] != "A" else "B"),
        credential[:37] + other[37:],
        credential.upper(),
        credential.replace("tfc_", "TFC_"),
        credential[:4] + credential[4:36].upper() + credential[36:],
        credential + "\x00",
        credential[:37],
        credential[:37] + "ä" * 43,
        credential[:37] + "\ud800" * 43,
        " " + credential,
        "",
    ]
    for _ in range(2):
        for text in altered:
            if text != credential:
                with pytest.raises(CallerUnknown):
                    await callers.authenticate(text)
        await callers.authenticate(credential)


async def test_a_caller_is_read_once_in_five_seconds(callers: Callers, clock: Clock, reads: list[object]) -> None:
    """A hundred calls at once cost one read, and the next one follows five seconds later."""
    credential = await callers.add("shop", FRONTEND)
    await asyncio.gather(*(callers.authenticate(credential) for _ in range(100)))
    clock.advance(4.9)
    await callers.authenticate(credential)
    assert len(reads) == 1
    clock.advance(0.2)
    await callers.authenticate(credential)
    assert len(reads) == 2


async def test_a_flood_of_unknown_ids_costs_fifty_reads_a_second(
    callers: Callers, clock: Clock, reads: list[object], pool: Pool
) -> None:
    """Invented ids are refused without a read beyond 50 a second; known callers get through meanwhile."""
    credential = await callers.add("shop", FRONTEND)
    await callers.authenticate(credential)
    clock.advance(6)
    reads.clear()
    outcomes = []
    for number in range(200):
        try:
            await callers.authenticate(f"tfc_{number:032x}_{'A' * 43}")
        except (CallerUnknown, Overloaded) as error:
            outcomes.append(type(error))
    assert outcomes.count(CallerUnknown) == len(reads) == 50
    assert outcomes.count(Overloaded) == 150
    await callers.authenticate(credential)
    clock.advance(1.1)
    with pytest.raises(CallerUnknown):
        await callers.authenticate(f"tfc_{999:032x}_{'A' * 43}")


async def test_unknown_ids_are_remembered_and_bounded(callers: Callers, clock: Clock, reads: list[object]) -> None:
    """The same unknown id costs one read in five seconds, and a million different ones fill no memory."""
    for _ in range(10):
        with pytest.raises(CallerUnknown):
            await callers.authenticate(f"tfc_{1:032x}_{'A' * 43}")
    assert len(reads) == 1
    for number in range(3000):
        if number % 50 == 0:
            clock.advance(1)
        with pytest.raises(CallerUnknown):
            await callers.authenticate(f"tfc_{number + 2:032x}_{'A' * 43}")
    assert len(callers._unknown) <= 1024


async def test_a_caller_made_after_its_id_was_tried_works_in_five_seconds(
    callers: Callers, pool: Pool, clock: Clock
) -> None:
    """A remembered absence ages like everything else."""
    credential = await callers.add("shop", FRONTEND)
    row = await pool.fetchrow("DELETE FROM caller_grants RETURNING *")
    caller = await pool.fetchrow("DELETE FROM callers RETURNING *")
    assert row is not None
    assert caller is not None
    with pytest.raises(CallerUnknown):
        await callers.authenticate(credential)
    await pool.execute("INSERT INTO callers VALUES ($1, $2, $3, $4, $5, $6, $7)", *caller.values())
    clock.advance(5.1)
    assert (await callers.authenticate(credential)).name == "shop"


async def test_a_reader_that_is_cancelled_lets_the_others_read(
    callers: Callers, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls that share a read don't die with the call that began it."""
    credential = await callers.add("shop", FRONTEND)
    by_id, gate, begun = rows.by_id, asyncio.Event(), asyncio.Semaphore(0)

    async def slow(db: Connection, caller_id: UUID) -> rows.CallerRow | None:
        begun.release()
        await gate.wait()
        return await by_id(db, caller_id)

    monkeypatch.setattr(rows, "by_id", slow)
    first = asyncio.create_task(callers.authenticate(credential))
    await begun.acquire()
    others = [asyncio.create_task(callers.authenticate(credential)) for _ in range(5)]
    await asyncio.sleep(0)
    first.cancel()
    gate.set()
    assert {caller.name for caller in await asyncio.gather(*others)} == {"shop"}
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_without_a_credential_only_development_has_a_caller(pool: Pool, clock: Clock) -> None:
    """`development` has every role but SUPPORT in the realm `default`, may state its client, and can't be added."""
    with pytest.raises(CallerUnknown):
        await Callers(pool, clock).authenticate(None)
    caller = await Callers(pool, clock, development=True).authenticate(None)
    assert caller.name == DEVELOPMENT
    for role in Role:
        expected = () if role is Role.SUPPORT else (DEFAULT,)
        assert caller.realms_as(frozenset({role})) == expected
    assert caller.may_state_client(DEFAULT)
    with pytest.raises(CallerRefused):
        await Callers(pool, clock).add(DEVELOPMENT, FRONTEND)


@pytest.mark.parametrize("name", ["", "Shop", "a b", "-a", "a-", "a" * 129, "a\n", "ä", "a;b"])
async def test_names_are_plain(callers: Callers, name: str) -> None:
    """A caller's name stands in tokens and logs: lower-case ASCII without spaces."""
    with pytest.raises(CallerRefused, match="name"):
        await callers.add(name, FRONTEND)


async def test_what_cannot_be_done_is_told(callers: Callers) -> None:
    """A taken name, an unknown realm, an unknown or ended caller: CallerRefused, and nothing is written."""
    await callers.add("shop", FRONTEND)
    with pytest.raises(CallerRefused, match="already"):
        await callers.add("shop", FRONTEND)
    with pytest.raises(CallerRefused, match="no realm"):
        await callers.add("other", Grant(RealmId("nowhere"), Role.ADMIN))
    for work in (callers.grant("nobody", FRONTEND), callers.end("nobody")):
        with pytest.raises(CallerRefused, match="nobody"):
            await work
    await callers.end("shop")
    with pytest.raises(CallerRefused):
        await callers.grant("shop", FRONTEND)
    assert [row.name for row in await callers.every()] == ["shop"]


async def test_a_certificates_caller_is_found_by_name_and_ends(callers: Callers, clock: Clock) -> None:
    """The name in a certificate leads to the caller of that name, until it is ended; junk costs no read."""
    await callers.add("team/shop", FRONTEND)
    assert (await callers.by_certificate("team/shop")).name == "team/shop"
    for name in ("nobody", "", "x" * 1000, "Team/Shop"):
        with pytest.raises(CallerUnknown):
            await callers.by_certificate(name)
    await callers.end("team/shop")
    clock.advance(5.1)
    with pytest.raises(CallerUnknown):
        await callers.by_certificate("team/shop")


def test_a_caller_shows_no_secret() -> None:
    """What a log might print of a credential holds no secret."""
    parts = tokens.parse_caller_credential(f"tfc_{'0' * 32}_{'A' * 43}")
    assert "A" * 43 not in repr(parts)
