"""Durations for people."""

from __future__ import annotations

import pytest

from licet.clock import lasting

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library


@pytest.mark.parametrize(
    "seconds,text",
    [
        (0, "under 1 s"),
        (0.4, "under 1 s"),
        (1.98187, "2 s"),
        (45, "45 s"),
        (60, "1 min"),
        (600, "10 min"),
        (5_400, "1.5 h"),
        (86_400 * 30, "30 d"),
    ],
)
def test_a_duration_is_told_in_one_unit(seconds: float, text: str) -> None:
    assert lasting(seconds) == text
