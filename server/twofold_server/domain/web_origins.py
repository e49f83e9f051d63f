"""Where passkeys are at home: the domain that they are bound to, and the origins of pages that may use them."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

_LABEL: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN: Final = re.compile(rf"({_LABEL}\.)+(?=[a-z0-9-]*[a-z]){_LABEL}")
_LOCALHOST: Final = "localhost"
_MAXIMUM_DOMAIN: Final = 253


def parse_rp_id(text: str) -> str:
    """A domain in lower-case ASCII (names of other scripts as `xn--`), or `localhost`; empty for none.

    Raises ValueError.
    """
    if text and text != _LOCALHOST and (len(text) > _MAXIMUM_DOMAIN or not _DOMAIN.fullmatch(text)):
        raise ValueError("A domain such as example.com, in lower-case ASCII; no address, no port.")
    return text


def parse_origin(text: str) -> str:
    """The origin of a web page, exactly as browsers write it: `https://app.example.com`, a port only if it is not 443.

    http is taken for `localhost` alone, for development. Raises ValueError.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
        parse_rp_id(host)
    except ValueError:
        raise ValueError("Not an origin.") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and host == _LOCALHOST):
        raise ValueError("An https origin; http for localhost alone.")
    usual = 443 if parts.scheme == "https" else 80
    # Origins are compared as text: one that no browser sends would be a door that never opens.
    if not host or text != f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, usual) else ""):
        raise ValueError("As browsers write it: https://app.example.com, lower case, nothing after host and port.")
    return text


def belongs(origin: str, rp_id: str) -> bool:
    """Whether a page of an origin may use passkeys of a domain: its host is the domain, or below it."""
    host = urlsplit(origin).hostname or ""
    return host == rp_id or host.endswith(f".{rp_id}")
