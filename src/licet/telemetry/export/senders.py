"""The six exporters of the SDK: three signals, over HTTP or gRPC. Only imported where there is an endpoint.

What a receiver says that it did not take (a partial success) is seen and counted, over both.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

from licet.telemetry.export.count import Sender
from licet.telemetry.export.settings import Settings

_EXPORTERS = {
    "traces": ("trace_exporter", "OTLPSpanExporter"),
    "metrics": ("metric_exporter", "OTLPMetricExporter"),
    "logs": ("_log_exporter", "OTLPLogExporter"),
}
_ANSWERS = {
    "traces": ("trace.v1.trace_service_pb2", "ExportTraceServiceResponse", "rejected_spans"),
    "metrics": ("metrics.v1.metrics_service_pb2", "ExportMetricsServiceResponse", "rejected_data_points"),
    "logs": ("logs.v1.logs_service_pb2", "ExportLogsServiceResponse", "rejected_log_records"),
}
_CREDENTIALS = "OTEL_PYTHON_EXPORTER_OTLP_HTTP_{}CREDENTIAL_PROVIDER"


def make(settings: Settings) -> Sender:
    """The exporter of one signal, which reads the rest of the standard variables itself. Raises whatever it raises."""
    module, name = _EXPORTERS[settings.signal]
    way = "grpc" if settings.protocol == "grpc" else "http"
    exporter: Any = getattr(importlib.import_module(f"opentelemetry.exporter.otlp.proto.{way}.{module}"), name)
    if way == "grpc":
        from licet.telemetry.export.rpc import WatchedClient

        made = exporter()
        return Sender(made, WatchedClient(made, _count_of(settings.signal)))
    if any(os.environ.get(_CREDENTIALS.format(each)) for each in ("", f"{settings.signal.upper()}_")):
        # A provider of credentials brings a session of its own, with which answers are judged by their status alone.
        return Sender(exporter())
    from licet.telemetry.export.http import WatchedSession

    session = WatchedSession(_rejected(settings.signal))
    return Sender(exporter(session=session), session)


def _count_of(signal: str) -> Callable[[Any], int]:
    """What takes out of an answer how many items were not taken."""
    field = _ANSWERS[signal][2]
    return lambda answer: int(getattr(answer.partial_success, field))


def _rejected(signal: str) -> Callable[[bytes], int]:
    """What reads an answer, in either form of OTLP."""
    module, name, _ = _ANSWERS[signal]
    answer: Any = getattr(importlib.import_module(f"opentelemetry.proto.collector.{module}"), name)
    count, json_format = _count_of(signal), importlib.import_module("google.protobuf.json_format")

    def read(body: bytes) -> int:
        if body.lstrip().startswith(b"{"):
            return count(json_format.Parse(body, answer(), ignore_unknown_fields=True))
        return count(answer.FromString(body))

    return read
