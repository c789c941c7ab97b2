"""Reads log records back from OTLP's JSON form; see `reader`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from licet.telemetry import semconv
from licet.telemetry.otlp import BadSpan, Value, attributes, ids, number, text, things, value_of


@dataclass(frozen=True, slots=True)
class ReadLog:
    """One log record as it was exported, its resource and scope beside it. Times are nanoseconds.

    `event`: its name, of the field or, as older SDKs have it, of the attribute `event.name`. Ids of no span are empty.
    """

    place: str
    event: str
    severity: int
    severity_text: str
    body: Value
    trace_id: str
    span_id: str
    time: int
    attributes: Mapping[str, Value]
    resource: Mapping[str, Value]
    scope: str
    twice: tuple[str, ...] = ()


def logs_of(data: dict[str, Any], place: str) -> Iterator[ReadLog | BadSpan]:
    """The log records of one LogsData object."""
    return things(data, ("resourceLogs", "scopeLogs", "logRecords"), place, _log)


def _log(log: dict[str, Any], at: str, place: str, resource: Mapping[str, Value], scope: str) -> ReadLog:
    own = ids(log, at, ("traceId", "spanId", "parentSpanId"))
    found, twice = attributes(log, at)
    name = found.pop(semconv.EVENT_NAME, "")
    return ReadLog(
        place, text(log, "eventName", at) or (name if isinstance(name, str) else ""), number(log, "severityNumber", at),
        text(log, "severityText", at), value_of(log.get("body"), f"{at}.body"), own["traceId"], own["spanId"],
        number(log, "timeUnixNano", at), found, resource, scope, twice,
    )  # fmt: skip
