"""Whether the machine's clock goes: times of findings, deadlines and seconds blind are all told by it, and who stops it stops those.

Held against the monotonic clock, which nobody sets (PEP 418).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from licet.clock import Clock, lasting
from licet.drill.verdict import Failure

_APART: Final = 1.0  # seconds that a step of the time service may put between the two
_SHORT: Final = 0.02  # seconds in which nothing can be told


class Since(NamedTuple):
    """What both clocks showed, in seconds."""

    wall: float
    monotonic: float


def since(clock: Clock) -> Since:
    """Both, now."""
    return Since(clock.now(), clock.monotonic())


def stopped(clock: Clock, begun: Since) -> Failure | None:
    """What is wrong with the clock since then; None if it went."""
    wall, passed = clock.now() - begun.wall, clock.monotonic() - begun.monotonic
    if abs(wall - passed) <= _APART and (passed < _SHORT or wall > 0):
        return None
    return Failure(f"the clock does not go: it moved by {wall:.1f} s while {lasting(passed)} passed", ("clock",))
