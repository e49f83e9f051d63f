"""Attacks on the further kinds of second factor, and on what their proofs are taken for."""

from __future__ import annotations

from tests.authenticator import Authenticator
from tests.integration.budgets import outcome, step_up
from tests.integration.phones import PUSH, gateway, pair
from tests.integration.test_passkeys import ORIGIN, answered, begun, passkey_user
from tests.integration.test_sent_codes import WAYS, Way, each_way, enrol, enrolled, started
from tests.service import Service, User, refused
from twofold.v1 import session_pb2, sign_in_pb2, two_factor_pb2

MAIL, SMS = WAYS


async def step_up_by_mail(service: Service, user: User) -> sign_in_pb2.Session:
    """Renew the session's second factor with a code by e-mail; the session after it."""
    challenge = (await step_up(service, user)).challenge
    await service.two_factor.StartChallenge(MAIL.challenge(challenge), metadata=service.metadata)
    code = MAIL.factor(await MAIL.code(service))
    return (await service.finish_challenge(user, challenge, code, user.tokens.refresh_token)).signed_in.session


async def refresh(service: Service, user: User) -> sign_in_pb2.Session:
    """Refresh the user's session."""
    response = await service.sessions.RefreshSession(
        session_pb2.RefreshSessionRequest(refresh_token=user.tokens.refresh_token), metadata=service.metadata
    )
    user.tokens = response.tokens
    return response.session


async def test_a_mailbox_does_not_prolong_what_an_app_proved(service: Service) -> None:
    """AAL2 lasts so long from the app's proof; a code by e-mail, every hour, makes it last no longer."""
    await service.app.services.realms.set("default", {"aal2_lifetime": "9000"})
    user = await service.two_factor_user()
    await enrol(service, user, MAIL)
    service.clock.advance(61)
    session = await step_up_by_mail(service, user)
    assert session.aal == 2
    for _ in range(3):
        service.clock.advance(3000)
        await refresh(service, user)
        session = await step_up_by_mail(service, user)
    assert session.aal < 2
    assert "mfa" not in session.amr


async def test_a_session_of_a_passkey_alone_never_claims_a_password(service: Service) -> None:
    """Nobody has typed one: not at the sign-in, and not when AAL2 ends."""
    authenticator = Authenticator(ORIGIN)
    await passkey_user(service, authenticator)
    asked = await begun(service)
    user = User("")
    user.take((await answered(service, asked, authenticator.get(asked.request_options_json))).signed_in)
    assert "pwd" not in user.session.amr
    service.clock.advance(3601)
    session = await refresh(service, user)
    assert session.aal == 1
    assert not {"pwd", "mfa"} & set(session.amr)


@each_way
async def test_strangers_silence_no_sign_in_code(service: Service, way: Way) -> None:
    """Whoever enrols another's mailbox or number uses up what codes of that kind have, and no more."""
    owner = await enrolled(service, way)
    await service.app.services.realms.set(
        "default",
        {"mails_per_address_per_hour": "2", "sms_per_number_per_hour": "2", "sms_per_prefix_per_day": "2"},
    )
    service.clock.advance(61)
    for _ in range(3):
        stranger = await service.signed_in_user()
        await service.two_factor.BeginEnrollment(way.enrollment(), metadata=service.with_session(stranger))
        await service.mails()
    challenge, code = await started(service, owner, way)
    assert await outcome(service.finish_challenge(owner, challenge, way.factor(code))) == "signed_in"


async def test_who_knows_the_password_uses_up_no_sms_codes_of_the_owners_device(service: Service) -> None:
    """What unknown devices may ask for in an hour and a day is one count, what known ones may is another."""
    owner = await enrolled(service, SMS)
    thief = User(owner.email, owner.password)
    states = []
    for _ in range(7):
        challenge = (await service.sign_in(thief)).challenge
        asked = await service.two_factor.StartChallenge(SMS.challenge(challenge), metadata=service.metadata)
        states.append((asked.delivery.state, asked.delivery.reason))
    used_up = (sign_in_pb2.DELIVERY_STATE_REFUSED, sign_in_pb2.DELIVERY_REASON_OVER_BUDGET)
    assert (states.count(used_up), states[-1]) == (2, used_up)
    challenge = (await service.sign_in(owner, device=True)).challenge
    asked = await service.two_factor.StartChallenge(SMS.challenge(challenge), metadata=service.metadata)
    assert asked.delivery.state == sign_in_pb2.DELIVERY_STATE_WAITING
    code = SMS.factor(await SMS.code(service))
    assert await outcome(service.finish_challenge(owner, challenge, code)) == "signed_in"


@each_way
async def test_nothing_is_sent_for_a_session_that_was_ended(service: Service, way: Way) -> None:
    """Whoever held it opened a step-up before; its owner's sign-out ends that too."""
    user = await enrolled(service, way)
    challenge = (await step_up(service, user)).challenge
    await service.sessions.SignOut(
        session_pb2.SignOutRequest(refresh_token=user.tokens.refresh_token), metadata=service.metadata
    )
    with refused("TICKET_NOT_FOUND"):
        await service.two_factor.StartChallenge(way.challenge(challenge), metadata=service.metadata)


async def test_no_phone_is_asked_for_a_session_that_was_ended(service: Service) -> None:
    """Nor may whoever held it go on asking phones."""
    user = await service.signed_in_user()
    async with gateway(service) as client:
        await pair(service, client, user)
    challenge = (await step_up(service, user)).challenge
    await service.sessions.SignOut(
        session_pb2.SignOutRequest(refresh_token=user.tokens.refresh_token), metadata=service.metadata
    )
    with refused("TICKET_NOT_FOUND"):
        await service.two_factor.StartChallenge(
            two_factor_pb2.StartChallengeRequest(
                challenge_token=challenge.challenge_token, challenge_binding=challenge.challenge_binding, push=PUSH
            ),
            metadata=service.metadata,
        )


async def test_a_wrong_binding_tells_of_no_passkey(service: Service) -> None:
    """An answer without the binding is refused alike whether or not its passkey is enrolled: it is not counted."""
    enrolled_one, nobodys = Authenticator(ORIGIN), Authenticator(ORIGIN)
    user = await passkey_user(service, enrolled_one)
    unfinished = await service.two_factor.BeginEnrollment(
        two_factor_pb2.BeginEnrollmentRequest(passkey=two_factor_pb2.PasskeyEnrollment()),
        metadata=service.with_session(user),
    )
    nobodys.create(unfinished.passkey.creation_options_json)
    told = []
    for authenticator in (enrolled_one, nobodys):
        asked = await begun(service)
        answer = authenticator.get(asked.request_options_json)
        told.append(await outcome(answered(service, asked, answer, (await begun(service)).passkey_binding)))
    assert told == ["TICKET_NOT_FOUND"] * 2
