"""Holds exported spans, metrics and log events against the registries of `semconv` and `instruments`, and the GenAI conventions. Pure: what
was read in, problems out.

Only what is our own is judged: what has the scope `licet`, and any span that has a name of the namespace `licet.`. What other
instrumentation exports beside it is its own affair; of a framework's span that the guard has told of its call, only what is ours is judged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from licet.telemetry import conventions_logs, conventions_metrics, semconv
from licet.telemetry.conventions_records import record
from licet.telemetry.opted import lets_out
from licet.telemetry.reader import BadSpan, Item, ReadLog, ReadMetric, ReadSpan
from licet.telemetry.record import BadRecord, call_of
from licet.telemetry.rules import SCOPE, Problem, Told, once, right, sourced, text_of, texts
from licet.telemetry.ways import Ways

if TYPE_CHECKING:
    from licet.manifest import Manifest

INTERNAL, OK, ERROR = 1, 1, 2  # the numbers of OTLP
_NAMES = {semconv.EXECUTE_TOOL: semconv.TOOL_NAME, semconv.INVOKE_AGENT: semconv.AGENT_NAME}
_DENIALS = (semconv.POLICY_DENIED, semconv.APPROVAL_REQUIRED)
_CONTENTS = (semconv.TOOL_ARGUMENTS, semconv.TOOL_RESULT)
_UNDECLARED = "scope.unknown-tool"
_BEFORE_THAT = ("identity.", "guard.undecided")  # checks that may lead the reasons for a call of a tool that is not declared
_OF_MCP = ("mcp.", "jsonrpc.", "rpc.", "network.")
_WITH_A_PATH = ("origin.", "flow.")  # checks whose reasons say by which way a value came, or a label leaves
_NO_SESSIONS = "2026-07-28"  # the first version of MCP without sessions

_Place: TypeAlias = tuple[str, str]
"""Trace and span."""


def ours(item: Item) -> bool:
    """Whether the span, metric or log record is one of Licet's own, or a framework's span that says what Licet knows of it."""
    if isinstance(item, ReadMetric):
        return conventions_metrics.ours(item)
    if isinstance(item, ReadLog):
        return conventions_logs.ours(item)
    return isinstance(item, ReadSpan) and (item.scope == SCOPE or _annotated(item))


def check(
    items: Iterable[Item], *, opted_in: Collection[str] = (), manifest: Manifest | None = None, records: bool = True
) -> list[Problem]:
    """Every problem of what is our own: of spans, then of metrics, then of log events, each in their order.

    `opted_in`: the opt-in attributes that the operator asked for; `manifest`: he asked for what its `record:` lets out. `records`: False
    where somebody on the way cuts `licet.record`, or takes it away, on purpose. Give it all that belongs together: a span whose parent is
    missing, or whose parent is denied, is a problem, and so is a decision without its span where the rest of the trace is there.
    """
    everything = [item for item in items if not isinstance(item, BadSpan)]
    spans = [item for item in everything if isinstance(item, ReadSpan)]
    by_id = {(span.trace_id, span.span_id): span for span in spans}
    ways = _ways(by_id)
    seen = Counter((span.trace_id, span.span_id) for span in spans)
    rules: tuple[Callable[[ReadSpan], Told], ...] = (
        _form, _name, _attributes, lambda span: _required(span, opted_in, manifest), _links, _status, _decision, _approval,
        lambda span: _parents(span, by_id, ways), _mcp,
        lambda span: record(span, _side(span), own=not _annotated(span), needed=records),
        lambda span: iter(()) if _annotated(span) else sourced(span.resource),
        lambda span: texts(span.attributes, span.texts, span.resource, {"name": span.name}),
    )  # fmt: skip
    found: list[Problem] = []
    for span in spans:
        told = [_below_denied(span, by_id)]
        if ours(span):
            told += [rule(span) for rule in rules]
            if seen[span.trace_id, span.span_id] > 1:
                told.append(iter([("span.twice", "spanId", "another span has the same id")]))
        found += [Problem(span.place, "span", span.name, span.trace_id, span.span_id, *each) for rule in told for each in rule]
    found += conventions_metrics.check(item for item in everything if isinstance(item, ReadMetric))
    return found + conventions_logs.check((item for item in everything if isinstance(item, ReadLog)), by_id)


def _annotated(span: ReadSpan) -> bool:
    return span.scope != SCOPE and any(name.startswith("licet.") for name in span.attributes)


def _foreign(span: ReadSpan, name: str) -> bool:
    """Whether an attribute is a framework's own."""
    return _annotated(span) and not name.startswith("licet.")


def _form(span: ReadSpan) -> Told:
    """Kind, times, and no exception as an event of the span."""
    if _annotated(span):
        return
    if span.kind != INTERNAL:
        yield "span.kind", "kind", f"is {span.kind}, not {INTERNAL} (INTERNAL)"
    if not 0 < span.start <= span.end:
        yield "span.times", "endTimeUnixNano", "is before the start, or one of both is missing"
    if any(key.startswith("events") and text == "exception" for key, text in span.texts.items()):
        yield "span.event", "events", "hold an exception: the conventions have it as a log event, and it can carry contents"


def _name(span: ReadSpan) -> Told:
    """Operation and tool or agent; of a tool that the manifest does not know, `_OTHER`, as a model can invent names without end."""
    operation = _text(span, semconv.OPERATION_NAME)
    named_by = _NAMES.get(operation)
    if named_by is None or _annotated(span):
        return
    undeclared = _side(span) == "tool" and _is_undeclared(span)
    if undeclared is None:  # nothing says whether the manifest knows the tool: both are right
        undeclared = span.name == f"{operation} {semconv.OTHER}"
    wanted = f"{operation} {semconv.OTHER if undeclared else _text(span, named_by)}"
    if span.name != wanted:
        yield "span.name", "name", f"is not `{wanted[:100]}`"


def _is_undeclared(span: ReadSpan) -> bool | None:
    """Whether the manifest does not know the tool, by the reasons of the decision; None where they leave that open."""
    leading, judged = _text(span, semconv.DECISION_REASON), _text(span, semconv.DECISION_JUDGED)
    if leading == _UNDECLARED:
        return True
    if judged == "allow" or not leading.startswith(_BEFORE_THAT):
        return False
    try:
        checks = call_of(_text(span, semconv.RECORD)).call.decision.checks
    except BadRecord:
        return None
    # What the guard could not even take up was not held against the manifest.
    return _UNDECLARED in checks or (None if "guard.undecided" in checks else False)


def _attributes(span: ReadSpan) -> Told:
    """Each attribute is known, on the right span, of its type, and one of its values."""
    side = _side(span)
    yield from once(span.twice)
    for name, value in span.attributes.items():
        if _foreign(span, name):
            continue
        row = semconv.ATTRIBUTES.get(name)
        if row is None:
            yield "attribute.unknown", name, "is no attribute of the registry"
            continue
        if side and not getattr(row, side):
            yield "attribute.misplaced", name, f"does not belong on a span of `{_text(span, semconv.OPERATION_NAME)}`"
        yield from right(name, value)


def _links(span: ReadSpan) -> Told:
    """A link leads to another span, and its attributes are known."""
    if _annotated(span):
        return
    for number, link in enumerate(span.links):
        at = f"links[{number}]"
        if not link.trace_id or not link.span_id:
            yield "link.ids", at, "leads nowhere: one of its ids is none"
        elif (link.trace_id, link.span_id) == (span.trace_id, span.span_id):
            yield "link.itself", at, "leads to the span itself"
        for name, value in link.attributes.items():
            if name not in semconv.ATTRIBUTES:
                yield "link.attribute", f"{at}.{name}", "is no attribute of the registry"
            else:
                yield from right(name, value)
        yield from once(tuple(f"{at}.{name}" for name in link.twice))


def _required(span: ReadSpan, opted_in: Collection[str], manifest: Manifest | None) -> Told:
    side = _side(span)
    if not side:
        yield "span.operation", semconv.OPERATION_NAME, "is missing, or is neither `execute_tool` nor `invoke_agent`"
        return
    for name, row in semconv.ATTRIBUTES.items():
        level = getattr(row, side)
        if level == "required" and name not in span.attributes:
            yield "attribute.missing", name, "is missing"
        elif level == "opt-in" and name in span.attributes and name not in opted_in and not _foreign(span, name):
            if manifest and lets_out(manifest, span, name):
                continue
            what = "content" if name in _CONTENTS else "text"
            where = "by the manifest" if manifest else "as far as is known here: name the manifest (`-m`), or the attribute (`--opted-in`)"
            yield "attribute.content", name, f"is {what} that nobody opted in to {where}"


def _status(span: ReadSpan) -> Told:
    """ERROR exactly where `error.type` is, and unset otherwise: OK is for people to set, by hand."""
    if _annotated(span):  # its framework's affair
        return
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
        if _text(span, semconv.DECISION_REASON).startswith(_WITH_A_PATH) and not span.attributes.get(semconv.DECISION_PATH):
            yield "denied.unexplained", semconv.DECISION_PATH, "is missing, and the call was denied for where a value comes from or goes to"
        if _text(span, semconv.DECISION_JUDGED) in ("allow", "ask"):
            yield "decision.judged", semconv.DECISION_JUDGED, "is not `deny`, and the call was denied"
    elif error_type == semconv.POLICY_DENIED:
        yield "denied.outcome", semconv.DECISION_OUTCOME, "is not `deny`, and `error.type` says that the call was denied"
    if outcome == "allow" and _text(span, semconv.DECISION_JUDGED) != "allow" and _text(span, semconv.MODE) != "observe":
        yield "decision.mode", semconv.MODE, "is not `observe`, and the call ran against what was judged"
    if outcome == "allow" and _text(span, semconv.TASK_ID) and span.attributes.get(semconv.CALL_SEQ) == 0:
        yield "call.seq", semconv.CALL_SEQ, "is 0, and the call ran in a task, where calls are counted from 1"
    if semconv.TASK_ID not in span.attributes and _text(span, semconv.DECISION_JUDGED) == "allow":
        yield "task.missing", semconv.TASK_ID, "is missing, and the call was allowed"


def _ways(by_id: Mapping[_Place, ReadSpan]) -> Ways[_Place]:
    """The way up from a span to the next task's."""

    def above(place: _Place) -> _Place | None:
        parent = (place[0], by_id[place].parent_id)
        return parent if parent in by_id else None

    return Ways(above, lambda place: _side(by_id[place]) == "agent" and ours(by_id[place]))


def _parents(span: ReadSpan, by_id: Mapping[_Place, ReadSpan], ways: Ways[_Place]) -> Told:
    """A call's span stands under its own task's."""
    if _side(span) != "tool" or not (task := _text(span, semconv.TASK_ID)):
        return
    end = ways.end((span.trace_id, span.span_id))
    above = by_id[end] if end is not None else None
    if above is None:
        yield "task.parent", "parentSpanId", "leads round in a circle"
    elif _side(above) == "agent" and ours(above):
        if _text(above, semconv.TASK_ID) != task:
            yield "task.parent", semconv.TASK_ID, f"is not that of the `invoke_agent` span {above.span_id} above it"
    elif above.parent_id:
        yield "task.parent", "parentSpanId", f"leads to span {above.parent_id}, which is not here"
    else:
        yield "task.parent", "parentSpanId", "leads to no `invoke_agent` span of the call's task"


def _below_denied(span: ReadSpan, by_id: Mapping[tuple[str, str], ReadSpan]) -> Told:
    """What was refused did not run, so that nothing can have happened within it."""
    parent = by_id.get((span.trace_id, span.parent_id))
    if parent is not None and _side(parent) == "tool" and _text(parent, semconv.DECISION_OUTCOME) == "deny":
        yield "denied.child", "parentSpanId", f"is a call that was denied: {parent.span_id}"


def _approval(span: ReadSpan) -> Told:
    """Who answered and how long it took comes with the answer, and what was not approved did not run."""
    strays = [name for name in (semconv.APPROVAL_BY, semconv.APPROVAL_HOW, semconv.APPROVAL_WAITED) if name in span.attributes]
    answer = _text(span, semconv.APPROVAL_ANSWER)
    if strays and not answer:
        yield "approval.answer", semconv.APPROVAL_ANSWER, f"is missing, and `{strays[0]}` is there"
    if answer in ("refused", "unavailable") and _text(span, semconv.DECISION_OUTCOME) != "deny":
        yield "approval.outcome", semconv.DECISION_OUTCOME, f"is not `deny`, and the answer was `{answer}`"
    if answer == "approved" and not (_text(span, semconv.APPROVAL_BY) or _text(span, semconv.APPROVAL_HOW)):
        yield "approval.by", semconv.APPROVAL_BY, "is missing, and the call was approved"


def _mcp(span: ReadSpan) -> Told:
    """What only an MCP call has comes with the method's name, and an error's number with an error; a pipe has no address."""
    if _side(span) != "tool" or _annotated(span):
        return
    method = _text(span, semconv.MCP_METHOD)
    strays = [name for name in span.attributes if name.startswith(_OF_MCP) and name != semconv.MCP_METHOD]
    if strays and not method:
        yield "mcp.method", semconv.MCP_METHOD, f"is missing, and `{strays[0]}` is there"
    ran = _text(span, semconv.DECISION_OUTCOME) == "allow"
    # What failed may have failed before there was a request: the connection was closed, the caller was cancelled.
    if method and ran and span.status != ERROR and "jsonrpc.request.id" not in span.attributes:
        yield "mcp.request", "jsonrpc.request.id", "is missing from a request over MCP"
    if semconv.RPC_STATUS in span.attributes and span.status != ERROR:
        yield "mcp.status", semconv.RPC_STATUS, "is the number of an error, and the status is not ERROR"
    if semconv.RPC_STATUS in span.attributes and not ran:
        yield "mcp.answer", semconv.RPC_STATUS, "is a server's answer to a call that was not made"
    if "server.port" in span.attributes and "server.address" not in span.attributes:
        yield "mcp.address", "server.address", "is missing, and `server.port` is there"
    if _text(span, "network.transport") == "pipe":
        for name in ("server.address", "server.port", "network.protocol.name", "network.protocol.version"):
            if name in span.attributes:
                yield "mcp.pipe", name, "is there, and a pipe has none"
    if _text(span, "jsonrpc.protocol.version") == "2.0":
        yield "mcp.jsonrpc", "jsonrpc.protocol.version", "is 2.0, which goes without saying"
    if "mcp.session.id" in span.attributes and _text(span, "mcp.protocol.version") >= _NO_SESSIONS:
        yield "mcp.session", "mcp.session.id", f"is there, and MCP has no sessions since {_NO_SESSIONS}"


def _side(span: ReadSpan) -> str:
    """The column of the registry that the span is held against."""
    return {semconv.EXECUTE_TOOL: "tool", semconv.INVOKE_AGENT: "agent"}.get(_text(span, semconv.OPERATION_NAME), "")


def _text(span: ReadSpan, name: str) -> str:
    return text_of(span.attributes, name)
