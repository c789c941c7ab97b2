"""The ways out of the inventory: how a finding is written for others, and where it can go. What the commands use, and what a drill tries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from licet.monitor.kept import Kept
from licet.monitor.ocsf import About, finding_event
from licet.monitor.told import finding_data
from licet.version import VERSION

Exporter = Callable[[Kept, About], dict[str, Any]]
"""Writes one finding as data."""


def _json(kept: Kept, about: About) -> dict[str, Any]:  # noqa: ARG001 - of all exporters
    return finding_data(kept.finding, "withdrawn" if kept.withdrawn else "open")


def _ocsf(kept: Kept, about: About) -> dict[str, Any]:
    return finding_event(kept.finding, "withdrawn" if kept.withdrawn else "open", kept.updated, about, VERSION)


EXPORTERS: Final[Mapping[str, Exporter]] = {"json": _json, "ocsf": _ocsf}
"""By the option of `licet findings` that asks for it."""

SINKS: Final = ("webhook", "otlp")
"""Where `licet findings deliver` can hand findings to."""
