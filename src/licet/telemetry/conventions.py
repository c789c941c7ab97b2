"""Holds exported spans against the registry of `semconv` and the GenAI conventions. Pure: spans in, problems out.

Only spans of our own are judged: those of the scope `licet`, and any that has a name of the namespace `licet.`. What other
instrumentation exports beside them is its own affair.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from licet.escape import visible
from licet.secretlike import secret_in
from licet.telemetry import semconv
from licet.telemetry.reader import ReadSpan, Value

INTERNAL, OK, ERROR = 1, 1, 2  # the numbers of OTLP
_NAMES = {semconv.EXECUTE_TOOL: semconv.TOOL_NAME, semconv.INVOKE_AGENT: semconv.AGENT_NAME}
_DENIALS = (semconv.POLICY_DENIED, semconv.APPROVAL_REQUIRED)
_CONTENTS = (semconv.TOOL_ARGUMENTS, semconv.TOOL_RESULT)
_PATTERNS = {name: re.compile(row.pattern) for name, row in semconv.ATTRIBUTES.items() if row.pattern}
_OF_MCP = ("mcp.", "jsonrpc.", "rpc.", "network.")
_LOOKED_AT = 2 * max(row.cap for row in semconv.ATTRIBUTES.values())  # a longer text is a problem already

Told = Iterator[tuple[str, str, str]]  # code, key, message


@dataclass(frozen=True, slots=True)
class SpanProblem:
    """One thing in which a span differs from the conventions. `key`: the attribute or field that it is about."""

    place: str
    span: str
    trace_id: str
    span_id: str
    code: str
    key: str
    message: str

    def __str__(self) -> str:
        return visible(f"{self.place}: span {self.span_id} `{self.span[:100]}`: `{self.key}` {self.message} [{self.code}]", 1_000)


def ours(span: ReadSpan) -> bool:
    """Whether the span is one of Licet's own."""
    return span.scope == "licet" or any(name.startswith("licet.") for name in span.attributes)


def check(spans: Iterable[ReadSpan], *, opted_in: Collection[str] = ()) -> list[SpanProblem]:
    """Every problem of our own spans, in their order. `opted_in`: the opt-in attributes that the operator asked for.

    Give it all spans that belong together: a span whose parent is missing, or whose parent is denied, is a problem.
    """
    everything = list(spans)
    by_id = {(span.trace_id, span.span_id): span for span in everything}
    seen = Counter((span.trace_id, span.span_id) for span in everything)
    rules: tuple[Callable[[ReadSpan], Told], ...] = (
        _form, _attributes, lambda span: _required(span, opted_in), _status, _decision, lambda span: _parents(span, by_id),
        _mcp, _resource, _secrets,
    )  # fmt: skip
    found: list[SpanProblem] = []
    for span in everything:
        told = [_below_denied(span, by_id)]
        if ours(span):
            told += [rule(span) for rule in rules]
            if seen[span.trace_id, span.span_id] > 1:
                told.append(iter([("span.twice", "spanId", "another span has the same id")]))
        found += [SpanProblem(span.place, span.name, span.trace_id, span.span_id, *each) for rule in told for each in rule]
    return found


def _form(span: ReadSpan) -> Told:
    """Name, kind, times, and no exception as an event of the span."""
    operation = _text(span, semconv.OPERATION_NAME)
    named_by = _NAMES.get(operation)
    if named_by is not None and span.name != (wanted := f"{operation} {_text(span, named_by)}"):
        yield "span.name", "name", f"is not `{wanted[:100]}`"
    if span.kind != INTERNAL:
        yield "span.kind", "kind", f"is {span.kind}, not {INTERNAL} (INTERNAL)"
    if not 0 < span.start <= span.end:
        yield "span.times", "endTimeUnixNano", "is before the start, or one of both is missing"
    if any(key.startswith("events") and text == "exception" for key, text in span.texts.items()):
        yield "span.event", "events", "hold an exception: the conventions have it as a log event, and it can carry contents"


def _attributes(span: ReadSpan) -> Told:
    """Each attribute is known, on the right span, of its type, and one of its values."""
    side = _side(span)
    for key in span.twice:
        yield "attribute.twice", key, "is there twice"
    for name, value in span.attributes.items():
        row = semconv.ATTRIBUTES.get(name)
        if row is None:
            yield "attribute.unknown", name, "is no attribute of the registry"
            continue
        if side and not getattr(row, side):
            yield "attribute.misplaced", name, f"does not belong on a span of `{_text(span, semconv.OPERATION_NAME)}`"
        if not _is(value, row.type):
            yield "attribute.type", name, f"is not of type {row.type}"
        elif value == "":
            yield "attribute.empty", name, "is empty: leave it out"
        elif isinstance(value, str) and (row.values and value not in row.values):
            yield "attribute.value", name, f"is none of {', '.join(sorted(row.values)[:6])}{', …' if len(row.values) > 6 else ''}"
        elif isinstance(value, str) and name in _PATTERNS and not _PATTERNS[name].fullmatch(value):
            yield "attribute.value", name, f"does not match {row.pattern}"
        elif isinstance(value, (int, float)) and value < 0:
            yield "attribute.value", name, "is below zero"
    for name, value in (*span.attributes.items(), *span.texts.items(), ("name", span.name)):
        entries = value if isinstance(value, list) else [value]
        cap = semconv.ATTRIBUTES[name].cap if name in semconv.ATTRIBUTES else semconv.LONGEST
        if len(entries) > cap or any(isinstance(entry, str) and len(entry) > cap for entry in entries):
            yield "attribute.long", name, f"is longer than {cap} characters or entries"


def _required(span: ReadSpan, opted_in: Collection[str]) -> Told:
    side = _side(span)
    if not side:
        yield "span.operation", semconv.OPERATION_NAME, "is missing, or is neither `execute_tool` nor `invoke_agent`"
        return
    for name, row in semconv.ATTRIBUTES.items():
        level = getattr(row, side)
        if level == "required" and name not in span.attributes:
            yield "attribute.missing", name, "is missing"
        elif level == "opt-in" and name in span.attributes and name not in opted_in:
            what = "content" if name in _CONTENTS else "text"
            yield "attribute.content", name, f"is {what} that nobody opted in to"


def _status(span: ReadSpan) -> Told:
    """ERROR exactly where `error.type` is, and unset otherwise: OK is for people to set, by hand."""
    if span.status == OK:
        yield "status.ok", "status.code", "is OK: a success leaves it unset"
    elif span.status not in (0, ERROR):
        yield "status.value", "status.code", f"is {span.status}, which OTLP does not know"
    if (span.status == ERROR) != (semconv.ERROR_TYPE in span.attributes):
        there = "is missing, and the status is ERROR" if span.status == ERROR else "is there, and the status is not ERROR"
        yield "status.error-type", semconv.ERROR_TYPE, there


def _decision(span: ReadSpan) -> Told:
    """A refused call says that, by which check, and in words."""
    if _side(span) != "tool":
        return
    outcome, error_type = _text(span, semconv.DECISION_OUTCOME), _text(span, semconv.ERROR_TYPE)
    if outcome == "deny":
        if span.status != ERROR:
            yield "denied.status", "status.code", "is not ERROR, and the call was denied"
        if error_type not in _DENIALS:
            yield "denied.error-type", semconv.ERROR_TYPE, f"of a denial is one of {', '.join(_DENIALS)}"
        for name in (semconv.DECISION_REASON, semconv.DECISION_SENTENCE):
            if not _text(span, name):
                yield "denied.unexplained", name, "is missing, and the call was denied"
    elif error_type == semconv.POLICY_DENIED:
        yield "denied.outcome", semconv.DECISION_OUTCOME, "is not `deny`, and `error.type` says that the call was denied"
    if outcome == "allow" and _text(span, semconv.DECISION_JUDGED) != "allow" and _text(span, semconv.MODE) != "observe":
        yield "decision.mode", semconv.MODE, "is not `observe`, and the call ran against what was judged"
    if semconv.TASK_ID not in span.attributes and _text(span, semconv.DECISION_JUDGED) == "allow":
        yield "task.missing", semconv.TASK_ID, "is missing, and the call was allowed"


def _parents(span: ReadSpan, by_id: Mapping[tuple[str, str], ReadSpan]) -> Told:
    """A call's span stands under its own task's."""
    if _side(span) != "tool" or not (task := _text(span, semconv.TASK_ID)):
        return
    above = span
    for _ in range(len(by_id)):  # spans that are each other's parents end here
        if not above.parent_id:
            yield "task.parent", "parentSpanId", "leads to no `invoke_agent` span of the call's task"
            return
        parent = by_id.get((above.trace_id, above.parent_id))
        if parent is None:
            yield "task.parent", "parentSpanId", f"leads to span {above.parent_id}, which is not here"
            return
        above = parent
        if _side(above) == "agent" and ours(above):
            if _text(above, semconv.TASK_ID) != task:
                yield "task.parent", semconv.TASK_ID, f"is not that of the `invoke_agent` span {above.span_id} above it"
            return
    yield "task.parent", "parentSpanId", "leads round in a circle"


def _below_denied(span: ReadSpan, by_id: Mapping[tuple[str, str], ReadSpan]) -> Told:
    """What was refused did not run, so that nothing can have happened within it."""
    parent = by_id.get((span.trace_id, span.parent_id))
    if parent is not None and _side(parent) == "tool" and _text(parent, semconv.DECISION_OUTCOME) == "deny":
        yield "denied.child", "parentSpanId", f"is a call that was denied: {parent.span_id}"


def _mcp(span: ReadSpan) -> Told:
    """What only an MCP call has comes with the method's name, and an error's number with an error."""
    method = _text(span, semconv.MCP_METHOD)
    strays = [name for name in span.attributes if name.startswith(_OF_MCP) and name != semconv.MCP_METHOD]
    if strays and not method:
        yield "mcp.method", semconv.MCP_METHOD, f"is missing, and `{strays[0]}` is there"
    if method and _side(span) == "tool" and _text(span, semconv.DECISION_OUTCOME) != "deny" and "jsonrpc.request.id" not in span.attributes:
        yield "mcp.request", "jsonrpc.request.id", "is missing from a request over MCP"
    if semconv.RPC_STATUS in span.attributes and span.status != ERROR:
        yield "mcp.status", semconv.RPC_STATUS, "is the number of an error, and the status is not ERROR"
    if "server.port" in span.attributes and "server.address" not in span.attributes:
        yield "mcp.address", "server.address", "is missing, and `server.port` is there"


def _resource(span: ReadSpan) -> Told:
    for name in semconv.RESOURCE:
        if not isinstance(value := span.resource.get(name), str) or not value:
            yield "resource.missing", name, "is missing from the resource"


def _secrets(span: ReadSpan) -> Told:
    """Looks at every text; the message does not quote what it found."""
    for name, value in (*span.attributes.items(), *span.texts.items(), *span.resource.items(), ("name", span.name)):
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if what := secret_in(text[:_LOOKED_AT]):
            yield "attribute.secret", name, f"holds what looks like {what}"


def _side(span: ReadSpan) -> str:
    """The column of the registry that the span is held against."""
    return {semconv.EXECUTE_TOOL: "tool", semconv.INVOKE_AGENT: "agent"}.get(_text(span, semconv.OPERATION_NAME), "")


def _text(span: ReadSpan, name: str) -> str:
    value = span.attributes.get(name)
    return value if isinstance(value, str) else ""


def _is(value: Value, kind: str) -> bool:
    if kind == "string[]":
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    if kind == "double":
        return isinstance(value, float)
    if kind == "int":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, str)
