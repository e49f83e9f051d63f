"""The ports that several workers share: found free, and kept from everybody else while the supervisor lives."""

from __future__ import annotations

import contextlib
import errno
import socket
from typing import Final

_SHARED: Final = (socket.SO_REUSEPORT,)


class PortTaken(Exception):
    """An address can't be listened on; the text says which, and why."""


def reserve(host: str, port: int) -> tuple[int, list[socket.socket]]:
    """Bind an address without listening, so that workers of this user, and no other program, can listen there.

    Port 0 is any free one. Returns the port, and the sockets to keep open. Raises PortTaken.

    SO_REUSEPORT alone would join the port of whatever of this user listens there already, another server's workers
    for instance, and take turns with it. So the first trial is made without.
    """
    reserved: list[socket.socket] = []
    refusal: OSError | None = None
    try:
        for family, address in _addresses(host, port):
            try:
                port = port or _free_port(family, address)
                trial = (address[0], port, *address[2:])
                _bound(family, trial, (socket.SO_REUSEADDR,)).close()
                reserved.append(_shared(family, trial))
            except OSError as error:
                # One of a host name's addresses may be missing here, IPv6 for instance; none may be taken.
                refusal = error
                if error.errno == errno.EADDRINUSE:
                    while reserved:
                        reserved.pop().close()
                    break
    except OSError as error:  # the host name
        refusal = error
    if not reserved:
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        taken = refusal is not None and refusal.errno == errno.EADDRINUSE
        why = "another program listens there" if taken else (refusal.strerror if refusal else "no such address")
        raise PortTaken(f"cannot listen on {where}: {why}") from None
    return port, reserved


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[str, int, int, int] | tuple[str, int]]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return [(entry[0], entry[4]) for entry in found]  # type: ignore[misc]  # neither is of bytes


def _free_port(family: socket.AddressFamily, address: tuple[object, ...]) -> int:
    with _bound(family, address, ()) as trial:
        return int(trial.getsockname()[1])


def _shared(family: socket.AddressFamily, address: tuple[object, ...]) -> socket.socket:
    # Without SO_REUSEADDR the next supervisor's trial fails even before a worker listens. It is needed where
    # connections of a server that shared nothing have just ended on the port.
    with contextlib.suppress(OSError):
        return _bound(family, address, _SHARED)
    return _bound(family, address, (socket.SO_REUSEADDR, *_SHARED))


def _bound(family: socket.AddressFamily, address: tuple[object, ...], options: tuple[int, ...]) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        for option in options:
            bound.setsockopt(socket.SOL_SOCKET, option, 1)
        if family == socket.AF_INET6 and address[0] != "::":
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound
