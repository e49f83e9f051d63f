"""The alphabet of text messages (3GPP TS 23.038), in which 160 characters are one message; of others, 70."""

from __future__ import annotations

import unicodedata
from typing import Final

ONE_SEGMENT: Final = 160
_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED: Final = frozenset("^{}\\[~]|€")


def septets(text: str) -> int | None:
    """How many places a text takes in this alphabet; None where it has other characters."""
    if not _BASIC.union(_EXTENDED).issuperset(text):
        return None
    return sum(2 if character in _EXTENDED else 1 for character in text)


def fold(text: str) -> str:
    """A name in this alphabet where its letters allow it (`Škoda` as `Skoda`); as it is where they do not."""
    folded = "".join(_folded(character) for character in unicodedata.normalize("NFC", text))
    return folded if septets(folded) is not None else text


def _folded(character: str) -> str:
    if character in _BASIC or character in _EXTENDED:
        return character
    plain = "".join(part for part in unicodedata.normalize("NFKD", character) if not unicodedata.combining(part))
    return plain or character
