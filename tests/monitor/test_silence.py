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


@pytest.mark.parametrize("old", [-30, -400, -3_650])
def test_a_record_of_long_ago_makes_no_pause_whenever_it_comes(old: int) -> None:
    """Else one line out of an archive, or one span that names an old time, would turn the alarm off."""
    before, at_once, after = Inventory(":memory:"), Inventory(":memory:"), Inventory(":memory:")
    before.keep([use(old * DAY)], now=START - DAY)
    before.keep(TWO_DAYS, now=START + 2 * DAY)
    at_once.keep([*TWO_DAYS, use(old * DAY)], now=START + 2 * DAY)
    after.keep(TWO_DAYS, now=START + 2 * DAY)
    assert len(silent(after, 20 * DAY)) == findings(after) == 1
    after.keep([use(old * DAY)], now=START + 20 * DAY)
    for inventory in (before, at_once, after):
        (found,) = silent(inventory, 20 * DAY)
        assert (found.alert, found.expected, findings(inventory)) == (True, "an event within 9 h", 1)


def test_a_backfill_makes_no_pause_of_what_was_silent() -> None:
    inventory = Inventory(":memory:")
    inventory.keep([use(-day * DAY) for day in (30, 25, 20, 15)], now=START + 2 * DAY)
    inventory.keep(TWO_DAYS, now=START + 2 * DAY)
    assert [each.alert for each in silent(inventory, 3 * DAY)] == [True]


def test_a_pause_between_records_that_came_live_is_one_in_whatever_order_they_came() -> None:
    one, other = Inventory(":memory:"), Inventory(":memory:")
    one.keep([use(0)], now=START + HOUR)
    one.keep([use(5 * DAY)], now=START + 5 * DAY)
    other.keep([use(5 * DAY)], now=START + 5 * DAY)
    other.keep([use(0)], now=START + 5 * DAY)
    assert silent(one, 19 * DAY) == silent(other, 19 * DAY) == []
    assert len(silent(one, 21 * DAY)) == len(silent(other, 21 * DAY)) == 1


def test_an_old_record_in_accounts_of_few_events_makes_none_of_them_silent_for_longer() -> None:
    inventory = Inventory(":memory:")
    inventory.keep([use(HOUR, account=f"account-{number}") for number in range(9)], now=START + DAY)
    inventory.keep([use(-DAY + HOUR / 2, account=f"account-{number}") for number in range(9)], now=START + 30 * DAY)
    (found,) = silent(inventory, 30 * DAY)
    assert found.expected == "an event within 45 min"
