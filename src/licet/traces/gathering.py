"""Spans become tasks, calls and findings: each once, the later state of each, and every contradiction named. Pure: nothing is read here."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from licet.escape import visible
from licet.records import CallRecord, Finding, TaskRecord
from licet.telemetry import conventions, semconv
from licet.telemetry.otlp import BadSpan
from licet.telemetry.reader import ReadSpan
from licet.telemetry.record import BadRecord, ReadCall, ReadTask, call_of, task_of
from licet.telemetry.rules import SCOPE
from licet.telemetry.ways import Ways
from licet.traces import readable
from licet.traces.states import Told, both, identity

MAX_DEPTH = 100  # of tasks below each other
SHOWN = 20  # problems that are kept in full
_KINDS = 20  # kinds of foreign spans that are told apart
_NAME = 60  # characters of one
MADE = "its own span is not here"
"""Where a task says by what it ended: it was made from its calls, as its own span never arrived."""


@dataclass
class Gathered:
    """What came of the spans so far."""

    calls: dict[str, CallRecord] = field(default_factory=dict)
    tasks: dict[str, TaskRecord] = field(default_factory=dict)
    findings: dict[str, Finding] = field(default_factory=dict)
    spans: int = 0  # of ours
    twice: int = 0
    unrecorded: int = 0  # of ours whose record was missing, masked or cut, so that attributes had to do
    cut: int = 0  # value flows and findings that a record had no room for
    foreign: Counter[str] = field(default_factory=Counter)
    problems: list[BadSpan] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)  # of problems, by name


class Gathering:
    """Takes spans in any order, from any number of sources."""

    def __init__(self) -> None:
        self.found = Gathered()
        self._seen: dict[bytes, bytes] = {}  # by span, what it said
        self._told: dict[str, Told] = {}  # by call
        self._last: dict[str, int] = {}  # by task, when the span ended whose state counts
        self._recorded: set[str] = set()  # tasks that a record has told of
        self._around: dict[str, TaskRecord] = {}  # by task, what its calls tell of it
        self._task_at: dict[tuple[str, str], str] = {}  # by span, the task whose span it is
        self._above: dict[tuple[str, str], str] = {}  # by span, its parent, of ours only
        self._unplaced: list[tuple[str, str, str]] = []  # tasks whose parent the record does not say, and where their span hangs

    def add(self, items: Iterable[ReadSpan | BadSpan]) -> None:
        """More spans, and what was none."""
        for item in items:
            if isinstance(item, BadSpan):
                self._wrong("unreadable", item)
            elif not conventions.ours(item):
                self._foreign(item)
            elif self._first_time(item):
                self._take(item)

    def done(self) -> Gathered:
        """Everything, with a task for every call that names one."""
        found = self.found
        ways = Ways(self._span_above, self._task_at.__contains__)
        for task_id, trace_id, parent in self._unplaced:
            if parent and (above := self._task_at.get(ways.end((trace_id, parent)) or ("", ""), task_id)) != task_id:
                found.tasks[task_id] = replace(found.tasks[task_id], parent=above)
        for call in found.calls.values():
            if call.task_id and call.task_id not in found.tasks:
                found.tasks[call.task_id] = self._around[call.task_id]
        self._break_circles()
        return found

    def same_number(self, call: CallRecord, other: str) -> None:
        """Two calls of one task have one number: the second is left out."""
        why = f"call {call.id} has the number {call.seq} of call {other}; it is left out"
        self._wrong("contradiction", BadSpan(f"task {call.task_id}", semconv.CALL_SEQ, why))

    def _wrong(self, name: str, problem: BadSpan) -> None:
        self.found.counts[name] += 1
        if len(self.found.problems) < SHOWN:
            self.found.problems.append(problem)

    def _contradiction(self, span: ReadSpan, key: str, why: str) -> None:
        self._wrong("contradiction", BadSpan(span.place, key, f"span {span.span_id}: {why}"))

    def _foreign(self, span: ReadSpan) -> None:
        name = visible(span.scope or "no scope", _NAME)
        self.found.foreign[name if name in self.found.foreign or len(self.found.foreign) < _KINDS else "others"] += 1

    def _first_time(self, span: ReadSpan) -> bool:
        """Whether the span is new. What is delivered at least once can come twice, and by two ways with other roundings."""
        self.found.spans += 1
        key = bytes.fromhex(span.trace_id + span.span_id)
        record = span.attributes.get(semconv.RECORD) or sorted((name, repr(value)) for name, value in span.attributes.items())
        content = hashlib.sha256(repr((span.name, span.status, record)).encode("utf-8", "backslashreplace")).digest()
        before = self._seen.setdefault(key, content)
        if before is content:
            return True
        self.found.twice += 1
        if before != content:
            self._contradiction(span, "spanId", "another span has the same id and says something else; a denial counts, else the first")
        known = self.found.calls.get(readable.id_of(span, semconv.CALL_ID))
        denied = known is not None and known.decision.outcome == "deny"
        return before != content and span.attributes.get(semconv.DECISION_OUTCOME) == "deny" and not denied

    def _take(self, span: ReadSpan) -> None:
        self._above[span.trace_id, span.span_id] = span.parent_id
        operation = span.attributes.get(semconv.OPERATION_NAME)
        if operation == semconv.EXECUTE_TOOL:
            read: ReadCall | ReadTask | None = self._call(span)
        elif operation == semconv.INVOKE_AGENT:
            read = self._task(span)
        else:
            self._wrong("unknown", BadSpan(span.place, semconv.OPERATION_NAME, f"span {span.span_id}: neither a call nor a task"))
            return
        if read is not None:
            self.found.cut += read.cut
            for finding in read.findings:
                if self.found.findings.setdefault(finding.id, finding) != finding:
                    self._contradiction(span, semconv.RECORD, f"finding {finding.id} says something else elsewhere; the first counts")

    def _record(self, span: ReadSpan) -> str:
        record = span.attributes.get(semconv.RECORD)
        return record if isinstance(record, str) else ""

    def _unrecorded(self, span: ReadSpan, bad: BadRecord | None) -> None:
        self.found.unrecorded += 1
        if bad is not None:
            key = f"{semconv.RECORD}.{bad.key}" if bad.key else semconv.RECORD
            self._wrong("record", BadSpan(span.place, key, f"span {span.span_id}: {bad.why}; its other attributes are read instead"))

    # Calls ----------------------------------------------------------------------------------------------------------------

    def _call(self, span: ReadSpan) -> ReadCall | None:
        read, record = None, self._record(span)
        try:
            read = call_of(record, trace_id=span.trace_id, span_id=span.span_id) if record else None
            if read is None:
                self._unrecorded(span, None)
        except BadRecord as bad:
            self._unrecorded(span, bad)
        call = read.call if read is not None else readable.call_from(span)
        if not self._agrees(
            span, {semconv.CALL_ID: call.id, semconv.TASK_ID: call.task_id, semconv.DECISION_OUTCOME: call.decision.outcome}
        ):
            return None
        guessed = read is None and span.scope != SCOPE
        return read if self._keep_call(span, replace(call, attributes=readable.attributes_of(span)), guessed=guessed) else None

    def _keep_call(self, span: ReadSpan, call: CallRecord, *, guessed: bool) -> bool:
        """Whether what the span tells is of a call that is kept."""
        told = Told(call, span.end, guessed)
        before = self._told.get(call.id)
        if before is not None:
            told, why = both(before, told)
            if why and (before.call.trace_id, before.call.span_id) != (call.trace_id, call.span_id):  # else it is named already
                self._contradiction(span, semconv.CALL_ID, why)
            if identity(told.call) != identity(call):
                return False
        self._told[call.id] = told
        self.found.calls[call.id] = told.call
        if call.task_id:
            around = readable.task_around(span, note=MADE)
            known = self._around.get(call.task_id, around)
            self._around[call.task_id] = replace(known, id=call.task_id, started=min(known.started, call.started))
        return True

    # Tasks ----------------------------------------------------------------------------------------------------------------

    def _task(self, span: ReadSpan) -> ReadTask | None:
        read, record = None, self._record(span)
        try:
            read = task_of(record, trace_id=span.trace_id, span_id=span.span_id) if record else None
            if read is None:
                self._unrecorded(span, None)
        except BadRecord as bad:
            self._unrecorded(span, bad)
        task = read.task if read is not None else readable.task_from(span)
        if not task.id:
            self._wrong("unknown", BadSpan(span.place, semconv.TASK_ID, f"span {span.span_id}: is missing, or is no id"))
            return None
        if not self._agrees(span, {semconv.TASK_ID: task.id, semconv.TXN: task.root}):
            return None
        before, recorded = self.found.tasks.get(task.id), read is not None and task.id in self._recorded
        if before is not None and _identity(before, recorded=recorded) != _identity(task, recorded=recorded):
            self._contradiction(span, semconv.TASK_ID, f"task {task.id} is another task elsewhere; the first counts")
            return None
        if recorded and before is not None and None not in (before.ended, task.ended) and before.ended != task.ended:
            self._contradiction(span, semconv.TASK_ID, f"task {task.id} ends at another time elsewhere, and ends once; the first counts")
            return None
        self._task_at[span.trace_id, span.span_id] = task.id
        if read is None and task.root != task.id:
            self._unplaced.append((task.id, span.trace_id, span.parent_id))
        # Nothing comes after the end that a record tells; of two spans without it the later one counts.
        done = recorded and before is not None and (before.ended is None) != (task.ended is None)
        if before is None or (task.ended is not None if done else span.end >= self._last[task.id]):
            who, words = readable.said(span, semconv.PRINCIPAL_ID), readable.said(span, semconv.INTENT_TEXT)  # if let out
            self.found.tasks[task.id] = replace(task, principal=task.principal or who, intent=words)
            self._last[task.id] = span.end
        if read is not None:
            self._recorded.add(task.id)
        return read

    def _agrees(self, span: ReadSpan, told: dict[str, str]) -> bool:
        """Whether the record says what the attributes beside it say; one that was masked says nothing."""
        for name, value in told.items():
            row, given = semconv.ATTRIBUTES[name], span.attributes.get(name)
            known = isinstance(given, str) and (given in row.values or bool(row.pattern and readable.id_of(span, name)))
            if known and value and given != value:
                self._contradiction(span, name, f"is {given}, and its record says {visible(value, 40)}; the span is left out")
                return False
        return True

    def _span_above(self, place: tuple[str, str]) -> tuple[str, str] | None:
        parent = self._above.get(place, "")
        return (place[0], parent) if parent else None

    def _break_circles(self) -> None:
        """What walks up from task to task must come to an end, and soon: a task that is too deep, or below itself, is below none."""
        tasks = self.found.tasks
        for task_id in tasks:
            line, above = {task_id}, tasks[task_id].parent
            while above in tasks and above not in line and len(line) <= MAX_DEPTH:
                line.add(above)
                above = tasks[above].parent
            if above in tasks:
                why = "is below itself" if above in line else f"is below more than {MAX_DEPTH} others"
                tasks[task_id] = replace(tasks[task_id], parent=None)
                self._wrong("contradiction", BadSpan("all sources", semconv.TASK_ID, f"task {task_id} {why}; it is shown as below none"))


def _identity(task: TaskRecord, *, recorded: bool) -> tuple[object, ...]:
    """What is the same in all spans of one task. `recorded`: by two records, which hold more than the attributes."""
    own = (task.kind, task.agent, task.root)
    if not recorded:
        return own
    return (*own, task.parent, task.manifest_digest, task.owner, task.principal, task.principal_is, task.agent_is, task.started, task.ttl)
