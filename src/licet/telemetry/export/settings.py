"""What the standard environment variables of OpenTelemetry say about each signal's way out. Reading them never fails: it warns."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from licet.escape import visible

_log = logging.getLogger("licet.telemetry")

Signal: TypeAlias = Literal["traces", "metrics", "logs"]
SIGNALS: tuple[Signal, ...] = ("traces", "metrics", "logs")

# Defaults of ours, where the environment says nothing: small batches, often. What is encoded and sent holds up calls in other threads, and
# the SDK's 512 items at a time hold them up for long (benchmarks/outage.py); and what waits is lost with a process that is killed.
BATCH, DELAY, QUEUE = 16, 500, 2048  # items, milliseconds, items
_BATCHES: Mapping[Signal, str] = {"traces": "OTEL_BSP", "logs": "OTEL_BLRP"}
GRPC, _HTTP = "grpc", "http/protobuf"


@dataclass(frozen=True, slots=True)
class Settings:
    """How one signal leaves. `queue`, `batch` (items), `delay` (milliseconds): for spans and log records."""

    signal: Signal
    endpoint: str
    protocol: str
    queue: int = QUEUE
    batch: int = BATCH
    delay: int = DELAY

    @property
    def where(self) -> str:
        """The endpoint for people: without user and password, path and query, which may hold a key."""
        try:
            parts = urlsplit(self.endpoint if "//" in self.endpoint else f"//{self.endpoint}")
            host, port = parts.hostname or "", parts.port
        except ValueError:
            return "an endpoint that is no URL"
        host = f"[{host}]" if ":" in host else host
        return visible(f"{parts.scheme}{'://' if parts.scheme else ''}{host}{f':{port}' if port else ''}", 200)


def settings_of(signal: Signal, environment: Mapping[str, str] = os.environ) -> Settings | None:
    """The settings of one signal; None where it does not leave: no endpoint, `none` as its exporter, or OTEL_SDK_DISABLED."""
    upper = signal.upper()

    def said(*names: str) -> str:
        return next((value for name in names if (value := environment.get(name, "").strip())), "")

    if said("OTEL_SDK_DISABLED").lower() == "true" or not _by_otlp(f"OTEL_{upper}_EXPORTER", said(f"OTEL_{upper}_EXPORTER")):
        return None
    endpoint = said(f"OTEL_EXPORTER_OTLP_{upper}_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    if not endpoint:
        return None
    protocol = said(f"OTEL_EXPORTER_OTLP_{upper}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL") or _HTTP
    if protocol not in (GRPC, _HTTP):
        _log.warning(
            "licet: %s go out by %s: there is no OTEL_EXPORTER_OTLP_PROTOCOL %r; set it to %s or %s",
            signal, _HTTP, visible(protocol, 40), _HTTP, GRPC,
        )  # fmt: skip
        protocol = _HTTP
    if signal not in _BATCHES:
        return Settings(signal, endpoint, protocol)
    prefix = _BATCHES[signal]
    queue = _positive(environment, f"{prefix}_MAX_QUEUE_SIZE", QUEUE)
    batch = _positive(environment, f"{prefix}_MAX_EXPORT_BATCH_SIZE", min(BATCH, queue))
    if batch > queue:
        _log.warning("licet: %s_MAX_EXPORT_BATCH_SIZE is above %s_MAX_QUEUE_SIZE; %d holds for both", prefix, prefix, queue)
        batch = queue
    return Settings(signal, endpoint, protocol, queue, batch, _positive(environment, f"{prefix}_SCHEDULE_DELAY", DELAY))


def _by_otlp(name: str, value: str) -> bool:
    named = [each.strip() for each in value.split(",") if each.strip()] or ["otlp"]
    if strange := [each for each in named if each not in ("otlp", "none")]:
        _log.warning(
            "licet: %s=%s: Licet exports by OTLP alone. Set it to otlp or none, or set up OpenTelemetry in the application: its providers"
            " are used", name, visible(",".join(strange), 80),
        )  # fmt: skip
    return "otlp" in named and "none" not in named


def _positive(environment: Mapping[str, str], name: str, default: int) -> int:
    value = environment.get(name, "").strip()
    if not value:
        return default
    try:
        number = int(value) if len(value) <= 18 else 0
    except ValueError:
        number = 0
    if number <= 0:
        _log.warning("licet: %s is %r, which is no number above 0; %d holds", name, visible(value, 40), default)
        return default
    return number
