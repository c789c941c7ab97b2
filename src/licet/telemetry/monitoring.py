"""What drills say of the monitoring, as metrics: the latest figures, told whenever metrics are collected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

from licet.telemetry.instruments import MONITORING


class Point(NamedTuple):
    """One figure of a metric of `instruments.MONITORING`."""

    metric: str
    value: float
    attributes: Mapping[str, str] = {}


class Monitoring:
    """Gauges over the last figures that were told. `provider`: where to."""

    def __init__(self, provider: MeterProvider, version: str) -> None:
        self._points: Sequence[Point] = ()
        meter = provider.get_meter("licet", version)
        for row in MONITORING.values():
            meter.create_observable_gauge(row.name, [_Asked(self, row.name)], row.unit, row.description)

    def tell(self, points: Iterable[Point]) -> None:
        """These are the figures now."""
        self._points = tuple(points)

    def of(self, name: str) -> Iterator[Observation]:
        """The last figures of a metric."""
        yield from (Observation(each.value, each.attributes) for each in self._points if each.metric == name)


class _Asked:
    def __init__(self, monitoring: Monitoring, name: str) -> None:
        self._monitoring, self._name = monitoring, name

    def __call__(self, _options: CallbackOptions) -> Iterator[Observation]:
        return self._monitoring.of(self._name)
