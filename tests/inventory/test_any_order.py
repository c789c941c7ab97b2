"""In whatever order events come: whose a credential is, and which of two records with one id has it."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from licet.events import LifecycleEvent, UseEvent
from licet.inventory import kept_lives as lives
from licet.inventory.life import life_of
from licet.inventory.model import Credential
from licet.inventory.step import Kept
from licet.inventory.store import Inventory

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

T = 1_772_323_200.0
KEY = "cred:" + "0" * 32


def use(number: int, identity: str = "a", *, time: float = T, digest: str = "", **more: Any) -> UseEvent:
    return UseEvent("kubernetes", f"id{number}", time, identity, "core:get/pods", credential=KEY, digest=digest)._replace(**more)


def told(number: int, kind: Any = "issued", identity: str = "a", *, time: float = T, digest: str = "", **more: Any) -> LifecycleEvent:
    return LifecycleEvent("kubernetes", f"id{number}", time, kind, identity, KEY, digest=digest)._replace(**more)


def opened() -> Inventory:
    return Inventory(":memory:")


def keep(inventory: Inventory, *events: UseEvent | LifecycleEvent) -> Kept:
    uses = [each for each in events if isinstance(each, UseEvent)]
    return inventory.keep(uses, [each for each in events if isinstance(each, LifecycleEvent)])


def whose(inventory: Inventory) -> str:
    found = inventory.credential(KEY)
    assert found is not None
    return found.identity


_EVENTS = st.lists(
    st.builds(
        lambda number, is_use, identity, time, kind: use(number, identity, time=T + time) if is_use else told(number, kind, identity, time=T + time),
        st.integers(0, 30), st.booleans(), st.sampled_from("abc"), st.integers(0, 4), st.sampled_from(["issued", "revoked", "rotated"]),
    ),
    min_size=1, max_size=8, unique_by=lambda each: each.uid,
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(events=_EVENTS, seed=st.integers(0, 10**6))
def test_a_credential_belongs_to_its_earliest_user_or_whom_it_was_issued_to_in_any_order_and_any_steps(
    events: list[Any], seed: int
) -> None:
    first = [each for each in events if isinstance(each, UseEvent) or each.kind != "revoked"] or events
    expected = min(first, key=lambda each: (each.time, each.uid)).identity
    chance = random.Random(seed)
    chance.shuffle(events)
    inventory = opened()
    while events:
        size = chance.randrange(1, len(events) + 1)
        keep(inventory, *events[:size])
        events = events[size:]
    assert whose(inventory) == expected
    inventory.close()


@pytest.mark.parametrize("declared_at", [0, 1])
def test_whom_somebody_declared_has_it_whoever_used_it_and_when(declared_at: int) -> None:
    inventory = opened()
    for step in (0, 1):
        if step == declared_at:
            inventory.declare(credentials=[Credential(KEY, identity="owner")])
        else:
            keep(inventory, use(1, "thief"))
    assert whose(inventory) == "owner"
    inventory.close()


def test_what_another_process_wrote_meanwhile_is_seen(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    one, other = Inventory(tmp_path / "i.db"), Inventory(tmp_path / "i.db")
    keep(one, use(1, "a", time=T + 9))
    keep(other, use(2, "b", time=T + 5))
    keep(one, use(3, "a", time=T + 1))
    assert (whose(one), whose(other)) == ("a", "a")
    keep(other, use(1, "a", time=T + 9))
    assert sum(each.uses for each in one.identities()) == 3
    one.close()
    other.close()


A, B, C = (
    use(1, digest="aa" * 32), use(1, digest="bb" * 32, operation="core:delete/pods"), use(1, digest="cc" * 32, ip="192.0.2.1"),
)  # fmt: skip
LIFE = (
    told(1, digest="aa" * 32), told(1, digest="bb" * 32, identity="b"), told(1, digest="cc" * 32, time=T - 60),
)  # fmt: skip


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
@pytest.mark.parametrize("at_once", [True, False])
def test_other_records_with_one_id_are_all_kept_the_same_way_in_any_order(order: tuple[int, ...], at_once: bool) -> None:
    inventory = opened()
    for events in ((A, B, C), LIFE):
        some = [events[at] for at in order]
        steps = [some] if at_once else [[each] for each in some]
        kept = [keep(inventory, *step) for step in [*steps, some]]
        assert sum(each.uses + each.lifecycle for each in kept) == 3
        assert sum(each.same_id for each in kept) == 2
        assert kept[-1].again == 3, "what comes again as it was is known, with its other id too"
    ids = sorted((each.digest[:2], each.native_id) for each in inventory.uses("a"))
    assert ids == [("aa", "id1"), ("bb", "id1~" + "b" * 16), ("cc", "id1~" + "c" * 16)]
    lives = {each.digest[:2]: each.native_id for name in "ab" for each in inventory.lifecycle_of(name)}
    assert lives == {"aa": "id1~" + "a" * 16, "bb": "id1~" + "b" * 16, "cc": "id1"}
    assert sum(each.uses for each in inventory.identities()) == 3
    inventory.close()


@pytest.mark.parametrize("order", [1, -1])
def test_two_events_of_one_id_that_differ_in_nothing_but_what_happened_are_both_kept(order: int) -> None:
    inventory = opened()
    both = [told(1, "suspended", digest="aa" * 32), told(1, "activated", digest="bb" * 32)]
    for each in both[::order]:
        keep(inventory, each)
    lives = {each.kind: each.native_id for each in inventory.lifecycle_of("a")}
    assert lives == {"suspended": "id1", "activated": "id1"}, "what happened is part of what an event is cited by"
    inventory.close()


def test_the_same_in_another_layout_is_kept_once() -> None:
    inventory = opened()
    keep(inventory, A, LIFE[0])
    kept = keep(inventory, A._replace(digest="dd" * 32, session="s", country="DE"), LIFE[0]._replace(digest="dd" * 32, reason="more"))
    assert kept == Kept(0, 0, 2, 0)
    inventory.close()


def test_the_life_of_a_credential_is_read_once_in_a_step_however_much_happened_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    monkeypatch.setattr(lives, "life_of", lambda known, *rest: read.append(known.uid) or life_of(known, *rest))
    inventory = opened()
    keep(inventory, use(0), *(told(number, "expired", time=T + number) for number in range(50)))
    assert read == [KEY]
