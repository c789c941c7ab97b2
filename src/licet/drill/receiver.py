"""A sink's other side, on this machine: it takes what a webhook posts and what OTLP exports, and knows whether a finding came whole.

Where nobody named a sink, a drill ends here: over a real socket, with a signature that is checked.
"""

from __future__ import annotations

import hmac
import json
import os
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from licet.monitor.deliveries import Message, Reply, Sink
from licet.monitor.webhook import signature

_LONGEST = 8 * 1024 * 1024

OWN_RECEIVER: Final = "own receiver"
"""The sink where nobody named one: the drill's own, on this machine. It proves the way to a sink, and no sink of anybody's."""


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

    def has(self, words: Collection[str]) -> bool:
        """Whether something came that has all of these in it."""
        came = [
            *(json.dumps(each, ensure_ascii=False) for each in self.messages.values()),
            *(each.decode("utf-8", "replace") for each in self.logs),
        ]
        return any(all(word in text for word in words) for text in came)

    def forget(self) -> None:
        """What came until now."""
        self.messages.clear()
        self.logs.clear()


class Watched:
    """A sink whose word is held against what came to the receiver: each finding whole, with its reasons.

    Args:
        name: what its rows stand under; of the sink itself where it is empty.
    """

    def __init__(self, sink: Sink, receiver: Receiver, name: str = "") -> None:
        self.name, self._sink, self._receiver = name or sink.name, sink, receiver

    def by(self, sink: Sink) -> Watched:
        """The same way, and another sink at its beginning."""
        return Watched(sink, self._receiver, f"{self.name} {sink.name}")

    def send(self, message: Message, now: float) -> Reply:
        """Hand it over, and look."""
        self._receiver.forget()
        reply = self._sink.send(message, now)
        why = message.finding.explanation
        if reply.taken and not self._receiver.has((message.finding.id, *(why.codes if why is not None else ()))):
            return Reply(taken=False, why=f"{self.name}: says that it has a finding, and it did not come")
        return reply


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
