"""Whose telemetry it is: the resource of our own providers."""

from __future__ import annotations

import re
import sys
import uuid
from pathlib import Path

from opentelemetry.sdk.resources import OTELResourceDetector, Resource

from licet.secretlike import secret_in

_UNKNOWN = "unknown_service"
_PROGRAM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def resource_of(version: str, environment: str) -> Resource:
    """What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say, and ours for what they leave open.

    The service is the agent's program, and its version is for the agent to say: Licet's own is that of the distribution, as it is that of
    the scope. https://opentelemetry.io/docs/specs/semconv/resource/
    """
    names = {
        "service.name": unnamed_service(), "service.instance.id": str(uuid.uuid4()), "deployment.environment.name": environment,
        "telemetry.distro.name": "licet", "telemetry.distro.version": version,
    }  # fmt: skip
    said = OTELResourceDetector().detect().attributes
    return Resource.create({name: value for name, value in names.items() if value and name not in said})


def unnamed_service(arguments: list[str] | None = None, executable: str | None = None) -> str:
    """`unknown_service:my_agent` where nobody has named the service: OpenTelemetry's rule, with the program's name in place of the
    interpreter's, which all agents share. `arguments` and `executable` are those of `sys`.
    """
    program = Path(next(iter(sys.argv if arguments is None else arguments), ""))
    named = program.parent.name if program.stem == "__main__" else program.stem
    for name in (named, Path(sys.executable or "" if executable is None else executable).stem):
        if _PROGRAM.fullmatch(name) and not secret_in(name):
            return f"{_UNKNOWN}:{name}"
    return _UNKNOWN
