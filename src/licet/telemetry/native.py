"""A framework's own span of the tool call that the guard is judging: one call is one span, so that ours is then that one.

Several frameworks, and the instrumentation made for others, start a span for each tool call and make it the current one before the
guard is asked. It is told what we know, and stays the framework's: who started it ends it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Span

from licet.telemetry import semconv

_OURS = "licet."
_WHOSE = (  # (what says that it is a tool's span, and the name under which it has the tool's name)
    (semconv.OPERATION_NAME, semconv.EXECUTE_TOOL, semconv.TOOL_NAME),
    ("openinference.span.kind", "TOOL", "tool.name"),  # OpenInference
    ("traceloop.span.kind", "tool", "traceloop.entity.name"),  # OpenLLMetry
)


def native_tool_span(tool: str, trace_id: str = "") -> Span | None:
    """The current span, if it is a framework's for a call of `tool` and is being recorded.

    None if it is one of our own, or was told of a call before: a tool that calls another one has its span around both. `trace_id`, in
    hex: the trace of the task; a span of another trace would take the call away from its task. A tool of an MCP server that the manifest
    names `server:tool` is `tool` to the framework.
    """
    try:
        span = trace.get_current_span()
        attributes = getattr(span, "attributes", None)  # what the API's spans do not have, and the SDK's do
        if not span.is_recording() or not isinstance(attributes, Mapping):
            return None
        if trace_id and format(span.get_span_context().trace_id, "032x") != trace_id:
            return None
        return span if _is_of(attributes, tool) else None
    # A span is code of the application's provider, which may raise anything; telemetry never reaches into a call.
    except Exception:  # noqa: BLE001 - then it is nothing that we know
        return None


def added(span: Span, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What is to be set on a framework's span: all that is ours, and of the rest what it does not say already."""
    there: Mapping[str, Any] = getattr(span, "attributes", None) or {}
    return {name: value for name, value in attributes.items() if name.startswith(_OURS) or name not in there}


def _is_of(attributes: Mapping[str, Any], tool: str) -> bool:
    if any(name.startswith(_OURS) for name in attributes):
        return False
    names = {tool, tool.rpartition(":")[2]}
    for kind, value, named in _WHOSE:
        if attributes.get(kind) == value:
            # The two others may leave the name out; the conventions do not allow it.
            return attributes.get(named) in (names if named == semconv.TOOL_NAME else {*names, None})
    return False
