"""What the client must never show."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import grpc
import pytest

from tests.integration.client.fake_server import bare, fails
from twofold import Client, SyncClient, TlsOptions, TwofoldError
from twofold.calls import Policy
from twofold.v1 import account_pb2

if TYPE_CHECKING:
    from tests.integration.client.conftest import Connect
    from tests.integration.client.fake_server import FakeServer

CREDENTIAL = "credential-5b1f0c"
PASSWORD = "Tr0ub4dor-and-more"
SESSION = "eyJhbGciOi.access-token.c2ln"
SECRETS = (CREDENTIAL, PASSWORD, SESSION)
Code = grpc.StatusCode


def shows_a_secret(text: str) -> list[str]:
    """The secrets that stand in a text."""
    return [secret for secret in SECRETS if secret in text]


async def test_no_secret_in_errors_or_logs(
    fake: FakeServer, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    """Errors, their reprs and the log of every logger at DEBUG hold neither credential, password nor access token."""
    caplog.set_level(logging.DEBUG)
    fake.will(
        bare(Code.CANCELLED),  # repeated, and logged
        bare(
            Code.UNKNOWN, f"Unexpected <class 'ValueError'>: {PASSWORD} {SESSION}"
        ),  # as grpc tells an uncaught exception
        fails(Code.UNAUTHENTICATED, "INVALID_CREDENTIALS"),
        bare(Code.UNAVAILABLE),
    )
    request = account_pb2.SignInRequest(email="ada@example.com", password=PASSWORD)
    texts = []
    async with connect(fake.target, credential=CREDENTIAL) as call:
        for _ in range(3):
            with pytest.raises(TwofoldError) as caught:
                await call("accounts.SignIn", request, session=SESSION)
            texts += [str(caught.value), repr(caught.value)]
    assert "SignIn: CANCELLED, attempt 1" in caplog.text
    assert len(fake.seen) == 4
    assert shows_a_secret(caplog.text) == []
    assert shows_a_secret(" ".join(texts)) == []


async def test_no_secret_in_reprs() -> None:
    """Clients, their parts and TLS options can be printed."""
    tls = TlsOptions(b"roots", b"certificate", CREDENTIAL.encode())
    client, sync_client = Client("127.0.0.1:1", credential=CREDENTIAL), SyncClient("127.0.0.1:1", credential=CREDENTIAL)
    shown = [tls, client, sync_client, client.accounts, sync_client.accounts.SignIn, Policy(CREDENTIAL, 5, 3)]
    assert shows_a_secret(" ".join(f"{thing!r} {thing!s}" for thing in shown)) == []
    await client.close()
    sync_client.close()


async def test_rejected_metadata_is_not_quoted(fake: FakeServer, connect: Connect) -> None:
    """grpc quotes metadata that it refuses; a malformed token is refused before it gets there."""
    async with connect(fake.target, credential=CREDENTIAL) as call:
        with pytest.raises(TwofoldError) as caught:
            await call("accounts.GetAccount", account_pb2.GetAccountRequest(), session=f"{SESSION}\n")
    assert caught.value.__cause__ is None
    assert shows_a_secret(repr(caught.value)) == []
