"""Writing: one record after the other, each in the page cache before `append` is done, so that it survives the death of the process.

Several processes append to one ledger; a lock on a file of the folder orders them. What brings it to the disk, and under a signature, is
done for many records at once: by a thread of each process, soon after; or before `append` is done, where `durable` asks for it.
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import json
import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from licet.canonical import Plain, canonical
from licet.clock import Clock, SystemClock, iso
from licet.errors import LedgerError
from licet.ledger import layout
from licet.ledger.keeper import Keeper
from licet.ledger.layout import MAX_ENTRY, SEGMENT
from licet.ledger.merkle import leaf_hash
from licet.ledger.note import Checkpoint
from licet.ledger.reader import LedgerFiles
from licet.ledger.sealer import Sealer, signed_state, take
from licet.ledger.signer import LedgerKey, replace, sync_folder
from licet.ledger.writers import INTENT, OUTCOME, Abandoned, Presence, dead, left_by
from licet.machine import open_own

FIRST = "sha256:" + "0" * 64
FLUSH_SECONDS, CHECKPOINT_SECONDS = 0.05, 1.0
LOCK_SECONDS = 5.0  # how long to wait for another writer before the record, and so the call, is refused
_log = logging.getLogger("licet")
_FOLDERS = (layout.LIVE, layout.WRITERS, layout.HASHES, layout.ENTRIES)


class Ledger:
    """The ledger in a folder, to be written to. Safe for threads and processes.

    Args:
        path: the folder; made with mode 0700 when the first record is written.
        key: what signs its checkpoints.
        flush_seconds: how long a record may be in the page cache only: a crash of the machine can take so much.
        checkpoint_seconds: how long records may stand without a signature.
        lock_seconds: how long to wait for other writers before a record is refused.
        clock: handed in by tests; by default the machine's clock. It tells the time of records that nobody else asked for.
        sealed: called after each checkpoint; it must return at once.
    """

    def __init__(
        self,
        path: str | Path,
        key: LedgerKey,
        *,
        flush_seconds: float = FLUSH_SECONDS,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
        lock_seconds: float = LOCK_SECONDS,
        clock: Clock | None = None,
        sealed: Callable[[], None] | None = None,
    ) -> None:
        self.files = LedgerFiles(path)
        self._key, self._patience, self._clock = key, lock_seconds, clock or SystemClock()
        self._sealer = Sealer(self.files, key, lock_seconds)
        self._keeper = Keeper(self, flush_seconds, checkpoint_seconds)
        self._sealed = sealed
        self._known = 0  # so many records stood there when the files were let go of
        self._lock_file = str(self.files.path / layout.LOCK)
        self._start()
        _ledgers.add(self)

    def _start(self) -> None:
        self._lock, self._disk, self._syncing = threading.Lock(), threading.Condition(threading.Lock()), False
        self._guarded = self._file = -1  # the descriptors of the lock, and of the live segment
        self._guard_id = (0, 0)  # which file the lock is
        self._first, self._size, self._seq, self._link = 0, -1, 0, FIRST
        self._synced = 0  # the last record that this process knows to be on the disk
        self._broken = ""  # why nothing can be written any more
        self._presence: Presence | None = None
        self._open: dict[str, int] = {}  # calls whose outcome is not known yet, by where their intent stands
        self.writer = os.urandom(8).hex()

    @property
    def path(self) -> str:
        """The folder."""
        return str(self.files.path)

    def append(self, kind: str, fields: Mapping[str, Plain], *, time: str, durable: bool = False) -> int:
        """Write one record; `durable` waits until it is on the disk. Returns its sequence number, from 1.

        Raises:
            LedgerError: the record is not (wholly) in the ledger; or, if `durable`, may not be on the disk.
        """
        with _Alone(self):
            self._go_on()
            seq = self._write(kind, fields, time)
            self._count(kind, fields, seq)
        self._keeper.wake()
        if durable:
            self.sync(seq)
        return seq

    def ready(self) -> None:
        """Find out, without writing a record, that one could be appended now, and that what was appended could be signed.

        Raises:
            LedgerError: it could not, and why.
        """
        with _Alone(self):
            if self.files.segments():
                self._go_on()
            elif self.files.path.exists():
                signed_state(self.files, self._key)
        if self._keeper.problem:
            raise LedgerError(self._keeper.problem)

    def sync(self, seq: int = 0) -> None:
        """Put the records up to `seq` (0: all that this process has seen) on the disk. Callers that wait together share one fdatasync.

        Raises:
            LedgerError: the disk failed. Then nothing more is written: what the system did with the pages is not known.
        """
        disk = self._disk
        with disk:
            wanted = seq or self._seq
            while True:
                if self._broken:
                    raise LedgerError(self._broken)
                if self._synced >= wanted:
                    return
                if self._file < 0:
                    if not seq:
                        return
                    # Another thread let go of the file, as the folder was taken away: nobody knows what became of this record.
                    raise LedgerError(f"{self.path}: was let go of before record {seq} was on the disk")
                if not self._syncing:
                    break
                disk.wait()  # for who syncs now; who wrote meanwhile is seen to by the next, all of them at once
            self._syncing, file, upto, done = True, self._file, self._seq, 0
        try:
            self._sync_file(file)
            done = upto
        finally:
            with disk:
                self._syncing, self._synced = False, max(self._synced, done)
                disk.notify_all()

    @contextmanager
    def _unsynced(self) -> Iterator[None]:
        """While the file may be exchanged: nobody waits for the disk with it."""
        with self._disk:
            while self._syncing:
                self._disk.wait()
            yield

    def seal(self) -> str:
        """Put all records on the disk and under a signed checkpoint; its note.

        Raises:
            LedgerError: it cannot be done, and why.
        """
        with _Alone(self):
            self._go_on()
            end = self._seq
        self.sync(end)
        note = self._sealer.seal(end)
        with _Alone(self):
            if self._presence is not None:
                self._presence.note(min(self._open.values(), default=end + 1))
        if self._sealed is not None:
            self._sealed()
        return note

    @contextmanager
    def abandoned(self, running: Callable[[], Sequence[str]] = tuple) -> Iterator[Abandoned]:
        """What writers that have died left. Who gets it writes an outcome for each of `intents`.

        If the block ends well, it does not come again. `running`: which calls run, as far as others know (the store).

        Raises:
            LedgerError: the ledger cannot be read.
        """
        with _Alone(self):
            self._go_on()
            found, others = dead(self.files.path / layout.WRITERS, self.writer)
            run = running() if found else ()  # while nobody can begin to write: the calls of who begins later are not among them
        settled = False
        try:
            wrote = [each for each in found if each.since]
            lines = self.files.records(min(each.since for each in wrote) - 1) if wrote else iter(())
            yield left_by({each.writer for each in wrote}, lines, self.path, run, alone=not others)
            if found:
                self.sync()  # before their files go: a power cut must not take the outcomes and leave no one to ask for them
            settled = True
        finally:
            for each in found:
                each.buried(settled=settled)

    def close(self) -> None:
        """Sign what stands, and let go of the files. A later record opens them again."""
        self._keeper.stop()
        if self._file < 0:
            return
        try:
            self.seal()
        except LedgerError as error:
            _log.warning("licet: the ledger is closed without a checkpoint over its last records: %s", error)
        with self._lock:
            if self._presence is not None:
                self._presence.leave(settled=not self._open)
                self._presence = None
            self._let_go(guard=True)

    def renew(self) -> None:
        """What a forked child does first: a thread that held a lock is not in it, and so never lets go.

        Its copies of the descriptors would keep the ledger locked, and its parent's presence alive, after that has died.
        """
        self._known = max(self._known, self._seq)
        if self._presence is not None:
            self._presence.forget()
        for descriptor in (self._file, self._guarded):
            if descriptor >= 0:
                os.close(descriptor)
        self._start()
        self._keeper.renew()
        self._sealer.forget()
        self._sealer = Sealer(self.files, self._key, self._patience)

    # Under the lock ------------------------------------------------------------------------------------------------------

    def _enter(self) -> None:
        if self._broken:
            raise LedgerError(self._broken)
        if self._guarded < 0:
            self._open_lock()
        take(self._guarded, self._patience, self.files.path)
        try:
            found = os.stat(self._lock_file)  # noqa: PTH116 - for each record: a Path takes twice as long
        except FileNotFoundError:
            found = None
        if found is None or (found.st_dev, found.st_ino) != self._guard_id:
            # What is written to now may be another folder, where the lock of this one stops nobody.
            self._let_go(guard=True)
            raise LedgerError(f"{self.path}: was taken away, or exchanged, while it was written to; put it back")

    def _open_lock(self) -> None:
        path = self.files.path
        if not path.exists() and (self._known or self._key.last() is not None):
            raise LedgerError(f"{path}: is gone, and was written to before; put it back")
        for name in ("", *_FOLDERS):
            (path / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._guarded = open_own(self._lock_file, os.O_RDWR | os.O_CREAT, LedgerError)
        found = os.fstat(self._guarded)
        self._guard_id = found.st_dev, found.st_ino

    def _go_on(self) -> None:
        """Have the segment open that the next record belongs to, and know the record before it."""
        if self._file < 0:
            segments = self.files.segments()
            before = signed_state(self.files, self._key)[1]
            if not segments and before:
                raise LedgerError(f"{self.path}: {before.size} records were signed, and the live segment is missing; put it back")
            self._take_up(segments[-1] if segments else 0)
            self._look()
            self._check_whole(before)
        self._look()
        while self._seq - self._first >= SEGMENT:
            newest = max(self.files.segments(), default=self._first)
            self._take_up(newest if newest > self._first else self._first + SEGMENT)
            self._look()
        if self._presence is None:
            since = min(self._open.values(), default=self._seq + 1)
            self._presence = Presence(self.files.path / layout.WRITERS, self.writer, since)
        if self._seq == 0:
            self._begin()

    def _check_whole(self, signed: Checkpoint | None) -> None:
        """Whether all is there that was, by what was signed, and by what this process has seen."""
        told = signed.size if signed else 0
        if self._seq < max(told, self._known):
            missing = f"{told} records were signed" if told >= self._known else f"{self._known} records were written"
            missing += f", and {self._seq} stand there: the ledger was cut"
            self._let_go()
            raise LedgerError(f"{self.path}: {missing}. Put back what is missing, or move folder and `keys/ledger.*` away as evidence")

    def _let_go(self, *, guard: bool = False) -> None:
        """Close the segment, and the lock's file: the next record begins by finding out what stands there."""
        with self._unsynced():
            self._known = max(self._known, self._seq)
            if self._file >= 0:
                os.close(self._file)
            if guard and self._guarded >= 0:
                os.close(self._guarded)
                self._guarded = -1
            self._file, self._size = -1, -1

    def _take_up(self, first: int) -> None:
        """Go to another segment. Nobody writes to the one before it any more, and so this is the last time that it can be waited for."""
        file = self.files.path / layout.live_name(first)
        fresh = not file.exists()
        if self._file >= 0:
            self._sync_file(self._file)  # before there is another: a process that dies here leaves nothing that nobody waits for
        opened = open_own(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, LedgerError)
        with self._unsynced():
            if self._file >= 0:
                self._synced = self._seq
                os.close(self._file)
            self._file, self._first, self._size = opened, first, -1
        if fresh:
            sync_folder(file.parent)

    def _sync_file(self, file: int) -> None:
        try:
            os.fdatasync(file)
        except OSError as error:
            # What a failed fdatasync did not write may be marked as written: no later one can be believed.
            self._broken = f"{self.path}: the disk failed ({error.strerror}); look at the disk, verify the ledger, and start again"
            raise LedgerError(self._broken) from error

    def _look(self) -> None:
        """Know the last record, whoever wrote it."""
        found = os.fstat(self._file)
        size = found.st_size
        if not found.st_nlink:
            self._follow()
            return
        if size == self._size:
            return
        start = max(0, size - 2 * (MAX_ENTRY + 1))  # the last record, and a torn one after it
        tail = os.pread(self._file, size - start, start)
        whole = tail.rfind(b"\n") + 1
        if whole:
            self._seq, self._link = self._read_last(tail[:whole])
        elif start:
            raise self._no_record()  # longer than any record, torn or not
        else:
            self._seq, self._link = self._first, self._link_before(self._first)
        self._size = start + whole
        if whole < len(tail):
            self._repair(tail[whole:])

    def _repair(self, torn: bytes) -> None:
        """The last writer died inside a line. What it wrote never counted; it is taken away, and said in a record."""
        self._check_whole(signed_state(self.files, self._key)[1])  # before anything stands where something that was signed is missing
        os.ftruncate(self._file, self._size)
        lost = f"sha256:{hashlib.sha256(torn).hexdigest()}"
        self._write("ledger.repaired", {"lost": lost, "bytes": len(torn)}, iso(self._clock.now()))

    def _follow(self) -> None:
        """The segment's file is gone: that is well if others have filled and sealed it since."""
        newest = max(self.files.segments(), default=-1)
        if newest <= self._first:
            name = self.files.path / layout.live_name(self._first)
            raise LedgerError(f"{name}: was taken away while it was written to; verify the ledger, and start again")
        self._take_up(newest)
        self._look()

    def _link_before(self, first: int) -> str:
        return link(next(self.files.records(first - 1, first))) if first else FIRST

    def _read_last(self, tail: bytes) -> tuple[int, str]:
        last = tail[:-1].rpartition(b"\n")[2]
        try:
            seq = json.loads(last)["seq"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise self._no_record() from error
        if type(seq) is not int or not self._first < seq <= self._first + SEGMENT:
            raise self._no_record()
        return seq, link(last)

    def _no_record(self) -> LedgerError:
        name = self.files.path / layout.live_name(self._first)
        return LedgerError(f"{name}: the last line is not a record; `licet ledger verify` says what holds")

    def _begin(self) -> None:
        """The first record says whose ledger this is, and what came before it."""
        fields: dict[str, Plain] = {"origin": self._key.name, "key": str(self._key.note_key)}
        old = self.files.path.with_suffix(".jsonl")  # of a release before checkpoints
        if old.is_file():
            with old.open("rb") as file:
                fields |= {"continues": old.name, "digest": f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"}
        replace(self.files.path / layout.KEY, f"{self._key.note_key}\n".encode())
        self._write("ledger.begin", fields, iso(self._clock.now()))

    def _write(self, kind: str, fields: Mapping[str, Plain], time: str) -> int:
        record: dict[str, Plain] = {
            **fields, "kind": kind, "prev": self._link, "seq": self._seq + 1, "time": time, "writer": self.writer,
        }  # fmt: skip
        line = canonical(record)
        if len(line) > MAX_ENTRY:
            raise LedgerError(f"{self.path}: a record of {len(line)} bytes is too long")
        try:
            written = os.write(self._file, line + b"\n")
        except OSError:
            self._size = -1
            raise
        if written != len(line) + 1:
            os.ftruncate(self._file, self._size)
            self._size = -1
            raise LedgerError(f"{self.path}: the disk is full")
        self._size, self._seq, self._link = self._size + written, self._seq + 1, link(line)
        return self._seq

    def _count(self, kind: str, fields: Mapping[str, Plain], seq: int) -> None:
        if kind == INTENT:
            self._open[str(fields.get("call"))] = seq
        elif kind == OUTCOME:
            self._open.pop(str(fields.get("call")), None)


def link(line: bytes) -> str:
    """What the next record holds of this one: its leaf hash."""
    return "sha256:" + leaf_hash(line).hex()


class _Alone:
    """The ledger's only writer of all, as long as the block lasts. What goes wrong with a file in it is an error of the ledger."""

    __slots__ = ("_ledger",)

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __enter__(self) -> None:
        ledger = self._ledger
        if not ledger._lock.acquire(timeout=ledger._patience):
            raise LedgerError(f"{ledger.path}: another writer has held the lock for {ledger._patience:g} s; try again")
        try:
            ledger._enter()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        ledger = self._ledger
        try:
            if ledger._guarded >= 0:
                fcntl.flock(ledger._guarded, fcntl.LOCK_UN)
        finally:
            if error is not None:
                ledger._size = -1  # read the tail again before the next record
            ledger._lock.release()
        if isinstance(error, OSError):
            raise LedgerError(f"{ledger.path}: {error.strerror}") from error


_ledgers: weakref.WeakSet[Ledger] = weakref.WeakSet()


def _renew_all() -> None:
    for ledger in list(_ledgers):
        ledger.renew()


def _close_all() -> None:
    for ledger in list(_ledgers):
        ledger.close()


os.register_at_fork(after_in_child=_renew_all)
atexit.register(_close_all)
