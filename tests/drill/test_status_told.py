"""What `licet drill status` says beside the figures: real sources that are old, and a book that is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from licet.cli.drill_status import _say
from licet.cli.main import main
from licet.drill.audit import Audit
from licet.drill.book import FILE
from licet.drill.scenarios import SCENARIOS
from licet.drill.score import DAY, WEEK, Scorecard, scorecard
from licet.drill.standing import Heard, Standing

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

NOW = 1_700_000_000.0


def card(*heard: Heard, began: float = NOW - 42) -> Scorecard:
    return scorecard(Audit((), (), began), Standing(heard=heard), NOW, scenarios=SCENARIOS)


def test_a_source_whose_last_real_record_is_old_is_warned_of_and_changes_no_verdict(capsys: pytest.CaptureFixture[str]):
    old, fresh = Heard("cloudtrail", NOW - 1_231.9 * DAY, 1_200.0), Heard("okta", NOW - 60, 3_600.0)
    found = card(old, fresh)
    assert found.reasons == card(fresh).reasons
    assert card(fresh).warnings == ()
    _say(found)
    text = capsys.readouterr().out
    assert [line for line in text.splitlines() if line.startswith("warning:")] == [
        "warning: the last real record of cloudtrail is 1231.9 d old: drills do not show that its records arrive"
    ]


def test_it_is_said_how_many_cells_are_of_sources_with_real_records(capsys: pytest.CaptureFixture[str]):
    _say(card(Heard("okta", NOW - 60, 3_600.0)))
    assert " cells, 0 of them of sources with records here" in capsys.readouterr().out
    found = card(Heard("okta", NOW - 60, 3_600.0))
    played = found._replace(cells=tuple(each._replace(state="passed") for each in found.cells))
    assert 0 < played.proved_here == sum(each.source == "okta" for each in played.cells) < len(played.cells)


def test_blind_seconds_and_results_name_the_same_begin_the_first_drill(capsys: pytest.CaptureFixture[str]):
    found = card()
    assert (found.since, found.metric("blind_seconds").denominator) == (NOW - 42, 42)
    _say(found)
    assert capsys.readouterr().out.count("since 2023-11-14 22:12") == 2


def test_without_any_drill_the_begin_is_that_of_the_window():
    assert card(began=0.0).since == NOW - WEEK


def test_a_book_that_is_gone_is_one_line_with_the_number_the_first_and_the_way_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    state = str(tmp_path / "state")
    assert main(["drill", "run", "D1", "--source", "cloudtrail", "--state", state]) == 0
    (tmp_path / "state" / FILE).unlink()
    for beside in tmp_path.glob(f"state/{FILE}-*"):
        beside.unlink()
    capsys.readouterr()
    assert main(["drill", "status", "--state", state]) == 1
    text = capsys.readouterr().out
    [line] = [each for each in text.splitlines() if "is not in the book: somebody took it away" in each]
    assert "the ledger has 3 such commitments, and this is the first. Put `drill.db` back" in line
    assert text.startswith("FAIL")
    main(["report", "--json", "--state", state])
    assert "took it away" in capsys.readouterr().out


def test_the_help_of_run_lists_each_scenario_with_its_sources(capsys: pytest.CaptureFixture[str]):
    assert main(["drill", "run", "--help"]) == 0
    text = capsys.readouterr().out
    for each in SCENARIOS:
        assert f"{each.id:5}{each.name:22}{', '.join(each.sources)}" in text
