"""The end user's side of a call, as the calling service states it: where from, with what, on which device."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from twofold_server.crypto import tokens

MAXIMUM_USER_AGENT = 512
MAXIMUM_CAPTCHA = 8192


def parse_captcha(text: str) -> str:
    """What a CAPTCHA's widget returned: at most 8192 visible ASCII characters; empty for none."""
    if len(text) > MAXIMUM_CAPTCHA:
        raise ValueError(f"Longer than {MAXIMUM_CAPTCHA} characters.")
    if not all("!" <= c <= "~" for c in text):
        raise ValueError("Visible ASCII characters alone.")
    return text


def parse_ip_address(text: str) -> str:
    """A unicast address in its canonical text; an IPv4 address mapped into IPv6 counts as IPv4."""
    if len(text) > 45:
        raise ValueError("Not an IP address.")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError("Not an IP address.") from None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            raise ValueError("An address of the end user has no zone.")
        address = address.ipv4_mapped or address
    if address.is_multicast or address.is_unspecified or str(address) == "255.255.255.255":
        raise ValueError("Not a unicast address.")
    return str(address)


_PRIVATE = tuple(
    ipaddress.ip_network(n)
    for n in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "100.64.0.0/10",
        "fc00::/7",
        "fe80::/10",
    )
)


def network_of(address: str) -> str:
    """The network whose failures are counted together: an IPv4 address, an IPv6 /64.

    Loopback and private ones are one each.
    """
    parsed = ipaddress.ip_address(address)
    if parsed.is_loopback:
        return "loopback"
    if any(parsed in network for network in _PRIVATE):
        return "private"
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))
    return str(parsed)


@dataclass(frozen=True, slots=True)
class Client:
    """The end user's side of a call, as far as the caller is believed.

    `network` is what failures are counted under: the end user's network, or the caller's own where it may not state
    one. `device` is unverified: its MAC is checked in the statement that uses it. `captcha` is unverified as well, and
    is looked at where one is demanded.
    """

    network: str
    ip_address: str = ""
    user_agent: str = ""
    device: tokens.DeviceParts | None = None
    language_code: str = ""
    stated: bool = False
    captcha: str = field(default="", repr=False)

    @property
    def comparable_user_agent(self) -> str | None:
        """What a session's is compared with; None where there is none and the caller may not state its client."""
        return self.user_agent if self.user_agent or self.stated else None
