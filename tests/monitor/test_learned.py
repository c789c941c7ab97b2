"""What is learned of an identity, and what is sensitive: points only, never a finding by one kind alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from licet.events import UseEvent
from licet.inventory.model import Declared
from licet.inventory.store import Inventory
from licet.monitor.detectors import DETECTORS
from licet.monitor.explain import held
from licet.monitor.fold import Item, fold
from licet.monitor.known import Known
from licet.monitor.signal import Signal
from licet.monitor.world import Settings
from stories import DAY, HOUR, ME, MINUTE, Story, happened, use

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

OURS = ("NEW_NETWORK", "NEW_REGION", "NEW_AGENT", "NEW_API", "NEW_TOOL", "RATE", "SENSITIVE_ACTION")
SECRET = {"operation": "secretsmanager:GetSecretValue", "access": "admin"}


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return Inventory(tmp_path / "inventory.db")


def steady(days: int, *, a_day: int = 4, **more: Any) -> list[UseEvent]:
    return [use(day * DAY + number * HOUR, **more) for day in range(days) for number in range(a_day)]


def two_days() -> list[UseEvent]:
    return [use(day * DAY + number * MINUTE) for day in range(2) for number in range(30)]


def told(inventory: Inventory, items: Sequence[Item], story: Story | None = None) -> list[Signal]:
    story = story or Story(items)
    story.declare(inventory)
    found = fold(DETECTORS, sorted(items, key=lambda each: (each.time, each.uid)), Known(inventory, Settings(), story.now), ME)
    return [each for each in found.signals if each.code in OURS]


def codes(signals: Sequence[Signal]) -> list[str]:
    return sorted(each.code for each in signals)


@pytest.mark.parametrize(
    "code, changed",
    [
        ("NEW_NETWORK", {"network": "203.0.113.0/24", "ip": "203.0.113.9"}), ("NEW_REGION", {"region": "sa-east-1"}),
        ("NEW_AGENT", {"agent": "curl/8"}), ("NEW_API", {"operation": "s3:DeleteBucket"}),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)  # fmt: skip
def test_what_a_known_identity_never_did_before_has_points_and_is_no_alert(
    inventory: Inventory, code: str, changed: dict[str, Any]
) -> None:
    new = use(10 * DAY + MINUTE, **changed)
    found = told(inventory, [*steady(10), new])
    assert codes(found) == [code]
    assert not found[0].alert
    assert found[0].points > 0
    assert {each.role for each in found[0].evidence} == {"baseline", "use"}
    assert new.uid in {each.uid for each in found[0].evidence}


def test_a_tool_is_new_as_a_tool_and_not_as_an_operation(inventory: Inventory) -> None:
    def call(time: float, tool: str) -> UseEvent:
        return use(time, operation=f"tool:{tool}")._replace(source="licet")

    found = told(inventory, [*(call(day * DAY + hour * HOUR, "read") for day in range(10) for hour in range(4)), call(10 * DAY, "send")])
    assert codes(found) == ["NEW_TOOL"]


@pytest.mark.parametrize(
    "learned, when",
    [(steady(6), 6 * DAY + 20 * HOUR), (two_days(), 9 * DAY), ([use(day * DAY) for day in range(19)], 19 * DAY)],
    ids=["less than seven days", "two active days", "nineteen uses"],
)
def test_nothing_is_new_to_an_identity_of_which_little_is_known(inventory: Inventory, learned: list[UseEvent], when: float) -> None:
    assert not told(inventory, [*learned, use(when, network="203.0.113.0/24")])


@pytest.mark.parametrize(
    "learned, when",
    [(steady(6), 7 * DAY), ([*two_days(), use(2 * DAY)], 9 * DAY), ([use(day * DAY) for day in range(20)], 20 * DAY)],
    ids=["seven days", "three active days", "twenty uses"],
)
def test_and_something_is_as_soon_as_enough_is(inventory: Inventory, learned: list[UseEvent], when: float) -> None:
    assert codes(told(inventory, [*learned, use(when, network="203.0.113.0/24")])) == ["NEW_NETWORK"]


def test_an_identity_that_comes_from_another_network_each_day_says_nothing_of_one_more(inventory: Inventory) -> None:
    moving = [use(day * DAY + number * HOUR, network=f"198.51.{day}.0/24") for day in range(30) for number in range(4)]
    assert not told(inventory, [*moving, use(30 * DAY, network="203.0.113.0/24")])


def test_the_longer_nothing_was_new_the_more_points_it_has(inventory: Inventory) -> None:
    new = {"network": "203.0.113.0/24", "ip": "203.0.113.9"}
    short = told(inventory, [*steady(10), use(10 * DAY, **new)])[0].points
    assert told(inventory, [*steady(200), use(200 * DAY, **new)])[0].points > short


def test_what_came_once_is_known_then(inventory: Inventory) -> None:
    again = [use(10 * DAY + each * MINUTE, agent="curl/8") for each in range(5)]
    found = told(inventory, [*steady(10), *again])
    assert [each.uid for each in found[0].evidence if each.role == "use"] == [again[0].uid]
    assert len(found) == 1


def test_a_new_version_of_a_program_is_no_new_program(inventory: Inventory) -> None:
    assert not told(inventory, [*steady(10), use(10 * DAY, agent="boto3/2")])


def test_a_new_version_of_an_ai_agent_learns_what_it_does_anew_and_where_it_is_not(inventory: Inventory) -> None:
    learned = steady(10, identity_kind="ai_agent", agent="helper/1")
    items = [
        *learned, use(10 * DAY, identity_kind="ai_agent", agent="helper/2"),
        use(10 * DAY + HOUR, identity_kind="ai_agent", agent="helper/2", operation="s3:DeleteBucket"),
        use(10 * DAY + 2 * HOUR, identity_kind="ai_agent", agent="helper/2", network="203.0.113.0/24"),
    ]  # fmt: skip
    assert codes(told(inventory, items)) == ["NEW_NETWORK"]


def test_what_was_denied_has_half_of_the_points_is_told_once_and_is_not_learned(inventory: Inventory) -> None:
    tried = [use(10 * DAY + each * MINUTE, operation="s3:DeleteBucket", outcome="denied") for each in range(3)]
    denied = told(inventory, [*steady(10), *tried])
    done = told(inventory, [*steady(10), *tried, use(10 * DAY + HOUR, operation="s3:DeleteBucket")])
    assert [each.time for each in denied] == [tried[0].time]
    assert [each.points for each in done] == [pytest.approx(2 * denied[0].points, abs=0.2)]


@pytest.mark.parametrize(
    "changed",
    [{"network": "203.0.113.0/24", "ip": "203.0.113.9"}, {"region": "sa-east-1"}, {"operation": "s3:DeleteBucket"}],
    ids=["network", "region", "operation"],
)
def test_what_was_declared_is_not_new(inventory: Inventory, changed: dict[str, Any]) -> None:
    items = [*steady(10), use(10 * DAY, **changed)]
    said = Declared(uses=("s3:*",), regions=("eu-west-1", "sa-east-1"), networks=("192.0.2.0/24", "203.0.113.0/24"))
    assert told(inventory, items)
    assert not told(inventory, items, Story(items, declared=said))


def test_a_workload_that_moved_to_another_region_and_so_to_another_network_is_no_finding_alone(inventory: Inventory) -> None:
    items = [*steady(300), use(300 * DAY, region="sa-east-1", network="203.0.113.0/24", ip="203.0.113.9")]
    found = told(inventory, items)
    assert codes(found) == ["NEW_NETWORK", "NEW_REGION"]
    assert sum(each.points for each in found) < Settings().points


@pytest.mark.parametrize("kind", ["human", "service"])
def test_nothing_is_learned_of_people_and_of_a_platforms_own(inventory: Inventory, kind: str) -> None:
    items = [*steady(10, identity_kind=kind), use(10 * DAY, identity_kind=kind, network="203.0.113.0/24")]
    assert not told(inventory, items, Story(items, kind=kind))


def test_a_sensitive_action_has_points_and_names_the_credential(inventory: Inventory) -> None:
    found = told(inventory, [use(0, **SECRET)])
    assert [(each.code, each.credential, each.points, each.alert) for each in found] == [("SENSITIVE_ACTION", "cred:one", 30.0, False)]


def test_one_that_was_denied_has_fewer(inventory: Inventory) -> None:
    assert told(inventory, [use(0, **SECRET, outcome="denied")])[0].points == 20.0


def test_what_it_did_on_three_days_has_a_quarter_and_on_ten_days_nothing(inventory: Inventory) -> None:
    points = [each.points for each in told(inventory, [use(day * DAY, **SECRET) for day in range(20)]) if each.code == "SENSITIVE_ACTION"]
    assert points == [30.0] * 3 + [7.5] * 7


def test_the_same_again_on_one_day_is_one_signal_that_cites_four(inventory: Inventory) -> None:
    found = told(inventory, [use(each, **SECRET) for each in range(30)])
    assert [len(each.evidence) for each in found] == [4]


def test_another_program_and_another_credential_are_another_thing(inventory: Inventory) -> None:
    items = [use(0, **SECRET), use(1, **SECRET, agent="curl/8"), use(2, **SECRET, credential="cred:two")]
    assert len(told(inventory, items)) == 3


def test_each_hours_credential_of_a_role_is_not(inventory: Inventory) -> None:
    items = [use(hour * MINUTE, **SECRET, credential=f"cred:{hour}", credential_kind="temporary_key") for hour in range(10)]
    assert len(told(inventory, items)) == 1


def test_what_it_was_declared_to_be_for_is_not_sensitive(inventory: Inventory) -> None:
    items = [use(0, **SECRET)]
    assert not told(inventory, items, Story(items, declared=Declared(uses=("secretsmanager:*",))))


def test_far_more_in_an_hour_than_ever_is_told_once_and_a_busy_hour_that_it_had_before_is_not(inventory: Inventory) -> None:
    burst = [use(14 * DAY + each) for each in range(200)]
    found = told(inventory, [*steady(14), *burst])
    assert codes(found) == ["RATE"]
    assert not told(inventory, _busy())


def _busy() -> list[UseEvent]:
    """Busy for an hour on its third day already."""
    return [*steady(14), *(use(2 * DAY + each) for each in range(150)), *(use(14 * DAY + each) for each in range(200))]


STORIES: dict[str, Callable[[], list[UseEvent]]] = {
    "network": lambda: [*steady(30), use(30 * DAY, network="203.0.113.0/24", ip="203.0.113.9"), use(31 * DAY, network="203.0.113.0/24")],
    "many values": lambda: [
        *(use(day * DAY + each * HOUR, operation=f"s3:Get{each}") for day in range(12) for each in range(23)),
        *(use(5 * DAY + each * MINUTE, operation=f"s3:Once{each}") for each in range(6)),
        use(13 * DAY, operation="s3:DeleteBucket"), use(14 * DAY, operation="s3:DeleteBucket"),
    ],
    "tried": lambda: [*steady(12), use(13 * DAY, operation="s3:DeleteBucket", outcome="denied")],
    "all at once": lambda: [*steady(12), use(13 * DAY, operation="s3:X", network="203.0.113.0/24", agent="curl/8", region="sa-east-1")],
    "rate": lambda: [*steady(14), *(use(14 * DAY + each) for each in range(60))],
    "sensitive": lambda: [use(day * DAY + each, **SECRET) for day in range(6) for each in range(8)],
}  # fmt: skip


@pytest.mark.parametrize("story", STORIES)
def test_each_is_gone_without_what_it_cites_and_there_with_nothing_else(inventory: Inventory, story: str) -> None:
    items = sorted(STORIES[story](), key=lambda each: (each.time, each.uid))
    signals = told(inventory, items)
    assert signals
    world = Known(inventory, Settings(), items[-1].time)
    for signal in signals:
        own = [each for each in DETECTORS if signal.code in each.codes]
        assert held(signal, items, items, world, own) == (True, True), signal


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("pieces", [2, 3, 7])
def test_in_pieces_it_says_and_keeps_the_same_as_at_once(inventory: Inventory, story: str, pieces: int) -> None:
    import json

    items: list[Item] = sorted([*STORIES[story](), happened(0, "bound", credential="cred:one", workload="run:1")],
                               key=lambda each: (each.time, each.uid))  # fmt: skip
    world = Known(inventory, Settings(), items[-1].time)
    once = fold(DETECTORS, items, world, ME)
    state, said = None, dict[str, Signal]()
    for piece in range(pieces):
        folded = fold(DETECTORS, items[piece * len(items) // pieces : (piece + 1) * len(items) // pieces], world, ME, state)
        state = json.loads(json.dumps(folded.state))
        said |= {each.id: each for each in folded.signals}
    assert said == {each.id: each for each in once.signals}
    assert state == json.loads(json.dumps(once.state))


def test_what_is_kept_of_an_identity_stays_small_however_much_is_new(inventory: Inventory) -> None:
    import json

    items = [
        use(each * HOUR, operation=f"s3:Op{each}", access="admin", network=f"net{each}", agent=f"agent{each}", region=f"r{each}",
            outcome="denied" if each % 3 else "success")
        for each in range(6_000)
    ]  # fmt: skip
    ours = [each for each in DETECTORS if each.name in ("novelty", "rate", "sensitive")]
    state = fold(ours, items, Known(inventory, Settings(), 0.0), ME).state
    assert len(json.dumps(state)) < 200_000
