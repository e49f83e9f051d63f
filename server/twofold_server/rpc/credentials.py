"""Who calls, as metadata and certificate say it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import grpc
from cryptography import x509

from twofold_server.domain.errors import CallerUnknown

AUTHORIZATION: Final = "authorization"
SESSION: Final = "twofold-session"
APPROVER: Final = "twofold-approver"
_SCHEME: Final = "bearer "
_CERTIFICATES_KEPT: Final = 1024

Context = grpc.aio.ServicerContext[bytes, bytes]


def credentials_of(context: Context) -> tuple[str | None, str | None]:
    """The caller's credential and the end user's token; None for what is not there. Raises CallerUnknown.

    Sent twice, they are joined as HTTP joins them, and so are none: which of two counts is nobody's guess.
    """
    authorization: str | None = None
    session: str | None = None
    for key, value in context.invocation_metadata() or ():
        if key == AUTHORIZATION:
            authorization = str(value) if authorization is None else f"{authorization},{value!s}"
        elif key == SESSION:
            session = str(value) if session is None else f"{session},{value!s}"
    if authorization is None:
        return None, session
    if authorization[: len(_SCHEME)].lower() != _SCHEME:
        raise CallerUnknown
    return authorization[len(_SCHEME) :], session


def approver_proof_of(context: Context) -> str | None:
    """A phone's proof; None if there is none, and the two joined, which are none, if there are two."""
    found = [str(value) for key, value in context.invocation_metadata() or () if key == APPROVER]
    return ",".join(found) if found else None


class Certificates:
    """Reads a caller's name from its verified certificate: what follows a configured prefix in its URI or DNS names.

    Exactly one such name must be there; the common name never counts (RFC 9525, section 2).
    """

    def __init__(self, prefixes: Sequence[str]) -> None:
        self._prefixes = tuple(prefixes)
        self._names: dict[bytes, str | None] = {}

    def name_of(self, context: Context) -> str | None:
        """The caller's name; None where it showed no certificate. Raises CallerUnknown where it has not one name."""
        shown = (context.auth_context() or {}).get("x509_pem_cert")
        if not shown:
            return None
        pem = next(iter(shown))
        digest = hashlib.sha256(pem).digest()
        if digest not in self._names:
            while len(self._names) >= _CERTIFICATES_KEPT:
                del self._names[next(iter(self._names))]
            self._names[digest] = self._read(pem)
        name = self._names[digest]
        if name is None:
            raise CallerUnknown
        return name

    def _read(self, pem: bytes) -> str | None:
        try:
            certificate = x509.load_pem_x509_certificate(pem)
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (ValueError, x509.ExtensionNotFound):
            return None
        stated = (
            *names.get_values_for_type(x509.UniformResourceIdentifier),
            *names.get_values_for_type(x509.DNSName),
        )
        found = [
            name.removeprefix(prefix)
            for name in stated
            for prefix in self._prefixes
            if name.startswith(prefix) and name != prefix
        ]
        return found[0] if len(found) == 1 else None
