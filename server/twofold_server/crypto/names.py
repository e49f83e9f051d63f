"""Names as people chose them, made safe for a file, a QR code or a terminal."""

import unicodedata

# Kept although of category Cf: joiners shape Persian and Indic words and emoji, and reorder nothing.
_JOINERS = "\u200c\u200d"


def clean_name(name: str, *, limit: int = 64) -> str:
    """Return `name` on one line without control, bidi, surrogate and private characters, at most `limit` code points.

    White space of every kind, line breaks included, becomes single spaces.
    """
    kept = (
        " " if character.isspace() else character
        for character in name
        if character.isspace() or character in _JOINERS or unicodedata.category(character)[0] != "C"
    )
    return " ".join("".join(kept).split())[:limit].rstrip()
