"""Who a client certificate names, on the listener that demands one."""

import datetime as dt
import ipaddress
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.conftest import Clock
from tests.integration.boundary_setup import GET_SIGNING_KEYS, Failure, assert_reason, serving
from twofold_server.db.pool import Pool, open_pool
from twofold_server.rpc.credentials import Certificates
from twofold_server.rpc.server import Listener, Server, Tls

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    pool = await open_pool(database, 5)
    yield pool
    await pool.close()


class Authority:
    """A certificate authority of the test."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")])
        self.certificate = self._build(self.name, self.key.public_key(), [], authority=True)

    def _build(
        self, name: x509.Name, key: ec.EllipticCurvePublicKey, names: list[x509.GeneralName], *, authority: bool
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, common_name: str, *names: x509.GeneralName) -> tuple[bytes, bytes]:
        """A key and certificate, PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
        certificate = self._build(subject, key.public_key(), list(names), authority=False)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return private, certificate.public_bytes(serialization.Encoding.PEM)


PREFIX = "spiffe://twofold.test/caller/"


@pytest.mark.parametrize(
    ("names", "known"),
    [
        ([x509.UniformResourceIdentifier(PREFIX + "shop")], True),
        ([x509.DNSName("other.test"), x509.UniformResourceIdentifier(PREFIX + "shop")], True),
        ([x509.DNSName("shop")], False),
        ([x509.UniformResourceIdentifier("spiffe://elsewhere.test/caller/shop")], False),
        ([x509.UniformResourceIdentifier(PREFIX + "shop"), x509.UniformResourceIdentifier(PREFIX + "other")], False),
        ([x509.UniformResourceIdentifier(PREFIX)], False),
        ([x509.RFC822Name("shop@twofold.test")], False),
        ([], False),
    ],
)
async def test_a_certificate_names_its_caller_by_one_uri_or_dns_name(
    pool: Pool, clock: Clock, names: list[x509.GeneralName], known: bool
) -> None:
    """On the mTLS listener the caller is the one name with the configured prefix, never the common name."""
    authority = Authority()
    async with serving(pool, clock, development=False, certificates=Certificates([PREFIX])) as rig:
        await rig.caller("shop", ("default", "frontend", False))
        await rig.caller("other", ("default", "frontend", False))
        server = authority.issue("server", x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        # A server of its own, since a started one takes no more listeners.
        second = Server(rig.boundary, rig.health)
        port = second.listen(Listener("127.0.0.1:0", Tls(*server, client_authorities=authority.pem)))
        await second.start()
        key, chain = authority.issue(PREFIX + "shop", *names)
        async with grpc.aio.secure_channel(
            f"127.0.0.1:{port}", grpc.ssl_channel_credentials(authority.pem, key, chain)
        ) as channel:
            method: Any = channel.unary_unary(GET_SIGNING_KEYS)
            call = method(b"", timeout=5)
            if known:
                await call
                assert rig.calls[0][1].caller.name == "shop"
            else:
                with pytest.raises(grpc.aio.AioRpcError) as raised:
                    await call
                assert_reason(Failure.of(raised.value), "CALLER_UNKNOWN", UNAUTHENTICATED)
        async with grpc.aio.secure_channel(f"127.0.0.1:{port}", grpc.ssl_channel_credentials(authority.pem)) as channel:
            bare: Any = channel.unary_unary(GET_SIGNING_KEYS)
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await bare(b"", timeout=5)
            assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
        await second.stop(0)
