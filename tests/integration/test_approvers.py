"""Phones that approve: paired, watching for requests of any server, and let go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Literal

import pytest

from tests.integration.phones import (
    ask,
    asked,
    begin_pairing,
    challenge,
    finish_pairing,
    gateway,
    pair,
    rejected,
    shown,
    state,
    waiting,
    watching,
)
from tests.service import Service, User
from twofold import Approver, Client
from twofold.v1 import account_pb2, sign_in_pb2, two_factor_pb2
from twofold_server.domain.approval_watch import MOST_OF_ONE

OPEN = two_factor_pb2.APPROVAL_STATE_OPEN
APPROVED = two_factor_pb2.APPROVAL_STATE_APPROVED


@pytest.fixture
async def client(service: Service) -> AsyncIterator[Client]:
    """Through which the phones of a test call."""
    async with gateway(service) as opened:
        yield opened


@pytest.fixture
async def user(service: Service) -> User:
    """An account with a session and no factor yet."""
    return await service.signed_in_user()


@pytest.fixture
async def phone(service: Service, client: Client, user: User) -> Approver:
    """The user's phone."""
    return await pair(service, client, user)


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519"])
async def test_a_phone_pairs_and_approves(
    service: Service, client: Client, user: User, algorithm: Literal["ES256", "Ed25519"]
) -> None:
    """The whole way: pairing code, factor, request with place, browser and time, number, and the front end told."""
    begun = await begin_pairing(service, user, "Ada's phone")
    assert begun.push.pairing_url.endswith(f"#code={begun.push.pairing_code}")
    assert begun.push.qr_code_png.startswith(b"\x89PNG")
    phone = await Approver.pair(
        client, begun.push.pairing_url, algorithm=algorithm, clock=lambda: service.clock().timestamp()
    )
    assert (phone.identity.account_email, phone.identity.algorithm) == (user.email, algorithm)
    finished = await finish_pairing(service, user, begun)
    assert (finished.factor.kind, finished.factor.name) == (sign_in_pb2.FACTOR_KIND_PUSH, "Ada's phone")
    assert list(finished.signed_in.session.amr) == ["pwd", "mfa", "pop"]

    found = await challenge(service, user)
    assert sign_in_pb2.FACTOR_KIND_PUSH in found.kinds
    started = await ask(service, found)
    assert len(started.number) == 6
    async with watching(phone) as watched:
        (request,) = (await watched.next()).opened
        assert (request.realm_display_name, request.place, request.ip_address) == (
            "Twofold",
            "Brno, Czechia",
            "192.0.2.7",
        )
        assert (request.browser, request.digits, request.step_up) == ("Test", 6, False)
        stream = waiting(service, found)
        assert (await stream.read()).state == OPEN
        await phone.approve(request.request_id, started.number)
        assert (await stream.read()).state == APPROVED
        (ended,) = (await watched.next()).ended
        assert (ended.request_id, ended.state) == (request.request_id, APPROVED)


async def test_what_a_phone_is_sent_holds_no_number(service: Service, phone: Approver, user: User) -> None:
    """The number goes to the waiting screen alone: the user carries it."""
    _, number, _ = await asked(service, user, phone)
    (request,) = await shown(phone)
    assert number not in str(request).replace(request.request_id, "")


async def test_a_removed_phone_is_let_go(service: Service, client: Client) -> None:
    """With its factor goes the phone: its stream ends, and its proofs are refused."""
    user = await service.two_factor_user()
    phone = await pair(service, client, user)
    listed = await service.two_factor.ListFactors(
        two_factor_pb2.ListFactorsRequest(), metadata=service.with_session(user)
    )
    factor = next(f for f in listed.factors if f.kind == sign_in_pb2.FACTOR_KIND_PUSH)
    async with watching(phone) as watched:
        await watched.next()
        await service.two_factor.RemoveFactor(
            two_factor_pb2.RemoveFactorRequest(factor_id=factor.factor_id), metadata=service.with_session(user)
        )
        await rejected(watched.next(), "APPROVER_INVALID")
    await rejected(shown(phone), "APPROVER_INVALID")


async def test_a_stream_ends_when_the_account_changes(service: Service, phone: Approver, user: User) -> None:
    """A new password ends the streams of before; the phone stays paired and opens another."""
    async with watching(phone) as watched:
        await watched.next()
        await service.accounts.ChangePassword(
            account_pb2.ChangePasswordRequest(
                reauthentication=user.reauthentication, new_password="another horse battery 7", client=service.client
            ),
            metadata=service.with_session(user),
        )
        await rejected(watched.next(), "APPROVER_INVALID")
    assert await shown(phone) == []


async def test_a_fourth_stream_of_a_phone_ends_the_oldest(service: Service, phone: Approver) -> None:
    """A phone that lost its network leaves streams behind, which must not keep it out."""
    streams = [phone.watch() for _ in range(MOST_OF_ONE + 1)]
    for stream in streams:
        await anext(stream)
    with pytest.raises(StopAsyncIteration):
        await anext(streams[0])
    for stream in streams:
        await stream.aclose()


async def test_nobody_watches_no_poll(service: Service, phone: Approver) -> None:
    """A server whose last stream has ended asks the database nothing."""
    await shown(phone)
    watch = service.app.services.approval_watch
    async with watching(phone) as watched:
        await watched.next()
        assert watch.watching == 1
    for _ in range(100):
        if not watch.watching:
            break
        await asyncio.sleep(0.01)
    assert not watch.watching
    assert not watch._somebody.is_set()


async def test_servers_are_one_to_phones_and_front_ends(two_services: tuple[Service, Service]) -> None:
    """Asked and awaited at one server, shown and answered at another."""
    one, other = two_services
    async with gateway(other) as far:
        user = await one.signed_in_user()
        phone = await pair(one, far, user)
        found = await challenge(one, user)
        async with watching(phone) as watched:
            assert not (await watched.next()).opened
            started = await ask(one, found)
            (request,) = (await watched.next()).opened
            stream = waiting(one, found)
            assert (await stream.read()).state == OPEN
            await phone.approve(request.request_id, started.number)
            assert (await stream.read()).state == APPROVED


async def test_a_server_that_ends_loses_no_request(two_services: tuple[Service, Service]) -> None:
    """Its streams end with SERVER_DRAINING; at the next server what is open comes first, and is answered there."""
    one, other = two_services
    async with gateway(one) as near, gateway(other) as far:
        user = await one.signed_in_user()
        phone = await pair(one, near, user)
        found = await challenge(one, user)
        started = await ask(one, found)
        again = Approver(far, phone.identity, clock=lambda: other.clock().timestamp())
        async with watching(phone) as watched:
            assert (await watched.next()).opened
            await one.app.stop(1)
            await rejected(watched.next(), "SERVER_DRAINING")
        (request,) = await shown(again)
        await again.approve(request.request_id, started.number)
        assert await state(other, found) == APPROVED
