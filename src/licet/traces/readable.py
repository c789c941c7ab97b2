"""What a span of ours tells without its record: by the attributes that people read. Less, and never more than it says."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from licet.canonical import recordable
from licet.catalogue import CHECKS
from licet.records import CallRecord, CallStatus, Decision, Effect, Outcome, Reason, Standing, TaskRecord
from licet.telemetry import semconv
from licet.telemetry.reader import ReadSpan

_HEX = re.compile(r"[0-9a-f]{32}")
_LAST = 253_402_300_799.0
_MOST = 2_000  # characters of one text
_CONTENTS = (semconv.TOOL_ARGUMENTS, semconv.TOOL_RESULT, semconv.RECORD)

T = TypeVar("T")


def call_from(span: ReadSpan) -> CallRecord:
    """The call of an `execute_tool` span. Without its record nobody knows which values flowed into it."""
    outcome: Outcome = _one_of(said(span, semconv.DECISION_OUTCOME), get_args(Outcome), "deny")
    judged: Outcome = _one_of(said(span, semconv.DECISION_JUDGED), get_args(Outcome), outcome)
    error = said(span, semconv.ERROR_TYPE)
    status: CallStatus = "denied" if outcome == "deny" else "asked" if outcome == "ask" else "failed" if error else "done"
    return CallRecord(
        id_of(span, semconv.CALL_ID) or hashlib.sha256(f"{span.trace_id}{span.span_id}".encode()).hexdigest()[:32],
        id_of(span, semconv.TASK_ID), number_of(span, semconv.CALL_SEQ), said(span, semconv.TOOL_NAME), said(span, semconv.TOOL_CALL_ID),
        "", status, Decision(outcome, _reasons(span, judged), judged), said(span, semconv.ARGS_DIGEST), seconds(span.start),
        seconds(span.end), said(span, semconv.RESULT_DIGEST), "" if status in ("denied", "asked") else error,
        said(span, semconv.TOKEN_JTI), span.trace_id, span.span_id,
    )  # fmt: skip


def _reasons(span: ReadSpan, judged: Outcome) -> tuple[Reason, ...]:
    check = said(span, semconv.DECISION_REASON)
    if check not in CHECKS:
        return ()
    effect: Effect = judged if judged in ("deny", "ask") else "flag"
    path = span.attributes.get(semconv.DECISION_PATH)
    places = tuple(recordable(each, _MOST) for each in path) if isinstance(path, list) else ()
    observed = said(span, semconv.MODE) == "observe"
    return (Reason(check, effect, said(span, semconv.DECISION_SENTENCE), places, CHECKS[check].references, observed),)


def task_from(span: ReadSpan) -> TaskRecord:
    """The task of an `invoke_agent` span, over when the span is. What it was started from is for others to find."""
    begun, ended = seconds(span.start), seconds(span.end)
    return TaskRecord(
        id_of(span, semconv.TASK_ID), said(span, semconv.TASK_KIND), said(span, semconv.AGENT_NAME), said(span, semconv.PRINCIPAL_ID), "",
        said(span, semconv.POLICY_VERSION), begun, max(0.0, ended - begun), root=id_of(span, semconv.TXN), ended=ended,
        trace_id=span.trace_id, span_id=span.span_id, **standings(span),
    )  # fmt: skip


def task_around(span: ReadSpan, *, note: str) -> TaskRecord:
    """As much of a task as the span of one of its calls tells. `note` stands where it says by what the task ended."""
    agent = said(span, semconv.ACTOR_ID) or said(span, semconv.AGENT_NAME)
    return TaskRecord(
        id_of(span, semconv.TASK_ID), said(span, semconv.TASK_KIND), agent, said(span, semconv.PRINCIPAL_ID), "",
        said(span, semconv.POLICY_VERSION), seconds(span.start), 0.0, root=id_of(span, semconv.TXN) or id_of(span, semconv.TASK_ID),
        ended_by=note, trace_id=span.trace_id, **standings(span),
    )  # fmt: skip


def standings(span: ReadSpan) -> dict[str, Any]:
    """How good the names are; a claim, where the span does not say."""
    return {
        "principal_is": _one_of(said(span, semconv.PRINCIPAL_STANDING), get_args(Standing), "asserted"),
        "agent_is": _one_of(said(span, semconv.ACTOR_STANDING), get_args(Standing), "asserted"),
    }


def attributes_of(span: ReadSpan) -> Mapping[str, Any]:
    """What the store keeps of the span: what the registry knows, without contents."""
    return {name: value for name, value in span.attributes.items() if name in semconv.ATTRIBUTES and name not in _CONTENTS}


def said(span: ReadSpan, name: str) -> str:
    """A text; empty where there is none."""
    value = span.attributes.get(name)
    return recordable(value, _MOST) if isinstance(value, str) else ""


def id_of(span: ReadSpan, name: str) -> str:
    """One of our ids; empty where there is none, or it was masked."""
    value = span.attributes.get(name)
    return value if isinstance(value, str) and _HEX.fullmatch(value) else ""


def number_of(span: ReadSpan, name: str) -> int:
    """A whole number that can be counted with; 0 where there is none."""
    value = span.attributes.get(name)
    return value if type(value) is int and 0 <= value < 2**31 else 0


def seconds(nanoseconds: int) -> float:
    """A span's time as ours."""
    return min(max(nanoseconds / 1e9, 0.0), _LAST)


def _one_of(given: str, words: tuple[T, ...], otherwise: T) -> T:
    return next((word for word in words if word == given), otherwise)
