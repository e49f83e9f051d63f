"""Time-based one-time passwords (RFC 6238 over RFC 4226, HMAC-SHA-1) and their set-up by URL, text and QR code."""

import base64
import hmac
import io
import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from twofold_server.crypto.names import clean_name

if TYPE_CHECKING:
    import segno

DIGITS: Final = 6
PERIOD_SECONDS: Final = 30
# RFC 4226 section 4, R6: at least 128 bits, 160 recommended.
_SEED_BYTES: Final = 20
_QUIET_ZONE: Final = 4
_MODULE_PIXELS: Final = 6


def new_seed() -> bytes:
    """Return a new seed of 160 random bits."""
    return secrets.token_bytes(_SEED_BYTES)


def totp_code(seed: bytes, step: int, *, digits: int = DIGITS) -> str:
    """Return the code of a time step (RFC 4226 section 5.3), with its leading zeros."""
    mac = hmac.digest(seed, step.to_bytes(8, "big"), "sha1")
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**digits:0{digits}d}"


def step_at(now: datetime, *, period: int = PERIOD_SECONDS) -> int:
    """Return the time step of an aware time: whole periods since 1970-01-01T00:00:00Z."""
    return int(now.timestamp() // period)


def matching_step(
    seed: bytes, code: str, now: datetime, *, drift_steps: int = 1, digits: int = DIGITS, period: int = PERIOD_SECONDS
) -> int | None:
    """Return the time step whose code this is, or None; the nearest step to `now` where several match, the later first.

    Every candidate is computed and compared in constant time, whichever matches. The step is what must be spent
    (demand `last_step < step`): the code alone can be replayed for as long as it is accepted (RFC 6238 section 5.2).
    """
    current = step_at(now, period=period)
    offsets = sorted(range(-drift_steps, drift_steps + 1), key=lambda offset: (abs(offset), -offset))
    presented = code.encode("utf-8", "surrogatepass")
    found: int | None = None
    for offset in offsets:
        step = max(current + offset, 0)
        equal = hmac.compare_digest(totp_code(seed, step, digits=digits).encode("ascii"), presented)
        if equal and found is None:
            found = step
    return found


def secret_text(seed: bytes) -> str:
    """Return the seed as base32 in groups of four, for typing into an app that cannot scan."""
    text = _base32(seed)
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def otpauth_url(
    seed: bytes, *, issuer: str, account_name: str, digits: int = DIGITS, period: int = PERIOD_SECONDS
) -> str:
    """Return the `otpauth://` URL that authenticator apps read; it contains the seed.

    Names are cleaned and lose their colons, which would move the border between issuer and account in the label.
    """
    issuer_text, account_text = (quote(clean_name(name.replace(":", " ")), safe="") for name in (issuer, account_name))
    label = f"{issuer_text}:{account_text}" if issuer_text else account_text
    issuer_parameter = f"&issuer={issuer_text}" if issuer_text else ""
    return (
        f"otpauth://totp/{label}?secret={_base32(seed)}{issuer_parameter}"
        f"&algorithm=SHA1&digits={digits}&period={period}"
    )


def qr_png(url: str) -> bytes:
    """Return `url` as a QR code: PNG, error correction M, 6 pixels a module, a white border of 4 modules.

    About 20 ms of Python for an otpauth URL: run it off the event loop.
    """
    image = io.BytesIO()
    _qr(url).save(image, kind="png", scale=_MODULE_PIXELS, border=_QUIET_ZONE)
    return image.getvalue()


def qr_terminal(url: str) -> str:
    """Return `url` as a QR code for a terminal: two modules a character cell, black on white whatever the theme."""
    rows = [list(row) for row in _qr(url).matrix_iter(border=_QUIET_ZONE)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    cells = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}
    lines = (
        "".join(cells[bool(upper), bool(lower)] for upper, lower in zip(top, bottom, strict=True))
        for top, bottom in zip(rows[::2], rows[1::2], strict=True)
    )
    return "\n".join(f"\x1b[30;107m{line}\x1b[0m" for line in lines)


def _base32(seed: bytes) -> str:
    return base64.b32encode(seed).decode("ascii").rstrip("=")


def _qr(url: str) -> "segno.QRCode":
    # It brings an HTTP client along, which takes a twentieth of a server's start.
    import segno  # noqa: PLC0415

    return segno.make(url, error="m", boost_error=False, micro=False)
