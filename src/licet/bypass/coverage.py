"""How much of what ran the guard saw: per run, and in sum. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from licet.bypass.causes import Unseen, causes_of
from licet.bypass.looks import Look
from licet.bypass.matching import NEAR, Keyed, Match, Matched, matched
from licet.bypass.ran import SERVER, Running
from licet.escape import counted


@dataclass(frozen=True)
class Run:
    """One run: a conversation, or a trace.

    Attributes:
        key: the conversation's id, else the trace's.
        traces, tasks: those that are in it, in order; a task is known by what the guard saw.
        spare: calls that the guard let run and of which no framework's span is here: they were sampled away or dropped. No bypass.
    """

    key: str
    traces: tuple[str, ...]
    tasks: tuple[str, ...]
    matches: tuple[Match, ...]
    unseen: tuple[Unseen, ...]
    spare: tuple[Look, ...]

    @property
    def ran(self) -> int:
        """How many calls ran."""
        return len(self.matches) + len(self.unseen)

    @property
    def sentence(self) -> str:
        """The coverage in words."""
        return coverage(len(self.unseen), self.ran)


@dataclass(frozen=True)
class Coverage:
    """What `compare` found.

    Attributes:
        runs: in the order of their first calls.
        defied: calls that the guard denied, and that ran all the same: a span of the tool's own side, or below the denial's, is here.
        elsewhere: looks at calls of traces of which no framework's span is here, which nothing can be compared with.
    """

    runs: tuple[Run, ...]
    found: Matched
    defied: tuple[Match, ...]
    elsewhere: int

    @cached_property
    def ran(self) -> int:
        """How many calls ran."""
        return sum(run.ran for run in self.runs)

    @cached_property
    def unseen(self) -> tuple[Unseen, ...]:
        """All that the guard did not see, in order of time."""
        return tuple(sorted((each for run in self.runs for each in run.unseen), key=lambda each: (each.ran.started, each.ran.place)))

    @property
    def sentence(self) -> str:
        """The coverage in words."""
        return coverage(len(self.unseen), self.ran)

    @property
    def whole(self) -> bool | None:
        """Whether the guard saw all calls and none ran that it denied; None: there was nothing to compare, which is no good news."""
        return not self.unseen and not self.defied if self.ran else None


def coverage(unseen: int, ran: int) -> str:
    """`3 of 41 calls not seen by the guard`."""
    if not ran:
        return "nothing to compare: no call of a framework is there"
    return f"{unseen:,} of {counted(ran, 'call')} not seen by the guard"


def compare(
    running: Running, looks: Sequence[Look], *, keyed: Keyed | None = None, declared: Collection[str] | None = None, near: float = NEAR
) -> Coverage:  # fmt: skip
    """Hold what ran against what the guard saw.

    Args:
        running: by `ran_in`.
        looks: by `looks_of_store`, `looks_of_spans` and `looks_of_ledger`, put `together`.
        keyed: from a plain digest of arguments to the guard's (`Pseudonyms.digest`); without it arguments are not compared.
        declared: the tools of the manifest.
        near: by how many seconds clocks may differ.
    """
    found = matched(running, looks, keyed, near)
    unseen = causes_of(found, looks, declared, near)
    keys = {ran.trace: ran.run for ran in sorted(running.calls, key=lambda ran: bool(ran.session))}
    runs = {ran.run: _Gathered() for ran in running.calls}
    for ran in running.calls:
        runs[ran.run].traces[ran.trace] = None
    for look in looks:
        if look.task and look.trace in keys:
            runs[keys[look.trace]].tasks[look.task] = None
    for match in found.matches:
        runs[match.ran.run].matches.append(match)
        if match.look.task:
            runs[match.ran.run].tasks[match.look.task] = None
    for each in unseen:
        runs[each.ran.run].unseen.append(each)
    spare = [look for look in found.spare if look.trace in keys and look.ran]
    for look in spare:
        runs[keys[look.trace]].spare.append(look)
    elsewhere = sum(look.trace not in keys for look in found.spare)
    defied = tuple(each for each in found.matches if _defied(each, running))
    return Coverage(tuple(each.run(key) for key, each in runs.items()), found, defied, elsewhere)


@dataclass
class _Gathered:
    """A run while it is put together."""

    traces: dict[str, None] = field(default_factory=dict)
    tasks: dict[str, None] = field(default_factory=dict)
    matches: list[Match] = field(default_factory=list)
    unseen: list[Unseen] = field(default_factory=list)
    spare: list[Look] = field(default_factory=list)

    def run(self, key: str) -> Run:
        return Run(key, tuple(self.traces), tuple(self.tasks), tuple(self.matches), tuple(self.unseen), tuple(self.spare))


def _defied(match: Match, running: Running) -> bool:
    """Whether a call ran in spite of its denial: below the span that says so nothing may stand, and nothing may reach the tool's side."""
    ran, look = match.ran, match.look
    if not look.denied or look.place in ran.spans:
        return False
    below = any(look.place in running.line(place) for place in ran.spans)
    return below or any(layer.kind == SERVER for layer in ran.spans.values())
