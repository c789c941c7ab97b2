"""For how long the monitoring saw nothing, by what its drills say: pure, of results and a clock.

A drill that passed proves every part that it went through: its readers, the detectors of its codes, each hop, the sinks. One that failed
blames some of them. A part is blind from half way between the last drill that proved it and the first that blamed it, until half way
between the last that blamed it and the next that proves it; and everything is blind from one cadence after the last result on, until there
is one.
The error at each end is at most half of the time between two drills of that part.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

EVERYTHING: Final = "everything"
"""The part that is blind where no drill was played at all."""


class Look(NamedTuple):
    """What one drill says of parts.

    Attributes:
        time: when its first record was let in (seconds since the epoch).
        proved: parts that work, as it passed.
        blamed: parts that do not, as it failed.
    """

    time: float
    proved: frozenset[str]
    blamed: frozenset[str]


class Stretch(NamedTuple):
    """From when until when a part was blind; `until` is the clock's time where it still is."""

    part: str
    since: float
    until: float


def stretches(looks: Iterable[Look], begin: float, now: float, cadence: float) -> list[Stretch]:
    """When which part was blind.

    Args:
        looks: what drills said.
        begin: since when drills are due.
        cadence: how long there may be no result, in seconds.
    """
    ordered = sorted(looks, key=lambda each: each.time)
    parts = sorted({part for each in ordered for part in each.blamed})
    found = [stretch for part in parts for stretch in _of_part(part, ordered, begin, now)]
    return found + list(_without(ordered, begin, now, cadence))


def _of_part(part: str, looks: Sequence[Look], begin: float, now: float) -> Iterator[Stretch]:
    proof, first, last = begin, 0.0, 0.0
    blind = False
    for look in looks:
        if part in look.blamed:
            if not blind:
                blind, first = True, look.time
            last = look.time
        elif part in look.proved:
            if blind:
                yield Stretch(part, (proof + first) / 2, (last + look.time) / 2)
                blind = False
            proof = look.time
    if blind:
        yield Stretch(part, (proof + first) / 2, now)


def _without(looks: Sequence[Look], begin: float, now: float, cadence: float) -> Iterator[Stretch]:
    """Where no drill was played for longer than the cadence."""
    times = [begin, *(each.time for each in looks), now]
    for earlier, later in pairwise(times):
        if later - earlier > cadence:
            yield Stretch(EVERYTHING, earlier + cadence, later)


def seconds(found: Iterable[Stretch], since: float, until: float) -> float:
    """For how many seconds between two times anything was blind: overlapping stretches count once."""
    total, reached = 0.0, since
    for each in sorted(found, key=lambda one: one.since):
        begin, end = max(each.since, reached), min(each.until, until)
        if end > begin:
            total += end - begin
            reached = end
    return total


def blind_now(found: Collection[Stretch], now: float) -> list[Stretch]:
    """What is blind at this moment."""
    return [each for each in found if each.until >= now]
