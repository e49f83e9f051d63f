"""What messages say, by language: plain texts with {placeholders}, from files that ship and from a realm's own.

Nothing in them is run: a realm's texts are data, as jinja of its own would be code beside the master key.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Final, Self

import babel
from babel.dates import format_date
from babel.units import format_unit

FALLBACK_LANGUAGE: Final = "en"
LANGUAGES: Final = ("en", "cs", "de", "nl", "fr")
MAXIMUM_TEXT: Final = 1000
_PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")
# Without them a message is worth nothing.
_VITAL: Final = frozenset({"code", "link"})
_SPACES: Final = str.maketrans("\u00a0\u202f\u2009", "   ")

Catalogue = Mapping[str, str]


class TextRefused(ValueError):
    """A realm's own text can't be used; the text says why, and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A time span as it is said: the largest unit of which there are two, such as 2 `day` or 30 `minute`."""

    count: int
    unit: str

    @classmethod
    def of(cls, span: timedelta) -> Self:
        minutes = max(0, round(span.total_seconds() / 60))
        if minutes >= 2 * 24 * 60:
            return cls(minutes // (24 * 60), "day")
        if minutes >= 2 * 60:
            return cls(minutes // 60, "hour")
        return cls(minutes, "minute")

    def said(self, language: str) -> str:
        """In words of a language: `2 days`, `5 Minuten`."""
        return format_unit(self.count, f"duration-{self.unit}", "long", locale=locale_of(language))


def said_time(time: datetime, language: str) -> str:
    """A time in UTC, as a language writes dates: `14 March 2026, 12:00 UTC`; 24 hours, so that all read it alike."""
    moment = time.astimezone(UTC)
    date = format_date(moment, "long", locale=locale_of(language)).translate(_SPACES)
    return f"{date}, {moment:%H:%M} UTC"


@cache
def locale_of(language: str) -> babel.Locale:
    """The locale of a language; English for one that is not known."""
    try:
        return babel.Locale.parse(language, sep="-")
    except (ValueError, babel.UnknownLocaleError):
        return babel.Locale.parse(FALLBACK_LANGUAGE)


@cache
def catalogue(language: str) -> Catalogue:
    """Every text of one of LANGUAGES, by keys such as `activation.subject`."""
    found = tomllib.loads((files("twofold_server.delivery") / "catalogues" / f"{language}.toml").read_text("utf-8"))
    return {f"{part}.{name}": text for part, texts in found.items() for name, text in texts.items()}


def candidates(languages: tuple[str, ...]) -> list[str]:
    """Languages in the order in which they are tried: `de-AT` as itself, then `de`; English at last."""
    found: list[str] = []
    for language in languages:
        parts = language.lower().split("-")
        found += ["-".join(parts[:end]) for end in range(len(parts), 0, -1)]
    return [*dict.fromkeys(found), FALLBACK_LANGUAGE]


def placeholders(text: str) -> frozenset[str]:
    """What a text leaves open."""
    return frozenset(_PLACEHOLDER.findall(text))


def fill(text: str, values: Mapping[str, str]) -> str:
    """Put values in, once: braces in a value stay as they are, and so does a placeholder without a value."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)


def check_override(language: str, key: str, text: str) -> None:
    """Pass a realm's own text for a key of the catalogue. Raises TextRefused."""
    if language not in LANGUAGES:
        raise TextRefused(f"language: one of {', '.join(LANGUAGES)}.")
    shipped = catalogue(FALLBACK_LANGUAGE).get(key)
    if shipped is None:
        raise TextRefused("key: no such text; `realm texts` lists them.")
    if not text.strip() or len(text) > MAXIMUM_TEXT:
        raise TextRefused(f"text: 1 to {MAXIMUM_TEXT} characters.")
    if any(not character.isprintable() for character in text):
        raise TextRefused("text: one line, without control or direction characters.")
    allowed, used = placeholders(shipped) | {"product"}, placeholders(text)
    if not used <= allowed:
        raise TextRefused(f"text: of placeholders it may hold {', '.join(f'{{{name}}}' for name in sorted(allowed))}.")
    if missing := (placeholders(shipped) & _VITAL) - used:
        raise TextRefused(f"text: it must hold {', '.join(f'{{{name}}}' for name in sorted(missing))}.")
