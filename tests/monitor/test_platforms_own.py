"""What is the platform's own needs no owner, and is watched like others."""

from __future__ import annotations

from pathlib import Path

import pytest

from licet.events import LifecycleEvent, UseEvent
from licet.inventory.model import Identity, Owner, Ownership
from licet.inventory.store import Inventory
from licet.inventory.views import Viewer, sums
from licet.monitor.kept import kept
from licet.monitor.run import monitor
from licet.monitor.stored import signals_of
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


def done_by(uid: str, operation: str, resource: str = "namespaces/shop/secrets/db", source: str = "kubernetes") -> list[str]:
    """The codes of what is told of a platform's own service that does something."""
    inventory = Inventory(":memory:")
    about = {"access": "admin", "identity_kind": "service", "account": "eks-prod", "digest": "00" * 32, "resource": resource}
    inventory.keep([UseEvent(source, "1", START, uid, operation, **about)], [])  # type: ignore[arg-type]
    monitor(inventory, Settings(), START + 2 * DAY)
    return [each.code for each in signals_of(inventory, uid)]


@pytest.mark.parametrize("uid", ["system:kube-proxy", "system:kube-scheduler", "system:apiserver", "system:node:a"])
@pytest.mark.parametrize(
    "operation, resource",
    [("core:create/pods/exec", "namespaces/shop/pods/exec/db-0"), ("core:list/secrets", "secrets"), ("core:watch/secrets", "namespaces/shop/secrets"),
     ("rbac.authorization.k8s.io:create/clusterroles", "clusterroles/all")],
    ids=["exec", "all secrets", "secrets of a namespace", "roles"],
)  # fmt: skip
def test_what_no_component_of_a_cluster_does_all_day_is_told_whatever_its_name(uid: str, operation: str, resource: str) -> None:
    """Whoever has a certificate has the name that stands in it."""
    assert done_by(uid, operation, resource) == ["SENSITIVE_ACTION"]


def test_and_what_it_does_is_not() -> None:
    for operation in ("core:get/secrets", "core:watch/secrets"):
        assert done_by("system:node:a", operation) == []
        assert done_by("system:kube-proxy", operation) == ["SENSITIVE_ACTION"]
    assert done_by("system:node:a", "core:create/serviceaccounts/token", "namespaces/shop/serviceaccounts/token/web") == []
    assert done_by("aws:autoscaling", "sts:AssumeRole", source="cloudtrail") == []


@pytest.mark.parametrize("by, alone", [("system:kube-proxy", True), ("system:node:a", True), ("system:apiserver", False)])
def test_who_gives_somebody_everything_alerts_unless_it_is_the_server_itself(by: str, *, alone: bool) -> None:
    inventory = Inventory(":memory:")
    granted = LifecycleEvent(
        "kubernetes", "2", START, "granted", "system:serviceaccount:shop:web", by=by, privilege="cluster-admin", access="admin", account="eks-prod",
        digest="11" * 32,
    )  # fmt: skip
    seen = UseEvent("kubernetes", "1", START - DAY, by, "core:list/nodes", identity_kind="service", account="eks-prod", digest="00" * 32)
    inventory.keep([seen], [granted])
    monitor(inventory, Settings(), START + 2 * DAY)
    assert [(each.code, each.alert) for each in signals_of(inventory, granted.identity)] == [("GRANT_ADDED", alone)]
