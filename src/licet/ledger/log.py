"""Records as lines of canonical JSON (RFC 8785), each holding the SHA-256 of the line before it.

A line that was changed, taken out or put in breaks every link behind it. What this form does not show is a tail that was cut off,
or a whole file that was written anew: that needs signed checkpoints, which this release does not have (docs/limits.md).
Several processes append to one file; a lock on the file orders them.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
import time as clock
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from licet.canonical import Plain, canonical
from licet.errors import LedgerError
from licet.escape import visible
from licet.machine import open_own

FIRST = "sha256:" + "0" * 64
LOCK_SECONDS = 5.0  # how long to wait for another writer before the record, and so the call, is refused
_STEP_SECONDS = 0.002  # between two tries for the lock of the file
MAX_LINE = 1024 * 1024  # bytes; a line is digests and names, and far smaller


class Ledger:
    """An appender. Raises LedgerError when a record cannot be written; then nothing of it counts."""

    def __init__(self, path: str | Path, *, lock_seconds: float = LOCK_SECONDS) -> None:
        self._path = str(path)
        self._patience = lock_seconds
        self._lock = threading.Lock()
        self._file = -1
        self._process = 0
        self._size = -1
        self._seq = 0
        self._link = FIRST
        _ledgers.add(self)

    @property
    def path(self) -> str:
        """The file."""
        return self._path

    def append(self, kind: str, fields: Mapping[str, Plain], *, time: str, durable: bool = False) -> int:
        """Write one record; `durable` waits until it is on the disk. Returns its sequence number, from 1.

        Raises:
            LedgerError: the record is not (wholly) in the file.
        """
        lock = self._lock
        if not lock.acquire(timeout=self._patience):
            raise self._busy()
        try:
            return self._append(kind, fields, time, durable=durable)
        except OSError as error:
            self._size = -1  # read the tail again before the next record
            raise LedgerError(f"{self._path}: {error.strerror}") from error
        finally:
            lock.release()

    def ready(self) -> None:
        """Find out, without writing, that a record could be appended now.

        Raises:
            LedgerError: the file cannot be opened, locked or read to its end, or is not ours.
        """
        if not self._lock.acquire(timeout=self._patience):
            raise self._busy()
        try:
            file = self._open()
            self._take(file)
            try:
                size = os.fstat(file).st_size
                if size != self._size:
                    self._read_tail(file, size)
                    self._size = os.fstat(file).st_size
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)
        except OSError as error:
            self._size = -1
            raise LedgerError(f"{self._path}: {error.strerror}") from error
        finally:
            self._lock.release()

    def _append(self, kind: str, fields: Mapping[str, Plain], time: str, *, durable: bool) -> int:
        file = self._open()
        self._take(file)
        try:
            size = os.fstat(file).st_size
            if size != self._size:
                self._read_tail(file, size)
                size = os.fstat(file).st_size
            record: dict[str, Plain] = {**fields, "kind": kind, "prev": self._link, "seq": self._seq + 1, "time": time}
            line = canonical(record)
            if len(line) >= MAX_LINE:
                raise LedgerError(f"{self._path}: a record of {len(line)} bytes is too long")  # it could not be read again
            written = os.write(file, line + b"\n")
            if written != len(line) + 1:
                os.ftruncate(file, size)
                raise LedgerError(f"{self._path}: the disk is full")
            if durable:
                os.fdatasync(file)
            self._size, self._seq, self._link = size + written, self._seq + 1, link(line)
            return self._seq
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)

    def _take(self, file: int) -> None:
        """Lock the file against other processes; one that was stopped while it held the lock must not stop us for ever."""
        deadline = clock.monotonic() + self._patience
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if clock.monotonic() >= deadline:
                    raise self._busy() from None
                clock.sleep(_STEP_SECONDS)
            else:
                return

    def _busy(self) -> LedgerError:
        return LedgerError(f"{self._path}: another writer has held the lock for {self._patience:g} s; try again")

    def renew(self) -> None:
        """What a forked child does first: a thread that held the lock is not in it, and so never lets go.

        Its copy of the descriptor would keep the file locked after its parent has died.
        """
        self._lock = threading.Lock()
        if self._file >= 0:
            os.close(self._file)
        self._file = -1

    def _open(self) -> int:
        if self._file < 0 or self._process != os.getpid():
            self._file = open_own(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, LedgerError)
            self._process, self._size = os.getpid(), -1
        return self._file

    def _read_tail(self, file: int, size: int) -> None:
        """Take up the chain where another writer, or an earlier run, left it."""
        if size == 0:
            self._seq, self._link = 0, FIRST
            return
        start = max(0, size - MAX_LINE)
        tail = os.pread(file, size - start, start)
        if not tail.endswith(b"\n"):
            # The last writer died inside a line. What it wrote never counted; the half line is taken away, and said in a record.
            whole = tail.rfind(b"\n") + 1
            os.ftruncate(file, start + whole)
            lost = hashlib.sha256(tail[whole:]).hexdigest()
            self._read_tail(file, start + whole)
            record: dict[str, Plain] = {
                "kind": "ledger.repaired", "lost": f"sha256:{lost}", "prev": self._link, "seq": self._seq + 1, "time": "",
            }  # fmt: skip
            line = canonical(record)
            os.write(file, line + b"\n")
            self._seq, self._link = self._seq + 1, link(line)
            return
        last = tail[:-1].rpartition(b"\n")[2]
        try:
            self._seq, self._link = int(json.loads(last)["seq"]), link(last)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise LedgerError(f"{self._path}: the last line is not a record; move the file away and look into it") from error

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._file >= 0 and self._process == os.getpid():
                os.close(self._file)
            self._file = -1


_ledgers: weakref.WeakSet[Ledger] = weakref.WeakSet()


def _renew_all() -> None:
    for ledger in list(_ledgers):
        ledger.renew()


os.register_at_fork(after_in_child=_renew_all)


def link(line: bytes) -> str:
    """What the next record holds of `line` (without its line feed)."""
    return "sha256:" + hashlib.sha256(line).hexdigest()


@dataclass(frozen=True, slots=True)
class LedgerCheck:
    """What verifying found. `broken` is empty, or says which line first breaks the chain, and how."""

    path: str
    records: int
    head: str
    broken: str = ""


def verify(path: str | Path) -> LedgerCheck:
    """Read the whole file and check form, numbering and every link. Never raises for bad content.

    Raises:
        LedgerError: the file cannot be read.
    """
    head, count = FIRST, 0
    try:
        with Path(path).open("rb") as file:
            for number, raw in enumerate(file, 1):
                broken = _check_line(raw, number, head)
                if broken:
                    return LedgerCheck(str(path), count, head, broken)
                head, count = link(raw[:-1]), count + 1
    except OSError as error:
        raise LedgerError(f"{path}: cannot be read: {error.strerror}; check path and rights") from error
    return LedgerCheck(str(path), count, head)


def _check_line(raw: bytes, number: int, head: str) -> str:
    if not raw.endswith(b"\n"):
        return f"line {number} is cut off"
    try:
        record: Any = json.loads(raw, object_pairs_hook=_no_duplicates)
        form = canonical(record)
    except (ValueError, RecursionError):
        return f"line {number} is not a record"
    if not isinstance(record, dict) or form != raw[:-1]:
        return f"line {number} is not in canonical form"
    if type(record.get("seq")) is not int or record["seq"] != number:
        return f"line {number} has number {visible(str(record.get('seq')), 40)}"
    if record.get("prev") != head:
        return f"line {number - 1} or {number} was changed" if number > 1 else "line 1 was changed, or is not the first"
    return ""


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a key stands twice")
    return record
