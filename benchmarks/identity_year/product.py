"""A generated year through Licet: its readers, its inventory, its monitor."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from licet.errors import Problem
from licet.events import LifecycleEvent, UseEvent
from licet.ingest.intake import Intake
from licet.ingest.sources import SOURCES, source_of
from licet.inventory.declared import SOURCE
from licet.inventory.exchange import File, taken
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.store import Inventory
from licet.lines import opened
from licet.monitor.kept import kept
from licet.monitor.run import monitor
from licet.monitor.world import Settings
from licet.records import Finding

STREAMS = (
    ("cloudtrail", "", "cloudtrail/*"), ("kubernetes", "eks-prod", "kubernetes/eks-prod/*"),
    ("kubernetes", "eks-stage", "kubernetes/eks-stage/*"), ("kubernetes", "eks-dev", "kubernetes/eks-dev/*"), ("github", "", "github/*"),
    ("okta", "", "okta/*"), ("entra", "", "entra/*/*"), ("lifecycle", "", "lifecycle.jsonl"),
)  # fmt: skip
FINGERPRINTS = Fingerprints(b"the secret of a benchmark's state")


class At:
    """A clock that stands still."""

    def __init__(self, time: float) -> None:
        self._time = time

    def now(self) -> float:
        return self._time

    def monotonic(self) -> float:
        return self._time


def ingest(year: Path, inventory: Inventory, now: float) -> dict[str, int]:
    """All logs of a year into an inventory. How many records there were of each source, and how many of all were refused."""
    counts: dict[str, int] = {"refused": 0}
    for name, account, pattern in STREAMS:
        intake = Intake(inventory, source_of(name), FINGERPRINTS.of, clock=At(now), account=account)
        for path in sorted(year.glob(pattern)):
            with opened(path) as file:
                intake.take(str(path), file)
        report = intake.finish()
        counts[name] = counts.get(name, 0) + report.records
        counts["refused"] += sum(number for number, _ in report.refused.values())
    return counts


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


class Refused(ValueError):
    """The inventory's file has rows that cannot be used."""


def declare(inventory: Inventory, said: dict[str, Any], now: float, concerned: Callable[[str], bool] = lambda _: True) -> None:
    """What `inventory.json` says, or of it what concerns some identities and credentials (by uid and fingerprint).

    Raises:
        Refused: a row cannot be used.
    """
    # Somebody has an owner, else nobody keeps book of owners.
    identities = [row for number, row in enumerate(said["identities"]) if not number or concerned(row["identity"])]
    credentials = [row for row in said["credentials"] if concerned(row["identity"]) or concerned(FINGERPRINTS.of(row["credential"]))]
    raw = json.dumps(said | {"identities": identities, "credentials": credentials}).encode()
    problems: list[Problem] = []
    taken(inventory, File("inventory.json", raw, "json"), FINGERPRINTS.of, now, problems.append)
    if problems:
        raise Refused(f"{len(problems)} rows of the inventory cannot be used, the first: {problems[0]}")


def watch(inventory: Inventory, now: float) -> list[Finding]:
    """What the monitor finds, now that it has seen all of it."""
    monitor(inventory, Settings(), now, lags={name: source.lag for name, source in SOURCES.items()})
    return [each.finding for each in kept(inventory) if not each.withdrawn]


def events_of(inventory: Inventory, identities: Iterable[str]) -> tuple[list[UseEvent], list[LifecycleEvent]]:
    """All events of some identities."""
    uses: dict[str, UseEvent] = {}
    lifecycle: dict[str, LifecycleEvent] = {}
    for uid in identities:
        uses |= {each.uid: each for each in inventory.uses(uid)}
        lifecycle |= {each.uid: each for each in inventory.lifecycle_of(uid) if each.source != SOURCE}
    return list(uses.values()), list(lifecycle.values())
