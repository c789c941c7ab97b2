"""What is the platform's own needs no owner, and is watched like others."""

from __future__ import annotations

from pathlib import Path

import pytest

from licet.events import UseEvent
from licet.inventory.model import Identity, Owner, Ownership
from licet.inventory.store import Inventory
from licet.inventory.views import Viewer, sums
from licet.monitor.kept import kept
from licet.monitor.run import monitor
from licet.monitor.world import DAY, Settings

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

START = 1_772_366_400.0


@pytest.mark.parametrize(
    "uid, found",
    [
        ("system:serviceaccount:kube-system:replicaset-controller", []),
        ("system:serviceaccount:kube-system:helper", ["UNOWNED_ACTIVE"]),
        ("system:serviceaccount:shop:replicaset-controller", ["UNOWNED_ACTIVE"]),
    ],
)
def test_a_controller_of_the_cluster_wants_no_owner_and_nothing_else_of_its_namespace_or_name(
    uid: str, found: list[str], tmp_path: Path
) -> None:
    inventory = Inventory(tmp_path / "inventory.db")
    inventory.declare(
        identities=[Identity("github:other", "bot")], owners=[Owner("team")],
        ownerships=[Ownership("github:other", "team", "confirmed", 1.0, START)],
    )  # fmt: skip
    inventory.keep([UseEvent("kubernetes", "1", START, uid, "core:delete/pods", identity_kind="service_account", digest="00" * 32)], [])
    monitor(inventory, Settings(), START + 2 * DAY)
    told = [each.finding.explanation for each in kept(inventory)]
    assert [code for why in told if why is not None and why.identity == uid for code in why.codes] == found
    total = sums(inventory, START + 2 * DAY)
    for line in Viewer(inventory, START + 2 * DAY).lines():
        total.add(line, START + 2 * DAY)
    assert total.machines == 1 + len(found)
    inventory.close()
