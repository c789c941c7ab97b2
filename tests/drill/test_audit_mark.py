"""The ledger is read from a mark on that the drills' key signed: it saves time, and nobody can hide a drill behind it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import licet.drill.audit as audit_room
from licet.clock import SystemClock, iso
from licet.drill.audit import Audit, audited, marked
from licet.drill.book import FILE as BOOK
from licet.drill.book import Book
from licet.drill.keys import DrillKey
from licet.drill.live import Choice, Live
from licet.drill.pipeline import Pipeline
from licet.drill.receiver import receiving
from licet.drill.run import run
from licet.drill.said import chained
from licet.drill.scenarios import SCENARIOS
from licet.guard.state import StateFolder, open_ledger, open_state, secret
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.store import FILE, Inventory
from licet.ledger import LedgerFiles
from licet.monitor.webhook import Webhook

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

D1 = Choice(next(each for each in SCENARIOS if each.id == "D1"), "cloudtrail")


class Place:
    """A state folder in which D1 was played twice, with other records before, between and behind."""

    def __init__(self, path: Path) -> None:
        self.folder: StateFolder = open_state(path)
        self.key = DrillKey.of(self.folder.keys / "drill.key")
        for _ in range(2):
            self.others(300)
            self.play()
        self.others(50)

    def others(self, number: int) -> None:
        with closing(open_ledger(self.folder)) as ledger:
            for each in range(number):
                ledger.append("other", {"number": each}, time=iso(SystemClock().now()))

    def play(self) -> None:
        with (
            receiving() as receiver, closing(Inventory(self.folder.path / FILE)) as inventory,
            closing(Book(self.folder.path / BOOK)) as book, closing(open_ledger(self.folder)) as ledger,
        ):  # fmt: skip
            pipeline = Pipeline(inventory, Fingerprints(secret(self.folder)).of, SystemClock())
            sinks = {"webhook": Webhook(receiver.url, receiver.secret)}
            run([D1], Live(pipeline, sinks, ledger, self.key, book, SystemClock(), shadows=False))

    @property
    def files(self) -> LedgerFiles:
        return LedgerFiles(self.folder.ledger)

    def audit(self, *, whole: bool = False, trusted: str = "") -> Audit:
        with closing(Book(self.folder.path / BOOK)) as book:
            return audited(book, self.files, SystemClock().now(), whole=whole, trusted=trusted)

    def write(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.folder.path / BOOK)) as db, db:
            for each in statements:
                db.execute(each)

    def body(self) -> list[object]:
        with closing(sqlite3.connect(self.folder.path / BOOK)) as db:
            [(body,)] = db.execute("SELECT body FROM mark").fetchall()
        found: list[object] = json.loads(body)
        return found


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("marked") / "state"
    Place(path)
    return path


@pytest.fixture
def place(kept: Path, tmp_path: Path) -> Place:
    """A copy, so that each test spoils its own."""
    import shutil

    shutil.copytree(kept, tmp_path / "state")
    made = Place.__new__(Place)
    made.folder = open_state(tmp_path / "state")
    made.key = DrillKey.of(made.folder.keys / "drill.key")
    return made


def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """From which index on the ledger is read to its end."""
    starts: list[int] = []
    true: Callable[..., object] = audit_room.read_from

    def read(files: LedgerFiles, start: int) -> object:
        starts.append(start)
        return true(files, start)

    monkeypatch.setattr(audit_room, "read_from", read)
    return starts


def test_the_ledger_is_read_from_the_mark_on_and_the_same_is_said(place: Place, monkeypatch: pytest.MonkeyPatch):
    starts = reads(monkeypatch)
    found, whole = place.audit(), place.audit(whole=True)
    assert found == whole
    assert (len(found.drills), found.wrong, all(each.passed for each in found.drills)) == (4, (), True)
    assert starts[0] > 600
    assert starts[1] == 0


def test_who_takes_a_drill_out_of_the_book_is_seen_though_the_mark_stands_behind_it(place: Place):
    place.write("DELETE FROM drills WHERE id=(SELECT min(id) FROM drills)")
    found = place.audit()
    assert len(found.drills) == 3
    assert "somebody took it away" in found.wrong[0]


def test_a_mark_is_made_no_more_where_the_book_lacks_a_drill(place: Place):
    place.write("DELETE FROM drills WHERE id=(SELECT min(id) FROM drills)")
    with closing(Book(place.folder.path / BOOK)) as book:
        marked(book, place.files, place.key)
        assert book.mark() is None
    assert place.audit().wrong


CHEATS = {
    "another end": lambda body: [10**6, *body[1:]],
    "another digest": lambda body: [body[0], "0" * 64, *body[2:]],
    "no signature": lambda body: [*body[:4], ""],
    "no mark at all": lambda body: "nothing",
    "another shape": lambda body: {"upto": 10**6},
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_a_mark_that_the_drills_key_did_not_sign_so_is_not_believed(place: Place, cheat: str, monkeypatch: pytest.MonkeyPatch):
    place.write(
        "DELETE FROM drills WHERE id=(SELECT min(id) FROM drills)",
        f"UPDATE mark SET body='{json.dumps(CHEATS[cheat](place.body()))}'",
    )
    starts = reads(monkeypatch)
    assert "somebody took it away" in place.audit().wrong[0]
    assert starts == [0]


def test_a_digest_that_somebody_made_to_fit_the_book_is_not_believed(place: Place):
    place.write("DELETE FROM drills WHERE id=(SELECT min(id) FROM drills)")
    with closing(Book(place.folder.path / BOOK)) as book:
        mark = book.mark()
        assert mark is not None
        book.set_mark(mark._replace(drills=chained("", book.commits(mark.upto))))
    assert "somebody took it away" in place.audit().wrong[0]


def test_a_mark_under_a_key_of_his_own_is_not_believed(place: Place, tmp_path: Path):
    other = DrillKey.of(tmp_path / "other.key")
    with closing(Book(place.folder.path / BOOK)) as book:
        mark = book.mark()
        assert mark is not None
        book.set_mark(mark._replace(upto=10**6, drills="", keys=mark.keys).signed(other))
    assert place.audit() == place.audit(whole=True)


def test_an_older_mark_that_is_put_back_only_costs_time(place: Place):
    before = json.dumps(place.body())
    place.others(10)
    place.play()
    place.write(f"UPDATE mark SET body='{before}'")
    assert place.audit() == place.audit(whole=True)
    place.write("DELETE FROM drills WHERE seq=(SELECT max(seq) FROM drills)")
    assert "somebody took it away" in place.audit().wrong[0]


def test_what_is_garbage_in_the_book_is_a_failed_drill_and_no_traceback(place: Place):
    place.write("UPDATE drills SET result='{\"passed\": true}' WHERE id=(SELECT min(id) FROM drills)",
                "UPDATE drills SET announced='[' WHERE id=(SELECT max(id) FROM drills)")  # fmt: skip
    found = place.audit()
    assert sum(each.passed for each in found.drills) == 2
    assert all(each.open or each.wrong for each in found.drills if not each.passed)


def test_a_key_that_is_known_from_elsewhere_is_the_only_one_that_is_trusted(place: Place):
    with closing(Book(place.folder.path / BOOK)) as book:
        name = book.key()
    assert place.audit(trusted=name) == place.audit()
    assert not any(each.passed for each in place.audit(trusted="0" * 16).drills)
