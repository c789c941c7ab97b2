"""What became of each item of a signal, counted exactly, and the exporter that counts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData

from licet.telemetry.export.quiet import hushed

# After each batch the export thread rests for so many times the processor time that it took: calls in other threads share the
# interpreter's lock with it, and what has piled up during an outage is sent in one go when the receiver is back.
_REST = 3.0
_CLOSED = "it was closed before"
_PAUSE = 50e-6  # seconds


@dataclass(frozen=True, slots=True)
class Tally:
    """`submitted` = `delivered` + `failed` + `refused` + `waiting`, always."""

    submitted: int
    delivered: int
    failed: int
    refused: int
    waiting: int


class Count:
    """What became of each item of one signal. At most `limit` wait; what comes then is refused, and so is what comes after `stop`. What
    waits is dropped once it is given up, and no moment before: until then it is on its way.

    Safe for threads. `after_fork` is called in the new process, in which nothing waits and nothing has been counted.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._stopped = self._given_up = False
        self.after_fork()

    def after_fork(self) -> None:
        """Begin anew; the lock may have been held by a thread that is not here."""
        self._lock = threading.Lock()
        self._delivered = self._failed = self._refused = self._waiting = 0

    def admit(self, items: int = 1) -> bool:
        """Whether these may wait. If not, they are counted as refused."""
        with self._lock:
            if self._stopped or self._waiting + items > self._limit:
                self._refused += items
                return False
            self._waiting += items
            return True

    def settle(self, items: int, delivered: int) -> None:
        """So many wait no longer, of which so many were delivered."""
        with self._lock:
            self._waiting -= items
            self._delivered += delivered
            self._failed += items - delivered

    def stop(self) -> None:
        """Take no more. What waits may still be delivered."""
        self._stopped = True

    def give_up(self) -> None:
        """Nobody waits any more for what waits."""
        self._stopped = self._given_up = True

    @property
    def crowded(self) -> bool:
        """Whether more than a quarter of the places is taken: then sending goes before the comfort of calls, else items would be lost."""
        return self._waiting * 4 > self._limit

    @property
    def tally(self) -> Tally:
        """All numbers, of one moment."""
        with self._lock:
            counts = self._delivered, self._failed, self._refused, self._waiting
        return Tally(sum(counts), *counts)

    @property
    def dropped(self) -> int:
        """What was not delivered and will not be: refused and failed, and once it is given up, what still waits."""
        now = self.tally
        return now.failed + now.refused + (now.waiting if self._given_up else 0)


class Sender:
    """One exporter of the SDK, and what watches its requests, if they are watched: see `http` and `rpc`."""

    def __init__(self, exporter: Any, watch: Any = None) -> None:
        self.exporter, self._watch = exporter, watch

    @property
    def said(self) -> str:
        """Why the last request failed; empty if it did not, or where nobody saw."""
        return str(self._watch.said) if self._watch is not None else ""

    def send(self, batch: Any, items: int, **options: Any) -> tuple[int, str]:
        """How many of a batch were delivered, and why the others were not. Whatever the exporter does, this only answers."""
        why = ""
        with hushed():
            try:
                result = self.exporter.export(batch, **options)
            except Exception as error:  # noqa: BLE001 - an exporter may raise anything
                result, why = None, type(error).__name__
        why = self.said or why
        if getattr(result, "name", "") != "SUCCESS":
            return 0, why or "the exporter does not say why"
        rejected = 0 if self._watch is None else min(items, self._watch.rejected)
        return items - rejected, why if rejected else ""


class Counting:
    """The exporter that the SDK's batch processor of spans or log records is given.

    `settled(why)` is called after each batch, with an empty text if all of it was delivered.
    """

    def __init__(self, sender: Sender, count: Count, settled: Callable[[str], None]) -> None:
        self._sender, self._count, self._settled = sender, count, settled
        self._hurry, self._ended = threading.Event(), False

    def export(self, batch: Any) -> Any:
        """Send one batch, and count what came of it."""
        items = len(batch)
        if self._ended:
            self._count.settle(items, 0)
            return None
        began, delivered, why = time.thread_time(), 0, _CLOSED
        politely = not self._hurry.is_set() and not self._count.crowded
        try:
            delivered, why = self._sender.send(_Politely(batch) if politely else batch, items)
        finally:
            self._count.settle(items, delivered)
        self._settled(why)
        if politely:
            self._hurry.wait((time.thread_time() - began) * _REST)
        return None

    def hurry(self, *, on: bool) -> None:
        """Rest no more between batches: somebody waits for what waits."""
        self._hurry.set() if on else self._hurry.clear()

    def end(self) -> None:
        """Nobody waits any more: what comes now is not tried."""
        self._ended = True

    def shutdown(self) -> None:
        """Let go of connections."""
        with hushed():
            self._sender.exporter.shutdown()

    def force_flush(self, timeout_millis: float = 30_000) -> bool:  # noqa: ARG002 - the SDK's signature
        """Nothing waits here."""
        return True


class _Politely(list[Any]):
    """A batch that lets other threads go first after each item that is encoded, and not only after the last."""

    def __iter__(self) -> Iterator[Any]:
        for item in super().__iter__():
            yield item
            time.sleep(_PAUSE)


class CountingMetrics(MetricExporter):
    """The exporter that the SDK's periodic reader of metrics is given. An item is a point."""

    def __init__(self, sender: Sender, count: Count, settled: Callable[[str], None]) -> None:
        # The reader asks any exporter of the SDK for these two.
        super().__init__(sender.exporter._preferred_temporality, sender.exporter._preferred_aggregation)
        self._sender, self._count, self._settled, self._ended = sender, count, settled, False

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_: Any) -> MetricExportResult:
        """Send all metrics once, and count what came of their points."""
        items, delivered, why = _points(metrics_data), 0, _CLOSED
        if self._ended or not self._count.admit(items):
            return MetricExportResult.FAILURE
        try:
            delivered, why = self._sender.send(metrics_data, items, timeout_millis=timeout_millis)
        finally:
            self._count.settle(items, delivered)
        self._settled(why)
        return MetricExportResult.SUCCESS if delivered == items else MetricExportResult.FAILURE

    def end(self) -> None:
        """Nobody waits any more: what comes now is not tried."""
        self._ended = True

    def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:  # noqa: ARG002 - the SDK's signature
        """Let go of connections."""
        with hushed():
            self._sender.exporter.shutdown()

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002 - the SDK's signature
        """Nothing waits here."""
        return True


def _points(data: MetricsData) -> int:
    return sum(
        len(metric.data.data_points) for resource in data.resource_metrics for scope in resource.scope_metrics for metric in scope.metrics
    )
