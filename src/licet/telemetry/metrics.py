"""The metrics of a guard, over the OpenTelemetry metrics API. No method raises, and none waits for anything but a counter's lock."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, NoOpMeterProvider, Observation

from licet.telemetry import semconv
from licet.telemetry.instruments import (
    DECISIONS,
    DROPPED,
    INSTRUMENTS,
    LEDGER_LAG,
    MINTED,
    MOST,
    REFUSED,
    TOOL_DURATION,
    WAITING,
    Instrument,
)

_log = logging.getLogger("licet.telemetry")


class Metrics:
    """Counts what a guard does. `provider`: where to; None: nowhere. Guards that share a provider share the instruments.

    Names of tools, agents and task kinds are those of the manifest; for a tool that it does not declare, hand in `semconv.OTHER`.
    """

    def __init__(self, provider: MeterProvider | None, version: str) -> None:
        self._version = version
        self._seen: dict[str, set[str]] = {}
        self._source = _Source()
        self.move(provider)

    def move(self, provider: MeterProvider | None) -> None:
        """Go on with another provider: a forked process has one of its own."""
        self._counts: dict[str, Callable[[float, Mapping[str, Any]], None]] = {}
        provider = provider or NoOpMeterProvider()
        with _lock:
            self._observed = _observed.get(provider) or _Observed()
            self._observed.sources.add(self._source)
            for row in INSTRUMENTS.values():
                try:
                    self._create(row, provider.get_meter("licet", self._version))
                # A provider of the application may raise anything; without a metric a guard works as well.
                except Exception:  # noqa: BLE001 - see above
                    _log.warning("there will be no %s: the meter provider cannot be used", row.name, exc_info=True)
            _observed[provider] = self._observed

    def decided(self, outcome: str, judged: str, check: str, tool: str, kind: str, agent: str) -> None:  # noqa: PLR0917 - they are one key
        """Count one decision. `check`: the one that led, or an empty text; `kind`, `agent`: empty outside any task."""
        self._tell(
            DECISIONS, 1,
            {
                semconv.DECISION_OUTCOME: outcome, semconv.DECISION_JUDGED: judged, semconv.DECISION_REASON: check,
                semconv.TOOL_NAME: tool, semconv.TASK_KIND: kind, semconv.AGENT_NAME: agent,
            },
        )  # fmt: skip

    def ran(self, seconds: float, tool: str, agent: str, error_type: str, tool_type: str = "function") -> None:
        """Note how long a tool ran. `error_type`: empty if it succeeded."""
        self._tell(
            TOOL_DURATION, seconds,
            {semconv.TOOL_NAME: tool, semconv.TOOL_TYPE: tool_type, semconv.AGENT_NAME: agent, semconv.ERROR_TYPE: error_type},
        )  # fmt: skip

    def waiting(self, change: int) -> None:
        """`1`: one more call waits for a person; `-1`: one less."""
        self._tell(WAITING, change, {})

    def minted(self, envelope: str) -> None:
        """Count one minted token; `envelope` is `call` or `task`."""
        self._tell(MINTED, 1, {semconv.TOKEN_ENVELOPE: envelope})

    def refused(self, check: str) -> None:
        """Count one refused token, by the check that refused it (`token.time`)."""
        self._tell(REFUSED, 1, {semconv.DECISION_REASON: check})

    def ledger_lag(self, lag: float | Callable[[], float]) -> None:
        """How many seconds the ledger is behind: the latest figure, or what tells it whenever metrics are collected."""
        self._source.lag = lag

    def dropped(self, source: Callable[[], Mapping[str, int]]) -> None:
        """What tells, whenever metrics are collected, how much of each signal (`traces`, `metrics`, `logs`) was not delivered so far."""
        self._source.dropped = source

    def close(self) -> None:
        """Let go of what `dropped` and `ledger_lag` were given. What was dropped stays counted."""
        self._observed.let_go(self._source)

    def _create(self, row: Instrument, meter: Meter) -> None:
        asked = {LEDGER_LAG: self._observed.lag, DROPPED: self._observed.dropped}.get(row.name)
        if asked is not None:
            if row.name not in self._observed.created:
                create = meter.create_observable_gauge if row.kind == "gauge" else meter.create_observable_counter
                create(row.name, [asked], row.unit, row.description)
                self._observed.created.add(row.name)
        elif row.kind == "histogram":
            # The boundaries go with the instrument, so that they hold with a provider of the application as well.
            self._counts[row.name] = meter.create_histogram(
                row.name, row.unit, row.description, explicit_bucket_boundaries_advisory=row.boundaries
            ).record
        elif row.kind == "up-down counter":
            self._counts[row.name] = meter.create_up_down_counter(row.name, row.unit, row.description).add
        else:
            self._counts[row.name] = meter.create_counter(row.name, row.unit, row.description).add

    def _tell(self, name: str, amount: float, attributes: Mapping[str, str]) -> None:
        try:
            if count := self._counts.get(name):
                count(amount, {key: self._few(key, value) for key, value in attributes.items() if value})
        # As above: an instrument of the application's provider may raise anything, and no call may feel that.
        except Exception:  # noqa: BLE001 - see above
            _log.warning("%s could not be counted", name, exc_info=True)

    def _few(self, key: str, value: str) -> str:
        """The value, or `_OTHER` once there have been too many: a class of errors can be made anew for each call."""
        seen = self._seen.setdefault(key, set())
        if value not in seen:
            if len(seen) >= MOST:
                return semconv.OTHER
            seen.add(value)
        return value


class _Source:
    """What one guard tells when it is asked."""

    def __init__(self) -> None:
        self.lag: float | Callable[[], float] | None = None
        self.dropped: Callable[[], Mapping[str, int]] | None = None
        self.last: dict[str, int] = {}  # a source that fails has dropped what it last said

    def drops(self) -> Mapping[str, int]:
        try:
            if self.dropped is not None:
                told = {str(signal): int(number) for signal, number in self.dropped().items() if signal in SIGNALS}
                self.last |= {signal: max(number, self.last.get(signal, 0)) for signal, number in told.items()}  # it never falls
        # Asked by the exporter's thread, which ends by what it is not told to expect.
        except Exception:  # noqa: BLE001 - see above
            _log.warning("what was dropped cannot be told", exc_info=True)
        return self.last

    def behind(self) -> float | None:
        try:
            return float(self.lag()) if callable(self.lag) else self.lag
        except Exception:  # noqa: BLE001 - as above
            _log.warning("the ledger's lag cannot be told", exc_info=True)
            return None


class _Observed:
    """What is asked for when metrics are collected. One for each provider: a second callback of one name would never be called."""

    def __init__(self) -> None:
        self.sources: set[_Source] = set()
        self.created: set[str] = set()
        self._before: dict[str, int] = {}  # of guards that are closed

    def let_go(self, source: _Source) -> None:
        drops = source.drops()
        with _lock:
            if source in self.sources:
                self._before = _sum([self._before, drops])
                self.sources.discard(source)

    def lag(self, _options: CallbackOptions) -> Iterator[Observation]:
        """The longest of all guards."""
        with _lock:
            sources = tuple(self.sources)
        lags = [found for source in sources if (found := source.behind()) is not None]
        if lags:
            yield Observation(max(lags))

    def dropped(self, _options: CallbackOptions) -> Iterator[Observation]:
        """The sum over all guards, the closed ones included."""
        with _lock:
            sources, before = tuple(self.sources), self._before
        for signal, number in _sum([before, *(source.drops() for source in sources)]).items():
            yield Observation(number, {semconv.TELEMETRY_SIGNAL: signal})


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in counts:
        for signal, number in each.items():
            total[signal] = total.get(signal, 0) + number
    return total


SIGNALS = semconv.ATTRIBUTES[semconv.TELEMETRY_SIGNAL].values
_observed: weakref.WeakKeyDictionary[MeterProvider, _Observed] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def _anew() -> None:
    """The lock may have been held, by a thread that the new process does not have."""
    global _lock  # noqa: PLW0603 - see above
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_anew)
