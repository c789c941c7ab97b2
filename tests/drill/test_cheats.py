"""Who runs the pipeline and would rather see green: each way of cheating that is known is caught, and the drills say so."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from licet.clock import SystemClock, iso
from licet.drill.actors import actors_of
from licet.drill.audit import Audit, audited
from licet.drill.book import FILE as BOOK
from licet.drill.book import Book, Result
from licet.drill.committing import signed
from licet.drill.forgery import forgeries
from licet.drill.keys import FILE as KEY
from licet.drill.keys import DrillKey, name_of
from licet.drill.live import Choice, Live
from licet.drill.pipeline import Parts, Pipeline
from licet.drill.receiver import receiving
from licet.drill.run import run
from licet.drill.scenario import OWNER, Record
from licet.drill.scenarios import SCENARIOS
from licet.events import UseEvent
from licet.guard.state import StateFolder, open_ledger, open_state, secret
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.store import FILE, Inventory
from licet.ledger import LedgerFiles, layout
from licet.monitor.deliveries import Message, Reply
from licet.monitor.detector import Detector, State
from licet.monitor.detectors import DETECTORS
from licet.monitor.passes import PASSES
from licet.monitor.saying import row, say
from licet.monitor.signal import Signal
from licet.monitor.webhook import Webhook
from licet.monitor.world import World

pytestmark = pytest.mark.dev  # pure logic of ours

D1 = [Choice(next(each for each in SCENARIOS if each.id == "D1"), "cloudtrail")]


@dataclass
class House:
    """A state folder whose drills are played, and by whom they are cheated."""

    folder: StateFolder
    live: Live

    def play(self, **other: Any) -> list[Result]:
        return run(D1, self.live._replace(**other))

    def audit(self, later: float = 0.0) -> Audit:
        self.live.ledger.seal()
        return audited(self.live.book, LedgerFiles(self.live.ledger.path), self.live.clock.now() + later, whole=True)

    def book(self, query: str, *values: object) -> None:
        """What somebody with the file at hand writes into it."""
        with closing(sqlite3.connect(self.folder.path / BOOK)) as db, db:
            db.execute(query, values)

    def parts(self, detectors: Iterable[Detector]) -> dict[str, Any]:
        """The pipeline with other detectors."""
        pipeline = self.live.pipeline
        parts = pipeline.parts._replace(detectors=tuple(detectors))
        return {"pipeline": Pipeline(pipeline.inventory, pipeline.fingerprint, self.live.clock, parts)}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    folder = open_state(tmp_path / "state")
    clock = SystemClock()
    with ExitStack() as stack:
        receiver = stack.enter_context(receiving())
        inventory = stack.enter_context(closing(Inventory(folder.path / FILE)))
        book = stack.enter_context(closing(Book(folder.path / BOOK)))
        ledger = stack.enter_context(closing(open_ledger(folder)))
        parts = Parts(passes=(*PASSES, forgeries(book.enrolled)))
        pipeline = Pipeline(inventory, Fingerprints(secret(folder)).of, clock, parts)
        sinks = {"webhook": Webhook(receiver.url, receiver.secret)}
        yield House(folder, Live(pipeline, sinks, ledger, DrillKey.of(folder.keys / KEY), book, clock))


def failed(results: Iterable[Result]) -> str:
    return "\n".join(failure for each in results for failure in each.failures)


class Around(Detector):
    """A detector that somebody has put himself around."""

    def __init__(self, inner: Detector, answers: Callable[[str, World], bool]) -> None:
        self._inner, self._answers = inner, answers
        self.name, self.version, self.codes, self.standing = inner.name, inner.version, inner.codes, inner.standing
        self.uses, self.lives = inner.uses, inner.lives

    def start(self) -> State:
        return self._inner.start()

    def use(self, state: State, event: UseEvent, world: World) -> Iterable[Signal]:
        found = self._inner.use(state, event, world)
        return found if self._answers(event.identity, world) else ()

    def lifecycle(self, state: State, event: Any, world: World) -> Iterable[Signal]:
        return self._inner.lifecycle(state, event, world)

    def settle(self, state: State) -> None:
        self._inner.settle(state)

    def end(self, state: State, identity: str, world: World) -> Iterable[Signal]:
        return self._inner.end(state, identity, world) if self._answers(identity, world) else ()


def owned_by_drills(identity: str, world: World) -> bool:
    owner = world.owner(identity)
    return owner is not None and owner[0].uid == OWNER


def test_without_a_cheat_all_is_green(house):
    assert failed(house.play()) == ""
    audit = house.audit()
    assert all(each.passed for each in audit.drills)
    assert not audit.wrong


def test_who_suppresses_by_principal_is_caught_as_the_drill_does_not_come_back(house):
    deaf = [Around(each, lambda identity, world: not owned_by_drills(identity, world)) for each in DETECTORS]
    results = house.play(**house.parts(deaf))
    assert [each.passed for each in results if not each.twin and not each.shadow] == [False]
    assert "no finding says POST_REVOCATION_USE" in failed(results)


def test_a_detector_that_answers_only_drills_is_caught_by_the_shadow_of_somebody_else(house):
    trained = [Around(each, owned_by_drills) for each in DETECTORS]
    results = house.play(**house.parts(trained))
    assert [each.passed for each in results if not each.shadow] == [True, True]
    assert [each.passed for each in results if each.shadow] == [False]


class Everything(Detector):
    """Calls whatever is done an alarm."""

    name, codes, uses = "everything", ("POST_REVOCATION_USE",), "always"

    def use(self, state: State, event: UseEvent, world: World) -> Iterable[Signal]:
        return say(
            state, "POST_REVOCATION_USE", value="", time=event.time, credential=event.credential, basis="lifecycle",
            observed="something was done", expected="nothing", cited=[row(event, "use")],
        )  # fmt: skip


def test_a_detector_that_calls_everything_misuse_is_caught_by_the_twin(house):
    results = house.play(**house.parts([*(each for each in DETECTORS if each.name != "ends"), Everything()]))
    assert [each.passed for each in results if each.twin] == [False]


def test_a_finding_that_rests_on_nothing_is_caught_by_its_evidence(house):
    results = house.play(**house.parts([*(each for each in DETECTORS if each.name != "ends"), Everything()]))
    assert "does not cite" in failed(each for each in results if not each.twin)


def test_a_sink_that_nobody_listens_to_is_caught(house):
    results = house.play(sinks={"webhook": Webhook("http://127.0.0.1:9/findings", b"s" * 32, timeout=1.0)})
    assert "the sink webhook did not say that it has the finding" in failed(results)


def test_no_sink_at_all_is_caught(house):
    assert "there is no sink: nobody is told" in failed(house.play(sinks={}))


class Forgetful:
    """A sink that somebody taught not to answer of some findings."""

    name = "forgetful"

    def send(self, message: Message, now: float) -> Reply:
        return Reply(taken=message.finding.owner != OWNER, why="" if message.finding.owner != OWNER else "not wanted", message=True)


def test_a_filter_before_the_sink_is_caught(house):
    assert "the sink forgetful did not say that it has the finding" in failed(house.play(sinks={"forgetful": Forgetful()}))


class Stopped:
    """A machine's clock that somebody stopped: the other one goes on, and nobody can stop it."""

    def __init__(self, now: float) -> None:
        self._now = now

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return time.monotonic()


def test_a_clock_that_stands_still_is_caught(house):
    assert "the clock does not go" in failed(house.play(clock=Stopped(house.live.clock.now())))


def test_a_drill_that_is_never_revealed_is_a_failed_one(house, monkeypatch):
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("licet.drill.run.reveal", crash)
    with pytest.raises(KeyboardInterrupt):
        house.play()
    assert {each.open for each in house.audit().drills} == {True}
    late = house.audit(later=3_600.0)
    assert {each.passed for each in late.drills} == {False}
    assert {each.wrong for each in late.drills} == {"it was never revealed"}


def test_a_failed_result_that_was_turned_into_a_passed_one_is_caught(house):
    house.play(sinks={})
    house.book("""UPDATE drills SET result=replace(result, '"passed":false', '"passed":true')""")
    wrong = [each.wrong for each in house.audit().drills if not each.passed]
    assert wrong
    assert all(wrong)


def test_a_failed_drill_that_was_taken_out_of_the_book_is_caught(house):
    house.play(sinks={})
    house.book("""DELETE FROM drills WHERE result LIKE '%"passed":false%'""")
    assert any("is not in the book: somebody took it away" in each for each in house.audit().wrong)


def test_yesterdays_result_under_todays_commitment_is_caught(house):
    house.play()
    yesterday = next(row for row in house.live.book.drills() if row.result and not row.result.twin and not row.result.shadow)
    house.play(sinks={})
    today = next(row for row in house.live.book.drills() if row.result and not row.result.passed)
    house.book(
        "UPDATE drills SET (announced, events, result, signature)=(SELECT announced, events, result, signature FROM drills WHERE id=?)"
        " WHERE id=?", yesterday.id, today.id,
    )  # fmt: skip
    assert next(each for each in house.audit().drills if each.row.id == today.id).passed is False


def test_the_records_of_yesterdays_drill_let_in_again_are_a_forgery_and_the_misuse_that_they_are(house, monkeypatch):
    kept: list[Record] = []
    enter = Pipeline.enter
    monkeypatch.setattr(Pipeline, "enter", lambda pipeline, records: (kept.extend(records), enter(pipeline, records))[1])
    house.play(shadows=False)
    monkeypatch.undo()
    house.live.pipeline.enter(kept)
    house.live.pipeline.judge()
    codes = {code for each in house.live.pipeline.found() if each.finding.explanation for code in each.finding.explanation.codes}
    assert {"DRILL_FORGERY", "POST_REVOCATION_USE"} <= codes


def test_misuse_that_is_called_a_drill_afterwards_stays_misuse_and_its_row_is_caught(house):
    house.play()
    real = house.live.book.drills(0.0)
    one = next(row for row in real if row.result and not row.result.twin and not row.result.shadow)
    house.book(
        "INSERT INTO drills SELECT 'f0f0f0f0f0f0f0f0', commitment, committed, ends, seq, announced, events, result, signature, revealed, said"
        " FROM drills WHERE id=?", one.id,
    )  # fmt: skip
    assert next(each for each in house.audit().drills if each.row.id == "f0f0f0f0f0f0f0f0").wrong


def test_drills_under_another_key_are_none(house):
    house.play()
    (house.folder.keys / KEY).unlink()
    other = DrillKey.of(house.folder.keys / KEY)
    results = house.play(key=other)
    audit = house.audit()
    assert any("no earlier one vouches" in each for each in audit.wrong)
    mine = {each.drill for each in results}
    assert {each.passed for each in audit.drills if each.row.id in mine} == {False}


def test_the_same_key_enrolled_again_after_a_crash_or_with_a_lost_book_is_no_second_key(house):
    house.play()
    house.live.ledger.seal()
    house.book("DELETE FROM keys")
    house.play()
    audit = house.audit()
    assert audit.wrong == ()
    assert {each.passed for each in audit.drills} == {True}


def test_a_foreign_key_in_the_ledger_is_said_for_as_long_as_the_audit_looks_back(house, tmp_path):
    house.play()
    other = DrillKey.of(tmp_path / "other.key")
    said = signed({"key": name_of(other.public), "public": other.public.hex()}, other)
    house.live.ledger.append("drill.key", said, time=iso(house.live.clock.now()), durable=True)
    now, files = house.live.clock.now(), LedgerFiles(house.live.ledger.path)
    house.live.ledger.seal()
    assert any("no earlier one vouches" in each for each in audited(house.live.book, files, now, now - 60, whole=True).wrong)
    assert audited(house.live.book, files, now + 9 * 86_400, now + 2 * 86_400, whole=True).wrong == ()


def test_a_deadline_that_was_moved_is_caught(house):
    house.play()
    house.book("UPDATE drills SET ends=ends+86400")
    assert {each.passed for each in house.audit().drills} == {False}


def test_a_commitment_of_after_the_event_is_caught(house, monkeypatch):
    monkeypatch.setattr("licet.drill.run.curtain_of", lambda clock, _number: float(int(clock.now() - 600)))
    house.play()
    assert {each.wrong for each in house.audit().drills} == {"it was committed to after it had begun"}


def test_a_finding_that_comes_after_its_limit_is_caught(house):
    late = [Choice(D1[0].scenario._replace(limit=0.0), "cloudtrail")]
    assert "and the limit is 0 s" in failed(run(late, house.live))


def test_a_ledger_that_was_taken_away_is_caught(house):
    house.play()
    house.live.ledger.seal()
    files = LedgerFiles(house.live.ledger.path)
    assert files.size() > 0
    shutil.rmtree(Path(house.live.ledger.path) / layout.LIVE)
    shutil.rmtree(Path(house.live.ledger.path) / layout.ENTRIES, ignore_errors=True)
    audit = audited(house.live.book, files, house.live.clock.now(), whole=True)
    assert {each.passed for each in audit.drills} == {False}


def test_a_shadow_acts_as_a_real_identity_where_there_is_one_that_somebody_owns(house):
    inventory = house.live.pipeline.inventory
    real = "arn:aws:iam::111122223333:user/payroll-export"
    house.live.pipeline.declare({"identities": [{"identity": real, "kind": "service_account", "owner": "payments"}]})
    inventory.keep(
        [UseEvent("cloudtrail", "one", house.live.clock.now() - 5, real, "s3:GetObject", account="111122223333", digest="00")], now=1.0
    )
    house.live.pipeline.judge()
    before = inventory.rows("SELECT * FROM uses")
    results = house.play(actors=actors_of(inventory))
    shadow = next(row for row in house.live.book.drills() if row.announced and row.announced.shadow)
    assert failed(results) == ""
    assert shadow.announced.identity == real
    assert inventory.rows("SELECT * FROM uses") == before
    assert real not in house.live.book.enrolled()
