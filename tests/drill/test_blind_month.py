"""`python -m benchmarks.blind_month`: of a month in which the pipeline fails for six hours, six hours are counted, and somebody hears in time."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from licet.drill.live import Choice
from licet.drill.pipeline import Pipeline
from licet.drill.run import run
from licet.drill.scenarios import SCENARIOS
from licet.drill.slots import CADENCE, SLOT

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks import blind_month

from test_schedule import Place, place  # noqa: F401 - a fixture

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library


@pytest.mark.parametrize("fails", ["judge", "runner", "sink"])
def test_six_hours_are_six_hours_within_five_percent_and_the_alarm_comes_within_the_cadence(fails):
    month = blind_month.month(7, fails, looks=300.0)
    assert month.off <= 0.05
    assert month.alarm <= CADENCE + 300.0
    assert month.over <= CADENCE + 300.0
    assert 6 <= month.alarms <= 8  # one, one an hour, and one that it is over


def test_a_month_that_does_not_fail_is_not_blind():
    month = blind_month.month(7, "judge", hours=1e-9, looks=SLOT * 144 * 30)
    assert (month.counted, month.alarms) == (0.0, 0)


def test_a_real_verdict_blames_what_the_benchmark_says_where_nothing_is_judged(place: Place, monkeypatch):  # noqa: F811 - the fixture
    scenario = next(each for each in SCENARIOS if each.id == "D1")
    with place.opened(0) as live:
        monkeypatch.setattr(Pipeline, "judge", lambda _: None)
        results = run([Choice(scenario, "cloudtrail")], live)
    misuses = [each for each in results if not each.twin]
    assert [each.parts for each in misuses] == [("hop evaluated",)] * 2  # and a shadow
    assert not any(each.passed or each.parts for each in results if each.twin)
