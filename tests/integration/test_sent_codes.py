"""Codes by e-mail and SMS as second factors: enrolled, sent, answered once, and worth no more than they are."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from tests.integration.budgets import outcome
from tests.service import Service, User, refused
from twofold.v1 import sign_in_pb2, two_factor_pb2

MAILBOX = "second@example.net"
NUMBER = "+420777123456"


@dataclass(frozen=True, slots=True)
class Way:
    """A kind of factor whose codes are sent."""

    kind: str
    destination: str
    masked: str

    def enrollment(self) -> two_factor_pb2.BeginEnrollmentRequest:
        if self.kind == "sms":
            return two_factor_pb2.BeginEnrollmentRequest(
                sms=two_factor_pb2.SmsEnrollment(phone_number=self.destination)
            )
        return two_factor_pb2.BeginEnrollmentRequest(email=two_factor_pb2.EmailEnrollment(email=self.destination))

    def challenge(self, challenge: sign_in_pb2.SecondFactorChallenge) -> two_factor_pb2.StartChallengeRequest:
        return two_factor_pb2.StartChallengeRequest(
            challenge_token=challenge.challenge_token,
            challenge_binding=challenge.challenge_binding,
            email=two_factor_pb2.EmailChallenge() if self.kind == "email" else None,
            sms=two_factor_pb2.SmsChallenge() if self.kind == "sms" else None,
        )

    def factor(self, code: str) -> sign_in_pb2.SecondFactor:
        if self.kind == "sms":
            return sign_in_pb2.SecondFactor(sms_code=code)
        return sign_in_pb2.SecondFactor(email_code=code)

    async def code(self, service: Service) -> str:
        """The code that was sent last."""
        await service.mails()
        if self.kind == "sms":
            texts = [path.read_text() for path in sorted(service.sent.glob("*.sms"))]
            text = [text for text in texts if self.destination in text][-1]
        else:
            body = (await service.mails(self.destination))[-1].get_body(("plain",))
            assert body is not None
            text = str(body.get_content())
        return str(re.findall(r"(?<![0-9+])[0-9]{6}(?![0-9])", text)[-1])


WAYS = [Way("email", MAILBOX, "se**@ex***.n**"), Way("sms", NUMBER, "+420*****56")]
each_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.kind)


async def enrol(service: Service, user: User, way: Way) -> two_factor_pb2.FinishEnrollmentResponse:
    """Enrol a destination with the code that went there."""
    begun = await service.two_factor.BeginEnrollment(way.enrollment(), metadata=service.with_session(user))
    assert getattr(begun, way.kind).destination == way.masked
    finished = await finish(service, user, way, begun.enrollment_token, await way.code(service))
    user.backup_codes = list(finished.backup_codes.codes) or user.backup_codes
    user.take(finished.signed_in)
    return finished


async def finish(
    service: Service, user: User, way: Way, token: str, code: str
) -> two_factor_pb2.FinishEnrollmentResponse:
    """Finish an enrolment."""
    return await service.two_factor.FinishEnrollment(
        two_factor_pb2.FinishEnrollmentRequest(
            enrollment_token=token,
            reauthentication=user.reauthentication,
            client=service.client,
            email_code=code if way.kind == "email" else None,
            sms_code=code if way.kind == "sms" else None,
        ),
        metadata=service.with_session(user),
    )


async def enrolled(service: Service, way: Way) -> User:
    """A user whose only factor is of that kind."""
    user = await service.signed_in_user()
    await enrol(service, user, way)
    service.clock.advance(61)
    return user


async def started(service: Service, user: User, way: Way) -> tuple[sign_in_pb2.SecondFactorChallenge, str]:
    """A challenge, and the code that was sent for it."""
    challenge = (await service.sign_in(user)).challenge
    await service.two_factor.StartChallenge(way.challenge(challenge), metadata=service.metadata)
    return challenge, await way.code(service)


def wrong(code: str) -> str:
    """Another code."""
    return f"{(int(code) + 1) % 10**6:06}"


@each_way
async def test_the_story_of_a_sent_code(service: Service, way: Way) -> None:
    """Enrolled by the code that went there, with backup codes; asked for at sign-in; listed; turned off."""
    user = await service.signed_in_user()
    finished = await enrol(service, user, way)
    assert len(finished.backup_codes.codes) == 10
    assert finished.factor.kind == getattr(sign_in_pb2, f"FACTOR_KIND_{way.kind.upper()}")
    service.clock.advance(61)

    challenge = (await service.sign_in(user)).challenge
    assert list(challenge.kinds) == [finished.factor.kind, sign_in_pb2.FACTOR_KIND_BACKUP_CODE]
    begun = await service.two_factor.StartChallenge(way.challenge(challenge), metadata=service.metadata)
    assert begun.destination == way.masked
    assert begun.delivery.state == sign_in_pb2.DELIVERY_STATE_WAITING
    assert (begun.code_expire_time.ToSeconds() - int(service.clock().timestamp())) == 300
    code = await way.code(service)
    answer = await service.finish_challenge(user, challenge, way.factor(f"{code[:3]} {code[3:]}"))
    session = answer.signed_in.session
    assert session.aal == (2 if way.kind == "sms" else 1)
    assert {"pwd", "otp"} <= set(session.amr)
    assert ("mfa" in session.amr) == (way.kind == "sms")
    assert await service.is_live(user)
    factors = await service.two_factor.ListFactors(
        two_factor_pb2.ListFactorsRequest(), metadata=service.with_session(user)
    )
    assert factors.factors[0].last_use_time.ToSeconds() == int(service.clock().timestamp())

    disabled = await service.two_factor.DisableTwoFactor(
        two_factor_pb2.DisableTwoFactorRequest(reauthentication=user.reauthentication, client=service.client),
        metadata=service.with_session(user),
    )
    assert disabled.session.aal == 1
    assert (await service.sign_in(user)).HasField("signed_in")


@each_way
async def test_a_code_works_once_and_for_its_challenge_alone(service: Service, way: Way) -> None:
    """Neither twice, nor for another challenge, nor before one was started, nor in SignIn, nor after five minutes."""
    user = await enrolled(service, way)
    first, code = await started(service, user, way)
    second = (await service.sign_in(user)).challenge
    with refused("INVALID_SECOND_FACTOR"):
        await service.finish_challenge(user, second, way.factor(code))
    await service.finish_challenge(user, first, way.factor(code))
    with refused("INVALID_SECOND_FACTOR"):
        await service.finish_challenge(user, second, way.factor(code))
    with refused("INVALID_FIELDS", f"second_factor.{way.kind}_code"):
        await service.sign_in(user, second_factor=way.factor(code))
    service.clock.advance(61)
    late, code = await started(service, user, way)
    service.clock.advance(301)
    with refused("INVALID_SECOND_FACTOR"):
        await service.finish_challenge(user, late, way.factor(code))


@each_way
async def test_a_lost_answer_is_given_again(service: Service, way: Way) -> None:
    """The same challenge and code within 10 s get the same session."""
    user = await enrolled(service, way)
    challenge, code = await started(service, user, way)
    one = await service.finish_challenge(user, challenge, way.factor(code))
    service.clock.advance(9)
    again = await service.finish_challenge(user, challenge, way.factor(code))
    assert again.signed_in.session.session_id == one.signed_in.session.session_id
    service.clock.advance(2)
    with refused("TICKET_NOT_FOUND"):
        await service.finish_challenge(user, challenge, way.factor(code))


@each_way
async def test_asking_again_waits_and_buys_no_guesses(service: Service, way: Way) -> None:
    """Within a minute nothing is sent and the last message is told of; a new code ends the old; five wrong end all."""
    user = await enrolled(service, way)
    challenge, first = await started(service, user, way)
    service.clock.advance(30)
    early = await service.two_factor.StartChallenge(way.challenge(challenge), metadata=service.metadata)
    assert early.delivery.state == sign_in_pb2.DELIVERY_STATE_SENT
    assert early.delivery.resend_time.ToSeconds() == int(service.clock().timestamp()) + 30
    assert await way.code(service) == first
    for _ in range(2):
        with refused("INVALID_SECOND_FACTOR"):
            await service.finish_challenge(user, challenge, way.factor(wrong(first)))
    service.clock.advance(31)
    await service.two_factor.StartChallenge(way.challenge(challenge), metadata=service.metadata)
    second = await way.code(service)
    if second != first:
        with refused("INVALID_SECOND_FACTOR"):
            await service.finish_challenge(user, challenge, way.factor(first))
    for _ in range(2):
        with refused("INVALID_SECOND_FACTOR"):
            await service.finish_challenge(user, challenge, way.factor(wrong(second)))
    with refused("TICKET_NOT_FOUND"):
        await service.finish_challenge(user, challenge, way.factor(second))


@each_way
async def test_wrong_codes_count_for_the_kind_whatever_the_challenge(service: Service, way: Way) -> None:
    """Guesses spread over challenges meet one count: after five the right code is refused too."""
    user = await enrolled(service, way)
    outcomes = []
    for _ in range(5):
        challenge, code = await started(service, user, way)
        outcomes.append(await outcome(service.finish_challenge(user, challenge, way.factor(wrong(code)))))
        service.clock.advance(1)
    assert outcomes == ["INVALID_SECOND_FACTOR"] * 5
    challenge, code = await started(service, user, way)
    assert await outcome(service.finish_challenge(user, challenge, way.factor(code))) == "TOO_MANY_ATTEMPTS"


@each_way
async def test_an_enrolment_takes_the_code_of_its_own_destination(service: Service, way: Way) -> None:
    """A wrong or used code enrols nothing; a second enrolment waits for its message."""
    user = await service.signed_in_user()
    begun = await service.two_factor.BeginEnrollment(way.enrollment(), metadata=service.with_session(user))
    code = await way.code(service)
    with refused("RESEND_TOO_SOON"):
        other = Way(way.kind, "third@example.net" if way.kind == "email" else "+420777123457", "")
        await service.two_factor.BeginEnrollment(other.enrollment(), metadata=service.with_session(user))
    with refused("INVALID_SECOND_FACTOR"):
        await finish(service, user, way, begun.enrollment_token, wrong(code))
    user.take((await finish(service, user, way, begun.enrollment_token, code)).signed_in)
    with refused("TICKET_NOT_FOUND"):
        await finish(service, user, way, begun.enrollment_token, code)


@each_way
async def test_a_weaker_factor_does_not_take_a_stronger_one_away(service: Service, way: Way) -> None:
    """Signed in by a sent code, the user may not touch the factors of an account with an app (downgrade)."""
    user = await service.two_factor_user()
    await enrol(service, user, way)
    service.clock.advance(61)
    challenge, code = await started(service, user, way)
    await service.finish_challenge(user, challenge, way.factor(code))
    factors = await service.two_factor.ListFactors(
        two_factor_pb2.ListFactorsRequest(), metadata=service.with_session(user)
    )
    app = next(f for f in factors.factors if f.kind == sign_in_pb2.FACTOR_KIND_TOTP)
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: service.two_factor.RemoveFactor(
            two_factor_pb2.RemoveFactorRequest(factor_id=app.factor_id), metadata=service.with_session(user)
        ),
        lambda: service.two_factor.GenerateBackupCodes(
            two_factor_pb2.GenerateBackupCodesRequest(), metadata=service.with_session(user)
        ),
        lambda: service.two_factor.BeginEnrollment(
            two_factor_pb2.BeginEnrollmentRequest(totp=two_factor_pb2.TotpEnrollment()),
            metadata=service.with_session(user),
        ),
    ]
    for call in calls:
        with refused("RECENT_TWO_FACTOR_REQUIRED"):
            await call()
    with refused("SECOND_FACTOR_REQUIRED"):
        await service.two_factor.DisableTwoFactor(
            two_factor_pb2.DisableTwoFactorRequest(reauthentication=user.reauthentication, client=service.client),
            metadata=service.with_session(user),
        )
