"""The gRPC server: its listeners, its limits, and its end."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Final

import grpc

from twofold_server.rpc.boundary import Boundary
from twofold_server.rpc.health import Health

# Over this the core refuses by itself, without a reason; the boundary refuses with one from its own, lower limit on.
_CORE_MESSAGE_BYTES: Final = 256 * 1024
_FOREVER: Final = 2**31 - 1
_LAST_WRITES_SECONDS: Final = 1.0


class ListenFailed(Exception):
    """An address can't be listened on; the text says which."""


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM texts: the server's key and chain, and for callers known by certificate the authorities that sign theirs."""

    key: bytes
    chain: bytes
    client_authorities: bytes | None = None

    def __repr__(self) -> str:
        return "Tls(...)"


@dataclass(frozen=True, slots=True)
class Listener:
    """An address, `host:port`, port 0 for any; plaintext without `tls`."""

    address: str
    tls: Tls | None = None


@dataclass(frozen=True, slots=True)
class Transport:
    """Limits of connections: streams at a time on one, its longest age in seconds (0: any), how it is kept alive.

    An aged connection is closed softly, so that callers spread over new servers; `reuse_port` lets several
    processes listen on one port.
    """

    concurrent_streams: int = 1000
    connection_age: float = 600.0
    connection_age_grace: float = 60.0
    reuse_port: bool = False

    def options(self) -> list[tuple[str, int]]:
        """As gRPC core's channel arguments, times in milliseconds."""
        return [
            ("grpc.max_receive_message_length", _CORE_MESSAGE_BYTES),
            ("grpc.max_concurrent_streams", self.concurrent_streams),
            ("grpc.max_connection_age_ms", min(round(self.connection_age * 1000) or _FOREVER, _FOREVER)),
            ("grpc.max_connection_age_grace_ms", round(self.connection_age_grace * 1000)),
            # A caller that vanished is noticed, one that pings faster than every 10 s is shown the door.
            ("grpc.keepalive_time_ms", 60_000),
            ("grpc.keepalive_timeout_ms", 20_000),
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.so_reuseport", int(self.reuse_port)),
        ]


class Server:
    """A boundary on its listeners. Make it in the event loop that it runs in."""

    def __init__(self, boundary: Boundary, health: Health, transport: Transport | None = None) -> None:
        self._boundary = boundary
        self._health = health
        self._server = grpc.aio.server(options=(transport or Transport()).options())
        self._server.add_generic_rpc_handlers((boundary,))
        self.ports: list[int] = []

    def listen(self, listener: Listener) -> int:
        """Add a listener and return its port. Raises ListenFailed."""
        with contextlib.suppress(RuntimeError):
            port = (
                self._server.add_insecure_port(listener.address)
                if listener.tls is None
                else self._server.add_secure_port(listener.address, _credentials(listener.tls))
            )
            if port:
                self.ports.append(port)
                return port
        raise ListenFailed(f"cannot listen on {listener.address}: it is taken, or no address of this machine")

    async def start(self) -> None:
        """Begin to serve. Health says SERVING from here on."""
        await self._server.start()
        self._health.set_serving(True)

    async def stop(self, drain_seconds: float) -> None:
        """Stop: health says NOT_SERVING, no new connection, calls under way end within `drain_seconds`."""
        self._health.set_serving(False)
        # Before the streams are ended, theirs among them.
        await self._health.everyone_told(_LAST_WRITES_SECONDS)
        # Tells connected callers to go elsewhere (GOAWAY), and ends when what was on its way has been served: the core
        # knows of calls that no task works on yet.
        stopping = asyncio.create_task(self._server.stop(drain_seconds + _LAST_WRITES_SECONDS))
        self._boundary.end_streams()
        await asyncio.wait((stopping,), timeout=drain_seconds)
        self._boundary.end_calls()
        await stopping


def _credentials(tls: Tls) -> grpc.ServerCredentials:
    # With require_client_auth=False a certificate is never asked for: callers of either kind need a listener each.
    return grpc.ssl_server_credentials(
        [(tls.key, tls.chain)],
        root_certificates=tls.client_authorities,
        require_client_auth=tls.client_authorities is not None,
    )
