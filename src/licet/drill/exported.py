"""The scorecard as OpenTelemetry metrics, to where the environment's variables say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Final

from licet.drill.score import Scorecard
from licet.errors import UsageError
from licet.telemetry import semconv
from licet.telemetry.export.pipeline import own_pipeline
from licet.telemetry.instruments import BLIND_SECONDS, FAILING, FIGURE, TIME
from licet.telemetry.monitoring import Monitoring, Point
from licet.version import VERSION

_SIGNAL: Final = "metrics"


def points(card: Scorecard) -> Iterator[Point]:
    """Each figure that is known."""
    yield Point(FAILING, 0 if card.passed else 1)
    yield Point(FIGURE, card.score, {semconv.DRILL_FIGURE: "score"})
    for each in card.metrics:
        of = {semconv.DRILL_FIGURE: each.name} | ({semconv.DRILL_SOURCE: each.of} if each.of else {})
        if each.value is None:
            continue
        if each.name == "blind_seconds":
            yield Point(BLIND_SECONDS, each.value)
        elif each.unit == "share":
            yield Point(FIGURE, each.value, of)
            if each.low is not None:
                yield Point(FIGURE, each.low, of | {semconv.DRILL_FIGURE: f"{each.name}_low"})
        elif each.unit == "s":
            yield Point(TIME, each.value, of)


def export(card: Scorecard, environment: str = "unknown") -> None:
    """Send them, and wait until they were taken.

    Raises:
        UsageError: the variables say nothing, or nobody took them.
    """
    with closing(own_pipeline(VERSION, environment, [_SIGNAL])) as pipeline:
        provider = pipeline.meter_provider
        if provider is None:
            raise UsageError("metrics go nowhere: set OTEL_EXPORTER_OTLP_ENDPOINT (or OTEL_EXPORTER_OTLP_METRICS_ENDPOINT)")
        Monitoring(provider, VERSION).tell(points(card))
        pipeline.flush()
        if not pipeline.delivered().get(_SIGNAL, 0):
            raise UsageError("the endpoint did not take the metrics; check it, and that it is up")
