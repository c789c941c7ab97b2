"""A drill goes through the real parts, comes back as the right finding, and leaves nothing behind."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from licet.clock import SystemClock
from licet.drill.audit import audited
from licet.drill.book import FILE as BOOK
from licet.drill.book import Book, well_signed
from licet.drill.keys import DrillKey
from licet.drill.live import Choice, Live
from licet.drill.pipeline import Pipeline
from licet.drill.receiver import OWN_RECEIVER, Receiver, receiving
from licet.drill.run import run
from licet.drill.scenarios import SCENARIOS
from licet.drill.score import WEEK, Scorecard, scorecard
from licet.drill.sinks import address_of
from licet.guard.state import open_ledger, open_state, secret
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.store import FILE, Inventory
from licet.ledger import LedgerFiles
from licet.monitor.webhook import Webhook

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

SOME = [Choice(each, each.sources[0]) for each in SCENARIOS if each.id in ("D1", "D5", "D11", "D16")]


@pytest.fixture
def played(tmp_path) -> Iterator[tuple[Live, Receiver]]:
    folder = open_state(tmp_path / "state")
    ledger, fingerprint = open_ledger(folder), Fingerprints(secret(folder)).of
    with receiving() as receiver, closing(Inventory(folder.path / FILE)) as inventory, closing(Book(folder.path / BOOK)) as book:
        pipeline = Pipeline(inventory, fingerprint, SystemClock())
        key = DrillKey.of(folder.keys / "drill.key")
        yield Live(pipeline, {"webhook": Webhook(receiver.url, receiver.secret)}, ledger, key, book, SystemClock()), receiver
        ledger.close()


def rows(live: Live) -> dict[str, list[tuple[object, ...]]]:
    """Every row of the inventory, but for texts that stand once and for what is told of findings."""
    tables = [name for (name,) in live.pipeline.inventory.rows("SELECT name FROM sqlite_master WHERE type='table'")]
    left = set(tables) - {"words", "shapes", "findings", "deliveries", "owners", "sqlite_sequence"}
    return {name: live.pipeline.inventory.rows(f"SELECT * FROM {name}") for name in sorted(left)}


def test_every_drill_comes_back_as_its_finding_and_every_twin_is_silent(played):
    live, receiver = played
    results = run(SOME, live)
    assert [(each.scenario, each.failures) for each in results if not each.passed] == []
    assert len(results) == 3 * len(SOME)  # with its twin, and its shadow
    misuses = [each for each in results if not each.twin and not each.shadow]
    assert all(each.hop == "delivered" and each.owned and each.attributed and each.seconds >= 0 for each in misuses)
    opened = [each for each in receiver.messages.values() if each["type"] == "finding.opened"]
    assert len(opened) == len(misuses)
    assert all(each.began <= each.said for each in results)


def test_who_was_told_of_a_drills_finding_is_told_its_end_by_the_same_run_and_which_drill_it_was(played):
    live, receiver = played
    live.pipeline.declare({"identities": [{"identity": "arn:aws:iam::111122223333:role/real", "owner": "payments"}]})
    misuses = [each for each in run(SOME, live) if not each.twin and not each.shadow]
    told = {
        kind: [each["data"] for each in receiver.messages.values() if each["type"] == f"finding.{kind}"] for kind in ("opened", "withdrawn")
    }
    assert {each["id"]: each["drill"] for each in told["withdrawn"]} == {each.finding: each.drill for each in misuses}
    assert not any("drill" in each for each in told["opened"])  # before the reveal nothing says so


def test_a_sink_is_named_by_its_address_and_the_path_is_not_shown():
    one, other = (Webhook(f"https://siem.acme.example/hook/{each}", b"s" * 32) for each in ("secretpath", "else"))
    assert address_of("webhook", one) != address_of("webhook", other)
    assert re.fullmatch(r"webhook https://siem\.acme\.example#[0-9a-f]{8}", address_of("webhook", one))
    assert address_of("webhook", one) == address_of("webhook", Webhook("https://siem.acme.example/hook/secretpath", b"t" * 32))


def test_a_dead_webhook_stays_dead_whatever_the_drills_own_receiver_takes(played):
    """The scorecard fails until that very sink took a finding."""
    live, receiver = played
    dead = Webhook("http://127.0.0.1:9/hook", b"s" * 32, timeout=1.0)
    name = address_of("webhook", dead)
    failed = run(SOME[:1], live._replace(sinks={name: dead}, shadows=False))
    assert f"the sink {name} did not say that it has the finding: http://127.0.0.1:9: cannot be reached" in str(failed)
    run(SOME[:1], live._replace(sinks={OWN_RECEIVER: Webhook(receiver.url, receiver.secret)}, shadows=False))
    card = carded(live)
    assert [each.kind for each in card.reasons] == ["sink"]
    assert name in card.reasons[0].said
    assert list(card.sinks) == [OWN_RECEIVER]
    run(SOME[:1], live._replace(sinks={name: Webhook(receiver.url, receiver.secret)}, shadows=False))
    assert carded(live).passed
    assert list(carded(live).sinks) == [OWN_RECEIVER, name]


def carded(live: Live) -> Scorecard:
    now = live.clock.now()
    return scorecard(audited(live.book, LedgerFiles(live.ledger.path), now, now - WEEK), None, now, scenarios=())


def test_nothing_of_a_drill_stays_in_the_inventory_but_the_findings_that_are_withdrawn(played):
    live, _ = played
    live.pipeline.declare({"identities": [{"identity": "arn:aws:iam::111122223333:role/real", "owner": "payments"}]})
    live.pipeline.judge()
    before = rows(live)
    run(SOME, live)
    assert rows(live) == before
    assert {status for (status,) in live.pipeline.inventory.rows("SELECT status FROM findings")} == {"withdrawn"}


def test_each_drill_was_committed_to_before_it_and_revealed_after_it_under_the_enrolled_key(played):
    live, _ = played
    results = run(SOME, live)
    live.ledger.seal()
    records = [line for line in LedgerFiles(live.ledger.path).records() if b'"kind":"drill.' in line]
    assert b'"kind":"drill.key"' in records[0]
    kinds = {each.drill: [line for line in records if each.drill.encode() in line] for each in results}
    for of in kinds.values():
        assert [b"drill.commit" in of[0], b"drill.reveal" in of[1], len(of)] == [True, True, 2]
        assert b"D1" not in of[0]
        assert b"cloudtrail" not in of[0]
    assert all(well_signed(row, live.key.public) for row in live.book.drills())


def test_a_result_that_somebody_changed_is_none_that_was_signed(played, tmp_path):
    live, _ = played
    run(SOME[:1], live)
    with closing(sqlite3.connect(tmp_path / "state" / BOOK)) as db, db:
        db.execute("""UPDATE drills SET result=replace(result, '"passed":true', '"passed":false')""")
    assert not any(well_signed(row, live.key.public) for row in live.book.drills())


def test_no_record_of_a_play_says_that_it_is_a_drill_nor_who_plays_it(played):
    live, _ = played
    run(SOME[:1], live)
    let_in = "".join(
        str(row)
        for row in live.pipeline.inventory.rows("SELECT word FROM words") + live.pipeline.inventory.rows("SELECT shape FROM shapes")
    )
    assert "drill" not in let_in.lower()
