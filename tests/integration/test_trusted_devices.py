"""Trusted devices: no second factor for a week after its proof, until a sign-out, a change or their owner ends it."""

from __future__ import annotations

import pytest

from tests.service import Service, User, refused
from twofold.v1 import account_pb2, session_pb2, sign_in_pb2, two_factor_pb2

_DAY = 86400


async def trusted(service: Service) -> User:
    """A user with an authenticator app who has asked for trust on the device that they hold."""
    user = await service.two_factor_user()
    service.clock.advance(30)
    response = await service.accounts.SignIn(
        account_pb2.SignInRequest(
            email=user.email,
            password=user.password,
            second_factor=service.code(user),
            client=service.client,
            trust_device=True,
        ),
        metadata=service.metadata,
    )
    user.take(response.signed_in)
    return user


async def asked(service: Service, user: User) -> bool:
    """Whether a sign-in on the user's device is asked for a second factor."""
    return (await service.sign_in(user, device=True)).HasField("challenge")


async def devices(service: Service, user: User) -> list[two_factor_pb2.Device]:
    """The devices that the user sees."""
    listed = await service.two_factor.ListDevices(
        two_factor_pb2.ListDevicesRequest(), metadata=service.with_session(user)
    )
    return list(listed.devices)


async def test_a_trusted_device_is_asked_for_nothing_for_a_week(service: Service) -> None:
    """Seven days from the factor's proof, however often it signs in; the session says that it proved a password."""
    user = await trusted(service)
    for _ in range(2):
        service.clock.advance(3 * _DAY)
        response = await service.sign_in(user, device=True)
        assert response.signed_in.session.aal == 1
        assert list(response.signed_in.session.amr) == ["pwd"]
        assert not response.signed_in.session.HasField("second_factor_time")
    service.clock.advance(_DAY)
    assert await asked(service, user)


async def test_trust_is_of_one_device(service: Service) -> None:
    """Elsewhere the second factor is owed, and what was proven there trusts nothing that did not ask."""
    user = await trusted(service)
    token = user.device_token
    assert (await service.sign_in(user)).HasField("challenge")
    service.clock.advance(30)
    await service.sign_in(user, second_factor=service.code(user))
    assert await asked(service, user)
    user.device_token = token
    assert not await asked(service, user)


async def test_trust_needs_a_second_factor_proven_in_that_call(service: Service) -> None:
    """Neither a password alone, nor a challenge that is still owed, nor trust itself makes or prolongs trust."""
    user = await trusted(service)
    service.clock.advance(6 * _DAY)
    request = account_pb2.SignInRequest(
        email=user.email, password=user.password, client=service.client, trust_device=True
    )
    request.client.device_token = user.device_token
    user.take((await service.accounts.SignIn(request, metadata=service.metadata)).signed_in)
    service.clock.advance(_DAY + 1)
    assert await asked(service, user)
    challenge = (await service.sign_in(user, device=True)).challenge
    finished = await service.two_factor.FinishChallenge(
        two_factor_pb2.FinishChallengeRequest(
            challenge_token=challenge.challenge_token,
            challenge_binding=challenge.challenge_binding,
            second_factor=service.code(user),
            client=service.client,
            trust_device=True,
        ),
        metadata=service.metadata,
    )
    user.take(finished.signed_in)
    assert not await asked(service, user)


@pytest.mark.parametrize("end", ["sign_out", "password", "revoked", "disabled", "removed"])
async def test_what_ends_trust(service: Service, end: str) -> None:
    """A sign-out on it, a changed password, its owner's word, two-factor turned off, and a factor that is removed."""
    user = await trusted(service)
    service.clock.advance(30)
    match end:
        case "sign_out":
            await service.sessions.SignOut(
                session_pb2.SignOutRequest(refresh_token=user.tokens.refresh_token), metadata=service.metadata
            )
        case "password":
            await service.accounts.ChangePassword(
                account_pb2.ChangePasswordRequest(
                    reauthentication=user.reauthentication, new_password="another horse 17", client=service.client
                ),
                metadata=service.with_session(user),
            )
            user.password = "another horse 17"
        case "revoked":
            (device,) = [d for d in await devices(service, user) if d.current]
            for _ in range(2):
                await service.two_factor.RevokeDevice(
                    two_factor_pb2.RevokeDeviceRequest(device_id=device.device_id), metadata=service.with_session(user)
                )
        case "disabled":
            disabled = await service.two_factor.DisableTwoFactor(
                two_factor_pb2.DisableTwoFactorRequest(
                    reauthentication=user.reauthentication, second_factor=service.code(user), client=service.client
                ),
                metadata=service.with_session(user),
            )
            user.tokens = disabled.tokens
            await service.enrol(user)
        case "removed":
            factor = (await service.enrol(user)).factor
            await service.two_factor.RemoveFactor(
                two_factor_pb2.RemoveFactorRequest(factor_id=factor.factor_id), metadata=service.with_session(user)
            )
    service.clock.advance(30)
    assert await asked(service, user)


async def test_devices_are_listed_and_ended_by_their_owner(service: Service) -> None:
    """Each with its trust, its last address and browser; nobody ends another's."""
    user, stranger = await trusted(service), await service.signed_in_user()
    first = (await devices(service, user))[0]
    assert first.current
    assert first.HasField("trust_expire_time")
    assert first.ip_address == service.client.ip_address
    assert first.user_agent == service.client.user_agent
    with refused("DEVICE_NOT_FOUND", "device_id"):
        await service.two_factor.RevokeDevice(
            two_factor_pb2.RevokeDeviceRequest(device_id=first.device_id), metadata=service.with_session(stranger)
        )
    assert not await asked(service, user)
    await service.two_factor.RevokeDevice(
        two_factor_pb2.RevokeDeviceRequest(device_id=first.device_id), metadata=service.with_session(user)
    )
    assert first.device_id not in {d.device_id for d in await devices(service, user)}


async def test_a_stolen_device_token_ends_the_device(service: Service) -> None:
    """A token of a generation that is over trusts nothing, ends the device, and its owner is told."""
    user = await trusted(service)
    stolen = user.device_token
    for _ in range(2):
        await service.sign_in(user, device=True)
    context = sign_in_pb2.ClientContext()
    context.CopyFrom(service.client)
    context.device_token = stolen
    assert (await service.sign_in(user, client=context)).HasField("challenge")
    assert await asked(service, user)
    assert any("device" in str(mail["Subject"]).lower() for mail in await service.mails(user.email))


async def test_a_realm_that_trusts_no_device(service: Service) -> None:
    """With `device_trust_lifetime` 0 the wish is ignored, and trust of before waives nothing any more."""
    user = await trusted(service)
    await service.app.pool.execute("""UPDATE realms SET settings = '{"device_trust_lifetime": 0}'""")
    service.clock.advance(61)
    assert await asked(service, user)
