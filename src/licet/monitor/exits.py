"""The ways out of the inventory: how a finding is written for others, and where it can go. What commands use, and what a drill tries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any, Final

from licet.monitor.deliveries import Sink
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


Opener = Callable[[str, bytes], AbstractContextManager[Sink]]
"""Opens a sink, by an address and the secret that is shared with it, where it is told of them here."""


@contextmanager
def _webhook(url: str, secret: bytes) -> Iterator[Sink]:
    from licet.monitor.webhook import Webhook

    yield Webhook(url, secret)


@contextmanager
def _otlp(url: str, secret: bytes) -> Iterator[Sink]:  # noqa: ARG001 - the usual environment variables say where it goes
    from licet.monitor.otlp import LogEvents

    with closing(LogEvents()) as sink:
        yield sink


SINKS: Final[Mapping[str, Opener]] = {"webhook": _webhook, "otlp": _otlp}
"""Where `licet findings deliver` can hand findings to."""
