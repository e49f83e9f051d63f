"""Attacks on a running server's resources, and on what load lets slip."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any
from uuid import uuid4

import asyncpg
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.integration.test_adversary import outcome
from tests.service import PASSWORD, Service, refused
from twofold.v1 import account_pb2, session_pb2, sign_in_pb2, two_factor_pb2
from twofold_server.crypto import tokens
from twofold_server.crypto.passwords import BcryptCost
from twofold_server.domain.callers import Grant, Role
from twofold_server.domain.passwords import Passwords
from twofold_server.domain.values import RealmId
from twofold_server.jobs import Retention


async def test_closed_budget_is_refused_before_any_hash(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the password's budget closed, no call of a session makes the server hash."""
    user = await service.signed_in_user()
    begun = await service.two_factor.BeginEnrollment(
        two_factor_pb2.BeginEnrollmentRequest(totp=two_factor_pb2.TotpEnrollment()), metadata=user.metadata
    )
    guess = sign_in_pb2.Reauthentication(password="a guess")
    # Five close the bucket of the session's own device, five more that of unknown ones.
    for _ in range(10):
        await outcome(
            service.sessions.StepUp(
                session_pb2.StepUpRequest(password="a guess", client=service.client), metadata=user.metadata
            )
        )
    hashed, submit = 0, service.app.engine._submit

    async def counted(*given: object) -> object:
        nonlocal hashed
        hashed += 1
        return await submit(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(service.app.engine, "_submit", counted)
    with refused("TOO_MANY_ATTEMPTS"):
        await service.two_factor.FinishEnrollment(
            two_factor_pb2.FinishEnrollmentRequest(
                enrollment_token=begun.enrollment_token,
                totp_code="000000",
                reauthentication=guess,
                client=service.client,
            ),
            metadata=user.metadata,
        )
    of_enrolment, hashed = hashed, 0
    with refused("TOO_MANY_ATTEMPTS"):
        await service.accounts.ChangePassword(
            account_pb2.ChangePasswordRequest(
                reauthentication=guess, new_password="another fine horse 7", client=service.client
            ),
            metadata=user.metadata,
        )
    assert (of_enrolment, hashed) == (0, 0)


async def test_one_account_does_not_fill_the_hash_queue(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often one account asks for new backup codes, at most five of its hashes are in flight."""
    user = await service.two_factor_user()
    engine, most, admit = service.app.engine, 0, service.app.engine._admit

    def watched(account: str | None, known_device: bool) -> None:
        nonlocal most
        admit(account, known_device)
        most = max(most, engine.in_flight + 1)

    monkeypatch.setattr(engine, "_admit", watched)
    request = two_factor_pb2.GenerateBackupCodesRequest()
    await asyncio.gather(
        *(outcome(service.two_factor.GenerateBackupCodes(request, metadata=user.metadata)) for _ in range(6))
    )
    assert most <= 5


async def test_one_network_does_not_write_to_any_number_of_strangers(service: Service) -> None:
    """One client network that signs up hundreds of addresses is stopped, as mails to strangers are nobody's gift."""
    answers = [await outcome(service.sign_up(f"stranger{n}@example.org", PASSWORD)) for n in range(250)]
    assert "TOO_MANY_ATTEMPTS" in answers


async def test_one_network_does_not_fill_the_outbox(service: Service) -> None:
    """Resends for sign-ups that there are not, which cost no hash but write rows kept for 30 days, are stopped."""
    answers = []
    for n in range(250):
        request = account_pb2.ResendActivationRequest(
            email=f"nobody{n}@example.org", sign_up_binding=tokens.new_secret_token()[0], client=service.client
        )
        answers.append(await outcome(service.accounts.ResendActivation(request)))
    assert "TOO_MANY_ATTEMPTS" in answers


async def test_flood_of_invented_callers_keeps_no_real_one_out(service: Service) -> None:
    """Invented credentials, which anyone can send, leave a caller alone whose first call to this worker it is."""
    grant = Grant(RealmId("default"), Role.FRONTEND, may_state_client=True)
    credential = await service.app.services.callers.add("shop", grant)

    async def call(with_credential: str) -> str:
        metadata = (("authorization", f"Bearer {with_credential}"),)
        return await outcome(service.sessions.GetSigningKeys(session_pb2.GetSigningKeysRequest(), metadata=metadata))

    invented = [tokens.format_caller_credential(uuid4(), tokens.new_secret_token()[0]) for _ in range(60)]
    assert set(await asyncio.gather(*(call(text) for text in invented))) <= {"CALLER_UNKNOWN", "OVERLOADED"}
    assert await call(credential) == "OK"


async def test_anonymous_watches_leave_streams_to_others(service: Service) -> None:
    """Whoever opens a thousand health streams from one place without a credential takes no stream from another."""
    address = f"127.0.0.1:{service.app.ports[0]}"
    own = (("grpc.use_local_subchannel_pool", 1),)
    channels = [grpc.aio.insecure_channel(address, options=own) for _ in range(3)]
    # Watch is not in the types of the stub.
    stubs: list[Any] = [health_pb2_grpc.HealthStub(channel) for channel in channels]
    watches = [stubs[n // 500].Watch(health_pb2.HealthCheckRequest()) for n in range(1000)]
    try:
        await asyncio.gather(*(outcome(watch.read()) for watch in watches))
        load_balancer = stubs[2].Watch(health_pb2.HealthCheckRequest())
        watches.append(load_balancer)
        assert await outcome(load_balancer.read()) == "OK"
    finally:
        for watch in watches:
            watch.cancel()
        for channel in channels:
            await channel.close()


async def test_decoy_of_an_address_keeps_its_cost(service: Service) -> None:
    """In a realm of mixed hashes an unknown address costs tomorrow what it costs today, though an account was added."""
    passwords = _passwords_of(service)
    realm = await service.app.services.realms.get(RealmId("default"))
    macs = [secrets.token_bytes(32) for _ in range(200)]
    drawn = []
    for count in (50, 51):
        schemes = [("argon2id:19456,2,1", 50), ("bcrypt:12", count)]
        passwords._proportions[realm.realm_id] = (float("inf"), schemes)
        drawn.append([isinstance(await passwords.decoy_parameters(realm, mac), BcryptCost) for mac in macs])
    changed = sum(before != after for before, after in zip(*drawn, strict=True))
    assert changed < 20, f"{changed} of 200 addresses change their cost when one account is added"


def _passwords_of(service: Service) -> Passwords:
    for servicer in service.app.services.contract.values():
        if (sign_ins := getattr(servicer, "_sign_ins", None)) is not None:
            assert isinstance(sign_ins._passwords, Passwords)
            return sign_ins._passwords
    raise AssertionError


async def test_devices_that_count_no_more_are_deleted(service: Service) -> None:
    """A device row does not stay for ever: a year after its last use, and after its epoch, it is gone."""
    user = await service.signed_in_user()
    for _ in range(5):
        await service.sign_in(user)
    await service.sessions.RevokeOtherSessions(session_pb2.RevokeOtherSessionsRequest(), metadata=user.metadata)
    service.clock.advance(400 * 86400)
    await Retention(service.app.pool, service.clock).run_once()
    assert await service.app.pool.fetchval("SELECT count(*) FROM devices") <= 1


async def test_two_choices_at_once_leave_one_preferred_factor(service: Service, database: str) -> None:
    """Of two factors that are made the preferred one at the same time, one is."""
    user = await service.two_factor_user()
    for _ in range(2):
        service.clock.advance(30)
        await service.enrol(user)
    listed = await service.two_factor.ListFactors(two_factor_pb2.ListFactorsRequest(), metadata=user.metadata)
    other = await asyncpg.connect(database)
    choice = other.transaction()
    await choice.start()
    # What UpdateFactor does for the second factor, held before its commit.
    await other.execute("SELECT FROM accounts WHERE account_id = $1 FOR NO KEY UPDATE", user.account_id)
    await other.execute(
        "UPDATE factors SET preferred = (factor_id = $1) WHERE account_id = $2 AND (factor_id = $1 OR preferred)",
        listed.factors[1].factor_id,
        user.account_id,
    )
    third = two_factor_pb2.Factor(factor_id=listed.factors[2].factor_id, preferred=True)
    update = two_factor_pb2.UpdateFactorRequest(factor=third)
    update.update_mask.paths.append("preferred")
    chosen = asyncio.ensure_future(outcome(service.two_factor.UpdateFactor(update, metadata=user.metadata)))
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with asyncio.timeout(5):
        while not await other.fetchval(waits):
            await asyncio.sleep(0.02)
    await choice.commit()
    await other.close()
    assert await chosen in {"OK", "CHANGED_MEANWHILE"}
    listed = await service.two_factor.ListFactors(two_factor_pb2.ListFactorsRequest(), metadata=user.metadata)
    assert [factor.preferred for factor in listed.factors].count(True) == 1
