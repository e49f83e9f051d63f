"""The story of each kind of second factor, and of an account that has them all, by generated stubs alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from tests.authenticator import Authenticator
from tests.integration import test_passkeys as passkeys
from tests.integration import test_sent_codes as sent_codes
from tests.integration.budgets import finish_step_up, outcome, step_up
from tests.integration.phones import ask, gateway, pair, shown
from tests.service import Service, User, refused
from twofold import Approver, Client
from twofold.v1 import sign_in_pb2, two_factor_pb2

MAIL, SMS = sent_codes.WAYS
KINDS = {
    "totp": sign_in_pb2.FACTOR_KIND_TOTP,
    "email": sign_in_pb2.FACTOR_KIND_EMAIL,
    "sms": sign_in_pb2.FACTOR_KIND_SMS,
    "passkey": sign_in_pb2.FACTOR_KIND_PASSKEY,
    "push": sign_in_pb2.FACTOR_KIND_PUSH,
}
BACKUP = sign_in_pb2.FACTOR_KIND_BACKUP_CODE
# What each proves beside the password: the table of docs/factors.md.
PROVES = {
    "totp": (2, {"otp", "mfa"}),
    "email": (1, {"otp", "email"}),
    "sms": (2, {"sms", "otp", "mfa"}),
    "passkey": (2, {"hwk", "user", "mfa"}),
    "push": (2, {"mfa", "pop"}),
    "backup_code": (2, {"otp", "mfa", "backup"}),
}


@dataclass
class Owner:
    """A user and all that they hold: mailbox, number, authenticator app, passkeys and a phone that approves."""

    service: Service
    client: Client
    user: User
    authenticator: Authenticator = field(default_factory=lambda: Authenticator(passkeys.ORIGIN))
    phone: Approver | None = None

    async def enrol(self, kind: str) -> None:
        """Enrol a factor of a kind in the user's session."""
        match kind:
            case "totp":
                await self.service.enrol(self.user)
            case "email" | "sms":
                finished = await sent_codes.enrol(self.service, self.user, MAIL if kind == "email" else SMS)
                assert finished.factor.kind == KINDS[kind]
            case "passkey":
                made = await passkeys.enrol(self.service, self.user, self.authenticator)
                self.user.backup_codes = list(made.backup_codes.codes) or self.user.backup_codes
            case "push":
                self.phone = await pair(self.service, self.client, self.user)
        # So that the next code of an app is another, and the next one that is sent has not to wait.
        self.service.clock.advance(61)

    async def prove(self, kind: str, challenge: sign_in_pb2.SecondFactorChallenge) -> sign_in_pb2.SecondFactor:
        """Pick a kind for a challenge, and do what the user does for it."""
        match kind:
            case "email" | "sms":
                way = MAIL if kind == "email" else SMS
                started = await self.service.two_factor.StartChallenge(
                    way.challenge(challenge), metadata=self.service.metadata
                )
                assert (started.kind, started.destination) == (KINDS[kind], way.masked)
                return way.factor(await way.code(self.service))
            case "passkey":
                return passkeys.factor(self.authenticator.get(await passkeys.asked(self.service, challenge)))
            case "push":
                assert self.phone is not None
                number = (await ask(self.service, challenge)).number
                (request,) = await shown(self.phone)
                await self.phone.approve(request.request_id, number)
                return sign_in_pb2.SecondFactor(push=sign_in_pb2.PushProof())
            case "backup_code":
                return sign_in_pb2.SecondFactor(backup_code=self.user.backup_codes.pop())
        return self.service.code(self.user)

    async def sign_in(self, kind: str) -> sign_in_pb2.SecondFactorChallenge:
        """Sign in with the password and then a factor of a kind, which the session tells truly; the challenge."""
        challenge = (await self.service.sign_in(self.user)).challenge
        await self.service.finish_challenge(self.user, challenge, await self.prove(kind, challenge))
        aal, amr = PROVES[kind]
        assert (self.user.session.aal, set(self.user.session.amr)) == (aal, {"pwd", *amr}), kind
        assert await self.service.is_live(self.user)
        self.service.clock.advance(61)
        return challenge

    async def factors(self) -> dict[str, two_factor_pb2.Factor]:
        """The user's factors by kind."""
        listed = await self.service.two_factor.ListFactors(
            two_factor_pb2.ListFactorsRequest(), metadata=self.service.with_session(self.user)
        )
        names = {value: name for name, value in KINDS.items()}
        return {names[factor.kind]: factor for factor in listed.factors}

    async def remove(self, kind: str) -> None:
        """Remove the factor of a kind in the user's session."""
        await self.service.two_factor.RemoveFactor(
            two_factor_pb2.RemoveFactorRequest(factor_id=(await self.factors())[kind].factor_id),
            metadata=self.service.with_session(self.user),
        )

    async def prefer(self, kind: str) -> None:
        """Make the factor of a kind the preferred one."""
        changed = await self.service.two_factor.UpdateFactor(
            two_factor_pb2.UpdateFactorRequest(
                factor=two_factor_pb2.Factor(factor_id=(await self.factors())[kind].factor_id, preferred=True),
                update_mask=FieldMask(paths=["preferred"]),
            ),
            metadata=self.service.with_session(self.user),
        )
        assert changed.factor.preferred

    async def status(self) -> two_factor_pb2.GetTwoFactorStatusResponse:
        """How the account's two-factor stands."""
        return await self.service.two_factor.GetTwoFactorStatus(
            two_factor_pb2.GetTwoFactorStatusRequest(), metadata=self.service.with_session(self.user)
        )


@pytest.fixture
async def owner(service: Service) -> AsyncIterator[Owner]:
    """A user with a session and no factor, in a realm that offers every kind."""
    await passkeys.at_home(service)
    async with gateway(service) as client:
        yield Owner(service, client, await service.signed_in_user())


@pytest.mark.parametrize("kind", KINDS)
async def test_the_story_of_each_factor(service: Service, owner: Owner, kind: str) -> None:
    """Enrolled with backup codes, asked for at sign-in, used, kept as the last one, removed beside another: then it
    answers nothing.
    """
    await owner.enrol(kind)
    assert len(owner.user.backup_codes) == 10
    status = await owner.status()
    assert (list(status.kinds), status.backup_codes_remaining) == ([KINDS[kind]], 10)

    before = service.clock()
    assert list((await owner.sign_in(kind)).kinds) == [KINDS[kind], BACKUP]
    (factor,) = (await owner.factors()).values()
    assert factor.preferred
    assert factor.last_use_time.ToDatetime(tzinfo=before.tzinfo) == before
    with refused("LAST_FACTOR"):
        await owner.remove(kind)

    other = "email" if kind == "totp" else "totp"
    await owner.enrol(other)
    challenge = (await service.sign_in(User(owner.user.email))).challenge
    proof = await owner.prove(kind, challenge)
    await owner.remove(kind)
    assert set(await owner.factors()) == {other}
    # Proven a moment ago, and no factor any more.
    gone = "APPROVAL_NOT_FOUND" if kind == "push" else "INVALID_SECOND_FACTOR"
    assert await outcome(service.finish_challenge(User(owner.user.email), challenge, proof)) == gone
    assert list((await owner.sign_in(other)).kinds) == [KINDS[other], BACKUP]


async def test_the_story_of_backup_codes(service: Service, owner: Owner) -> None:
    """They come with the first factor, each signs in once, are counted down, and a new set ends the old one."""
    await owner.enrol("passkey")
    used = owner.user.backup_codes[-1]
    await owner.sign_in("backup_code")
    assert (await owner.status()).backup_codes_remaining == 9
    with refused("INVALID_SECOND_FACTOR"):
        await service.sign_in(User(owner.user.email), second_factor=sign_in_pb2.SecondFactor(backup_code=used))
    made = await service.two_factor.GenerateBackupCodes(
        two_factor_pb2.GenerateBackupCodesRequest(), metadata=service.with_session(owner.user)
    )
    assert (await owner.status()).backup_codes_remaining == 10
    old = owner.user.backup_codes.pop()
    with refused("INVALID_SECOND_FACTOR"):
        await service.sign_in(User(owner.user.email), second_factor=sign_in_pb2.SecondFactor(backup_code=old))
    owner.user.backup_codes = list(made.backup_codes.codes)
    await owner.sign_in("backup_code")


async def test_an_account_with_every_factor_chooses_at_each_sign_in(service: Service, owner: Owner) -> None:
    """The preferred one stands first, and any other is taken as well: all six by turns, each for what it proves."""
    for kind in KINDS:
        await owner.enrol(kind)
    assert set(await owner.factors()) == set(KINDS)
    assert not (await owner.status()).more_factors_advised
    chosen = [*list(KINDS)[1:], "backup_code"]
    for preferred, kind in zip(KINDS, chosen, strict=True):
        await owner.prefer(preferred)
        assert [name for name, factor in (await owner.factors()).items() if factor.preferred] == [preferred]
        kinds = list((await owner.sign_in(kind)).kinds)
        assert (kinds[0], kinds[-1]) == (KINDS[preferred], BACKUP)
        assert set(kinds) == {*KINDS.values(), BACKUP}
        assert next(iter((await owner.status()).kinds)) == KINDS[preferred]


async def test_a_method_is_changed_for_another_by_the_steps_of_its_set_up(service: Service, owner: Owner) -> None:
    """From the vendor's app to an authenticator app and back: begin, finish, remove the other, nothing else."""
    await owner.enrol("push")
    await owner.enrol("totp")
    await owner.remove("push")
    assert list((await owner.sign_in("totp")).kinds) == [KINDS["totp"], BACKUP]
    await owner.enrol("push")
    await owner.remove("totp")
    assert list((await owner.sign_in("push")).kinds) == [KINDS["push"], BACKUP]


@pytest.mark.parametrize("weak", ["email", "sms"])
async def test_signed_in_by_a_sent_code_nobody_removes_what_is_stronger(
    service: Service, owner: Owner, weak: str
) -> None:
    """The downgrade: neither app, passkey, phone nor backup codes go; after a step-up by one of them they do."""
    for kind in KINDS:
        await owner.enrol(kind)
    await owner.sign_in(weak)
    for kind in ("totp", "passkey", "push", weak):
        with refused("RECENT_TWO_FACTOR_REQUIRED"):
            await owner.remove(kind)
    with refused("RECENT_TWO_FACTOR_REQUIRED"):
        await service.two_factor.GenerateBackupCodes(
            two_factor_pb2.GenerateBackupCodesRequest(), metadata=service.with_session(owner.user)
        )
    assert set(await owner.factors()) == set(KINDS)
    stepping_up = (await step_up(service, owner.user)).challenge
    again = await owner.prove(weak, stepping_up)
    await service.finish_challenge(owner.user, stepping_up, again, owner.user.tokens.refresh_token)
    with refused("RECENT_TWO_FACTOR_REQUIRED"):
        await owner.remove("totp")
    await finish_step_up(service, owner.user, service.code(owner.user))
    await owner.remove("passkey")
    assert set(await owner.factors()) == set(KINDS) - {"passkey"}
