"""The same thing again: counted as often as it was, said anew after a silence, and never at the cost of what was said before."""

from __future__ import annotations

import json

import pytest

from licet.inventory.model import Declared
from licet.inventory.store import Inventory
from licet.monitor import saying
from licet.monitor.detectors import DETECTORS
from licet.monitor.fold import fold
from licet.monitor.kept import kept
from licet.monitor.known import Known
from licet.monitor.signal import Signal
from licet.monitor.stored import signals_of
from licet.monitor.world import Settings
from stories import DAY, HOUR, ME, START, Story, happened, use

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library


def of(inventory: Inventory, code: str) -> list[Signal]:
    return [each for each in signals_of(inventory, ME) if each.code == code]


REVOKED = happened(HOUR, "revoked", credential="cred:one")


@pytest.mark.parametrize("pieces", [1, 3])
def test_how_often_and_when_last_is_of_all_that_was_seen_and_not_of_what_is_cited(pieces: int) -> None:
    inventory = Inventory(":memory:")
    uses = [use((2 + number) * HOUR) for number in range(100)]
    story = Story([use(0), REVOKED, *uses])
    story.declare(inventory)
    for piece in range(pieces):
        story.keep(inventory, story.items[piece::pieces] if pieces == 1 else story.items[piece * 34 : (piece + 1) * 34])
        story.run(inventory)
    (found,) = [each.finding.explanation for each in kept(inventory) if each.finding.check == "monitor.post-revocation-use"]
    assert found is not None
    assert [(each.number, each.last) for each in found.because if each.code == "POST_REVOCATION_USE"] == [(100, START + 101 * HOUR)]
    assert len(found.evidence) <= saying.MOST_CITED + 1


def test_the_same_after_more_than_a_day_of_silence_is_another_finding() -> None:
    inventory = Inventory(":memory:")
    months = [use(month * 30 * DAY + hour * HOUR) for month in (1, 2, 3) for hour in (0, 1)]
    story = Story([use(0), REVOKED, *months], now=START + 100 * DAY)
    story.signals(inventory)
    found = of(inventory, "POST_REVOCATION_USE")
    assert [(each.time, len(each.evidence)) for each in found] == [(START + month * 30 * DAY, 3) for month in (1, 2, 3)]
    times = [each.finding.time for each in kept(inventory) if each.finding.check == "monitor.post-revocation-use"]
    assert times == [each.time for each in found]


def test_what_goes_on_each_day_is_one() -> None:
    inventory = Inventory(":memory:")
    Story([use(0), REVOKED, *(use(DAY + number * (DAY + 600)) for number in range(9))]).signals(inventory)
    assert len(of(inventory, "POST_REVOCATION_USE")) == 1


def test_much_else_does_not_make_a_finding_lose_its_beginning() -> None:
    inventory = Inventory(":memory:")
    first = use(0, operation="s3:GetObject")
    others = [use(HOUR + number, operation=f"s3:Op{number}", outcome="denied") for number in range(300)]
    story = Story([first], Declared(uses=("s3:ListBucket",)))
    story.signals(inventory)
    story.keep(inventory, [*others, use(9 * HOUR, operation="s3:GetObject")])
    story.run(inventory)
    assert [each.withdrawn for each in kept(inventory) if each.finding.check == "monitor.out-of-purpose-use"] == [False]
    (found,) = [each for each in of(inventory, "OUT_OF_PURPOSE_USE") if each.alert]
    assert (found.time, found.evidence[0].uid, len(found.evidence)) == (START, first.uid, 2)


def test_what_was_forgotten_and_is_said_again_leaves_what_stands_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saying, "_MOST_SAID", 2)
    monkeypatch.setattr(saying, "_MOST_ALERTED", 3)
    inventory = Inventory(":memory:")
    operations = ["One", *(f"Op{number}" for number in range(5)), "One"]
    story = Story([], Declared(uses=("s3:ListBucket",)))
    story.declare(inventory)
    for number, operation in enumerate(operations):
        story.keep(inventory, [use(number * 60, operation=f"s3:{operation}")])
        story.run(inventory)
    assert [each.time for each in of(inventory, "OUT_OF_PURPOSE_USE") if each.value.endswith("One")] == [START, START + 360]


def test_what_is_counted_beyond_the_citations_is_the_same_in_pieces_and_the_state_is_json() -> None:
    items = [use(0), REVOKED, *(use((2 + number) * HOUR) for number in range(90)), use(40 * DAY), use(41 * DAY)]
    inventory = Inventory(":memory:")
    Story(items).declare(inventory)
    world = Known(inventory, Settings(), START + 50 * DAY)
    whole = fold(DETECTORS, items, world, ME)
    for cut in (10, 66, 67, 80, 92, 93):
        first = fold(DETECTORS, items[:cut], world, ME)
        second = fold(DETECTORS, items[cut:], world, ME, json.loads(json.dumps(first.state)))
        assert {each.id: each for each in (*first.signals, *second.signals)} == {each.id: each for each in whole.signals}
        assert json.loads(json.dumps(second.state)) == json.loads(json.dumps(whole.state))


def test_what_was_said_does_not_come_to_say_less() -> None:
    """The highest severity stays, with the words of the event that had it, and so do the most points."""
    inventory = Inventory(":memory:")
    uses = [use(0), use(HOUR, access="read"), use(2 * HOUR, operation="s3:PutObject", access="write"), use(3 * HOUR, access="read")]
    Story(uses, Declared(regions=("us-east-1",))).signals(inventory)
    (found,) = of(inventory, "OUT_OF_REGION_USE")
    assert (found.severity, found.observed, found.time) == ("high", "did s3:PutObject in eu-west-1", START)
    tried = use(4 * HOUR, operation="iam:PutUserPolicy", access="admin", outcome="denied")
    done = [
        use(hour * HOUR, operation="iam:CreateUser", access="admin", outcome=outcome) for hour, outcome in ((1, "success"), (2, "denied"))
    ]
    other = Inventory(":memory:")
    Story([use(0), *done, tried]).signals(other)
    assert sorted(each.points for each in of(other, "SENSITIVE_ACTION")) == [20, 30]


def test_the_worst_is_cited_however_much_came_before() -> None:
    uses = [use(number, access="read") for number in range(100)]
    worst = use(200, operation="s3:PutObject", access="write")
    inventory = Inventory(":memory:")
    Story([*uses, worst, use(300, access="read")], Declared(regions=("us-east-1",))).signals(inventory)
    (found,) = of(inventory, "OUT_OF_REGION_USE")
    assert (found.severity, found.evidence[-1].uid, len(found.evidence)) == ("high", worst.uid, saying.MOST_CITED)
