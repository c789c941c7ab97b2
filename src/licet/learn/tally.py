"""What many runs have in common, by task kind: which tools, in what order, with which arguments from where, and in how many of them.

One run at a time, memory bounded whatever their number. The order of the runs changes nothing, and two tallies over two halves make the
tally over both, so that runs can be counted anywhere; only where more different things come than are told apart, rare ones get lost.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from licet.canonical import Plain
from licet.learn.bounded import MAX_KEY, Bounded, Counts, Frequent, K
from licet.learn.runs import ATTACKED, DENIED
from licet.learn.values import Support, ValueTally
from licet.manifest import START

if TYPE_CHECKING:
    from licet.learn.runs import Run, Step

MAX_KINDS, MAX_TOOLS, MAX_ARGUMENTS = 20, 50, 20  # beside those that are declared
MAX_EDGES = 1_000
MAX_SOURCES, MAX_MODELS, MAX_DOUBTS = 100, 100, 100
MAX_GROUNDS, MAX_DAYS = 64, 4_000  # sets of origins that the leaves of a session have; days, eleven years of them
DAY = 86_400
MOST = 1_000  # of calls and of different values in one session, as far as they are told apart
PART = " ("  # behind a source of which only a part of the leaf came

WORDS = ("intent", "trusted", "counterpart", "nowhere", "untrusted", "unseen")
"""What can be said of where a whole leaf came from; the first four are words of an `origin:` (design § 3)."""


@dataclass(slots=True)
class ArgumentTally:
    """One argument of a tool: in how many sessions it was given, how many leaves with an origin it had, where they came from.

    `grounds`: in how many sessions the leaves had just these origins, each of them its own at once (`intent`, or `intent` and `trusted`,
    ...). `distinct`: in how many sessions there were so many different values. `whole`: in how many every call of the tool gave it.
    """

    support: Support = field(default_factory=Support)
    leaves: int = 0
    sources: Bounded[str, Support] = field(default_factory=lambda: Bounded(MAX_SOURCES))
    grounds: Frequent[frozenset[frozenset[str]]] = field(default_factory=lambda: Frequent(MAX_GROUNDS))
    distinct: dict[int, int] = field(default_factory=dict)
    whole: int = 0
    values: ValueTally = field(default_factory=ValueTally)

    def add(self, given: Given, time: float | None, calls: int) -> None:
        """What one session gave, in which the tool had so many calls."""
        self.support.add(time)
        self.leaves += len(given.leaves)
        for source in dict.fromkeys(source for leaf in given.leaves for source in leaf):
            if (found := self.sources.at(source, Support)) is not None:
                found.add(time)
        if grounds := frozenset(words_of(leaf) for leaf in given.leaves) - {frozenset()}:
            self.grounds.add(grounds)
        if given.values:
            _count(self.distinct, _different(given.values))
            self.values.add(given.values)
        self.whole += len(given.values) == calls

    def merge(self, other: ArgumentTally) -> None:
        """What another has counted."""
        self.support.merge(other.support)
        self.leaves += other.leaves
        _merge_supports(self.sources, other.sources)
        self.grounds.merge(other.grounds)
        _add_counts(self.distinct, other.distinct)
        self.whole += other.whole
        self.values.merge(other.values)

    def by_ground(self) -> dict[frozenset[str], int]:
        """In how many sessions some leaf had just these origins."""
        out: dict[frozenset[str], int] = {}
        for grounds, number in self.grounds.counts.items():
            for ground in grounds:
                _count(out, ground, number)
        return out


@dataclass(slots=True)
class Given:
    """What the calls of one tool in one session gave for one argument: values, and the sources of each leaf."""

    values: list[Plain] = field(default_factory=list)
    leaves: list[frozenset[str]] = field(default_factory=list)


@dataclass(slots=True)
class ToolTally:
    """One tool: in how many sessions, how many calls, and in how many sessions it had so many (`each`)."""

    known: Collection[str] = field(default=(), compare=False, repr=False)
    support: Support = field(default_factory=Support)
    calls: int = 0
    each: dict[int, int] = field(default_factory=dict)
    arguments: Bounded[str, ArgumentTally] = field(init=False)

    def __post_init__(self) -> None:
        self.arguments = Bounded(MAX_ARGUMENTS + len(self.known), self.known)

    def add(self, steps: list[Step], time: float | None) -> None:
        """The calls of this tool in one session."""
        self.support.add(time)
        self.calls += len(steps)
        _count(self.each, min(len(steps), MOST))
        for argument, given in _given(steps).items():
            if (found := self.arguments.at(argument, ArgumentTally)) is not None:
                found.add(given, time, len(steps))

    @property
    def most(self) -> int:
        """The most calls in one session."""
        return max(self.each, default=0)

    def merge(self, other: ToolTally) -> None:
        """What another has counted."""
        self.support.merge(other.support)
        self.calls += other.calls
        _add_counts(self.each, other.each)
        for argument, tally in other.arguments.items():
            if (found := self.arguments.at(argument, ArgumentTally)) is not None:
                found.merge(tally)
        self.arguments.left_out = self.arguments.left_out or other.arguments.left_out


@dataclass(slots=True)
class All:
    """How many sessions were given, of whatever kind, without those that the record itself says to be attacked or denied."""

    sessions: int = 0


@dataclass(slots=True)
class KindTally:
    """One task kind. `support`, `calls`, `models`, `days`, `tools` and `edges` are of the sessions that teach; `doubted` counts, by
    reason, those that do not (`doubtful`: how many sessions these are; `marked`: those of them that the record itself says to be attacked
    or denied). Models, days and reasons are counted in sessions.
    """

    kind: str
    known: Mapping[str, Collection[str]] = field(default_factory=dict, compare=False, repr=False)
    all: All = field(default_factory=All)
    support: Support = field(default_factory=Support)
    calls: int = 0
    doubtful: int = 0
    marked: int = 0
    models: Frequent[str] = field(default_factory=lambda: Frequent(MAX_MODELS))
    days: Frequent[int] = field(default_factory=lambda: Frequent(MAX_DAYS))
    doubted: Counts = field(default_factory=lambda: Counts(MAX_DOUBTS))
    tools: Bounded[str, ToolTally] = field(init=False)
    edges: Bounded[tuple[str, str], Support] = field(init=False)

    def __post_init__(self) -> None:
        self.tools = Bounded(MAX_TOOLS + len(self.known), self.known)
        self.edges = Bounded(MAX_EDGES, {"start", *self.known})

    def add(self, run: Run) -> None:
        """One run of this kind. A run that is doubted is counted, and teaches nothing."""
        if run.doubts:
            self.doubtful += 1
            self.marked += is_marked(run)
            for doubt in dict.fromkeys(run.doubts):
                self.doubted.count(doubt)
            return
        self.support.add(run.time)
        if run.time is not None:
            self.days.add(int(run.time // DAY))
        if run.model:
            self.models.add(run.model[:MAX_KEY])
        steps: dict[str, list[Step]] = {}
        for step in run.steps:
            if step.ran:
                steps.setdefault(step.tool, []).append(step)
                self.calls += 1
        for tool, calls in steps.items():
            if (found := self.tools.at(tool, lambda tool=tool: self._tool(tool))) is not None:  # type: ignore[misc]
                found.add(calls, run.time)
        for edge in dict.fromkeys(_edges(run)):
            if (support := self.edges.at(edge, Support)) is not None:
                support.add(run.time)

    def merge(self, other: KindTally) -> None:
        """What another has counted of the same kind."""
        self.support.merge(other.support)
        self.calls += other.calls
        self.doubtful += other.doubtful
        self.marked += other.marked
        self.models.merge(other.models)
        self.days.merge(other.days)
        self.doubted.merge(other.doubted)
        for tool, tally in other.tools.items():
            if (found := self.tools.at(tool, lambda tool=tool: self._tool(tool))) is not None:  # type: ignore[misc]
                found.merge(tally)
        self.tools.left_out = self.tools.left_out or other.tools.left_out
        _merge_supports(self.edges, other.edges)

    @property
    def given(self) -> int:
        """Of how many sessions shares are: all of this kind, those that do not teach among them, but those that are `marked`."""
        return self.support.sessions + self.doubtful - self.marked

    @property
    def given_in_all(self) -> int:
        """The same of all kinds."""
        return max(self.given, self.all.sessions)

    @property
    def uncounted(self) -> int:
        """How many calls were of tools that found no room."""
        return self.calls - sum(tool.calls for tool in self.tools.values())

    def _tool(self, name: str) -> ToolTally:
        return ToolTally(self.known.get(name, ()))


class Tally:
    """All kinds. `known`: the tools that are declared, each with its arguments, and `kinds` those that are: they never lack room.

    `until`: a time of a session later than this (seconds since the epoch) is none; left out, now and a day, since clocks differ.
    """

    def __init__(self, known: Mapping[str, Collection[str]] | None = None, kinds: Collection[str] = (), until: float | None = None) -> None:
        self._known = {} if known is None else known
        self._until = time.time() + DAY if until is None else until
        self.all = All()
        self.kinds: Bounded[str, KindTally] = Bounded(MAX_KINDS + len(kinds), frozenset(kinds))

    def add(self, run: Run) -> None:
        """One run, of whatever kind."""
        if run.time is not None and not 0 <= run.time <= self._until:
            run = replace(run, time=None)
        self.all.sessions += not is_marked(run)
        if (found := self.kinds.at(run.kind, lambda: self._kind(run.kind))) is not None:
            found.add(run)

    def merge(self, other: Tally) -> None:
        """What another tally has counted is counted here too."""
        self.all.sessions += other.all.sessions
        for kind, tally in other.kinds.items():
            if (found := self.kinds.at(kind, lambda kind=kind: self._kind(kind))) is not None:  # type: ignore[misc]
                found.merge(tally)
        self.kinds.left_out = self.kinds.left_out or other.kinds.left_out

    def _kind(self, name: str) -> KindTally:
        return KindTally(name, self._known, self.all)


def is_marked(run: Run) -> bool:
    """Whether the record itself says that the session was attacked, or denied something: no attack that would be taken for honest work."""
    return ATTACKED in run.doubts or DENIED in run.doubts


def trimmed(counts: Mapping[int, int], few: int) -> int:
    """The greatest number that more than `few` sessions reach; 0 where none is."""
    reached = 0
    for number in sorted(counts, reverse=True):
        reached += counts[number]
        if reached > few:
            return number
    return 0


def words_of(leaf: frozenset[str]) -> frozenset[str]:
    """The origins of a whole leaf: the words of its sources, without those of which only a part came."""
    return frozenset(word for source in leaf if PART not in source and (word := source.partition(" ")[0]) in WORDS)


def _edges(run: Run) -> Iterator[tuple[str, str]]:
    """Which tool came after which. A tool that is called like the word for the beginning makes none, and nothing after it is a first."""
    named = False
    for step in run.steps:
        if step.ran and step.tool == START:
            named = True
        elif step.ran and not (named and step.before == START):
            yield step.before, step.tool


def _count(counts: dict[K, int], key: K, number: int = 1) -> None:
    counts[key] = counts.get(key, 0) + number


def _add_counts(into: dict[K, int], other: Mapping[K, int]) -> None:
    for key, number in other.items():
        _count(into, key, number)


def _given(steps: list[Step]) -> dict[str, Given]:
    out: dict[str, Given] = {}
    for step in steps:
        for argument, value in (step.arguments or {}).items():
            out.setdefault(argument, Given()).values.append(value)
        for argument, leaves in step.leaves.items():
            out.setdefault(argument, Given()).leaves += leaves
    return out


_EQUAL = (str, int, bool)  # of which two are equal, within one type, just where they are written alike


def _different(values: list[Plain]) -> int:
    """How many different values these are; those of a list count each for itself, as a budget counts them."""
    seen: set[str | tuple[type, Plain]] = set()
    for value in values:
        for item in value if isinstance(value, list) else [value]:
            if type(item) in _EQUAL:
                seen.add((type(item), item))
            elif item is not None:
                seen.add(json.dumps(item, sort_keys=True))
            if len(seen) >= MOST:
                return MOST
    return len(seen)


def _merge_supports(into: Bounded[K, Support], other: Bounded[K, Support]) -> None:
    for key, support in other.items():
        if (found := into.at(key, Support)) is not None:
            found.merge(support)
    into.left_out = into.left_out or other.left_out
