"""A ledger has itself cosigned: a thread asks the witnesses after each checkpoint. No call and no checkpoint ever waits for a witness."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from licet.errors import LedgerError
from licet.ledger.cosigning.cosign import Asked, Misbehaved, WitnessAt, cosign
from licet.ledger.cosigning.cosignature import witness_key
from licet.ledger.note import Checkpoint, NoteError, NoteKey, opened, parts
from licet.ledger.reader import LedgerFiles
from licet.ledger.sealer import take
from licet.machine import open_own

_log = logging.getLogger("licet")
LOCK = "cosign.lock"
LONGEST_WAIT = 60.0
"""Seconds between two attempts with a witness that fails; the first are sooner."""
_PATIENCE = 5.0

Report = Callable[[str, str], None]
"""Told of each attempt: the witness's name, and why it failed; empty if it did not. Called in the thread; it must not raise."""


@dataclass(slots=True)
class Known:
    """A witness that a ledger has: who is asked, and its key. `since`, `failed`, `next`: where we stand with it."""

    asked: Asked
    key: NoteKey
    since: int = 0
    failed: int = 0
    next: float = 0.0
    problem: str = ""


class Cosigner:
    """The witnesses of one ledger.

    Args:
        files: the ledger.
        witnesses: who are asked, each with its key.
        report: see `Report`.
    """

    def __init__(self, files: LedgerFiles, witnesses: Sequence[tuple[Asked, NoteKey]], report: Report | None = None) -> None:
        self._files, self._report = files, report
        self._witnesses = [Known(asked, key) for asked, key in witnesses]
        self._start()

    @classmethod
    def of(cls, files: LedgerFiles, witnesses: Iterable[tuple[str, str]], report: Report | None = None) -> Cosigner:
        """The witnesses at these addresses, each with the text of its key: `ledger: {witnesses: ...}` of a manifest.

        Raises:
            UsageError: an address or a key is none.
        """
        return cls(files, [(WitnessAt(url), witness_key(key, f"the witness {url}")) for url, key in witnesses], report)

    def _start(self) -> None:
        self._lock, self._wake, self._ended = threading.Lock(), threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._process = os.getpid()

    @property
    def problems(self) -> dict[str, str]:
        """Why the last attempt failed, by the witness's name; those that did not fail are not in it."""
        return {each.key.name: each.problem for each in self._witnesses if each.problem}

    def offer(self) -> None:
        """There is a new checkpoint. Returns at once."""
        if not self._witnesses:
            return
        if self._process != os.getpid():  # in a forked child the thread is not there
            self._start()
        self._wake.set()
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, args=(self._wake, self._ended), name="licet-cosigner", daemon=True)
                self._thread.start()

    def close(self, seconds: float = 2.0) -> None:
        """Ask once more for what was offered last, and end; after `seconds` whatever has come of it. A later offer begins again."""
        self._ended.set()
        self._wake.set()
        thread = self._thread
        if thread is not None and self._process == os.getpid():
            thread.join(seconds)
        self._start()

    def _run(self, wake: threading.Event, over: threading.Event) -> None:
        waiting = False
        while True:
            soonest = min(each.next for each in self._witnesses if each.failed) if waiting else None
            wake.wait(None if soonest is None else max(0.0, soonest - time.monotonic()))
            ended = over.is_set()
            wake.clear()
            waiting = not self._round(time.monotonic())
            if ended:
                return

    def _round(self, now: float) -> bool:
        """Ask each witness whose turn it is; whether none is left to be asked again."""
        done = True
        for each in self._witnesses:
            if each.failed and now < each.next:
                done = False
                continue
            try:
                self._ask(each)
            except LedgerError as error:
                each.failed += 1
                each.next = time.monotonic() + min(LONGEST_WAIT, 2.0 ** min(each.failed - 1, 10))
                self._say(each, str(error), grave=isinstance(error, Misbehaved))
                done = False
            else:
                each.failed = 0
                self._say(each, "", grave=False)
        return done

    def _ask(self, witness: Known) -> None:
        """One process of all that write to a ledger asks at a time, and always for the newest: none is overtaken."""
        descriptor = open_own(self._files.path / LOCK, os.O_RDWR | os.O_CREAT, LedgerError)
        try:
            take(descriptor, _PATIENCE, self._files.path / LOCK)
            note = self._files.checkpoint()
            if note is None:
                return
            try:
                if opened(note, [witness.key]).cosigned:
                    witness.since = Checkpoint.parse(parts(note)[0]).size
                    return
            except NoteError as error:
                raise LedgerError(f"the ledger's checkpoint: {error}") from error
            witness.since = cosign(self._files, note, witness.asked, key=witness.key, since=witness.since).checkpoint.size
        finally:
            os.close(descriptor)

    def _say(self, witness: Known, problem: str, *, grave: bool) -> None:
        if problem and problem != witness.problem:
            _log.log(logging.ERROR if grave else logging.WARNING, "licet: witness %s: %s", witness.key.name, problem)
        elif witness.problem and not problem:
            _log.info("licet: witness %s cosigns again", witness.key.name)
        witness.problem = problem
        if self._report is not None:
            self._report(witness.key.name, problem)
