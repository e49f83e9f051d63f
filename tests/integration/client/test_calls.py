"""What a call carries to the server and brings back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.protobuf import message_factory

from tests.integration.client.conftest import CREDENTIAL
from tests.integration.client.fake_server import hangs
from tests.integration.client.render_services import SERVICES_FILE, render, service_files
from twofold import Client, DeadlineExceeded, SessionEnded, SyncClient, Unavailable, __version__
from twofold.v1 import account_pb2, session_pb2

if TYPE_CHECKING:
    from tests.integration.client.conftest import Call, Connect
    from tests.integration.client.fake_server import FakeServer


async def test_request_and_response_are_the_messages_of_the_contract(fake: FakeServer, call: Call) -> None:
    """The server gets the request as it was made; the caller gets the response message."""
    request = account_pb2.SignInRequest(email="ada@example.com", password="correct horse")
    response = await call("accounts.SignIn", request)
    assert isinstance(response, account_pb2.SignInResponse)
    assert fake.seen[0].request == request


async def test_credential_and_access_token_travel_as_metadata(fake: FakeServer, call: Call) -> None:
    """The credential is a bearer token, the access token `twofold-session`."""
    await call("accounts.GetAccount", account_pb2.GetAccountRequest(), session="access.token.sig")
    assert fake.seen[0].metadata["authorization"] == f"Bearer {CREDENTIAL}"
    assert fake.seen[0].metadata["twofold-session"] == "access.token.sig"


async def test_nothing_is_sent_that_was_not_given(fake: FakeServer, connect: Connect) -> None:
    """Without credential and access token neither is in the metadata; an empty token is none."""
    async with connect(fake.target) as call:
        await call("accounts.GetAccount", account_pb2.GetAccountRequest(), session="")
    assert not {"authorization", "twofold-session"} & fake.seen[0].metadata.keys()


async def test_user_agent_names_the_caller_and_the_client(fake: FakeServer, connect: Connect) -> None:
    """The user agent starts with the caller's own, then the client and its version."""
    async with connect(fake.target, user_agent="shop/2.1") as call:
        await call("sessions.GetSigningKeys", session_pb2.GetSigningKeysRequest())
    assert str(fake.seen[0].metadata["user-agent"]).startswith(f"shop/2.1 twofold-python/{__version__} ")


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "nul\0", "é", "x" * 4097])
async def test_token_that_cannot_be_one_is_an_invalid_session(fake: FakeServer, call: Call, token: str) -> None:
    """An access token that no header can carry ends as at the server, SESSION_INVALID, neither sent nor shown."""
    with pytest.raises(SessionEnded) as caught:
        await call("accounts.GetAccount", account_pb2.GetAccountRequest(), session=token)
    assert caught.value.reason == "SESSION_INVALID"
    assert token not in str(caught.value)
    assert fake.seen == []


@pytest.mark.parametrize("kind", [Client, SyncClient])
@pytest.mark.parametrize("credential", ["", "two words", "line\r\nbreak"])
async def test_malformed_credential_is_refused_unshown(kind: type[Client | SyncClient], credential: str) -> None:
    """A credential that no header can carry is a ValueError at the start, which does not quote it."""
    with pytest.raises(ValueError, match="printable ASCII") as caught:
        kind("127.0.0.1:1", credential=credential)
    assert not credential or credential not in str(caught.value)


async def test_message_of_another_method_is_refused(fake: FakeServer, call: Call) -> None:
    """A request of the wrong type is a TypeError, not a request whose fields are read as others."""
    with pytest.raises(TypeError, match="SignIn takes a SignInRequest, not a SignUpRequest"):
        await call("accounts.SignIn", account_pb2.SignUpRequest())
    assert fake.seen == []


async def test_every_call_has_a_deadline(fake: FakeServer, connect: Connect) -> None:
    """The client's deadline reaches the server, and `timeout` takes its place for one call."""
    async with connect(fake.target, deadline=7) as call:
        await call("accounts.GetAccount", account_pb2.GetAccountRequest())
        await call("accounts.GetAccount", account_pb2.GetAccountRequest(), timeout=2)
    assert 5 < fake.seen[0].seconds_left < 8
    assert 0 < fake.seen[1].seconds_left < 3  # the server rounds up


async def test_default_deadline_is_five_seconds(fake: FakeServer, call: Call) -> None:
    """A client that was told nothing gives each call 5 s."""
    await call("accounts.GetAccount", account_pb2.GetAccountRequest())
    assert 3 < fake.seen[0].seconds_left < 6


async def test_server_that_hangs_ends_the_call_at_its_deadline(fake: FakeServer, call: Call) -> None:
    """DeadlineExceeded is raised, and the call is not made again."""
    fake.will(hangs)
    with pytest.raises(DeadlineExceeded):
        await call("accounts.GetAccount", account_pb2.GetAccountRequest(), timeout=0.2)
    assert fake.methods() == ["GetAccount"]


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
async def test_timeout_that_is_none_is_refused(call: Call, seconds: float) -> None:
    """No call can be made without a deadline."""
    with pytest.raises(ValueError, match="timeout must be a positive number of seconds"):
        await call("accounts.GetAccount", account_pb2.GetAccountRequest(), timeout=seconds)


async def test_both_clients_have_every_method_of_the_contract(fake: FakeServer, call: Call) -> None:
    """Each method found in the descriptors can be called and answers with its own response."""
    names = {
        "AccountService": "accounts",
        "RecoveryService": "recovery",
        "SessionService": "sessions",
        "SupportService": "support",
        "TwoFactorService": "two_factor",
    }
    services = [service for file in service_files() for service in file.services_by_name.values()]
    wanted = []
    for service in services:
        for method in service.methods:
            request = message_factory.GetMessageClass(method.input_type)()
            response = await call(f"{names[service.name]}.{method.name}", request)
            if method.server_streaming:
                [response] = response
            assert response.DESCRIPTOR.full_name == method.output_type.full_name
            wanted.append(method.name)
    assert fake.methods() == wanted
    assert len(wanted) >= 27


def test_types_of_the_client_are_those_of_the_contract() -> None:
    """`twofold/services.py` is what `python -m tests.integration.client.render_services` writes."""
    assert SERVICES_FILE.read_text(encoding="utf-8") == render()


async def test_closed_client_makes_no_calls(fake: FakeServer) -> None:
    """A call on a closed client is a mistake of the program, and says so."""
    client, sync_client = Client(fake.target), SyncClient(fake.target)
    await client.wait_ready()
    await client.close()
    sync_client.close()
    with pytest.raises(RuntimeError, match="closed"):
        await client.accounts.GetAccount(account_pb2.GetAccountRequest())
    with pytest.raises(RuntimeError, match="closed"):
        sync_client.accounts.GetAccount(account_pb2.GetAccountRequest())


async def test_wait_ready_returns_once_connected_and_raises_where_nobody_listens(fake: FakeServer) -> None:
    """`wait_ready` is quick with a server, and without one raises Unavailable after its timeout."""
    async with Client(fake.target) as client:
        await client.wait_ready(2)
    async with Client("unix:/nowhere/at/all.sock") as client:
        with pytest.raises(Unavailable, match="No connection"):
            await client.wait_ready(0.1)
    with SyncClient("unix:/nowhere/at/all.sock") as sync_client, pytest.raises(Unavailable, match="No connection"):
        sync_client.wait_ready(0.1)
