"""Real credentials and real tokens: what belongs to one caller or realm is nothing to another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor

from dev.postgres import Server
from tests.conftest import Clock
from tests.integration.boundary_setup import METHODS
from tests.integration.quick import Quick, add_caller, bearer, new_database, quick_server, send
from tests.integration.request_parts import challenged
from tests.service import PASSWORD, Metadata, User, details, reason, refused
from twofold.v1 import access_pb2, account_pb2, session_pb2, sign_in_pb2, two_factor_pb2
from twofold_server.domain.callers import Role
from twofold_server.rpc.policy import path_of

OF_A_SESSION = frozenset({
    access_pb2.SESSION_REQUIREMENT_ANY,
    access_pb2.SESSION_REQUIREMENT_RECENT_PASSWORD,
    access_pb2.SESSION_REQUIREMENT_RECENT_TWO_FACTOR,
})  # fmt: skip


def access_of(method: MethodDescriptor) -> Any:
    """The access option of a method."""
    options: Any = method.GetOptions()
    return options.Extensions[access_pb2.access]


IN_SESSION = [m for m in METHODS if set(access_of(m).session) <= OF_A_SESSION]


@dataclass(frozen=True, slots=True)
class House:
    """One server with two realms; `shop` and `till` are callers of `default`, `club` of `other`, `both` of the two."""

    shop: Quick
    till: Quick
    club: Quick
    both: Quick
    quiet: Quick
    db: asyncpg.Connection[asyncpg.Record]


@pytest.fixture(scope="module")
async def house(
    cluster: Server, cluster_admin: asyncpg.Connection[asyncpg.Record], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    database = await new_database(cluster, cluster_admin, "realms")
    clock = Clock(datetime(2026, 3, 14, 12, 0, tzinfo=UTC))
    async with quick_server(database, tmp_path_factory.mktemp("realms"), clock) as shop:
        await shop.app.services.realms.create("other")
        front, check = Role.FRONTEND, Role.VERIFIER
        grants: dict[str, list[tuple[str, Role, bool]]] = {
            "till": [("default", front, True)],
            "club": [("other", front, True), ("other", check, True)],
            "both": [
                ("default", front, True),
                ("other", front, True),
                ("default", check, True),
                ("other", check, True),
            ],
            "quiet": [("default", front, False)],
        }
        made = {}
        for name, held in grants.items():
            credential = await add_caller(shop.app, name, *held)
            made[name] = Quick(shop.app, clock, shop.sent, bearer(credential))
        db = await asyncpg.connect(database)
        yield House(shop=shop, db=db, **made)
        await db.close()
        for service in made.values():
            await service.channel.close()


async def _call(service: Quick, method: MethodDescriptor, metadata: Metadata, raw: bytes = b"") -> None:
    await send(service, path_of(method), raw, metadata, stream=method.server_streaming)


async def test_every_rpc_that_takes_a_session_demands_it(house: House) -> None:
    """Of each method whose option names a session and no ticket: without one SESSION_REQUIRED; a step is none."""
    assert len(IN_SESSION) > 15
    _, challenge = await challenged(house.shop)
    for method in IN_SESSION:
        with refused("SESSION_REQUIRED"):
            await _call(house.shop, method, house.shop.metadata)
        # What a sign-in that still owes a factor returned is no session.
        for token in (challenge.challenge_token, challenge.challenge_binding):
            with refused("SESSION_INVALID"):
                await _call(house.shop, method, (*house.shop.metadata, ("twofold-session", token)))


async def test_a_users_token_serves_no_other_caller(house: House) -> None:
    """A token issued to `shop` is SESSION_INVALID for `till` of the same realm, on every method but CheckSession."""
    user = await house.shop.signed_in_user()
    for method in IN_SESSION:
        if access_of(method).any_client:
            continue
        with refused("SESSION_INVALID"):
            await _call(house.till, method, house.till.with_session(user))
    with refused("SESSION_INVALID"):
        await house.till.sessions.SignOut(session_pb2.SignOutRequest(), metadata=house.till.with_session(user))
    assert await house.shop.is_live(user)
    checked = await house.both.sessions.CheckSession(
        session_pb2.CheckSessionRequest(realm_id="default", audience="twofold", fresh=True),
        metadata=house.both.with_session(user),
    )
    assert checked.session.account_id == user.account_id


async def test_a_users_token_serves_no_other_realm(house: House) -> None:
    """A session of `default` is SESSION_INVALID for a caller of `other`, and in `other` for one of both."""
    user = await house.shop.signed_in_user()
    for method in IN_SESSION:
        request = session_pb2.CheckSessionRequest(audience="twofold", fresh=True)
        raw = request.SerializeToString() if method.name == "CheckSession" else b""
        with refused("SESSION_INVALID"):
            await _call(house.club, method, house.club.with_session(user), raw)
    for fresh in (True, False):
        with refused("SESSION_INVALID"):
            await house.both.sessions.CheckSession(
                session_pb2.CheckSessionRequest(realm_id="other", audience="twofold", fresh=fresh),
                metadata=house.both.with_session(user),
            )


@pytest.mark.parametrize("thief", ["till", "club", "both"])
async def test_a_refresh_token_serves_its_caller_alone(house: House, thief: str) -> None:
    """Another caller's RefreshSession and SignOut with the token are refused, and end nothing."""
    user = await house.shop.signed_in_user()
    other: Quick = getattr(house, thief)
    with refused("SESSION_ENDED"):
        await other.sessions.RefreshSession(
            session_pb2.RefreshSessionRequest(refresh_token=user.tokens.refresh_token), metadata=other.metadata
        )
    with refused("SESSION_INVALID"):
        await other.sessions.SignOut(
            session_pb2.SignOutRequest(refresh_token=user.tokens.refresh_token), metadata=other.metadata
        )
    assert await house.shop.is_live(user)
    await house.shop.sessions.RefreshSession(
        session_pb2.RefreshSessionRequest(refresh_token=user.tokens.refresh_token), metadata=house.shop.metadata
    )


async def test_tickets_serve_their_realm_and_caller_alone(house: House) -> None:
    """Link, challenge and step-up of `default` are TICKET_NOT_FOUND for others, as invented ones are, and stay good."""
    claim = await house.shop.sign_up("ticket@example.org")
    link = await house.shop.link_token("ticket@example.org")
    user, challenge = await challenged(house.shop)
    answers = set()
    for token in (link, "A" * 43):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await house.club.accounts.ActivateAccount(
                account_pb2.ActivateAccountRequest(
                    activation_token=token, sign_up_binding=claim.sign_up_binding, client=house.club.client
                ),
                metadata=house.club.metadata,
            )
        answers.add((reason(caught.value), caught.value.details(), str(details(caught.value).get("BadRequest"))))
    assert len(answers) == 1
    for thief in (house.club, house.till, house.both):
        with refused("TICKET_NOT_FOUND", "challenge_token"):
            await thief.finish_challenge(user, challenge, house.shop.code(user, 1))
    await house.shop.accounts.ActivateAccount(
        account_pb2.ActivateAccountRequest(
            activation_token=link, sign_up_binding=claim.sign_up_binding, client=house.shop.client
        ),
        metadata=house.shop.metadata,
    )
    await house.shop.finish_challenge(user, challenge, house.shop.code(user, 1))


async def test_one_address_in_two_realms_is_two_accounts(house: House) -> None:
    """The same address signs up in both realms; the password of one opens nothing in the other, nor does it tell."""
    await house.shop.new_user("twice@example.org", "horse of the shop 1")
    with refused("INVALID_CREDENTIALS"):
        await house.club.sign_in(User("twice@example.org", "horse of the shop 1"))
    theirs = await house.club.new_user("twice@example.org", "horse of the club 2")
    with refused("INVALID_CREDENTIALS"):
        await house.shop.sign_in(User("twice@example.org", "horse of the club 2"))
    await house.club.sign_in(theirs)
    assert theirs.session.realm_id == "other"


async def test_ids_and_pages_of_another_account_are_unknown_ones(house: House) -> None:
    """Another account's session, factor and page token answer as invented ones do, word for word."""
    owner = await house.shop.two_factor_user()
    stranger = await house.shop.two_factor_user()
    await house.shop.sign_in(owner, second_factor=house.shop.code(owner, 1))
    metadata = house.shop.with_session(stranger)
    factors = await house.shop.two_factor.ListFactors(
        two_factor_pb2.ListFactorsRequest(), metadata=house.shop.with_session(owner)
    )
    listed = await house.shop.sessions.ListSessions(
        session_pb2.ListSessionsRequest(page_size=1), metadata=house.shop.with_session(owner)
    )
    said = []
    for known, call in (
        (owner.session.session_id, lambda i: house.shop.sessions.RevokeSession(
            session_pb2.RevokeSessionRequest(session_id=i), metadata=metadata)),
        (factors.factors[0].factor_id, lambda i: house.shop.two_factor.RemoveFactor(
            two_factor_pb2.RemoveFactorRequest(factor_id=i), metadata=metadata)),
    ):  # fmt: skip
        for given in (known, "01890a5d-ac96-774b-bcce-b302099a8057"):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(given)
            said.append((caught.value.code(), reason(caught.value), caught.value.details()))
    assert said[0] == said[1]
    assert said[2] == said[3]
    assert {code for code, _, _ in said} == {grpc.StatusCode.NOT_FOUND}
    with refused("INVALID_FIELDS", "page_token"):
        await house.shop.sessions.ListSessions(
            session_pb2.ListSessionsRequest(page_token=listed.next_page_token), metadata=metadata
        )
    assert await house.shop.is_live(owner)


async def test_the_address_of_a_caller_that_may_not_state_one_is_ignored(house: House) -> None:
    """Neither session nor history nor budget has the address that `quiet` sends, if any, good or not."""
    user = await house.quiet.new_user()
    for address in ("198.51.100.1", "no address", ""):
        await house.quiet.sign_in(user, client=sign_in_pb2.ClientContext(ip_address=address))
        assert user.session.ip_address == ""
    with refused("INVALID_CREDENTIALS"):
        await house.quiet.sign_in(
            user, password="wrong horse", client=sign_in_pb2.ClientContext(ip_address="198.51.100.9")
        )
    history = await house.quiet.accounts.ListSignIns(
        account_pb2.ListSignInsRequest(), metadata=house.quiet.with_session(user)
    )
    assert {entry.ip_address for entry in history.sign_ins} == {""}
    networks = {row[0] for row in await house.db.fetch("SELECT network FROM network_failures")}
    assert any(network.startswith("caller:") for network in networks)
    assert not any("198.51" in network for network in networks)


async def test_a_caller_that_may_not_state_its_client_has_a_budget_of_its_own(house: House) -> None:
    """Its sixth failure of five is TOO_MANY_ATTEMPTS from whatever address, and stops nobody of another caller."""
    await house.shop.app.services.realms.set("default", {"caller_failures_per_hour": "5"})
    await house.db.execute("DELETE FROM network_failures")
    try:
        for number in range(5):
            with refused("INVALID_CREDENTIALS"):
                await house.quiet.sign_in(
                    User(f"nobody{number}@example.org", PASSWORD),
                    client=sign_in_pb2.ClientContext(ip_address=f"198.51.100.{number}"),
                )
        with refused("TOO_MANY_ATTEMPTS"):
            await house.quiet.sign_in(
                User("nobody@example.org", PASSWORD), client=sign_in_pb2.ClientContext(ip_address="203.0.113.77")
            )
        with refused("INVALID_CREDENTIALS"):
            await house.shop.sign_in(User("nobody@example.org", PASSWORD))
    finally:
        await house.shop.app.services.realms.set("default", {"caller_failures_per_hour": ""})
