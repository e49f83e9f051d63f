"""The settings of a realm, each by itself: how it is declared, what it may be, how it is stored and written as text."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import Field, field
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import phonenumbers

from twofold_server.domain import durations
from twofold_server.domain.written_texts import DisplayName

Stored = int | bool | str | list[str]
Value = int | bool | str | timedelta | tuple[str, ...]

_TRUE: Final = frozenset({"true", "yes", "on"})
_FALSE: Final = frozenset({"false", "no", "off"})


class SettingRefused(ValueError):
    """A realm's setting is unknown, malformed or out of its limits; the text names it and what it takes."""


def duration(doc: str, default: int, minimum: int, maximum: int) -> timedelta:
    """Declare a duration, in seconds."""
    limits = {"doc": doc, "minimum": timedelta(seconds=minimum), "maximum": timedelta(seconds=maximum)}
    found: timedelta = field(default=timedelta(seconds=default), metadata=limits)
    return found


def count(doc: str, default: int, minimum: int, maximum: int) -> int:
    """Declare a whole number."""
    found: int = field(default=default, metadata={"doc": doc, "minimum": minimum, "maximum": maximum})
    return found


def words(doc: str, default: str, *, choices: tuple[str, ...] = (), check: Callable[[str], str] | None = None) -> Any:  # noqa: ANN401
    """Declare a text: one of `choices`, or what `check` returns or refuses by ValueError; else a short line."""
    return field(default=default, metadata={"doc": doc, "choices": choices, "check": check})


def show(value: object) -> str:
    """A setting's value as `parsed` reads it."""
    match value:
        case timedelta():
            return durations.show(value)
        case tuple():
            return ",".join(str(part) for part in value)
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


def parsed(setting: Field[Value], text: str) -> Stored:
    """What is stored of a text: durations as `90s`, `10m`, `24h`, `2d` or seconds, lists by commas.

    Raises SettingRefused.
    """
    name = setting.name
    match setting.default:
        case bool():
            if text.casefold() not in _TRUE | _FALSE:
                raise SettingRefused(f"{name}: true or false.")
            stored: Stored = text.casefold() in _TRUE
        case int():
            if not (text.isascii() and text.isdigit() and len(text) <= 10):
                raise SettingRefused(f"{name}: a whole number.")
            stored = int(text)
        case timedelta():
            found = durations.parse(text)
            if found is None:
                raise SettingRefused(f"{name}: a duration such as 90s, 10m, 24h or 2d.")
            stored = int(found.total_seconds())
        case tuple():
            stored = [part.strip() for part in text.split(",")] if text else []
        case _:
            stored = text
    checked(setting, stored)
    return stored


def checked(setting: Field[Value], stored: object) -> Value:
    """A setting's value from what is stored. Raises SettingRefused."""
    name, default, limits = setting.name, setting.default, setting.metadata
    match default:
        case bool():
            if not isinstance(stored, bool):
                raise SettingRefused(f"{name}: true or false.")
            return stored
        case int() | timedelta():
            if not isinstance(stored, int) or isinstance(stored, bool) or abs(stored) > 10**10:
                raise SettingRefused(f"{name}: a whole number.")
            value = timedelta(seconds=stored) if isinstance(default, timedelta) else stored
            if not limits["minimum"] <= value <= limits["maximum"]:
                raise SettingRefused(f"{name}: from {show(limits['minimum'])} to {show(limits['maximum'])}.")
            return value
        case tuple():
            least, most = limits.get("entries", (1, 50))
            if not isinstance(stored, list) or not least <= len(stored) <= most:
                raise SettingRefused(f"{name}: {least} to {most} different ones.")
            parts = tuple(_checked_text(setting, part) for part in stored)
            if len(set(parts)) != len(parts):
                raise SettingRefused(f"{name}: {least} to {most} different ones.")
            return parts
        case _:
            text = _checked_text(setting, stored)
            if limits.get("choices") and text not in limits["choices"]:
                raise SettingRefused(f"{name}: one of {', '.join(limits['choices'])}.")
            return text


def _checked_text(setting: Field[Value], stored: object) -> str:
    if not isinstance(stored, str):
        raise SettingRefused(f"{setting.name}: text.")
    check: Callable[[str], str] = setting.metadata.get("check") or _line
    try:
        return check(stored)
    except ValueError as error:
        raise SettingRefused(f"{setting.name}: {error}") from None


def _line(text: str) -> str:
    return DisplayName.parse(text).text


def country(text: str) -> str:
    """The region of a phone number, by ISO 3166. Raises ValueError."""
    if not re.fullmatch(r"[A-Z]{2}|001", text, re.ASCII) or text not in phonenumbers.SUPPORTED_REGIONS | {"001"}:
        raise ValueError("A country by its two letters of ISO 3166, such as CZ.")
    return text


def domain(text: str) -> str:
    """A domain in lower case; empty for none. Raises ValueError."""
    if text and not re.fullmatch(r"(?=.{1,63}\Z)([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*", text, re.ASCII):
        raise ValueError("A domain in lower case, such as example.com.")
    return text


def site_key(text: str) -> str:
    """A CAPTCHA provider's public key; empty for none. Raises ValueError."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{0,100}", text, re.ASCII):
        raise ValueError("At most 100 letters, digits, hyphens and underscores, as the provider shows it.")
    return text


def base_url(text: str) -> str:
    """An https URL without a slash at its end; http on loopback alone. Raises ValueError."""
    # Only this URL ever stands in a mail: what a caller sends as host is never looked at (CVE-2023-49097).
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("Not a URL.") from None
    plain = text.isascii() and text.isprintable() and " " not in text and len(text) <= 512
    if not plain or not host or parts.query or parts.fragment or parts.username is not None or "?" in text:
        raise ValueError("An https URL of at most 512 ASCII characters, without user, query and fragment.")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in {"localhost", "127.0.0.1", "::1"}):
        raise ValueError("An https URL; http on loopback alone.")
    return text.rstrip("/")
