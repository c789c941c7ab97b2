"""Writing down what happens: ledger, findings. The ledger comes first; what it cannot take refuses the call."""

from __future__ import annotations

import atexit
import json
import logging
import os
import secrets
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from licet.canonical import Plain, digest_text, recordable
from licet.catalogue import CHECKS, LEARNED
from licet.clock import Clock, iso
from licet.errors import LedgerError, StoreError, traced
from licet.guard.clean import Clean, clean
from licet.ledger import Ledger
from licet.ledger.fields import OUTCOME
from licet.ledger.fitting import fitted
from licet.ledger.writers import INTENT
from licet.locks import Lock
from licet.records import CallStatus, Decision, Finding, Reason
from licet.store import Store
from licet.telemetry import NOWHERE, Position, Telemetry

_log = logging.getLogger("licet")
MAX_WAITING = 10_000  # records; no call begins while one waits, so that only denials can add to them
MAX_BESIDE = 100  # of those that wait: for so many the contents beside them wait too
UNKNOWN, FORKED = "call.unknown", "ledger.forked"
DIED = "the process ended before the outcome was known"

Then = Callable[[int], None]
"""Given the number of a record once it stands; it must not raise."""


class _Waiting(NamedTuple):
    """A record of what has happened that could not be written yet."""

    kind: str
    fields: Clean
    time: float
    then: Then | None


def _none(_plain: str) -> str:
    """No digest, where there is no key: a plain one of something short is found by trying."""
    return ""


class Recorder:
    """Appends to the ledger and keeps findings.

    `unsafe`: go on when the ledger cannot be written. `keyed` makes the keyed digest of a plain one, for what had to be cut.
    """

    def __init__(
        self, ledger: Ledger, store: Store, clock: Clock, telemetry: Telemetry, *, unsafe: bool, keyed: Callable[[str], str] = _none
    ) -> None:
        self._keyed = keyed
        self._ledger, self._store, self._clock, self._telemetry, self._unsafe = ledger, store, clock, telemetry, unsafe
        self._waiting: list[_Waiting] = []  # outcomes and denials
        self._lost = 0  # records that did not fit any more; how many is recorded
        self._process = os.getpid()
        self._last = 0  # the number of the last record that was surely written here
        self._lock = Lock()
        self._flagged: set[tuple[str, str]] = set()
        telemetry.metrics.ledger_lag(self._lag)
        _recorders.add(self)

    def before(self, kind: str, fields: Mapping[str, Plain], *, durable: bool = False) -> int:
        """Record something that has not happened yet. The answer is the record's number; 0 if it runs unrecorded.

        Raises:
            LedgerError: it cannot be recorded, so it must not happen (unless the guard was told to run unrecorded).
        """
        try:
            self._catch_up()
            return self._append(kind, clean(fields), self._clock.now(), durable=durable)
        # Whatever it is: it is not known to stand, and so must not happen.
        except Exception as error:
            if not self._unsafe:
                if isinstance(error, LedgerError):
                    raise
                raise LedgerError(f"a record cannot be written: {traced(error)}") from error
            _log.warning("licet runs unrecorded: the ledger cannot be written", exc_info=True)
            return 0

    def after(self, kind: str, fields: Mapping[str, Plain], then: Then | None = None) -> int:
        """Record something that has happened. The answer is the record's number. Never raises.

        What cannot be written now is kept, and no call begins before it is written; then the answer is 0. `then` is told its number when
        it stands, be it later; of very many that wait not all are.
        """
        time, fields = self._clock.now(), clean(fields)
        try:
            self._catch_up()
            seq = self._append(kind, fields, time)
        # It has happened, and whatever is wrong with the ledger, it is not to be forgotten.
        except Exception:  # noqa: BLE001 - see above
            _log.warning("licet: an outcome could not be written to the ledger yet", exc_info=True)
            with self._lock:
                if len(self._waiting) < MAX_WAITING:
                    self._waiting.append(_Waiting(kind, fields, time, then if len(self._waiting) < MAX_BESIDE else None))
                else:
                    self._lost += 1
            return 0
        if then is not None:
            then(seq)
        return seq

    def intent_of(self, call: str) -> int:
        """The number of a call's intent, if it stands although `before` could not say so (the disk failed, a signal came); else 0."""
        named = call.encode()
        try:
            for seq, line in enumerate(self._ledger.files.records(self._last), self._last + 1):
                if named in line and (record := json.loads(line))["kind"] == INTENT and record.get("call") == call:
                    return seq
        # What cannot be read is not known; a later start settles what stands then.
        except Exception as error:  # noqa: BLE001 - see above
            _log.warning("licet: the ledger does not say whether the intent of a call stands: %s", traced(error))
        return 0

    def close(self) -> None:
        """Try once more to write what waits; what cannot be written is said in the log. Never raises."""
        try:
            self._catch_up()
        except Exception as error:  # noqa: BLE001 - said below
            kinds = Counter(each.kind for each in self._waiting)
            told = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
            lost = f"{', ' if told else ''}{self._lost} that did not fit any more" if self._lost else ""
            _log.error("licet: records of what has happened are not in the ledger (%s): %s", told + lost, traced(error))

    def _catch_up(self) -> None:
        if not self._waiting and not self._lost:
            return
        with self._lock:
            if self._process != os.getpid():  # a forked child has a copy of what its parent writes
                self._waiting, self._lost, self._process = [], 0, os.getpid()
            while self._waiting:
                kind, fields, time, then = self._waiting[0]
                seq = self._append(kind, fields, time)
                self._waiting.pop(0)
                if then is not None:
                    then(seq)
            if self._lost:
                self._append("ledger.lost", {"records": self._lost}, self._clock.now())
                self._lost = 0

    def _append(self, kind: str, fields: Mapping[str, Plain], time: float, *, durable: bool = False) -> int:
        """What the ledger refuses for what it *is* (its length) is cut: else it would wait for ever, and every later call behind it."""
        try:
            seq = self._ledger.append(kind, fields, time=iso(time), durable=durable)
        except (LedgerError, ValueError, TypeError, RecursionError):
            shorter = fitted(fields, self._keyed)
            if shorter is None:
                raise
            seq = self._ledger.append(kind, shorter, time=iso(time), durable=durable)
        self._last = max(self._last, seq)
        return seq

    def _lag(self) -> float:
        """How many seconds the ledger is behind what has happened."""
        waiting = self._waiting[:1]
        return max(0.0, self._clock.now() - waiting[0].time) if waiting else 0.0

    def judged(
        self, decision: Decision, *, task_id: str, call_id: str, owner: str, at: Position = NOWHERE, ledger: int = 0
    ) -> list[Finding]:
        """Keep the findings that a decision gives rise to: one per denial, and one per task for each other reason. The answer is those.

        `ledger` is the number of the decision's record.
        """
        kept: list[Finding] = []
        for found in decision.reasons:
            denied = decision.outcome == "deny" and found.effect == "deny" and not found.observed
            if not denied and not self._first(task_id, found.check):
                continue
            # What is new to a baseline stays in sight where a person was asked about it, too.
            if found.effect != "ask" or found.observed or found.check in LEARNED:
                level = "medium" if denied else "low"
                kept.append(self.finding(found, level, task_id=task_id, call_id=call_id, owner=owner, at=at, ledger=ledger))
        return kept

    def _first(self, task_id: str, check: str) -> bool:
        with self._lock:
            known = (task_id, check) in self._flagged
            self._flagged.add((task_id, check))
            return not known

    def finding(
        self, found: Reason, severity: str, *, task_id: str = "", call_id: str = "", owner: str = "", at: Position = NOWHERE,
        ledger: int = 0, once: str = "",
    ) -> Finding:  # fmt: skip
        """Keep one finding; `at` is the span that it is about, `ledger` the number of the record that gave rise to it, and of all with
        the same `once` the store keeps the first. A store that cannot take it is logged: the ledger has the fact.
        """
        level = severity if severity in ("info", "low", "medium", "high", "critical") else "medium"
        sentence = f"{found.sentence} (observed, not enforced)" if found.observed else found.sentence
        finding = Finding(
            digest_text(once)[-16:] if once else secrets.token_hex(8), self._clock.now(), found.check, level, sentence,  # type: ignore[arg-type]
            task_id, call_id, owner, found.references, ledger,
        )  # fmt: skip
        try:
            self._store.add_finding(finding)
        except StoreError:
            _log.warning("licet: a finding could not be stored: %s", found.check, exc_info=True)
        self._telemetry.events.finding(finding, trace_id=at[0], span_id=at[1])
        return finding

    def forked(self, witness: str, what: str) -> None:
        """Keep as a finding that a witness has seen another ledger than this one, or more of it."""
        found = Reason(
            FORKED, "flag", f"the witness {recordable(witness)}: {recordable(what, 1_000)}", references=CHECKS[FORKED].references
        )
        self.finding(found, "high")

    def settle(self) -> None:
        """See to the calls of processes that have died: `settle_unknown`. What cannot be done now is left for the next start."""
        try:
            with self._ledger.abandoned(self._running) as left:
                self.settle_unknown(left.intents)
                for call, status in left.ended.items():  # died before the intent, or after the outcome and before the store knew of it
                    self._settled(call, cast(CallStatus, status))
        except LedgerError as error:  # one line: what is wrong with the ledger is what somebody must see to
            _log.warning("licet: %s (until then, calls of processes that died have no outcome)", error)

    def _running(self) -> Sequence[str]:
        try:
            return self._store.running()
        except StoreError:
            _log.warning("licet: the store does not say which calls run", exc_info=True)
            return ()

    def _settled(self, call: str, status: CallStatus) -> None:
        try:
            self._store.update_call(call, status=status, ended=self._clock.now())
        except StoreError:
            _log.warning("licet: the store could not be told that a call has ended", exc_info=True)

    def settle_unknown(self, intents: Iterable[Mapping[str, Any]]) -> int:
        """Write an outcome for each call whose process died before it could: `intents` are the ledger's own records. How many there were.

        The store's call is no longer running. Of what may have changed something the task's owner gets a finding, once a task: somebody
        must look whether it did.

        Raises:
            LedgerError: an outcome cannot be written. What was written stands, and the rest is to be given again.
        """
        lost: dict[str, dict[str, tuple[int, Mapping[str, Any]]]] = {}
        count, now = 0, self._clock.now()
        for intent in intents:
            told = {name: intent[name] for name in OUTCOME if name in intent}
            told |= {"jti": str(intent.get("jti", "")), "status": "unknown", "result": "", "error": "", "why": DIED}
            seq = self._append("call.outcome", clean({**told, "intent_seq": intent["seq"]}), now)
            count += 1
            try:
                self._store.settle_call(intent["call"], now, intent["seq"])
            except StoreError:
                _log.warning("licet: the store could not be told that a call's outcome is unknown", exc_info=True)
            if intent.get("access") != "read":
                lost.setdefault(str(intent.get("task", "")), {}).setdefault(str(intent.get("tool", "")), (seq, intent))
        for task_id, tools in lost.items():
            seq, first = next(iter(tools.values()))
            named = ", ".join(f"`{recordable(tool)}`" for tool in list(tools)[:10]) + (" and others" if len(tools) > 10 else "")
            sentence = f"{named} had begun when the process ended: whether it took effect is not known"
            at = (str(first.get("trace_id", "")), str(first.get("span_id", "")))
            found = Reason(UNKNOWN, "flag", sentence, references=CHECKS[UNKNOWN].references)
            self.finding(found, "medium", task_id=task_id, call_id=first["call"], at=at, ledger=seq, once=f"{UNKNOWN} {task_id}")
        return count

    def forget(self, task_id: str) -> None:
        """Let go of what was remembered for a task that has ended."""
        with self._lock:
            self._flagged = {(task, check) for task, check in self._flagged if task != task_id}


_recorders: weakref.WeakSet[Recorder] = weakref.WeakSet()


def _close_all() -> None:
    for recorder in list(_recorders):
        recorder.close()


# Registered after that of the ledgers, and so called before it.
atexit.register(_close_all)
