"""Our own OpenTelemetry pipeline: spans, metrics and log events over OTLP, where the application has no providers of its own.

`Pipeline` is never in the way of a call. A collector that is down, slow, refusing or talking nonsense costs a counter: of each signal at
most OTEL_BSP_MAX_QUEUE_SIZE items wait, what comes then is dropped, and each item that is not delivered is counted in `dropped()`,
exactly. `flush` and `close` end after the seconds that they are given, and so does the interpreter.

- The standard variables hold: OTEL_EXPORTER_OTLP_* (per signal too), OTEL_BSP_*, OTEL_BLRP_*, OTEL_METRIC_EXPORT_*, OTEL_TRACES_EXPORTER
  and its like, OTEL_SDK_DISABLED. Where they say nothing, batches are small and often: see `settings`.
- Where it cannot deliver, one warning (logger `licet.telemetry`) says what, where to and what to do, and one at the end how much was
  dropped. What the SDK says about each try is heard only at DEBUG: see `quiet`.
- Fork: the new process has a pipeline of its own, empty and counting from zero. Children of `multiprocessing` send what they have before
  they end, however they are started. Whoever ends by `os._exit`, or is killed (as the workers of a `Pool` that is terminated), loses what
  waits: the spans of the last half second. gRPC does not live through a fork; use http/protobuf there.
- Between "taken" and "answered" a connection can break. What is tried again then may arrive twice, and what is not tried again is counted
  as dropped though it may have arrived.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider

from licet.escape import counted
from licet.telemetry.export.settings import SIGNALS, Settings, Signal, settings_of

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk.metrics import MeterProvider

    from licet.telemetry.export.line import Line, Readings

_log = logging.getLogger("licet.telemetry")
SECONDS = 5.0  # that an end may take
_ITEMS = {"traces": "span", "metrics": "metric point", "logs": "log event"}
_REMEDY = "Start the collector there, correct OTEL_EXPORTER_OTLP_ENDPOINT, or unset it. Calls go on meanwhile, and the ledger has them all"


def own_pipeline(version: str, environment: str, signals: Collection[Signal] = SIGNALS) -> Pipeline:
    """A pipeline by the environment's variables. `signals`: those for which the application has no provider."""
    return Pipeline(version, environment, {each: found for each in signals if (found := settings_of(each))})


class Pipeline:
    """Providers of our own, and what waits behind them. No method raises; those that wait take `seconds` at most."""

    tracer_provider: TracerProvider
    """Always there: ids are needed where no span leaves, too."""
    logger_provider: LoggerProvider | None
    """None where no log event leaves."""

    def __init__(self, version: str, environment: str, settings: Mapping[Signal, Settings]) -> None:
        names = {
            "service.name": "licet", "service.version": version, "service.instance.id": str(uuid.uuid4()),
            "deployment.environment.name": environment,
        }  # fmt: skip
        said = OTELResourceDetector().detect().attributes  # OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES
        resource = Resource.create({name: value for name, value in names.items() if value and name not in said})
        self.tracer_provider, self.logger_provider = TracerProvider(resource=resource, shutdown_on_exit=False), None
        self._lines: dict[str, Line | Readings] = {}
        self._why = self._where = ""  # of the last failure
        self._said = self._closed = False
        self._forked: list[Callable[[], None]] = []
        if settings:
            self._open(settings, resource)

    def _open(self, settings: Mapping[Signal, Settings], resource: Resource) -> None:
        # Imported here: see `senders`.
        from licet.telemetry.export.line import GateOfLogs, GateOfSpans, Line, Readings

        for signal, each in settings.items():
            if signal == "metrics":
                self._lines[signal] = Readings(each, resource, self._telling(each))
                continue
            line = self._lines[signal] = Line(each, self._telling(each))
            if signal == "traces":
                self.tracer_provider.add_span_processor(GateOfSpans(line))
            else:
                from opentelemetry.sdk._logs import LoggerProvider

                self.logger_provider = LoggerProvider(resource, shutdown_on_exit=False)
                self.logger_provider.add_log_record_processor(GateOfLogs(line))
        _open.add(self)
        _all.add(self)
        _hook()

    @property
    def meter_provider(self) -> MeterProvider | None:
        """None where no metrics leave. In a forked process it is another one: see `after_fork`."""
        readings: Any = self._lines.get("metrics")
        return None if readings is None else readings.provider

    def after_fork(self, renew: Callable[[], None]) -> None:
        """Have `renew` called in each forked process: instruments made before tell of the other process, and are not read there."""
        self._forked.append(renew)

    def dropped(self) -> Mapping[str, int]:
        """How many items of each signal that leaves (`traces`, `metrics`, `logs`) were not delivered so far, and will not be."""
        return {signal: line.count.dropped for signal, line in self._lines.items()}

    def delivered(self) -> Mapping[str, int]:
        """How many items of each signal were taken by who answers at the endpoint."""
        return {signal: line.count.tally.delivered for signal, line in self._lines.items()}

    def flush(self, seconds: float = SECONDS) -> bool:
        """Try to send what waits. Whether all of it was tried in time; what became of it, `dropped` says."""
        return _in_time([line.flush() for line in self._lines.values()], time.monotonic() + seconds)

    def close(self, seconds: float = SECONDS) -> bool:
        """Send what waits, and end. Whether all of it was tried in time; what was not is dropped. A second time it does nothing."""
        if self._closed:
            return True
        return self._end(self._begin_to_end(), time.monotonic() + seconds)

    def _begin_to_end(self) -> list[threading.Event]:
        self._closed = True
        return [line.close() for line in self._lines.values()]

    def _end(self, ending: list[threading.Event], until: float) -> bool:
        in_time = _in_time(ending, until)
        for line in self._lines.values():
            line.give_up()
        _open.discard(self)
        parts = [
            f"{number:,} of {counted(line.count.tally.submitted, _ITEMS[signal])}"
            for signal, line in self._lines.items()
            if (number := line.count.dropped)
        ]
        if parts:
            where = self._where or next(iter(self._lines.values())).settings.where
            why = self._why or next((line.said for line in self._lines.values() if line.said), "no answer in time")
            remedy = "" if self._said else f". {_REMEDY}"
            _log.warning("licet: not delivered to %s (%s): %s%s", where, why, ", ".join(parts), remedy)
        return in_time

    def _telling(self, settings: Settings) -> Callable[[str], None]:
        def settled(why: str) -> None:
            if not why:
                return
            self._why, self._where = why, settings.where
            if self._said or self._closed:
                return
            self._said = True
            _log.warning("licet: %s cannot be delivered to %s (%s). %s", settings.signal, settings.where, why, _REMEDY)

        return settled

    def _after_fork(self) -> None:
        self._why, self._said = "", False
        for line in self._lines.values():
            line.after_fork()
        for renew in self._forked:
            try:
                renew()
            except Exception:  # noqa: BLE001 - a fork goes on
                _log.warning("licet: after a fork, metrics could not be begun anew", exc_info=True)


# The end of the process ---------------------------------------------------------------------------------------------------

_open: set[Pipeline] = set()  # also those that nobody holds any more: something may wait in them
_all: weakref.WeakSet[Pipeline] = weakref.WeakSet()
_hooked = False


class _Process:
    """What `multiprocessing` keeps a weak reference to."""


_process = _Process()


def _hook() -> None:
    global _hooked  # noqa: PLW0603 - once in a process, and in those that are forked off it
    if _hooked:
        return
    _hooked = True
    atexit.register(_end_all)
    os.register_at_fork(after_in_child=_in_child)
    _end_with_multiprocessing()


def _in_child() -> None:
    for pipeline in list(_all):
        pipeline._after_fork()
    _end_with_multiprocessing()


def _end_with_multiprocessing() -> None:
    """Where it is in use: its children end by `os._exit`, after finalizers of its own, of which this is the last.

    What was to be finalized is forgotten where a child begins, and what is registered for after a fork is called then.
    """
    if util := sys.modules.get("multiprocessing.util"):
        util.Finalize(None, _end_all, exitpriority=-1000)
        util.register_after_fork(_process, lambda _: util.Finalize(None, _end_all, exitpriority=-1000))


def _end_all() -> None:
    """All pipelines that are open, at once, and within one bound."""
    until, ending = time.monotonic() + SECONDS, [(each, each._begin_to_end()) for each in list(_open)]
    for pipeline, events in ending:
        pipeline._end(events, until)


def _in_time(events: list[threading.Event], until: float) -> bool:
    return all([event.wait(max(0.0, until - time.monotonic())) for event in events])  # noqa: C419 - each is waited for
