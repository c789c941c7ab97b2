"""How much came of each source and account, how fresh it is and how well it is attributed."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final

from licet.events import LifecycleEvent, UseEvent

OLD: Final = 7 * 86_400.0
"""Seconds: what is older when it is taken in came from an archive, and not live."""

_HOUR: Final = 3_600
_KEPT_FOR: Final = 400 * 24  # hours


class Counts:
    """The counts of one step."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._sources: dict[tuple[str, str], list[float]] = {}
        self._at: tuple[str, str] | None = None
        self._last: list[float] = []
        self._hours: dict[tuple[str, str], set[float]] = {}
        self._hour: set[float] = set()

    def used(self, event: UseEvent) -> None:
        """One more use."""
        source, account, time = event.source, event.account, event.time
        if (source, account) != self._at:
            self._at = (source, account)
            self._last = self._of(source, account)
            self._hour = self._hours.setdefault((source, account), set())
        self._hour.add(time // _HOUR)
        counts = self._last
        if time < counts[0]:  # noqa: PLR1730 - it runs for every use
            counts[0] = time
        if time > counts[1]:  # noqa: PLR1730
            counts[1] = time
        counts[2] += 1
        if event.identity_kind == "service":
            counts[6] += 1
        else:
            counts[4] += event.credential != ""
            counts[5] += event.workload != ""

    def happened(self, event: LifecycleEvent) -> None:
        """One more lifecycle event."""
        counts = self._of(event.source, event.account)
        if event.time:  # what has none held before anybody wrote it down
            counts[0], counts[1] = min(counts[0], event.time), max(counts[1], event.time)

    def again(self, event: UseEvent | LifecycleEvent) -> None:
        """One that stood there already."""
        self._of(event.source, event.account)[3] += 1

    def _of(self, source: str, account: str) -> list[float]:
        found = self._sources.get((source, account))
        if found is None:  # first, last, events, again, with a credential, with a workload, of the platform's own services
            self._sources[source, account] = found = [float("inf"), float("-inf"), 0, 0, 0, 0, 0]
        return found

    def write(self, passed: Mapping[str, int], now: float) -> None:
        """Write them down. `passed`: by source, how many records were none of our affair. `now` 0: not known, as live."""
        self._live(now)
        for source in passed:
            self._of(source, "")
        for (name, account), (first, last, events, again, credential, workload, services) in self._sources.items():
            of_passed = passed.get(name, 0) if not account else 0
            self._db.execute(
                # How old the newest record was, at the least, when it was taken in: of an inventory that did not note it that is 0.
                "INSERT INTO sources VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?12,?9,?10,?11) ON CONFLICT DO UPDATE SET first=min(first, ?3),"
                " last=max(last, ?4), gap=min(gap, ?12), events=events+?5, again=again+?6, passed=passed+?7, intake=?8,"
                " credential=credential+?9, workload=workload+?10, services=services+?11",
                (name, account, first, last, events, again, of_passed, now, credential, workload, services, now - last),
            )

    def _live(self, now: float) -> None:
        """In which hours something was used of which it is known that it came live: only what lies between those is a pause."""
        first = (now - OLD) / _HOUR
        for pair, hours in self._hours.items():
            if new := [(*pair, int(hour)) for hour in sorted(hours) if hour >= first]:
                self._db.executemany("INSERT OR IGNORE INTO live VALUES (?,?,?)", new)
                self._db.execute("DELETE FROM live WHERE source=? AND account=? AND hour<?", (*pair, int(first) - _KEPT_FOR))
