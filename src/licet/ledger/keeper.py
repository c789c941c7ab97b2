"""A thread of each process that brings records to the disk, and under a signature, soon after they were written."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from typing import Protocol

from licet.errors import LedgerError

_log = logging.getLogger("licet")


class Kept(Protocol):
    """What is looked after: see `Ledger`."""

    def sync(self) -> None:
        """Put all records on the disk."""

    def seal(self) -> str:
        """Put all records under a checkpoint."""


class Keeper:
    """Wakes up when something was written. `problem`: why the last attempt failed; empty if it did not."""

    def __init__(self, ledger: Kept, flush_seconds: float, checkpoint_seconds: float) -> None:
        self._ledger = weakref.ref(ledger)
        self._flush, self._checkpoint = flush_seconds, checkpoint_seconds
        weakref.finalize(ledger, _end, state := _State())
        self._state = state
        self.problem = ""

    def wake(self) -> None:
        """Something was written. Costs next to nothing where the thread knows already."""
        state = self._state
        if not state.dirty.is_set():
            state.dirty.set()
        if state.thread is None:
            self._begin(state)

    def stop(self) -> None:
        """End the thread; the next `wake` begins another."""
        state, self._state = self._state, _State()
        _end(state)
        if state.thread is not None and state.thread is not threading.current_thread():
            state.thread.join()

    def renew(self) -> None:
        """In a forked child: the thread is not in it."""
        self._state = _State()
        self.problem = ""

    def _begin(self, state: _State) -> None:
        with state.lock:
            if state.thread is None:
                state.thread = threading.Thread(target=_run, args=(weakref.ref(self), state), name="licet-ledger", daemon=True)
                state.thread.start()

    def _round(self, *, due: bool) -> None:
        ledger = self._ledger()
        if ledger is None:
            return
        try:
            if due:
                ledger.seal()
            else:
                ledger.sync()
            self.problem = ""
        except LedgerError as error:
            if str(error) != self.problem:
                _log.warning("licet: the ledger is behind: %s", error)
            self.problem = str(error)


class _State:
    def __init__(self) -> None:
        self.dirty, self.ended, self.lock = threading.Event(), threading.Event(), threading.Lock()
        self.thread: threading.Thread | None = None


def _end(state: _State) -> None:
    state.ended.set()
    state.dirty.set()


def _run(keeper_ref: weakref.ref[Keeper], state: _State) -> None:
    """The thread. It holds neither keeper nor ledger while it waits, so that both can be let go of."""
    unsigned, signed = False, 0.0
    while True:
        keeper = keeper_ref()
        if keeper is None:
            return
        flush, every = keeper._flush, keeper._checkpoint
        del keeper
        woken = state.dirty.wait(max(0.0, signed + every - time.monotonic()) if unsigned else None)
        if woken and not state.ended.wait(flush):
            state.dirty.clear()  # before the sync: what is written during it wakes us again
            unsigned = True
        if state.ended.is_set() or (keeper := keeper_ref()) is None:
            return
        now = time.monotonic()
        due = unsigned and now >= signed + every
        keeper._round(due=due)
        if due:
            signed = now
            unsigned = bool(keeper.problem)
        del keeper
