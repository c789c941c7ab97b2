"""One signal's way out of the process: a gate that counts, the SDK's batch processor behind it, and a thread that waits for the SDK.

Spans and log records go through `Line`; metrics, which nobody queues, through `Readings`. Both are made anew in a forked process.
"""

from __future__ import annotations

import logging
import queue
import threading
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordProcessor
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from licet.escape import visible
from licet.telemetry.export.count import Count, Counting, CountingMetrics, Sender
from licet.telemetry.export.quiet import hush, hushed
from licet.telemetry.export.settings import Settings

_log = logging.getLogger("licet.telemetry")
Told = Callable[[str], None]
_PATIENCE = 600_000  # milliseconds that the SDK is given; who calls does not wait for it that long


class Helper:
    """A thread that calls what may block: the SDK's flush and shutdown keep to no time.

    It is started before it is needed, as no thread can be started while the interpreter ends (from Python 3.12 on).
    """

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[[], object], threading.Event]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def do(self, job: Callable[[], object]) -> threading.Event:
        """Have it called; the event says when it is done."""
        done = threading.Event()
        self._jobs.put((job, done))
        return done

    def _run(self) -> None:
        while True:
            job, done = self._jobs.get()
            with hushed():
                try:
                    job()
                except Exception as error:  # noqa: BLE001 - the SDK raises when it is late, and at closing twice
                    _log.debug("%s", error, exc_info=True)
            done.set()


class Line:
    """The way of spans, or of log records. No method raises, and none but the SDK's own lock is waited for."""

    def __init__(self, settings: Settings, told: Told) -> None:
        self.settings, self.count = settings, Count(settings.queue)
        self._told = told
        self._lock = threading.Lock()
        self._processor: Any = None
        self._sender: Sender | None = None
        self._broken = False
        self._open()

    def submit(self, item: Any) -> None:
        """Take one item, if it may wait; it is counted in any case."""
        if not self.count.admit():
            return
        try:
            (self._hand if self._processor is not None else self._opened())(item)
        except Exception:  # noqa: BLE001 - telemetry never reaches into a call
            self.count.settle(1, 0)

    def flush(self) -> threading.Event:
        """Begin to send what waits; the event says when all of it was tried."""
        if self._processor is None:
            return _done()
        self._exporter.hurry(on=True)
        return self._helper.do(self._flushed)

    def close(self) -> threading.Event:
        """Take no more, and begin to send what waits; the event says when it is done, and all let go."""
        self.count.stop()
        if self._processor is None:
            return _done()
        self._exporter.hurry(on=True)
        return self._helper.do(self._shut)

    @property
    def said(self) -> str:
        """Why the try before the last pause failed; there may be others after it."""
        return "" if self._sender is None else self._sender.said

    def give_up(self) -> None:
        """What still waits is not tried any more, and is dropped."""
        self.count.give_up()
        if self._processor is not None:
            self._exporter.end()

    def after_fork(self) -> None:
        """In the new process: nothing waits, nothing is counted, and the exporter, whose connections are the other's, is made anew."""
        self.count.after_fork()
        self._lock, self._processor = threading.Lock(), None

    def _opened(self) -> Callable[[Any], object]:
        with self._lock:
            if self._processor is None:
                self._open()
        return self._hand

    def _open(self) -> None:
        """Raises nothing: a line whose exporter cannot be made drops all, and counts it."""
        self._hand: Callable[[Any], object] = self._refuse
        if self._broken:
            return
        try:
            self._sender = sender_of(self.settings)
            self._exporter = Counting(self._sender, self.count, self._told)
            processor: Any = _batching(self.settings, self._exporter)
            self._helper = Helper(f"licet-{self.settings.signal}")
        except Exception as error:  # noqa: BLE001 - a certificate that is not there, a compression that is none: whatever it is, calls go on
            self._broken = True
            not_made(self.settings, error)
            return
        # The name until 1.3x, and since.
        self._hand = processor.on_end if self.settings.signal == "traces" else getattr(processor, "on_emit", None) or processor.emit
        self._processor = processor

    def _refuse(self, item: object) -> None:  # noqa: ARG002 - in place of the SDK's
        self.count.settle(1, 0)

    def _shut(self) -> None:
        self._exporter.hurry(on=True)  # a flush that was still going on has let it rest again
        self._processor.shutdown()

    def _flushed(self) -> None:
        try:
            self._processor.force_flush(_PATIENCE)
        finally:
            self._exporter.hurry(on=False)


class GateOfSpans(SpanProcessor):
    """Lets spans that are sampled into a line."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing."""

    def on_end(self, span: ReadableSpan) -> None:
        """Take an ended span."""
        if span.context and span.context.trace_flags.sampled:
            self._line.submit(span)


class GateOfLogs(LogRecordProcessor):
    """Lets log records into a line. What a record is, and what this is called with, changed between releases; it is only handed on."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def on_emit(self, log_record: Any) -> None:
        """Take a record."""
        self._line.submit(log_record)

    def emit(self, log_data: Any) -> None:
        """The name before 1.3x."""
        self._line.submit(log_data)

    def shutdown(self) -> None:
        """Nothing: the pipeline closes the line."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the SDK's signature
        """Nothing waits here."""
        return True


class Readings:
    """The way of metrics: read every so often by the SDK's reader, and sent at once."""

    def __init__(self, settings: Settings, resource: Resource, told: Told) -> None:
        self.settings, self.count = settings, Count(float("inf"))
        self._resource, self._told = resource, told
        self._sender: Sender | None = None
        self._exporter: CountingMetrics | None = None
        self._provider: MeterProvider | None = None
        self._open()

    @property
    def provider(self) -> MeterProvider | None:
        """The meter provider; another one in a forked process. None where the exporter cannot be made."""
        if self._provider is None:
            self._open()
        return self._provider

    def flush(self) -> threading.Event:
        """Begin to read and to send; the event says when it is done."""
        provider = self._provider
        return _done() if provider is None else self._helper.do(partial(provider.force_flush, _PATIENCE))

    def close(self) -> threading.Event:
        """Begin to read and to send for the last time; the event says when it is done."""
        provider = self._provider
        return _done() if provider is None else self._helper.do(partial(provider.shutdown, _PATIENCE))

    @property
    def said(self) -> str:
        """Why the last try failed."""
        return "" if self._sender is None else self._sender.said

    def give_up(self) -> None:
        """Nothing more is sent."""
        self.count.give_up()
        if self._exporter is not None:
            self._exporter.end()

    def after_fork(self) -> None:
        """In the new process: the sums of the other are its own to tell, and its reader, which the SDK starts again here, is mute."""
        if self._exporter is not None:
            self._exporter.end()
        self.count.after_fork()
        self._exporter = self._provider = None
        # Two processes that tell of sums are two instances.
        self._resource = self._resource.merge(Resource({"service.instance.id": str(uuid.uuid4())}))

    def _open(self) -> None:
        try:
            self._sender = sender_of(self.settings)
            self._exporter = CountingMetrics(self._sender, self.count, self._told)
            with hushed():
                reader = PeriodicExportingMetricReader(self._exporter)
            self._provider = MeterProvider([reader], self._resource, shutdown_on_exit=False)
            self._helper = Helper("licet-metrics")
        except Exception as error:  # noqa: BLE001 - as for a line
            not_made(self.settings, error)


def sender_of(settings: Settings) -> Sender:
    """The SDK's exporter for one signal. Imported here: exporters cost more than half of the start-up, and most processes have none."""
    from licet.telemetry.export import senders

    with hushed():
        made = senders.make(settings)
    hush()
    return made


def not_made(settings: Settings, error: Exception) -> None:
    """Say that a signal does not leave, and why."""
    _log.warning(
        "licet: %s are not sent to %s: no exporter can be made (%s: %s). Correct the OTEL_EXPORTER_OTLP_ variables, or unset the endpoint",
        settings.signal, settings.where, type(error).__name__, visible(str(error), 200),
    )  # fmt: skip


def _batching(settings: Settings, exporter: Counting) -> Any:
    """The SDK's batch processor. It never drops: no more than fits its queue is let in."""
    sizes = {"max_queue_size": settings.queue, "schedule_delay_millis": settings.delay, "max_export_batch_size": settings.batch}
    processor: Any = BatchSpanProcessor if settings.signal == "traces" else BatchLogRecordProcessor
    return processor(exporter, **sizes)


def _done() -> threading.Event:
    done = threading.Event()
    done.set()
    return done
