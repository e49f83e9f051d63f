"""Made-up hints: stable, of every letter, of the form that real ones have."""

from __future__ import annotations

import hashlib
import re

from twofold_server.domain.masking import mask_email
from twofold_server.domain.sign_in_hints import made_up
from twofold_server.domain.values import EmailAddress

_FORM = re.compile(r"([a-z0-9][a-z0-9._-]?)?\*{2}@[a-z0-9-]{0,2}\*{3}\.[a-z]\*{2}")


def _made(count: int) -> list[str]:
    return [made_up(hashlib.sha256(str(number).encode()).digest()) for number in range(count)]


def test_made_up_hints_are_of_the_form_of_real_ones() -> None:
    """Their masks look like those of addresses."""
    assert all(_FORM.fullmatch(mask_email(address)) for address in _made(5000))
    assert _FORM.fullmatch(mask_email(EmailAddress.parse("lukas@wedos.com")))
    assert _made(50) == _made(50)


def test_no_letter_tells_that_a_hint_is_real() -> None:
    """Whatever a real hint begins with, or its last part begins with, some made-up one does too."""
    masks = [mask_email(address) for address in _made(20_000)]
    assert {mask[0] for mask in masks} == set("abcdefghijklmnopqrstuvwxyz0123456789*")
    assert {mask.rpartition(".")[2][0] for mask in masks} == set("abcdefghijklmnopqrstuvwxyz")
    assert {mask.partition("@")[2][0] for mask in masks} == set("abcdefghijklmnopqrstuvwxyz0123456789*")
