"""Findings as log events over OTLP, handed over one by one, so that of each it is known whether it was taken."""

from __future__ import annotations

from typing import Final

from licet.errors import UsageError
from licet.monitor.deliveries import Message, Reply
from licet.telemetry.events import Events
from licet.telemetry.export.pipeline import Pipeline, own_pipeline
from licet.telemetry.export.settings import settings_of
from licet.version import VERSION

SIGNAL: Final = "logs"


class LogEvents:
    """Log events `licet.finding`, to where the environment's variables say.

    Raises:
        UsageError: they say nothing.
    """

    def __init__(self, environment: str = "unknown") -> None:
        settings = settings_of(SIGNAL)
        if settings is None:
            raise UsageError("log events go nowhere: set OTEL_EXPORTER_OTLP_ENDPOINT (or OTEL_EXPORTER_OTLP_LOGS_ENDPOINT)")
        self.shown = settings.where
        self.name = f"otlp {self.shown}"
        self._pipeline: Pipeline = own_pipeline(VERSION, environment, [SIGNAL])
        self._events = Events(self._pipeline.logger_provider, VERSION)

    def send(self, message: Message, now: float) -> Reply:  # noqa: ARG002 - of a sink
        """Emit one, and wait until it was taken or given up."""
        before = self._pipeline.delivered().get(SIGNAL, 0)
        self._events.finding(message.finding, status="withdrawn" if message.kind == "withdrawn" else "open")
        self._pipeline.flush()
        if self._pipeline.delivered().get(SIGNAL, 0) > before:
            return Reply(taken=True)
        return Reply(taken=False, why=f"{self.shown}: did not take a log event; check the endpoint, and that it is up")

    def close(self) -> None:
        """Let go of the exporter."""
        self._pipeline.close()
