"""Holds the record of a span of our own against the attributes beside it; see `conventions`. Pure."""

from __future__ import annotations

from licet.records import CallRecord
from licet.telemetry import semconv
from licet.telemetry.reader import ReadSpan
from licet.telemetry.record import BadRecord, call_of, task_of
from licet.telemetry.rules import Told, right, text_of


def record(span: ReadSpan, side: str, *, own: bool, needed: bool) -> Told:
    """The record is there, is whole, is of this very task or call, and says what the span says.

    `own`: the span is ours, and no framework's, which may have ended it before the record was known; `needed`: nobody cuts or takes away
    records on purpose.
    """
    text = text_of(span.attributes, semconv.RECORD)
    if not text:
        if own and side and needed and semconv.RECORD not in span.attributes:
            yield "record.missing", semconv.RECORD, "is missing: graph and findings cannot be read back (wanted so? `--without-records`)"
        return
    if not side or len(text) > semconv.ATTRIBUTES[semconv.RECORD].cap:
        return
    try:
        if side == "tool":
            read = call_of(text)
            told = _of_call(span, read.call, whole=not read.cut)
        else:
            task = task_of(text).task
            told = _texts(span, {semconv.TASK_ID: task.id, semconv.TXN: task.root or task.id})
        yield from told
    except BadRecord as bad:
        if needed:
            yield "record.form", semconv.RECORD, f"cannot be read: {bad}"


def _of_call(span: ReadSpan, call: CallRecord, *, whole: bool) -> Told:
    others = list(_texts(span, {semconv.CALL_ID: call.id}))
    if others:
        yield from others
        return
    decision = call.decision
    yield from _texts(
        span, {semconv.TASK_ID: call.task_id, semconv.DECISION_OUTCOME: decision.outcome, semconv.DECISION_JUDGED: decision.judged}
    )
    found = decision.leading
    if whole:  # reasons are cut where there are too many for a record
        yield from _texts(span, {semconv.DECISION_REASON: found.check if found else ""})
    seq = span.attributes.get(semconv.CALL_SEQ)
    if type(seq) is int and seq >= 0 and seq != call.seq:
        yield "record.says", semconv.CALL_SEQ, f"is not {call.seq}, which the record says"
    if (call.status == "denied") != (decision.outcome == "deny") or (call.status == "asked") != (decision.outcome == "ask"):
        yield "record.status", semconv.RECORD, f"says `{call.status}` of a call whose outcome is `{decision.outcome}`"


def _texts(span: ReadSpan, told: dict[str, str]) -> Told:
    """What is missing, or no value of the attribute, is a problem of its own."""
    for name, value in told.items():
        given = span.attributes.get(name)
        if not given or given == value or any(True for _ in right(name, given)):
            continue
        if name in (semconv.CALL_ID, semconv.TASK_ID):
            yield "record.other", semconv.RECORD, f"is not that of `{name}`"
        else:
            yield "record.says", name, f"is `{given}`, and the record says {f'`{value}`' if value else 'nothing of it'}"
