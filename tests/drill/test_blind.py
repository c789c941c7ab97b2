"""Seconds blind are those of the truth, as far as drills can tell."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from licet.drill.blind import EVERYTHING, Look, Stretch, blind_now, seconds, stretches
from licet.drill.slots import CADENCE, DAY, SLOT, drawn, root

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

HOUR = 3_600.0
CELLS = [(f"D{number}", source) for number in range(1, 12) for source in ("cloudtrail", "github")]


def look(time: float, proved: str = "", blamed: str = "") -> Look:
    return Look(time, frozenset(proved.split()), frozenset(blamed.split()))


def month(seed: int, fails: tuple[float, float], part: str = "hop") -> list[Look]:
    """30 days of drills by the hidden schedule; between two times every drill fails."""
    rng = random.Random(seed)
    slots = [slot for day in range(30) for slot in drawn(day * DAY, CELLS, rng)]
    return [
        look(each.time, blamed=part) if fails[0] <= each.time < fails[1] else look(each.time, f"{part} {each.scenario}") for each in slots
    ]


@pytest.mark.parametrize("seed", range(20))
def test_a_pipeline_that_fails_for_six_hours_of_a_month_is_blind_for_six_hours_within_five_percent(seed):
    begin = random.Random(-seed).uniform(2, 27) * DAY
    looks = month(seed, (begin, begin + 6 * HOUR))
    counted = seconds(stretches(looks, 0.0, 30 * DAY, CADENCE), 0.0, 30 * DAY)
    assert counted == pytest.approx(6 * HOUR, rel=0.05)


@pytest.mark.parametrize("seed", range(20))
def test_the_first_drill_that_fails_comes_within_the_cadence(seed):
    begin = random.Random(-seed).uniform(2, 27) * DAY
    first = next(each.time for each in month(seed, (begin, begin + 6 * HOUR)) if each.blamed)
    assert first - begin <= CADENCE


def test_a_part_is_blind_from_half_way_after_its_last_proof_until_half_way_to_its_next():
    looks = [look(100, "a"), look(200, blamed="a"), look(300, blamed="a"), look(500, "a")]
    assert stretches(looks, 0.0, 600.0, 1_000.0) == [Stretch("a", 150.0, 400.0)]


def test_what_proves_another_part_does_not_end_the_blindness_of_this_one():
    looks = [look(100, "a"), look(200, blamed="a"), look(300, "b"), look(400, "b")]
    found = stretches(looks, 0.0, 500.0, 1_000.0)
    assert found == [Stretch("a", 150.0, 500.0)]
    assert blind_now(found, 500.0) == found


def test_no_result_within_the_cadence_is_blindness_of_everything_and_never_green():
    found = stretches([look(100, "a")], 0.0, 5_000.0, 900.0)
    assert found == [Stretch(EVERYTHING, 1_000.0, 5_000.0)]
    assert stretches([], 0.0, 901.0, 900.0) == [Stretch(EVERYTHING, 900.0, 901.0)]


def test_what_overlaps_counts_once():
    found = [Stretch("a", 0.0, 100.0), Stretch("b", 50.0, 120.0), Stretch("c", 200.0, 300.0)]
    assert seconds(found, 0.0, 250.0) == 170.0


def test_a_part_that_was_never_proved_is_blind_since_drills_are_due():
    assert stretches([look(400, blamed="a")], 200.0, 500.0, 1_000.0) == [Stretch("a", 300.0, 500.0)]


@pytest.mark.parametrize("seed", range(10))
def test_each_slot_of_a_day_has_one_drill_and_two_are_never_further_apart_than_the_cadence(seed):
    rng = random.Random(seed)
    slots = drawn(0.0, CELLS, rng) + drawn(DAY, CELLS, rng)
    assert [int(each.time // SLOT) for each in slots] == list(range(int(2 * DAY // SLOT)))
    times = [each.time for each in slots]
    assert max(later - earlier for earlier, later in pairwise(times)) <= CADENCE


def test_every_cell_has_its_turn_before_any_has_its_second():
    slots = drawn(0.0, CELLS, random.Random(1))
    assert {(each.scenario, each.source) for each in slots[: len(CELLS)]} == set(CELLS)


def test_the_root_of_a_day_is_another_one_if_any_slot_is():
    slots = drawn(0.0, CELLS, random.Random(1))
    other = [slots[0]._replace(source="okta"), *slots[1:]]
    assert root(slots) == root(list(slots))
    assert root(slots) != root(other) != root(slots[:-1])
