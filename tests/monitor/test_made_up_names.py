"""Who chooses names of programs, or none, gains nothing by it; and what was let in counts whatever came of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licet.inventory.model import Credential, Declared, Environment
from licet.inventory.store import Inventory
from licet.monitor.detectors.novelty import _pretended
from stories import DAY, HOUR, ME, MINUTE, Story, use

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library


def codes(story: Story) -> set[str]:
    return {each.code for each in story.signals(Inventory(":memory:")) if each.alert}


@pytest.mark.parametrize("agent, found", [("curl/8", True), ("", True), ("boto3/2", False)], ids=["another", "none", "the same"])
def test_no_program_at_all_is_another_program(agent: str, *, found: bool) -> None:
    own = [use(number * MINUTE) for number in range(20)]
    other = use(21 * MINUTE, network="203.0.113.0/24", ip="203.0.113.9", agent=agent)
    assert ("CONCURRENT_HOLDERS" in codes(Story([*own, other]))) == found


def test_who_always_worked_without_a_program_has_one_holder() -> None:
    """A source that does not tell of programs, or that tells of them now and then."""
    own = [use(number * MINUTE, agent="" if number % 2 else "boto3/1") for number in range(20)]
    assert "CONCURRENT_HOLDERS" not in codes(Story([*own, use(21 * MINUTE, network="203.0.113.0/24", ip="203.0.113.9", agent="")]))


def new_programs(made_up: int) -> set[str]:
    own = [use(day * DAY + hour * HOUR) for day in range(20) for hour in range(3)]
    flood = [use(15 * DAY + 12 * HOUR + number, agent=f"n{number}x/1") for number in range(made_up)]
    story = Story([*own, *flood, use(19 * DAY + 12 * HOUR, agent="evil/9"), use(19 * DAY + 13 * HOUR, agent="boto3/1")])
    return {each.value for each in story.signals(Inventory(":memory:")) if each.code == "NEW_AGENT"}


def test_made_up_names_of_one_day_drive_out_nothing_and_hide_no_later_one() -> None:
    assert "evil" in new_programs(0)
    assert "evil" in new_programs(40)
    assert "boto3" not in new_programs(40)


VALUES = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=3), st.integers(1, 6), min_size=1, max_size=40)


@given(VALUES, st.integers(1, 9))
def test_what_a_baseline_cites_is_as_often_seen_as_what_was_learned(days: dict[str, int], apart: int) -> None:
    """So that it says the same with the baseline alone."""
    once = [name for name, number in days.items() if number == 1]
    n1 = min(len(once), apart)
    n = n1 + sum(number for number in days.values() if number > 1)
    usual = dict(sorted(days.items(), key=lambda each: (-each[1], each[0]))[:16])
    found = _pretended({"values": usual, "kinds": len(days), "n": n, "n1": n1})
    alone = {last for _, last, number in found.values() if number == 1}
    assert len(found) == len(days)
    assert usual.keys() <= found.keys()
    assert len(alone) == n1
    assert len(alone) + sum(number for *_, number in found.values() if number > 1) == n


@pytest.mark.parametrize(
    "error, found", [("NoSuchKey", True), ("Client.InvalidInstanceID.NotFound", True), ("Throttling", False), ("NoSuchBucket", False)]
)
def test_what_failed_as_only_what_was_let_in_can_fail_was_let_in(error: str, *, found: bool) -> None:
    failed = use(0, operation="s3:GetObject", outcome="failed", error=error, account="444455556666", credential="cred:one")
    story = Story(
        [use(-HOUR, operation="ec2:RunInstances", outcome="failed", error="Throttling"), failed, use(HOUR, outcome="failed", error="InternalError")],
        declared=Declared(uses=("sqs:*",)), credentials=[Credential("cred:one", identity=ME)],
        environments=[Environment("prod", ("111122223333",)), Environment("dev", ("444455556666",))],
    )  # fmt: skip
    assert ({"OUT_OF_PURPOSE_USE", "ENV_CROSSING"} <= codes(story)) == found


def test_the_same_call_with_and_without_an_answer_are_two_forms() -> None:
    """The first of them says nothing, and must not speak for the other."""
    items = [use(0, outcome="failed", error="Throttling"), use(1, outcome="failed", error="NoSuchKey")]
    assert codes(Story(items, declared=Declared(uses=("sqs:*",)))) == {"OUT_OF_PURPOSE_USE"}
