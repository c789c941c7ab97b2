"""Reads spans, metrics and log records back from OTLP JSON lines (the OpenTelemetry protocol's file form), plain or gzipped.

A line is one TracesData, MetricsData or LogsData object. A line, or a part of it, that is not what it should be is reported with its
file, line and key, and reading goes on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from licet.lines import lines_of, opened
from licet.telemetry.otlp import BadSpan, Value, WrongError, attributes, ids, listed, number, object_of, objects, text, things
from licet.telemetry.read_logs import ReadLog, logs_of
from licet.telemetry.read_metrics import ReadMetric, metrics_of

__all__ = [
    "BadSpan", "Item", "ReadLink", "ReadLog", "ReadMetric", "ReadSpan", "Value", "read_all", "read_spans", "spans_of", "spans_of_line",
]  # fmt: skip

_SPANS = ("resourceSpans", "scopeSpans", "spans")


@dataclass(frozen=True, slots=True)
class ReadLink:
    """One link of a span: the span that it goes on from. An id that is none is empty."""

    trace_id: str
    span_id: str
    attributes: Mapping[str, Value]
    twice: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadSpan:
    """One span as it was exported, its resource and scope beside it. `kind` and `status` are OTLP's numbers; times are nanoseconds.

    `texts` are all other texts that it carries (of its events, links and status), by where they stand. `twice`: keys that came twice.
    """

    place: str
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    status: int
    start: int
    end: int
    attributes: Mapping[str, Value]
    resource: Mapping[str, Value]
    scope: str
    texts: Mapping[str, str]
    twice: tuple[str, ...] = ()
    links: tuple[ReadLink, ...] = ()


Item: TypeAlias = ReadSpan | ReadMetric | ReadLog | BadSpan


def read_spans(path: str | Path) -> Iterator[ReadSpan | BadSpan]:
    """Every span of a file, and everything in it that is none.

    Raises:
        UsageError: the file cannot be opened.
    """
    with opened(path) as raw:
        for number_of, line in lines_of(raw):
            place = f"{path}:{number_of}"
            if isinstance(line, str):
                yield BadSpan(place, "", line)
            else:
                yield from spans_of_line(line, place)


def read_all(path: str | Path) -> Iterator[Item]:
    """Every span, metric and log record of a file, and everything in it that is none.

    Raises:
        UsageError: the file cannot be opened.
    """
    with opened(path) as raw:
        for number_of, line in lines_of(raw):
            place = f"{path}:{number_of}"
            data = BadSpan(place, "", line) if isinstance(line, str) else objects(line, place)
            if isinstance(data, BadSpan):
                yield data
            elif not data.keys() & {"resourceSpans", "resourceMetrics", "resourceLogs"}:
                yield BadSpan(place, "", "is no object with `resourceSpans`, `resourceMetrics` or `resourceLogs`")
            else:
                yield from things(data, _SPANS, place, _span)
                yield from metrics_of(data, place)
                yield from logs_of(data, place)


def spans_of_line(line: bytes, place: str) -> Iterator[ReadSpan | BadSpan]:
    """The spans of one line."""
    data = objects(line, place)
    if isinstance(data, BadSpan) and data.why != "is no object":
        yield data
    else:
        yield from spans_of(data, place)


def spans_of(data: Any, place: str) -> Iterator[ReadSpan | BadSpan]:
    """The spans of one TracesData object. Fields that OTLP does not know are passed over, as it asks."""
    if isinstance(data, dict) and "resourceSpans" in data:
        yield from things(data, _SPANS, place, _span)
        return
    other = next((key for key in ("resourceLogs", "resourceMetrics") if isinstance(data, dict) and key in data), "")
    yield BadSpan(place, "", f"holds `{other}`, not `resourceSpans`" if other else "is no object with `resourceSpans`")


def _span(span: dict[str, Any], at: str, place: str, resource: Mapping[str, Value], scope: str) -> ReadSpan:
    own = ids(span, at, ("parentSpanId",))
    found, twice = attributes(span, at)
    status = object_of(span, "status", at)
    texts = {"status.message": text(status, "message", f"{at}.status"), "traceState": text(span, "traceState", at)}
    links: list[ReadLink] = []
    for part in ("events", "links"):
        for where, other in listed(span, part, "", ""):
            if isinstance(other, BadSpan):
                raise WrongError(f"{at}.{other.key}", other.why)
            told, told_twice = attributes(other, f"{at}.{where}")
            texts[f"{where}.name"] = text(other, "name", f"{at}.{where}")
            texts |= {f"{where}.{key}": value if isinstance(value, str) else json.dumps(value) for key, value in told.items()}
            if part == "links":
                texts[f"{where}.traceState"] = text(other, "traceState", f"{at}.{where}")
                links.append(_link(other, f"{at}.{where}", told, told_twice))
    return ReadSpan(
        place, own["traceId"], own["spanId"], own["parentSpanId"], text(span, "name", at), number(span, "kind", at),
        number(status, "code", f"{at}.status"), number(span, "startTimeUnixNano", at), number(span, "endTimeUnixNano", at), found, resource,
        scope, {key: value for key, value in texts.items() if value}, twice, tuple(links),
    )  # fmt: skip


def _link(link: dict[str, Any], at: str, found: Mapping[str, Value], twice: tuple[str, ...]) -> ReadLink:
    try:
        own = ids(link, at, ("parentSpanId",))
    except WrongError:
        own = {"traceId": "", "spanId": ""}
    return ReadLink(own["traceId"], own["spanId"], found, twice)
