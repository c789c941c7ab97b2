"""Which call that ran is which that the guard saw: one to one, the surest way first. Pure.

Ways, from sure to less so: `span` (the guard told the framework's own span), `parentage` (one span is within the other), `call id` (the
framework's id of the call), `arguments` (tool, time and the digest of the arguments), `time` (tool and time). By the last three, calls of
one tool are paired in their order, so that as many as possible have a partner, and those that are nearest.
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal, NamedTuple

from licet.bypass.looks import Look
from licet.bypass.ran import Place, Process, Ran, Running, short

Way = Literal["span", "parentage", "call id", "arguments", "time"]
WAYS: Final[tuple[Way, ...]] = ("span", "parentage", "call id", "arguments", "time")
_SURE: Final = frozenset({"span", "parentage", "call id"})
NEAR: Final = 5.0
"""Seconds by which clocks may differ before two times count as different ones, where nothing tells by how much they do."""
_BY_ID: Final = 60.0  # seconds: ids of calls repeat, of scripted models for example
_WINDOW: Final = 200  # looks that each tries then
_MOST_PAIRS: Final = 250_000  # of one tool that are weighed against each other; beyond it each takes the first that fits
_TOLD_SKEW: Final = 0.5  # seconds

Keyed = Callable[[str], str]
"""From a plain digest to the keyed one that the guard records."""


class Match(NamedTuple):
    """One call, and the look that the guard had at it."""

    ran: Ran
    look: Look
    way: Way


@dataclass
class Matched:
    """`matches` one to one; `unseen` and `spare` are what is left on either side.

    `skew`: by process, how many seconds its clock is behind the guard's, where the surest matches tell of more than half a second.
    """

    matches: list[Match] = field(default_factory=list)
    unseen: list[Ran] = field(default_factory=list)
    spare: list[Look] = field(default_factory=list)
    skew: dict[Process, float] = field(default_factory=dict)

    @property
    def by_way(self) -> Counter[Way]:
        """How many matches rest on what."""
        return Counter(match.way for match in self.matches)


def matched(running: Running, looks: Sequence[Look], keyed: Keyed | None = None, near: float = NEAR) -> Matched:
    """Each call that ran with at most one look, and each look with at most one call."""
    return _Matching(running, looks, keyed, near).done()


class _Matching:
    def __init__(self, running: Running, looks: Sequence[Look], keyed: Keyed | None, near: float) -> None:
        self._running, self._near = running, near
        self._left: dict[Place, Ran] = {ran.place: ran for ran in running.calls}
        self._looks: dict[int, Look] = dict(enumerate(looks))
        self._keyed = keyed
        self._digests: dict[str, str] = {}
        self._covered = {ran.trace for ran in running.calls}
        self._alike: set[str] = set()
        self._found = Matched()

    def done(self) -> Matched:
        self._by_span()
        self._by_parentage()
        self._paired("call id", self._looks, lambda ran: ran.call_id, lambda look: look.call_id, self._same_id)
        self._tell_skew()
        self._alike = self._comparable()
        for way, fits in _BY_TIME.items():
            # A trace's own looks first; then those of traces in which no framework says anything, as its spans need not be our context.
            inside = [number for number, look in self._looks.items() if look.trace in self._covered]
            self._paired(way, inside, lambda ran: ran.trace, lambda look: look.trace, partial(fits, self))
            outside = [number for number, look in self._looks.items() if look.trace not in self._covered]
            self._paired(way, outside, lambda _: "*", lambda _: "*", partial(fits, self))
        self._found.unseen = sorted(self._left.values(), key=lambda ran: (ran.started, ran.place))
        self._found.spare = list(self._looks.values())
        return self._found

    def _take(self, ran: Ran, number: int, way: Way) -> None:
        self._found.matches.append(Match(self._left.pop(ran.place), self._looks.pop(number), way))

    def _by_span(self) -> None:
        at = {place: ran.place for ran in self._left.values() for place in ran.spans or (ran.place,)}
        for number, look in list(self._looks.items()):
            ran = self._left.get(at.get(look.place, ("", "")))
            if ran is not None:
                self._take(ran, number, "span")

    def _by_parentage(self) -> None:
        """The guard's span within a framework's, or around it; the nearest, and nothing of another call of the tool between."""
        at = {place: ran for ran in self._running.calls for place in ran.spans or (ran.place,)}
        own = {look.place: number for number, look in self._looks.items() if look.trace}
        pairs: list[tuple[int, float, Place, int]] = []
        for number, look in self._looks.items():
            for steps, place in enumerate(self._running.line(look.place) if look.trace else (), 1):
                ran = at.get(place)
                if ran is not None and short(ran.tool) == short(look.tool):
                    pairs.append((steps, look.started, ran.place, number))
                    break
        for ran in self._left.values():
            for place in ran.spans or (ran.place,):
                for steps, above in enumerate(self._running.line(place), 1):
                    found = own.get(above)
                    if found is not None and short(self._looks[found].tool) == short(ran.tool):
                        pairs.append((steps, ran.started, ran.place, found))
                        break
        for _, _, place, number in sorted(pairs):
            if place in self._left and number in self._looks:
                self._take(self._left[place], number, "parentage")

    def _paired(
        self, way: Way, looks: Collection[int], of_ran: Callable[[Ran], str], of_look: Callable[[Look], str],
        fits: Callable[[Ran, Look], bool],
    ) -> None:  # fmt: skip
        left: dict[tuple[str, str], list[Ran]] = defaultdict(list)
        for ran in self._left.values():
            if key := of_ran(ran):
                left[short(ran.tool), key].append(ran)
        numbers: dict[tuple[str, str], list[int]] = defaultdict(list)
        for number in looks:
            if number in self._looks and (key := of_look(self._looks[number])):
                numbers[short(self._looks[number].tool), key].append(number)
        for group, rans in left.items():
            known = [(self._looks[number].started, number) for number in numbers.get(group, ())]
            for some, there in self._near_ones(rans, sorted(known)) if known else ():
                for row, column in in_order(some, [self._looks[number] for number in there], fits, self._apart):
                    self._take(some[row], there[column], way)

    def _near_ones(self, rans: list[Ran], looks: Sequence[tuple[float, int]]) -> Iterator[tuple[list[Ran], list[int]]]:
        """Both, in order of time, in parts that nothing near joins: what is in one part has its partner there."""
        reach, until = max(self._near, _BY_ID), float("-inf")
        events: list[tuple[float, float, Ran | int]] = [(look, max(look, self._looks[number].ended), number) for look, number in looks]
        events += [(ran.started + self._shift(ran), ran.ended + self._shift(ran), ran) for ran in rans]
        some: list[Ran] = []
        there: list[int] = []
        for start, end, what in sorted(events, key=lambda event: event[:2]):
            if start > until + reach and (some or there):
                if some and there:
                    yield some, there
                some, there = [], []
            until = max(until, end)
            if isinstance(what, Ran):
                some.append(what)
            else:
                there.append(what)
        if some and there:
            yield some, there

    def _fits_arguments(self, ran: Ran, look: Look) -> bool:
        return self._same_arguments(ran, look) is True and self._fits(ran, look)

    def _fits_time(self, ran: Ran, look: Look) -> bool:
        return (self._same_arguments(ran, look) is not False or short(ran.tool) not in self._alike) and self._fits(ran, look)

    def _same_id(self, ran: Ran, look: Look) -> bool:
        return ran.trace == look.trace or self._apart(ran, look) <= max(self._near, _BY_ID)

    def _fits(self, ran: Ran, look: Look) -> bool:
        """Near in time; two ids of a call deny that it is one, and what was denied has not run, unless it failed as a denial does."""
        other = ran.call_id and look.call_id and ran.call_id != look.call_id
        return not other and (look.ran or ran.failed) and self._apart(ran, look) <= self._near

    def _shift(self, ran: Ran) -> float:
        return self._found.skew.get(ran.process, 0.0)

    def _apart(self, ran: Ran, look: Look) -> float:
        return abs(_gap(ran, look, self._shift(ran)))

    def _tell_skew(self) -> None:
        gaps: dict[Process, list[float]] = defaultdict(list)
        for match in self._found.matches:
            gaps[match.ran.process].append(_gap(match.ran, match.look, 0.0))
        self._found.skew = {
            process: middle for process, each in gaps.items() if abs(middle := statistics.median(each)) > _TOLD_SKEW
        }  # fmt: skip

    def _same_arguments(self, ran: Ran, look: Look) -> bool | None:
        """None: it is not known."""
        if not ran.args or not look.args:
            return None
        if look.args.startswith("sha256:"):
            return ran.args == look.args
        if self._keyed is None or not look.args.startswith("hmac-sha256:"):
            return None
        if ran.args not in self._digests:
            self._digests[ran.args] = self._keyed(ran.args)
        return self._digests[ran.args] == look.args

    def _comparable(self) -> set[str]:
        """Tools whose arguments stand on spans as the guard saw them, by the sure matches: there another digest is another call."""
        told: dict[str, set[bool]] = defaultdict(set)
        for match in self._found.matches:
            same = self._same_arguments(match.ran, match.look)
            if same is not None:
                told[short(match.ran.tool)].add(same)
        return {tool for tool, answers in told.items() if answers == {True}}


_BY_TIME: Final[dict[Way, Callable[[_Matching, Ran, Look], bool]]] = {
    "arguments": _Matching._fits_arguments, "time": _Matching._fits_time
}  # fmt: skip


def _gap(ran: Ran, look: Look, shift: float) -> float:
    """By how much the guard's time is after the call's span (negative: before it), in seconds; 0 where they overlap."""
    begin, end = ran.started + shift, ran.ended + shift
    return look.started - end if look.started > end else min(0.0, look.ended - begin)


def in_order(
    rans: Sequence[Ran], looks: Sequence[Look], fits: Callable[[Ran, Look], bool], cost: Callable[[Ran, Look], float]
) -> Iterable[tuple[int, int]]:  # fmt: skip
    """Pairs of places in two lists that are in order of time: as many as can be without crossing, and of those the nearest."""
    if not looks:
        return ()
    if len(rans) * len(looks) > _MOST_PAIRS:
        return _first_that_fit(rans, looks, fits)
    # best[row][column]: how many pairs the rest can have, and at which cost
    best = [[(0, 0.0)] * (len(looks) + 1) for _ in range(len(rans) + 1)]
    for row in range(len(rans) - 1, -1, -1):
        for column in range(len(looks) - 1, -1, -1):
            choice = max(best[row + 1][column], best[row][column + 1])
            if fits(rans[row], looks[column]):
                pairs, least = best[row + 1][column + 1]
                choice = max(choice, (pairs + 1, least - cost(rans[row], looks[column]) - _late(rans[row], looks[column])))
            best[row][column] = choice
    found, row, column = [], 0, 0
    while row < len(rans) and column < len(looks):
        if best[row][column] == best[row + 1][column]:
            row += 1
        elif best[row][column] == best[row][column + 1]:
            column += 1
        else:
            found.append((row, column))
            row, column = row + 1, column + 1
    return found


def _late(ran: Ran, look: Look) -> float:
    """Tells apart what overlaps: the beginnings that are nearest belong together. So small that no gap is outweighed by it."""
    return min(abs(look.started - ran.started), 1_000.0) * 1e-9


def _first_that_fit(rans: Sequence[Ran], looks: Sequence[Look], fits: Callable[[Ran, Look], bool]) -> list[tuple[int, int]]:
    """Each takes the first that fits of the next ones: not the most that could be had, in time that grows with their number only."""
    found, free = [], list(range(len(looks)))
    at = 0
    for row, ran in enumerate(rans):
        while at < len(free) and looks[free[at]].ended < ran.started and not fits(ran, looks[free[at]]):
            at += 1
        column = next((index for index in range(at, min(at + _WINDOW, len(free))) if fits(ran, looks[free[index]])), None)
        if column is not None:
            found.append((row, free.pop(column)))
    return found
