"""What the SDK and its HTTP client say about each try of our exporters, kept from the terminal.

Each failed try is one or more warnings of the SDK, some with a traceback, and where the application has not set up logging they all go to
stderr. In our exporters' threads, and nowhere else, these loggers are heard only where they are set to DEBUG. In their place stand one
line of ours when it begins to fail, and one when it ends (`Trouble`), by the logger `licet.telemetry`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGERS = (
    *(f"opentelemetry.exporter.otlp.proto.{way}" for way in ("http", "http._common", "grpc", "grpc.exporter")),
    *(f"opentelemetry.exporter.otlp.proto.{way}.{kind}_exporter" for way in ("http", "grpc") for kind in ("trace", "_log", "metric")),
    "opentelemetry.exporter.otlp.common.http",
    *(f"opentelemetry.exporter.otlp.proto.common._internal{part}" for part in ("", ".trace_encoder", ".metrics_encoder", "._log_encoder")),
    *(
        "opentelemetry.sdk._shared_internal",
        "opentelemetry.sdk.trace",
        "opentelemetry.sdk.trace.export",
        "opentelemetry.sdk._logs._internal",
    ),
    *("opentelemetry.sdk._logs._internal.export", "opentelemetry.sdk.metrics._internal", "opentelemetry.sdk.metrics._internal.export"),
    *("urllib3.connectionpool", "urllib3.connection", "urllib3.response", "urllib3.util.retry", "requests"),
)


class _Here(threading.local):
    ours = False


_here = _Here()


class _Ours(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if not _here.ours:
            return True
        return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)


_filter = _Ours()


def hush() -> None:
    """Once exporters are made: their loggers are heard in our threads only at DEBUG."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_filter)  # of a filter that is there already, nothing comes


@contextmanager
def hushed() -> Iterator[None]:
    """What the running thread does in here is an export of ours."""
    before, _here.ours = _here.ours, True
    try:
        yield
    finally:
        _here.ours = before
