"""Passwords that everyone tries first, and advice on better ones."""

import functools
import gzip
import math
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from typing import Final

from zxcvbn_rs_py import zxcvbn

# 11,611 passwords of eight and more characters, the most common first: those of the frequency list in the Python
# package zxcvbn 4.5.0 (MIT; counted by its authors from published leaks), one a line.
_LIST: Final = "common_passwords.txt.gz"
# zxcvbn holds the GIL: 64 crafted code points held it for up to 35 ms, 32 for one.
_JUDGED_CODE_POINTS: Final = 32
_MAX_USER_INPUTS: Final = 8
# The characters that zxcvbn reads as more than one letter, or several of them as one.
_SUBSTITUTES: Final = ("4@", "({[<", "69", "1!|", "1|7", "$5", "+7")
_MAX_READINGS: Final = 8
# A shorter word says too little: "jo" is in no password by intent.
_LEAST_WORD: Final = 4
# What is commonly put to a word: a year and a mark. With more of it, the password is more than the word.
_MOST_ADDED: Final = 6
_TAMED: Final = str.maketrans("@({[<!|$+", "~^_-=:;,.")


@dataclass(frozen=True, slots=True)
class Advice:
    """What zxcvbn thinks of a password: `score` from 0 (guessed at once) to 4, and English texts, empty where none."""

    score: int
    warning: str
    suggestions: tuple[str, ...]


def is_common(password: str) -> bool:
    """Say whether the password is on the list of common ones, in whatever capitals and compatibility characters."""
    return _folded(password) in _common()


def is_context_word(password: str, words: Iterable[str]) -> bool:
    """Say whether the password is one of the words, whatever its capitals, or one with digits and marks put to it.

    `words` are what somebody who knows the user or the service would try (ASVS 6.2.11); those of fewer than 4
    characters are passed over, and so are passwords that are more than 6 characters longer or shorter than the word.
    """
    folded = _folded(password)
    bare = _bare(folded)
    for word in map(_folded, words):
        if len(word) < _LEAST_WORD:
            continue
        if folded == word:
            return True
        if abs(len(folded) - len(word)) > _MOST_ADDED:
            continue
        bare_word = _bare(word)
        for one, other in ((bare, bare_word), (_without_digits(bare), _without_digits(bare_word))):
            if one == other and len(one) >= _LEAST_WORD:
                return True
    return False


def advice(password: str, user_inputs: list[str]) -> Advice:
    """Judge the first 32 code points; `user_inputs` (at most 8: name, address, product) are what others would guess.

    Blocks for 3 to 10 ms and holds the GIL meanwhile: run it in the hash engine.
    """
    judged = _tame(password[:_JUDGED_CODE_POINTS])
    inputs = [text[:_JUDGED_CODE_POINTS] for text in user_inputs[:_MAX_USER_INPUTS]]
    estimate = zxcvbn(judged, inputs)
    feedback = estimate.feedback
    if feedback is None:
        return Advice(int(estimate.score), "", ())
    warning = "" if feedback.warning is None else str(feedback.warning)
    return Advice(int(estimate.score), warning, tuple(str(suggestion) for suggestion in feedback.suggestions))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _bare(folded: str) -> str:
    return "".join(character for character in folded if character.isalnum())


def _without_digits(bare: str) -> str:
    return bare.strip("0123456789")


@functools.cache
def _common() -> frozenset[str]:
    packed = (resources.files(__package__) / _LIST).read_bytes()
    return frozenset(gzip.decompress(packed).decode("utf-8").splitlines())


def _tame(password: str) -> str:
    """Bound the ways in which zxcvbn reads symbols as letters: they multiply; 64 crafted code points took 470 ms."""
    present = set(password)
    readings = math.prod(max(1, len(present.intersection(symbols))) for symbols in _SUBSTITUTES)
    # Digits stay, or dates and sequences would no longer be seen; alone they have no more than four readings.
    return password if readings <= _MAX_READINGS else password.translate(_TAMED)
