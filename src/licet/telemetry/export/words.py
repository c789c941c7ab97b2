"""What to do where something is not delivered: a sentence for each cause that we know."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from licet.telemetry.export.settings import GRPC, Settings

FULL = "more came than could be sent"
_GENERAL = "OTEL_EXPORTER_OTLP_ENDPOINT"
_NOBODY = f"Start the collector there, correct {_GENERAL}, or unset it"
# Of the connection; whatever the port is, nothing was said to it.
_NOT_REACHED = ("Connection refused", "Name or service not known", "No address associated", "Network is unreachable", "No route to host")
_HUNG_UP = ("Connection reset by peer", "Broken pipe", "RemoteDisconnected", "BadStatusLine", "what answered speaks no HTTP/2")


def cause(settings: Settings, why: str) -> str:
    """Why something was not delivered: a mistake in the endpoint itself goes before what a library made of it."""
    return "no http:// or https:// before it" if _without_scheme(settings) else why


def remedy(settings: Settings, why: str) -> str:
    """What to do about it, without the full stop."""
    by_grpc, port = settings.protocol == GRPC, _port(settings)
    status = found[1] if (found := re.match(r"HTTP (\d{3})", why)) else why
    if _without_scheme(settings):
        return f"Write http://{settings.where.partition('://')[2] or settings.where} in {_GENERAL}"
    if why == FULL:
        prefix = {"traces": "OTEL_BSP", "logs": "OTEL_BLRP"}.get(settings.signal, "OTEL_BSP")
        return f"Raise {prefix}_MAX_QUEUE_SIZE, or {prefix}_MAX_EXPORT_BATCH_SIZE"
    if why in _NOT_REACHED:
        return _NOBODY
    if not by_grpc and (why in _HUNG_UP or (port == 4317 and status != "401")):
        return "Is it the port for gRPC? Then set OTEL_EXPORTER_OTLP_PROTOCOL=grpc, else name the port for HTTP, mostly 4318"
    if by_grpc and (why in _HUNG_UP or port == 4318):
        return "Is it the port for HTTP? Then set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, else name the port for gRPC, mostly 4317"
    return _of_answer(settings, why, status)


def _of_answer(settings: Settings, why: str, status: str) -> str:
    """Somebody is there, and does not take it."""
    if status in ("401", "403", "UNAUTHENTICATED", "PERMISSION_DENIED"):
        return "Put the credentials that it asks for into OTEL_EXPORTER_OTLP_HEADERS (`authorization=...`)"
    if status in ("404", "405") and settings.protocol != GRPC:
        path = f"/v1/{settings.signal}"
        return f"Leave {path} out of {_GENERAL}, behind which it is put, or name the whole address in {_of_signal(settings)}"
    if status in ("404", "405", "UNIMPLEMENTED"):
        return f"It takes no {settings.signal}: let it, or set OTEL_{settings.signal.upper()}_EXPORTER=none"
    if status in ("429", "502", "503", "504", "RESOURCE_EXHAUSTED"):
        return "The collector takes no more at present: see its log, and what it sends to"
    if why.endswith("took a part only"):
        return "See the collector's log for what it does not take"
    if "wrong version number" in why.lower():
        return f"It speaks no TLS: write http:// in {_GENERAL}"
    if "certificate" in why.lower():
        return "Name the file with its authority's certificate in OTEL_EXPORTER_OTLP_CERTIFICATE"
    if status.isdecimal() or "web page" in why:
        return f"Something else than a collector may be there: name the collector in {_GENERAL}, or unset it"
    return _NOBODY


def _without_scheme(settings: Settings) -> bool:
    return settings.protocol != GRPC and not re.match(r"(?i)https?://", settings.endpoint)


def _of_signal(settings: Settings) -> str:
    return f"OTEL_EXPORTER_OTLP_{settings.signal.upper()}_ENDPOINT"


def _port(settings: Settings) -> int | None:
    try:
        return urlsplit(settings.endpoint if "//" in settings.endpoint else f"//{settings.endpoint}").port
    except ValueError:
        return None
