"""One run of a guard whose application exports all three signals over OTLP/HTTP, as the receiver on loopback got it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from exported import Receiver
from licet import Denied
from licet.telemetry.read_logs import logs_of
from licet.telemetry.read_metrics import metrics_of
from licet.telemetry.reader import BadSpan, Item, ReadSpan, spans_of
from licet.testing import guard_for

Data = dict[str, Any]
RESOURCE = {"service.name": "shop", "service.version": "1", "deployment.environment.name": "dev"}
MANIFEST = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents:
  bot: {owner: o, tasks: [work]}
tools:
  note: {access: read, egress: false}
  send: {access: write, egress: true, arguments: {to: {origin: [intent, trusted, nowhere]}}}
tasks:
  work: {intent: Work, ttl: 10m, tools: {note: {}, send: {ask: true, arguments: {to: {pattern: '[a-z]+@acme\\.example'}}}}}
"""


class Providers:
    """The application's providers of the three signals, which export to a receiver."""

    def __init__(self, url: str) -> None:
        resource = Resource(RESOURCE)
        self.traces = TracerProvider(resource=resource)
        self.traces.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces")))
        self.logs = LoggerProvider(resource=resource)
        self.logs.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(f"{url}/v1/logs")))
        reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{url}/v1/metrics"), export_interval_millis=3_600_000)
        self.metrics = MeterProvider([reader], resource=resource)

    def close(self) -> None:
        for provider in (self.traces, self.logs, self.metrics):
            provider.shutdown()


def run(folder: Path) -> Data:
    """Allowed, approved, refused, failed and denied calls, one of a tool that the manifest does not know, and one outside any task."""
    receiver = Receiver()
    providers = Providers(receiver.url)
    (folder / "licet.yaml").write_text(MANIFEST, encoding="utf-8")
    answers = iter([True, False])
    try:
        with guard_for(
            folder / "licet.yaml", folder, approver=lambda _request: next(answers), tracer_provider=providers.traces,
            meter_provider=providers.metrics, logger_provider=providers.logs,
        ) as guard:  # fmt: skip

            def failing(text: str = "") -> str:
                if text:
                    raise ValueError(text)
                return "noted"

            note = guard.wrap(failing, name="note")
            send, unknown = guard.wrap(lambda to: to, name="send"), guard.wrap(lambda: None, name="delete_all")
            with guard.task("work", agent="bot", principal="user:grace", intent="x"):
                note()
                send("ada@acme.example")
                with pytest.raises(ValueError, match="fail"):
                    note("fail")
                for denied in (lambda: send("bob@acme.example"), lambda: send("eve@evil.example"), unknown):
                    with pytest.raises(Denied):
                        denied()
            with pytest.raises(Denied):
                note()
            guard._telemetry.metrics.refused("token.time")
            guard._telemetry.metrics.dropped(lambda: {"traces": 2, "logs": 0})
            providers.metrics.force_flush()
    finally:
        providers.close()
        receiver.close()
    merged: Data = {}
    for request in (*receiver.received, *receiver.metrics[:1], *receiver.logs):
        for key, value in request.items():
            merged.setdefault(key, []).extend(value)
    return merged


def items(data: Data) -> list[Item]:
    """Everything in well-formed data."""
    found: list[Item] = [
        *(spans_of(data, "here:1") if "resourceSpans" in data else ()),
        *metrics_of(data, "here:1"),
        *logs_of(data, "here:1"),
    ]
    assert not [each for each in found if isinstance(each, BadSpan)], found
    return found


def only_spans(data: Data) -> list[ReadSpan]:
    return [each for each in items(data) if isinstance(each, ReadSpan)]
