"""Codes that are sent to people: six digits, drawn evenly."""

import secrets

DIGITS = 6


def new_code() -> str:
    """Return six random digits, leading zeros among them; guessed with five tries in one of 200,000 cases."""
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
