"""Short stories of identities: what a test says of a use, an end, a declaration; folded through all detectors as `licet monitor` does it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from licet.events import LifecycleEvent, UseEvent
from licet.inventory.model import Credential, Declared, Environment, Identity, Owner, Ownership
from licet.inventory.store import Inventory
from licet.monitor.detectors import DETECTORS
from licet.monitor.fold import Item, ended, fold
from licet.monitor.known import Known
from licet.monitor.run import Report, monitor
from licet.monitor.signal import Signal
from licet.monitor.stored import signals_of
from licet.monitor.world import DAY, Settings

START = 1_750_000_000.0
HOUR, MINUTE = 3_600.0, 60.0
ME = "arn:aws:iam::111122223333:user/worker"
NOW = START + 20 * DAY
_numbers = iter(range(1, 10**9))


def use(time: float, **said: Any) -> UseEvent:
    """A use at a time after the beginning of the story."""
    about: dict[str, Any] = {
        "operation": "s3:GetObject", "identity_kind": "service_account", "credential": "cred:one", "account": "111122223333", "region": "eu-west-1",
        "ip": "192.0.2.7", "network": "192.0.2.0/24", "agent": "boto3/1", "digest": "00", "place": "log:1", "identity": ME,
    }  # fmt: skip
    return UseEvent("cloudtrail", f"use-{next(_numbers)}", START + time, **(about | said))


def happened(time: float, kind: str, **said: Any) -> LifecycleEvent:
    """A lifecycle event at a time after the beginning of the story. `expires` is such a time too."""
    if "expires" in said:
        said["expires"] += START
    return LifecycleEvent("lifecycle", f"life-{next(_numbers)}", START + time, kind, **said)  # type: ignore[arg-type]


@dataclass
class Story:
    """What was declared, and what happened."""

    items: Sequence[Item]
    declared: Declared = field(default_factory=Declared)
    kind: str = "service_account"
    third_party: bool = False
    owned: bool = True
    credentials: Sequence[Credential] = ()
    others: Sequence[Identity] = ()
    owners: Sequence[Ownership] = ()
    environments: Sequence[Environment] = ()
    edges: Sequence[tuple[str, str]] = ()
    now: float = NOW

    def declare(self, inventory: Inventory) -> None:
        """Write what was declared."""
        own = [Ownership(ME, "team", "manifest", 1.0, 0.0)] if self.owned else [Ownership("somebody else", "team", "manifest", 1.0, 0.0)]
        inventory.declare(
            identities=[Identity(ME, self.kind, declared=self.declared, third_party=self.third_party), *self.others],  # type: ignore[arg-type]
            credentials=self.credentials, owners=[Owner("team")], ownerships=[*own, *self.owners], environments=self.environments,
            edges=self.edges,
        )  # fmt: skip

    def keep(self, inventory: Inventory, items: Iterable[Item] | None = None) -> None:
        """Write what happened, or a part of it."""
        part = list(self.items if items is None else items)
        inventory.keep([each for each in part if isinstance(each, UseEvent)], [each for each in part if isinstance(each, LifecycleEvent)])

    def run(self, inventory: Inventory, **more: Any) -> Report:
        """`licet monitor`."""
        return monitor(inventory, Settings(), self.now, **more)

    def signals(self, inventory: Inventory) -> list[Signal]:
        """All that is said of the identity by a run."""
        self.declare(inventory)
        self.keep(inventory)
        self.run(inventory)
        return signals_of(inventory, ME)


def folded(story: Story, items: Iterable[Item], inventory: Inventory) -> list[Signal]:
    """The fold alone, over some items in their order."""
    world = Known(inventory, Settings(), story.now)
    found = fold(DETECTORS, sorted(items, key=lambda each: (each.time, each.uid)), world, ME)
    return [*found.signals, *ended(DETECTORS, found.state, ME, world)]
