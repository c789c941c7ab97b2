"""Reads metrics back from OTLP's JSON form; see `reader`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from licet.telemetry.otlp import BadSpan, Value, WrongError, attributes, listed, number, object_of, real, text, things

_KINDS = ("gauge", "sum", "histogram", "exponentialHistogram", "summary")


@dataclass(frozen=True, slots=True)
class ReadPoint:
    """One data point: `value` of a gauge or a sum; `count`, `counts` and `bounds` of a histogram, with its sum as `value`.

    `texts` are all other texts that it carries (of its exemplars), by where they stand.
    """

    attributes: Mapping[str, Value]
    value: float
    count: int
    counts: tuple[int, ...]
    bounds: tuple[float, ...]
    start: int
    time: int
    texts: Mapping[str, str]
    twice: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadMetric:
    """One metric as it was exported, with its points. `kind` is OTLP's name of the data; `temporality` its number, 0 if it has none."""

    place: str
    name: str
    unit: str
    description: str
    kind: str
    monotonic: bool
    temporality: int
    points: tuple[ReadPoint, ...]
    resource: Mapping[str, Value]
    scope: str


def metrics_of(data: dict[str, Any], place: str) -> Iterator[ReadMetric | BadSpan]:
    """The metrics of one MetricsData object."""
    return things(data, ("resourceMetrics", "scopeMetrics", "metrics"), place, _metric)


def _metric(metric: dict[str, Any], at: str, place: str, resource: Mapping[str, Value], scope: str) -> ReadMetric:
    kinds = [kind for kind in _KINDS if metric.get(kind) is not None]
    if len(kinds) != 1:
        raise WrongError(at, f"holds data of {len(kinds)} kinds, not of one")
    (kind,) = kinds
    data, inside = object_of(metric, kind, at), f"{at}.{kind}"
    points = []
    for where, point in listed(data, "dataPoints", inside, ""):
        if isinstance(point, BadSpan):
            raise WrongError(point.key, point.why)
        points.append(_point(point, where))
    return ReadMetric(
        place, text(metric, "name", at), text(metric, "unit", at), text(metric, "description", at), kind,
        data.get("isMonotonic") is True, number(data, "aggregationTemporality", inside), tuple(points), resource, scope,
    )  # fmt: skip


def _point(point: dict[str, Any], at: str) -> ReadPoint:
    found, twice = attributes(point, at)
    texts: dict[str, str] = {}
    for where, exemplar in listed(point, "exemplars", "", ""):
        if isinstance(exemplar, BadSpan):
            raise WrongError(f"{at}.{exemplar.key}", exemplar.why)
        for key, value in attributes(exemplar, f"{at}.{where}", "filteredAttributes")[0].items():
            texts[f"{where}.{key}"] = value if isinstance(value, str) else json.dumps(value)
    value = float(number(point, "asInt", at)) if "asInt" in point else real(point, "asDouble" if "asDouble" in point else "sum", at)
    counts, bounds = ([{key: item} for item in _list(point, key, at)] for key in ("bucketCounts", "explicitBounds"))
    return ReadPoint(
        found, value, number(point, "count", at), tuple(number(item, "bucketCounts", at) for item in counts),
        tuple(real(item, "explicitBounds", at) for item in bounds), number(point, "startTimeUnixNano", at),
        number(point, "timeUnixNano", at), texts, twice,
    )  # fmt: skip


def _list(point: dict[str, Any], key: str, at: str) -> list[Any]:
    given = point.get(key)
    if given is not None and not isinstance(given, list):
        raise WrongError(f"{at}.{key}", "is no list")
    return given or []
