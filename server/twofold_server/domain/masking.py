"""Destinations as they are shown: enough for their owner to know them again, and nothing of their length."""

from __future__ import annotations

from typing import Final

from twofold_server.domain.values import EmailAddress, PhoneNumber

_LOCAL: Final = 2
_DOMAIN: Final = 3
_TOP: Final = 2
_DIGITS: Final = 5


def mask_email(address: EmailAddress | str) -> str:
    """`lukas@wedos.com` as `lu**@we***.c**`: every mask has a length of its own, whatever it hides.

    A short part shows less, so that something of it is always hidden.
    """
    text = address.text if isinstance(address, EmailAddress) else address
    local, _, domain = text.rpartition("@")
    name, _, top = domain.rpartition(".")
    return f"{_head(local, 2)}{'*' * _LOCAL}@{_head(name, 2)}{'*' * _DOMAIN}.{_head(top, 1)}{'*' * _TOP}"


def mask_phone(number: PhoneNumber | str) -> str:
    """`+420777123456` as `+420*****56`: the country's code, a mask of one length, and the last two digits."""
    parsed = number if isinstance(number, PhoneNumber) else PhoneNumber.parse(number)
    return f"{parsed.calling_code}{'*' * _DIGITS}{parsed.text[-2:]}"


def _head(text: str, most: int) -> str:
    return text[: min(most, max(len(text) - 1, 0))]
