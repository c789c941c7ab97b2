"""The monitoring that stands still while drills are green: records that nobody judges, findings that nobody takes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from licet.cli.main import main
from licet.drill.attested import attest
from licet.drill.audit import Audit
from licet.drill.exported import points
from licet.drill.looked import of_folder
from licet.drill.page import page
from licet.drill.score import scorecard
from licet.drill.status import status
from licet.drill.waiting import LIMIT, Waiting, waiting
from licet.events import UseEvent
from licet.guard.monitored import FILE as PROOF
from licet.inventory.judged import came, judged, waiting_since
from licet.inventory.store import Inventory
from licet.monitor.deliveries import LONGEST_WAIT, Message, Reply, Stands, deliver
from licet.monitor.kept import body_of, version_of
from licet.monitor.verdicts import Verdict, reasons_of, say
from licet.records import Finding
from test_cheats import House, house

pytestmark = pytest.mark.dev  # pure logic of ours

__all__ = ["house"]

NOW, HOUR = 1_750_000_000.0, 3_600.0


@pytest.fixture
def inventory(tmp_path: Path) -> Iterator[Inventory]:
    made = Inventory(tmp_path / "inventory.db")
    yield made
    made.close()


def take_in(inventory: Inventory, at: float, *, noted: bool = True, source: str = "cloudtrail") -> None:
    """As `licet ingest` does."""
    kept = inventory.keep([UseEvent(source, f"one-{at}", at - 60, "bot", "s3:GetObject", account="1", digest="00")], now=at)
    if noted:
        came(inventory, kept.uses, at)


def kinds(inventory: Inventory, now: float) -> set[str]:
    card = scorecard(Audit((), ()), None, now, scenarios=(), waiting=waiting(inventory, now))
    return {each.kind for each in card.reasons} & {"unjudged", "undelivered"}


def test_records_that_nobody_judged_for_an_hour_are_said_and_judging_them_heals(inventory: Inventory):
    take_in(inventory, NOW)
    assert kinds(inventory, NOW + HOUR) == set()
    assert kinds(inventory, NOW + HOUR + 1) == {"unjudged"}
    judged(inventory, NOW + 1)
    assert kinds(inventory, NOW + 10 * HOUR) == set()


def test_what_came_in_while_it_was_judged_waits(inventory: Inventory):
    take_in(inventory, NOW)
    judged(inventory, NOW - 1)
    assert kinds(inventory, NOW + 2 * HOUR) == {"unjudged"}


def test_who_goes_on_taking_in_does_not_hide_what_waits(inventory: Inventory):
    judged(inventory, NOW - 1)
    for minute in range(0, 120, 5):
        take_in(inventory, NOW + minute * 60)
    assert waiting(inventory, NOW + 2 * HOUR).unjudged == NOW
    assert kinds(inventory, NOW + 2 * HOUR) == {"unjudged"}


def test_an_intake_that_was_cut_off_before_it_was_noted_waits_too(inventory: Inventory):
    take_in(inventory, NOW, noted=False)
    assert kinds(inventory, NOW + 2 * HOUR) == {"unjudged"}
    judged(inventory, NOW)
    assert kinds(inventory, NOW + 2 * HOUR) == set()


def test_a_folder_without_a_real_record_is_not_concerned(inventory: Inventory):
    inventory.declare(owners=[])
    came(inventory, 1, NOW)
    assert waiting(inventory, NOW + 90 * HOUR) == Waiting()


class Says:
    """A sink that says so."""

    def __init__(self, name: str = "https://siem 0a", *, taken: bool = False) -> None:
        self.name, self._taken = name, taken

    def send(self, message: Message, now: float) -> Reply:
        return Reply(taken=self._taken, why="" if self._taken else "down")


FINDING = Finding("f1", NOW, "monitor", "high", "somebody acts", owner="team")


def found(inventory: Inventory, at: float = NOW, *, status: str = "open", finding: Finding = FINDING) -> None:
    take_in(inventory, at - 1)
    judged(inventory, at)
    with inventory.step() as db:
        row = (finding.id, "bot", finding.time, at, finding.severity, status, body_of(finding))
        db.execute("INSERT OR REPLACE INTO findings VALUES (?,?,?,?,?,?,?)", row)


def hand_over(inventory: Inventory, sink: Says, at: float, *, finding: Finding = FINDING, gone: bool = False) -> None:
    deliver(inventory, sink, [Stands(finding, version_of(finding, withdrawn=gone), gone, NOW)], at)


def test_a_finding_that_no_sink_takes_for_an_hour_is_said_and_taking_it_heals(inventory: Inventory):
    found(inventory)
    assert kinds(inventory, NOW + 2 * HOUR) == set()  # nobody was asked to take it
    hand_over(inventory, Says(), NOW + 1)
    assert kinds(inventory, NOW + HOUR) == set()
    assert kinds(inventory, NOW + HOUR + 1) == {"undelivered"}
    hand_over(inventory, Says(taken=True), NOW + 2 * HOUR)
    assert kinds(inventory, NOW + 3 * HOUR) == set()


def test_one_of_the_guard_waits_since_it_was_tried_first(inventory: Inventory):
    take_in(inventory, NOW)
    judged(inventory, NOW + 1)
    hand_over(inventory, Says(), NOW)
    hand_over(inventory, Says(), NOW + 5)
    assert kinds(inventory, NOW + HOUR) == set()
    assert kinds(inventory, NOW + HOUR + 1) == {"undelivered"}


def test_another_sink_that_took_it_does_not_hide_one_that_is_down(inventory: Inventory):
    found(inventory)
    hand_over(inventory, Says(), NOW + 1)
    hand_over(inventory, Says("otlp x", taken=True), NOW + 1)
    assert kinds(inventory, NOW + 2 * HOUR) == {"undelivered"}


def test_a_sink_that_was_given_up_for_another_is_no_reason_for_ever(inventory: Inventory):
    found(inventory)
    hand_over(inventory, Says(), NOW + 1)
    assert kinds(inventory, NOW + 10 * LONGEST_WAIT) == {"undelivered"}
    hand_over(inventory, Says("https://new 0b", taken=True), NOW + 10 * LONGEST_WAIT)
    assert kinds(inventory, NOW + 10 * LONGEST_WAIT) == set()


def test_what_is_suppressed_or_withdrawn_untold_waits_for_nobody(inventory: Inventory):
    found(inventory)
    hand_over(inventory, Says(), NOW + 1)
    say(inventory, Verdict("f1", NOW, "suppressed", "grace", "known", NOW + 3 * HOUR, reasons_of(FINDING)))
    assert kinds(inventory, NOW + 2 * HOUR) == set()
    assert kinds(inventory, NOW + 4 * HOUR) == {"undelivered"}
    found(inventory, status="withdrawn")
    assert kinds(inventory, NOW + 4 * HOUR) == set()


def test_what_became_again_as_the_sink_has_it_waits_for_nothing(inventory: Inventory):
    found(inventory)
    hand_over(inventory, Says(taken=True), NOW + 1)
    worse = replace(FINDING, severity="critical")
    hand_over(inventory, Says(), NOW + 2, finding=worse)
    assert kinds(inventory, NOW + 2 * HOUR) == set()
    found(inventory, finding=worse)
    assert kinds(inventory, NOW + 2 * HOUR) == {"undelivered"}


def test_how_long_it_waits_is_a_figure(inventory: Inventory):
    take_in(inventory, NOW)
    card = scorecard(Audit((), ()), None, NOW + 90, scenarios=(), waiting=waiting(inventory, NOW + 90))
    assert [(card.metric(name).value, card.metric(name).denominator) for name in ("unjudged_seconds", "undelivered_seconds")] == [
        (90.0, LIMIT), (0.0, LIMIT),
    ]  # fmt: skip


def test_green_drills_do_not_hide_it_from_the_guard_the_watcher_and_the_page(house: House):
    house.play()
    house.live.ledger.seal()
    folder, inventory = house.folder, house.live.pipeline.inventory
    now = house.live.clock.now()
    assert attest(folder.path, house.live).well >= now
    before = json.loads((folder.path / PROOF).read_text())["well"]
    take_in(inventory, now - 2 * HOUR)
    house.play()  # drills judge it, and nobody knows whether anybody else would
    house.live.ledger.seal()
    assert attest(folder.path, house.live).well == before
    seen = of_folder(folder.path, house.live.clock.now())
    assert any("were not judged" in each for each in seen.why)
    card = status(folder.path, house.live.clock.now(), figures=False)
    assert "unjudged" in {each.kind for each in card.reasons}
    assert "were not judged" in page(card)
    assert any(each.attributes.get("licet.drill.figure") == "unjudged_seconds" for each in points(card))


def test_the_commands_note_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    state, logs = str(tmp_path / "state"), tmp_path / "events.jsonl"
    event = {"time": "2026-01-01T00:00:00Z", "kind": "activated", "identity": "bot", "id": "1"}
    logs.write_text(json.dumps(event) + "\n")
    assert main(["ingest", "lifecycle", str(logs), "--state", state]) == 0
    with closing(Inventory(tmp_path / "state" / "inventory.db", reading=True)) as opened:
        since = waiting_since(opened)
        assert 0 <= time.time() - since < 60
        assert opened.cursor("monitor", "waits") is not None
    assert main(["monitor", "--state", state]) == 0
    with closing(Inventory(tmp_path / "state" / "inventory.db", reading=True)) as opened:
        assert waiting_since(opened) == 0
        last = opened.cursor("monitor", "last")
    assert last is not None
    assert since <= last["time"] <= time.time()
