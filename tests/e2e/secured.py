"""A server outside development, as an operator sets it up: TLS, mutual TLS beside it, callers of the command line."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from tests.e2e.authority import Authority
from tests.e2e.program import Program, environment, free_address, run
from twofold import Client, TlsOptions

PREFIX: Final = "spiffe://shop.test/"
"""What the names of callers by certificate begin with."""
_GRANTS: Final = {"shop": ("frontend",), "api": ("verifier",)}


class Start(Protocol):
    """Starts a server with these settings at an address."""

    async def __call__(self, settings: dict[str, str], address: str, /) -> Program: ...


@dataclass(frozen=True, slots=True)
class Secured:
    """A server outside development, and what its operator made."""

    program: Program
    port: str
    mtls_port: str
    authority: Authority
    clients: Authority
    shop: str
    api: str

    @property
    def tls(self) -> TlsOptions:
        return TlsOptions(self.authority.certificate)

    def client(self, credential: str | None) -> Client:
        return Client(f"localhost:{self.port}", credential=credential, tls=self.tls)


async def secured(
    database: str,
    folder: Path,
    start: Start,
    grants: Mapping[str, tuple[str, ...]] = _GRANTS,
    **more: object,
) -> Secured:
    """Start a server with TLS, mutual TLS beside it, and the callers `shop` and `api` with these roles in `default`."""
    authority, clients = Authority("Servers"), Authority("Callers")
    chain, key = authority.server().write(folder, "server")
    (folder / "clients.crt").write_bytes(clients.certificate)
    (folder / "servers.crt").write_bytes(authority.certificate)
    address, mtls_address = free_address(), free_address()
    given: dict[str, object] = {
        "database_url": database,
        "listen": address,
        "mtls_listen": mtls_address,
        "tls_client_ca_file": folder / "clients.crt",
        "tls_client_name_prefixes": f'["{PREFIX}"]',
        "tls_certificate_file": chain,
        "tls_key_file": key,
        "master_key_file": folder / "master.txt",
        "mail_directory": folder / "sent",
        "hash_slots_directory": folder / "slots",
        "argon2_memory_kib": 8,
        "argon2_time_cost": 1,
    }
    settings = environment(**(given | more))
    (folder / "master.txt").touch(0o600)
    (folder / "master.txt").write_text(secrets.token_hex(32))
    credentials = [await _caller(settings, name, roles) for name, roles in grants.items()]
    program = await start(settings, address)
    port, mtls_port = address.rpartition(":")[2], mtls_address.rpartition(":")[2]
    return Secured(program, port, mtls_port, authority, clients, *credentials)


async def _caller(settings: dict[str, str], name: str, roles: tuple[str, ...]) -> str:
    """Make a caller with these roles; its credential."""
    first, *further = roles
    added = await run(settings, "caller", "add", name, "--realm", "default", "--role", first, "--may-state-client")
    assert added.code == 0, added
    for role in further:
        granted = await run(settings, "caller", "grant", name, "--realm", "default", "--role", role)
        assert granted.code == 0, granted
    return added.out.strip()
