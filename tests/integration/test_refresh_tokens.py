"""Refresh tokens: rotated at each use, the one before good for 10 s, an older one the end of the session."""

from __future__ import annotations

import pytest

from tests.service import Service, User, refused
from twofold.v1 import session_pb2

HOUR = 3600.0


async def refresh(service: Service, user: User, token: str = "") -> session_pb2.RefreshSessionResponse:
    """Refresh the user's session with their token or another one, and let them hold what comes of it."""
    response = await service.sessions.RefreshSession(
        session_pb2.RefreshSessionRequest(refresh_token=token or user.tokens.refresh_token)
    )
    user.tokens, user.session = response.tokens, response.session
    return response


async def test_the_predecessor_gives_the_same_successor_within_10_s(service: Service) -> None:
    """An answer was lost or two calls raced: no second successor, and nobody is signed out."""
    user = await service.signed_in_user()
    first = user.tokens.refresh_token
    second = (await refresh(service, user)).tokens.refresh_token
    assert second != first
    service.clock.advance(9)
    assert (await refresh(service, user, first)).tokens.refresh_token == second
    assert (await refresh(service, user, second)).session.session_id == user.session.session_id
    assert await service.is_live(user)


async def test_the_predecessor_later_ends_the_session_and_tells_the_owner(service: Service) -> None:
    """Somebody holds a copy: both are out, access tokens too, and the mail says so."""
    user = await service.signed_in_user()
    first = user.tokens.refresh_token
    await refresh(service, user)
    before = len(await service.mails(user.email))
    service.clock.advance(10)
    with refused("SESSION_REUSED"):
        await refresh(service, user, first)
    assert not await service.is_live(user)
    with refused("SESSION_ENDED"):
        await refresh(service, user)
    with refused("SESSION_ENDED"):
        await refresh(service, user, first)
    assert len(await service.mails(user.email)) == before + 1


async def test_an_older_one_than_the_predecessor_ends_the_session_at_once(service: Service) -> None:
    """Within the 10 s too: two rotations can't both have been lost."""
    user = await service.signed_in_user()
    first = user.tokens.refresh_token
    await refresh(service, user)
    await refresh(service, user)
    with refused("SESSION_REUSED"):
        await refresh(service, user, first)
    assert not await service.is_live(user)


async def test_junk_with_a_true_session_id_ends_nothing(service: Service) -> None:
    """A wrong MAC, whatever its generation, and a true MAC under another generation are forged, not old."""
    user = await service.signed_in_user()
    await refresh(service, user)
    await refresh(service, user)
    kind, session_id, generation, key_id, mac = user.tokens.refresh_token.split(".")
    assert generation == "2"
    for forged in (
        *(f"{kind}.{session_id}.{g}.{key_id}.{'A' * 43}" for g in (0, 1, 2, 3, 2**31 - 1)),
        *(f"{kind}.{session_id}.{g}.{key_id}.{mac}" for g in (0, 1, 3, 2**31 - 1)),
    ):
        with refused("SESSION_ENDED"):
            await refresh(service, user, forged)
    assert await service.is_live(user)
    await refresh(service, user)


async def test_a_device_token_is_no_refresh_token(service: Service) -> None:
    """One kind of token is nothing in the place of another."""
    user = await service.signed_in_user()
    with refused("SESSION_INVALID"):
        await refresh(service, user, user.device_token)


async def test_one_sessions_token_refreshes_no_other(service: Service) -> None:
    """A MAC is of its own session's row."""
    user, other = await service.signed_in_user(), await service.signed_in_user()
    mine, yours = user.tokens.refresh_token.split("."), other.tokens.refresh_token.split(".")
    with refused("SESSION_ENDED"):
        await refresh(service, user, ".".join([mine[0], yours[1], *mine[2:]]))
    assert await service.is_live(other)


@pytest.mark.parametrize(("wait", "aal"), [(HOUR - 1, 2), (HOUR, 1)])
async def test_an_hour_without_a_refresh_ends_aal2(service: Service, wait: float, aal: int) -> None:
    """The session goes on as AAL1, and says truthfully what it still proves (NIST SP 800-63B-4 2.2.3)."""
    user = await service.two_factor_user()
    service.clock.advance(wait)
    response = await refresh(service, user)
    assert response.session.aal == aal
    assert ("mfa" in response.session.amr) == (aal == 2)
    assert response.session.HasField("second_factor_time") == (aal == 2)
    # Downgraded is downgraded: a repeat within the 10 s does not bring it back.
    assert (await refresh(service, user)).session.aal == aal


async def test_a_day_after_its_proof_aal2_ends_however_often_it_was_refreshed(service: Service) -> None:
    """Activity does not lengthen it."""
    user = await service.two_factor_user()
    for _ in range(47):
        service.clock.advance(HOUR / 2)
        assert (await refresh(service, user)).session.aal == 2
    service.clock.advance(HOUR / 2)
    assert (await refresh(service, user)).session.aal == 1


async def test_a_session_ends_at_30_days_however_often_it_was_refreshed(service: Service) -> None:
    """A refresh lengthens no session beyond its longest life (NIST SP 800-63B-4 2.1.3)."""
    user = await service.signed_in_user()
    for _ in range(29):
        service.clock.advance(24 * HOUR)
        await refresh(service, user)
    service.clock.advance(24 * HOUR)
    with refused("SESSION_ENDED"):
        await refresh(service, user)


async def test_refreshed_tokens_of_a_session_that_ended_are_refused(service: Service) -> None:
    """Signed out, revoked, or of an account that locked, is deleted or changed its password elsewhere."""
    user = await service.signed_in_user()
    await service.sessions.SignOut(session_pb2.SignOutRequest(), metadata=user.metadata)
    with refused("SESSION_ENDED"):
        await refresh(service, user)
    user = await service.signed_in_user()
    await service.app.pool.execute("UPDATE accounts SET state = 'locked'")
    with refused("SESSION_ENDED"):
        await refresh(service, user)
    assert not await service.is_live(user)
