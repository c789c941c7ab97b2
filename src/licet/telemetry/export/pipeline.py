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
import weakref
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from licet.escape import counted
from licet.telemetry.export.resource import resource_of
from licet.telemetry.export.settings import SIGNALS, Settings, Signal, settings_of
from licet.telemetry.export.words import FULL, cause, remedy

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource

    from licet.telemetry.export.line import Line, Readings

_log = logging.getLogger("licet.telemetry")
SECONDS = 5.0  # that an end may take
_LAST = 0.2  # of them, kept for the last report of the metrics, which says what was dropped before it
_ITEMS = {"traces": "span", "metrics": "metric point", "logs": "log event"}


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
        resource = resource_of(version, environment)
        # The SDK's own default goes by the sender's flag, and whoever sends requests would take the traces of his own denials away.
        sampler = None if os.environ.get("OTEL_TRACES_SAMPLER") else ALWAYS_ON
        self.tracer_provider, self.logger_provider = TracerProvider(sampler, resource, shutdown_on_exit=False), None
        self._lines: dict[str, Line | Readings] = {}
        self._failed: tuple[Settings, str] | None = None  # what failed last, and why
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
        return _end([self], seconds)

    def _close_lines(self, *, metrics: bool) -> list[threading.Event]:
        self._closed = True
        return [line.close() for signal, line in self._lines.items() if (signal == "metrics") == metrics]

    def _give_up(self, *, metrics: bool) -> None:
        for signal, line in self._lines.items():
            if (signal == "metrics") == metrics:
                line.give_up()

    def _ended(self) -> None:
        _open.discard(self)
        parts = [
            f"{number:,} of {counted(line.count.tally.submitted, _ITEMS[signal])}"
            for signal, line in self._lines.items()
            if (number := line.count.dropped)
        ]
        if parts:
            settings, why = self._failed or self._unsettled()
            advice = "" if self._said else f". {remedy(settings, why)}. The ledger has every call"
            _log.warning("licet: not delivered to %s (%s): %s%s", settings.where, cause(settings, why), ", ".join(parts), advice)

    def _unsettled(self) -> tuple[Settings, str]:
        """Where no batch was answered yet: what the tries so far say."""
        lines = [line for line in self._lines.values() if line.count.dropped]
        full = lines[0].count.tally.refused and lines[0].count.tally.delivered
        return next(((line.settings, line.said) for line in lines if line.said), (lines[0].settings, FULL if full else "no answer in time"))

    def _telling(self, settings: Settings) -> Callable[[str], None]:
        def settled(why: str) -> None:
            if not why:
                return
            self._failed = settings, why
            if self._said or self._closed:
                return
            self._said = True
            _log.warning(
                "licet: %s cannot be delivered to %s (%s). %s. Calls go on meanwhile, and the ledger has them all",
                settings.signal, settings.where, cause(settings, why), remedy(settings, why),
            )  # fmt: skip

        return settled

    def _after_fork(self) -> None:
        self._failed, self._said = None, False
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
    _end(list(_open), SECONDS)


def _end(pipelines: list[Pipeline], seconds: float) -> bool:
    """Close these, at once, and within one bound: first spans and log events, then metrics, whose last report has the final counts."""
    until, in_time = time.monotonic() + seconds, True
    kept = seconds * _LAST if any("metrics" in each._lines for each in pipelines) else 0.0
    for metrics, ends in ((False, until - kept), (True, until)):
        ending = [event for each in pipelines for event in each._close_lines(metrics=metrics)]
        in_time = _in_time(ending, ends) and in_time
        for each in pipelines:
            each._give_up(metrics=metrics)
    for each in pipelines:
        each._ended()
    return in_time


def _in_time(events: list[threading.Event], until: float) -> bool:
    return all([event.wait(max(0.0, until - time.monotonic())) for event in events])  # noqa: C419 - each is waited for
