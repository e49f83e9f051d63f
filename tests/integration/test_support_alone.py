"""What one agent does alone: accounts found and locked, messages traced, sign-ups revived; and what no agent can."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tests.authenticator import Authenticator
from tests.integration.captchas import solve, with_captcha
from tests.integration.desk import DAY, REASON, Desk, link_in_mail, open_desk
from tests.integration.test_owed_enrollments import begin, finish_request
from tests.integration.test_passkeys import ORIGIN, answered, begun
from tests.integration.test_passkeys import enrol as enrol_passkey
from tests.integration.test_phone_numbers import set_number
from tests.races.gates import held_after_hash, outcome
from tests.service import PASSWORD, Service, User, refused, retry_after
from twofold.v1 import account_pb2, recovery_pb2, session_pb2, sign_in_pb2, support_pb2, two_factor_pb2
from twofold_server.domain.agents import Agent
from twofold_server.domain.callers import Role
from twofold_server.domain.errors import SessionEnded
from twofold_server.domain.realms import RealmRefused
from twofold_server.domain.values import EmailAddress, RealmId
from twofold_server.domain.written_texts import Reason

NUMBER = "+420605987654"


@pytest.fixture
async def desk(service: Service) -> Desk:
    """A desk with no agents yet."""
    return await open_desk(service)


async def find(desk: Desk, agent: User, **fields: Any) -> list[support_pb2.FoundAccount]:
    """Look accounts up."""
    request = support_pb2.FindAccountsRequest(**{"realm_id": "default", **fields})
    return list((await desk.stub.FindAccounts(request, metadata=desk.as_(agent))).accounts)


async def deliveries(desk: Desk, agent: User, **fields: Any) -> support_pb2.ListDeliveriesResponse:
    """Trace messages."""
    request = support_pb2.ListDeliveriesRequest(**{"realm_id": "default", **fields})
    return await desk.stub.ListDeliveries(request, metadata=desk.as_(agent))


async def revive(desk: Desk, agent: User, email: str) -> support_pb2.ReviveActivationResponse:
    """Send the links of an address's sign-ups again."""
    request = support_pb2.ReviveActivationRequest(realm_id="default", email=email)
    return await desk.stub.ReviveActivation(request, metadata=desk.as_(agent))


async def refresh(service: Service, user: User) -> session_pb2.RefreshSessionResponse:
    """Refresh the user's session."""
    return await service.sessions.RefreshSession(
        session_pb2.RefreshSessionRequest(refresh_token=user.tokens.refresh_token), metadata=service.metadata
    )


async def test_accounts_are_found_and_shown_masked(service: Service, desk: Desk) -> None:
    """By the address in any spelling, the id or the number; nothing in the answer is an address or number in full."""
    agent, user = await desk.agent(), await service.two_factor_user("ada.lovelace@example.org")
    await set_number(service, user, NUMBER)
    for by in ({"email": "ADA.Lovelace@EXAMPLE.org"}, {"account_id": user.account_id}, {"phone_number": NUMBER}):
        (found,) = await find(desk, agent, **by)
        assert found.account_id == user.account_id
        assert found.state == support_pb2.ACCOUNT_STATE_ACTIVE
        assert list(found.factor_kinds) == [sign_in_pb2.FACTOR_KIND_TOTP]
        assert found.masked_email.startswith("ad**@")
        assert found.masked_phone_number == "+420*****54"
        assert not found.open_case_id
        assert "lovelace" not in str(found)
    case = await desk.open(agent, user.account_id)
    assert (await find(desk, agent, email=user.email))[0].open_case_id == case.case_id
    for by in ({"email": "nobody@example.org"}, {"account_id": agent.account_id}, {"phone_number": "+420605987655"}):
        assert await find(desk, agent, **by) == []
    looked = [details for kind, details in await desk.events(user.account_id) if kind == "accounts_looked_up"]
    assert {entry["by"] for entry in looked} == {"email", "account_id", "phone_number"}
    assert {entry["agent_id"] for entry in looked} == {agent.account_id}


async def test_look_ups_are_counted(service: Service, desk: Desk) -> None:
    """Each agent has so many an hour, of every kind together; RetryInfo says when the next hour begins."""
    await service.app.services.realms.set("support", {"support_lookups_per_hour": "4"})
    agent, other = await desk.agent(), await desk.agent()
    user = await service.new_user()
    await find(desk, agent, email="nobody@example.org")
    await deliveries(desk, agent, email=user.email)
    with refused("SIGN_UP_NOT_FOUND"):
        await revive(desk, agent, user.email)
    await find(desk, agent, email=user.email)
    for _ in range(2):
        with pytest.raises(Exception, match="As many look-ups") as exhausted:
            await find(desk, agent, email=user.email)
        assert retry_after(exhausted.value) == 3600  # type: ignore[arg-type]
    with refused("SUPPORT_LIMIT_REACHED"):
        await deliveries(desk, agent, email=user.email)
    with refused("SUPPORT_LIMIT_REACHED"):
        await revive(desk, agent, user.email)
    assert await find(desk, other, email=user.email)
    await desk.wait(3600, agent)
    assert await find(desk, agent, email=user.email)


async def test_a_locked_account_is_refused_everywhere(service: Service, desk: Desk) -> None:
    """Sign-in by password or passkey, refresh, step-up and challenges begun before: none gets in (attacks 11, 27)."""
    await service.app.services.realms.set("default", {"passkey_rp_id": "shop.example"})
    authenticator = Authenticator(ORIGIN)
    agent, user = await desk.agent(), await service.signed_in_user()
    await enrol_passkey(service, user, authenticator)
    await service.enrol(user)
    challenged = User(user.email, user.password)
    challenge = (await service.sign_in(challenged)).challenge
    stepped = await service.sessions.StepUp(
        session_pb2.StepUpRequest(second_factor=session_pb2.SecondFactorStepUp(), client=service.client),
        metadata=service.with_session(user),
    )
    passkey = await begun(service)

    locked = await desk.lock(agent, user.account_id)
    assert locked.state == support_pb2.ACCOUNT_STATE_LOCKED
    assert not await service.is_live(user)
    with refused("SESSION_ENDED"):
        await refresh(service, user)
    with refused("ACCOUNT_LOCKED"):
        await service.sign_in(challenged)
    with refused("ACCOUNT_LOCKED"):
        await service.sign_in(challenged, second_factor=service.code(user, 1))
    with refused("INVALID_CREDENTIALS"):
        await service.sign_in(challenged, password="not the password 1")
    with refused("TICKET_NOT_FOUND"):
        await service.finish_challenge(challenged, challenge, service.code(user, 1))
    with refused("TICKET_NOT_FOUND"):
        await service.finish_challenge(user, stepped.challenge, service.code(user, 1), user.tokens.refresh_token)
    with refused("SESSION_ENDED"):
        await service.sessions.StepUp(
            session_pb2.StepUpRequest(password=PASSWORD, client=service.client), metadata=service.with_session(user)
        )
    with refused("ACCOUNT_LOCKED"):
        await answered(service, passkey, authenticator.get(passkey.request_options_json))
    assert not challenged.tokens.access_token
    subjects = " ".join(" ".join(str(m["Subject"]).split()) for m in await service.mails(user.email))
    assert "was locked" in subjects

    assert (await desk.unlock(agent, user.account_id)).state == support_pb2.ACCOUNT_STATE_ACTIVE
    assert not await service.is_live(user)
    service.clock.advance(60)
    assert (await service.sign_in(user, second_factor=service.code(user))).HasField("signed_in")
    rows = await service.app.pool.fetch(
        "SELECT kind, details, personal FROM events WHERE kind IN ('account_locked', 'account_unlocked')"
    )
    assert sorted(row["kind"] for row in rows) == ["account_locked", "account_unlocked"]
    for row in rows:
        assert row["details"] == {"agent_id": agent.account_id}
        assert row["personal"] == {"reason": REASON}


async def test_a_lock_meets_a_sign_in_under_way(service: Service, desk: Desk) -> None:
    """Read before the lock, judged after it: no session (attack 31)."""
    agent, user = await desk.agent(), await service.new_user()
    async with held_after_hash(service, lambda: service.sign_in(user)) as sign_in:
        await desk.lock(agent, user.account_id)
    assert await outcome(sign_in) == "ACCOUNT_LOCKED"
    assert not user.tokens.access_token


async def test_an_enrolment_that_is_owed_ends_with_the_lock(service: Service, desk: Desk) -> None:
    """A step of a sign-in that owes its enrolment, begun before the lock, begins no session after it."""
    await service.app.services.realms.set("default", {"second_factor": "demanded"})
    agent, user = await desk.agent(), await service.new_user()
    owed = (await service.sign_in(user)).enrollment_required
    started = await begin(service, owed)
    await desk.lock(agent, user.account_id)
    for again in range(2):
        with refused("TICKET_NOT_FOUND"):
            await service.two_factor.FinishEnrollment(finish_request(service, owed, started), metadata=service.metadata)
        if not again:
            await desk.unlock(agent, user.account_id)


async def test_repeats_of_a_lock_change_nothing(service: Service, desk: Desk) -> None:
    """The second call finds it locked: no further notice, event or end of sessions."""
    agent, user = await desk.agent(), await service.new_user()
    for _ in range(2):
        await desk.lock(agent, user.account_id)
    for _ in range(2):
        await desk.unlock(agent, user.account_id)
    kinds = [kind for kind, _ in await desk.events(user.account_id)]
    assert (kinds.count("account_locked"), kinds.count("account_unlocked")) == (1, 1)
    with refused("ACCOUNT_NOT_FOUND", "account_id"):
        await desk.lock(agent, agent.account_id)


async def test_messages_are_traced_without_their_words(service: Service, desk: Desk) -> None:
    """Of an account or an address, the newest first: kind, channel, state and why; no body, link, code or address."""
    agent, user = await desk.agent(), await service.signed_in_user("traced@example.org")
    await set_number(service, user, NUMBER)
    await service.sign_up("unknown@example.org")
    await service.mails()
    await service.app.pool.execute(
        "UPDATE outbox SET state = 'dead', refusal = 'address_unreachable', failure = '550 5.1.1 traced@example.org'"
        " WHERE kind = 'phone_number_added'"
    )
    found = await deliveries(desk, agent, account_id=user.account_id)
    kinds = [each.kind for each in found.deliveries]
    assert set(kinds) >= {"phone_number_added", "confirmation_code"}
    by_kind = {each.kind: each for each in found.deliveries}
    assert by_kind["phone_number_added"].state == sign_in_pb2.DELIVERY_STATE_REFUSED
    assert by_kind["phone_number_added"].reason == sign_in_pb2.DELIVERY_REASON_ADDRESS_UNREACHABLE
    assert by_kind["confirmation_code"].channel == support_pb2.DELIVERY_CHANNEL_SMS
    assert by_kind["confirmation_code"].state == sign_in_pb2.DELIVERY_STATE_SENT
    assert by_kind["confirmation_code"].HasField("end_time")
    assert "example.org" not in str(found)
    assert "605987654" not in str(found)
    (activation,) = (await deliveries(desk, agent, email="Unknown@example.org")).deliveries
    assert (activation.kind, activation.channel) == ("activation", support_pb2.DELIVERY_CHANNEL_EMAIL)
    assert [each.kind for each in (await deliveries(desk, agent, phone_number=NUMBER)).deliveries] == [
        "confirmation_code"
    ]
    first = await deliveries(desk, agent, account_id=user.account_id, page_size=1)
    rest = await deliveries(desk, agent, account_id=user.account_id, page_size=100, page_token=first.next_page_token)
    assert [*first.deliveries, *rest.deliveries] == list(found.deliveries)


async def test_a_sign_up_that_expired_is_revived(service: Service, desk: Desk) -> None:
    """Its own link works again for two days, with the binding of the device that signed up, and once."""
    agent = await desk.agent()
    claim = await service.sign_up("late@example.org")
    await service.mails()
    await desk.wait(10 * DAY, agent)
    token = await link_in_mail(service, "late@example.org")
    request = account_pb2.ActivateAccountRequest(
        activation_token=token, sign_up_binding=claim.sign_up_binding, client=service.client
    )
    with refused("TICKET_NOT_FOUND"):
        await service.accounts.ActivateAccount(request, metadata=service.metadata)
    revived = await revive(desk, agent, "LATE@example.org")
    assert revived.expire_time.ToDatetime().timestamp() - service.clock().replace(tzinfo=None).timestamp() == 2 * DAY
    assert len(await service.mails("late@example.org")) == 2
    assert await link_in_mail(service, "late@example.org") == token
    assert (await service.accounts.ActivateAccount(request, metadata=service.metadata)).account.account_id
    with refused("SIGN_UP_NOT_FOUND", "email"):
        await revive(desk, agent, "late@example.org")


async def test_what_can_not_be_revived(service: Service, desk: Desk) -> None:
    """An address that never signed up, one with an account, and a sign-up that expired more than 14 days ago."""
    agent, user = await desk.agent(), await service.new_user()
    await service.sign_up("gone@example.org")
    await service.sign_up(user.email)
    for email in ("never@example.org", user.email):
        with refused("SIGN_UP_NOT_FOUND", "email"):
            await revive(desk, agent, email)
    await desk.wait(17 * DAY, agent)
    with refused("SIGN_UP_NOT_FOUND", "email"):
        await revive(desk, agent, "gone@example.org")


async def test_nobody_signs_up_as_an_agent(service: Service, desk: Desk) -> None:
    """SignUp in the realm of agents is SIGN_UP_CLOSED, and no command but `agent add` makes that realm."""
    with refused("SIGN_UP_CLOSED"):
        await service.accounts.SignUp(
            account_pb2.SignUpRequest(
                realm_id="support", email="eve@example.org", password=PASSWORD, client=service.client
            ),
            metadata=desk.metadata,
        )
    with pytest.raises(RealmRefused, match="agent add"):
        await service.app.services.realms.create("support")


async def test_an_agents_only_factors_are_strong_ones(service: Service, desk: Desk) -> None:
    """No codes by e-mail or SMS, no way without a second factor, and no last one removed."""
    agent = await desk.agent()
    for arm in (
        {"email": two_factor_pb2.EmailEnrollment(email="agent@example.org")},
        {"sms": two_factor_pb2.SmsEnrollment(phone_number=NUMBER)},
    ):
        with refused("FACTOR_KIND_UNAVAILABLE"):
            await service.two_factor.BeginEnrollment(
                two_factor_pb2.BeginEnrollmentRequest(**arm),
                metadata=desk.as_(agent),
            )
    with refused("SECOND_FACTOR_KEPT"):
        await service.two_factor.DisableTwoFactor(
            two_factor_pb2.DisableTwoFactorRequest(
                reauthentication=agent.reauthentication, second_factor=service.code(agent, 1), client=service.client
            ),
            metadata=desk.as_(agent),
        )


async def test_an_agent_does_not_recover_by_mailbox_and_phone(service: Service, desk: Desk) -> None:
    """With the password, the mailbox and a number on record, an agent's lost factor still takes two other agents."""
    await service.app.services.realms.set("support", {"captcha_cost": "100"})
    agent = await desk.agent()
    await service.app.pool.execute(
        "INSERT INTO phone_numbers (account_id, realm_id, number, verify_time)"
        " VALUES ($1::text::uuid, 'support', 'sealed', now())",
        agent.account_id,
    )
    asked = await service.recovery.CreateCaptcha(
        recovery_pb2.CreateCaptchaRequest(realm_id="support"), metadata=desk.metadata
    )
    begun_with = await service.recovery.BeginTwoFactorRecovery(
        recovery_pb2.BeginTwoFactorRecoveryRequest(
            realm_id="support",
            email=agent.email,
            password=agent.password,
            client=with_captcha(service, await solve(asked.challenge_json)),
        ),
        metadata=desk.metadata,
    )
    with refused("RECOVERY_NEEDS_SUPPORT"):
        await service.recovery.ConfirmTwoFactorRecovery(
            recovery_pb2.ConfirmTwoFactorRecoveryRequest(
                recovery_link_token=await link_in_mail(service, agent.email),
                recovery_binding=begun_with.recovery_binding,
                client=service.client,
            ),
            metadata=desk.metadata,
        )


async def test_an_agent_who_is_ended_does_nothing_more(service: Service, desk: Desk) -> None:
    """`agent end` ends the session at once; a call that the boundary had let through finds it in its own lock."""
    agent, user = await desk.agent(), await service.new_user()
    session = await service.app.services.sessions.authenticate(
        agent.tokens.access_token, await service.app.services.callers.authenticate(credential_of(desk))
    )
    await desk.agents.end(EmailAddress.parse(agent.email))
    with refused("SESSION_ENDED"):
        await desk.lock(agent, user.account_id)
    servicer: Any = next(
        servicer for service_, servicer in service.app.services.contract.items() if service_.name == "SupportService"
    )
    realm = await service.app.services.realms.get(RealmId("default"))
    with pytest.raises(SessionEnded):
        await servicer._support.lock(realm, Agent.of(session), UUID(user.account_id), Reason.parse("Late."))
    assert (await service.sign_in(user)).HasField("signed_in")


def credential_of(desk: Desk) -> str:
    """The credential of the desk's caller."""
    return str(dict(desk.metadata)["authorization"]).removeprefix("Bearer ")


async def test_the_desk_of_one_realm_reaches_nothing_of_another(service: Service, desk: Desk) -> None:
    """Ids, addresses, numbers, cases, links and messages of another realm are as if they were not (attack 37)."""
    await service.app.services.realms.create("second")
    other = await open_desk(
        service,
        ("second", Role.SUPPORT, False),
        ("support", Role.FRONTEND, True),
        ("second", Role.FRONTEND, True),
        name="other-desk",
    )
    here, there = await desk.agent(), await other.agent()
    user = await service.two_factor_user()
    await set_number(service, user, NUMBER)
    case = await desk.open(here, user.account_id)
    token = await link_in_mail(service, user.email)
    await service.sign_up("waiting@example.org")

    for by in ({"email": user.email}, {"account_id": user.account_id}, {"phone_number": NUMBER}):
        assert await find(other, there, realm_id="second", **by) == []
        assert not (await deliveries(other, there, realm_id="second", **by)).deliveries
    listed = await other.stub.ListCases(
        support_pb2.ListCasesRequest(realm_id="second", account_id=user.account_id), metadata=other.as_(there)
    )
    assert not listed.cases
    moved = support_pb2.Case(realm_id="second", case_id=case.case_id, account_id=case.account_id)
    for step in (other.approve, other.reject, other.cancel, other.execute):
        with refused("CASE_NOT_FOUND", "case_id"):
            await step(there, moved)
    with refused("ACCOUNT_NOT_FOUND"):
        await other.open(there, user.account_id, realm_id="second")
    reasoned: dict[str, Any] = {"realm_id": "second", "account_id": user.account_id, "reason": REASON}
    with refused("ACCOUNT_NOT_FOUND"):
        await other.stub.LockAccount(support_pb2.LockAccountRequest(**reasoned), metadata=other.as_(there))
    with refused("ACCOUNT_NOT_FOUND"):
        await other.stub.UnlockAccount(support_pb2.UnlockAccountRequest(**reasoned), metadata=other.as_(there))
    with refused("SIGN_UP_NOT_FOUND"):
        await other.stub.ReviveActivation(
            support_pb2.ReviveActivationRequest(realm_id="second", email="waiting@example.org"),
            metadata=other.as_(there),
        )
    with refused("TICKET_NOT_FOUND", "case_token"):
        await other.stub.CancelCase(support_pb2.CancelCaseRequest(case_token=token), metadata=other.metadata)
    # Nor with the realm's name, nor with an agent's token that the other caller was given.
    with refused("REALM_NOT_FOUND"):
        await find(other, there, email=user.email)
    with refused("SESSION_INVALID"):
        await desk.stub.FindAccounts(
            support_pb2.FindAccountsRequest(realm_id="default", email=user.email),
            metadata=(*desk.metadata, *there.metadata),
        )
    assert (await desk.case(here, case)).state == support_pb2.CASE_STATE_OPEN
