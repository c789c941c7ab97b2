"""A ledger has itself cosigned: a thread for each witness asks it after each checkpoint.

No call, no checkpoint and no other witness ever waits for one.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from licet.errors import LedgerError, traced
from licet.ledger.cosigning.cosign import Asked, Misbehaved, WitnessAt, cosign
from licet.ledger.cosigning.cosignature import witness_key
from licet.ledger.note import Checkpoint, NoteError, NoteKey, opened, parts
from licet.ledger.reader import LedgerFiles
from licet.ledger.sealer import take
from licet.locks import Lock
from licet.machine import open_own

_log = logging.getLogger("licet")
LOCK = "cosign.{}.lock"
"""With the id of a witness's key: one process of all that write to a ledger asks it at a time."""
LONGEST_WAIT = 60.0
"""Seconds between two attempts with a witness that fails; the first are sooner."""
_PATIENCE = 5.0

Report = Callable[[str, str], None]
"""Told of each attempt: the witness's name, and why it failed; empty if it did not. Called in a thread; it must not raise."""
Alarm = Callable[[str, str], None]
"""Told once that a witness has seen another ledger than this one, or more of it: its name, and what. Called in a thread."""


class Cosigner:
    """The witnesses of one ledger.

    Args:
        files: the ledger.
        witnesses: who are asked, each with its key.
        report: see `Report`.
        alarm: see `Alarm`; `alarm_by` gives it later.
    """

    def __init__(
        self, files: LedgerFiles, witnesses: Sequence[tuple[Asked, NoteKey]], report: Report | None = None, alarm: Alarm | None = None
    ) -> None:
        self._files, self._report, self._alarm = files, report, alarm
        self._witnesses = [_Witness(self, asked, key) for asked, key in witnesses]
        self._lock, self._alarmed = Lock(), False

    @classmethod
    def of(cls, files: LedgerFiles, witnesses: Iterable[tuple[str, str]], report: Report | None = None) -> Cosigner:
        """The witnesses at these addresses, each with the text of its key: `ledger: {witnesses: ...}` of a manifest.

        Raises:
            UsageError: an address or a key is none.
        """
        return cls(files, [(WitnessAt(url), witness_key(key, f"the witness {url}")) for url, key in witnesses], report)

    @property
    def problems(self) -> dict[str, str]:
        """Why the last attempt failed, by the witness's name; those that did not fail are not in it."""
        return {each.key.name: each.problem for each in self._witnesses if each.problem}

    def alarm_by(self, alarm: Alarm) -> None:
        """Who is told from now on; see `Alarm`."""
        self._alarm = alarm

    def offer(self) -> None:
        """There is a new checkpoint. Returns at once; never raises."""
        for each in self._witnesses:
            each.wake()

    def close(self, seconds: float = 2.0) -> None:
        """Ask once more for what was offered last, and end; after `seconds` whatever has come of it. A later offer begins again."""
        ends = time.monotonic() + seconds
        for thread in [each.end() for each in self._witnesses]:
            if thread is not None:
                thread.join(max(0.0, ends - time.monotonic()))

    def _seen_elsewhere(self, name: str, what: str) -> None:
        with self._lock:
            alarm = None if self._alarmed else self._alarm
            self._alarmed = self._alarmed or alarm is not None
        if alarm is None:
            return
        try:
            alarm(name, what)
        # A thread of ours that died of it would ask its witness no more.
        except Exception as error:  # noqa: BLE001 - see above
            _log.error("licet: what a witness has seen could not be kept as a finding: %s", traced(error))


class _Witness:
    """One witness, its key, and where we stand with it. It has a thread of its own, from the first checkpoint on."""

    def __init__(self, cosigner: Cosigner, asked: Asked, key: NoteKey) -> None:
        self._cosigner, self._asked, self.key = cosigner, asked, key
        self._since = self._failed = 0
        self._next = 0.0
        self.problem = ""
        self._start()

    def _start(self) -> None:
        self._lock, self._wake, self._ended = threading.Lock(), threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._process = os.getpid()

    def wake(self) -> None:
        """There is a new checkpoint."""
        if self._process != os.getpid():  # in a forked child the thread is not there
            self._start()
        self._wake.set()
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return
            thread = threading.Thread(target=self._run, args=(self._wake, self._ended), name="licet-cosigner", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # there can be no more threads now; the next checkpoint tries again
                self._say(f"it could not be asked: {error}", grave=False)
            else:
                self._thread = thread

    def end(self) -> threading.Thread | None:
        """Ask once more, and end: the thread that does, if there is one. A later `wake` begins another."""
        self._ended.set()
        self._wake.set()
        thread = self._thread if self._process == os.getpid() else None
        self._start()
        return thread

    def _run(self, wake: threading.Event, over: threading.Event) -> None:
        while True:
            wake.wait(max(0.0, self._next - time.monotonic()) if self._failed else None)
            ended = over.is_set()
            if self._failed and not ended and (early := self._next - time.monotonic()) > 0:
                over.wait(early)  # a newer checkpoint is no reason to ask it sooner again
                continue
            wake.clear()
            self._attempt()
            if ended:
                return

    def _attempt(self) -> None:
        try:
            self._ask()
        except LedgerError as error:
            self._failure(str(error), grave=isinstance(error, Misbehaved))
        # Whatever else it is, the next attempt may do better: a thread that died of it would make none.
        except Exception as error:  # noqa: BLE001 - see above
            self._failure(traced(error), grave=False)
        else:
            self._failed = 0
            self._say("", grave=False)

    def _failure(self, why: str, *, grave: bool) -> None:
        self._failed += 1
        self._next = time.monotonic() + min(LONGEST_WAIT, 2.0 ** min(self._failed - 1, 10))
        self._say(why, grave=grave)
        if grave:
            self._cosigner._seen_elsewhere(self.key.name, why)

    def _ask(self) -> None:
        """One process of all that write to a ledger asks at a time, and always for the newest: none is overtaken."""
        files, lock = self._cosigner._files, LOCK.format(self.key.id.hex())
        descriptor = open_own(files.path / lock, os.O_RDWR | os.O_CREAT, LedgerError)
        try:
            take(descriptor, _PATIENCE, files.path / lock)
            note = files.checkpoint()
            if note is None:
                return
            try:
                if opened(note, [self.key]).cosigned:
                    self._since = Checkpoint.parse(parts(note)[0]).size
                    return
            except NoteError as error:
                raise LedgerError(f"the ledger's checkpoint: {error}") from error
            self._since = cosign(files, note, self._asked, key=self.key, since=self._since).checkpoint.size
        finally:
            os.close(descriptor)

    def _say(self, problem: str, *, grave: bool) -> None:
        if problem and problem != self.problem:
            _log.log(logging.ERROR if grave else logging.WARNING, "licet: witness %s: %s", self.key.name, problem)
        elif self.problem and not problem:
            _log.info("licet: witness %s cosigns again", self.key.name)
        self.problem = problem
        if self._cosigner._report is not None:
            self._cosigner._report(self.key.name, problem)
