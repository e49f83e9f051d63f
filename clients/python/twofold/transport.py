"""Where a client connects, and how: the target, TLS and the options of the channel."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from twofold._version import __version__

_HOST_AND_PORT = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[0-9A-Za-z.-]+))(?::\d{1,5})?")
_UNIX_SCHEMES = ("unix:", "unix-abstract:")
_ADDRESS_SCHEMES = ("dns:///", "dns:", "ipv4:", "ipv6:")


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """How the channel is secured; certificates and key are PEM.

    Raises ValueError if only one of client certificate and key is given.
    """

    root_certificates: bytes | None = field(default=None, repr=False)
    """The authorities that the server's certificate may come from; None: those that grpc ships with."""
    client_certificate: bytes | None = field(default=None, repr=False)
    """This service's own certificate chain, where the server knows its callers by certificate (mutual TLS)."""
    client_key: bytes | None = field(default=None, repr=False)
    """The private key of that certificate."""
    server_name: str | None = None
    """The name that the server's certificate must carry; None: the host of the target."""

    def __post_init__(self) -> None:
        if (self.client_certificate is None) != (self.client_key is None):
            raise ValueError("a client certificate and its key are given together or not at all")

    @classmethod
    def from_files(
        cls,
        root_certificates: str | Path | None = None,
        client_certificate: str | Path | None = None,
        client_key: str | Path | None = None,
        server_name: str | None = None,
    ) -> TlsOptions:
        """Read the PEM files. Raises OSError where one can't be read."""
        roots, certificate, key = (
            None if path is None else Path(path).read_bytes()
            for path in (root_certificates, client_certificate, client_key)
        )
        return cls(roots, certificate, key, server_name)

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Give the same as grpc takes it."""
        return grpc.ssl_channel_credentials(self.root_certificates, self.client_key, self.client_certificate)


def require_safe_target(target: str, tls: TlsOptions | None) -> None:
    """Refuse a target to which passwords and tokens would travel in the clear.

    Raises ValueError if there is neither TLS nor a loopback address or unix socket.
    """
    if not target:
        raise ValueError("the target is empty; give one such as auth.example.com:443")
    if tls is None and not is_local(target):
        raise ValueError(
            f"{target!r} is not a loopback address or unix socket: passwords and tokens would cross the network in the "
            "clear, so tls=TlsOptions(...) is required"
        )


def is_local(target: str) -> bool:
    """Tell whether every address of a grpc target is on this machine. What is not understood is not."""
    if target.startswith(_UNIX_SCHEMES):
        return True
    scheme = next((scheme for scheme in _ADDRESS_SCHEMES if target.startswith(scheme)), "")
    # Only ipv4: and ipv6: take several addresses, but one host never has a comma in it.
    return all(_is_loopback(address) for address in target.removeprefix(scheme).split(","))


def _is_loopback(address: str) -> bool:
    match = _HOST_AND_PORT.fullmatch(address)
    if not match:
        return False
    host = match["v6"] or match["host"]
    if host.casefold() == "localhost":  # RFC 6761: always this machine
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def channel_options(tls: TlsOptions | None, user_agent: str) -> list[tuple[str, str | int]]:
    """Give the options of a channel."""
    product = f"twofold-python/{__version__}"
    options: list[tuple[str, str | int]] = [
        ("grpc.primary_user_agent", f"{user_agent} {product}" if user_agent else product),
        # A service config, which a DNS record can bring, may make grpc resend any method, SignIn included. grpc's
        # transparent retries stay on: they resend only what no server has looked at.
        ("grpc.service_config_disable_resolution", 1),
        # Or clients with the same options would share one connection, and closing one would not close it.
        ("grpc.use_local_subchannel_pool", 1),
        # Finds a connection that has gone silent while calls wait on it; an idle one is not pinged, so no server minds.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 0),
        # While grpc waits to reconnect every call fails at once, so it must not wait longer than calls are retried for.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 2_000),
        ("grpc.max_reconnect_backoff_ms", 2_000),
    ]
    if tls is None:
        # Or `http_proxy` of the environment would take the plain text of a loopback connection elsewhere.
        options.append(("grpc.enable_http_proxy", 0))
    elif tls.server_name is not None:
        options.append(("grpc.ssl_target_name_override", tls.server_name))
    return options
