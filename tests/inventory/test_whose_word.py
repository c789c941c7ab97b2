"""Whose word counts for a credential that several sources tell of."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from licet.events import LifecycleEvent, UseEvent
from licet.inventory.heard import unheard
from licet.inventory.model import Credential, Identity
from licet.inventory.store import Inventory
from licet.inventory.trace import trace
from licet.monitor.run import monitor
from licet.monitor.stored import signals_of
from licet.monitor.world import DAY, Settings

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

T = 1_772_323_200.0
KEY = "cred:" + "0" * 32


def told(source: str, kind: Any, time: float = T, **more: Any) -> LifecycleEvent:
    return LifecycleEvent(source, f"{source}-{kind}", time, kind, credential=KEY, digest="1" * 64, place="f:1")._replace(**more)


def used(source: str, identity: str, time: float) -> UseEvent:
    return UseEvent(source, f"u{time}", time, identity, "s3:GetObject", credential=KEY, digest="2" * 64, place="f:2", identity_kind="role")


def names(events: list[LifecycleEvent]) -> list[str]:
    return [each.native_id for each in events]


@pytest.mark.parametrize(
    "events, left_out",
    [
        ([told("cloudtrail", "issued"), told("kubernetes", "revoked")], ["kubernetes-revoked"]),
        ([told("cloudtrail", "issued"), told("lifecycle", "revoked"), told("declared", "issued")], []),
        ([told("cloudtrail", "revoked"), told("kubernetes", "revoked")], []),
        ([told("cloudtrail", "issued", T), told("kubernetes", "issued", T - 1)], ["cloudtrail-issued"]),
        ([told("cloudtrail", "issued", outcome="denied"), told("kubernetes", "revoked")], []),
        ([told("entra", "issued"), told("m365", "revoked")], []),
        ([told("licet", "issued"), told("licet", "revoked"), told("lifecycle", "revoked")], []),
        ([told("licet", "issued", T - 9), told("lifecycle", "issued")], ["licet-issued"]),
        ([told("licet", "issued", T - 9), told("licet", "revoked"), told("kubernetes", "revoked")], ["licet-issued", "licet-revoked"]),
    ],
    ids=lambda value: " ".join(names(value)) if value and isinstance(value[0], LifecycleEvent) else "",
)  # fmt: skip
def test_a_platform_speaks_of_what_it_issued_an_operator_of_all_and_a_span_of_what_nobody_else_tells_of(
    events: list[LifecycleEvent], left_out: list[str]
) -> None:
    for order in itertools.permutations(events):
        assert sorted(names(unheard(KEY, order))) == sorted(left_out)


def keep(inventory: Inventory, *events: UseEvent | LifecycleEvent) -> None:
    uses = [each for each in events if isinstance(each, UseEvent)]
    inventory.keep(uses, [each for each in events if isinstance(each, LifecycleEvent)])


STORY: tuple[UseEvent | LifecycleEvent, ...] = (
    told("lifecycle", "issued", expires=T + 9 * DAY), told("licet", "issued", T - 5 * DAY, expires=T + 400 * DAY, identity="agent:victim"),
    used("cloudtrail", "arn:user", T + 10 * DAY), used("licet", "agent:victim", T - 5 * DAY),
)  # fmt: skip


@pytest.mark.parametrize("order", list(itertools.permutations(range(len(STORY)))), ids=str)
def test_a_span_neither_prolongs_nor_takes_over_whatever_came_first(order: tuple[int, ...]) -> None:
    inventory = Inventory(":memory:")
    for at in order:
        keep(inventory, STORY[at])
        monitor(inventory, Settings(), T + 30 * DAY)
    found = inventory.credential(KEY)
    assert found is not None
    assert (found.identity, found.expires, found.issued) == ("arn:user", T + 9 * DAY, T)
    assert "EXPIRED_ACCEPTED" in {each.code for each in signals_of(inventory, "arn:user")}
    late = [line.late for line in trace(inventory, [KEY], T + 30 * DAY).lines if line.identity == "arn:user"]
    assert late == ["after"]
    inventory.close()


def test_what_had_no_effect_has_one_again_when_it_turns_out_who_issued_it() -> None:
    """And is kept once, however often it comes."""
    inventory = Inventory(":memory:")
    keep(inventory, told("cloudtrail", "issued", T), told("kubernetes", "revoked", T + 1), used("cloudtrail", "arn:user", T + DAY))
    monitor(inventory, Settings(), T + 2 * DAY)
    assert signals_of(inventory, "arn:user") == []
    keep(inventory, told("kubernetes", "revoked", T + 1))
    assert inventory.rows("SELECT count(*) FROM lifecycle, unheard") == [(1,)]
    keep(inventory, told("kubernetes", "issued", T - 1))
    monitor(inventory, Settings(), T + 2 * DAY)
    assert [each.code for each in signals_of(inventory, "arn:user")] == ["POST_REVOCATION_USE"]
    inventory.close()


def test_what_is_declared_otherwise_than_before_is_judged_from_the_earlier_of_both_times() -> None:
    """The day of a revocation that was moved to later: the uses between both were said to be after it."""
    inventory = Inventory(":memory:")
    keep(inventory, used("cloudtrail", "arn:user", T + DAY), used("cloudtrail", "arn:user", T + 7 * DAY))
    said: dict[str, Any] = {"credentials": [Credential(KEY)], "identities": [Identity("arn:user")]}

    def late() -> list[float]:
        return [each.time for each in signals_of(inventory, "arn:user") if each.code == "POST_REVOCATION_USE"]

    inventory.declare(**said, lifecycle=[told("declared", "revoked", T)])
    monitor(inventory, Settings(), T + 9 * DAY)
    assert late() == [T + DAY, T + 7 * DAY]
    inventory.declare(**said, lifecycle=[told("declared", "revoked", T + 8 * DAY)])
    monitor(inventory, Settings(), T + 9 * DAY)
    assert late() == []
    inventory.close()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_whether_an_identity_is_there_goes_by_the_last_that_is_told_of_it(order: tuple[int, ...]) -> None:
    events = [
        LifecycleEvent("cloudtrail", f"l{number}", T + number, kind, "arn:user", outcome=outcome, digest=f"{number:064}")  # type: ignore[arg-type]
        for number, (kind, outcome) in enumerate([("created", "success"), ("deleted", "success"), ("created", "denied")])
    ]
    inventory = Inventory(":memory:")
    for at in order:
        keep(inventory, events[at])
    found = inventory.identity("arn:user")
    assert found is not None
    assert (found.status, found.created) == ("deleted", T)
    inventory.close()
