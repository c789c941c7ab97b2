"""When each task kind had work, and when each of its grants was used: by day, so that memory does not grow with the number of sessions."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from licet.learn.runs import Run
from licet.manifest import Manifest

DAY = 86_400
MAX_DAYS = 4_000  # that are kept of one thing: eleven years of every day


@dataclass(slots=True)
class Uses:
    """Of one task kind, or one of its grants: sessions in all, those in the window, those of the latter that are in doubt, and the days.

    A session without a time counts as one in the window, since nothing says otherwise (`undated`).
    """

    sessions: int = 0
    inside: int = 0
    doubted: int = 0
    undated: int = 0
    days: set[int] = field(default_factory=set)

    def add(self, run: Run, begin: float) -> None:
        """One more session; the window begins at `begin` (seconds since the epoch)."""
        self.sessions += 1
        if run.time is None:
            self.undated += 1
        elif 0 <= run.time < MAX_TIME:
            self.days.add(int(run.time // DAY))
            if len(self.days) > MAX_DAYS:
                self.days.remove(min(self.days))
        if run.time is None or run.time >= begin:
            self.inside += 1
            self.doubted += bool(run.doubts)

    @property
    def first(self) -> date | None:
        """The first day; None where no time is known."""
        return day_of(min(self.days)) if self.days else None

    @property
    def last(self) -> date | None:
        """The last day; None where no time is known."""
        return day_of(max(self.days)) if self.days else None

    def longest_gap(self, since: int) -> int:
        """The most days that lay between two days of use, or between day `since` and the first."""
        ordered = [since, *sorted(self.days)]
        return max((after - before for before, after in itertools.pairwise(ordered)), default=0)


MAX_TIME = 253_402_300_800.0  # the end of the calendar


def day_of(number: int) -> date:
    """The day with this number since the epoch, in UTC."""
    return datetime.fromtimestamp(number * DAY, UTC).date()


@dataclass(slots=True)
class KindUses:
    """One task kind and its grants."""

    all: Uses = field(default_factory=Uses)
    tools: dict[str, Uses] = field(default_factory=dict)


class Usage:
    """The uses of what a manifest grants. `begin`: when the window begins, in seconds since the epoch."""

    def __init__(self, manifest: Manifest, begin: float) -> None:
        self.begin = begin
        self.kinds = {kind: KindUses(tools={tool: Uses() for tool in task.tools}) for kind, task in manifest.tasks.items()}
        self.others = 0
        """Runs of kinds that are not declared."""

    def add(self, run: Run) -> None:
        """One run. A tool counts where it ran."""
        found = self.kinds.get(run.kind)
        if found is None:
            self.others += 1
            return
        found.all.add(run, self.begin)
        for tool in {step.tool for step in run.steps if step.ran} & found.tools.keys():
            found.tools[tool].add(run, self.begin)
