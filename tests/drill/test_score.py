"""The scorecard: each figure by a table of what is true, each way to red, and no passed result whose absence would make it better."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licet.drill.audit import UNREVEALED, Audit, Audited
from licet.drill.blind import EVERYTHING
from licet.drill.book import Result, Row
from licet.drill.commitment import Announced
from licet.drill.scenario import NOTHING_DECLARED, Play, Scenario
from licet.drill.score import DAILY, WEEK, Scorecard, scorecard
from licet.drill.shown import lowest
from licet.drill.slots import CADENCE, DAY, SLOT, Slot, day_of, drawn
from licet.drill.standing import Attributed, Heard, Standing

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

NOW = 1_700_000_000.0
BEGAN = NOW - 6 * DAY


def _draw(*_: object) -> Play:
    return Play("", "", (), NOTHING_DECLARED)


ENDED = Scenario("D1", "revoked-key", "", ("cloudtrail", "github"), _draw)
AFTER = Scenario("D18", "forged-drill", "", ("cloudtrail",), _draw, after="D1")
ALL = (ENDED, AFTER)
CODES = {"D1": ("POST_REVOCATION_USE",), "D18": ("DRILL_FORGERY",)}


def result(scenario: str = "D1", source: str = "cloudtrail", ago: float = 60.0, **but: Any) -> Result:
    of = {"twin": False, "shadow": False, "passed": True, "hop": "delivered", "failures": (), "parts": (), "seconds": 1.0}
    fields = of | {"finding": "f", "owned": True, "attributed": True, "sinks": ("webhook",)} | but
    return Result(drill="d", scenario=scenario, source=source, began=NOW - ago, said=NOW - ago + 1, **fields)


def drill(of: Result, wrong: str = "", **but: Any) -> Audited:
    codes = () if of.twin else CODES[of.scenario]
    announced = Announced(
        of.drill, "", "", of.scenario, of.source, of.twin, of.shadow, "", "", (), (), codes, "", 0, of.began, of.began + 90
    )
    return Audited(Row(of.drill, "", of.began - 1, of.began + 90, 1, announced, (), of, "", 2, of.said), wrong, **but)


def unrevealed(ago: float) -> Audited:
    return Audited(Row("gone", "", NOW - ago, NOW - ago + 90, 1, None, (), None, "", 0, 0.0), UNREVEALED)


def round_of(ago: float = 60.0) -> list[Audited]:
    """All that is to be played, passed."""
    kinds = [{"twin": False}, {"twin": True}, {"shadow": True, "sinks": ()}]
    cells = [(ENDED, "cloudtrail"), (ENDED, "github"), (AFTER, "cloudtrail")]
    return [
        drill(result(each.id, source, ago, **kind)) for each, source in cells for kind in (kinds[:2] if each.after else kinds)
    ]  # fmt: skip


def daily() -> list[Audited]:
    """A round each half day."""
    return [each for number in range(12) for each in round_of(60 + number * DAY / 2)]


def card(drills: list[Audited], standing: Standing | None = None, **but: Any) -> Scorecard:
    audit = Audit(tuple(drills), **({"wrong": (), "began": BEGAN} | but))
    return scorecard(audit, standing, NOW, scenarios=ALL)


def kinds(of: Scorecard) -> list[str]:
    return [each.kind for each in of.reasons]


def test_where_everything_passed_and_nothing_is_missing_it_is_green():
    found = card(daily())
    assert (found.passed, found.reasons, found.blind, found.stretches) == (True, (), (), ())
    assert found.score == pytest.approx(lowest(96, 96))


# Ways to red --------------------------------------------------------------------------------------------------------------

RED: dict[str, tuple[Callable[[], Scorecard], list[str]]] = {
    "nothing was ever played": (lambda: card([], began=0.0), ["silent", "unplayed"]),
    "a misuse failed": (lambda: card([*daily(), drill(result(ago=5, passed=False))]), ["failed"]),
    "a twin failed": (lambda: card([*daily(), drill(result(ago=5, twin=True, passed=False))]), ["failed"]),
    "it failed as somebody who is known for no drill": (lambda: card([*daily(), drill(result(ago=5, shadow=True, passed=False))]), ["failed"]),
    "one was never revealed": (lambda: card([*daily(), unrevealed(100)]), ["unrevealed"]),
    "a result is not what was signed": (lambda: card([*daily(), drill(result(ago=5), "its result is not what was signed")]), ["audit"]),
    "a drill was taken away": (lambda: card(daily(), wrong=("somebody took it away",)), ["audit"]),
    "no result for a day": (lambda: card(round_of(DAILY + 60), began=NOW - 1.5 * DAY), ["silent"]),
    "no result within the schedule's cadence": (lambda: card(round_of(CADENCE + 60), days=((NOW - DAY / 2, NOW + DAY / 2),)), ["silent"]),
    "what was due was not played": (lambda: card(daily(), missed=(Slot(NOW - 30, "D1", "github", ""),)), ["missed"]),
    "a source on which it is not played": (lambda: card([each for each in daily() if of(each).source != "github"]), ["unplayed"]),
    "no twin is played": (lambda: card([each for each in daily() if not of(each).twin]), ["unplayed"]),
    "no shadow is played": (lambda: card([each for each in daily() if not of(each).shadow]), ["unplayed"]),
    "the clock went back": (lambda: card([*daily(), drill(result(ago=-3_600.0))]), ["clock"]),
}  # fmt: skip


def of(audited: Audited) -> Result:
    assert audited.row.result is not None
    return audited.row.result


@pytest.mark.parametrize("way", RED)
def test_each_way_to_red_is_red_and_says_why(way: str):
    make, expected = RED[way]
    found = make()
    assert kinds(found) == expected
    assert not found.passed
    assert found.plain()["verdict"] == "FAIL"


def test_results_of_the_future_are_none():
    """A clock that stands still would keep them fresh for ever."""
    assert kinds(card([drill(of(each)._replace(began=NOW + 3_600)) for each in round_of()])) == ["silent", "unplayed", "clock"]


def test_what_failed_is_red_until_one_of_its_kind_passes():
    failed = drill(result(ago=50, passed=False, failures=("no finding says POST_REVOCATION_USE",)))
    assert kinds(card([*daily(), failed])) == ["failed"]
    assert "no finding says POST_REVOCATION_USE" in card([*daily(), failed]).reasons[0].said
    assert kinds(card([*daily(), failed, drill(result(ago=40, twin=True)), drill(result(source="github", ago=40))])) == ["failed"]
    assert card([*daily(), failed, drill(result(ago=40))]).passed


def test_what_was_never_revealed_is_red_until_everything_was_played_anew():
    """Nobody knows what it was."""
    gone = unrevealed(500)
    again = round_of(300)
    assert card([*round_of(90_000), gone, *again], began=NOW - 90_010).passed
    assert kinds(card([*round_of(600), gone, *again[:-1]])) == ["unrevealed"]


def test_a_slot_that_was_missed_is_one_that_failed_and_is_red_until_its_kind_is_played():
    missed = (Slot(NOW - 3_600, "D1", "github", ""),)
    assert card(daily(), missed=missed).passed
    assert card(daily(), missed=missed).metric("drill_pass_rate").denominator == 97


def test_a_drill_that_goes_on_is_no_result_and_no_failure():
    going = Audited(unrevealed(20).row, open=True)
    assert card([*daily(), going]).passed
    assert card([*daily(), going]).metric("drill_pass_rate").denominator == 96


# Figures -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hits,tries,low",
    [(30, 30, 0.05 ** (1 / 30)), (0, 5, 0.0), (1, 1, 0.05), (59, 60, 0.92336), (10, 20, 0.3020), (1_990, 2_000, 0.99154)],
)
def test_the_lower_bound_is_that_of_clopper_and_pearson(hits: int, tries: int, low: float):
    """One-sided at 95 %; those that are no power are of the beta distribution's quantile."""
    assert lowest(hits, tries) == pytest.approx(low, abs=1e-4)


def test_each_figure_of_drills_stands_with_what_it_is_made_of():
    drills = [
        *round_of(), drill(result(ago=50, seconds=3.0)), drill(result(ago=40, seconds=9.0)),
        drill(result(ago=30, passed=False, seconds=-1.0, owned=False)),
        drill(result(ago=20, twin=True, passed=False, failures=("the benign twin (another key) has a finding: X",))),
        drill(result(ago=10, twin=True, passed=False, failures=("3 records of cloudtrail were let in, and are not in the inventory",))),
    ]  # fmt: skip
    found = {
        (each.name, each.of): (each.numerator, each.denominator, each.value)
        for each in card(drills, began=NOW - 61).metrics if each.name != "blind_seconds"
    }  # fmt: skip
    assert found == {
        ("detection_coverage", ""): (2, 3, 2 / 3),
        ("drill_pass_rate", ""): (10, 13, 10 / 13),
        ("false_alarms_twins", ""): (1, 5, 0.2),
        ("explanation_completeness", ""): (5, 6, 5 / 6),
        ("detection_time_p50", "cloudtrail"): (4, 5, 1.0),
        ("detection_time_p95", "cloudtrail"): (4, 5, 9.0),
        ("detection_time_p50", "github"): (1, 1, 1.0),
        ("detection_time_p95", "github"): (1, 1, 1.0),
    }


def test_each_figure_of_real_things_stands_with_what_it_is_made_of():
    of_sources = [Attributed("cloudtrail", 200, 50, 190, 60, 100)]
    standing = Standing(NOW - 10, 50, 40, 30, of_sources, 20, 15, [Heard("cloudtrail", NOW - 600, 1_200.0)], 14, 7)
    found = card(round_of(), standing)
    figures = {each.name: (each.of, each.numerator, each.denominator, each.value, each.as_of) for each in found.metrics}
    assert figures["ownership_coverage"] == ("", 30, 40, 0.75, NOW - 10)
    assert figures["attribution_coverage"] == ("cloudtrail", 50, 200, 0.25, NOW - 10)
    assert figures["trace_completeness"] == ("", 15, 20, 0.75, NOW - 10)
    assert figures["source_freshness"] == ("cloudtrail", 600.0, 1_200.0, 600.0, NOW)
    assert figures["false_alarms_suppressed"] == ("", 7, 14, 0.5, NOW)
    assert figures["alerts_per_day"] == ("", 14, 3.5, 4.0, NOW)  # 2 a day, of 50 machines


def test_a_figure_of_nothing_is_not_known_and_not_whole():
    found = card([], Standing(), began=0.0)
    assert all(each.value in (None, 0.0) for each in found.metrics if each.name != "blind_seconds")
    assert found.metric("ownership_coverage").value is None
    assert found.metric("drill_pass_rate").low is None
    assert found.score == 0.0


# Blind ---------------------------------------------------------------------------------------------------------------------


def test_who_fails_blames_parts_and_the_next_that_passes_through_them_clears_them():
    fails = {"passed": False, "parts": ("detector ends", "hop alerted")}
    drills = [*daily(), drill(result(ago=40, **fails)), drill(result(ago=30, **fails)), drill(result(source="github", ago=10))]
    found = card(drills)
    assert {(each.part, NOW - each.since, NOW - each.until) for each in found.stretches} == {
        ("detector ends", 50.0, 20.0), ("hop alerted", 50.0, 20.0),
    }  # fmt: skip
    assert found.metric("blind_seconds").numerator == 30.0
    assert {each.part for each in card(drills[:-1]).blind} == {"detector ends", "hop alerted"}


def test_what_is_played_beside_shows_nothing_of_the_live_pipeline_and_the_other_way():
    """A detector that answers drills alone is blind, however many drills it finds."""
    fails = {"passed": False, "parts": ("hop alerted", "detector ends")}
    live, beside = drill(result(ago=40, **fails)), drill(result(ago=40, shadow=True, sinks=(), **fails))
    passes, passes_beside = drill(result(ago=30)), drill(result(ago=30, shadow=True, sinks=()))
    assert {each.part for each in card([*daily(), live, passes_beside]).blind} == {"hop alerted", "detector ends"}
    assert {each.part for each in card([*daily(), beside, passes]).blind} == {"hop alerted (beside)", "detector ends (beside)"}
    assert not card([*daily(), live, beside, passes, passes_beside]).blind


def test_a_sink_is_proved_by_what_it_took_and_not_by_what_another_took():
    fails = drill(result(ago=40, passed=False, parts=("sink webhook",)))
    other = drill(result(source="github", ago=20, sinks=("otlp",)))
    assert {each.part for each in card([*daily(), fails, other]).blind} == {"sink webhook"}
    assert not card([*daily(), fails, other, drill(result(source="github", ago=10))]).blind
    again = drill(result(ago=10, sinks=("otlp",)))  # the same drill, elsewhere
    assert kinds(card([*daily(), fails, again])) == ["sink"]
    assert {each.part for each in card([*daily(), fails, again]).blind} == {"sink webhook"}
    assert card([*daily(), fails, again, drill(result(source="github", ago=5))]).passed


def test_a_pipeline_that_fails_for_six_hours_of_a_month_is_blind_for_six_hours_within_five_percent():
    """By the hidden schedule, though all that is played beside it goes on."""
    rng, cells = random.Random(3), [("D1", "cloudtrail"), ("D1", "github"), ("D18", "cloudtrail")]
    begin = day_of(NOW) - 29 * DAY
    begins, ends = begin + 12.3 * DAY, begin + 12.55 * DAY
    drills: list[Audited] = []
    for slot in (each for day in range(30) for each in drawn(begin + day * DAY, cells, rng) if each.time <= NOW):
        about = {"scenario": slot.scenario, "source": slot.source, "ago": NOW - slot.time}
        fails = {"passed": False, "parts": ("hop alerted",)} if begins <= slot.time < ends else {}
        drills += [drill(result(**about, **fails)), drill(result(**about, twin=True)), drill(result(**about, shadow=True, sinks=()))]
    audit = Audit(tuple(drills), (), begin, ((begin, begin + 31 * DAY),))
    found = scorecard(audit, None, NOW, scenarios=ALL, within=29.5 * DAY)
    assert found.metric("blind_seconds").numerator == pytest.approx(ends - begins, rel=0.05)


def test_a_twin_that_has_a_finding_is_a_false_alarm_and_no_blindness():
    parts = ("detector ends", "reader cloudtrail")
    found = card([*daily(), drill(result(ago=40, twin=True, passed=False, parts=parts))])
    assert {each.part for each in found.blind} == {"reader cloudtrail"}


def test_what_a_drill_blamed_works_again_once_one_of_its_kind_passes_whatever_the_part_is_called():
    fails = drill(result(ago=40, passed=False, parts=("something new",)))
    assert {each.part for each in card([*daily(), fails, drill(result(source="github", ago=30))]).blind} == {"something new"}
    assert not card([*daily(), fails, drill(result(ago=30))]).blind


def test_without_a_result_everything_is_blind_after_a_day_and_after_the_cadence_of_a_schedule():
    [found] = card(round_of(DAILY + 600), began=NOW - DAILY - 700).blind
    assert (found.part, NOW - found.since) == (EVERYTHING, 600.0)
    [found] = card(round_of(CADENCE + 300), began=NOW - 2 * CADENCE, days=((NOW - 2 * CADENCE, NOW + DAY),)).blind
    assert (found.part, NOW - found.since) == (EVERYTHING, 300.0)


def test_before_a_schedule_was_committed_to_nobody_had_to_play_every_quarter_of_an_hour():
    slots = [each for number in range(20) for each in round_of(number * SLOT)]
    begins = NOW - 19 * SLOT
    found = card([*slots, *round_of(NOW - begins + DAY / 2)], began=NOW - DAY, days=((begins, NOW + DAY),))
    assert (found.stretches, found.passed) == ((), True)


# What is left out ------------------------------------------------------------------------------------------------------------

results = st.builds(
    lambda kind, source, ago, passed, parts: drill(
        result(source=source, ago=ago, passed=passed, parts=() if passed else parts, twin=kind == "twin", shadow=kind == "shadow")
    ),
    st.sampled_from(["misuse", "twin", "shadow"]), st.sampled_from(["cloudtrail", "github"]), st.integers(1, int(WEEK + DAY)).map(float),
    st.booleans(), st.sampled_from([("detector ends",), ("hop alerted", "sink webhook"), ("reader cloudtrail",), ("new",)]),
)  # fmt: skip


@given(st.lists(results, min_size=1, max_size=30), st.booleans(), st.data())
@settings(max_examples=300, deadline=None)
def test_who_takes_a_passed_result_away_never_makes_it_better(drills: list[Audited], scheduled: bool, data: st.DataObject):
    drills += [unrevealed(DAY)] if data.draw(st.booleans()) else []
    of_all = {"days": ((NOW - 2 * DAY, NOW + DAY),)} if scheduled else {}
    passed = [number for number, each in enumerate(drills) if each.passed]
    if data.draw(st.booleans()):
        drills += round_of()
        passed.append(len(drills) - 1)
    if not passed:
        return
    gone = data.draw(st.sampled_from(passed))
    before, after = card(drills, **of_all), card([*drills[:gone], *drills[gone + 1 :]], **of_all)
    assert after.score <= before.score + 1e-12
    assert len(after.reasons) >= len(before.reasons) or not after.passed
    assert not (after.passed and not before.passed)
    assert after.metric("blind_seconds").numerator >= before.metric("blind_seconds").numerator - 1e-6
    assert (after.metric("drill_pass_rate").low or 0.0) <= (before.metric("drill_pass_rate").low or 0.0) + 1e-12
