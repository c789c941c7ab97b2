"""The spans of a story as OTLP's JSON, from what the embedded store keeps of them: ids, names, times, attributes, status.

What only the exporter had is not here: a span's parent, its events, and the record for reading back. The agent's own words, which the store
keeps and no span has, are not here either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from licet.records import CallRecord, TaskRecord
from licet.report.story import Story
from licet.telemetry import semconv
from licet.version import VERSION

LEFT_OUT = "the store keeps ids, names, times and attributes of spans; parents, links and events are where the spans were exported to"
_STATUS = {"done": 1, "failed": 2, "denied": 2}  # OK, ERROR (opentelemetry.proto.trace.v1.Status); the others are unset


def otlp(story: Story) -> dict[str, Any]:
    """One `resourceSpans`: a line of what the Collector's file exporter writes, as an object."""
    resource = {"attributes": _attributes({"service.name": "licet"})}
    return {
        "resourceSpans": [
            {"resource": resource, "scopeSpans": [{"scope": {"name": "licet", "version": VERSION}, "spans": [*_spans(story)]}]}
        ]
    }


def _spans(story: Story) -> Iterator[dict[str, Any]]:
    for task in story.tasks:
        if task.span_id:
            yield _of_task(task)
        yield from (_of_call(call) for call in story.calls.get(task.id, ()) if call.span_id)


def _of_task(task: TaskRecord) -> dict[str, Any]:
    attributes = {
        semconv.OPERATION_NAME: semconv.INVOKE_AGENT, semconv.AGENT_NAME: task.agent, semconv.TASK_ID: task.id,
        semconv.TASK_KIND: task.kind, semconv.TXN: task.root, semconv.POLICY_VERSION: task.manifest_digest,
    }  # fmt: skip
    return _span(f"{semconv.INVOKE_AGENT} {task.agent}", task, task.started, task.ended, attributes)


def _of_call(call: CallRecord) -> dict[str, Any]:
    attributes = {name: value for name, value in call.attributes.items() if name not in (semconv.CALL_REASON, semconv.RECORD)}
    span = _span(f"{semconv.EXECUTE_TOOL} {call.tool}", call, call.started, call.ended, attributes)
    return span | ({"status": {"code": _STATUS[call.status]}} if call.status in _STATUS else {})


def _span(name: str, of: TaskRecord | CallRecord, started: float, ended: float | None, attributes: Mapping[str, Any]) -> dict[str, Any]:
    times = {"startTimeUnixNano": _nanoseconds(started)} | ({} if ended is None else {"endTimeUnixNano": _nanoseconds(ended)})
    return {"traceId": of.trace_id, "spanId": of.span_id, "name": name, "kind": 1, **times, "attributes": _attributes(attributes)}


def _nanoseconds(seconds: float) -> str:
    return str(round(seconds * 1_000_000) * 1_000)


def _attributes(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in given.items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, (list, tuple)):
        return {"arrayValue": {"values": [_value(item) for item in value]}}
    return {"stringValue": str(value)}
