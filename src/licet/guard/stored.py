"""The store beside a ledger, held against it: tasks that one has and the other has not. What is only in the store proves nothing."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from licet.errors import StoreError
from licet.escape import counted, visible
from licet.guard.purges import purges, record_of, text_of
from licet.guard.state import KEYS, STORE
from licet.ledger import LedgerFiles
from licet.store import SqliteStore

_ALL = 1 << 40  # tasks


@dataclass(frozen=True, slots=True)
class StoredCheck:
    """What was found. `deleted`: tasks that the ledger has, with the record of their beginning, and the store has not, without a purge.
    `foreign`: those of the store that cite a record which this ledger does not have as theirs. `failed`: why nothing could be compared.
    """

    deleted: Mapping[str, int] | None = None
    foreign: Mapping[str, int] | None = None
    gone: bool = False
    failed: str = ""

    def sentences(self) -> list[str]:
        """In words; nothing where both agree."""
        said = [f"the store cannot be held against the ledger: {self.failed}"] if self.failed else []
        if self.deleted:
            why = f"{STORE} is missing" if self.gone else f"somebody deleted them, {STORE} is an older copy, or they could not be stored"
            have = f"{counted(len(self.deleted), 'task')} of the ledger {_are(self.deleted)} not in the store"
            said.append(f"{have}, and no purge is on record ({_first(self.deleted)}): {why}")
        if self.foreign:
            cite = "cites a record" if len(self.foreign) == 1 else "cite records"
            what = f"{counted(len(self.foreign), 'task')} of the store {cite} that this ledger does not have as theirs"
            said.append(f"{what} ({_first(self.foreign)}): this ledger was begun in the place of another, or {STORE} is another's")
        return said

    def as_dict(self) -> dict[str, Any]:
        """The same, as plain data."""
        return {"deleted": dict(self.deleted or {}), "foreign": dict(self.foreign or {}), "failed": self.failed}


def stored_beside(ledger: Path) -> StoredCheck:
    """The store of the state folder that a ledger's folder stands in, held against it. A copy elsewhere has none.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    folder, files = ledger.absolute().parent, LedgerFiles(ledger)
    there = (folder / STORE).exists()
    if not there and not (folder / KEYS).is_dir():
        return StoredCheck()
    read = _Begun()
    for line in files.records():
        read.take(line)
    try:
        stored = _cited(folder / STORE) if there else {}
        lost = read.begun.keys() - stored.keys()
        if lost and there:  # a task is on record first, and in the store a moment later
            lost -= _cited(folder / STORE).keys()
    except StoreError as error:
        return StoredCheck(failed=str(error))
    known = purges(files.records) if lost else ()
    deleted = {task: read.begun[task] for task in lost if not any(each.covers("rows", task, *read.last[task]) for each in known)}
    size = files.size()
    foreign = {task: cited for task, cited in stored.items() if cited and (_elsewhere(read, task, cited) or cited > size)}
    return StoredCheck(_sorted(deleted), _sorted(foreign), gone=not there)


class _Begun:
    """Where records say that tasks began, and when and where they say the last of them."""

    def __init__(self) -> None:
        self.begun: dict[str, int] = {}
        self.last: dict[str, tuple[str, int]] = {}
        self.records = 0

    def take(self, line: bytes) -> None:
        """Take the next record."""
        self.records += 1
        if b'"kind":"task.begin"' not in line and b'"kind":"task.end"' not in line:
            return
        record = record_of(line)
        kind, task = text_of(record, "kind"), text_of(record, "task")
        if kind == "task.begin":
            self.begun[task] = self.records
        if kind in ("task.begin", "task.end") and task in self.begun:
            self.last[task] = text_of(record, "time"), self.records


def _elsewhere(read: _Begun, task: str, cited: int) -> bool:
    """Whether the record that a task cites was read, and is not that of its beginning."""
    return cited <= read.records and read.begun.get(task) != cited


def _cited(path: Path) -> dict[str, int]:
    """The tasks of the store, and which record each of them cites; 0: none."""
    with closing(SqliteStore(path, reading=True)) as store:
        return {task.id: task.ledger for task in store.tasks(_ALL)}


def _sorted(tasks: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(tasks.items(), key=itemgetter(1)))


def _first(tasks: Mapping[str, int]) -> str:
    task, seq = next(iter(tasks.items()))
    return f"{'the first: ' if len(tasks) > 1 else ''}task {visible(task, 60)[:12]}, record {seq}"


def _are(tasks: Mapping[str, int]) -> str:
    return "is" if len(tasks) == 1 else "are"
