"""The records of one task and its sub-tasks, put together for showing."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from licet.chain import CallGraph, build
from licet.errors import UsageError
from licet.manifest import Manifest
from licet.records import CallRecord, Finding, TaskRecord
from licet.store import Store

NO_WORDS = "(the user's own words are not in a trace)"


@dataclass(frozen=True)
class Story:
    """A task, its sub-tasks (parents before children), their calls by task id, and the findings about them.

    Tasks of the same transaction or trace may be in it too. With the manifest its graph has stores and sinks.
    """

    tasks: Sequence[TaskRecord]
    calls: Mapping[str, Sequence[CallRecord]]
    findings: Sequence[Finding] = ()
    now: float = field(default_factory=time.time)  # when it is told
    manifest: Manifest | None = None

    @property
    def task(self) -> TaskRecord:
        """The task that the story is about."""
        return self.tasks[0]

    @cached_property
    def graph(self) -> CallGraph:
        """The call graph of all of it."""
        return build(self.tasks, self.calls, self.now, self.manifest)

    @property
    def roots(self) -> list[TaskRecord]:
        """The tasks that no other of the story delegated; the one that it is about first, if it is one of them."""
        known = {task.id for task in self.tasks}
        return [task for task in self.tasks if task.parent not in known]

    def intent(self, task: TaskRecord) -> str:
        """The user's own words, or that they are not here."""
        return task.intent or NO_WORDS

    def state(self, task: TaskRecord) -> str:
        """Whether a task is open, over or ended, and by what it ended."""
        word = task.state(self.now)
        return f"{word} ({_ended_by(task.ended_by)})" if task.ended_by else word

    def children(self, task_id: str) -> list[TaskRecord]:
        """The tasks that were delegated from this one."""
        return [task for task in self.tasks if task.parent == task_id]

    def steps(self, task_id: str) -> list[Step]:
        """The calls and the sub-tasks of one task, in order of time."""
        steps = [Step(call.started, call=call) for call in self.calls.get(task_id, ())]
        steps += [Step(child.started, task=child) for child in self.children(task_id)]
        return sorted(steps, key=lambda step: step.time)

    def as_dict(self, task: TaskRecord | None = None) -> dict[str, Any]:
        """The whole story as plain data, sub-tasks nested."""
        about = task or self.task
        calls = [dataclasses.asdict(call) | {"attributes": dict(call.attributes)} for call in self.calls.get(about.id, ())]
        return {
            **dataclasses.asdict(about),
            "state": about.state(self.now),
            "calls": calls,
            "findings": [dataclasses.asdict(finding) for finding in self.findings if finding.task_id == about.id],
            "tasks": [self.as_dict(child) for child in self.children(about.id)],
        }


def cited(ledger: int) -> str:
    """How a report names a record of the ledger; empty if there is none."""
    return f"ledger {ledger}" if ledger else ""


def _ended_by(by: str) -> str:
    """The guard's words for people: `block left` reads as if something had been blocked."""
    if by == "block left":
        return "end of `with`"
    return by.replace("block left by", "`with` left by", 1) if by.startswith("block left by ") else by


@dataclass(frozen=True, slots=True)
class Step:
    """A call, or a sub-task, at the time at which it began."""

    time: float
    call: CallRecord | None = field(default=None, kw_only=True)
    task: TaskRecord | None = field(default=None, kw_only=True)


def collect(store: Store, task_id: str, *, connected: bool = False, manifest: Manifest | None = None) -> Story:
    """The story of the task with this id and its sub-tasks; `connected`: of all tasks of its transaction and trace, in any process.

    Raises:
        UsageError: the store does not know the task.
    """
    found = store.connected(task_id) if connected else store.family(task_id)
    tasks = sorted(found, key=lambda task: task.id != task_id)  # a clock that stepped back must not put a child first
    if not tasks:
        raise UsageError(f"task {task_id!r} is not known to this store")
    calls = {task.id: store.calls(task.id) for task in tasks}
    return Story(tasks, calls, [finding for task in tasks for finding in store.findings(task.id)], manifest=manifest)
