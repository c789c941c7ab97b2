"""One SQLite file in WAL mode, shared by threads and processes: opened anew after a fork, and what is deleted is overwritten."""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from licet.errors import StoreError
from licet.store.files import check_files, close_in, make_own, translated
from licet.store.migrations import NONE, migrate


class SqliteFile:
    """A file of ours at `path`, created with mode 0600 and with the tables of `schema`. Use it from any thread; a fork opens it anew.

    `reading`: who opens it writes nothing, and so it can be read where nothing can be written: on a read-only mount, a full disk.
    `without_log`: it had to be read without the log beside it, `-wal`, so that what stands in that alone is not seen.

    Raises:
        StoreError: the file cannot be opened, is not ours alone, or is of another version.
    """

    def __init__(
        self, path: str | Path, schema: str, version: int, *, busy_seconds: float, migrations: Mapping[int, Sequence[str]] = NONE,
        reading: bool = False,
    ) -> None:  # fmt: skip
        self._path, self._reading, self.without_log = str(path), reading, False
        self._schema, self._version, self._busy, self._migrations = schema, version, busy_seconds, migrations
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        self._process = 0
        _files.add(self)
        with self._lock, translated(self._path):
            self._open()

    def _open(self) -> sqlite3.Connection:
        try:
            if self._path != ":memory:":
                make_own(self._path)
            return self._connect(self._path, self._prepare)
        except (sqlite3.OperationalError, OSError) as error:
            if not self._reading or "locked" in str(error):
                raise
        check_files(self._path)
        where = Path(self._path).absolute().as_uri()
        try:
            return self._connect(f"{where}?mode=ro", self._look)
        except sqlite3.OperationalError:
            # The log's index (-shm) is not there and cannot be made (https://sqlite.org/wal.html#readonly).
            found = self._connect(f"{where}?immutable=1", self._look)
        log = Path(f"{self._path}-wal")
        self.without_log = log.exists() and log.stat().st_size > 0
        return found

    def _connect(self, where: str, prepare: Callable[[sqlite3.Connection], None]) -> sqlite3.Connection:
        connection = sqlite3.connect(where, timeout=self._busy, isolation_level=None, check_same_thread=False, uri=where != self._path)
        # A guard may be left open until the process ends, or fail below; the connection is closed all the same.
        self._closing = weakref.finalize(self, close_in, os.getpid(), connection, self._lock)
        try:
            prepare(connection)
        except BaseException:
            self._closing()
            raise
        self._connection, self._process = connection, os.getpid()
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        # Before the first table, else it says nothing: free pages can be given back in small steps (https://sqlite.org/pragma.html#pragma_auto_vacuum).
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        # What is deleted, or replaced by an update, is overwritten at once: purging takes away rows, and must not leave their older forms.
        connection.execute("PRAGMA secure_delete=ON")
        connection.execute("PRAGMA temp_store=MEMORY")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version in self._migrations:
            migrate(connection, self._migrations)
            version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, self._version):
            raise StoreError(f"{self._path}: written by another version of Licet (schema {version}); use a new state folder")
        if version == 0:
            connection.executescript(f"{self._schema} PRAGMA user_version={self._version};")

    def _look(self, connection: sqlite3.Connection) -> None:
        """What `_prepare` does, as far as it can be done without writing."""
        connection.execute("PRAGMA temp_store=MEMORY")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            why = "it is empty, or all that it holds stands in the log beside it (-wal), which cannot be read where nothing can be written"
            raise StoreError(f"{self._path}: {why}; read a copy of the folder")
        if version != self._version:
            why = f"written by another version of Licet (schema {version})"
            raise StoreError(f"{self._path}: {why}, and it cannot be renewed where nothing can be written; copy the state folder elsewhere")

    def _db(self) -> sqlite3.Connection:
        if self._closed:
            raise StoreError(f"{self._path}: the store is closed")
        if self._connection is None or self._process != os.getpid():
            # A forked child must not touch its parent's connection, not even to close it.
            return self._open()
        return self._connection

    def pause(self) -> bool:
        """Before a fork: let a transaction end, and close the file, which both then open anew.

        SQLite keeps the locks of a process, and its share of the index of the log (`-shm`), by file and not by connection. A child that
        has them from its parent takes locks for held that it does not hold, and goes on in an index that its parent has taken away
        (https://sqlite.org/howtocorrupt.html#_carrying_an_open_database_file_across_a_fork_). A thread that does not end its transaction
        does not keep the fork: then the child cannot write, and refuses its calls.
        """
        if not self._lock.acquire(timeout=self._busy):
            return False
        connection, ours = self._connection, self._process == os.getpid() and self._path != ":memory:"
        if connection is not None and ours and not connection.in_transaction:
            self._closing()
            self._connection = None
        return True

    def go_on(self) -> None:
        """After a fork, in the parent."""
        self._lock.release()

    def renew(self) -> None:
        """What a forked child does first: a thread that held the lock is not in it, and so never lets go."""
        self._lock = threading.RLock()
        if self._connection is not None:
            # Kept for good: to let go of it would close it, and take back a parent's transaction that is not the child's.
            _inherited.append(self._connection)

    @contextmanager
    def step(self) -> Iterator[sqlite3.Connection]:
        """One atomic step, undone if the block raises. Takes SQLite's write lock at once, so that what is judged is what is written."""
        with self._lock, translated(self._path):
            db = self._db()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Let go of the file. Closing twice is harmless."""
        with self._lock:
            if self._connection is not None and self._process == os.getpid():
                self._connection.close()
            self._connection, self._closed = None, True

    def _write(self, statement: str, values: Sequence[Any]) -> int:
        with self._lock, translated(self._path):
            return self._db().execute(statement, values).rowcount

    def _read(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock, translated(self._path):
            return self._db().execute(query, values).fetchall()


_files: weakref.WeakSet[SqliteFile] = weakref.WeakSet()
_inherited: list[sqlite3.Connection] = []


_forking = threading.local()  # `paused`: the files that the fork of this thread holds still


def _before_fork() -> None:
    _forking.paused = [file for file in list(_files) if file.pause()]


def _in_parent() -> None:
    for file in _forking.paused:
        file.go_on()
    _forking.paused = []


def _in_child() -> None:
    _forking.paused = []
    for file in list(_files):
        file.renew()


os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)
