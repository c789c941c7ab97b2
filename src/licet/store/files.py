"""The file of the embedded store: made as ours alone, closed once, and its errors in words."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from licet.errors import StoreError
from licet.machine import check_own


def make_own(path: str) -> None:
    """Create the file ourselves, as SQLite would use the umask; one that is there, and what SQLite keeps beside it, must be ours alone.

    What is there is looked at and not opened: closing any descriptor of a file takes away the locks that this process has on it, those
    of another connection too (https://sqlite.org/howtocorrupt.html, 2.2).
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    check_files(path)


def check_files(path: str) -> None:
    """The file and what SQLite keeps beside it must be ours alone.

    Raises:
        StoreError: one is not.
    """
    for name in (path, f"{path}-wal", f"{path}-shm", f"{path}-journal"):
        with suppress(FileNotFoundError):
            check_own(name, os.lstat(name), StoreError)


def close_in(process: int, connection: sqlite3.Connection, lock: threading.RLock) -> None:
    """Close a connection, unless this is a forked child of the process that opened it, or a thread that outlives the end still uses it:
    SQLite would take the process down. What was committed stands in the file either way.
    """
    if process == os.getpid() and lock.acquire(timeout=1.0):
        try:
            connection.close()
        finally:
            lock.release()


@contextmanager
def translated(path: str) -> Iterator[None]:
    """What goes wrong with the file at `path` is a `StoreError` that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        text = str(error)
        hint = next((hint for mark, hint in _HINTS.items() if mark in text), "see `licet --help` for the state folder")
        raise StoreError(f"{path}: {text}; {hint}") from error
    except OSError as error:
        folder = Path(path).parent
        if isinstance(error, FileNotFoundError) and not folder.exists():
            what = f"the folder {folder} is not there; start the guard once, which makes it, or make it (`mkdir -m 700 {folder}`)"
            raise StoreError(f"{path}: {what}") from error
        raise StoreError(f"{path}: {error.strerror}; check the state folder's rights") from error


_HINTS = {
    "locked": "another process holds the store; try again",
    "readonly": "the store is read-only; check its rights",
    "full": "the disk is full; make room",
    "disk I/O": "the disk may be full, or broken; make room",
    "unable to open": "check path and rights: SQLite must be able to make files beside it",
    "malformed": "the store is damaged; move it away and start with a new one",
    "not a database": "this file is not a store; choose another state folder",
}
