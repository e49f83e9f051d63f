"""Made-up hints: stable, of every letter, of the form that real ones have."""

from __future__ import annotations

import functools
import hashlib
import re

import pytest

from twofold_server.domain.masking import mask_email
from twofold_server.domain.sign_in_hints import _plain, made_up
from twofold_server.domain.values import EmailAddress

_FORM = re.compile(r"([a-z0-9][a-z0-9._-]?)?\*{2}@([a-z0-9][a-z0-9.-]?)?\*{3}\.[a-z]\*{2}")


def _made(count: int) -> list[str]:
    return [made_up(hashlib.sha256(str(number).encode()).digest()) for number in range(count)]


@functools.cache
def _parts() -> tuple[set[str], set[str]]:
    """What 50,000 made-up hints show before the @, and of the domain's name."""
    masks = [mask_email(address).partition("@") for address in _made(50_000)]
    return {mask[0] for mask in masks}, {mask[2].rpartition(".")[0] for mask in masks}


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


@pytest.mark.parametrize(
    "address",
    [
        "bob@vw.de", "ab@example.org", "a@x.org", "иван@пример.рф", "łukasz@example.pl", "_tag@example.org",
        "a*b@example.org", "'o@example.org", "a+b@x.co.uk", "e@ü.de", "a@e-mail.ru", "文字@example.org", "éva@éa.fr",
    ],
)  # fmt: skip
def test_no_form_tells_that_a_hint_is_real(address: str) -> None:
    """Short parts, other scripts and rare signs leave masks whose every part some made-up one has too."""
    local, _, domain = mask_email(_plain(EmailAddress.parse(address).key)).partition("@")
    assert _FORM.fullmatch(f"{local}@{domain}")
    assert local in _parts()[0]
    assert domain.rpartition(".")[0] in _parts()[1]
