"""Holds exported metrics of our own against `instruments`; see `conventions`."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable

from licet.telemetry import semconv
from licet.telemetry.instruments import METRICS, MOST, OWN, Instrument
from licet.telemetry.read_metrics import ReadMetric, ReadPoint
from licet.telemetry.rules import SCOPE, Problem, Told, belonging, once, sourced, texts

_KINDS = {"counter": ("sum",), "up-down counter": ("sum",), "gauge": ("gauge",), "histogram": ("histogram", "exponentialHistogram")}


def ours(metric: ReadMetric) -> bool:
    """Whether the metric is one of Licet's own."""
    return metric.scope == SCOPE or metric.name.startswith(OWN)


def check(metrics: Iterable[ReadMetric]) -> list[Problem]:
    """Every problem of our own metrics, in their order."""
    found: list[Problem] = []
    seen: dict[tuple[str, str], set[str]] = defaultdict(set)
    for metric in filter(ours, metrics):
        row = METRICS.get(metric.name)
        told = [
            sourced(metric.resource),
            texts(metric.resource, {"name": metric.name, "unit": metric.unit, "description": metric.description}),
        ]
        told += [_unknown()] if row is None else [_form(metric, row), *(_point(point, row) for point in metric.points), _many(metric, seen)]
        told += [texts(point.attributes, point.texts) for point in metric.points]
        found += [Problem(metric.place, "metric", metric.name, "", "", *each) for rule in told for each in rule]
    return found


def _unknown() -> Told:
    yield "metric.unknown", "name", "is no metric of the registry"


def _form(metric: ReadMetric, row: Instrument) -> Told:
    """Kind, unit and temporality, and no two points of one time with the same attributes."""
    if metric.kind not in _KINDS[row.kind]:
        yield "metric.kind", "data", f"is a {metric.kind}, and the metric is a {row.kind}"
    elif metric.kind == "sum" and metric.monotonic != (row.kind == "counter"):
        yield "metric.monotonic", "isMonotonic", f"is {str(metric.monotonic).lower()}, and the metric is a {row.kind}"
    if metric.unit != row.unit:
        yield "metric.unit", "unit", f"is not `{row.unit}`"
    if metric.kind != "gauge" and metric.temporality not in (1, 2):
        yield "metric.temporality", "aggregationTemporality", "is neither DELTA nor CUMULATIVE"
    points = Counter((json.dumps(point.attributes, sort_keys=True), point.time) for point in metric.points)
    if any(number > 1 for number in points.values()):
        yield "metric.twice", "dataPoints", "hold two points of one time with the same attributes"


def _point(point: ReadPoint, row: Instrument) -> Told:
    yield from belonging(point.attributes, row.attributes, f"`{row.name}`")
    yield from once(point.twice)
    if not math.isfinite(point.value) or (point.value < 0 and row.kind != "up-down counter"):
        yield "metric.value", "value", "is below zero, or no number"
    if row.kind == "histogram" and point.counts:
        if point.bounds and point.bounds != row.boundaries:
            yield "metric.buckets", "explicitBounds", f"are not {row.boundaries[0]} to {row.boundaries[-1]}, doubling"
        if sum(point.counts) != point.count or len(point.counts) != len(point.bounds) + 1:
            yield "metric.count", "bucketCounts", "do not add up to the count, or do not fit the bounds"
    if point.time <= 0 or point.start > point.time:
        yield "metric.times", "timeUnixNano", "is before the start, or missing"


def _many(metric: ReadMetric, seen: dict[tuple[str, str], set[str]]) -> Told:
    """Few values of each attribute, over everything that was read."""
    for point in metric.points:
        for name, value in point.attributes.items():
            known = seen[metric.name, name]
            if value == semconv.OTHER or value in known or not isinstance(value, str):
                continue
            known.add(value)
            if len(known) == MOST + 1:
                yield "metric.cardinality", name, f"has more than {MOST:,} values: a metric that is kept apart by it costs without end"
