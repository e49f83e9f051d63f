"""What the requests that succeed are made of."""

from __future__ import annotations

import itertools

from google.protobuf.message import Message

from tests.integration.quick import Builder, Prepared, Quick
from tests.service import User, seed_of
from twofold.v1 import sign_in_pb2, two_factor_pb2

# Far apart, so that no range of numbers uses up what a range may have.
_phones = itertools.count(100_000, 10_007)


def new_number() -> str:
    """A phone number that nobody has."""
    return f"+420777{next(_phones):06}"


def full_client(service: Quick, user: User | None = None, captcha: str = "nobody-asked") -> sign_in_pb2.ClientContext:
    """A ClientContext with every field."""
    client = sign_in_pb2.ClientContext(language_code="de", captcha=captcha)
    client.MergeFrom(service.client)
    if user is not None:
        client.device_token = user.device_token
    return client


async def challenged(service: Quick) -> tuple[User, sign_in_pb2.SecondFactorChallenge]:
    """A user in the middle of a sign-in."""
    user = await service.two_factor_user()
    tokens, session, device = user.tokens, user.session, user.device_token
    response = await service.sign_in(user)
    user.tokens, user.session, user.device_token = tokens, session, device
    return user, response.challenge


async def begun(service: Quick, user: User) -> two_factor_pb2.BeginEnrollmentResponse:
    """An enrolment to be finished; the user holds its seed."""
    found: two_factor_pb2.BeginEnrollmentResponse = await service.two_factor.BeginEnrollment(
        two_factor_pb2.BeginEnrollmentRequest(totp=two_factor_pb2.TotpEnrollment()), metadata=service.with_session(user)
    )
    user.seed = seed_of(found.totp.secret)
    return found


def in_session(request: type[Message], *, factors: bool = False, once: bool = False) -> Builder:
    """An empty request in the session of a new user."""

    async def build(service: Quick) -> Prepared:
        user = await (service.two_factor_user() if factors else service.signed_in_user())
        return Prepared(request(), service.with_session(user), once=once)

    return build


def for_anyone(request: Message) -> Builder:
    """A request without a session."""

    async def build(service: Quick) -> Prepared:
        return Prepared(request, service.metadata)

    return build
