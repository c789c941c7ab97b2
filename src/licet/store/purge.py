"""Deleting what is old, or what is one task's or one person's: in small steps, so that nobody waits long, and so that the bytes are gone.

Never what a decision still needs: a task that is open, or waits for a person, keeps all of its transaction. What a task wrote into a store
without trust, what is revoked or spent and still binds, and the broken glass stay, whatever their age.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from licet.store.files import translated
from licet.store.opened import SqliteFile

What = Literal["contents", "spans", "rows"]
STEP_ROWS = 1_000  # of one transaction: some tens of milliseconds
STEP_PAGES = 50  # of the file's, given back in one transaction
STEP_SECONDS, GIVE_BACK_SECONDS = 0.1, 30.0  # for giving pages back: after one step, and at the end
EMPTY_TRIES = 200  # for the write-ahead log, while others read

# What cannot be compared (a damaged row) is not dead. A task that nobody ended is, once its time is over and nobody is waited for.
_WAITS = "EXISTS (SELECT 1 FROM calls WHERE calls.task_id=tasks.id AND calls.status IN ('suspended','asked'))"
_TIMES = "typeof(started)='real' AND typeof(ttl)='real' AND typeof(paused)='real'"  # in a sum, a text would be 0
_DEAD = f"(ended < ?1 OR (ended IS NULL AND {_TIMES} AND started+ttl+paused < ?1 AND NOT {_WAITS}))"
_ROOT = "coalesce(nullif(tasks.root,''), tasks.id)"
_GONE = f"SELECT id FROM tasks WHERE {_ROOT} NOT IN (SELECT {_ROOT} FROM tasks WHERE {_DEAD} IS NOT TRUE)"
_LIVES = f"SELECT 1 FROM tasks WHERE (root=?2 OR id=?2) AND {_DEAD} IS NOT TRUE LIMIT 1"
_ORPHANS = {"calls": "started", "findings": "time"}  # with the column of their age: of no task, or of another store's
_SPANS = "attributes NOT IN ('','{}')"
_KEYS = {"calls": "rowid", "findings": "rowid", "questions": "rowid", "budget_times": "rowid"}
_KEYS |= {"budget_use": "(task_id, key)", "budget_values": "(task_id, key, value)"}
_DEADLINES = {"revoked": "(kind, value)", "spent": "jti"}


@dataclass(frozen=True, slots=True)
class Purge:
    """What is to go: of these kinds, what is older than `before` (seconds since the epoch), or, where `tasks` are named, all of theirs that
    is over at `before`.
    """

    what: frozenset[What]
    before: float
    tasks: tuple[str, ...] | None = None


def purgeable(file: SqliteFile, purge: Purge) -> Counter[str]:
    """How many there are to go of each kind, as it stands now. Nothing is changed, and nobody waits."""
    found: Counter[str] = Counter()
    for within, values in _of_tasks(purge):
        gone = _GONE + (f" AND id IN ({within})" if within else "")
        in_gone = f"task_id IN ({gone})" if "rows" in purge.what else "0"
        if "rows" in purge.what:
            found["tasks"] += _number(file, f"SELECT count(*) FROM tasks WHERE id IN ({gone})", values)
            for table, age in _ORPHANS.items():
                orphans = "0" if within else f"{age}<?1 AND {_no_task(table)}"
                found[table] += _number(file, f"SELECT count(*) FROM {table} WHERE {in_gone} OR ({orphans})", values)
        if "spans" in purge.what:
            old = f"task_id IN ({within}) AND ?1" if within else "started<?1"
            found["spans"] += _number(file, f"SELECT count(*) FROM calls WHERE {old} AND {_SPANS} AND NOT ({in_gone})", values)
    if "rows" in purge.what and purge.tasks is None:
        for table in _DEADLINES:
            found[table] += _number(file, f"SELECT count(*) FROM {table} WHERE until<=?", (purge.before,))
    return found


def living(file: SqliteFile, tasks: Sequence[str], now: float) -> Sequence[str]:
    """Which of the tasks are open or wait for a person, or belong to a transaction in which one does: their rows cannot go yet."""
    out: list[str] = []
    for some in _parts(tasks):
        within, values = _among(some, now)
        out += [row[0] for row in file._read(f"SELECT id FROM tasks WHERE id IN ({within}) AND id NOT IN ({_GONE})", values)]
    return out


def purge_store(file: SqliteFile, purge: Purge) -> Iterator[Counter[str]]:
    """Delete spans and rows; each answer is what one step, which is one transaction, has taken away."""
    for taken in _taken(file, purge):
        yield taken
        give_back(file, STEP_SECONDS)  # now: in a long list of free pages, each of them is long looked for


def _taken(file: SqliteFile, purge: Purge) -> Iterator[Counter[str]]:
    if "rows" in purge.what:
        yield from _rows(file, purge)
        if purge.tasks is None:
            yield from _leftovers(file, purge.before)
    if "spans" in purge.what:
        yield from _spans(file, purge)


def _rows(file: SqliteFile, purge: Purge) -> Iterator[Counter[str]]:
    """Task by task, the younger first: those below go before the one that they were delegated from."""
    waiting: list[tuple[str, str]] = []
    source = _by_age(file, purge.before) if purge.tasks is None else _by_id(file, purge.tasks)
    more = True
    while more or waiting:
        while more and len(waiting) < STEP_ROWS:
            row = next(source, None)
            more = row is not None
            waiting += [row] if row else []
        taken: Counter[str] = Counter()
        with file.step() as db:
            lives: dict[str, bool] = {}  # by transaction; within one step nothing changes
            while waiting and taken.total() < STEP_ROWS:
                task_id, root = waiting[-1]
                if root not in lives:
                    lives[root] = db.execute(_LIVES, (purge.before, root)).fetchone() is not None
                if lives[root] or _delete_task(db, task_id, taken):
                    waiting.pop()
        if taken:
            yield taken


def _by_age(file: SqliteFile, before: float) -> Iterator[tuple[str, str]]:
    at = 2**62
    query = f"SELECT rowid, id, {_ROOT} FROM tasks WHERE {_DEAD} AND rowid<?2 ORDER BY rowid DESC LIMIT {STEP_ROWS}"
    while some := file._read(query, (before, at)):
        yield from ((task_id, root) for _, task_id, root in some)
        at = some[-1][0]


def _by_id(file: SqliteFile, tasks: Sequence[str]) -> Iterator[tuple[str, str]]:
    for some in _parts(tasks):
        within, values = _among(some, 0.0)
        yield from file._read(f"SELECT id, {_ROOT} FROM tasks WHERE id IN ({within}) AND ?1=0 ORDER BY rowid DESC", values)


def _delete_task(db: sqlite3.Connection, task_id: str, taken: Counter[str]) -> bool:
    """Take away of a task what one step has room for; True once all of it is gone. The task's own row goes last."""
    for table, key in _KEYS.items():
        room = STEP_ROWS - taken.total()
        if room <= 0:
            return False
        some = f"SELECT {key.strip('()')} FROM {table} WHERE task_id=? LIMIT ?"
        taken[_named(table)] += db.execute(f"DELETE FROM {table} WHERE {key} IN ({some})", (task_id, room)).rowcount
        if taken.total() >= STEP_ROWS:
            return False
    db.execute("DELETE FROM trees WHERE root=?", (task_id,))
    taken["tasks"] += db.execute("DELETE FROM tasks WHERE id=?", (task_id,)).rowcount
    return True


def _leftovers(file: SqliteFile, before: float) -> Iterator[Counter[str]]:
    """Calls and findings of no task of this store; and what was revoked or spent, once it binds nobody any more."""
    for table, age in _ORPHANS.items():
        query = f"SELECT rowid FROM {table} WHERE rowid>? AND {age}<? AND {_no_task(table)} ORDER BY rowid LIMIT {STEP_ROWS}"
        one, at = f"DELETE FROM {table} WHERE rowid=? AND {_no_task(table)}", -1
        while some := file._read(query, (at, before)):
            with file.step() as db:
                deleted = sum(db.execute(one, row).rowcount for row in some)
            yield Counter({table: deleted})
            at = some[-1][0]
    for table, key in _DEADLINES.items():
        some_of = f"SELECT {key.strip('()')} FROM {table} WHERE until<=? LIMIT {STEP_ROWS}"
        while True:
            with file.step() as db:
                deleted = db.execute(f"DELETE FROM {table} WHERE {key} IN ({some_of})", (before,)).rowcount
            if not deleted:
                break
            yield Counter({_named(table): deleted})


def _spans(file: SqliteFile, purge: Purge) -> Iterator[Counter[str]]:
    """The stored attributes of calls' spans. No decision reads them."""
    empty = f"UPDATE calls SET attributes='' WHERE rowid=? AND {_SPANS}"
    for within, values in _of_tasks(purge):
        old = f"task_id IN ({within}) AND ?1" if within else "started<?1"
        # `+rowid`: by tasks, their own index is the way to them.
        order, at = "+rowid" if within else "rowid", -1
        query = f"SELECT rowid FROM calls WHERE {order}>?{len(values) + 1} AND {old} AND {_SPANS} ORDER BY {order} LIMIT {STEP_ROWS}"
        while some := file._read(query, (*values, at)):
            with file.step() as db:
                emptied = sum(db.execute(empty, row).rowcount for row in some)
            yield Counter({"spans": emptied})
            at = some[-1][0]


def shrink(file: SqliteFile, *, compact: bool) -> Iterator[str]:
    """Give back what is free, and empty the write-ahead log, which has older pages. Each answer is a sentence of what could not be done.

    What is deleted was overwritten with zeros where it stood (https://sqlite.org/pragma.html#pragma_secure_delete), so that the file need
    not be written anew, for which others would have to wait; unless it was begun by a release that did not overwrite.
    """
    with file._lock, translated(file._path):
        db = file._db()
        old = _one(db, "auto_vacuum") == 0
        if compact:
            # The new form is put together in a file that has no name, as it can be large; it has only what stays.
            db.execute("PRAGMA temp_store=FILE")
            db.execute("VACUUM")
            db.execute("PRAGMA temp_store=MEMORY")
    if old and not compact:
        yield (f"{file._path}: was begun by an earlier release, which left what it deleted: stop what uses it, and give `--compact`")
    # What is free after that time is zeros, and is used for new rows; the next purge goes on.
    give_back(file, GIVE_BACK_SECONDS)
    for _ in range(EMPTY_TRIES):
        with file._lock, translated(file._path):
            # Nobody waits for this one; what it leaves for the next, for which others wait, is little.
            file._db().execute("PRAGMA wal_checkpoint(PASSIVE)")
            busy, *_ = file._db().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not busy:
            return
        time.sleep(_PAUSE)
    yield f"{file._path}-wal: another process reads the file all the time, so that its log could not be emptied; purge again later"


_PAUSE, _SHORTEST = 0.01, 0.001  # seconds


def give_back(file: SqliteFile, seconds: float) -> None:
    """Give free pages back, some at a time, until there are none or the time is over. In between others can write."""
    end = time.monotonic() + seconds
    while True:
        begun = time.monotonic()
        with file._lock, translated(file._path):
            db = file._db()
            before = _one(db, "freelist_count")
            if before:
                db.executescript(f"PRAGMA incremental_vacuum({STEP_PAGES});")  # it has a step for each page; `execute` takes one only
            # A file without a map of its pages (of an earlier release) keeps them.
            helped = before and _one(db, "freelist_count") < before
        now = time.monotonic()
        if not helped or now >= end:
            return
        time.sleep(max(_SHORTEST, now - begun))


def _one(db: sqlite3.Connection, pragma: str) -> int:
    return int(db.execute(f"PRAGMA {pragma}").fetchone()[0])


def _number(file: SqliteFile, query: str, values: tuple[Any, ...]) -> int:
    return int(file._read(query, values)[0][0])


def _no_task(table: str) -> str:
    return f"NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.id={table}.task_id)"


def _named(table: str) -> str:
    return "budgets" if table.startswith("budget") else table


def _of_tasks(purge: Purge) -> Iterable[tuple[str, tuple[Any, ...]]]:
    """The marks and values for each part of the tasks that are named; without names once, and no marks."""
    return [("", (purge.before,))] if purge.tasks is None else (_among(some, purge.before) for some in _parts(purge.tasks))


def _parts(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + 500] for start in range(0, len(ids), 500))


def _among(ids: Sequence[str], first: float) -> tuple[str, tuple[Any, ...]]:
    """Marks for a list of ids, and the values of a query in which `?1` is `first`."""
    return ",".join(f"?{number}" for number in range(2, len(ids) + 2)), (first, *ids)
