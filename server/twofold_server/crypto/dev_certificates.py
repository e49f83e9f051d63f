"""Certificates for trying things out: an authority of one's own, a server's certificate, callers' certificates."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME: Final = timedelta(days=365)
CALLER_PREFIX: Final = "twofold://caller/"
"""What stands before a caller's name in the URI of its certificate."""

# A clock that is a little behind must not refuse what was just made.
_LEEWAY: Final = timedelta(minutes=5)


class CertificateUnreadable(Exception):
    """The authority's certificate or key is not one of ours."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM texts: the certificate, and its key without a password."""

    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        return "Certificate(...)"


class Authority:
    """A local certificate authority: P-256, for a year, for no authority below it (RFC 5280)."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key

    @classmethod
    def create(cls, now: datetime) -> Self:
        """Make a new one."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _named("Twofold development authority")
        builder = (
            _builder(subject, subject, key.public_key(), now)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
        )
        return cls(builder.sign(key, hashes.SHA256()), key)

    @classmethod
    def load(cls, pem: Certificate) -> Self:
        """Read one back. Raises CertificateUnreadable."""
        try:
            certificate = x509.load_pem_x509_certificate(pem.certificate)
            key = serialization.load_pem_private_key(pem.key, password=None)
        except (ValueError, TypeError):
            raise CertificateUnreadable("the authority's files cannot be read") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise CertificateUnreadable("the authority's certificate and key do not belong together")
        return cls(certificate, key)

    @property
    def pem(self) -> Certificate:
        """Its own certificate and key."""
        return _pem(self._certificate, self._key)

    def issue_server(self, names: Sequence[str], now: datetime) -> Certificate:
        """A server's certificate for host names and IP addresses."""
        return self._issue(names[0], [_host(name) for name in names], ExtendedKeyUsageOID.SERVER_AUTH, now)

    def issue_caller(self, name: str, now: datetime) -> Certificate:
        """A calling service's certificate: its name stands in a URI, after CALLER_PREFIX."""
        uri = x509.UniformResourceIdentifier(CALLER_PREFIX + name)
        return self._issue(name, [uri], ExtendedKeyUsageOID.CLIENT_AUTH, now)

    def _issue(
        self, name: str, names: list[x509.GeneralName], use: x509.ObjectIdentifier, now: datetime
    ) -> Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = (
            _builder(_named(name[:64]), self._certificate.subject, key.public_key(), now)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .add_extension(signer, critical=False)
        )
        return _pem(builder.sign(self._key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _LEEWAY)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Certificate:
    return Certificate(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
