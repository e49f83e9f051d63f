"""Which addresses the one HTTP client may connect to: global ones alone, whatever form they come in."""

from __future__ import annotations

import ipaddress
from typing import Final

# Global by the registry or to some releases of Python, and yet the inside of a cloud: Azure's host, Oracle's metadata.
_INSIDE: Final = (ipaddress.ip_network("168.63.129.16/32"), ipaddress.ip_network("192.0.0.0/24"))
# RFC 6052 and RFC 8215: an IPv4 address in the last 32 bits, which a gateway of the network unpacks.
_NAT64: Final = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))


def is_global(address: str) -> bool:
    """Say whether an address, as the resolver gave it, is on the open internet: also the one inside a wrapped one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.scope_id is not None:
            return False
        for inner in (parsed.ipv4_mapped, parsed.sixtofour, *(parsed.teredo or ())):
            if inner is not None and not is_global(str(inner)):
                return False
        if any(parsed in network for network in _NAT64) and not is_global(
            str(ipaddress.IPv4Address(int(parsed) & 0xFFFF_FFFF))
        ):
            return False
        if parsed.ipv4_mapped is not None:
            return True
    inside = any(parsed in network for network in _INSIDE)
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved and not inside
