"""Base64url without padding (RFC 4648 section 5), in its one canonical spelling."""

import base64


def encode(raw: bytes) -> str:
    """Spell `raw` in base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes | None:
    """Read canonical base64url; None for padding, foreign characters, white space or stray trailing bits."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    # Python's decoder skips what it does not know. Two spellings of one token would be two keys of a cache or of a
    # list of spent tokens, so only the spelling that encode() gives is taken.
    return raw if encode(raw) == text else None
