"""One span per call: `execute_tool` under `invoke_agent`, by the OpenTelemetry GenAI conventions. Never raises, never blocks a call."""

from licet.telemetry.spans import CallSpan, Telemetry

__all__ = ["CallSpan", "Telemetry"]
