"""A run that is cut off, wherever it is, leaves nothing behind once the next one has run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from licet.clock import SystemClock
from licet.drill.audit import audited
from licet.drill.book import FILE as BOOK
from licet.drill.book import Book
from licet.drill.forgery import forgeries
from licet.drill.keys import DrillKey
from licet.drill.live import Choice, Live
from licet.drill.pipeline import Parts, Pipeline
from licet.drill.receiver import receiving
from licet.drill.run import run
from licet.drill.scenarios import SCENARIOS
from licet.events import UseEvent
from licet.guard.state import open_ledger, open_state, secret
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.store import FILE, Inventory
from licet.ledger import LedgerFiles
from licet.monitor.passes import PASSES
from licet.monitor.webhook import Webhook

pytestmark = pytest.mark.dev  # pure logic of ours

SOME = [Choice(each, each.sources[0]) for each in SCENARIOS if each.id in ("D1", "D3", "D13", "D17")]
STOPS = ("commit", "entered", "delivered", "verdict_of", "reveal", "taken_back")


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    folder = open_state(tmp_path / "state")
    with ExitStack() as stack:
        receiver = stack.enter_context(receiving())
        inventory = stack.enter_context(closing(Inventory(folder.path / FILE)))
        book = stack.enter_context(closing(Book(folder.path / BOOK)))
        ledger = stack.enter_context(closing(open_ledger(folder)))
        pipeline = Pipeline(inventory, Fingerprints(secret(folder)).of, SystemClock())
        sinks = {"webhook": Webhook(receiver.url, receiver.secret)}
        yield Live(pipeline, sinks, ledger, DrillKey.of(folder.keys / "drill.key"), book, SystemClock(), shadows=False)


def cut_off(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def left(live: Live) -> dict[str, int]:
    """How many rows of each table there are, but for texts that stand once and for what is told of findings."""
    inventory = live.pipeline.inventory
    tables = {name for (name,) in inventory.rows("SELECT name FROM sqlite_master WHERE type='table'")}
    tables -= {"words", "shapes", "findings", "deliveries", "owners", "sqlite_sequence"}
    return {name: number for name in sorted(tables) if (number := inventory.rows(f"SELECT count(*) FROM {name}")[0][0])}


@pytest.mark.parametrize("stop", STOPS)
def test_a_run_that_was_cut_off_is_taken_back_by_the_next_and_its_drills_are_failed(live, stop, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(f"licet.drill.run.{stop}", cut_off)
        with pytest.raises(KeyboardInterrupt):
            run(SOME, live)
    told: list[str] = []
    results = run(SOME[:1], live, told.append)
    assert [each.failures for each in results if not each.passed] == []
    assert left(live) == {}
    assert live.book.pending() == []
    assert any("cut off" in each for each in told)
    live.ledger.seal()
    audit = audited(live.book, LedgerFiles(live.ledger.path), live.clock.now() + 3_600.0, whole=True)
    unrevealed = [each for each in audit.drills if each.row.result is None]
    assert all(not each.passed for each in unrevealed)


def test_while_a_run_goes_on_the_book_does_not_say_what_its_drills_are(live, monkeypatch):
    sealed: list[bytes] = []
    pend = Book.pend
    monkeypatch.setattr(Book, "pend", lambda book, body: (sealed.append(body), pend(book, body))[1])
    run(SOME[:1], live)
    names = [name for row in live.book.drills() if row.announced for name in row.announced.identities]
    assert names
    assert not any(name.encode() in body for name in names for body in sealed)


def test_what_another_key_sealed_is_left_and_said(live, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("licet.drill.run.delivered", cut_off)
        with pytest.raises(KeyboardInterrupt):
            run(SOME[:1], live)
    told: list[str] = []
    run(SOME[:1], live._replace(key=DrillKey.of(tmp_path / "other.key")), told.append)
    assert any("under another key" in each for each in told)
    assert len(live.book.pending()) == 1


def test_what_somebody_did_under_the_names_of_a_run_that_was_cut_off_is_found(live, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("licet.drill.run.delivered", cut_off)
        with pytest.raises(KeyboardInterrupt):
            run(SOME[:1], live)
    inventory = live.pipeline.inventory
    name = next(uid for (uid,) in inventory.rows("SELECT uid FROM identities WHERE uid LIKE '%:user/%' ORDER BY uid"))
    inventory.keep(
        [UseEvent("cloudtrail", "real", live.clock.now(), name, "iam:CreateUser", account="1", digest="00")], now=live.clock.now()
    )
    of = live.pipeline
    parts = Parts(passes=(*PASSES, forgeries(live.book.enrolled)))
    watching = live._replace(pipeline=Pipeline(inventory, of.fingerprint, live.clock, parts, guards=of.guards))
    run(SOME[:1], watching)
    assert [each.native_id for each in inventory.uses(name)] == ["real"]
    found = [each.finding.explanation for each in watching.pipeline.found() if each.finding.explanation is not None]
    assert [each.codes for each in found if each.identity == name] == [("DRILL_FORGERY",)]
