"""The embedded store: one SQLite file in WAL mode, shared by threads and processes."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from licet.errors import StoreError
from licet.records import EXACT, CallRecord, CallStatus, Claim, Decision, Finding, Mark, Revocation, TaskRecord
from licet.store.files import translated
from licet.store.migrations import MIGRATIONS
from licet.store.opened import SqliteFile
from licet.store.purge import Purge, living, purge_store, purgeable, shrink
from licet.store.revoked import KEPT, REVOKE_FAMILY, issued_query, revocation_of, revoked_in
from licet.store.rows import (
    CALL_COLUMNS,
    FINDING_COLUMNS,
    TASK_COLUMNS,
    call_of,
    call_row,
    decision_text,
    finding_of,
    finding_row,
    task_of,
    task_row,
)

BUSY_SECONDS = 5.0  # how long to wait for another process's transaction before the call is refused
SCHEMA_VERSION = 5

_SCHEMA = """
CREATE TABLE IF NOT EXISTS tasks (
    id TEXT PRIMARY KEY, kind TEXT, agent TEXT, principal TEXT, intent TEXT, manifest_digest TEXT, started REAL, ttl REAL,
    parent TEXT, root TEXT, narrowing TEXT, paused REAL, ended REAL, ended_by TEXT, detached INTEGER, trace_id TEXT, span_id TEXT,
    principal_is TEXT, agent_is TEXT, owner TEXT, ledger INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS tasks_by_time ON tasks (started);
CREATE INDEX IF NOT EXISTS tasks_by_root ON tasks (root);
CREATE INDEX IF NOT EXISTS tasks_by_parent ON tasks (parent);
CREATE INDEX IF NOT EXISTS tasks_by_trace ON tasks (trace_id);
CREATE TABLE IF NOT EXISTS calls (
    id TEXT PRIMARY KEY, task_id TEXT, seq INTEGER, tool TEXT, call_id TEXT, framework TEXT, status TEXT, decision TEXT,
    args_digest TEXT, started REAL, ended REAL, result_digest TEXT, error_type TEXT, jti TEXT, trace_id TEXT, span_id TEXT,
    attributes TEXT, used TEXT, completed INTEGER, ledger INTEGER NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX IF NOT EXISTS calls_by_task ON calls (task_id, seq);
CREATE INDEX IF NOT EXISTS calls_completed ON calls (task_id, completed);
CREATE INDEX IF NOT EXISTS calls_by_completion ON calls (completed);
CREATE INDEX IF NOT EXISTS calls_waiting ON calls (task_id, call_id) WHERE status IN ('suspended','asked');
CREATE TABLE IF NOT EXISTS findings (
    id TEXT PRIMARY KEY, time REAL, check_id TEXT, severity TEXT, sentence TEXT, task_id TEXT, call_id TEXT, owner TEXT, refs TEXT,
    ledger INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS findings_by_task ON findings (task_id);
CREATE TABLE IF NOT EXISTS budget_use (task_id TEXT, key TEXT, used TEXT, PRIMARY KEY (task_id, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS budget_values (task_id TEXT, key TEXT, value TEXT, PRIMARY KEY (task_id, key, value)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS budget_times (task_id TEXT, key TEXT, time REAL);
CREATE INDEX IF NOT EXISTS budget_times_by_key ON budget_times (task_id, key, time);
CREATE TABLE IF NOT EXISTS questions (task_id TEXT, tool TEXT, refused INTEGER);
CREATE INDEX IF NOT EXISTS questions_by_task ON questions (task_id);
CREATE TABLE IF NOT EXISTS trees (root TEXT PRIMARY KEY, calls INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS written (store TEXT, value TEXT, task_id TEXT, call_id TEXT, PRIMARY KEY (store, value)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spent (jti TEXT PRIMARY KEY, until REAL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS spent_by_time ON spent (until);
CREATE TABLE IF NOT EXISTS revoked (
    kind TEXT, value TEXT, time REAL, until REAL, reason TEXT, by TEXT, PRIMARY KEY (kind, value)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS broken_glass (kind TEXT, until REAL, reason TEXT, by TEXT, time REAL);
"""


class SqliteStore(SqliteFile):
    """A store in the file `path`, created with mode 0600. Use it from any thread; after a fork it opens the file anew.

    `reading`: nothing will be written, and so it can be read where nothing can be.

    Raises:
        StoreError: the file cannot be opened, is not ours alone, or is of another version that cannot be taken up.
    """

    def __init__(self, path: str | Path, *, busy_seconds: float = BUSY_SECONDS, reading: bool = False) -> None:
        super().__init__(path, _SCHEMA, SCHEMA_VERSION, busy_seconds=busy_seconds, migrations=MIGRATIONS, reading=reading)

    @contextmanager
    def transaction(self) -> Iterator[_SqliteTransaction]:
        """See `Store.transaction`."""
        with self.step() as db:
            yield _SqliteTransaction(db)

    def begin_task(self, task: TaskRecord) -> None:
        """See `Store`."""
        self._write(f"INSERT INTO tasks ({TASK_COLUMNS}) VALUES ({_marks(TASK_COLUMNS)})", task_row(task))

    def end_task(self, task_id: str, time: float, by: str) -> bool:
        """See `Store`."""
        with self.transaction() as tx:
            ended = "UPDATE tasks SET ended=?, ended_by=? WHERE id=? AND ended IS NULL"
            if tx._db.execute(ended, (time, by, task_id)).rowcount != 1:
                return False
            # In the same step: from here on no token of the task, nor of one below it, is good anywhere.
            tx._db.execute(REVOKE_FAMILY, (task_id, time, time + KEPT, by))
            return True

    def pause_task(self, task_id: str, seconds: float) -> None:
        """See `Store`."""
        self._write("UPDATE tasks SET paused=paused+? WHERE id=?", (seconds, task_id))

    def refuse(self, task_id: str, tool: str) -> None:
        """See `Store`."""
        self._write("INSERT INTO questions VALUES (?,?,1)", (task_id, tool))

    def update_call(
        self,
        call_id: str,
        *,
        status: CallStatus,
        ended: float | None = None,
        result_digest: str = "",
        error_type: str = "",
        jti: str = "",
        trace_id: str = "",
        span_id: str = "",
        attributes: str = "",
        decision: Decision | None = None,
        ledger: int = 0,
    ) -> None:
        """See `Store`."""
        given = {
            "ended": ended, "result_digest": result_digest, "error_type": error_type, "jti": jti,
            "trace_id": trace_id, "span_id": span_id, "attributes": attributes,
            "decision": decision_text(decision) if decision else "", "ledger": ledger or None,
        }  # fmt: skip
        changes: dict[str, Any] = {"status": status} | {name: value for name, value in given.items() if value not in (None, "")}
        completed = ", completed=(SELECT coalesce(max(completed),0)+1 FROM calls)" if status == "done" else ""
        assignments = ", ".join(f"{name}=?" for name in changes)
        # Column names come from the table above, never from a caller.
        self._write(f"UPDATE calls SET {assignments}{completed} WHERE id=?", (*changes.values(), call_id))

    def running(self) -> Sequence[str]:
        """See `Store`."""
        return [row[0] for row in self._read("SELECT id FROM calls WHERE status='running'", ())]

    def settle_call(self, call_id: str, ended: float, ledger: int) -> bool:
        """See `Store`."""
        lost = "UPDATE calls SET status='unknown', ended=?, ledger=max(ledger,?) WHERE id=? AND status='running'"
        return self._write(lost, (ended, ledger, call_id)) == 1

    def add_finding(self, finding: Finding) -> None:
        """See `Store`."""
        # A verifier knows the task, and has no manifest: the task's own record says whose it is.
        owner = "coalesce(nullif(?8,''), (SELECT owner FROM tasks WHERE id=?6), '')"
        keep = f"INSERT OR IGNORE INTO findings ({FINDING_COLUMNS}) VALUES (?1,?2,?3,?4,?5,?6,?7,{owner},?9,?10)"
        self._write(keep, finding_row(finding))

    def break_glass(self, kind: str, until: float, reason: str, by: str, now: float) -> None:
        """See `Store`."""
        self._write("INSERT INTO broken_glass VALUES (?,?,?,?,?)", (kind, until, reason, by, now))

    def task(self, task_id: str) -> TaskRecord | None:
        """See `Store`."""
        rows = self._read(f"SELECT {TASK_COLUMNS} FROM tasks WHERE id=?", (task_id,))
        return task_of(rows[0]) if rows else None

    def tasks_like(self, prefix: str, limit: int = 10) -> Sequence[str]:
        """See `Store`."""
        if not (prefix.isascii() and prefix.isalnum()):
            return []  # no id; and what cannot be encoded cannot be asked for
        # A range, and no pattern: `%` and `_` in a prefix are only characters.
        query = "SELECT id FROM tasks WHERE id>=? AND id<? ORDER BY id LIMIT ?"
        return [row[0] for row in self._read(query, (prefix, prefix + "\U0010ffff", limit))]

    def tasks(self, limit: int = 50) -> Sequence[TaskRecord]:
        """See `Store`."""
        return [task_of(row) for row in self._read(f"SELECT {TASK_COLUMNS} FROM tasks ORDER BY started DESC, rowid DESC LIMIT ?", (limit,))]

    def tasks_after(self, last: TaskRecord | None, limit: int = 500) -> Sequence[TaskRecord]:
        """See `Store`."""
        where, values = ("", ()) if last is None else (" WHERE (started, id) > (?,?)", (last.started, last.id))
        query = f"SELECT {TASK_COLUMNS} FROM tasks{where} ORDER BY started, id LIMIT ?"
        return [task_of(row) for row in self._read(query, (*values, limit))]

    def family(self, task_id: str) -> Sequence[TaskRecord]:
        """See `Store`."""
        query = f"""WITH RECURSIVE line(id) AS (SELECT ? UNION SELECT tasks.id FROM tasks JOIN line ON tasks.parent=line.id)
                    SELECT {TASK_COLUMNS} FROM tasks WHERE id IN line ORDER BY started, rowid"""
        return [task_of(row) for row in self._read(query, (task_id,))]

    def connected(self, task_id: str, limit: int = 200) -> Sequence[TaskRecord]:
        """See `Store`."""
        # A task without a span has a trace id of zeros, which binds it to nothing. The task itself is never what the limit leaves out.
        query = f"""WITH it AS (SELECT root, trace_id FROM tasks WHERE id=?),
                    line(id) AS (SELECT tasks.id FROM tasks, it WHERE tasks.root=it.root AND it.root<>''
                                 UNION SELECT tasks.id FROM tasks, it WHERE tasks.trace_id=it.trace_id AND trim(it.trace_id,'0')<>''
                                 UNION SELECT ?)
                    SELECT {TASK_COLUMNS} FROM tasks WHERE id IN line ORDER BY id<>?, started, rowid LIMIT ?"""
        found = [task_of(row) for row in self._read(query, (task_id, task_id, task_id, limit))]
        return sorted(found, key=lambda task: (task.started, task.parent is not None))

    def calls(self, task_id: str) -> Sequence[CallRecord]:
        """See `Store`."""
        return [call_of(row) for row in self._read(f"SELECT {CALL_COLUMNS} FROM calls WHERE task_id=? ORDER BY seq", (task_id,))]

    def taint(self, store: str, values: Sequence[str], task_id: str, call_id: str) -> None:
        """See `Store`."""
        rows = [(store, value, task_id, call_id) for value in values]
        with self.transaction() as tx:
            tx._db.executemany("INSERT OR IGNORE INTO written (store, value, task_id, call_id) VALUES (?,?,?,?)", rows)

    def tainted(self, store: str, values: Sequence[str]) -> Sequence[str]:
        """See `Store`."""
        out: list[str] = []
        for start in range(0, len(values), 500):
            some = values[start : start + 500]
            query = f"SELECT value FROM written WHERE store=? AND value IN ({','.join('?' * len(some))})"
            out += [row[0] for row in self._read(query, (store, *some))]
        return out

    def spend(self, jti: str, until: float, marks: Sequence[Mark], now: float) -> Revocation | bool:
        """See `TokenState`."""
        with self.transaction() as tx:
            found = revoked_in(tx._db, marks, now)
            if found is not None:
                return found
            tx._db.execute("DELETE FROM spent WHERE jti IN (SELECT jti FROM spent WHERE until<=? ORDER BY until LIMIT 20)", (now,))
            use = "INSERT INTO spent VALUES (?1,?2) ON CONFLICT (jti) DO UPDATE SET until=?2 WHERE until<=?3"
            return tx._db.execute(use, (jti, until, now)).rowcount == 1

    def revoke(self, revocation: Revocation) -> bool:
        """See `TokenState`."""
        new = (*revocation.mark, revocation.time, revocation.until, revocation.reason, revocation.by)
        with self.transaction() as tx:
            tx._db.execute("DELETE FROM revoked WHERE kind=? AND value=? AND until<=?", (*revocation.mark, revocation.time))
            if tx._db.execute("INSERT OR IGNORE INTO revoked VALUES (?,?,?,?,?,?)", new).rowcount == 1:
                return True
            tx._db.execute("UPDATE revoked SET until=max(until,?) WHERE kind=? AND value=?", (revocation.until, *revocation.mark))
            return False

    def revoked(self, marks: Sequence[Mark], now: float) -> Revocation | None:
        """See `TokenState`."""
        with self._lock, translated(self._path):
            return revoked_in(self._db(), marks, now)

    def revocations(self, now: float) -> Sequence[Revocation]:
        """See `Store`."""
        rows = self._read("SELECT kind, value, time, until, reason, by FROM revoked WHERE until>? ORDER BY time", (now,))
        return [revocation_of(row) for row in rows]

    def is_spent(self, jti: str) -> bool:
        """See `Store`."""
        return bool(self._read("SELECT 1 FROM spent WHERE jti=?", (jti,)))

    def spent(self) -> Iterator[tuple[str, float]]:
        """All that `spend` has used up and that is remembered still, and until when (seconds since the epoch)."""
        last = ""
        while page := self._read("SELECT jti, until FROM spent WHERE jti>? ORDER BY jti LIMIT 1000", (last,)):
            yield from ((name, float(until)) for name, until in page)
            last = page[-1][0]

    def calls_with(self, jtis: Sequence[str]) -> Iterator[tuple[str, str, str, CallStatus]]:
        """The calls that were given these tokens: the token's id, tool, task and status of each."""
        for start in range(0, len(jtis), 500):
            some = jtis[start : start + 500]
            query = f"SELECT jti, tool, task_id, status FROM calls WHERE jti IN ({','.join('?' * len(some))})"
            yield from self._read(query, tuple(some))

    def issued(self, mark: Mark, since: float) -> int | None:
        """See `Store`."""
        question = issued_query(mark)
        return self._read(question, (mark[1], since))[0][0] if question else None

    def made(self, task_id: str) -> tuple[int, int]:
        """See `Store`."""
        query = "SELECT (SELECT coalesce(max(seq),0) FROM calls WHERE task_id=?), (SELECT count(*) FROM tasks WHERE parent=?)"
        calls, tasks = self._read(query, (task_id, task_id))[0]
        return calls, tasks

    def has_agent(self, name: str) -> bool:
        """See `Store`."""
        return bool(self._read("SELECT 1 FROM tasks WHERE agent=? LIMIT 1", (name,)))

    def findings(self, task_id: str | None = None) -> Sequence[Finding]:
        """See `Store`."""
        where, values = ("", ()) if task_id is None else (" WHERE task_id=?", (task_id,))
        return [finding_of(row) for row in self._read(f"SELECT {FINDING_COLUMNS} FROM findings{where} ORDER BY time, rowid", values)]

    def tasks_of(self, principal: str) -> Sequence[str]:
        """See `Store`."""
        return [row[0] for row in self._read("SELECT id FROM tasks WHERE principal=? ORDER BY rowid DESC", (principal,))]

    def living(self, tasks: Sequence[str], now: float) -> Sequence[str]:
        """See `Store`."""
        return living(self, tasks, now)

    def purgeable(self, purge: Purge) -> Counter[str]:
        """See `Store`."""
        return purgeable(self, purge)

    def purge(self, purge: Purge) -> Iterator[Counter[str]]:
        """See `Store`."""
        return purge_store(self, purge)

    def shrink(self, *, compact: bool = False) -> Iterator[str]:
        """See `Store`."""
        return shrink(self, compact=compact)


class _SqliteTransaction:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def task(self, task_id: str) -> TaskRecord | None:
        row = self._db.execute(f"SELECT {TASK_COLUMNS} FROM tasks WHERE id=?", (task_id,)).fetchone()
        return task_of(row) if row else None

    def measure(self, claim: Claim, now: float) -> Decimal:
        owner = (claim.task_id, claim.key)
        if claim.kind == "distinct":
            known = {row[0] for row in self._db.execute("SELECT value FROM budget_values WHERE task_id=? AND key=?", owner)}
            return Decimal(len(known | set(claim.values)))
        if claim.kind == "rate":
            since = now - claim.window
            query = "SELECT count(*) FROM budget_times WHERE task_id=? AND key=? AND time>?"
            return Decimal(self._db.execute(query, (*owner, since)).fetchone()[0]) + claim.amount
        return EXACT.add(self._used(owner), claim.amount)

    def reserve(self, claim: Claim, now: float) -> Claim:
        owner = (claim.task_id, claim.key)
        if claim.kind == "distinct":
            insert = "INSERT OR IGNORE INTO budget_values VALUES (?,?,?)"
            new = [value for value in claim.values if self._db.execute(insert, (*owner, value)).rowcount]
            return replace(claim, values=tuple(new))
        if claim.kind == "rate":
            self._db.execute("INSERT INTO budget_times VALUES (?,?,?)", (*owner, now))
        else:
            self._use(owner, claim.amount)
        return claim

    def release(self, claim: Claim, now: float) -> None:
        owner = (claim.task_id, claim.key)
        if claim.kind == "distinct":
            remove = "DELETE FROM budget_values WHERE task_id=? AND key=? AND value=?"
            self._db.executemany(remove, [(*owner, value) for value in claim.values])
        elif claim.kind == "rate":
            one = "SELECT rowid FROM budget_times WHERE task_id=? AND key=? AND time=? LIMIT 1"
            self._db.execute(f"DELETE FROM budget_times WHERE rowid=({one})", (*owner, now))
        else:
            self._use(owner, -claim.amount)

    def _use(self, owner: tuple[str, str], amount: Decimal) -> None:
        used = EXACT.add(self._used(owner), amount)
        self._db.execute("INSERT OR REPLACE INTO budget_use VALUES (?,?,?)", (*owner, str(used)))

    def ask(self, task_id: str, tool: str) -> None:
        self._db.execute("INSERT INTO questions VALUES (?,?,0)", (task_id, tool))

    def _used(self, owner: tuple[str, str]) -> Decimal:
        row = self._db.execute("SELECT used FROM budget_use WHERE task_id=? AND key=?", owner).fetchone()
        used = Decimal(row[0]) if row else Decimal(0)
        if not used >= 0:
            raise StoreError("what a budget has given is less than nothing; the store is damaged")
        return used

    def last_tool(self, task_id: str) -> str | None:
        query = "SELECT tool FROM calls WHERE task_id=? AND completed IS NOT NULL ORDER BY completed DESC LIMIT 1"
        row = self._db.execute(query, (task_id,)).fetchone()
        return row[0] if row else None

    def last_tool_under(self, task_id: str) -> str | None:
        query = """WITH RECURSIVE line(id) AS (SELECT ? UNION SELECT tasks.id FROM tasks JOIN line ON tasks.parent=line.id)
                   SELECT tool FROM line JOIN calls ON calls.task_id=line.id
                   AND completed=(SELECT max(completed) FROM calls c WHERE c.task_id=line.id) ORDER BY completed DESC LIMIT 1"""
        row = self._db.execute(query, (task_id,)).fetchone()
        return row[0] if row else None

    def tree_calls(self, root: str) -> int:
        row = self._db.execute("SELECT calls FROM trees WHERE root=?", (root,)).fetchone()
        return int(row[0]) if row else 0

    def add_call(self, call: CallRecord, root: str = "") -> int:
        if root:
            self._db.execute("INSERT INTO trees VALUES (?,1) ON CONFLICT (root) DO UPDATE SET calls=calls+1", (root,))
        query = "SELECT coalesce(max(seq),0)+1 FROM calls WHERE task_id=?"
        seq = call.seq or int(self._db.execute(query, (call.task_id,)).fetchone()[0])
        self._db.execute(f"INSERT INTO calls ({CALL_COLUMNS}) VALUES ({_marks(CALL_COLUMNS)})", call_row(call, seq))
        return seq

    def waiting(self, task_id: str, framework: str, call_id: str, tool: str, args_digest: str) -> CallRecord | None:
        # `+seq`: ordered by the plain column, SQLite would walk all calls of the task instead of the waiting ones.
        query = f"""SELECT {CALL_COLUMNS} FROM calls WHERE task_id=? AND framework=? AND call_id=? AND tool=? AND args_digest=?
                    AND status IN ('suspended','asked') ORDER BY +seq DESC LIMIT 1"""
        row = self._db.execute(query, (task_id, framework, call_id, tool, args_digest)).fetchone()
        return call_of(row) if row else None

    def take_up(self, call_id: str, jti: str = "") -> bool:
        waiting = (
            "UPDATE calls SET status='running', ended=NULL, jti=coalesce(nullif(?,''),jti) WHERE id=? AND status IN ('asked','suspended')"
        )
        return self._db.execute(waiting, (jti, call_id)).rowcount == 1

    def glass_broken(self, kind: str, now: float) -> bool:
        query = "SELECT 1 FROM broken_glass WHERE kind=? AND until>? AND time<=? LIMIT 1"
        return self._db.execute(query, (kind, now, now)).fetchone() is not None

    def revoked(self, marks: Sequence[Mark], now: float) -> Revocation | None:
        return revoked_in(self._db, marks, now)

    def asked(self, task_id: str) -> tuple[int, frozenset[str]]:
        rows = self._db.execute("SELECT tool, refused FROM questions WHERE task_id=?", (task_id,)).fetchall()
        return sum(1 for _, refused in rows if not refused), frozenset(tool for tool, refused in rows if refused)


def _marks(columns: str) -> str:
    return ",".join("?" * (columns.count(",") + 1))
