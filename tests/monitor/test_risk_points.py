"""Points of weak signals: they halve in a day, one kind has a bound, and only two kinds together become a finding."""

from __future__ import annotations

from pathlib import Path

import pytest

from licet.inventory.store import Inventory
from licet.monitor.findings import Seen, findings_of
from licet.monitor.known import Known
from licet.monitor.signal import Cited, Signal
from licet.monitor.world import Settings
from stories import DAY, HOUR, ME, START

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library


def weak(code: str, after: float, points: float) -> Seen:
    time = START + after
    cited = (Cited(f"cloudtrail/{code}{after}", "use", ME, time),)
    signal = Signal(code, False, points, "low", time, ME, "cred:one", f"{after}", "seen", "not seen", "baseline", cited)
    return Seen(signal, time)


@pytest.fixture
def world(tmp_path: Path) -> Known:
    return Known(Inventory(tmp_path / "inventory.db"), Settings(), START)


def number(world: Known, *seen: Seen) -> int:
    return len(findings_of(ME, seen, world))


def test_much_of_one_kind_is_no_finding(world: Known) -> None:
    assert number(world, *(weak("NEW_API", each, 50) for each in range(20))) == 0


def test_much_of_one_kind_and_a_little_of_another_is_none(world: Known) -> None:
    assert number(world, weak("GRANT_ADDED", 0, 10), *(weak("NEW_API", each, 50) for each in range(20))) == 0


def test_two_kinds_with_more_than_a_hundred_points_are_one(world: Known) -> None:
    assert number(world, weak("NEW_NETWORK", 0, 55), weak("SENSITIVE_ACTION", HOUR, 50)) == 1


def test_a_kind_without_points_is_none(world: Known) -> None:
    assert number(world, weak("ROTATION_OVERLAP", 0, 0), *(weak("NEW_API", each, 60) for each in range(20))) == 0


def test_points_halve_in_a_day(world: Known) -> None:
    assert number(world, weak("NEW_NETWORK", 0, 55), weak("SENSITIVE_ACTION", DAY, 60)) == 0


def test_where_it_comes_from_and_a_sensitive_action_are_a_finding_that_cites_all(world: Known) -> None:
    seen = [weak("NEW_NETWORK", 0, 50), weak("NEW_AGENT", 1, 35), weak("SENSITIVE_ACTION", 2, 30)]
    found = findings_of(ME, seen, world)
    assert [each.code for each in found[0].explanation.because] == ["NEW_NETWORK", "NEW_AGENT", "SENSITIVE_ACTION"]  # type: ignore[union-attr]
    assert len(found[0].explanation.evidence) == 3  # type: ignore[union-attr]
