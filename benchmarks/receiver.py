"""A receiver of OTLP over HTTP that writes spans to a file as the Collector does: `python benchmarks/receiver.py PORT FILE`."""

from __future__ import annotations

import gzip
import json
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from exported import as_json


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    file: Path
    gate = threading.Condition()
    answering = 0
    closing = False

    def do_POST(self) -> None:
        with self.gate:
            if _Handler.closing:  # neither kept nor answered
                self.close_connection = True
                return
            _Handler.answering += 1
        try:
            self._answer()
        finally:
            with self.gate:
                _Handler.answering -= 1
                self.gate.notify_all()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if self.path == "/v1/traces":
            with self.file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(as_json(ExportTraceServiceRequest.FromString(body))) + "\n")
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


def main() -> None:
    """Serve until SIGTERM; a request that is being answered is answered."""
    _Handler.file = Path(sys.argv[2])
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        server.serve_forever()
    finally:
        # What is written and not answered would be counted as dropped by its sender, and would have arrived.
        with _Handler.gate:
            _Handler.closing = True
            _Handler.gate.wait_for(lambda: _Handler.answering == 0, 5)


if __name__ == "__main__":
    main()
