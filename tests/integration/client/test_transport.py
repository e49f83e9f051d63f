"""Where a client connects to, and how well guarded."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.integration.client.fake_server import FakeServer
from twofold import Client, SyncClient, TlsOptions, Unavailable
from twofold.v1 import account_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.integration.client.conftest import Connect

GET_ACCOUNT = account_pb2.GetAccountRequest()


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def pem(self) -> tuple[bytes, bytes]:
        """Key and certificate as PEM."""
        return (
            self.key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
            self.certificate.public_bytes(serialization.Encoding.PEM),
        )


def issue(name: str, issuer: Pair | None = None) -> Pair:
    """A certificate for a DNS name, 127.0.0.1 among its addresses for `localhost`; without an issuer an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer is not None:
        names: list[x509.GeneralName] = [x509.DNSName(name)]
        if name == "localhost":
            names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return Pair(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


@pytest.fixture(scope="module")
def authority() -> Pair:
    """An authority made for the tests."""
    return issue("Test authority")


@pytest.fixture(params=["auth.example.com"])
async def tls_fake(request: pytest.FixtureRequest, authority: Pair) -> AsyncIterator[FakeServer]:
    """A fake server with a certificate of that name, which demands one of its callers in turn."""
    fake = FakeServer()
    server = fake.server()
    credentials = grpc.ssl_server_credentials(
        [issue(request.param, authority).pem()], authority.pem()[1], require_client_auth=True
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    fake.target = f"127.0.0.1:{port}"
    yield fake
    await server.stop(0)


@pytest.mark.parametrize("kind", [Client, SyncClient])
@pytest.mark.parametrize(
    "target",
    [
        "auth.example.com:443",
        "10.0.0.1:50051",
        "0.0.0.0:50051",
        "[::]:50051",
        "192.168.1.5:50051",
        "localhost.example.com:50051",
        "127.0.0.1.example.com:50051",
        "127.0.0.1:50051@example.com",
        "127.1:50051",
        "dns:///auth.example.com:443",
        "dns://127.0.0.1/auth.example.com:443",
        "ipv4:127.0.0.1:1,10.0.0.1:1",
        "xds:///127.0.0.1:50051",
        "DNS:127.0.0.1:1",
        " 127.0.0.1:50051",
        "127.0.0.1:50051\n",
    ],
)
def test_plain_text_stays_on_this_machine(kind: type[Client | SyncClient], target: str) -> None:
    """Without TLS anything but loopback is refused before a connection, and the error says why and what to do."""
    with pytest.raises(ValueError, match=r"in the clear.*TlsOptions"):
        kind(target, credential="secret-credential")


@pytest.mark.parametrize(
    "target",
    [
        "127.0.0.1:50051",
        "127.8.8.8:50051",
        "localhost:50051",
        "[::1]:50051",
        "dns:///localhost:50051",
        "dns:127.0.0.1:50051",
        "ipv4:127.0.0.1:1,127.0.0.2:1",
        "ipv6:[::1]:50051",
        "unix:/run/twofold.sock",
        "unix:///run/twofold.sock",
    ],
)
async def test_loopback_and_unix_sockets_need_no_tls(target: str) -> None:
    """A target on this machine is taken as it is."""
    await Client(target).close()
    SyncClient(target).close()


@pytest.mark.parametrize("kind", [Client, SyncClient])
def test_options_that_make_no_sense_are_refused(kind: type[Client | SyncClient]) -> None:
    """An empty target, a deadline of nothing, negative retries and half a client certificate are ValueErrors."""
    with pytest.raises(ValueError, match="target is empty"):
        kind("", tls=TlsOptions())
    with pytest.raises(ValueError, match="deadline must be"):
        kind("127.0.0.1:1", deadline=0)
    with pytest.raises(ValueError, match="retries must not"):
        kind("127.0.0.1:1", retries=-1)
    with pytest.raises(ValueError, match="together or not at all"):
        TlsOptions(client_key=b"-----BEGIN PRIVATE KEY-----")


async def test_calls_over_a_unix_socket(tmp_path: Path, connect: Connect) -> None:
    """A server behind a unix socket is reached without TLS."""
    fake = FakeServer()
    server = fake.server()
    server.add_insecure_port(f"unix:{tmp_path}/s")
    await server.start()
    async with connect(f"unix:{tmp_path}/s") as call:
        await call("accounts.GetAccount", GET_ACCOUNT)
    assert fake.methods() == ["GetAccount"]
    await server.stop(0)


@pytest.mark.parametrize(
    ("tls_fake", "server_name"), [("localhost", None), ("auth.example.com", "auth.example.com")], indirect=["tls_fake"]
)
async def test_tls_proves_both_sides(
    tls_fake: FakeServer, server_name: str | None, authority: Pair, tmp_path: Path, connect: Connect
) -> None:
    """With the authority, the server's name and an own certificate, read from files, calls go through."""
    key, certificate = issue("shop.example.com", authority).pem()
    for name, pem in (("ca", authority.pem()[1]), ("cert", certificate), ("key", key)):
        (tmp_path / name).write_bytes(pem)
    tls = TlsOptions.from_files(tmp_path / "ca", tmp_path / "cert", tmp_path / "key", server_name)
    async with connect(tls_fake.target, tls=tls, credential="c") as call:
        await call("accounts.GetAccount", GET_ACCOUNT)
    assert tls_fake.seen[0].metadata["authorization"] == "Bearer c"


async def test_server_of_another_authority_or_name_is_refused(
    tls_fake: FakeServer, authority: Pair, connect: Connect
) -> None:
    """A certificate of a strange authority or for a strange name, or a caller without one, means no connection."""
    key, certificate = issue("shop.example.com", authority).pem()
    root = authority.pem()[1]
    for tls in (
        TlsOptions(issue("Strange authority").pem()[1], certificate, key),
        TlsOptions(root, certificate, key, server_name="other.example.com"),
        TlsOptions(root, certificate, key),  # for 127.0.0.1, which is not the server's name
        TlsOptions(root, server_name="auth.example.com"),
    ):
        async with connect(tls_fake.target, tls=tls, retries=0) as call:
            with pytest.raises(Unavailable):
                await call("accounts.GetAccount", GET_ACCOUNT)
    assert tls_fake.seen == []


async def test_plain_text_ignores_a_proxy_of_the_environment(
    fake: FakeServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`http_proxy` does not lead an unencrypted loopback connection, and the credential in it, off the machine."""
    visits = 0

    async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal visits
        visits += 1
        writer.close()

    proxy = await asyncio.start_server(visited, "127.0.0.1", 0)
    for variable in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
    async with connect(fake.target, retries=0) as call:
        await call("accounts.GetAccount", GET_ACCOUNT)
    proxy.close()
    await proxy.wait_closed()
    assert visits == 0
