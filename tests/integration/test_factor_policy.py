"""What a realm allows and advises of second factors: the kinds, whether two-factor may be turned off, how many."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from tests.authenticator import Authenticator
from tests.integration import test_passkeys as passkeys
from tests.integration.budgets import disable, finish_enrollment, outcome
from tests.integration.phones import finish_pairing, gateway, pair
from tests.integration.test_sent_codes import WAYS, enrol, enrolled, finish, started
from tests.service import Service, User, refused
from twofold import Approver
from twofold.v1 import sign_in_pb2, two_factor_pb2
from twofold_server.domain.factors import NAME
from twofold_server.domain.realm_settings import FACTOR_KINDS, RealmSettings
from twofold_server.domain.setting_forms import SettingRefused

EMAIL, SMS = WAYS
ORIGIN = "https://shop.example"
BEGINNINGS = {
    "totp": two_factor_pb2.BeginEnrollmentRequest(totp=two_factor_pb2.TotpEnrollment()),
    "email": EMAIL.enrollment(),
    "sms": SMS.enrollment(),
    "passkey": two_factor_pb2.BeginEnrollmentRequest(passkey=two_factor_pb2.PasskeyEnrollment()),
    "push": two_factor_pb2.BeginEnrollmentRequest(push=two_factor_pb2.PushEnrollment()),
}


async def set_realm(service: Service, **settings: Any) -> None:
    """Let the server see these settings, and no others."""
    await service.app.pool.execute("UPDATE realms SET settings = $1", settings)
    service.clock.advance(6)


async def begin(service: Service, user: User, kind: str) -> two_factor_pb2.BeginEnrollmentResponse:
    """Begin to enrol a factor of a kind."""
    return await service.two_factor.BeginEnrollment(BEGINNINGS[kind], metadata=service.with_session(user))


async def status(service: Service, user: User) -> two_factor_pb2.GetTwoFactorStatusResponse:
    """How two-factor stands."""
    return await service.two_factor.GetTwoFactorStatus(
        two_factor_pb2.GetTwoFactorStatusRequest(), metadata=service.with_session(user)
    )


async def factors(service: Service, user: User) -> list[two_factor_pb2.Factor]:
    """The account's factors."""
    found = await service.two_factor.ListFactors(
        two_factor_pb2.ListFactorsRequest(), metadata=service.with_session(user)
    )
    return list(found.factors)


async def rename(service: Service, user: User, factor_id: str, name: str) -> str:
    """Call a factor something; what it is called then."""
    changed = await service.two_factor.UpdateFactor(
        two_factor_pb2.UpdateFactorRequest(
            factor=two_factor_pb2.Factor(factor_id=factor_id, name=name), update_mask=FieldMask(paths=["name"])
        ),
        metadata=service.with_session(user),
    )
    return changed.factor.name


def test_kinds_of_the_setting_are_those_that_can_be_enrolled() -> None:
    """No kind can be enrolled that a realm can't leave out."""
    assert set(FACTOR_KINDS) == set(NAME)
    assert RealmSettings().factor_kinds == FACTOR_KINDS
    # Codes by e-mail prove no possession of a device (NIST SP 800-63B-4, 3.1.3.1).
    nist = RealmSettings.of({"preset": "nist"})
    assert set(FACTOR_KINDS) - set(nist.factor_kinds) == {"email"}
    assert RealmSettings.of({"preset": "nist", "factor_kinds": ["email"]}).factor_kinds == ("email",)


@pytest.mark.parametrize(
    "stored",
    [
        {"factor_kinds": ["sms"]},
        {"factor_kinds": ["sms"], "passkey_rp_id": "shop.example"},
        # What nobody can enrol is no choice beside it, nor alone.
        {"factor_kinds": ["sms", "passkey"]},
        {"factor_kinds": ["passkey"]},
        {"factor_kinds": []},
        {"factor_kinds": ["totp", "totp"]},
        {"factor_kinds": ["backup_code"]},
        {"factor_kinds": ["totp", "TOTP"]},
        {"factor_kinds": "totp"},
        {"factor_kinds": [1]},
        {"second_factor_keep": 1},
        {"factors_advised": 11},
        {"factors_advised": -1},
        {"factors_advised": True},
    ],
    ids=str,
)
def test_a_restricted_kind_is_never_the_only_choice(stored: dict[str, Any]) -> None:
    """SMS alone, no kind, an unknown kind, and other values that make no sense are refused by name."""
    with pytest.raises(SettingRefused, match=next(iter(stored))):
        RealmSettings.of(stored)
    assert RealmSettings.of({"factor_kinds": ["sms", "passkey"], "passkey_rp_id": "shop.example"})


@pytest.mark.parametrize("kind", FACTOR_KINDS)
async def test_a_kind_that_is_left_out_is_not_begun(service: Service, kind: str) -> None:
    """Every kind but one can be left out; nothing is sent for it, and the others can be begun."""
    others = [other for other in FACTOR_KINDS if other != kind]
    await set_realm(service, factor_kinds=others, passkey_rp_id="shop.example")
    user = await service.signed_in_user()
    before = await service.app.pool.fetchval("SELECT count(*) FROM outbox")
    with refused("FACTOR_KIND_UNAVAILABLE"):
        await begin(service, user, kind)
    assert await service.app.pool.fetchval("SELECT count(*) FROM outbox") == before
    assert await service.app.pool.fetchval("SELECT count(*) FROM tickets WHERE purpose = 'enrollment'") == 0
    for other in others:
        if other not in ("email", "sms"):
            assert (await begin(service, user, other)).WhichOneof("material") == other


async def test_a_kind_that_was_left_out_meanwhile_is_not_finished(service: Service) -> None:
    """An enrolment of each kind, begun before the realm changed: refused, and good again with the kind."""
    authenticator = Authenticator(ORIGIN)
    await set_realm(service, passkey_rp_id="shop.example")
    users = {kind: await service.signed_in_user() for kind in FACTOR_KINDS}
    begun = {kind: await begin(service, user, kind) for kind, user in users.items()}
    credential = authenticator.create(begun["passkey"].passkey.creation_options_json)
    codes = {way.kind: await way.code(service) for way in WAYS}

    async def finishes(kind: str) -> str:
        user, token = users[kind], begun[kind].enrollment_token
        match kind:
            case "totp":
                return await outcome(finish_enrollment(service, user, begun[kind]))
            case "passkey":
                return await outcome(passkeys.finish(service, user, token, credential))
            case "push":
                return await outcome(finish_pairing(service, user, begun[kind]))
        return await outcome(finish(service, user, SMS if kind == "sms" else EMAIL, token, codes[kind]))

    async with gateway(service) as client:
        await Approver.pair(client, begun["push"].push.pairing_code, clock=lambda: service.clock().timestamp())
    for kind in FACTOR_KINDS:
        others = [other for other in FACTOR_KINDS if other != kind]
        await set_realm(service, passkey_rp_id="shop.example", factor_kinds=others)
        assert await finishes(kind) == "FACTOR_KIND_UNAVAILABLE"
        assert await factors(service, users[kind]) == []
    await set_realm(service, passkey_rp_id="shop.example")
    for kind in FACTOR_KINDS:
        assert await finishes(kind) == "signed_in", kind
        assert [factor.kind for factor in await factors(service, users[kind])] == list(
            (await status(service, users[kind])).kinds
        )


async def test_what_was_enrolled_before_goes_on_working(service: Service) -> None:
    """A factor of a kind that is left out now still answers challenges, and stands in the status."""
    user = await enrolled(service, EMAIL)
    await set_realm(service, factor_kinds=["totp"])
    challenge, code = await started(service, user, EMAIL)
    assert sign_in_pb2.FACTOR_KIND_EMAIL in challenge.kinds
    await service.finish_challenge(user, challenge, EMAIL.factor(code))
    found = await status(service, user)
    assert list(found.kinds) == [sign_in_pb2.FACTOR_KIND_EMAIL]
    assert [offered.kind for offered in found.offered_kinds] == [sign_in_pb2.FACTOR_KIND_TOTP]


async def test_the_status_tells_what_may_be_enrolled(service: Service) -> None:
    """In the operator's order, passkeys with a domain alone, SMS marked as restricted."""
    user = await service.signed_in_user()
    found = await status(service, user)
    assert [sign_in_pb2.FactorKind.Name(offered.kind) for offered in found.offered_kinds] == [
        "FACTOR_KIND_TOTP",
        "FACTOR_KIND_EMAIL",
        "FACTOR_KIND_SMS",
        "FACTOR_KIND_PUSH",
    ]
    assert [offered.restricted for offered in found.offered_kinds] == [False, False, True, False]
    await set_realm(service, factor_kinds=["passkey", "totp"], passkey_rp_id="shop.example")
    assert [(offered.kind, offered.restricted) for offered in (await status(service, user)).offered_kinds] == [
        (sign_in_pb2.FACTOR_KIND_PASSKEY, False),
        (sign_in_pb2.FACTOR_KIND_TOTP, False),
    ]


async def test_an_enrolment_by_sms_says_that_it_is_restricted(service: Service) -> None:
    """So that the front end can tell the user."""
    user = await service.signed_in_user()
    assert (await begin(service, user, "sms")).sms.restricted


async def test_a_second_factor_is_advised_to_have_another(service: Service) -> None:
    """Two by default; none where the realm gives no advice. Backup codes are no factor."""
    user = await service.signed_in_user()
    found = await status(service, user)
    assert (found.factors_advised, found.more_factors_advised) == (2, True)
    await service.enrol(user)
    found = await status(service, user)
    assert (found.backup_codes_remaining, found.more_factors_advised) == (10, True)
    await enrol(service, user, EMAIL)
    assert not (await status(service, user)).more_factors_advised
    await set_realm(service, factors_advised=3)
    assert (await status(service, user)).more_factors_advised
    await set_realm(service, factors_advised=0)
    other = await service.signed_in_user()
    found = await status(service, other)
    assert (found.factors_advised, found.more_factors_advised) == (0, False)


async def test_a_realm_may_keep_second_factors(service: Service) -> None:
    """Nobody goes back to none: neither by DisableTwoFactor nor factor by factor. Replacing one goes on."""
    user = await service.two_factor_user()
    assert (await status(service, user)).can_disable
    await set_realm(service, second_factor_keep=True)
    assert not (await status(service, user)).can_disable
    service.clock.advance(30)
    with refused("SECOND_FACTOR_KEPT"):
        await disable(service, user, service.code(user))
    first = (await factors(service, user))[0].factor_id
    remove = two_factor_pb2.RemoveFactorRequest(factor_id=first)
    with refused("LAST_FACTOR"):
        await service.two_factor.RemoveFactor(remove, metadata=service.with_session(user))
    await enrol(service, user, EMAIL)
    await service.two_factor.RemoveFactor(remove, metadata=service.with_session(user))
    assert list((await status(service, user)).kinds) == [sign_in_pb2.FACTOR_KIND_EMAIL]


async def test_what_is_kept_takes_no_guesses(service: Service) -> None:
    """A refused DisableTwoFactor counts nothing, spends no code, and says nothing about the password."""
    user = await service.two_factor_user()
    await set_realm(service, second_factor_keep=True)
    service.clock.advance(30)
    wrong = User(user.email, "not the password", tokens=user.tokens)
    for _ in range(6):
        with refused("SECOND_FACTOR_KEPT"):
            await disable(service, wrong, service.code(user))
    await set_realm(service)
    await disable(service, user, service.code(user))
    assert not (await status(service, user)).enabled


async def test_nothing_enrolled_is_nothing_to_keep(service: Service) -> None:
    """It is TWO_FACTOR_NOT_ENROLLED, with the setting and without, and the status offers no turning off."""
    user = await service.signed_in_user()
    assert not (await status(service, user)).can_disable
    for keep in (True, False):
        await set_realm(service, second_factor_keep=keep)
        with refused("TWO_FACTOR_NOT_ENROLLED"):
            await disable(service, user, sign_in_pb2.SecondFactor(totp_code="123456"))


async def test_an_empty_name_is_the_kinds_own(service: Service) -> None:
    """A renamed factor of each kind gets its kind's name back; one that is not there is not found."""
    await set_realm(service, passkey_rp_id="shop.example")
    user = await service.two_factor_user()
    for way in WAYS:
        await enrol(service, user, way)
    await passkeys.enrol(service, user, Authenticator(ORIGIN))
    async with gateway(service) as client:
        await pair(service, client, user, name="Pocket")
    named = {}
    for factor in await factors(service, user):
        assert await rename(service, user, factor.factor_id, "Mine") == "Mine"
        named[factor.kind] = await rename(service, user, factor.factor_id, "")
    assert named == {
        sign_in_pb2.FACTOR_KIND_TOTP: NAME["totp"],
        sign_in_pb2.FACTOR_KIND_EMAIL: NAME["email"],
        sign_in_pb2.FACTOR_KIND_SMS: NAME["sms"],
        sign_in_pb2.FACTOR_KIND_PASSKEY: NAME["passkey"],
        sign_in_pb2.FACTOR_KIND_PUSH: NAME["push"],
    }
    stranger = await service.signed_in_user()
    with refused("FACTOR_NOT_FOUND", "factor.factor_id"):
        await rename(service, stranger, (await factors(service, user))[0].factor_id, "")
