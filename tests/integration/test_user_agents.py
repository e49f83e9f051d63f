"""The User-Agent of a session that goes on: `session_user_agent` of a realm says what follows a change of it."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc.aio
import pytest

from tests.integration.test_factor_policy import set_realm
from tests.service import Service, User, reason, refused
from twofold.v1 import session_pb2, sign_in_pb2, two_factor_pb2

SUBJECT = "A session of your Twofold account goes on in another browser"


def client(user_agent: str) -> sign_in_pb2.ClientContext:
    """The end user's side, by another browser than the tests'."""
    return sign_in_pb2.ClientContext(ip_address="192.0.2.7", user_agent=user_agent)


async def refresh(service: Service, user: User, user_agent: str | None) -> session_pb2.RefreshSessionResponse:
    """Refresh as a browser that states a User-Agent, or as a front end that states no client."""
    request = session_pb2.RefreshSessionRequest(refresh_token=user.tokens.refresh_token)
    if user_agent is not None:
        request.client.CopyFrom(client(user_agent))
    return await service.sessions.RefreshSession(request, metadata=service.metadata)


async def refreshed(service: Service, user: User, user_agent: str | None) -> session_pb2.RefreshSessionResponse:
    """A refresh whose tokens the user holds from then on."""
    response = await refresh(service, user, user_agent)
    user.tokens = response.tokens
    return response


async def rows(service: Service, query: str) -> Any:
    """One value of the database."""
    return await service.app.pool.fetchval(query)


async def test_by_default_nothing_is_compared(service: Service) -> None:
    """Browsers change their User-Agent at each update, and nobody is signed out for it unless the realm says so."""
    user = await service.signed_in_user()
    response = await refreshed(service, user, "Other/2.0")
    assert response.session.user_agent == "Test/1.0"
    assert await service.is_live(user)
    assert SUBJECT not in [str(mail["Subject"]) for mail in await service.mails(user.email)]


async def test_another_user_agent_ends_the_session_and_the_error_says_so(service: Service) -> None:
    """The session alone, at once and for good: a revocation and an event are written as for every other end."""
    await set_realm(service, session_user_agent="end")
    user = await service.signed_in_user()
    other = User(user.email)
    await service.sign_in(other)
    await refreshed(service, user, "Test/1.0")
    with refused("SESSION_USER_AGENT_CHANGED"):
        await refresh(service, user, "Other/2.0")
    assert not await service.is_live(user)
    assert await service.is_live(other)
    with refused("SESSION_ENDED"):
        await refresh(service, user, "Test/1.0")
    ended = "SELECT count(*) FROM revocations WHERE kind = 'session' AND subject = '" + user.session.session_id + "'"
    assert await rows(service, ended) == 1
    assert await rows(service, "SELECT count(*) FROM events WHERE kind = 'session_user_agent_changed'") == 1


async def test_letter_by_letter_and_an_empty_one_that_is_stated_is_another(service: Service) -> None:
    """Another version is another program; a caller that may state its client says by an empty one: none."""
    await set_realm(service, session_user_agent="end")
    for other in ("Test/1.1", "test/1.0", ""):
        user = await service.signed_in_user()
        with refused("SESSION_USER_AGENT_CHANGED"):
            await refresh(service, user, other)


async def test_what_is_not_stated_is_not_compared(service: Service) -> None:
    """A request without a client, and a session whose sign-in showed no User-Agent, go on."""
    await set_realm(service, session_user_agent="end")
    user = await service.signed_in_user()
    await refreshed(service, user, None)
    unseen = await service.new_user()
    await service.sign_in(unseen, client=client(""))
    await refreshed(service, unseen, "Other/2.0")
    await refreshed(service, unseen, "Test/1.0")


async def test_a_long_user_agent_is_compared_as_it_was_cut(service: Service) -> None:
    """What was cut at 512 characters at the sign-in is cut the same way at each refresh."""
    await set_realm(service, session_user_agent="end")
    user = await service.new_user()
    await service.sign_in(user, client=client("x" * 600))
    await refreshed(service, user, "x" * 600)
    with refused("SESSION_USER_AGENT_CHANGED"):
        await refresh(service, user, "x" * 511)


async def test_the_owner_is_told_where_the_realm_notifies(service: Service) -> None:
    """One notice for each change; the session goes on and shows the User-Agent that was seen last."""
    await set_realm(service, session_user_agent="notify")
    user = await service.signed_in_user()
    for user_agent, notices in (("Test/1.0", 0), ("Other/2.0", 1), ("Other/2.0", 1), ("Test/1.0", 2)):
        response = await refreshed(service, user, user_agent)
        assert response.session.user_agent == user_agent
        sent = [mail for mail in await service.mails(user.email) if mail["Subject"] == SUBJECT]
        assert len(sent) == notices
        assert all("Other/2.0" in mail.as_string() for mail in sent[:1])
        service.clock.advance(1)
    assert await service.is_live(user)


async def test_an_old_token_is_theft_whatever_the_user_agent(service: Service) -> None:
    """The copy that lags behind is named as one."""
    await set_realm(service, session_user_agent="end")
    user = await service.signed_in_user()
    copied = User(user.email)
    copied.tokens.CopyFrom(user.tokens)
    await refreshed(service, user, "Test/1.0")
    await refreshed(service, user, "Test/1.0")
    with refused("SESSION_REUSED"):
        await refresh(service, copied, "Other/2.0")


async def test_junk_with_a_true_session_s_id_ends_nothing(service: Service) -> None:
    """Whoever holds no refresh token signs nobody out by another User-Agent."""
    await set_realm(service, session_user_agent="end")
    user = await service.signed_in_user()
    forged = User(user.email)
    head, _, mac = user.tokens.refresh_token.rpartition(".")
    forged.tokens.refresh_token = f"{head}.{mac[::-1]}"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await refresh(service, forged, "Other/2.0")
    assert reason(caught.value) in {"SESSION_ENDED", "SESSION_INVALID"}
    assert await service.is_live(user)


@pytest.mark.parametrize("setting", ["end", "notify"])
async def test_of_refreshes_at_once_the_change_is_seen_once(service: Service, setting: str) -> None:
    """Ten with one token, half of them by another program: one end, or one notice, whatever their order."""
    await set_realm(service, session_user_agent=setting)
    user = await service.signed_in_user()
    agents = ["Test/1.0", "Other/2.0"] if setting == "end" else ["Other/2.0"]
    found = await asyncio.gather(
        *(refresh(service, user, agents[n % len(agents)]) for n in range(10)), return_exceptions=True
    )
    if setting == "notify":
        assert not [one for one in found if isinstance(one, BaseException)]
        assert [str(mail["Subject"]) for mail in await service.mails(user.email)].count(SUBJECT) == 1
        return
    reasons = [reason(one) for one in found if isinstance(one, grpc.aio.AioRpcError)]
    assert reasons.count("SESSION_USER_AGENT_CHANGED") == 1
    assert set(reasons) == {"SESSION_USER_AGENT_CHANGED", "SESSION_ENDED"}
    assert not await service.is_live(user)


async def test_a_step_up_by_another_program_ends_the_session_too(service: Service) -> None:
    """At its beginning, with the password, and where its challenge is answered with a right code."""
    await set_realm(service, session_user_agent="end")
    for password in ("", "correct horse battery 9"):
        user = await service.two_factor_user()
        request = session_pb2.StepUpRequest(client=client("Other/2.0"))
        if password:
            request.password = password
        else:
            request.second_factor.SetInParent()
        with refused("SESSION_USER_AGENT_CHANGED"):
            await service.sessions.StepUp(request, metadata=service.with_session(user))
        assert not await service.is_live(user)
    user = await service.two_factor_user()
    service.clock.advance(30)
    request = session_pb2.StepUpRequest(client=service.client)
    request.second_factor.SetInParent()
    challenge = (await service.sessions.StepUp(request, metadata=service.with_session(user))).challenge
    finishing = two_factor_pb2.FinishChallengeRequest(
        challenge_token=challenge.challenge_token,
        challenge_binding=challenge.challenge_binding,
        second_factor=service.code(user),
        refresh_token=user.tokens.refresh_token,
        client=client("Other/2.0"),
    )
    with refused("SESSION_USER_AGENT_CHANGED"):
        await service.two_factor.FinishChallenge(finishing, metadata=service.metadata)
    assert not await service.is_live(user)
    assert (await service.sign_in(user, second_factor=service.code(user))).WhichOneof("outcome") == "signed_in"
