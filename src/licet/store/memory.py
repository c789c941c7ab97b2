"""A store for judging alone: what the open tasks of one thread have used up, in memory, and gone with them.

What calls wrote tainted into stores has to be known for good, so that it goes to a temporary file once it is much: however many sessions
are judged, memory stays flat.
"""

# ruff: noqa: ARG002 - the signatures are those of the protocol

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import TracebackType

from licet.records import EXACT, CallRecord, Claim, Mark, Revocation, TaskRecord

_NOTHING = Decimal(0)


@dataclass(slots=True)
class _Task:
    """What one task has used."""

    record: TaskRecord
    calls: int = 0
    last_tool: str | None = None
    used: dict[str, Decimal] = field(default_factory=dict)
    values: dict[str, set[str]] = field(default_factory=dict)
    times: dict[str, list[float]] = field(default_factory=dict)
    questions: int = 0
    refused: set[str] = field(default_factory=set)


class MemoryStore:
    """A `JudgingStore` whose tasks have no sub-tasks and no second process. Not for use from several threads."""

    def __init__(self) -> None:
        self._tasks: dict[str, _Task] = {}
        self._written = sqlite3.connect("", isolation_level=None, check_same_thread=False)  # a private file, made when memory runs short
        self._written.execute("PRAGMA journal_mode=OFF")
        self._written.execute("PRAGMA synchronous=OFF")
        self._written.execute("CREATE TABLE written (store TEXT, value TEXT, PRIMARY KEY (store, value)) WITHOUT ROWID")
        self._stores: set[str] = set()  # of which anything is known
        self._step = _Step(self._tasks)
        self._told: Callable[[str, Sequence[str], str, str], object] | None = None

    def begin_task(self, task: TaskRecord) -> None:
        """Keep a new task."""
        self._tasks[task.id] = _Task(task)

    def adopt(self, task: TaskRecord, other: MemoryStore) -> None:
        """Keep a task that has used up what the one of the same id has in another store."""
        its = other._tasks[task.id]
        values = {key: set(held) for key, held in its.values.items()}
        times = {key: list(held) for key, held in its.times.items()}
        self._tasks[task.id] = _Task(task, its.calls, its.last_tool, dict(its.used), values, times, its.questions, set(its.refused))

    def completed(self, task_id: str, tool: str) -> None:
        """A call of the task has come to its end without an error."""
        self._tasks[task_id].last_tool = tool

    def forget(self, task_id: str) -> None:
        """The task is over, and nothing asks for it any more."""
        self._tasks.pop(task_id, None)

    def transaction(self) -> _Step:
        """See `JudgingStore`. Nothing is undone: what judges in memory has nobody beside it."""
        return self._step

    def refuse(self, task_id: str, tool: str) -> None:
        """See `JudgingStore`."""
        self._tasks[task_id].refused.add(tool)

    def taint(self, store: str, values: Sequence[str], task_id: str, call_id: str) -> None:
        """See `JudgingStore`."""
        self._stores.add(store)
        if self._told is not None:
            self._told(store, values, task_id, call_id)
        self._written.executemany("INSERT OR IGNORE INTO written VALUES (?,?)", [(store, value) for value in values])

    def tainted(self, store: str, values: Sequence[str]) -> Sequence[str]:
        """See `JudgingStore`."""
        if store not in self._stores:
            return ()
        ask = "SELECT value FROM written WHERE store=? AND value=?"
        return [value for value in values if self._written.execute(ask, (store, value)).fetchone() is not None]

    @contextmanager
    def telling(self, told: Callable[[str, Sequence[str], str, str], object]) -> Iterator[None]:
        """Meanwhile `told` hears what `taint` is told."""
        self._told = told
        try:
            yield
        finally:
            self._told = None

    def written(self) -> Iterator[tuple[str, str]]:
        """All that `taint` was told: the store, and the value."""
        yield from self._written.execute("SELECT store, value FROM written")

    def forget_written(self) -> None:
        """From here on nothing is known of what was written."""
        if self._stores:
            self._stores.clear()
            self._written.execute("DELETE FROM written")

    def close(self) -> None:
        """Let go of the temporary file."""
        self._written.close()


class _Step:
    """See `Transaction`."""

    def __init__(self, tasks: dict[str, _Task]) -> None:
        self._tasks = tasks

    def __enter__(self) -> _Step:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass

    def task(self, task_id: str) -> TaskRecord | None:
        found = self._tasks.get(task_id)
        return found.record if found else None

    def measure(self, claim: Claim, now: float) -> Decimal:
        task = self._tasks[claim.task_id]
        if claim.kind == "distinct":
            return Decimal(len(task.values.get(claim.key, set()) | set(claim.values)))
        if claim.kind == "rate":
            since = now - claim.window
            return Decimal(sum(time > since for time in task.times.get(claim.key, ()))) + claim.amount
        return EXACT.add(task.used.get(claim.key, _NOTHING), claim.amount)

    def reserve(self, claim: Claim, now: float) -> Claim:
        task = self._tasks[claim.task_id]
        if claim.kind == "distinct":
            known = task.values.setdefault(claim.key, set())
            new = tuple(value for value in claim.values if value not in known)
            known.update(new)
            return replace(claim, values=new)
        if claim.kind == "rate":
            task.times.setdefault(claim.key, []).append(now)
        else:
            task.used[claim.key] = EXACT.add(task.used.get(claim.key, _NOTHING), claim.amount)
        return claim

    def release(self, claim: Claim, now: float) -> None:
        task = self._tasks[claim.task_id]
        if claim.kind == "distinct":
            task.values[claim.key].difference_update(claim.values)
        elif claim.kind == "rate":
            task.times[claim.key].remove(now)
        else:
            task.used[claim.key] = EXACT.subtract(task.used[claim.key], claim.amount)

    def ask(self, task_id: str, tool: str) -> None:
        self._tasks[task_id].questions += 1

    def last_tool(self, task_id: str) -> str | None:
        return self._tasks[task_id].last_tool

    last_tool_under = last_tool

    def tree_calls(self, root: str) -> int:
        return self._tasks[root].calls

    def add_call(self, call: CallRecord, root: str = "") -> int:
        task = self._tasks[root]  # no call is kept here: it is counted
        task.calls += 1
        return task.calls

    def waiting(self, task_id: str, framework: str, call_id: str, tool: str, args_digest: str) -> CallRecord | None:
        return None  # no call is made a second time here

    def take_up(self, call_id: str, jti: str = "") -> bool:
        return True

    def glass_broken(self, kind: str, now: float) -> bool:
        return False

    def revoked(self, marks: Sequence[Mark], now: float) -> Revocation | None:
        return None

    def asked(self, task_id: str) -> tuple[int, frozenset[str]]:
        task = self._tasks[task_id]
        return task.questions, frozenset(task.refused)
