"""Durations as operators write them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from twofold_server.domain import durations


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("90s", 90), ("10m", 600), ("12h", 43_200), ("2d", 172_800), (" 45 ", 45)]
)
def test_a_number_and_a_unit(text: str, seconds: int) -> None:
    """Seconds where no unit is named."""
    assert durations.parse(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "s", "-1d", "1.5h", "1w", "1 d", "1d2h", "१s", "9999999999s"])
def test_anything_else_is_none(text: str) -> None:
    """No sign, fraction, sum or foreign digit."""
    assert durations.parse(text) is None


@pytest.mark.parametrize("text", ["0s", "90s", "10m", "12h", "2d", "999999999d"])
def test_what_is_shown_is_read(text: str) -> None:
    """In the largest unit that fits."""
    duration = durations.parse(text)
    assert duration is not None
    assert durations.show(duration) == text
