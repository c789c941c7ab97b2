"""A sink's other side, on this machine: it takes what a webhook posts and what OTLP exports, and knows whether a finding came whole.

Where nobody named a sink, a drill ends here: over a real socket, with a signature that is checked.
"""

from __future__ import annotations

import hmac
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from licet.monitor.webhook import signature

_LONGEST = 8 * 1024 * 1024


class Receiver:
    """What came: by the id of a message, the finding; of OTLP, the bodies as they came."""

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self.url = ""
        self.messages: dict[str, Any] = {}
        self.refused = 0
        self.logs: list[bytes] = []

    def post(self, headers: Any, body: bytes) -> int:
        """A request: the status that answers it."""
        if headers.get("webhook-id") is None:
            self.logs.append(body)
            return 200
        uid, stamp = str(headers["webhook-id"]), str(headers.get("webhook-timestamp", ""))
        wanted = signature(self.secret, uid, int(stamp), body) if stamp.isdecimal() else ""
        if not wanted or not hmac.compare_digest(wanted, str(headers.get("webhook-signature", ""))):
            self.refused += 1
            return 401
        self.messages[uid] = json.loads(body)
        return 204


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that listens on a port of 127.0.0.1 which the system chooses."""
    receiver = Receiver(os.urandom(32))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > _LONGEST:
                self.send_error(413)
                return
            self.send_response(receiver.post(self.headers, self.rfile.read(int(length))))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Not on standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="licet-drill-sink", daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/findings"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
