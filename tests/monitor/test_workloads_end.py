"""What was bound to a workload ends with it, and nothing else does: names of pods come again, and most logs tell of no binding."""

from __future__ import annotations

from pathlib import Path

import pytest

from licet.events import LifecycleEvent, UseEvent
from licet.inventory.store import Inventory
from licet.monitor.explain import holds
from licet.monitor.signal import Signal
from licet.monitor.world import Settings
from stories import HOUR, ME, MINUTE, START, Story, happened, use

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

POD = "pod:shop/db-0"


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return Inventory(tmp_path / "inventory.db")


def in_pod(time: float, session: str = "", credential: str = "cred:one", outcome: str = "success") -> UseEvent:
    return use(time, workload=POD, session=session, credential=credential, outcome=outcome)


def late(story: Story, inventory: Inventory) -> list[Signal]:
    return [each for each in story.signals(inventory) if each.code in ("POST_JOB_USE", "DENIED_AFTER_END")]


def ended(time: float, outcome: str = "success") -> LifecycleEvent:
    return happened(time, "job_ended", workload=POD, outcome=outcome)


def test_a_pod_that_is_made_again_under_its_name_uses_its_own_token(inventory: Inventory) -> None:
    items = [
        happened(0, "bound", credential="cred:one", workload=POD, identity=ME), use(MINUTE), ended(HOUR),
        happened(HOUR + MINUTE, "bound", credential="cred:two", workload=POD, identity=ME), use(3 * HOUR, credential="cred:two"),
    ]  # fmt: skip
    assert not late(Story(items), inventory)


def test_and_the_token_of_the_one_before_is_late(inventory: Inventory) -> None:
    items = [
        happened(0, "bound", credential="cred:one", workload=POD, identity=ME), use(MINUTE), ended(HOUR),
        happened(HOUR + MINUTE, "bound", credential="cred:two", workload=POD, identity=ME), use(3 * HOUR), ended(5 * HOUR),
        use(7 * HOUR, credential="cred:two"),
    ]  # fmt: skip
    assert [each.credential for each in late(Story(items), inventory)] == ["cred:one", "cred:two"]


def test_a_workload_that_starts_again_runs_anew(inventory: Inventory) -> None:
    items = [
        happened(0, "bound", credential="cred:one", workload=POD, identity=ME), use(MINUTE), ended(HOUR),
        happened(2 * HOUR, "job_started", workload=POD), use(3 * HOUR),
    ]  # fmt: skip
    assert not late(Story(items), inventory)


def test_a_credential_that_is_bound_anew_has_not_ended(inventory: Inventory) -> None:
    items = [
        happened(0, "bound", credential="cred:one", workload="run:1", identity=ME), use(MINUTE),
        happened(HOUR, "job_ended", credential="cred:one"), happened(HOUR + MINUTE, "bound", credential="cred:one", workload="run:2"),
        use(3 * HOUR),
    ]  # fmt: skip
    assert not late(Story(items), inventory)


@pytest.mark.parametrize("session", ["", "uid-1"], ids=["by its credential", "by its session"])
def test_where_no_binding_is_told_a_use_after_the_end_of_its_own_workload_is_late(inventory: Inventory, session: str) -> None:
    story = Story([in_pod(0, session), ended(HOUR), in_pod(3 * HOUR, session)])
    found = late(story, inventory)
    assert [each.code for each in found] == ["POST_JOB_USE"]
    assert [each.role for each in found[0].evidence] == ["use before", "end of the job", "use"]
    assert holds(found[0], inventory, Settings(), story.now) == (True, True)


def test_and_is_found_whether_the_end_or_the_uses_come_first(tmp_path: Path) -> None:
    items = [in_pod(0), in_pod(3 * HOUR), ended(HOUR)]
    said = []
    for number, order in enumerate(([0, 1, 2], [2, 0, 1], [0, 2, 1])):
        inventory = Inventory(tmp_path / f"{number}.db")
        story = Story(items)
        story.declare(inventory)
        for which in order:
            story.keep(inventory, [items[which]])
            story.run(inventory)
        said.append(inventory.rows("SELECT id, body FROM signals WHERE code='POST_JOB_USE'"))
    assert len(said[0]) == 1
    assert said[0] == said[1] == said[2]


def test_the_next_pod_of_that_name_has_another_session_and_is_not_late(inventory: Inventory) -> None:
    items = [in_pod(0, "uid-1"), ended(HOUR), in_pod(2 * HOUR, "uid-2", "cred:two"), in_pod(3 * HOUR, "uid-2", "cred:two")]
    assert not late(Story(items), inventory)


def test_a_credential_that_works_elsewhere_too_does_not_end_with_one_run(inventory: Inventory) -> None:
    items = [in_pod(0), ended(HOUR), use(3 * HOUR), use(4 * HOUR, workload="run:2")]
    assert not late(Story(items), inventory)


def test_an_attempt_after_the_end_of_its_own_workload_is_told_as_one(inventory: Inventory) -> None:
    items = [in_pod(0), ended(HOUR), in_pod(3 * HOUR, outcome="denied")]
    assert [each.code for each in late(Story(items), inventory)] == ["DENIED_AFTER_END"]


@pytest.mark.parametrize("outcome", ["denied", "failed"])
def test_an_end_that_was_only_tried_ends_nothing(inventory: Inventory, outcome: str) -> None:
    items = [in_pod(0), ended(HOUR, outcome), in_pod(3 * HOUR)]
    assert not late(Story(items), inventory)


@pytest.mark.parametrize("outcome", ["denied", "failed"])
@pytest.mark.parametrize("kind", ["revoked", "suspended", "deleted", "expired", "rotated", "logging_stopped", "granted", "scope_widened"])
def test_what_was_only_tried_changed_nothing(inventory: Inventory, kind: str, outcome: str) -> None:
    about = {"supersedes": "cred:one", "credential": "cred:two"} if kind == "rotated" else {"credential": "cred:one"}
    tried = happened(HOUR, kind, identity=ME, by=ME, privilege="iam:*", access="admin", outcome=outcome, **about)
    assert [each.code for each in Story([use(0), tried, use(9 * HOUR)]).signals(inventory)] == []
    done = tried._replace(native_id="done", outcome="success")
    assert Story([done]).signals(inventory) or kind == "scope_widened"


def test_another_token_of_the_pod_that_ended_is_late_though_it_was_never_used_before(inventory: Inventory) -> None:
    items = [in_pod(0, "uid-1"), ended(HOUR), in_pod(3 * HOUR, "uid-1", "cred:two")]
    assert [each.credential for each in late(Story(items), inventory)] == ["cred:two"]


def test_a_workload_that_runs_again_shares_again(inventory: Inventory) -> None:
    def bound(time: float, workload: str) -> LifecycleEvent:
        return happened(time, "bound", credential="cred:one", workload=workload, identity=ME)

    items = [bound(0, POD), ended(HOUR), bound(2 * HOUR, POD), bound(3 * HOUR, "run:2")]
    assert [each.code for each in Story(items).signals(inventory)] == ["SHARED_CREDENTIAL"]


BOUND, AGAIN = 2 * HOUR, 4 * HOUR


@pytest.mark.parametrize(
    "ends, starts, when",
    [((HOUR,), (), 0.0), ((HOUR, 3 * HOUR), (), 3 * HOUR), ((3 * HOUR, 5 * HOUR), (), 3 * HOUR), ((3 * HOUR,), (AGAIN,), 0.0),
     ((3 * HOUR, 5 * HOUR), (AGAIN,), 5 * HOUR)],
    ids=["before it was bound", "after", "twice", "and began again", "and ended again"],
)  # fmt: skip
def test_the_inventory_knows_the_same_end_of_a_credential(
    inventory: Inventory, ends: tuple[float, ...], starts: tuple[float, ...], when: float
) -> None:
    items = [
        happened(BOUND, "bound", credential="cred:one", workload=POD, identity=ME), *map(ended, ends),
        *(happened(each, "job_started", workload=POD) for each in starts),
    ]  # fmt: skip
    inventory.keep((), items)
    (row,) = inventory.rows("SELECT ended FROM credentials WHERE uid='cred:one'")
    life = inventory.life("cred:one")
    assert life is not None
    assert row[0] == life[0].ended == (START + when if when else 0.0)
