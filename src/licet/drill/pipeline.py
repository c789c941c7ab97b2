"""The parts between where a record comes in and where a finding goes out: those that every command runs, held together for a drill.

Nothing here is for drills alone: `licet ingest`, `licet monitor` and `licet findings deliver` call the same functions with the same parts.
A selftest takes one part away.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import BufferedReader
from itertools import groupby
from typing import NamedTuple, cast

from licet.clock import Clock
from licet.drill.guarded import Acted, Guards, Reader, act
from licet.drill.probes import Try, probed
from licet.drill.scenario import PROBE, Declared, Record
from licet.drill.work import Work
from licet.errors import Problem, UsageError
from licet.guard.judge import Check
from licet.ingest.intake import STDIN, Intake
from licet.ingest.own import pages
from licet.ingest.recognised import Source
from licet.ingest.sources import SOURCES
from licet.inventory.exchange import File, taken
from licet.inventory.probing import tried
from licet.inventory.store import Inventory
from licet.monitor.detector import Detector
from licet.monitor.detectors import DETECTORS
from licet.monitor.exits import EXPORTERS, Exporter
from licet.monitor.kept import Kept, kept
from licet.monitor.passes import PASSES, Pass
from licet.monitor.run import Report, monitor
from licet.monitor.world import Settings
from licet.policy import CHECKS_OF_A_CALL


class Parts(NamedTuple):
    """What can be taken away."""

    sources: Mapping[str, Source] = SOURCES
    detectors: Sequence[Detector] = DETECTORS
    passes: Sequence[Pass] = PASSES
    exporters: Mapping[str, Exporter] = EXPORTERS
    tried: Try | None = tried
    checks: Sequence[Check] = CHECKS_OF_A_CALL
    own: Reader | None = pages


class _At(NamedTuple):
    """A clock that stands, for what came in at another time."""

    time: float

    def now(self) -> float:
        """Where it stands."""
        return self.time

    def monotonic(self) -> float:
        """The same."""
        return self.time


class Pipeline:
    """The parts, over one inventory.

    Args:
        fingerprint: of credentials' ids, with the key of the state folder.
        clock: of this machine.
        guards: where agents work; in a folder that is gone afterwards, if nothing is said.
    """

    def __init__(
        self, inventory: Inventory, fingerprint: Callable[[str], str], clock: Clock, parts: Parts | None = None,
        settings: Settings | None = None, *, guards: Guards | None = None,
    ) -> None:  # fmt: skip
        self.inventory, self.fingerprint, self.parts, self.settings = inventory, fingerprint, parts or Parts(), settings or Settings()
        self.guards = guards or Guards()
        self._clock = clock

    def over(self, inventory: Inventory) -> Pipeline:
        """The same parts over another inventory."""
        return Pipeline(inventory, self.fingerprint, self._clock, self.parts, self.settings, guards=self.guards.beside())

    def declare(self, said: Declared) -> None:
        """Take in what is declared, as `licet inventory import` does.

        Raises:
            UsageError: a row cannot be used.
        """
        problems: list[Problem] = []
        taken(self.inventory, File("drill", json.dumps(said).encode(), "json"), self.fingerprint, self._clock.now(), problems.append)
        if problems:
            raise UsageError(f"a drill's declaration cannot be used: {problems[0]}")

    def enter(self, records: Iterable[Record]) -> dict[str, int]:
        """Let records in, as `licet ingest SOURCE -` does; by cause, how many were refused.

        Records of a reader that is not there are lost.
        """
        refused: dict[str, int] = {}
        for (name, account, arrived), run in groupby(records, key=_together):
            together, source = list(run), self.parts.sources.get(name)
            if name == PROBE and self.parts.tried is not None:
                for each in together:
                    probed(self.inventory, each, self.fingerprint, self._clock.now(), tried=self.parts.tried)
            if source is None:
                continue
            clock = _At(arrived) if arrived else self._clock
            intake = Intake(self.inventory, source, self.fingerprint, clock=clock, account=account)
            with tempfile.TemporaryFile() as file:
                file.write(b"".join(each.body + b"\n" for each in together))
                file.seek(0)
                intake.take(STDIN, cast("BufferedReader", file))
            for cause, (number, _) in intake.finish().refused.items():
                refused[cause] = refused.get(cause, 0) + number
        return refused

    def act(self, work: Work) -> Acted:
        """Have an agent do its work through the guard, and let its calls in, as `licet ingest licet` does."""
        return act(
            work, self.inventory, self.fingerprint, self._clock, self.guards, checks=self.parts.checks, read=self.parts.own
        )  # fmt: skip

    def judge(self) -> Report:
        """As `licet monitor` does."""
        lags = {name: source.lag for name, source in self.parts.sources.items()}
        return monitor(
            self.inventory, self.settings, self._clock.now(), detectors=self.parts.detectors, passes=self.parts.passes, lags=lags
        )

    def found(self) -> list[Kept]:
        """The findings that stand."""
        return [each for each in kept(self.inventory) if not each.withdrawn]


def _together(record: Record) -> tuple[str, str, float]:
    """What comes in by one run of `licet ingest`."""
    return record.source, record.account, record.arrived
