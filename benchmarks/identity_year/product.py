"""A generated year through Licet: its readers, its inventory, its monitor."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from licet.events import LifecycleEvent, UseEvent
from licet.ingest.intake import Intake
from licet.ingest.sources import SOURCES, source_of
from licet.inventory.declared import SOURCE
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.model import Credential, Declared, Environment, Identity, Owner, Ownership
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


def declared(row: dict[str, Any]) -> Declared:
    return Declared(
        row.get("environment", ""), row.get("purpose", ""), tuple(row.get("uses", ())), tuple(row.get("regions", ())),
        tuple(row.get("networks", ())),
    )  # fmt: skip


def declare(inventory: Inventory, said: dict[str, Any], concerned: Callable[[str], bool] = lambda _: True) -> None:
    """What `inventory.json` says, or of it what concerns some identities and credentials (by uid and fingerprint)."""
    identities, credentials, ownerships, lifecycle = [], [], [], []
    for number, row in enumerate(said["identities"]):
        uid = row["identity"]
        if number and not concerned(uid):  # somebody has an owner, else nobody keeps book of owners
            continue
        same = row.get("same_as", "")
        identities.append(
            Identity(uid, row["kind"], row["name"], declared=declared(row), third_party=row.get("third_party", False), same_as=same,
                     same_confidence=1.0 if same else 0.0)
        )  # fmt: skip
        if "owner" in row:
            ownerships.append(Ownership(uid, row["owner"], "imported", row["owner_confidence"], 0.0))
    for row in said["credentials"]:
        uid = FINGERPRINTS.of(row["credential"])
        if not (concerned(uid) or concerned(row["identity"])):
            continue
        every = float(row["rotate_every"].removesuffix("d")) * 86_400 if "rotate_every" in row else 0.0
        credentials.append(
            Credential(uid, row["credential_kind"], row["identity"], declared=declared(row), rotate_every=every,
                       canary=row.get("canary", False))
        )  # fmt: skip
        if "expires" in row:
            lifecycle.append(LifecycleEvent(SOURCE, uid, 0.0, "issued", credential=uid, expires=seconds(row["expires"])))
    places = {name: (*of["accounts"], *of["clusters"], *of["orgs"]) for name, of in said["environments"].items()}
    inventory.declare(
        identities=identities, credentials=credentials, owners=[Owner(row["owner"], row["name"], row["contact"]) for row in said["owners"]],
        ownerships=ownerships, environments=[Environment(name, accounts) for name, accounts in places.items()],
        edges=[(origin, target) for origin, target in said["edges"]], lifecycle=lifecycle,
    )  # fmt: skip


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
