"""What leaves a process: a receiver of OTLP over HTTP on loopback, and the JSON lines that the Collector would write of it."""

from __future__ import annotations

import base64
import gzip
import json
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan

from licet.telemetry.reader import ReadSpan, spans_of

_IDS = ("traceId", "spanId", "parentSpanId")


def as_json(message: Any) -> dict[str, Any]:
    """A request of the protocol in its JSON form, in which ids are hex; protobuf's own JSON has them in base64."""
    data: dict[str, Any] = _hex(MessageToDict(message, use_integers_for_enums=True))
    return data


def _hex(value: Any) -> Any:
    if isinstance(value, list):
        return [_hex(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {key: base64.b64decode(each).hex() if key in _IDS else _hex(each) for key, each in value.items()}


def of_sdk(spans: Iterable[ReadableSpan]) -> dict[str, Any]:
    """What the SDK's exporter would send of its spans."""
    return as_json(encode_spans(list(spans)))


def read(data: dict[str, Any], place: str = "here:1") -> list[ReadSpan]:
    """The spans of well-formed data."""
    found = list(spans_of(data, place))
    assert all(isinstance(each, ReadSpan) for each in found), found
    return [each for each in found if isinstance(each, ReadSpan)]


class Receiver:
    """Takes spans, metrics and log records at `url`, which goes into OTEL_EXPORTER_OTLP_ENDPOINT, until `close`.

    `received` are the requests with spans; `bodies` what came, as it came, of whatever signal.
    """

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.metrics: list[dict[str, Any]] = []
        self.logs: list[dict[str, Any]] = []
        self.bodies: list[tuple[str, bytes]] = []
        bodies, taken = self.bodies, {
            "/v1/traces": (ExportTraceServiceRequest, self.received),
            "/v1/metrics": (ExportMetricsServiceRequest, self.metrics),
            "/v1/logs": (ExportLogsServiceRequest, self.logs),
        }  # fmt: skip

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                bodies.append((self.path, body))
                request, into = taken[self.path]
                into.append(as_json(request.FromString(body)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def write(self, path: Path) -> None:
        """One line per request, as the Collector's file exporter does, of all signals."""
        everything = (*self.received, *self.metrics, *self.logs)
        path.write_text("".join(json.dumps(each) + "\n" for each in everything), encoding="utf-8")

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
