"""Which records speak of a task, a call or a finding: what evidence of it is made of. Found by reading the log alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from licet.canonical import Plain
from licet.errors import LedgerError, UsageError

AboutKind = Literal["task", "call", "finding"]
Log = Callable[[], Iterable[bytes]]
"""Gives all records of a log from its first, as often as it is asked."""
Entry = tuple[int, dict[str, Any]]
"""A record and its index, from 0."""

BESIDE = ("ledger.", "purge")
"""How kinds of records begin that are of no task, and say what became of records."""


@dataclass(frozen=True, slots=True)
class About:
    """What evidence is of. `tasks`: those whose records are all wanted, parents before children; `above`: those that delegated to them, of
    which only the beginning and the end are wanted; `calls`: where only these calls are wanted; `seqs`: further records, by number.
    """

    kind: AboutKind
    id: str
    txn: str = ""
    tasks: tuple[str, ...] = ()
    above: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    seqs: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, Plain]:
        """As JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    def covers(self, record: Mapping[str, Any]) -> bool:
        """Whether a record is of what this is about."""
        kind, task, call = record.get("kind"), record.get("task"), record.get("call")
        if (isinstance(kind, str) and kind.startswith(BESIDE)) or record.get("seq") in self.seqs:
            return True
        if kind in ("task.begin", "task.end") and task in self.above:
            return True
        return call in self.calls if self.calls else bool(task) and task in self.tasks


def whole_id(log: Log, field: Literal["task", "call"], prefix: str) -> tuple[str, str, str]:
    """The one task or call whose id is, or begins with, `prefix`; and its task and transaction.

    Raises:
        UsageError: there is none, or there are several.
        LedgerError: a record is none.
    """
    if not (prefix.isascii() and prefix.isalnum()):
        raise UsageError(f"{prefix!r} is no beginning of an id of a {field}")
    found: dict[str, tuple[str, str, str]] = {}
    for _, record in _holding(log(), f'"{field}":"{prefix}'.encode()):
        name = record.get(field)
        if isinstance(name, str) and name.startswith(prefix):
            found.setdefault(name, (name, str(record.get("task", "")), str(record.get("txn", ""))))
    if prefix in found:
        return found[prefix]
    if not found:
        raise UsageError(f"the ledger has no record of a {field} whose id begins with {prefix!r}")
    if len(found) > 1:
        raise UsageError(f"{prefix!r} begins more than one id: {', '.join(list(found)[:5])}; write more of it")
    return next(iter(found.values()))


def of_task(log: Log, task: str, txn: str, *, kind: AboutKind = "task", id_: str = "") -> tuple[About, list[Entry]]:
    """The records of a task and of all tasks that were delegated from it; the beginnings of those above it; and what stands among them
    about the log itself.
    """
    family = {task: None}
    begun: dict[str, Entry] = {}
    kept: list[Entry] = []
    beside: list[Entry] = []
    for index, record in _holding(log(), f'"{txn}"'.encode(), b'"kind":"ledger.'):
        own = _name(record, "task")
        if str(record.get("kind")).startswith("ledger."):
            beside.append((index, record))
            continue
        if record.get("kind") == "task.begin":
            begun[own] = (index, record)
            if _name(record, "parent") in family:
                family[own] = None
        if own in family:
            kept.append((index, record))
    above = _above(begun, (task,))
    kept += [begun[each] for each in above]
    kept.sort(key=lambda entry: entry[0])
    inside = [entry for entry in beside if kept and kept[0][0] < entry[0] < kept[-1][0]]
    about = About(kind, id_ or task, txn, tuple(family), tuple(above))
    return about, sorted([*kept, *inside], key=lambda entry: entry[0])


def of_calls(log: Log, calls: Collection[str], txn: str, *, kind: AboutKind = "call", id_: str) -> tuple[About, list[Entry]]:
    """The records of some calls of one transaction, and the beginnings and ends of their tasks and of those above them."""
    marks = [f'"{txn}"'.encode()] if txn else [f'"call":"{each}"'.encode() for each in calls]
    begun: dict[str, Entry] = {}
    ended: list[Entry] = []
    kept: list[Entry] = []
    for index, record in _holding(log(), *marks):
        if _name(record, "call") in calls:
            kept.append((index, record))
        elif record.get("kind") == "task.begin":
            begun[_name(record, "task")] = (index, record)
        elif record.get("kind") == "task.end":
            ended.append((index, record))
    own = dict.fromkeys(str(record["task"]) for _, record in kept if record.get("task"))
    above = list(dict.fromkeys([*_above(begun, tuple(own)), *own]))
    kept += [begun[each] for each in above if each in begun]
    kept += [entry for entry in ended if entry[1].get("task") in above]
    about = About(kind, id_, txn, (), tuple(above), tuple(dict.fromkeys(str(record["call"]) for _, record in kept if "call" in record)))
    return about, sorted(kept, key=lambda entry: entry[0])


def of_seqs(log: Log, seqs: Collection[int], *, id_: str) -> tuple[About, list[Entry]]:
    """Some records by their numbers, of what is in no task."""
    found = [(index, json.loads(line)) for index, line in enumerate(log()) if index + 1 in seqs]
    return About("finding", id_, seqs=tuple(sorted(seqs))), found


def with_records(log: Log, entries: Sequence[Entry], seqs: Collection[int]) -> list[Entry]:
    """The entries, and further records by their numbers."""
    wanted = {seq - 1 for seq in seqs} - {index for index, _ in entries}
    further = [(index, json.loads(line)) for index, line in enumerate(log()) if index in wanted] if wanted else []
    return sorted([*entries, *further], key=lambda entry: entry[0])


def _above(begun: Mapping[str, Entry], tasks: Collection[str]) -> list[str]:
    """The tasks that delegated to these, the outermost first."""
    found: dict[str, None] = {}
    for task in tasks:
        at = _name(begun[task][1], "parent") if task in begun else ""
        while at in begun and at not in found:
            found[at] = None
            at = _name(begun[at][1], "parent")
    return list(found)[::-1]


def _name(record: Mapping[str, Any], field: str) -> str:
    """A field that is an id; empty where it is none."""
    value = record.get(field)
    return value if isinstance(value, str) else ""


def _holding(records: Iterable[bytes], *marks: bytes) -> Iterator[Entry]:
    """The records that hold one of the marks, somewhere; to parse them all would take many times as long."""
    for index, line in enumerate(records):
        if any(mark in line for mark in marks):
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise LedgerError(f"record {index + 1} is no JSON; `licet ledger verify` says more") from error
            if isinstance(record, dict):
                yield index, record
