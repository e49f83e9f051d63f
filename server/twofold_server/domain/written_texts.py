"""What people write, typed like the other values of the door: names, reasons and references, shown to others later."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import Self

MAXIMUM_NAME = 64
MAXIMUM_REASON = 1000
MAXIMUM_EVIDENCE = 200

_NOT_WRITTEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class DisplayName:
    """What a user or factor is called: at most 64 code points, no control, format (bidi) or line-break characters, NFC.

    Names end up in mails and pages of others: no link either.
    """

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        if len(text) > MAXIMUM_NAME:
            raise ValueError(f"Longer than {MAXIMUM_NAME} characters.")
        text = unicodedata.normalize("NFC", text).strip()
        if any(unicodedata.category(c) in _NOT_WRITTEN and c != "\u200d" for c in text):
            raise ValueError("Has control, direction or line-break characters.")
        if "://" in text or "www." in text.casefold():
            raise ValueError("A name can't hold a link.")
        return cls(text)


@dataclass(frozen=True, slots=True)
class ResourceName:
    """What something that an account owns is called: `text` as it was written, `key` by which it is unique in a realm.

    1 to 64 code points, of the same characters as a DisplayName; case, compatibility forms and runs of spaces make no
    difference.
    """

    text: str
    key: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        name = DisplayName.parse(text).text
        if not name:
            raise ValueError("Required.")
        key = " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())
        # A single character may fold to many.
        if not key or len(key) > 4 * MAXIMUM_NAME:
            raise ValueError("Not a name.")
        return cls(name, key)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an agent does something: 1 to 1000 characters, no control or direction characters but line breaks."""

    text: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        if len(text) > MAXIMUM_REASON:
            raise ValueError(f"Longer than {MAXIMUM_REASON} characters.")
        text = unicodedata.normalize("NFC", text).strip()
        if not text:
            raise ValueError("Required.")
        if any(unicodedata.category(c) in _NOT_WRITTEN and c not in "\n\u200d" for c in text):
            raise ValueError("Has control or direction characters.")
        return cls(text)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A reference to what shows that a case is right: 1 to 200 characters on one line."""

    text: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        if len(text) > MAXIMUM_EVIDENCE:
            raise ValueError(f"Longer than {MAXIMUM_EVIDENCE} characters.")
        text = unicodedata.normalize("NFC", text).strip()
        if not text:
            raise ValueError("Empty.")
        if any(unicodedata.category(c) in _NOT_WRITTEN and c != "\u200d" for c in text):
            raise ValueError("Has control, direction or line-break characters.")
        return cls(text)
