"""The gRPC client that our OTLP exporters send with: it sees what the receiver really did.

The SDK's exporter throws the answer away, in which the receiver says how much it did not take, and says why a try failed in its log alone.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

grpc: Any = importlib.import_module("grpc")  # it has no types

# What the library says of a connection that came to nothing, and what is said of it here; a receiver's own words are not repeated.
_CAUSES = {
    "Connection refused": "Connection refused",
    "Connection reset": "Connection reset by peer",
    "Socket closed": "Connection reset by peer",
    "DNS resolution failed": "Name or service not known",
    "Domain name not found": "Name or service not known",
    "CERTIFICATE_VERIFY_FAILED": "certificate verify failed",
    "WRONG_VERSION_NUMBER": "wrong version number",
    "Failed parsing HTTP/2": "what answered speaks no HTTP/2",
    "Trying to connect an http1.x server": "what answered speaks no HTTP/2",
}


class WatchedClient:
    """Puts itself between an exporter and its client, of which it makes a new one where a connection is lost."""

    def __init__(self, exporter: Any, rejected: Callable[[Any], int]) -> None:
        self.said = ""
        """What came of the last request, in few words; empty after a success."""
        self.rejected = 0
        """How many items of the last request the receiver did not take, although it took the request."""
        self._rejected, self._stub = rejected, exporter._stub
        exporter._stub = lambda *args, **options: _Watched(self, self._stub(*args, **options))
        exporter._client = _Watched(self, exporter._client)

    def answered(self, answer: Any) -> None:
        """A request was taken."""
        self.rejected = max(0, self._rejected(answer))
        self.said = "the receiver took a part only" if self.rejected else ""

    def failed(self, error: Any) -> None:
        """A try came to nothing."""
        self.rejected, self.said = 0, _cause(error)


class _Watched:
    def __init__(self, watch: WatchedClient, client: Any) -> None:
        self._watch, self._client = watch, client

    def Export(self, *args: Any, **options: Any) -> Any:  # noqa: N802 - the service's name
        try:
            answer = self._client.Export(*args, **options)
        except grpc.RpcError as error:
            self._watch.failed(error)
            raise
        self._watch.answered(answer)
        return answer


def _cause(error: Any) -> str:
    code, details = error.code(), str(error.details() or "")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return "no answer in time"
    if code is grpc.StatusCode.UNAVAILABLE:
        return next((said for word, said in _CAUSES.items() if word in details), "UNAVAILABLE")
    return str(code.name)
