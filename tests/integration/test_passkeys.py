"""Passkeys over gRPC: as a second factor, and as the one thing that signs in."""

from __future__ import annotations

import json

import pytest
from grpc.aio import AioRpcError

from tests.authenticator import Authenticator, lying
from tests.service import Service, User, reason, refused, retry_after
from twofold.v1 import account_pb2, sign_in_pb2, two_factor_pb2

ORIGIN = "https://shop.example"


async def at_home(service: Service) -> None:
    """Give the realm a domain for passkeys."""
    await service.app.pool.execute("""UPDATE realms SET settings = '{"passkey_rp_id": "shop.example"}'""")
    service.clock.advance(61)


async def enrol(service: Service, user: User, authenticator: Authenticator) -> two_factor_pb2.FinishEnrollmentResponse:
    """Enrol a passkey in the user's session."""
    begun = await service.two_factor.BeginEnrollment(
        two_factor_pb2.BeginEnrollmentRequest(passkey=two_factor_pb2.PasskeyEnrollment()),
        metadata=service.with_session(user),
    )
    return await finish(
        service, user, begun.enrollment_token, authenticator.create(begun.passkey.creation_options_json)
    )


async def finish(service: Service, user: User, token: str, credential: str) -> two_factor_pb2.FinishEnrollmentResponse:
    """Finish an enrolment with what a browser made."""
    finished = await service.two_factor.FinishEnrollment(
        two_factor_pb2.FinishEnrollmentRequest(
            enrollment_token=token,
            passkey_credential=credential,
            reauthentication=user.reauthentication,
            client=service.client,
        ),
        metadata=service.with_session(user),
    )
    user.take(finished.signed_in)
    return finished


async def passkey_user(service: Service, authenticator: Authenticator) -> User:
    """A user whose only factor is a passkey."""
    await at_home(service)
    user = await service.signed_in_user()
    await enrol(service, user, authenticator)
    return user


async def asked(service: Service, challenge: sign_in_pb2.SecondFactorChallenge) -> str:
    """What the browser is asked for a challenge."""
    started = await service.two_factor.StartChallenge(
        two_factor_pb2.StartChallengeRequest(
            challenge_token=challenge.challenge_token,
            challenge_binding=challenge.challenge_binding,
            passkey=two_factor_pb2.PasskeyChallenge(),
        ),
        metadata=service.metadata,
    )
    return started.passkey.request_options_json


async def begun(service: Service) -> account_pb2.PasskeySignIn:
    """A sign-in without a password."""
    answer = await service.accounts.SignIn(
        account_pb2.SignInRequest(passkey_begin=account_pb2.PasskeyBegin(), client=service.client),
        metadata=service.metadata,
    )
    return answer.passkey_sign_in


async def answered(
    service: Service, sign_in: account_pb2.PasskeySignIn, credential: str, binding: str = ""
) -> account_pb2.SignInResponse:
    """Bring the browser's answer."""
    return await service.accounts.SignIn(
        account_pb2.SignInRequest(
            passkey_assertion=account_pb2.PasskeyAssertion(
                passkey_token=sign_in.passkey_token,
                passkey_binding=binding or sign_in.passkey_binding,
                credential_json=credential,
            ),
            client=service.client,
        ),
        metadata=service.metadata,
    )


def factor(credential: str) -> sign_in_pb2.SecondFactor:
    """A passkey's answer as the second factor."""
    return sign_in_pb2.SecondFactor(passkey_assertion=credential)


async def test_the_story_of_a_passkey(service: Service) -> None:
    """Enrolled, offered at sign-in, answered once; the session says what it proved; turned off after a step-up."""
    authenticator = Authenticator(ORIGIN)
    user = await passkey_user(service, authenticator)
    challenge = (await service.sign_in(user)).challenge
    assert challenge.kinds[0] == sign_in_pb2.FACTOR_KIND_PASSKEY
    options = await asked(service, challenge)
    answer = authenticator.get(options)
    response = await service.finish_challenge(user, challenge, factor(answer))
    assert response.signed_in.session.aal == 2
    assert response.signed_in.session.amr[0] == "pwd"
    assert {"user", "mfa"} < set(response.signed_in.session.amr)
    assert await service.is_live(user)
    other = (await service.sign_in(user)).challenge
    with refused("INVALID_SECOND_FACTOR"):
        await service.finish_challenge(user, other, factor(answer))
    await asked(service, other)
    with refused("INVALID_SECOND_FACTOR"):
        await service.finish_challenge(user, other, factor(answer))
    disabled = await service.two_factor.DisableTwoFactor(
        two_factor_pb2.DisableTwoFactorRequest(reauthentication=user.reauthentication, client=service.client),
        metadata=service.with_session(user),
    )
    assert disabled.session.aal == 1


async def test_a_lie_is_a_wrong_code(service: Service) -> None:
    """Another origin, another challenge, no verification: refused, counted, and closed after five."""
    authenticator = Authenticator(ORIGIN)
    user = await passkey_user(service, authenticator)
    challenge = (await service.sign_in(user)).challenge
    options = await asked(service, challenge)
    lies = (lying(origin="https://shop.example.evil.test"), lying(challenge="AAAA"))
    for lie in lies:
        with refused("INVALID_SECOND_FACTOR"):
            await service.finish_challenge(user, challenge, factor(authenticator.get(options, lie)))
    for junk in ("{}", "[]", "x", "{" * 5000):
        if junk == "x":
            challenge = (await service.sign_in(user)).challenge
            options = await asked(service, challenge)
        with refused("TOO_MANY_ATTEMPTS" if junk == "{" * 5000 else "INVALID_SECOND_FACTOR"):
            await service.finish_challenge(user, challenge, factor(junk))


async def test_signing_in_by_a_passkey_alone(service: Service) -> None:
    """Nobody types anything: the passkey says whose it is, and is two factors; an answer is good once."""
    authenticator = Authenticator(ORIGIN)
    user = await passkey_user(service, authenticator)
    sign_in = await begun(service)
    assert not json.loads(sign_in.request_options_json).get("allowCredentials")
    answer = authenticator.get(sign_in.request_options_json)
    with refused("TICKET_NOT_FOUND"):
        await answered(service, sign_in, answer, (await begun(service)).passkey_binding)
    response = await answered(service, sign_in, answer)
    session = response.signed_in.session
    assert session.account_id == user.account_id
    assert session.aal == 2
    assert "pwd" not in session.amr
    assert session.HasField("second_factor_time")
    assert response.signed_in.device_token
    user.take(response.signed_in)
    assert await service.is_live(user)
    with refused("TICKET_NOT_FOUND"):
        await answered(service, sign_in, answer)
    with refused("INVALID_CREDENTIALS"):
        await answered(service, await begun(service), answer)


async def test_a_passkey_of_nobody_is_a_wrong_one(service: Service) -> None:
    """What is unknown, removed or no answer at all gets one answer."""
    authenticator, stranger = Authenticator(ORIGIN), Authenticator(ORIGIN)
    user = await passkey_user(service, authenticator)
    other = await service.signed_in_user()
    await enrol(service, other, stranger)
    await service.two_factor.DisableTwoFactor(
        two_factor_pb2.DisableTwoFactorRequest(reauthentication=other.reauthentication, client=service.client),
        metadata=service.with_session(other),
    )
    sign_in = await begun(service)
    for answer in (stranger.get(sign_in.request_options_json), "{}"):
        with refused("INVALID_CREDENTIALS"):
            await answered(service, sign_in, answer)
    response = await answered(service, sign_in, authenticator.get(sign_in.request_options_json))
    assert response.signed_in.session.account_id == user.account_id


async def test_a_credential_is_enrolled_once(service: Service) -> None:
    """The same credential is nobody else's factor, and a wrong answer enrols nothing."""
    authenticator = Authenticator(ORIGIN)
    user = await passkey_user(service, authenticator)
    other = await service.signed_in_user()
    begun_twice = await service.two_factor.BeginEnrollment(
        two_factor_pb2.BeginEnrollmentRequest(passkey=two_factor_pb2.PasskeyEnrollment()),
        metadata=service.with_session(other),
    )
    with refused("INVALID_SECOND_FACTOR"):
        await finish(service, other, begun_twice.enrollment_token, "{}")
    assert user.account_id != other.account_id
    assert (
        await service.two_factor.GetTwoFactorStatus(
            two_factor_pb2.GetTwoFactorStatusRequest(), metadata=service.with_session(other)
        )
    ).enabled is False


async def test_a_realm_without_a_domain_has_no_passkeys(service: Service) -> None:
    """Neither enrolment nor sign-in is offered."""
    user = await service.signed_in_user()
    with refused("FACTOR_KIND_UNAVAILABLE"):
        await enrol(service, user, Authenticator(ORIGIN))
    with refused("FACTOR_KIND_UNAVAILABLE"):
        await begun(service)


async def test_a_network_begins_so_many_sign_ins_an_hour(service: Service) -> None:
    """More are refused until the hour is over, and RetryInfo tells when that is."""
    await service.app.pool.execute(
        """UPDATE realms SET settings = '{"passkey_rp_id": "shop.example", "passkey_begins_per_network_per_hour": 2}'"""
    )
    now = service.clock()
    service.clock.advance((now.replace(minute=50, second=0, microsecond=0) - now).total_seconds() % 3600 + 3600)
    for _ in range(2):
        await begun(service)
    with pytest.raises(AioRpcError) as raised:
        await begun(service)
    assert reason(raised.value) == "TOO_MANY_ATTEMPTS"
    assert 0 < retry_after(raised.value) <= 600
    service.clock.advance(600)
    await begun(service)
