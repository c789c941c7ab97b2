"""The semantic pass: what the records say, read one after the other. That they are those that were signed, the byte pass has shown."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from licet.canonical import canonical
from licet.escape import counted, visible
from licet.ledger.check.faults import Fault, numbered
from licet.ledger.check.links import FIRST, link_of
from licet.ledger.merkle import leaf_hash

_MOST = 20  # faults of one kind that are listed one by one
_BACK_SECONDS = 1.0  # threads and processes take the time before they wait for each other; what steps back by less is no clock's doing
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", re.ASCII)
_ENDS = ("done", "failed", "unknown", "suspended")


@dataclass(slots=True)
class Meaning:
    """Reads records in their order. `faults` and `observations()` say what it found.

    `origin`, `key`: what the first record must say of its log, if it says anything.
    """

    origin: str = ""
    keys: tuple[str, ...] = ()
    faults: list[Fault] = field(default_factory=list)
    records: int = 0
    _link: str = FIRST
    _time: str = ""
    _back: list[int] = field(default_factory=list)
    _open: dict[str, int] = field(default_factory=dict)
    _refused: set[str] = field(default_factory=set)  # calls with an intent that were refused before their tool ran
    _unknown: int = 0
    _writers: set[str] = field(default_factory=set)
    _told: dict[str, int] = field(default_factory=dict)
    _kinds: dict[str, int] = field(default_factory=dict)

    def read(self, raw: bytes, *, links: bool = True) -> None:
        """Take the next record. `links`: hold number and link against the record before it; where that was done already, false."""
        seq = self.records = self.records + 1
        link, self._link = self._link, link_of(leaf_hash(raw))
        try:
            record: Any = json.loads(raw)
            # A key that stands twice does not come back out of it either.
            fits = type(record) is dict and canonical(record) == raw
        except (ValueError, RecursionError):
            self._fault("malformed", f"record {seq} is not JSON", seq)
            return
        if not fits:
            self._fault("malformed", f"record {seq} is no object in canonical form (RFC 8785)", seq)
            return
        if links and record.get("seq") != seq:
            self._fault("malformed", f"record {seq} was signed with number {visible(str(record.get('seq')), 40)}", seq)
        if links and record.get("prev") != link:
            self._fault("malformed", f"record {seq} was signed with a link to another record than the one before it", seq)
        kind, time, writer = (record.get(name) for name in ("kind", "time", "writer"))
        if not (type(kind) is str and kind and type(writer) is str and writer):
            self._fault("malformed", f"record {seq} has no kind, or no writer", seq)
            return
        self._writers.add(writer)
        self._kinds[kind] = self._kinds.get(kind, 0) + 1
        if not (type(time) is str and _TIME.fullmatch(time)):
            self._fault("malformed", f"record {seq} has no time", seq)
        else:
            self._clock(time, seq)
        if kind == "call.intent":
            self._intent(record, seq)
        elif kind == "call.denied":
            self._denied(record)
        elif kind == "call.outcome":
            self._outcome(record, seq)
        elif kind == "ledger.begin" and seq == 1:
            self._begin(record)

    def observations(self) -> list[str]:
        """What is no fault, and is to be known."""
        said = []
        if self._back:
            times = "once" if len(self._back) == 1 else f"{len(self._back)} times"
            said.append(f"the clock stepped back {times} by more than {_BACK_SECONDS:g} s: at {numbered(self._back)}")
        if self._open:
            first, are = min(self._open.values()), "is" if len(self._open) == 1 else "are"
            said.append(
                f"{counted(len(self._open), 'call')} {are} without an outcome (from record {first} on): still running, or their process "
                "has died; then the next start says `unknown`"
            )
        if self._unknown:
            said.append(f"the outcome of {counted(self._unknown, 'call')} is on record as `unknown`")
        if purged := self._kinds.get("purge"):
            said.append(
                f"what stands beside the records was purged {'once' if purged == 1 else f'{purged} times'}, on record; they are whole"
            )
        for kind, what in (("ledger.repaired", "a torn line was taken away"), ("ledger.lost", "records could not be written")):
            if number := self._kinds.get(kind):
                said.append(f"{what} {'once' if number == 1 else f'{number} times'}, on record as `{kind}`")
        return said

    def _clock(self, time: str, seq: int) -> None:
        if self._time and time < self._time:
            try:
                back = (datetime.fromisoformat(self._time) - datetime.fromisoformat(time)).total_seconds()
            except ValueError:
                self._fault("malformed", f"record {seq} has a time that there is not", seq)
                return
            if back > _BACK_SECONDS:
                self._back.append(seq)
            else:
                return  # the later one stays the measure
        self._time = time

    def _intent(self, record: dict[str, Any], seq: int) -> None:
        call = record.get("call")
        if type(call) is not str or not call:
            self._fault("malformed", f"record {seq} is an intent without a call", seq)
        else:
            self._open[call] = seq
            self._refused.discard(call)

    def _denied(self, record: dict[str, Any]) -> None:
        """Behind an intent it says that the tool did not run: no outcome is to come; one that comes all the same has its intent."""
        call = record.get("call")
        if type(call) is str and self._open.pop(call, None) is not None:
            self._refused.add(call)

    def _outcome(self, record: dict[str, Any], seq: int) -> None:
        call, status = record.get("call"), record.get("status")
        if type(call) is not str or status not in _ENDS:
            self._fault("malformed", f"record {seq} is an outcome without a call, or without a status that there is", seq)
            return
        if self._open.pop(call, None) is None and call not in self._refused:
            self._fault("unmatched", f"record {seq} is an outcome of call {visible(call, 60)}, which has no intent before it", seq)
        self._refused.discard(call)
        self._unknown += status == "unknown"

    def _begin(self, record: dict[str, Any]) -> None:
        if self.origin and record.get("origin") != self.origin:
            self._fault("other-log", f"record 1 begins the log {visible(str(record.get('origin')), 200)}, not {self.origin}", 1)
        elif self.keys and record.get("key") not in self.keys:
            self._fault("other-log", "record 1 begins a log that another key signs", 1)

    def _fault(self, code: str, sentence: str, seq: int) -> None:
        number = self._told[code] = self._told.get(code, 0) + 1
        if number <= _MOST:
            self.faults.append(Fault(code, sentence, seq))
        elif number == _MOST + 1:
            self.faults.append(Fault(code, f"and so on: more than {_MOST} of this kind", seq))
