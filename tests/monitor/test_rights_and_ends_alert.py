"""Alone a finding: a right to everything, trust in a stranger's account, and an ended credential that somebody calls active again."""

from __future__ import annotations

from typing import Any

import pytest

from licet.events import LifecycleEvent
from licet.inventory.model import Environment, Identity, Ownership
from licet.inventory.store import Inventory
from licet.monitor.stored import signals_of
from stories import DAY, HOUR, ME, Story, happened, use

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

EVERYTHING = "arn:aws:iam::aws:policy/AdministratorAccess"


def alerts(story: Story, code: str) -> list[bool]:
    return [each.alert for each in story.signals(Inventory(":memory:")) if each.code == code]


@pytest.mark.parametrize(
    "said, alone",
    [
        ({"privilege": EVERYTHING, "access": "admin", "by": "admin"}, True),
        ({"privilege": "cluster-admin", "access": "admin", "by": "k8s:mallory"}, True),
        ({"privilege": "Global Administrator", "access": "admin", "by": "eve"}, True),
        ({"privilege": EVERYTHING, "access": "admin", "by": "platform"}, False),
        ({"privilege": EVERYTHING, "access": "admin", "by": "pipeline"}, False),
        ({"privilege": "s3-writer", "access": "admin", "by": "admin"}, False),
        ({"privilege": "p", "access": "admin", "by": "admin", "reason": "allows *:*"}, True),
        ({"privilege": "sts:AssumeRole", "access": "admin", "by": "admin", "reason": "trusts arn:aws:iam::999999999999:root"}, True),
        ({"privilege": "sts:AssumeRole", "access": "admin", "by": "admin", "reason": "trusts *"}, True),
        ({"privilege": "sts:AssumeRole", "access": "admin", "by": "admin", "reason": "trusts arn:aws:iam::444455556666:root"}, False),
        ({"privilege": "sts:AssumeRole", "access": "", "by": "admin"}, False),
    ],
    ids=[
        "AWS",
        "Kubernetes",
        "Entra",
        "the platform",
        "the owner's pipeline",
        "a right",
        "a policy of any name",
        "a stranger",
        "anybody",
        "declared",
        "nobody outside",
    ],
)
def test_a_right_to_everything_or_trust_in_a_stranger_alerts_alone(said: dict[str, Any], *, alone: bool) -> None:
    story = Story(
        [use(0), happened(HOUR, "granted", identity=ME, **said)], environments=[Environment("prod", ("444455556666",))],
        others=[Identity("platform", "service"), Identity("pipeline", "pipeline")],
    )  # fmt: skip
    if said["by"] == "pipeline":
        story.owners = [Ownership("pipeline", "team", "manifest", 1.0, 0.0)]
    assert alerts(story, "GRANT_ADDED") == [alone]


BROAD, NARROW = {"access": "admin", "reason": "allows *:*"}, {"access": "read"}


@pytest.mark.parametrize("by", [ME, "admin"], ids=["by itself", "by another"])
@pytest.mark.parametrize("order", [[BROAD, NARROW], [NARROW, BROAD], [BROAD, NARROW, BROAD]], ids=["then less", "then more", "again"])
@pytest.mark.parametrize("pieces", [False, True], ids=["at once", "one by one"])
def test_what_a_grant_alerted_of_stays_whatever_is_granted_under_its_name(order: list[dict[str, str]], by: str, *, pieces: bool) -> None:
    """Who was caught does not get the finding withdrawn by writing something harmless over it."""
    items = [happened(number * HOUR, "granted", identity=ME, by=by, privilege="p", **said) for number, said in enumerate(order, 1)]
    inventory = Inventory(":memory:")
    story = Story([use(0), *items])
    story.declare(inventory)
    for some in [[each] for each in story.items] if pieces else [story.items]:
        story.keep(inventory, some)
        assert story.run(inventory).findings.withdrawn == 0
    found = [each for each in signals_of(inventory, ME) if each.code in ("SELF_GRANT", "GRANT_ADDED")]
    broad, narrow = ([item.uid for item in items if item.access == access] for access in ("admin", "read"))
    assert [(each.severity, [cited.uid for cited in each.evidence]) for each in found if each.alert] == [("high", broad)]
    assert [[cited.uid for cited in each.evidence] for each in found if not each.alert] == [narrow]


def at(source: str, event: LifecycleEvent) -> LifecycleEvent:
    return event._replace(source=source)


@pytest.mark.parametrize("whom", [{"credential": "cred:one"}, {"identity": ME}], ids=["credential", "identity"])
def test_what_was_ended_elsewhere_and_is_called_active_again_alerts(whom: dict[str, str]) -> None:
    """It undoes nothing, and its author is told of even if the credential is not used."""
    ended, again = happened(0, "revoked", **whom), at("cloudtrail", happened(HOUR, "activated", by="eve", **whom))
    inventory = Inventory(":memory:")
    signals = Story([use(-DAY), ended, again]).signals(inventory)
    (found,) = [each for each in signals if each.code == "REACTIVATED"]
    assert found.alert
    assert "was activated by eve at cloudtrail, 1 h after it was revoked, as lifecycle says" in found.observed
    assert [each.role for each in found.evidence] == ["revocation", "activation"]


@pytest.mark.parametrize(
    "items",
    [
        [happened(0, "suspended", credential="cred:one"), happened(HOUR, "activated", credential="cred:one")],
        [at("cloudtrail", happened(HOUR, "activated", credential="cred:one"))],
        [
            happened(0, "revoked", credential="cred:one"),
            at("cloudtrail", happened(HOUR, "activated", credential="cred:one", outcome="denied")),
        ],
        [happened(0, "revoked", credential="cred:two"), at("cloudtrail", happened(HOUR, "activated", credential="cred:one"))],
    ],
    ids=["by whoever ended it", "never ended", "denied", "another one"],
)
def test_what_is_taken_up_by_whoever_ended_it_alerts_nobody(items: list[LifecycleEvent]) -> None:
    assert alerts(Story([use(-DAY), *items]), "REACTIVATED") == []
