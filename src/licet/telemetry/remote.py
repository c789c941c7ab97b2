"""Spans that go on from another process: the W3C Trace Context of an HTTP request (https://www.w3.org/TR/trace-context/)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from opentelemetry import context, trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_NAMES = (b"traceparent", b"tracestate")


@contextmanager
def continued(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[None]:
    """Within it, spans stand under the one of the sender of these headers. Where a span is current already, that one stays: an
    instrumentation of the application has read the headers before.
    """
    if trace.get_current_span().get_span_context().is_valid:
        yield
        return
    # The propagator takes what is well-formed, and nothing else; who the sender is follows from his token, never from this.
    told = {name.lower().decode("latin-1"): value.decode("latin-1") for name, value in headers if name.lower() in _NAMES}
    attached = context.attach(TraceContextTextMapPropagator().extract(told))
    try:
        yield
    finally:
        context.detach(attached)
