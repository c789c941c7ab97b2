"""Time, handed in as an argument so that tests own it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

from licet.locks import Lock

# Taken once: code that replaces `time.time` later does not move the guard's clock.
_wall = time.time
_monotonic = time.monotonic


class Clock(Protocol):
    """Where the guard reads time."""

    def now(self) -> float:
        """Seconds since the epoch. Never smaller than an earlier answer of the same clock."""

    def monotonic(self) -> float:
        """Seconds since some point; unaffected by changes to the wall clock."""


class SystemClock:
    """The machine's clock; when the wall clock steps back, `now` stands still until it has caught up."""

    def __init__(self) -> None:
        self._highest = 0.0
        self._lock = Lock()

    def now(self) -> float:
        """Seconds since the epoch, never going back within this process."""
        with self._lock:
            self._highest = max(self._highest, _wall())
            return self._highest

    def monotonic(self) -> float:
        """`time.monotonic`, as it was when this module was imported."""
        return _monotonic()


def lasting(seconds: float) -> str:
    """A duration for people: `under 1 s`, `45 s`, `10 min`, `1.5 h`, `30 d`."""
    if seconds < 1:
        return "under 1 s"
    size, unit = next((size, unit) for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")) if seconds >= size)
    return f"{seconds / size:.1f}".removesuffix(".0") + f" {unit}"


def iso(seconds: float) -> str:
    """RFC 3339 text in UTC with milliseconds, for example `2026-11-22T10:16:00.000Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
