"""One span per call: `execute_tool` under `invoke_agent`, by the OpenTelemetry GenAI conventions. Never raises, never blocks a call."""

from licet.telemetry.spans import NOWHERE, CallSpan, Position, Telemetry

__all__ = ["NOWHERE", "CallSpan", "Position", "Telemetry"]
