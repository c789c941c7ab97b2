"""Which sources are silent: one that spoke live; not what was only ever old; and not one finding for each account that a record names."""

from __future__ import annotations

from typing import Any

import pytest

from licet.inventory.store import Inventory
from licet.monitor.kept import kept
from licet.monitor.run import monitor
from licet.monitor.signal import Signal
from licet.monitor.silence import history, silence
from licet.monitor.stored import signal_of
from licet.monitor.world import Settings
from stories import DAY, HOUR, MINUTE, START, use

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

TWO_DAYS = [use(hour * HOUR) for hour in range(0, 48, 3)] + [use(47 * HOUR + minute * MINUTE) for minute in range(50)]


def silent(inventory: Inventory, now: float) -> list[Signal]:
    monitor(inventory, Settings(), START + now)
    return [signal_of(body) for (body,) in inventory.rows("SELECT body FROM signals WHERE code='SOURCE_SILENT' ORDER BY id")]


def findings(inventory: Inventory) -> int:
    return sum(each.finding.check == "monitor.source-silent" and not each.withdrawn for each in kept(inventory))


def test_a_source_that_was_only_ever_old_is_history_and_is_said_to_be() -> None:
    """It is no finding, and no green light: nothing has come of it since."""
    inventory = Inventory(":memory:")
    inventory.keep(TWO_DAYS[:20], now=START + 30 * DAY)
    inventory.keep(TWO_DAYS[20:], now=START + 30 * DAY)
    (found,) = silent(inventory, 31 * DAY)
    assert (found.alert, found.points, findings(inventory)) == (False, 0.0, 0)
    (said,) = history(inventory)
    assert said.startswith("cloudtrail of 111122223333: history: no event since ")
    assert "all were older than 7 d when they were taken in" in said
    assert monitor(inventory, Settings(), START + 32 * DAY).changed == 0


def test_a_source_that_spoke_once_in_time_is_silent_whatever_old_is_taken_in_later_or_again() -> None:
    """Else whoever reads its logs from the start would turn the alarm off."""
    for later in (TWO_DAYS[:5], [use(-40 * DAY)]):
        inventory = Inventory(":memory:")
        inventory.keep(TWO_DAYS, now=START + 2 * DAY + HOUR)
        inventory.keep(later, now=START + 30 * DAY)
        (found,) = silent(inventory, 400 * DAY)
        assert (found.alert, findings(inventory), history(inventory)) == (True, 1, [])


def test_history_that_goes_on_live_can_fall_silent() -> None:
    inventory = Inventory(":memory:")
    inventory.keep(TWO_DAYS, now=START + 30 * DAY)
    assert [each.alert for each in silent(inventory, 31 * DAY)] == [False]
    inventory.keep([use(31 * DAY)], now=START + 31 * DAY + HOUR)
    assert silent(inventory, 31 * DAY + 600) == []
    assert [each.alert for each in silent(inventory, 200 * DAY)] == [True]


def test_accounts_that_a_record_names_at_will_are_told_of_together() -> None:
    inventory = Inventory(":memory:")
    made_up = [use(HOUR, account=f"made-up-{number}") for number in range(400)]
    inventory.keep([*TWO_DAYS, *made_up], now=START + 2 * DAY)
    found = silent(inventory, 20 * DAY)
    assert len(found) == findings(inventory) == 2
    (together,) = [each for each in found if "400 accounts" in each.observed]
    assert len(together.evidence) == 8
    assert monitor(inventory, Settings(), START + 21 * DAY).changed == 0
    inventory.keep([use(HOUR, account="made-up-400")], now=START + 2 * DAY)
    assert len({each.id for each in silent(inventory, 22 * DAY)} | {each.id for each in found}) == 2


def test_a_few_accounts_of_few_events_are_told_of_each() -> None:
    inventory = Inventory(":memory:")
    inventory.keep([use(HOUR, account=f"account-{number}") for number in range(3)], now=START + 2 * HOUR)
    assert len(silent(inventory, 20 * DAY)) == 3


class _Counting:
    """A connection that counts what goes through the uses."""

    def __init__(self, db: Any) -> None:
        self._db, self.scans = db, 0

    def execute(self, query: str, values: Any = ()) -> Any:
        self.scans += "FROM uses" in query
        return self._db.execute(query, values)

    def executemany(self, query: str, values: Any) -> Any:
        return self._db.executemany(query, values)


def test_what_stands_costs_no_walk_through_the_uses_and_what_is_new_a_few_however_many_accounts() -> None:
    inventory = Inventory(":memory:")
    accounts = [use(hour * HOUR, account=f"account-{number}") for number in range(30) for hour in range(60)]
    inventory.keep([*accounts, *(use(HOUR, account=f"made-up-{number}") for number in range(100))], now=START + 3 * DAY)
    for expected in (3, 0):
        with inventory.step() as db:
            counting = _Counting(db)
            silence(counting, START + 30 * DAY, {})  # type: ignore[arg-type]
            assert counting.scans <= expected
    assert len(silent(inventory, 30 * DAY)) == 31


def test_an_event_that_comes_late_makes_the_longest_pause_what_it_is() -> None:
    """The same is said as if it had been there from the first."""
    late = [use(-30 * DAY)]
    one, other = Inventory(":memory:"), Inventory(":memory:")
    one.keep(TWO_DAYS, now=START + 2 * DAY)
    assert len(silent(one, 40 * DAY)) == 1
    one.keep(late, now=START + 40 * DAY)
    other.keep([*TWO_DAYS, *late], now=START + 2 * DAY)
    assert silent(one, 40 * DAY) == silent(other, 40 * DAY) == []
