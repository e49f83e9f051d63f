"""Who gets through the boundary: callers, realms, sessions, and what the contract demands of each method."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor

from tests.conftest import Clock
from tests.integration.boundary_setup import (
    CHECK_SESSION,
    GET_ACCOUNT,
    GET_SIGNING_KEYS,
    METHODS,
    SIGN_IN,
    SIGN_OUT,
    Failure,
    Rig,
    assert_reason,
    serving,
)
from twofold.v1 import access_pb2, account_pb2, session_pb2
from twofold_server.db.pool import Pool, open_pool
from twofold_server.domain.callers import CallerRefused, Role
from twofold_server.domain.errors import RealmNotFound, SessionEnded, SessionExpired, SessionRequired
from twofold_server.rpc.policy import path_of

DENIED = grpc.StatusCode.PERMISSION_DENIED
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


def access_of(method: MethodDescriptor) -> access_pb2.Access:
    options: Any = method.GetOptions()
    access: access_pb2.Access = options.Extensions[access_pb2.access]
    return access


OF_SESSION = {
    access_pb2.SESSION_REQUIREMENT_ANY,
    access_pb2.SESSION_REQUIREMENT_RECENT_PASSWORD,
    access_pb2.SESSION_REQUIREMENT_RECENT_TWO_FACTOR,
}
TAKE_SESSION = [method for method in METHODS if set(access_of(method).session) <= OF_SESSION]
RECENT_TWO_FACTOR = [
    method for method in METHODS if access_pb2.SESSION_REQUIREMENT_RECENT_TWO_FACTOR in access_of(method).session
]
OF_AGENT = [method for method in METHODS if access_pb2.SESSION_REQUIREMENT_AGENT in access_of(method).session]
NAME_REALM = [method for method in METHODS if "realm_id" in method.input_type.fields_by_name]


def request(method: MethodDescriptor, **fields: object) -> bytes:
    return bytes(message_factory.GetMessageClass(method.input_type)(**fields).SerializeToString())


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    pool = await open_pool(database, 5)
    yield pool
    await pool.close()


@pytest.fixture
async def rig(pool: Pool, clock: Clock) -> AsyncIterator[Rig]:
    async with serving(pool, clock, development=False) as rig:
        await rig.realms.create("second")
        yield rig


def role_for(method: MethodDescriptor) -> str:
    """A role that the method takes."""
    role = access_of(method).caller[0]
    if role == access_pb2.CALLER_ROLE_ANY:
        return "verifier"
    return access_pb2.CallerRole.Name(role).removeprefix("CALLER_ROLE_").lower()


async def agents(rig: Rig) -> None:
    """The realm of agents."""
    await rig.realms.create_reserved("support", "Support desk", {})


async def failing(rig: Rig, method: MethodDescriptor, **arguments: Any) -> Failure:
    return await rig.failure(path_of(method), arguments.pop("raw", b""), **arguments)


async def test_without_a_credential_nobody_is_let_in(rig: Rig) -> None:
    """Outside development every call without a credential, or with one that nobody has, is CALLER_UNKNOWN."""
    forged = f"tfc_{'0' * 32}_{'A' * 43}"
    for method in METHODS:
        assert_reason(await failing(rig, method), "CALLER_UNKNOWN", UNAUTHENTICATED)
        assert_reason(await failing(rig, method, credential=forged), "CALLER_UNKNOWN", UNAUTHENTICATED)
    assert not rig.calls


async def test_a_caller_reaches_the_methods_of_its_role_and_no_others(rig: Rig) -> None:
    """A caller reaches exactly the methods that name its role, and is told by the others which would do."""
    rig.session("token")
    await agents(rig)
    rig.session("agent", realm="support", second_factor=True, second_factor_age=10)
    for role in Role:
        credential = await rig.caller(f"as-{role.value}", ("default", role.value, True))
        number = access_pb2.CallerRole.Value(f"CALLER_ROLE_{role.name}")
        for method in METHODS:
            taken, before = set(access_of(method).caller), len(rig.calls)
            if number in taken or access_pb2.CALLER_ROLE_ANY in taken:
                # Of the desk's a front end may only bring a link's token.
                link = {"case_token": "anything"} if method.name == "CancelCase" and role is Role.FRONTEND else {}
                await rig.raw(
                    path_of(method),
                    request(method, **link),
                    credential=credential,
                    session="agent" if method in OF_AGENT else "token",
                    metadata=(("twofold-approver", "phone"),),
                )
                assert len(rig.calls) == before + 1
                continue
            failure = await failing(rig, method, credential=credential, session="token")
            assert_reason(failure, "CALLER_NOT_PERMITTED", DENIED)
            assert failure.details["ErrorInfo"].metadata["roles"] == ",".join(
                sorted(access_pb2.CallerRole.Name(role).removeprefix("CALLER_ROLE_") for role in taken)
            )
            assert len(rig.calls) == before


async def test_another_realm_answers_as_one_that_there_is_not(rig: Rig) -> None:
    """Of a realm without a grant a caller learns nothing: same code, text and details as for an invented one."""
    rig.session("token", realm="second")
    for method in NAME_REALM:
        credential = await rig.caller(method.name.lower(), ("default", role_for(method), False))
        failures = [
            await failing(rig, method, raw=request(method, realm_id=realm), credential=credential, session="token")
            for realm in ("second", "invented", "Not a realm id \x00", "x" * 10_000)
        ]
        for failure in failures:
            assert_reason(failure, "REALM_NOT_FOUND", grpc.StatusCode.NOT_FOUND)
            assert failure.fields == ["realm_id"]
            assert failure.message == failures[0].message
            assert failure.details == failures[0].details
    assert not rig.calls


async def test_the_realm_is_the_named_one_or_the_only_one(rig: Rig) -> None:
    """`call.realm` is the realm of the request; empty stands for the caller's only one, and is refused with several."""
    one = await rig.caller("one", ("default", "frontend", False))
    both = await rig.caller("both", ("default", "frontend", False), ("second", "frontend", False))
    mixed = await rig.caller("mixed", ("default", "frontend", False), ("second", "verifier", False))
    for credential, realm, expected in (
        (one, "", "default"),
        (one, "default", "default"),
        (both, "second", "second"),
        (mixed, "", "default"),
    ):
        await rig.raw(SIGN_IN, account_pb2.SignInRequest(realm_id=realm).SerializeToString(), credential=credential)
        assert rig.calls[-1][1].realm == expected
    assert_reason(await rig.failure(SIGN_IN, credential=both), "REALM_NOT_FOUND", grpc.StatusCode.NOT_FOUND)
    raw = account_pb2.SignInRequest(realm_id="second").SerializeToString()
    assert_reason(await rig.failure(SIGN_IN, raw, credential=mixed), "CALLER_NOT_PERMITTED", DENIED)


async def test_a_session_is_demanded_where_the_contract_says_so(rig: Rig) -> None:
    """Without a token, with one that is refused, expired or ended, no such method is reached; with a live one it is."""
    rig.sessions.outcomes["expired"] = SessionExpired()
    rig.sessions.outcomes["ended"] = SessionEnded()
    session = rig.session("token")
    for method in TAKE_SESSION:
        credential = await rig.caller(method.name.lower(), ("default", role_for(method), True))
        for nothing in (None, ""):
            failure = await failing(rig, method, credential=credential, session=nothing)
            assert_reason(failure, "SESSION_REQUIRED", UNAUTHENTICATED)
        for token, reason in (("forged", "INVALID"), ("expired", "EXPIRED"), ("ended", "ENDED")):
            failure = await failing(rig, method, credential=credential, session=token)
            assert_reason(failure, f"SESSION_{reason}", UNAUTHENTICATED)
        assert not rig.calls
        rig.sessions.asked.clear()
        await rig.raw(path_of(method), credential=credential, session="token")
        _, call = rig.calls.pop()
        if access_of(method).any_client:
            assert call.token.session_id == session.session_id
            assert {way for way, _, _ in rig.sessions.asked} == {"memory"}
        else:
            assert call.user is session
            assert {way for way, _, _ in rig.sessions.asked} == {"row"}
        assert call.realm == "default"


async def test_a_session_of_another_realm_is_refused(rig: Rig) -> None:
    """A token of a realm in which the caller has not the role reaches nothing."""
    rig.session("token", realm="second")
    for method in TAKE_SESSION:
        name = method.name.lower()
        credential = await rig.caller(name, ("default", role_for(method), True), ("second", "admin", True))
        failure = await failing(rig, method, credential=credential, session="token")
        assert_reason(failure, "CALLER_NOT_PERMITTED", DENIED)
    assert not rig.calls


async def test_a_session_must_be_of_the_realm_that_is_named(rig: Rig) -> None:
    """CheckSession of one realm with a token of another is SESSION_INVALID, though the caller has both."""
    credential = await rig.caller("api", ("default", "verifier", False), ("second", "verifier", False))
    rig.session("token", realm="second")
    raw = session_pb2.CheckSessionRequest(realm_id="default", audience="api").SerializeToString()
    failure = await rig.failure(CHECK_SESSION, raw, credential=credential, session="token")
    assert_reason(failure, "SESSION_INVALID", UNAUTHENTICATED)


async def test_a_recent_second_factor_is_demanded(rig: Rig) -> None:
    """With a factor enrolled its proof of the last 10 min counts, a recent password does not; without one it does."""
    credential = await rig.caller("shop", ("default", "frontend", True))
    cases: list[tuple[dict[str, Any], str]] = [
        ({"second_factor": True}, "RECENT_TWO_FACTOR_REQUIRED"),
        ({"second_factor": True, "second_factor_age": 601}, "RECENT_TWO_FACTOR_REQUIRED"),
        ({"second_factor": True, "second_factor_age": 599, "password_age": 9999}, ""),
        ({"password_age": 601}, "RECENT_PASSWORD_REQUIRED"),
        ({"password_age": 601, "second_factor_age": 10}, "RECENT_PASSWORD_REQUIRED"),
        ({"password_age": 599}, ""),
    ]
    assert {"BeginEnrollment", "RemoveFactor"} <= {method.name for method in RECENT_TWO_FACTOR}
    for method in RECENT_TWO_FACTOR:
        for proofs, reason in cases:
            rig.session("token", **proofs)
            rig.calls.clear()
            if reason:
                failure = await failing(rig, method, credential=credential, session="token")
                assert_reason(failure, reason, DENIED)
            else:
                await rig.raw(path_of(method), credential=credential, session="token")
            assert len(rig.calls) == (0 if reason else 1), proofs


async def test_what_counts_as_recent_is_the_realms_setting(rig: Rig) -> None:
    """`recent_proof` moves the limit."""
    await rig.realms.set("default", {"recent_proof": "2m"})
    credential = await rig.caller("shop", ("default", "frontend", True))
    rig.session("token", password_age=150)
    (method, *_) = RECENT_TWO_FACTOR
    failure = await failing(rig, method, credential=credential, session="token")
    assert_reason(failure, "RECENT_PASSWORD_REQUIRED", DENIED)


async def test_a_ticket_stands_for_a_session(rig: Rig) -> None:
    """SignOut goes through with a refresh token, also beside an expired access token; with neither it is refused."""
    credential = await rig.caller("shop", ("default", "frontend", False))
    assert_reason(await rig.failure(SIGN_OUT, credential=credential), "SESSION_REQUIRED", UNAUTHENTICATED)
    rig.sessions.outcomes["expired"] = SessionExpired()
    failure = await rig.failure(SIGN_OUT, credential=credential, session="expired")
    assert_reason(failure, "SESSION_EXPIRED", UNAUTHENTICATED)
    raw = session_pb2.SignOutRequest(refresh_token="anything").SerializeToString()
    await rig.raw(SIGN_OUT, raw, credential=credential, session="expired")
    await rig.raw(SIGN_OUT, raw, credential=credential)
    assert [call.session for _, call in rig.calls] == [None, None]
    with pytest.raises(SessionRequired):
        _ = rig.calls[0][1].user
    with pytest.raises(RealmNotFound):
        _ = rig.calls[0][1].realm
    session = rig.session("live")
    await rig.raw(SIGN_OUT, credential=credential, session="live")
    assert rig.calls[-1][1].session is session


async def test_a_token_is_not_looked_at_where_none_is_taken(rig: Rig) -> None:
    """SignIn with somebody's token in metadata is a sign-in without one."""
    credential = await rig.caller("shop", ("default", "frontend", False))
    await rig.raw(SIGN_IN, credential=credential, session="anything")
    assert rig.calls[0][1].session is None
    assert not rig.sessions.asked


async def test_an_ended_caller_is_refused_within_five_seconds(rig: Rig, clock: Clock) -> None:
    """The credential of an ended caller stops to work once the cache has aged, without a restart."""
    credential = await rig.caller("shop", ("default", "frontend", False))
    await rig.raw(GET_SIGNING_KEYS, credential=credential)
    await rig.callers.end("shop")
    clock.advance(5.1)
    failure = await rig.failure(GET_SIGNING_KEYS, credential=credential)
    assert_reason(failure, "CALLER_UNKNOWN", UNAUTHENTICATED)
    with pytest.raises(CallerRefused):
        await rig.callers.end("shop")


async def test_a_new_grant_works_within_five_seconds(rig: Rig, clock: Clock) -> None:
    """A role granted while the server runs is there once the cache has aged."""
    credential = await rig.caller("shop", ("default", "verifier", False))
    rig.session("token")
    failure = await rig.failure(GET_ACCOUNT, credential=credential, session="token")
    assert_reason(failure, "CALLER_NOT_PERMITTED", DENIED)
    await rig.caller("other", ("default", "frontend", False))
    await rig.pool.execute(
        "INSERT INTO caller_grants SELECT caller_id, 'default', 'frontend', false, now() FROM callers"
        " WHERE name = 'shop'"
    )
    clock.advance(5.1)
    await rig.raw(GET_ACCOUNT, credential=credential, session="token")


async def test_the_callers_word_on_its_client(rig: Rig) -> None:
    """Only a grant in the realm makes a caller believed; over several possible realms it must hold in each."""
    stating = await rig.caller("stating", ("default", "frontend", True), ("second", "frontend", False))
    await rig.realms.set("default", {"global_addresses_only": "true"})
    for realm, stated, global_only in (("default", True, True), ("second", False, False)):
        await rig.raw(SIGN_IN, account_pb2.SignInRequest(realm_id=realm).SerializeToString(), credential=stating)
        rule = rig.calls[-1][1].client_rule
        assert (rule.stated, rule.address_required, rule.global_only) == (stated, stated, global_only)
    await rig.raw("/twofold.v1.AccountService/ActivateAccount", credential=stating)
    assert not rig.calls[-1][1].client_rule.stated


def agent_session(rig: Rig, **proofs: Any) -> None:
    """An agent's session that goes by `agent`; with a recent second factor unless said otherwise."""
    rig.session("agent", **{"realm": "support", "second_factor": True, "second_factor_age": 10, **proofs})


async def test_the_desk_demands_an_agents_recent_second_factor(rig: Rig) -> None:
    """Not an old proof, not a password where nothing is enrolled, not a weaker factor, not another realm's session."""
    await agents(rig)
    credential = await rig.caller("desk", ("default", "support", False), ("support", "frontend", True))
    cases: list[tuple[dict[str, Any], str, grpc.StatusCode]] = [
        ({"second_factor": False, "second_factor_age": None}, "RECENT_TWO_FACTOR_REQUIRED", DENIED),
        ({"second_factor_age": None}, "RECENT_TWO_FACTOR_REQUIRED", DENIED),
        ({"second_factor_age": 601}, "RECENT_TWO_FACTOR_REQUIRED", DENIED),
        ({"factor_strength": 2}, "RECENT_TWO_FACTOR_REQUIRED", DENIED),
        ({"realm": "default"}, "SESSION_INVALID", UNAUTHENTICATED),
        ({"realm": "second"}, "SESSION_INVALID", UNAUTHENTICATED),
    ]
    assert len(OF_AGENT) == 11
    for method in OF_AGENT:
        for proofs, reason, code in cases:
            agent_session(rig, **proofs)
            raw = request(method, realm_id="default")
            assert_reason(await failing(rig, method, raw=raw, credential=credential, session="agent"), reason, code)
        failure = await failing(rig, method, raw=request(method, realm_id="default"), credential=credential)
        assert_reason(failure, "SESSION_REQUIRED", UNAUTHENTICATED)
    assert not rig.calls


async def test_the_desk_is_that_of_the_named_realm(rig: Rig) -> None:
    """`call.realm` is the realm worked on, `call.user` the agent; a role in the agents' own realm opens no other."""
    await agents(rig)
    agent_session(rig)
    one = await rig.caller("one", ("default", "support", False), ("support", "frontend", True))
    both = await rig.caller(
        "both", ("default", "support", False), ("second", "support", False), ("support", "frontend", True)
    )
    front = await rig.caller("front", ("default", "frontend", True), ("support", "frontend", True))
    own = await rig.caller("own", ("support", "support", False), ("default", "frontend", True))
    for method in OF_AGENT:
        for credential, realm, expected in ((one, "", "default"), (both, "second", "second"), (own, "", "support")):
            await rig.raw(path_of(method), request(method, realm_id=realm), credential=credential, session="agent")
            call = rig.calls[-1][1]
            assert (call.realm, call.user.realm_id) == (expected, "support")
        before = len(rig.calls)
        for credential, realm, reason, code in (
            (one, "second", "REALM_NOT_FOUND", grpc.StatusCode.NOT_FOUND),
            (one, "support", "CALLER_NOT_PERMITTED", DENIED),
            (both, "", "REALM_NOT_FOUND", grpc.StatusCode.NOT_FOUND),
            (front, "default", "CALLER_NOT_PERMITTED", DENIED),
            (own, "default", "CALLER_NOT_PERMITTED", DENIED),
        ):
            raw = request(method, realm_id=realm)
            failure = await failing(rig, method, raw=raw, credential=credential, session="agent")
            assert_reason(failure, reason, code)
        assert len(rig.calls) == before


async def test_a_notices_link_needs_no_agent(rig: Rig) -> None:
    """CancelCase with a link's token goes through without a session; one that is sent along is not looked at."""
    await agents(rig)
    agent_session(rig)
    cancel = next(method for method in OF_AGENT if method.name == "CancelCase")
    credential = await rig.caller("shop", ("default", "frontend", True), ("second", "frontend", True))
    for fields in ({"case_token": "anything"}, {"case_token": "anything", "realm_id": "second"}):
        for session in (None, "agent"):
            await rig.raw(path_of(cancel), request(cancel, **fields), credential=credential, session=session)
            call = rig.calls[-1][1]
            assert call.session is None
            assert call.named_realm == fields.get("realm_id")
            assert call.realms == ("default", "second")
