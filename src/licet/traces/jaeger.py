"""Jaeger's own JSON of a trace, as its page exports it and `/api/traces` answers: spans with tags, and processes beside them.

Jaeger writes a list as its JSON text, and kind, status and scope as tags; the registry of `semconv` says what was a list.
https://github.com/jaegertracing/jaeger/blob/v1.76.0/internal/uimodel/model.go
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from licet.telemetry import semconv
from licet.telemetry.otlp import BadSpan, Value, WrongError, listed, number, object_of, text
from licet.telemetry.reader import ReadLink, ReadSpan

_ID = re.compile(r"[0-9a-fA-F]{1,32}", re.ASCII)
_KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
_STATUSES = {"OK": 1, "ERROR": 2}
_SCOPES = ("otel.scope.name", "otel.library.name")
_NOT_OURS = frozenset(
    {*_SCOPES, "otel.scope.version", "otel.library.version", "span.kind", "otel.status_code", "otel.status_description", "error",
     "internal.span.format"}
)  # fmt: skip


def is_export(data: Any) -> bool:
    """Whether an object has the shape of Jaeger's export: `data`, a list of traces."""
    listed = data.get("data") if isinstance(data, dict) else None
    return isinstance(listed, list) and all(isinstance(trace, dict) and "spans" in trace for trace in listed[:1])


def spans_of_export(data: dict[str, Any], place: str) -> Iterator[ReadSpan | BadSpan]:
    """The spans of an export."""
    for at, trace in listed(data, "data", "", place):
        if isinstance(trace, BadSpan):
            yield trace
            continue
        try:
            processes = object_of(trace, "processes", at)
        except WrongError as wrong:
            yield BadSpan(place, wrong.key, wrong.why)
            continue
        for span_at, span in listed(trace, "spans", at, place):
            if isinstance(span, BadSpan):
                yield span
                continue
            try:
                yield _span(span, span_at, place, processes)
            except WrongError as wrong:
                yield BadSpan(place, wrong.key, wrong.why)


def _span(span: dict[str, Any], at: str, place: str, processes: dict[str, Any]) -> ReadSpan:
    trace_id, span_id = _id(span, "traceID", at, 32), _id(span, "spanID", at, 16)
    parent, links = _above(span, at, trace_id)
    tags, twice = _tags(span, "tags", at)
    process = object_of(processes, text(span, "processID", at), f"{at}.processID") or object_of(span, "process", at)
    resource = {"service.name": text(process, "serviceName", f"{at}.process")} | _tags(process, "tags", f"{at}.process")[0]
    start = 1_000 * number(span, "startTime", at)
    status = _STATUSES.get(str(tags.get("otel.status_code", "")), 2 if tags.get("error") is True else 0)
    scope = next((str(tags[name]) for name in _SCOPES if name in tags), "")
    texts = {"status.message": str(tags.get("otel.status_description", ""))}
    for where, log in listed(span, "logs", at, place):
        if isinstance(log, BadSpan):
            raise WrongError(log.key, log.why)
        for key, value in _tags(log, "fields", where)[0].items():
            texts[f"{where.removeprefix(at + '.')}.{key}"] = value if isinstance(value, str) else json.dumps(value)
    return ReadSpan(
        place, trace_id, span_id, parent, text(span, "operationName", at), _KINDS.get(str(tags.get("span.kind", "")), 0), status, start,
        start + 1_000 * number(span, "duration", at), {key: value for key, value in tags.items() if key not in _NOT_OURS},
        resource, scope, {key: said for key, said in texts.items() if said}, twice, links,
    )  # fmt: skip


def _id(owner: dict[str, Any], key: str, at: str, digits: int) -> str:
    """An id in hex; older Jaegers leave leading zeros out."""
    found = text(owner, key, at).lower()
    if not _ID.fullmatch(found) or len(found) > digits or not found.strip("0"):
        raise WrongError(f"{at}.{key}", "is not an id in hex")
    return found.zfill(digits)


def _above(span: dict[str, Any], at: str, trace_id: str) -> tuple[str, tuple[ReadLink, ...]]:
    """The parent, which is the first reference of this kind within the trace, and what else is referred to."""
    parent, links = text(span, "parentSpanID", at).lower().zfill(16), []
    parent = parent if _ID.fullmatch(parent) and len(parent) == 16 and parent.strip("0") else ""
    for where, reference in listed(span, "references", at, ""):
        if isinstance(reference, BadSpan):
            raise WrongError(reference.key, reference.why)
        trace, other = _id(reference, "traceID", where, 32), _id(reference, "spanID", where, 16)
        if text(reference, "refType", where) == "CHILD_OF" and trace == trace_id and not parent:
            parent = other
        elif other != parent:
            links.append(ReadLink(trace, other, {}))
    return parent, tuple(links)


def _tags(owner: dict[str, Any], key: str, at: str) -> tuple[dict[str, Value], tuple[str, ...]]:
    found: dict[str, Value] = {}
    twice: list[str] = []
    for where, tag in listed(owner, key, at, ""):
        if isinstance(tag, BadSpan):
            raise WrongError(tag.key, tag.why)
        name = text(tag, "key", where)
        if name in found:
            twice.append(name)
        found[name] = _typed(name, _value(tag.get("value"), where), text(tag, "type", where))
    return found, tuple(twice)


def _value(given: Any, at: str) -> Value:
    if isinstance(given, bool | str):
        return given
    if isinstance(given, int) and abs(given) < 2**64:
        return given
    if isinstance(given, int | float):
        return float(given) if -1e308 < given < 1e308 else str(given)
    raise WrongError(f"{at}.value", "is no text, number, true or false")


def _typed(name: str, value: Value, said: str) -> Value:
    """The value as it was before Jaeger: by the registry, else by what the tag says of itself."""
    row = semconv.ATTRIBUTES.get(name)
    kind = row.type if row is not None else {"int64": "int", "float64": "double", "bool": "bool"}.get(said, "")
    if isinstance(value, str):
        return _parsed(value, kind)
    return float(value) if kind == "double" and isinstance(value, int) and not isinstance(value, bool) else value


def _parsed(value: str, kind: str) -> Value:
    if kind not in ("string[]", "int", "double", "bool"):
        return value
    try:
        found: Any = json.loads(value)
    except (ValueError, RecursionError):
        return value
    if kind == "string[]":
        return found if isinstance(found, list) and all(isinstance(each, str) for each in found) else value
    if kind == "int" and isinstance(found, int) and not isinstance(found, bool) and abs(found) < 2**64:
        return found
    if kind == "bool" and isinstance(found, bool):
        return found
    if kind == "double" and isinstance(found, int | float) and not isinstance(found, bool) and abs(found) < 1e308 and math.isfinite(found):
        return float(found)
    return value
