"""The metrics of a process in which there is no guard: a tool's side, which verifies tokens and does nothing else of ours."""

from __future__ import annotations

import functools

from opentelemetry import metrics

from licet.telemetry.export import own_pipeline
from licet.telemetry.metrics import Metrics
from licet.telemetry.spans import applications
from licet.version import VERSION


@functools.cache
def process_metrics() -> Metrics:
    """Made at its first use: to the application's meter provider, else by OTLP as the environment says, else nowhere."""
    theirs = applications(metrics.get_meter_provider())
    if theirs is not None:
        return Metrics(theirs, VERSION)
    own = own_pipeline(VERSION, "", ["metrics"])
    found = Metrics(own.meter_provider, VERSION)
    own.after_fork(lambda: found.move(own.meter_provider))
    return found
