"""One drill in each slot: drawn ahead, told afterwards, and none is left out unseen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from licet.drill.audit import Audit, audited
from licet.drill.book import FILE as BOOK
from licet.drill.book import Book
from licet.drill.days import LATE
from licet.drill.keys import DrillKey
from licet.drill.live import Live
from licet.drill.pipeline import Pipeline
from licet.drill.receiver import Receiver, receiving
from licet.drill.schedule import Done, Due, prepare, scheduled, slots_of
from licet.drill.slots import CADENCE, DAY, SLOT, root
from licet.drill.status import status
from licet.errors import UsageError
from licet.guard.state import open_ledger, open_state, secret
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.store import FILE, Inventory
from licet.ledger import LedgerFiles
from licet.monitor.webhook import Webhook

CELLS = [("D1", "cloudtrail"), ("D16", "cloudtrail")]
NOON = 20_000 * DAY + DAY / 2


class Hands:
    """A clock that goes on by itself, and farther when somebody waits."""

    def __init__(self, start: float) -> None:
        self.ahead = start - time.monotonic()

    def now(self) -> float:
        return self.ahead + time.monotonic()

    def monotonic(self) -> float:
        return self.now()

    def wait(self, seconds: float) -> None:
        self.ahead += seconds

    def turn(self, to: float) -> None:
        self.ahead = to - time.monotonic()


class Place:
    """A state folder in which drills are played, under a clock of the test's own."""

    def __init__(self, path: Path, receiver: Receiver) -> None:
        self.folder, self.receiver = open_state(path), receiver
        self.clock = Hands(NOON)
        self.key = DrillKey.of(self.folder.keys / "drill.key")
        self.busy = False
        self.said: list[Done] = []

    @contextmanager
    def opened(self, patience: float) -> Iterator[Live]:
        if self.busy:
            self.clock.wait(patience)
            raise UsageError("another run is at work")
        with (
            closing(open_ledger(self.folder)) as ledger,
            closing(Inventory(self.folder.path / FILE)) as inventory,
            closing(Book(self.folder.path / BOOK)) as book,
        ):
            pipeline = Pipeline(inventory, Fingerprints(secret(self.folder)).of, self.clock)
            yield Live(pipeline, {"webhook": Webhook(self.receiver.url, self.receiver.secret)}, ledger, self.key, book, self.clock)

    def play(self, lasts: float) -> list[Done]:
        return scheduled(self.opened, self.clock, self.clock.wait, self.clock.now() + lasts, self.said.append, cells=CELLS)

    def audit(self) -> Audit:
        with closing(Book(self.folder.path / BOOK)) as book:
            found = audited(book, LedgerFiles(self.folder.ledger), self.clock.now())
        assert [each.wrong for each in found.drills if each.wrong] == []
        return found

    def wrong(self) -> tuple[str, ...]:
        return self.audit().wrong


@pytest.fixture
def place(tmp_path) -> Iterator[Place]:
    with receiving() as receiver:
        yield Place(tmp_path / "state", receiver)


def test_each_slot_has_its_drill_with_its_twin_and_its_shadow(place):
    done = place.play(3 * SLOT)
    assert len(done) == 3
    assert [(each.why, each.passed, len(each.results)) for each in done] == [("", True, 3)] * 3
    assert place.wrong() == ()
    times = [each.slot.time for each in done]
    assert all(later - earlier <= CADENCE for earlier, later in pairwise(times))


def test_the_day_and_the_next_are_committed_to_before_their_first_slot_and_nothing_tells_the_slots(place):
    with place.opened(0) as live:
        days = prepare(live, CELLS)
        assert days[0].begins == pytest.approx(NOON + 5.0, abs=60.0)
        assert days[1].begins == NOON + DAY / 2
        assert prepare(live, CELLS) == days  # once
        slots = slots_of(place.key, days[0].day, days[0].begins, days[0].cells)
    assert root(slots) == days[0].root
    written = b"".join(each.read_bytes() for each in place.folder.path.rglob("*") if each.is_file() and each.name != "drill.key")
    assert days[0].root.encode() in written
    assert not any(each.salt.encode() in written or str(round(each.time, 3)).encode() in written for each in slots)


def test_the_slots_are_the_same_for_the_key_and_others_for_every_other_key_and_day(place, tmp_path):
    other = DrillKey.of(tmp_path / "other.key")
    mine = slots_of(place.key, NOON - DAY / 2, 0.0, CELLS)
    assert mine == slots_of(DrillKey.of(place.folder.keys / "drill.key"), NOON - DAY / 2, 0.0, CELLS)
    assert {each.salt for each in mine}.isdisjoint(each.salt for each in slots_of(other, NOON - DAY / 2, 0.0, CELLS))
    assert [each.time % DAY for each in mine] != [each.time % DAY for each in slots_of(place.key, NOON + DAY / 2, 0.0, CELLS)]


def test_draws_are_of_the_secret_alone_and_spread_over_all_that_can_be_drawn():
    one, same, other = Due(b"a"), Due(b"a"), Due(b"b")
    drawn = [one.random() for _ in range(2_000)]
    assert drawn == [same.random() for _ in range(2_000)] != [other.random() for _ in range(2_000)]
    assert all(0 <= each < 1 for each in drawn)
    assert abs(sum(drawn) / 2_000 - 0.5) < 0.03


def test_who_starts_it_again_goes_on_with_the_slots_that_are_left_and_says_which_were_missed(place):
    first = place.play(SLOT)
    place.clock.wait(3 * SLOT)
    second = place.play(2 * SLOT)
    missed = [each for each in second if each.why]
    assert 2 <= len(missed) <= 4  # of half an hour
    assert {each.why for each in missed} == {"nothing ran when it was due"}
    assert all(each.passed for each in second if not each.why)
    with place.opened(0) as live:
        day = prepare(live, CELLS)[0]
    due = [each for each in slots_of(place.key, day.day, day.begins, CELLS) if each.time < place.clock.now() - LATE]
    assert {each.slot.time for each in first + second} >= {each.time for each in due}


def test_a_slot_without_its_drill_is_a_failed_one_once_the_day_is_over(place):
    place.clock.turn(NOON + DAY / 2 - 3 * SLOT)  # the last half hour of a day
    place.play(SLOT)
    place.clock.wait(3 * SLOT)
    assert place.wrong() == ()  # nobody but who holds the key knows yet
    with place.opened(0) as live:
        prepare(live, CELLS)
    assert place.wrong() == ()
    assert 1 <= len(place.audit().missed) <= 3  # of the last half hour


def test_of_a_day_that_goes_on_it_is_said_that_no_drill_was_played_in_ten_minutes_in_which_one_was_due(place):
    place.play(2 * SLOT)
    assert place.audit().missed == ()
    stopped = place.clock.now()
    place.clock.wait(5 * SLOT)
    missed = place.audit().missed
    assert 1 <= len(missed) <= 3
    assert all(stopped - SLOT < each.time < place.clock.now() and not each.scenario for each in missed)
    card = status(place.folder.path, place.clock.now(), figures=False)
    assert sum("and none was played" in each.said for each in card.reasons if each.kind == "missed") == len(missed)


def test_a_day_that_is_over_and_never_told_is_wrong(place):
    with place.opened(0) as live:
        prepare(live, CELLS)
    place.clock.wait(DAY)
    assert ["its slots were never revealed" in each for each in place.wrong()] == [True]


def test_slots_that_were_made_up_afterwards_are_not_those_that_were_committed_to(place, monkeypatch):
    place.clock.turn(NOON + DAY / 2 - 3 * SLOT)
    with place.opened(0) as live:
        prepare(live, CELLS)
    place.clock.wait(4 * SLOT)
    monkeypatch.setattr("licet.drill.schedule.slots_of", lambda *_: [])  # none was due
    with place.opened(0) as live:
        prepare(live, CELLS)
    assert [each.partition(": ")[2] for each in place.wrong()] == ["the slots that were revealed are not those that were committed to"]


def test_while_others_are_at_work_it_waits_and_a_slot_that_they_took_is_missed(place):
    with place.opened(0) as live:
        prepare(live, CELLS)
    real, calls = place.opened, 0

    @contextmanager
    def opened(patience: float) -> Iterator[Live]:
        nonlocal calls
        calls += 1
        place.busy = calls == 2  # the first drill
        with real(patience) as live:
            yield live

    place.opened = opened
    done = place.play(2 * SLOT)
    assert [each.why for each in done] == ["another run is at work", ""]
    assert done[1].passed


def test_after_midnight_it_goes_on_with_the_next_day_and_tells_the_one_that_is_over(place):
    place.clock.turn(NOON + DAY / 2 - SLOT)
    done = place.play(2 * SLOT)
    assert [each.passed for each in done] == [True, True]
    with place.opened(0) as live:
        assert [bool(each.revealed) for each in live.book.days()] == [True, False, False]
    place.clock.wait(3 * SLOT)
    assert (place.wrong(), place.audit().missed) == ((), ())


def test_a_scenario_that_is_there_no_more_is_a_slot_that_was_missed(place):
    done = scheduled(
        place.opened, place.clock, place.clock.wait, place.clock.now() + SLOT, place.said.append, cells=[("D0", "nowhere")]
    )  # fmt: skip
    assert [each.why.partition(";")[0] for each in done] == ["D0 on nowhere can no longer be played"]


def test_once_is_one(place):
    done = scheduled(place.opened, place.clock, place.clock.wait, float("inf"), place.said.append, cells=CELLS, once=True)
    assert [each.passed for each in done] == [True]
