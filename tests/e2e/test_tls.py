"""The server as it runs for real: TLS, callers made by the command line, certificates of callers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.e2e.authority import Authority
from tests.e2e.conftest import Launch
from tests.e2e.program import run
from tests.e2e.secured import Secured
from tests.e2e.secured import secured as start_secured
from twofold import Client, InvalidFields, PermissionDenied, TlsOptions, TwofoldError, Unauthenticated, Unavailable
from twofold.v1 import account_pb2, session_pb2, sign_in_pb2

SIDE = sign_in_pb2.ClientContext(ip_address="192.0.2.7", user_agent="Test/1.0")
SIGN_UP = account_pb2.SignUpRequest(email="ada@example.org", password="correct horse battery 9", client=SIDE)
KEYS = session_pb2.GetSigningKeysRequest()


@pytest.fixture
async def secured(database: str, tmp_path: Path, launch: Launch) -> Secured:
    """A server with TLS, mutual TLS beside it, a front end `shop` and a verifier `api`."""
    return await start_secured(database, tmp_path, launch)


async def test_a_caller_with_its_credential(secured: Secured) -> None:
    """A front end calls over TLS with the credential that the command line printed, until the command line ends it."""
    async with secured.client(secured.shop) as client:
        assert (await client.accounts.SignUp(SIGN_UP)).sign_up_binding
        without_address = account_pb2.SignUpRequest(email="ada@example.org", password="correct horse battery 9")
        with pytest.raises(InvalidFields) as refusal:
            await client.accounts.SignUp(without_address)
        assert [violation.field for violation in refusal.value.field_violations] == ["client.ip_address"]
    async with secured.client(secured.api) as client:
        assert (await client.sessions.GetSigningKeys(KEYS)).keys
        with pytest.raises(PermissionDenied) as denial:
            await client.accounts.SignUp(SIGN_UP)
        assert denial.value.reason == "CALLER_NOT_PERMITTED"
        ended = await run(secured.program.environment, "caller", "end", "api")
        assert ended.code == 0, ended
        with pytest.raises(Unauthenticated):
            # The server may hold on to what it knew of a caller for 5 s.
            for _ in range(60):
                await client.sessions.GetSigningKeys(KEYS)
                await asyncio.sleep(0.1)


async def test_a_rotated_credential(secured: Secured) -> None:
    """The new credential is good within 5 s and the old one beside it, until it is rotated without an overlap."""

    async def is_good(credential: str) -> bool:
        async with secured.client(credential) as client:
            try:
                await client.sessions.GetSigningKeys(KEYS)
            except Unauthenticated as refusal:
                assert refusal.reason == "CALLER_UNKNOWN"
                return False
            return True

    async def within_five_seconds(credential: str, good: bool) -> None:
        async with asyncio.timeout(10):
            while await is_good(credential) is not good:
                await asyncio.sleep(0.1)

    assert await is_good(secured.api)
    rotated = await run(secured.program.environment, "caller", "rotate", "api", "--overlap", "10m")
    assert rotated.code == 0, rotated
    second = rotated.out.strip()
    await within_five_seconds(second, good=True)
    assert await is_good(secured.api)
    third = (await run(secured.program.environment, "caller", "rotate", "api", "--overlap", "0s")).out.strip()
    await within_five_seconds(third, good=True)
    assert [await is_good(credential) for credential in (secured.api, second, third)] == [False, False, True]
    log = secured.program.log.read_text()
    for credential in (secured.api, second, third):
        assert credential[37:] not in log


async def test_callers_that_prove_nothing(secured: Secured) -> None:
    """No, wrong and altered credentials are CALLER_UNKNOWN; plain text and an unknown authority make no connection."""
    changed = secured.shop[:-1] + ("A" if secured.shop[-1] != "A" else "B")
    for credential in (None, "junk", changed, secured.shop + "A", secured.shop.swapcase()):
        async with secured.client(credential) as client:
            for call in (client.accounts.SignUp(SIGN_UP), client.sessions.GetSigningKeys(KEYS)):
                with pytest.raises(Unauthenticated) as refusal:
                    await call
                assert refusal.value.reason == "CALLER_UNKNOWN"
    async with Client(f"127.0.0.1:{secured.port}") as client:
        with pytest.raises(Unavailable):
            await client.accounts.SignUp(SIGN_UP, timeout=2.0)
    other = TlsOptions(Authority("Servers").certificate)
    async with Client(f"localhost:{secured.port}", credential=secured.shop, tls=other) as client:
        with pytest.raises(Unavailable):
            await client.accounts.SignUp(SIGN_UP, timeout=2.0)


async def test_callers_by_certificate(secured: Secured) -> None:
    """On the second listener a caller is the one URI of its certificate; no other name or authority counts."""

    async def answer(certificate_of: Authority, *names: str) -> str:
        certificate = certificate_of.service(*names)
        tls = TlsOptions(secured.authority.certificate, certificate.chain, certificate.key)
        async with Client(f"localhost:{secured.mtls_port}", tls=tls) as client:
            try:
                await client.accounts.SignUp(SIGN_UP, timeout=2.0)
            except TwofoldError as error:
                return error.reason or error.code.name
            return "OK"

    assert await answer(secured.clients, "spiffe://shop.test/shop") == "OK"
    assert await answer(secured.clients, "spiffe://shop.test/api") == "CALLER_NOT_PERMITTED"
    assert await answer(secured.clients, "spiffe://shop.test/nobody") == "CALLER_UNKNOWN"
    assert await answer(secured.clients, "spiffe://other.test/shop") == "CALLER_UNKNOWN"
    assert await answer(secured.clients, "spiffe://shop.test/shop", "spiffe://shop.test/api") == "CALLER_UNKNOWN"
    assert await answer(Authority("Callers"), "spiffe://shop.test/shop") == "UNAVAILABLE"
    async with Client(f"localhost:{secured.mtls_port}", credential=secured.shop, tls=secured.tls) as client:
        with pytest.raises(Unavailable):
            await client.accounts.SignUp(SIGN_UP, timeout=2.0)
