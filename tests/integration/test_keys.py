"""Signing keys rotate by a published schedule and are removed at once; sealed values move to a new master key."""

import asyncio
import secrets
from pathlib import Path

import asyncpg
import grpc
import pytest

from tests.conftest import Clock
from tests.integration.test_phone_numbers import NUMBER, set_number, shown
from tests.service import Service, User, reason, refused, serving, settings_for
from twofold.v1 import session_pb2
from twofold_server.crypto.access_tokens import key_id_of
from twofold_server.crypto.keyring import Keyring, UnknownKey
from twofold_server.domain.resealing import reseal


async def _keys(service: Service) -> list[session_pb2.SigningKey]:
    return list((await service.sessions.GetSigningKeys(session_pb2.GetSigningKeysRequest())).keys)


async def _refresh(service: Service, user: User) -> str:
    response = await service.sessions.RefreshSession(
        session_pb2.RefreshSessionRequest(refresh_token=user.tokens.refresh_token)
    )
    user.tokens = response.tokens
    return key_id_of(user.tokens.access_token)


async def test_rotation_follows_the_published_schedule(two_services: tuple[Service, Service], clock: Clock) -> None:
    """A new key is published 10 min before it signs, on every server by the row's time, and old tokens stay good."""
    one, other = two_services
    user = await one.signed_in_user()
    (first,) = await _keys(one)
    made = await one.app.services.signing_keys.rotate()
    assert made is not None
    assert await one.app.services.signing_keys.rotate() is None, "one next key at a time"
    other.app.services.signing_keys.read_again()
    assert {k.key_id for k in await _keys(other)} == {first.key_id, made.key.kid}
    clock.advance(599)
    assert await _refresh(other, user) == first.key_id
    clock.advance(1)
    assert await _refresh(one, user) == made.key.kid
    user.tokens = (
        await other.sessions.RefreshSession(session_pb2.RefreshSessionRequest(refresh_token=user.tokens.refresh_token))
    ).tokens
    assert key_id_of(user.tokens.access_token) == made.key.kid
    assert await other.is_live(user)
    clock.advance(16 * 60)
    one.app.services.signing_keys.read_again()
    assert [k.key_id for k in await _keys(one)] == [made.key.kid]


async def test_removed_key_counts_nowhere(two_services: tuple[Service, Service]) -> None:
    """What a removed key signed is refused on every server, and sessions live on by a refresh."""
    one, other = two_services
    user = await one.signed_in_user()
    await other.sessions.CheckSession(session_pb2.CheckSessionRequest(audience="twofold"), metadata=user.metadata)
    (stolen,) = await _keys(one)
    assert await one.app.services.signing_keys.remove(stolen.key_id)
    assert not await one.app.services.signing_keys.remove("unknown")
    for service in (one, other):
        for _ in range(100):
            try:
                await service.sessions.CheckSession(
                    session_pb2.CheckSessionRequest(audience="twofold"), metadata=user.metadata
                )
            except grpc.aio.AioRpcError as error:
                assert reason(error) in {"SESSION_ENDED", "SESSION_INVALID"}
                break
            await asyncio.sleep(0.02)
        else:
            pytest.fail("still live after 2 s")
        with refused("SESSION_INVALID"):
            await service.sessions.ListSessions(session_pb2.ListSessionsRequest(), metadata=user.metadata)
    assert await _refresh(other, user) != stolen.key_id
    assert await one.is_live(user)


async def test_master_key_rotates_while_serving(database: str, clock: Clock, tmp_path: Path) -> None:
    """All that is sealed moves to the new key under running servers; sign-in, codes and tokens go on."""
    old, new = secrets.token_hex(32), secrets.token_hex(32)
    both = f"1*:{old},2:{new}"
    async with serving(settings_for(database, tmp_path, master_key=both), clock) as service:
        user = await service.two_factor_user()
        await set_number(service, user)
        await service.sign_up("waiting@example.org")
        turned = f"1:{old},2*:{new}"
        async with (
            serving(settings_for(database, tmp_path, master_key=turned), clock) as after,
            asyncpg.create_pool(database, min_size=1, max_size=1) as pool,
        ):
            counts: dict[str, int] = {}
            total = await reseal(pool, Keyring.from_text(turned), counts.__setitem__)
            assert counts["password_credentials.hash"] == 1
            assert counts["factors.secret"] == 1
            assert counts["backup_codes.hash"] == 10
            assert counts["signing_keys.private_key"] == 1
            assert counts["phone_numbers.number"] == 1
            assert total == sum(counts.values())
            assert await reseal(pool, Keyring.from_text(turned), counts.__setitem__) == 0
            for one in (service, after):
                clock.advance(30)
                await one.sign_in(user, second_factor=one.code(user))
                await _refresh(one, user)
            with pytest.raises(UnknownKey):
                await reseal(pool, Keyring.from_text(f"3:{secrets.token_hex(32)}"), counts.__setitem__)
    async with serving(settings_for(database, tmp_path, master_key=f"2:{new}"), clock) as service:
        clock.advance(30)
        await service.sign_in(user, second_factor=service.code(user))
        assert await service.is_live(user)
        assert (await shown(service, user)).phone_number == NUMBER


async def test_a_clock_behind_the_first_keys_signs_all_the_same(
    two_services: tuple[Service, Service], clock: Clock
) -> None:
    """A server whose clock is a little behind that of the one that made the first key signs with it."""
    one, other = two_services
    user = await one.new_user()
    clock.advance(-10)
    other.app.services.signing_keys.read_again()
    await other.sign_in(user)
    assert await one.is_live(user)
