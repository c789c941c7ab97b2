"""Spans for tasks and calls, through the OpenTelemetry SDK.

The application's own tracer provider is used if there is one. Otherwise a provider of our own exports by OTLP when the standard
environment variables name an endpoint, and records nothing beyond the ids when they do not.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from licet.telemetry import semconv

_log = logging.getLogger("licet.telemetry")
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_ERROR_TYPE = re.compile(semconv.ATTRIBUTES[semconv.ERROR_TYPE].pattern)

Attributes: TypeAlias = dict[str, Any]


class CallSpan:
    """A span being recorded, and the attributes that were given to it (the store keeps them too)."""

    def __init__(self, span: Span, attributes: Attributes) -> None:
        self._span = span
        self.attributes = attributes
        context = span.get_span_context()
        self.trace_id = format(context.trace_id, "032x")
        self.span_id = format(context.span_id, "016x")

    @property
    def traceparent(self) -> str:
        """The W3C `traceparent` that makes others children of this span."""
        carrier: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(carrier, trace.set_span_in_context(self._span))
        return carrier.get("traceparent", "")

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make this the current span of the running thread or task."""
        token = otel_context.attach(trace.set_span_in_context(self._span))
        try:
            yield
        finally:
            otel_context.detach(token)

    def end(self, attributes: Mapping[str, Any] | None = None, *, error_type: str = "", description: str = "") -> None:
        """Finish the span. With `error_type` its status is ERROR; otherwise it is left unset, as the conventions ask."""
        known = _told(attributes or {})
        self.attributes |= known
        try:
            for name, value in known.items():
                self._span.set_attribute(name, value)
            if error_type:
                # Of low cardinality: a class can have any text as its name.
                error_type = error_type if _ERROR_TYPE.fullmatch(error_type) else semconv.OTHER
                self.attributes[semconv.ERROR_TYPE] = error_type
                self._span.set_attribute(semconv.ERROR_TYPE, error_type)
                self._span.set_status(Status(StatusCode.ERROR, description[:500]))
            self._span.end()
        # A span processor of the application may raise anything; telemetry never reaches into a call.
        except Exception:  # noqa: BLE001 - see above
            _log.warning("a span could not be ended", exc_info=True)


class Telemetry:
    """Starts spans. `provider`: use this one; by default the application's, else one of our own."""

    def __init__(self, provider: trace.TracerProvider | None, *, version: str, environment: str) -> None:
        self._own: TracerProvider | None = None
        if provider is None:
            provider = trace.get_tracer_provider()
            if not isinstance(provider, TracerProvider):
                provider = self._own = _own_provider(version, environment)
        self._tracer = provider.get_tracer("licet", version)

    def start(self, name: str, attributes: Attributes, parent: tuple[str, str] | None = None) -> CallSpan:
        """Start a span of kind INTERNAL. `parent` (trace id, span id) holds unless the current span is of the same trace."""
        attributes = _told(attributes)
        try:
            context = _parent_context(parent)
            return CallSpan(self._tracer.start_span(name, context, SpanKind.INTERNAL, attributes), attributes)
        # A sampler or processor of the application may raise anything; telemetry never reaches into a call.
        except Exception:  # noqa: BLE001 - see above
            _log.warning("a span could not be started", exc_info=True)
            return CallSpan(trace.INVALID_SPAN, attributes)

    def close(self, seconds: float = 5.0) -> None:
        """Send what is waiting, for at most `seconds`. A provider of the application is left to the application."""
        if self._own is not None:
            self._own.force_flush(int(seconds * 1000))
            self._own.shutdown()


def _told(attributes: Mapping[str, Any]) -> Attributes:
    """Without what is empty: a name without a value tells nobody anything, and stands in every list of tags."""
    return {name: value for name, value in attributes.items() if value != ""}


def _parent_context(parent: tuple[str, str] | None) -> otel_context.Context:
    current = trace.get_current_span().get_span_context()
    if parent is None or not parent[0] or int(parent[0], 16) == 0:
        return otel_context.get_current()
    if current.is_valid and format(current.trace_id, "032x") == parent[0]:
        return otel_context.get_current()
    remote = SpanContext(int(parent[0], 16), int(parent[1], 16), is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return trace.set_span_in_context(NonRecordingSpan(remote))


def _own_provider(version: str, environment: str) -> TracerProvider:
    names = {"service.version": version, "deployment.environment.name": environment}
    if not os.environ.get("OTEL_SERVICE_NAME"):
        names["service.name"] = "licet"
    provider = TracerProvider(resource=Resource.create(names), shutdown_on_exit=True)
    if any(os.environ.get(name) for name in _ENDPOINTS) and os.environ.get("OTEL_TRACES_EXPORTER", "otlp") != "none":
        _export(provider)
    return provider


def _export(provider: TracerProvider) -> None:
    # Imported here: the exporters cost more than half of the start-up, and most processes have no endpoint.
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

    protocol = next((os.environ[name] for name in _PROTOCOLS if os.environ.get(name)), "http/protobuf")
    exporter: SpanExporter
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter

        exporter = GrpcExporter()
    else:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter

        exporter = HttpExporter()
    provider.add_span_processor(BatchSpanProcessor(exporter))
