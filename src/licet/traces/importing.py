"""Reading is an import: spans go into a store through its ordinary methods, so that whoever reads a store reads a trace."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from licet.escape import counted
from licet.records import CallRecord
from licet.store import SqliteStore, Store
from licet.telemetry.otlp import BadSpan
from licet.telemetry.reader import ReadSpan
from licet.traces.gathering import MADE, Gathered, Gathering
from licet.traces.sources import spans_from

__all__ = ["MADE", "Import", "imported", "read_into"]


@dataclass(frozen=True, slots=True)
class Import:
    """What was read. `problems` are the first in full, `counts` all of them by name; `made`: tasks that only their calls tell of."""

    spans: int
    tasks: int
    calls: int
    findings: int
    made: int
    twice: int
    unrecorded: int
    cut: int
    foreign: Mapping[str, int]
    problems: Sequence[BadSpan]
    counts: Mapping[str, int]

    @property
    def wrong(self) -> int:
        """How many problems there are."""
        return sum(self.counts.values())

    def sentences(self) -> Iterator[str]:
        """Each problem that is kept, how many more there are, and what a reader must know besides."""
        for problem in self.problems:
            yield str(problem)
        if self.wrong > len(self.problems):
            yield f"{counted(self.wrong - len(self.problems), 'more problem')}"
        if self.unrecorded:
            spans = counted(self.unrecorded, "span")
            yield f"{spans} without a whole `licet.record`: read by other attributes, without findings and the ways of values"
        if self.cut:
            yield f"{counted(self.cut, 'value flow')} or findings had no room in their records"
        if self.made:
            yield f"{counted(self.made, 'task')} of which no span has arrived: what is known is from the calls"
        if self.foreign:
            kinds = ", ".join(
                f"{name} ({number:,})" for name, number in sorted(self.foreign.items(), key=lambda each: (-each[1], each[0]))[:5]
            )
            yield f"{counted(sum(self.foreign.values()), 'span')} of others: {kinds}{', ...' if len(self.foreign) > 5 else ''}"
        if not self.spans:
            where = "of the Collector's files, traces.jsonl has them; is it the right source, and has it been written to yet?"
            yield f"no span of Licet's is there: {where}"

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "spans": self.spans, "tasks": self.tasks, "calls": self.calls, "findings": self.findings, "made": self.made,
            "twice": self.twice, "unrecorded": self.unrecorded, "cut": self.cut, "foreign": dict(self.foreign),
            "problems": {"counts": dict(self.counts), "first": [{"place": b.place, "key": b.key, "why": b.why} for b in self.problems]},
        }  # fmt: skip


@contextmanager
def imported(sources: Sequence[str]) -> Iterator[tuple[Store, Import]]:
    """A store with all that the sources hold, gone afterwards, and what there is to say about it.

    Raises:
        UsageError: a source cannot be opened.
    """
    with tempfile.TemporaryDirectory(prefix="licet-traces-") as folder:
        store = SqliteStore(Path(folder) / "store.sqlite")
        try:
            yield store, read_into(store, (span for source in sources for span in spans_from(source)))
        finally:
            store.close()


def read_into(store: Store, items: Iterable[ReadSpan | BadSpan]) -> Import:
    """Put what spans tell into a store that is empty.

    Raises:
        StoreError: it cannot be written.
    """
    gathering = Gathering()
    gathering.add(items)
    found = gathering.done()
    for task in sorted(found.tasks.values(), key=lambda task: (task.started, task.parent is not None, task.id)):
        store.begin_task(task)
    calls = _calls(store, found, gathering)
    for finding in sorted(found.findings.values(), key=lambda finding: finding.time):
        store.add_finding(finding)
    made = sum(task.ended_by == MADE for task in found.tasks.values())
    return Import(
        found.spans, len(found.tasks), calls, len(found.findings), made, found.twice, found.unrecorded, found.cut, dict(found.foreign),
        tuple(found.problems), dict(found.counts),
    )  # fmt: skip


def _calls(store: Store, found: Gathered, gathering: Gathering) -> int:
    """Keep every call under its own number: the reasons of others speak of it by that. Those outside any task are numbered anew."""
    by_task: dict[str, list[CallRecord]] = {}
    for call in found.calls.values():
        by_task.setdefault(call.task_id, []).append(call)
    kept = 0
    for task_id, calls in by_task.items():
        taken: dict[int, str] = {}
        with store.transaction() as step:
            # Of two calls of one number a denial counts.
            for call in sorted(calls, key=lambda call: (call.seq, call.decision.outcome != "deny", call.started, call.id)):
                numbered = call if task_id else replace(call, seq=0)
                if numbered.seq and taken.setdefault(numbered.seq, call.id) != call.id:
                    gathering.same_number(call, taken[numbered.seq])
                    continue
                step.add_call(numbered)
                kept += 1
    return kept
