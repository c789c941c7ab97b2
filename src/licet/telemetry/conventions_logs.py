"""Holds exported log events of our own against `instruments`, and against the spans that they belong to; see `conventions`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from licet.telemetry import instruments, semconv
from licet.telemetry.instruments import EVENTS
from licet.telemetry.read_logs import ReadLog
from licet.telemetry.rules import SCOPE, Problem, Told, belonging, once, sourced, text_of, texts

if TYPE_CHECKING:
    from licet.telemetry.reader import ReadSpan

_SHARED = (semconv.CALL_ID, semconv.TASK_ID, semconv.TXN, semconv.TOOL_NAME)  # what a decision and its span both say, from first to last
_CONTENTS = tuple(name for name, row in semconv.ATTRIBUTES.items() if "opt-in" in (row.agent, row.tool))


def ours(log: ReadLog) -> bool:
    """Whether the log record is one of Licet's own events."""
    return log.scope == SCOPE or log.event.startswith("licet.")


def check(logs: Iterable[ReadLog], spans: Mapping[tuple[str, str], ReadSpan]) -> list[Problem]:
    """Every problem of our own log events, in their order. `spans`, by their ids: an event of a trace that is here has its span here."""
    traces = {trace for trace, _ in spans}
    found: list[Problem] = []
    for log in filter(ours, logs):
        told = [_form(log), once(log.twice), _trace(log, spans, traces), sourced(log.resource)]
        told += [
            _attributes(log),
            _severity(log),
            _explained(log),
            texts(log.attributes, log.resource, {"name": log.event, "body": log.body}, cleaned=_cleaned(log)),
        ]
        found += [Problem(log.place, "event", log.event, log.trace_id, log.span_id, *each) for rule in told for each in rule]
    return found


def _cleaned(log: ReadLog) -> frozenset[str]:
    """A finding about an identity names operations (`secretsmanager:GetSecretValue`); see `Events.finding`."""
    monitored = log.event == instruments.FINDING and text_of(log.attributes, semconv.FINDING_CHECK).startswith("monitor.")
    return frozenset({"body", semconv.IDENTITY_ID}) if monitored else frozenset()


def _form(log: ReadLog) -> Told:
    if log.event not in EVENTS:
        yield "event.unknown", "eventName", "is no event of the registry" if log.event else "is missing"
    if not isinstance(log.body, str) or not log.body:
        yield "event.body", "body", "is no sentence"
    if log.time <= 0:
        yield "event.time", "timeUnixNano", "is missing"


def _attributes(log: ReadLog) -> Told:
    row = EVENTS.get(log.event)
    contents = [name for name in _CONTENTS if name in log.attributes]
    for name in contents:
        yield "attribute.content", name, "is content, which no log event has"
    if row is not None:
        yield from belonging(
            {name: value for name, value in log.attributes.items() if name not in contents}, row.attributes, f"`{log.event}`"
        )


def _severity(log: ReadLog) -> Told:
    """A warning of what was denied, or would have been; a finding's number by how severe it is."""
    wanted = instruments.INFO
    if log.event == instruments.DECISION:
        wanted = instruments.WARN if text_of(log.attributes, semconv.DECISION_JUDGED) == "deny" else instruments.INFO
    elif log.event == instruments.FINDING:
        wanted = instruments.FINDING_SEVERITIES.get(text_of(log.attributes, semconv.FINDING_SEVERITY), log.severity)
    if log.event in EVENTS and log.severity != wanted:
        yield "event.severity", "severityNumber", f"is {log.severity}, not {wanted}"


def _explained(log: ReadLog) -> Told:
    if log.event == instruments.DECISION and text_of(log.attributes, semconv.DECISION_OUTCOME) == "deny":
        for name in (semconv.DECISION_REASON, semconv.DECISION_SENTENCE):
            if not text_of(log.attributes, name):
                yield "denied.unexplained", name, "is missing, and the call was denied"


def _trace(log: ReadLog, spans: Mapping[tuple[str, str], ReadSpan], traces: set[str]) -> Told:
    """A decision is found from its span, and the other way round."""
    if bool(log.trace_id) != bool(log.span_id):
        yield "event.trace", "spanId", "and `traceId` come together"
        return
    if log.event != instruments.DECISION:
        return
    if not log.trace_id:
        yield "event.trace", "traceId", "is missing: a decision belongs to its call's span"
        return
    span = spans.get((log.trace_id, log.span_id))
    if span is None:
        if log.trace_id in traces:
            yield "event.trace", "spanId", f"leads to span {log.span_id}, which is not here, and its trace is"
        return
    for name in _SHARED:
        if log.attributes.get(name) != span.attributes.get(name):
            yield "event.trace", name, f"is not that of its span {log.span_id}"
