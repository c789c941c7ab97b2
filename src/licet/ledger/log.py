"""Writing: one record after the other, each in the page cache before `append` is done, so that it survives the death of the process.

Several processes append to one ledger; a lock on a file of the folder orders them. What brings it to the disk, and under a signature, is
done for many records at once: by a thread of each process, soon after; or before `append` is done, where `durable` asks for it.
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from licet.canonical import Plain, canonical
from licet.clock import Clock, SystemClock, iso
from licet.errors import LedgerError
from licet.ledger import layout
from licet.ledger.chained import Place, bytes_of, led_on, link, read_on
from licet.ledger.keeper import Keeper, quietly
from licet.ledger.layout import MAX_ENTRY, SEGMENT
from licet.ledger.reader import LedgerFiles
from licet.ledger.sealer import FIRST, AlteredError, Sealer, signed_state, take
from licet.ledger.signer import LedgerKey, replace, sync_folder
from licet.ledger.writers import INTENT, OUTCOME, Abandoned, Dead, Presence, dead, left_by
from licet.machine import open_own

T = TypeVar("T")
FLUSH_SECONDS, CHECKPOINT_SECONDS = 0.05, 1.0
LOCK_SECONDS = 5.0  # how long to wait for another writer before the record, and so the call, is refused
_log = logging.getLogger("licet")
_FOLDERS = ("", layout.LIVE, layout.HASHES, layout.ENTRIES)
_AFTER = frozenset({OUTCOME, "call.denied", "task.end"})  # what has happened, and is recorded however late signatures are


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
        self._lock_file = str(self.files.path / layout.LOCK)
        # The last record that this process knows; its first item is -1 where the files are not open, or not gone through yet.
        self._at: Place = -1, 0, FIRST
        self._start()
        _ledgers.add(self)

    def _start(self) -> None:
        # Locks whose owner is known, or that are taken by `with` alone: what a signal's handler raises can then leave none of them held.
        self._lock, self._inside = threading.RLock(), False
        self._disk, self._syncing = threading.Lock(), threading.Lock()
        self._guarded = self._file = -1  # the descriptors of the lock, and of the live segment
        self._guard_id = (0, 0)  # which file the lock is
        self._first, self._at = 0, (-1, *self._at[1:])
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
        if kind not in _AFTER and (late := self._keeper.late) and not kind.startswith("ledger."):
            raise LedgerError(f"{self.path}: {late}")

        def work() -> int:
            self._go_on()
            return self._write(kind, fields, time)

        seq = self._alone(work)
        self._keeper.wake()
        if durable:
            self.sync(seq)
        return seq

    def ready(self) -> None:
        """Find out, without writing a record, that one could be appended now, and that what was appended could be signed.

        Raises:
            LedgerError: it could not, and why.
        """

        def work() -> None:
            if self.files.segments():
                self._go_on()
            elif self.files.path.exists():
                signed_state(self.files, self._key)

        self._alone(work)
        if self._keeper.problem:
            raise LedgerError(self._keeper.problem)

    def sync(self, seq: int = 0) -> None:
        """Put the records up to `seq` (0: all that this process has seen) on the disk. Callers that wait together share one fdatasync.

        Raises:
            LedgerError: the disk failed. Then nothing more is written: what the system did with the pages is not known.
        """
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
            before, own = self._syncing, threading.Lock()
            with before:  # who syncs now has it
                pass
            # Of those who have waited, the first syncs; who wrote meanwhile is seen to by the next, all of them at once.
            with own:
                with self._disk:
                    if self._syncing is not before or self._file < 0 or self._synced >= wanted:
                        continue
                    # A copy: nobody who goes to another segment has to wait for us.
                    self._syncing, file, upto = own, os.dup(self._file), self._seq
                try:
                    self._sync_file(file)
                finally:
                    os.close(file)
                with self._disk:
                    self._synced = max(self._synced, upto)

    def seal(self) -> str:
        """Put all records on the disk and under a signed checkpoint; its note.

        Raises:
            LedgerError: it cannot be done, and why.
        """

        def work() -> tuple[int, str]:
            self._go_on()
            return self._at[1:]

        def settled() -> None:
            if self._presence is not None and self._presence.held:
                self._presence.note(min(self._open.values(), default=end + 1))

        end, last = self._alone(work)
        self.sync(end)
        try:
            note = self._sealer.seal(end, last)
        except AlteredError as error:
            self._broken = str(error)
            raise
        self._alone(settled)
        if self._sealed is not None:
            quietly(self._sealed)
        return note

    @contextmanager
    def abandoned(self, running: Callable[[], Sequence[str]] = tuple) -> Iterator[Abandoned]:
        """What writers that have died left. Who gets it writes an outcome for each of `intents`.

        If the block ends well, it does not come again. `running`: which calls run, as far as others know (the store).

        Raises:
            LedgerError: the ledger cannot be read.
        """

        def work() -> tuple[list[Dead], bool, Sequence[str]]:
            self._go_on()
            found, others = dead(self._key.writers, self.writer)
            return found, others, running() if found else ()  # while nobody can begin to write

        found, others, run = self._alone(work)
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
        if self._file < 0 and self._guarded < 0 and self._presence is None:
            return
        try:
            if self._file >= 0:
                self.seal()
        except LedgerError as error:
            _log.warning("licet: the ledger is closed without a checkpoint over its last records: %s", error)

        def work() -> None:
            if self._presence is not None:
                self._presence.leave(settled=not self._open)
                self._presence = None
            self._let_go(guard=True)

        try:
            self._alone(work, shared=False)
        except LedgerError as error:  # a thread that never lets go; what it holds ends with the process
            _log.warning("licet: the ledger's files stay open: %s", error)

    def renew(self) -> None:
        """What a forked child does first: a thread that held a lock is not in it, and so never lets go.

        Its copies of the descriptors would keep the ledger locked, and its parent's presence alive, after that has died.
        """
        if self._presence is not None:
            self._presence.leave(settled=False)
        for descriptor in (self._file, self._guarded):
            if descriptor >= 0:
                os.close(descriptor)
        self._start()
        self._keeper.renew()
        self._sealer.forget()
        self._sealer = Sealer(self.files, self._key, self._patience)

    @property
    def _seq(self) -> int:
        return self._at[1]

    def _alone(self, work: Callable[[], T], *, shared: bool = True) -> T:
        """Do something as the ledger's only writer of all (`shared`: also among processes). What goes wrong is an error of the ledger.

        What a signal's handler raises may come before or after any call that is made here, and must not leave a lock behind: hence no
        `with`, whose ends would be functions of our own, and the question to the lock itself whose it is.
        """
        lock, got = self._lock, False
        if lock._is_owned():  # type: ignore[attr-defined]
            if self._inside:
                raise LedgerError(f"{self.path}: is in the middle of a record, which a signal's handler came into; write it later")
            lock.release()  # two signals at once have left it
        try:
            try:
                got = lock.acquire(timeout=self._patience)
                if not got:
                    raise LedgerError(f"{self.path}: another writer has held the lock for {self._patience:g} s; try again")
                self._inside = True
                if shared:
                    self._enter()
                return work()
            finally:
                if got and self._guarded >= 0:
                    fcntl.flock(self._guarded, fcntl.LOCK_UN)
        except Exception as error:
            if (told := self._told(error)) is error:
                raise
            raise told from error
        finally:
            if got or lock._is_owned():  # type: ignore[attr-defined]
                self._inside = False
                lock.release()

    def _told(self, error: Exception) -> LedgerError:
        if isinstance(error, AlteredError) and self._seq:
            self._broken = str(error)  # what this process has seen is not there any more; else the next attempt may find all put back
        if isinstance(error, LedgerError):
            return error
        why = error.strerror if isinstance(error, OSError) else None
        return LedgerError(f"{self.path}: {why or f'{type(error).__name__}: {error}'}")

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
        if not path.exists() and (self._seq or self._key.last() is not None):
            raise LedgerError(f"{path}: is gone, and was written to before; put it back")
        folders = [*map(path.joinpath, _FOLDERS), self._key.writers]
        for parent in {folder.parent for folder in folders if _made(folder)}:
            sync_folder(parent)  # else a power cut takes them with all that was put on the disk in them
        found = os.fstat(guarded := open_own(self._lock_file, os.O_RDWR | os.O_CREAT, LedgerError))
        self._guard_id, self._guarded = (found.st_dev, found.st_ino), guarded

    def _go_on(self) -> None:
        """Have the segment open that the next record belongs to, and know the record before it."""
        if self._at[0] < 0:
            segments = self.files.segments()
            seq, before = self._surest()
            if not segments and seq:
                raise LedgerError(f"{self.path}: {seq} records were signed, and the live segment is missing; put it back")
            self._go_to(segments[-1] if segments else 0, seq, before)
        self._look()
        while self._at[1] - self._first >= SEGMENT:
            self._go_to(max([self._first + SEGMENT, *self.files.segments()]), *self._at[1:])
            self._look()
        if self._presence is None or not self._presence.held:
            self._presence = self._presence or Presence(self._key.writers, self.writer)
            self._presence.hold(min(self._open.values(), default=self._seq + 1))
        if self._at[1] == 0:
            self._begin()

    def _surest(self) -> tuple[int, str]:
        """Number and link of the last record that is sure, as it stands there: this process knew it, or it was signed."""
        _, known, last = self._at
        told = signed.size if (signed := signed_state(self.files, self._key)[1]) else 0
        for at in sorted({known, told} - {0}):
            line = next(self.files.records(at - 1, at), None)
            if line is None:
                self._let_go()
                missing = f"{told} records were signed" if told >= known else f"{known} records were written"
                missing += f", and {self.files.size()} stand there: the ledger was cut"
                raise LedgerError(f"{self.path}: {missing}. Put back what is missing, or move folder and `keys/ledger.*` away as evidence")
            if at == known and link(line) != last:
                raise AlteredError(self.path, at, "is another than was written")
            if at > known:
                known, last = at, link(line)
        return known, last

    def _go_to(self, first: int, seq: int, last: str) -> None:
        """Go to another segment, from record `seq`: through those in between, if there are any."""
        if seq < first:
            seq, last = led_on(self.files.records(seq, first), seq, last, self.path)
        if seq < first:
            raise AlteredError(self.path, seq + 1, f"is missing, and {layout.live_name(first)} is there")
        self._take_up(first)
        size = bytes_of(self._file, seq - first)
        if size is None:
            raise AlteredError(self.path, seq, f"is not in {layout.live_name(first)}")
        self._at = size, seq, last

    def _let_go(self, *, guard: bool = False) -> None:
        """Close the segment, and the lock's file: the next record begins by finding out what stands there."""
        with self._disk:
            file, self._file, self._at = self._file, -1, (-1, *self._at[1:])
        if file >= 0:
            os.close(file)
        if guard and self._guarded >= 0:
            guarded, self._guarded = self._guarded, -1
            os.close(guarded)

    def _take_up(self, first: int) -> None:
        """Go to another segment. Nobody writes to the one before it any more, and so this is the last time that it can be waited for."""
        file = self.files.path / layout.live_name(first)
        fresh = not file.exists()
        if self._file >= 0:
            self._sync_file(self._file)  # before there is another: a process that dies here leaves nothing that nobody waits for
        opened = open_own(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, LedgerError)
        with self._disk:
            old, self._file, self._first, self._at = self._file, opened, first, (-1, *self._at[1:])
            if old >= 0:
                self._synced = self._seq
        if old >= 0:
            os.close(old)
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
        """Know the last record, whoever wrote it. What does not lead on from what this process knows is nobody's record."""
        found = os.fstat(self._file)
        if not found.st_nlink:
            self._follow()
        elif (size := found.st_size) > self._at[0]:
            self._at, torn = read_on(self._file, self._at, size, self.path)
            if torn:
                self._repair(torn)
        elif size < self._at[0]:
            raise AlteredError(self.path, self._seq, "or one before it was taken away while it was written to")

    def _repair(self, torn: bytes) -> None:
        """The last writer died inside a line. What it wrote never counted; it is taken away, and said in a record."""
        self._surest()  # before anything stands where something that was signed is missing
        os.ftruncate(self._file, self._at[0])
        lost = f"sha256:{hashlib.sha256(torn).hexdigest()}"
        self._write("ledger.repaired", {"lost": lost, "bytes": len(torn)}, iso(self._clock.now()))

    def _follow(self) -> None:
        """The segment's file is gone: that is well if others have filled and sealed it since."""
        newest = max(self.files.segments(), default=-1)
        if newest <= self._first:
            name = self.files.path / layout.live_name(self._first)
            raise LedgerError(f"{name}: was taken away while it was written to; verify the ledger, and start again")
        self._go_to(newest, *self._surest())
        self._look()

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
        size, seq, before = self._at
        seq += 1
        record: dict[str, Plain] = {**fields, "kind": kind, "prev": before, "seq": seq, "time": time, "writer": self.writer}
        line = canonical(record)
        if len(line) > MAX_ENTRY:
            raise LedgerError(f"{self.path}: a record of {len(line)} bytes is too long")
        if kind == INTENT:  # before it stands there: whatever comes in between, nobody forgets to ask what became of it
            self._open[str(fields.get("call"))] = seq
        try:
            written = os.write(self._file, line + b"\n")
            if whole := written == len(line) + 1:
                self._at = size + written, seq, link(line)
            else:
                os.ftruncate(self._file, size)
        except OSError:
            self._not_written(kind, fields, size)
            raise
        if not whole:
            self._not_written(kind, fields, size)
            raise LedgerError(f"{self.path}: the disk is full")
        if kind == OUTCOME:
            self._open.pop(str(fields.get("call")), None)
        return seq

    def _not_written(self, kind: str, fields: Mapping[str, Plain], size: int) -> None:
        """Forget an intent again, if it surely does not stand there."""
        if kind == INTENT and os.fstat(self._file).st_size == size:
            self._open.pop(str(fields.get("call")), None)


def _made(folder: Path) -> bool:
    if folder.is_dir():
        return False
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return True


_ledgers: weakref.WeakSet[Ledger] = weakref.WeakSet()


def _renew_all() -> None:
    for ledger in list(_ledgers):
        ledger.renew()


def _close_all() -> None:
    for ledger in list(_ledgers):
        ledger.close()


os.register_at_fork(after_in_child=_renew_all)
atexit.register(_close_all)
