"""What the ledger says of purges: which record took what away. The records of what was purged are still there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from licet.canonical import Plain
from licet.clock import iso
from licet.store.purge import Purge

KIND, DONE = "purge", "purge.done"
TASKS_OF_ONE = 1_000  # ids in one record; one that had more of them would be too long

Records = Callable[[], Iterable[bytes]]
"""All records of a ledger, in order, each as its canonical bytes: `LedgerFiles(path).records`."""


@dataclass(frozen=True, slots=True)
class Purged:
    """One record of a purge."""

    seq: int
    time: str
    what: frozenset[str]
    before: str
    tasks: frozenset[str] | None

    def covers(self, what: str, task: str, time: str, seq: int) -> bool:
        """Whether it took away what a task had of this kind since `time`, said in record `seq`."""
        if what not in self.what or seq >= self.seq:
            return False
        return time < self.before if self.tasks is None else task in self.tasks


@dataclass(frozen=True, slots=True)
class PurgedTask:
    """A task whose rows are gone. `by` is the number of the record that says so, 0 if there is none."""

    id: str
    kind: str
    began: str
    ended: str
    by: int
    when: str


def fields_of(purge: Purge, counts: Mapping[str, int], by: str, principal: str = "") -> list[dict[str, Plain]]:
    """The records of a purge that is about to be: one, or several if it names many tasks. `principal` is a pseudonym."""
    told: dict[str, Plain] = {"what": list[Plain](sorted(purge.what)), "counts": {**counts}, "by": by}
    if principal:
        told["principal"] = principal
    if purge.tasks is None:
        return [told | {"before": iso(purge.before)}]
    parts = [list[Plain](purge.tasks[start : start + TASKS_OF_ONE]) for start in range(0, len(purge.tasks), TASKS_OF_ONE)]
    return [told | {"tasks": part, "part": f"{number} of {len(parts)}"} for number, part in enumerate(parts, 1)]


def purges(records: Records) -> Sequence[Purged]:
    """The purges of which a ledger tells."""
    found: list[Purged] = []
    for record in _of_kind(records, KIND):
        tasks = record.get("tasks")
        named = frozenset(map(str, tasks)) if isinstance(tasks, list) else None
        what = record.get("what")
        kinds = frozenset(map(str, what)) if isinstance(what, list) else frozenset()
        found.append(Purged(_number(record), text_of(record, "time"), kinds, text_of(record, "before"), named))
    return found


def purged_tasks(records: Records, prefix: str) -> Sequence[PurgedTask]:
    """The tasks that the ledger knows whose id begins with `prefix`, for when the store does not know them any more."""
    if not (prefix.isascii() and prefix.isalnum()):
        return []
    began: dict[str, Mapping[str, Any]] = {}
    ended: dict[str, Mapping[str, Any]] = {}
    needle = f'"task":"{prefix}'.encode()
    for record in (read for line in records() if needle in line and (read := record_of(line))):
        if record.get("kind") == "task.begin":
            began[text_of(record, "task")] = record
        elif record.get("kind") == "task.end":
            ended[text_of(record, "task")] = record
    known = purges(records) if began else []
    out: list[PurgedTask] = []
    for task, record in began.items():
        last = ended.get(task, record)
        by = next((each for each in known if each.covers("rows", task, text_of(last, "time"), _number(last))), None)
        end = text_of(ended[task], "time") if task in ended else ""
        out.append(
            PurgedTask(task, text_of(record, "kind_of_task"), text_of(record, "time"), end, by.seq if by else 0, by.time if by else "")
        )
    return out


def _of_kind(records: Records, kind: str) -> Iterable[Mapping[str, Any]]:
    needle = f'"kind":"{kind}"'.encode()
    return (record for line in records() if needle in line and (record := record_of(line)) and record.get("kind") == kind)


def record_of(line: bytes) -> Mapping[str, Any]:
    """The record of a line; nothing for what is none: verifying says so, and this is no verification."""
    try:
        read = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def text_of(record: Mapping[str, Any], name: str) -> str:
    """A field that is a text; empty where it is none."""
    value = record.get(name)
    return value if isinstance(value, str) else ""


def _number(record: Mapping[str, Any]) -> int:
    seq = record.get("seq")
    return seq if type(seq) is int else 0
