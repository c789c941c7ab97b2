"""Two threads of each process that see to what was written soon after: one brings it to the disk, the other under a signature.

They are two, so that nothing that holds up a signature (another process that has the lock, a long way to catch up) keeps records off
the disk. Nothing ends them but `stop`: whatever goes wrong is said, and tried again.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable
from typing import Protocol

from licet.errors import LedgerError

LATE_SECONDS, LATE_CHECKPOINTS = 10.0, 10
"""How old a record may get that cannot be signed, before calls are refused: so many seconds, or times of a checkpoint if that is more."""
STOP_SECONDS = 60.0
"""How long the end waits for a thread: a disk that never answers holds it, and must not hold the process."""
_log = logging.getLogger("licet")


class Kept(Protocol):
    """What is looked after: see `Ledger`."""

    def sync(self) -> None:
        """Put all records on the disk."""

    def seal(self) -> str:
        """Put all records under a checkpoint."""


class Keeper:
    """Wakes up when something was written."""

    def __init__(self, ledger: Kept, flush_seconds: float, checkpoint_seconds: float) -> None:
        self._ledger = weakref.ref(ledger)
        self._flush, self._checkpoint = flush_seconds, checkpoint_seconds
        self._late_after = max(LATE_SECONDS, LATE_CHECKPOINTS * checkpoint_seconds)
        self._problems: dict[str, str] = {}
        self._state = self._fresh()

    @property
    def problem(self) -> str:
        """Why the last attempt to reach the disk, or to sign, failed; empty if it did not."""
        return "; ".join(dict.fromkeys(self._problems.values())) if self._problems else ""

    @property
    def late(self) -> str:
        """Why nothing more may be written, and what to do: a record waits too long for a signature. Empty while all is well.

        What has no signature yet, somebody who can write the folder may exchange; so he must not be able to make that last.
        """
        state = self._state
        oldest, begun = state.sealing or state.oldest, state.begun
        if not oldest or (now := time.monotonic()) - oldest <= self._late_after:
            return ""
        why = self.problem
        if not why and begun and now - begun > self._late_after:
            why = "the attempt to sign it does not come to an end; look at the disk"
        # Neither: the process itself was stopped, and it is about to be signed.
        return (
            f"a record has waited for its signature for {now - oldest:.0f} s, and until it has one no other is written: {why}. "
            f"Mend that, or find who holds `checkpoint.lock` in the ledger's folder; it is tried again every {self._checkpoint:g} s"
            if why
            else ""
        )

    def wake(self) -> None:
        """Something was written. Costs next to nothing where the threads know already. It raises nothing."""
        state = self._state
        if not state.oldest:
            state.oldest = time.monotonic()
        state.dirty.ring()
        state.unsigned.ring()
        if not (state.flushes and state.seals):
            self._begin(state)

    def stop(self) -> None:
        """End the threads; the next `wake` begins others."""
        state, self._state = self._state, self._fresh()
        _end(state)
        for thread in state.threads:
            if thread is not threading.current_thread():
                thread.join(STOP_SECONDS)

    def renew(self) -> None:
        """In a forked child: the threads are not in it."""
        self._state = self._fresh()
        self._problems = {}

    def _fresh(self) -> _State:
        state = _State()
        if (ledger := self._ledger()) is not None:
            weakref.finalize(ledger, _end, state)
        return state

    def _begin(self, state: _State) -> None:
        try:
            if not state.lock.acquire(blocking=False):
                return  # another thread is at it
            for run, pause in ((_flushing, 0.0), (_sealing, self._checkpoint)):
                name = f"licet-ledger-{run.__name__.strip('_')}"
                alive = tuple(thread for thread in state.threads if thread.is_alive())
                if state.ended or any(thread.name == name for thread in alive):
                    continue
                thread = threading.Thread(target=run, args=(weakref.ref(self), state, self._flush, pause), name=name, daemon=True)
                state.threads = (*alive, thread)  # before it starts: a signal can come in between, and it must not be begun twice
                thread.start()
        except RuntimeError as error:  # no more threads: what was written stands, and the next record tries again
            self._say("begin", f"no thread can be started to sign records: {error}; look at the limits of processes and memory")
        else:
            self._problems.pop("begin", None)
        finally:
            while state.lock._is_owned():  # type: ignore[attr-defined]  # asked, as a signal can come between taking it and knowing so
                state.lock.release()

    def _done(self, name: str, does: Callable[[Kept], object]) -> bool:
        """Do it, and say if it went wrong. A thread that ended here would leave all later records unsigned, and nobody would know."""
        if (ledger := self._ledger()) is None:
            return True
        try:
            does(ledger)
        except LedgerError as error:
            self._say(name, str(error))
        except Exception as error:  # noqa: BLE001 - see above; no decision hangs on it but `late`, which refuses
            self._say(name, f"{type(error).__name__}: {error}; `licet ledger verify` says what holds")
        else:
            self._problems.pop(name, None)
            return True
        return False

    def _say(self, name: str, problem: str) -> None:
        known = problem in self._problems.values()
        self._problems[name] = problem
        if not known:
            _log.warning("licet: the ledger is behind: %s", problem)


def quietly(does: Callable[[], None]) -> None:
    """Tell somebody of a checkpoint. It stands, whatever becomes of that."""
    try:
        does()
    except Exception as error:  # noqa: BLE001 - what others do with a checkpoint decides nothing here
        _log.warning("licet: a checkpoint was signed, and who was to be told of it failed: %s: %s", type(error).__name__, error)


class _Bell:
    """Rung by who writes, and heard once by the thread that waits for it.

    An Event would do, but for a signal whose handler raises inside one: that leaves the Event's own lock held for good.
    """

    def __init__(self) -> None:
        self._silent = threading.Lock()
        self._silent.acquire()

    def ring(self) -> None:
        if self._silent.locked():
            try:
                self._silent.release()
            except RuntimeError:  # somebody else rang it just now
                return

    def heard(self, seconds: float = -1) -> bool:
        """Wait for it; for ever, unless `seconds` says how long."""
        return self._silent.acquire(timeout=seconds)


class _State:
    """What the two threads of one time know. Times are of `time.monotonic`, in seconds; 0.0: none."""

    def __init__(self) -> None:
        self.dirty, self.unsigned = _Bell(), _Bell()
        self.over = _Bell(), _Bell()  # for each of the threads, while it pauses
        self.ended = self.flushes = self.seals = False
        self.lock = threading.RLock()
        self.threads: tuple[threading.Thread, ...] = ()
        self.oldest = 0.0  # since when a record waits that no attempt to sign has seen
        self.sealing = 0.0  # the same, of what an attempt has seen that is under way, or failed
        self.begun = 0.0  # when the attempt that is under way began


def _end(state: _State) -> None:
    state.ended = True
    for bell in (*state.over, state.dirty, state.unsigned):
        bell.ring()


# The threads hold neither keeper nor ledger while they wait, so that both can be let go of.


def _flushing(keeper_ref: weakref.ref[Keeper], state: _State, flush: float, _pause: float) -> None:
    state.flushes = True
    try:
        while state.dirty.heard():
            paused = not state.over[0].heard(flush)
            state.dirty.heard(0)  # before the sync: what is written during it wakes us again
            if not paused or state.ended or (keeper := keeper_ref()) is None:
                return
            keeper._done("sync", lambda ledger: ledger.sync())
            del keeper
    finally:
        state.flushes = False


def _sealing(keeper_ref: weakref.ref[Keeper], state: _State, flush: float, pause: float) -> None:
    state.seals, soonest = True, 0.0
    try:
        while state.unsigned.heard():
            paused = not state.over[1].heard(max(flush, soonest - time.monotonic()))
            state.unsigned.heard(0)
            if not paused or state.ended or (keeper := keeper_ref()) is None:
                return
            state.begun = time.monotonic()
            soonest = state.begun + pause
            # In this order: a record that is written now is in this attempt, or begins to wait anew.
            state.sealing, state.oldest = state.sealing or state.oldest or state.begun, 0.0
            if keeper._done("seal", lambda ledger: ledger.seal()):
                state.sealing = 0.0
            else:
                state.unsigned.ring()
            state.begun = 0.0
            del keeper
    finally:
        state.seals = False
