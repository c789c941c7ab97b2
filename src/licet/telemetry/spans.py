"""Spans for tasks and calls, through the OpenTelemetry SDK.

The application's own tracer provider is used if there is one. Otherwise a provider of our own exports by OTLP when the standard
environment variables name an endpoint, and records nothing beyond the ids when they do not.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar

from opentelemetry import _logs, metrics, trace
from opentelemetry import context as otel_context
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from licet.secretlike import scrub
from licet.telemetry import semconv
from licet.telemetry.clear import Door
from licet.telemetry.events import Events
from licet.telemetry.export import SIGNALS, own_pipeline
from licet.telemetry.metrics import Metrics
from licet.telemetry.native import added, native_tool_span

_log = logging.getLogger("licet.telemetry")
_API = ("opentelemetry.trace", "opentelemetry.metrics", "opentelemetry._logs")
_ERROR_TYPE = re.compile(semconv.ATTRIBUTES[semconv.ERROR_TYPE].pattern)

P = TypeVar("P")
Attributes: TypeAlias = dict[str, Any]
Position: TypeAlias = tuple[str, str]
"""Where a span stands: its trace id and its span id, in hex."""
NOWHERE: Position = ("", "")


class CallSpan:
    """A span being recorded, and the attributes that were given to it (the store keeps them too).

    `own`: we began it, and end it; else it is a framework's own span of this call, which is told what we know.
    """

    def __init__(self, span: Span, attributes: Attributes, door: Door, *, own: bool = True) -> None:
        self._span, self._door, self._own = span, door, own
        self._open = True
        self.attributes = attributes
        context = span.get_span_context()
        self.trace_id = format(context.trace_id, "032x")
        self.span_id = format(context.span_id, "016x")

    @property
    def position(self) -> Position:
        """Where it stands."""
        return self.trace_id, self.span_id

    @property
    def traceparent(self) -> str:
        """The W3C `traceparent` that makes others children of this span."""
        carrier: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(carrier, trace.set_span_in_context(self._span))
        return carrier.get("traceparent", "")

    @property
    def context(self) -> otel_context.Context:
        """The current context, with this as its span."""
        return trace.set_span_in_context(self._span)

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make this the current span of the running thread or task."""
        token = otel_context.attach(self.context)
        try:
            yield
        finally:
            otel_context.detach(token)

    @property
    def is_ours(self) -> bool:
        """Whether we began it."""
        return self._own

    @property
    def is_open(self) -> bool:
        """Whether it has not been ended."""
        return self._open

    def add(self, attributes: Mapping[str, Any]) -> None:
        """Say more on it, while it is open."""
        known = _told(attributes, self._door)
        self.attributes |= known
        try:
            if self._own:
                self._span.set_attributes(known)
            elif self._span.is_recording():  # a framework may have ended it before us
                self._span.set_attributes(added(self._span, known))
        # A span of the application's provider may raise anything; telemetry never reaches into a call.
        except Exception:  # noqa: BLE001 - see above
            _log.warning("a span could not be told of", exc_info=True)

    def end(self, attributes: Mapping[str, Any] | None = None, *, error_type: str = "", description: str = "") -> None:
        """Finish the span, once. With `error_type` its status is ERROR; otherwise it is left unset, as the conventions ask."""
        if not self._open:
            return
        self._open = False
        self.add(attributes or {})
        try:
            if error_type and self._own:  # how its tool failed is for the framework to say
                # Of low cardinality: a class can have any text as its name.
                error_type = error_type if _ERROR_TYPE.fullmatch(scrub(error_type)) else semconv.OTHER
                self.attributes[semconv.ERROR_TYPE] = error_type
                self._span.set_attribute(semconv.ERROR_TYPE, error_type)
                self._span.set_status(Status(StatusCode.ERROR, scrub(description)[:500]))
            if self._own:
                self._span.end()
        # A span processor of the application may raise anything; telemetry never reaches into a call.
        except Exception:  # noqa: BLE001 - see above
            _log.warning("a span could not be ended", exc_info=True)


class Telemetry:
    """Starts spans; `metrics` and `events` are beside it. Of each signal the provider that is handed in is used, else the application's,
    else one of our own. `declared` are the manifest's names, which are no secrets whatever they look like.
    """

    def __init__(
        self,
        tracers: trace.TracerProvider | None = None,
        meters: metrics.MeterProvider | None = None,
        loggers: _logs.LoggerProvider | None = None,
        *,
        version: str,
        environment: str,
        declared: Iterable[str] = (),
    ) -> None:
        self._door = Door(declared)
        tracers = tracers or applications(trace.get_tracer_provider())
        meters = meters or applications(metrics.get_meter_provider())
        loggers = loggers or applications(_logs.get_logger_provider())
        given = {"traces": tracers, "metrics": meters, "logs": loggers}
        self._own = own_pipeline(version, environment, [signal for signal in SIGNALS if given[signal] is None])
        self._tracer = (tracers or self._own.tracer_provider).get_tracer("licet", version)
        self.metrics = Metrics(meters or self._own.meter_provider, version)
        self.metrics.dropped(self._own.dropped)
        self.events = Events(loggers or self._own.logger_provider, version, self._door)
        if meters is None:
            self._own.after_fork(lambda: self.metrics.move(self._own.meter_provider))

    @property
    def dropped(self) -> Mapping[str, int]:
        """How many items of each signal that we send ourselves (`traces`, `metrics`, `logs`) did not arrive so far, and will not."""
        return self._own.dropped()

    def start(
        self, name: str, attributes: Attributes, parent: Position | None = None, *, links: Iterable[Position] = (), tool: str = ""
    ) -> CallSpan:
        """Start a span of kind INTERNAL. `parent` holds unless the current span is of the same trace; `links` are spans that it goes on
        from without being within them (queued work). With `tool`, a span that a framework has begun for this call of it is the one.
        """
        attributes = _told(attributes, self._door)
        try:
            native = native_tool_span(tool, parent[0] if parent and _is_position(parent) else "") if tool else None
            if native is not None:
                annotated = CallSpan(native, {}, self._door, own=False)
                annotated.add(attributes)
                return annotated
            context = _parent_context(parent)
            linked = [Link(_position(link)) for link in links if _is_position(link)]
            return CallSpan(self._tracer.start_span(name, context, SpanKind.INTERNAL, attributes, linked), attributes, self._door)
        # A sampler or processor of the application may raise anything; telemetry never reaches into a call.
        except Exception:  # noqa: BLE001 - see above
            _log.warning("a span could not be started", exc_info=True)
            return CallSpan(trace.INVALID_SPAN, attributes, self._door)

    def close(self, seconds: float = 5.0) -> None:
        """Send what is waiting, for at most `seconds`. A provider of the application is left to the application."""
        self._own.close(seconds)
        self.metrics.close()


def applications(provider: P) -> P | None:
    """The provider if the application has set it. Those of the API alone stand for one that is still to come, or for none."""
    return None if type(provider).__module__.startswith(_API) else provider


def _told(attributes: Mapping[str, Any], door: Door) -> Attributes:
    """Without what is empty: a name without a value tells nobody anything, and stands in every list of tags. What can be any text is
    scrubbed: names and ids come from models and frameworks.
    """
    return {name: door.clear(name, value) for name, value in attributes.items() if value not in ("", [], ())}


def _parent_context(parent: Position | None) -> otel_context.Context:
    current = trace.get_current_span().get_span_context()
    if parent is None or not _is_position(parent):
        return otel_context.get_current()
    if current.is_valid and format(current.trace_id, "032x") == parent[0]:
        return otel_context.get_current()
    return trace.set_span_in_context(NonRecordingSpan(_position(parent)))


def _is_position(position: Position) -> bool:
    return bool(position[0]) and int(position[0], 16) != 0


def _position(position: Position) -> SpanContext:
    return SpanContext(int(position[0], 16), int(position[1], 16), is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
