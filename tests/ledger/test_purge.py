"""`licet purge`: what is old goes, what a decision needs stays, it is on record first, and the bytes are in no file any more."""

from __future__ import annotations

import io
import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence import records, whole
from licet import Denied
from licet.cli import main
from licet.guard.contents import FILE, check_contents, open_contents
from licet.ledger import LedgerFiles
from licet.ledger.fields import problems
from licet.records import CallRecord, Claim, Decision, Finding, Revocation, TaskRecord
from licet.store import ContentsStore, Purge, SqliteStore, content
from retained import DAY, Place, holding

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

ALL = frozenset({"contents", "spans", "rows"})
Out = pytest.CaptureFixture[str]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Two tasks of long ago and one of today."""
    old = Place(tmp_path, days=100)
    old.work("oldword")
    old.work("olderada", principal="user:ada")
    old.close()
    new = Place(tmp_path)
    new.work("newword")
    new.close()
    return tmp_path / "state"


def purge(state: Path, *options: str) -> int:
    return main(["purge", *options, "--state", str(state)])


def rows(state: Path, table: str, where: str = "1") -> int:
    name = FILE if table == "contents" else "licet.db"
    with closing(sqlite3.connect(state / name)) as db:
        return int(db.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchone()[0])


TABLES = ("contents", "tasks", "calls", "findings", "questions", "budget_use", "budget_values", "written", "trees", "revoked")


def everything(state: Path) -> dict[str, int]:
    return {table: rows(state, table) for table in TABLES}


def contents_in_words(state: Path) -> list[str]:
    store = open_contents(state)
    assert store is not None
    with closing(store):
        found = check_contents(LedgerFiles(state / "ledger").records, store)
    assert found.faults == []
    return found.sentences()


# By age ------------------------------------------------------------------------------------------------------------------


def test_what_is_old_goes_and_what_is_new_stays(state: Path, capsys: Out):
    """And it is in no file of the folder any more: not in the store, its log, nor the ledger."""
    assert {"contents.db", "licet.db"} <= set(holding(state, "oldword"))
    assert purge(state, "--older-than", "90d", "--yes") == 0
    assert holding(state, "oldword") == holding(state, "olderada") == []
    assert {"contents.db", "licet.db"} <= set(holding(state, "newword"))
    assert rows(state, "tasks") == 1
    assert rows(state, "contents") == 5
    seq = records(state, "purge")[0]["seq"]
    assert f"on record as {seq}" in capsys.readouterr().out
    assert contents_in_words(state) == ["5 contents are there and match", f"10 were purged by record {seq}"]
    whole(state)


def test_the_purge_is_on_record_with_what_and_how_many_and_by_whom(state: Path):
    """Before it is done, and once it is."""
    assert purge(state, "--older-than", "90d", "--yes") == 0
    (before,), (after,) = records(state, "purge"), records(state, "purge.done")
    assert before["what"] == ["contents", "rows", "spans"]
    assert before["counts"] == {"contents": 10, "tasks": 2, "calls": 6, "findings": 2, "revoked": 2}
    assert before["by"].startswith("command line, ")
    assert abs(time.time() - 90 * DAY - _seconds(before["before"])) < 100
    assert after["purge"] == before["seq"] < after["seq"]
    assert after["counts"].items() >= before["counts"].items()
    assert [problem for record in (before, after) for problem in problems(record)] == []


def _seconds(iso: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(iso).timestamp()


def test_what_cannot_be_recorded_is_not_purged(state: Path, capsys: Out):
    """A ledger that is not whole, or not ours, stops the purge before the first row."""
    before = everything(state)
    live = sorted((state / "ledger" / "live").iterdir())[-1]
    live.chmod(0o644)
    assert purge(state, "--older-than", "90d", "--yes") == 2
    assert "chmod 600" in capsys.readouterr().err
    assert everything(state) == before


@pytest.mark.parametrize(
    "only, gone, stays",
    [
        ("contents", {"contents"}, {"tasks", "calls", "findings"}),
        ("rows", {"tasks", "calls", "findings", "budget_values"}, {"contents"}),
        ("spans", set(), {"contents", "tasks", "calls", "findings"}),
        ("spans,contents", {"contents"}, {"tasks", "calls", "findings"}),
    ],
    ids=["contents", "rows", "spans", "both"],
)
def test_only_what_is_named_goes(state: Path, only: str, gone: set[str], stays: set[str]):
    before = everything(state)
    assert purge(state, "--older-than", "90d", "--only", only, "--yes") == 0
    after = everything(state)
    assert {table for table in TABLES if after[table] < before[table]} >= gone
    assert all(after[table] == before[table] for table in stays)
    emptied = rows(state, "calls", "attributes=''")
    assert emptied == (6 if "spans" in only else 0)
    assert set(records(state, "purge")[0]["what"]) == set(only.split(","))
    whole(state)


def test_purging_spans_leaves_no_span_behind(state: Path):
    """The store had what the agent's calls showed; the rows are still those of the calls."""
    with closing(SqliteStore(state / "licet.db")) as store:
        old = next(task for task in store.tasks() if task.principal == "user:ada")
        shown = [call.attributes for call in store.calls(old.id)]
        assert all(shown)
    assert purge(state, "--older-than", "90d", "--only", "spans", "--yes") == 0
    with closing(SqliteStore(state / "licet.db")) as store:
        assert [dict(call.attributes) for call in store.calls(old.id)] == [{}] * len(shown)
        new = next(task for task in store.tasks(1))
        assert all(call.attributes for call in store.calls(new.id))


def test_a_dry_run_changes_nothing_and_counts_what_would_go(state: Path, capsys: Out):
    before, size = everything(state), len(records(state))
    assert purge(state, "--older-than", "90d", "--dry-run", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["dry_run"] is True
    assert told["counts"] == {"contents": 10, "tasks": 2, "calls": 6, "findings": 2, "revoked": 2}
    assert (everything(state), len(records(state))) == (before, size)


def test_without_yes_and_nobody_to_ask_nothing_is_purged(state: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch):
    before, size = everything(state), len(records(state))
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert purge(state, "--older-than", "90d") == 2
    assert "`--dry-run`" in capsys.readouterr().err
    assert (everything(state), len(records(state))) == (before, size)


@pytest.mark.parametrize("answer, code", [("y\n", 0), ("yes\n", 0), ("n\n", 2), ("\n", 2), ("", 2)], ids=["y", "yes", "n", "line", "end"])
def test_a_person_is_asked(state: Path, answer: str, code: int, monkeypatch: pytest.MonkeyPatch):
    class Terminal:
        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            return answer

    before = everything(state)
    monkeypatch.setattr("sys.stdin", Terminal())
    assert purge(state, "--older-than", "90d") == code
    assert (everything(state) == before) == (code == 2)


@pytest.mark.parametrize(
    "options",
    [[], ["--older-than", "x"], ["--older-than", "90d", "--task", "ab"], ["--only", "rows"], ["--older-than", "90d", "--only", "ledger"], ["--principal", " ", "--yes"], ["--task", "ffff", "--yes"]],
    ids=["none", "time", "two", "only", "ledger", "blank", "unknown"],
)  # fmt: skip
def test_wrong_usage_purges_nothing(state: Path, options: list[str]):
    before = everything(state)
    assert purge(state, *options) == 2
    assert everything(state) == before


def test_nothing_to_purge_is_said_and_not_recorded(state: Path, capsys: Out):
    size = len(records(state))
    assert purge(state, "--older-than", "300d", "--yes") == 0
    assert "nothing to purge" in capsys.readouterr().out
    assert len(records(state)) == size


# What stays --------------------------------------------------------------------------------------------------------------


class Kept:
    """A store with tasks whose time is told, for what must stay."""

    def __init__(self, folder: Path) -> None:
        self.store = SqliteStore(folder / "licet.db")

    def task(self, id: str, *, ended: float | None = None, parent: str | None = None, root: str = "", started: float = 0.0, paused: float = 0.0, detached: bool = False) -> str:  # fmt: skip
        self.store.begin_task(
            TaskRecord(id, "k", "a", "user:p", "i", "", started, 10.0, parent, root or id, paused=paused, ended=ended, detached=detached)
        )
        with self.store.transaction() as tx:
            tx.add_call(call(f"{id}-1", id), root or id)
            tx.reserve(Claim(id, "b", "distinct", 5, values=("v",)), 0.0)  # type: ignore[arg-type]
            tx.reserve(Claim(id, "c", "rate", 5, window=5.0), 0.0)  # type: ignore[arg-type]
            tx.reserve(Claim(id, "d", "calls", 5), 0.0)  # type: ignore[arg-type]
            tx.ask(id, "t")
        self.store.add_finding(Finding(f"f-{id}", 0.0, "c", "low", "s", id))
        return id

    def left(self, before: float = 1_000.0, **more: Any) -> list[str]:
        for step in self.store.purge(Purge(ALL, before, **more)):
            assert step.total() > 0
        ids = sorted(task.id for task in self.store.tasks(1_000))
        for table in ("calls", "findings", "budget_use", "budget_values", "budget_times", "questions"):
            held = {row[0] for row in self.store._read(f"SELECT task_id FROM {table}")}
            assert held == set(ids), table
        return ids


def call(id: str, task: str, status: Any = "done") -> CallRecord:
    return CallRecord(id, task, 0, "t", "", "python", status, Decision("allow"), "", 1.0, attributes={"a": "b"})


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path)
    yield made
    made.store.close()


def test_an_open_task_keeps_all_of_its_transaction(kept: Kept):
    """The ended parent of an open task, its ended brother, and those below: their budgets and calls are still counted."""
    kept.task("root", ended=5.0)
    kept.task("brother", ended=5.0, parent="root", root="root")
    kept.task("open", parent="root", root="root", started=995.0)
    kept.task("below", ended=6.0, parent="open", root="root")
    kept.task("other", ended=5.0)
    assert kept.left() == ["below", "brother", "open", "root"]


def test_a_task_whose_time_is_over_goes_unless_it_waits(kept: Kept):
    """Nobody ended it: its process died. With an answer or a framework outstanding, it may go on."""
    kept.task("over")
    kept.task("paused", paused=5_000.0)
    for status in ("asked", "suspended"):
        kept.task(status)
        with kept.store.transaction() as tx:
            tx.add_call(call(f"{status}-2", status, status))
    assert kept.left() == ["asked", "paused", "suspended"]


def test_a_task_that_ended_later_than_the_time_stays(kept: Kept):
    kept.task("a", ended=999.9)
    kept.task("b", ended=1_000.0)
    kept.task("c", ended=1_000.1)
    assert kept.left() == ["b", "c"]


@pytest.mark.parametrize("column", ["ended", "started", "ttl", "paused", "root"])
@pytest.mark.parametrize("junk", ["junk", b"\xff", None], ids=["text", "bytes", "null"])
def test_a_row_that_cannot_be_read_is_not_old(kept: Kept, column: str, junk: Any):
    """Whoever damaged it: it stays, or was over by what can be read; others go."""
    kept.task("damaged", ended=None if column != "ended" else 5.0, started=5_000.0 if column in ("root", "ended") else 0.0)
    kept.task("other", ended=5.0)
    kept.store._write(f"UPDATE tasks SET {column}=? WHERE id='damaged'", (junk,))
    for step in kept.store.purge(Purge(ALL, 1_000.0)):
        assert step.total() > 0
    assert [row[0] for row in kept.store._read("SELECT id FROM tasks")] == ["damaged"]


def test_what_binds_stays_whatever_its_age(kept: Kept):
    """Taint for good; revocations, used tokens and the broken glass until they are over, and the glass then too."""
    store = kept.store
    kept.task("old", ended=5.0)
    store.taint("mails", ["v1"], "old", "old-1")
    store.break_glass("k", 500.0, "why", "me", 1.0)
    for value, until in (("binds", 5_000.0), ("over", 500.0)):
        store.revoke(Revocation(("agent", value), 1.0, until))
        store.spend(value, until, (), 1.0)
    assert kept.left() == []
    assert list(store.tainted("mails", ["v1"])) == ["v1"]
    assert store.is_spent("binds")
    assert not store.is_spent("over")
    assert [entry.mark[1] for entry in store.revocations(0.0)] == ["binds"]
    assert store._read("SELECT kind FROM broken_glass") == [("k",)]


def test_findings_of_no_task_here_go_by_their_own_age(kept: Kept):
    """A tool's side knows tokens, and no tasks."""
    for name, at in (("old", 5.0), ("new", 2_000.0)):
        kept.store.add_finding(Finding(name, at, "token.replay", "high", "s", "elsewhere"))
    list(kept.store.purge(Purge(ALL, 1_000.0)))
    assert [finding.id for finding in kept.store.findings()] == ["new"]


@pytest.mark.parametrize("room", [1, 7, 1_000])
def test_steps_are_small_and_together_they_are_all(kept: Kept, room: int, monkeypatch: pytest.MonkeyPatch):
    """Between two steps others write: no step takes more than it has room for, and the task's own row goes last."""
    monkeypatch.setattr("licet.store.purge.STEP_ROWS", room)
    kept.task("big", ended=5.0)
    with kept.store.transaction() as tx:
        for number in range(40):
            tx.add_call(call(f"big-{number + 2}", "big"))
    kept.task("child", ended=5.0, parent="big", root="big")
    steps = []
    for step in kept.store.purge(Purge(ALL, 1_000.0)):
        assert step.total() <= room + 1
        steps.append(step)
    total = sum(steps, start=type(steps[0])())
    assert (total["calls"], total["tasks"], total["findings"], total["budgets"], total["questions"]) == (42, 2, 2, 6, 2)
    assert kept.store._read("SELECT count(*) FROM trees")[0][0] == 0


AGES = st.one_of(st.none(), st.integers(0, 20).map(float))


@settings(max_examples=120, deadline=None)
@given(st.lists(st.tuples(AGES, st.integers(0, 20), st.integers(-1, 6)), min_size=1, max_size=8), st.integers(0, 25))
def test_a_transaction_goes_whole_or_not_at_all(tasks: list[tuple[float | None, int, int]], before: int):
    """By the oracle of one line: all of its tasks ended, or were over, before that time; and counting says the same as purging."""
    store = SqliteStore(":memory:")
    roots: list[str] = []
    dead: dict[str, list[bool]] = {}
    for number, (ended, started, parent) in enumerate(tasks):
        root = roots[parent] if 0 <= parent < number else f"t{number}"
        roots.append(root)
        store.begin_task(
            TaskRecord(
                f"t{number}", "k", "a", "p", "i", "", float(started), 3.0, f"t{parent}" if 0 <= parent < number else None, root, ended=ended
            )
        )
        dead.setdefault(root, []).append(ended < before if ended is not None else started + 3 < before)
    expected = sorted(f"t{number}" for number, root in enumerate(roots) if not all(dead[root]))
    wanted = Purge(frozenset({"rows"}), float(before))
    counted = store.purgeable(wanted)["tasks"]
    done = sum(step["tasks"] for step in store.purge(wanted))
    assert sorted(task.id for task in store.tasks(100)) == expected
    assert counted == done == len(tasks) - len(expected)
    store.close()


# One task, one person ----------------------------------------------------------------------------------------------------


def test_all_that_one_person_has_goes(state: Path, capsys: Out):
    """A request for deletion: contents and rows of his tasks, whatever their age; nobody else's."""
    assert purge(state, "--principal", "user:ada", "--yes") == 0
    assert holding(state, "olderada") == []
    assert holding(state, "oldword")
    assert holding(state, "newword")
    (record,) = records(state, "purge")
    assert record["principal"].startswith("hmac-sha256:")
    assert "user:ada" not in json.dumps(record)
    assert [name for name in holding(state, "user:ada") if not name.startswith("ledger")] == []
    assert contents_in_words(state) == ["10 contents are there and match", f"5 were purged by record {record['seq']}"]
    capsys.readouterr()
    assert purge(state, "--principal", "user:ada", "--yes") == 0
    assert f"nothing to purge of user:ada: it was purged already, on record as {record['seq']}" in capsys.readouterr().out


def test_all_that_one_task_has_goes_with_those_below_it(tmp_path: Path):
    place = Place(tmp_path)
    with place.guard.task("work", intent="Do it for parentword", agent="bot", principal="user:grace") as task:
        place.note("parentword")
        with place.guard.delegate("work", agent="helper", intent="Look up childword") as child:
            place.note("childword")
    place.work("otherword")
    place.close()
    assert purge(place.state, "--task", task.id[:12], "--yes") == 0
    assert holding(place.state, "parentword") == holding(place.state, "childword") == []
    assert holding(place.state, "otherword")
    assert set(records(place.state, "purge")[0]["tasks"]) == {task.id, child.id}


def test_a_task_that_is_open_is_ended_first(tmp_path: Path, capsys: Out):
    """Its rows are needed; its contents can go."""
    place = Place(tmp_path)
    with place.guard.task("work", intent="Do it for openword", agent="bot", principal="user:grace") as task:
        place.note("openword")
        before = everything(place.state)
        assert purge(place.state, "--task", task.id[:12], "--yes") == 2
        assert f"licet task end {task.id[:8]}" in capsys.readouterr().err
        assert everything(place.state) == before
        assert purge(place.state, "--task", task.id[:12], "--only", "contents", "--yes") == 0
        assert purge(place.state, "--principal", "user:grace", "--yes") == 1
        assert "stay until it ends" in capsys.readouterr().err
        assert rows(place.state, "tasks") == 1
        assert place.note("goes on")
        assert contents_in_words(place.state)[0] == "3 contents are there and match"  # a later one is not the purge's
        assert len(contents_in_words(place.state)) == 2
    place.close()
    assert purge(place.state, "--principal", "user:grace", "--yes") == 0
    assert everything(place.state) | {"written": 0, "revoked": 0} == dict.fromkeys(TABLES, 0)


def test_contents_whose_rows_have_gone_before_are_found_by_task_and_by_person(state: Path):
    assert purge(state, "--older-than", "90d", "--only", "rows", "--yes") == 0
    with closing(SqliteStore(state / "licet.db")) as store:
        assert store.tasks_of("user:ada") == []
    assert purge(state, "--principal", "user:ada", "--yes") == 0
    old = next(record["task"] for record in records(state, "task.begin"))
    assert purge(state, "--task", old[:12], "--yes") == 0
    assert holding(state, "olderada") == holding(state, "oldword") == []


# Several processes, and a death in the middle ----------------------------------------------------------------------------

SLOWLY = """\
import sys, time
from licet.store import contents, purge
purge.STEP_ROWS = contents.STEP_ROWS = 3
from licet.cli import main, purge as command
command._SHORTEST_PAUSE = 0.05
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("table", ["contents", "calls"])
def test_killed_in_the_middle_the_same_command_does_the_rest(tmp_path: Path, table: str):
    place = Place(tmp_path, days=100)
    for number in range(8):
        place.work(f"oldword{number}")
    place.close()
    state, before = place.state, rows(place.state, table)
    command = [sys.executable, "-c", SLOWLY, "purge", "--older-than", "90d", "--yes", "--state", str(state)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while rows(state, table) == before:
        assert running.poll() is None, "it was done too soon"
        assert time.monotonic() < deadline
    running.send_signal(signal.SIGKILL)
    running.communicate()
    left = rows(state, table)
    assert 0 < left < before
    (first,) = records(state, "purge")
    assert records(state, "purge.done") == []
    if table == "contents":
        assert (
            contents_in_words(state)[-1]
            == f"{left} that record {first['seq']} was to purge are there still: run the same `licet purge` again"
        )
    assert purge(state, "--older-than", "90d", "--yes") == 0
    assert rows(state, table) == 0
    assert holding(state, "oldword") == []
    assert contents_in_words(state) == [f"{8 * 5} were purged by record {first['seq']}"]
    whole(state)


def test_a_purge_of_which_only_the_bytes_are_left_is_finished(state: Path):
    """Killed between the last row and the end: there is nothing to record, and something to overwrite."""
    store, contents = SqliteStore(state / "licet.db"), ContentsStore(state / FILE)
    wanted = Purge(ALL, time.time() - 90 * DAY)
    list(store.purge(wanted))
    list(contents.purge(wanted))
    assert purge(state, "--older-than", "90d", "--yes") == 0
    assert holding(state, "oldword") == []
    store.close()
    contents.close()


def test_others_work_while_it_purges(tmp_path: Path):
    """No call is refused, nothing new is lost, and what is new stays."""
    old = Place(tmp_path, days=100)
    for number in range(40):
        old.work(f"oldword{number}")
    old.close()
    script = str(Path(__file__).parent / "retained.py")
    running = [subprocess.Popen([sys.executable, script, str(tmp_path), "0", "15"], stderr=subprocess.PIPE) for _ in range(2)]
    purges = 0
    while any(each.poll() is None for each in running):
        assert purge(tmp_path / "state", "--older-than", "90d", "--yes") in (0, 1)
        purges += 1
    for each in running:
        _, said = each.communicate()
        assert each.returncode == 0, said.decode()
        assert b"could not be" not in said
    assert purges >= 1
    assert purge(tmp_path / "state", "--older-than", "90d", "--yes") == 0
    assert holding(tmp_path / "state", "oldword") == []
    assert rows(tmp_path / "state", "tasks") == 30
    first = records(tmp_path / "state", "purge")[0]["seq"]
    assert contents_in_words(tmp_path / "state") == ["150 contents are there and match", f"200 were purged by record {first}"]
    assert {record["outcome"] for record in records(tmp_path / "state", "call.intent")} == {"allow"}
    whole(tmp_path / "state")


def test_two_purges_at_once_are_two_records_and_one_result(tmp_path: Path):
    old = Place(tmp_path, days=100)
    for number in range(30):
        old.work(f"oldword{number}")
    old.close()
    command = [sys.executable, "-m", "licet", "purge", "--older-than", "90d", "--yes", "--state", str(old.state)]
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(2)]
    for each in running:
        _, said = each.communicate(timeout=100)
        assert each.returncode in (0, 1), said.decode()
    assert rows(old.state, "tasks") == rows(old.state, "contents") == 0
    assert purge(old.state, "--older-than", "90d", "--yes") == 0
    assert holding(old.state, "oldword") == []
    whole(old.state)


def test_a_reader_that_stays_is_said(state: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch):
    """While somebody reads an old state of the file, its log has to stay; the next purge empties it."""
    monkeypatch.setattr("licet.store.purge.EMPTY_TRIES", 2)
    monkeypatch.setattr("licet.store.contents.BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect(state / FILE, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM contents").fetchone()[0] == 15
        assert purge(state, "--older-than", "90d", "--yes") == 1
        assert "purge again later" in capsys.readouterr().err
        reader.execute("COMMIT")
    assert records(state, "purge.done")[0]["problems"] == 1
    assert purge(state, "--older-than", "90d", "--yes") == 0
    assert holding(state, "oldword") == []


def test_what_is_free_is_given_back_in_steps(state: Path):
    """Nobody waits until a large file is written anew; and in none of its pages is a byte of what was deleted."""
    with closing(ContentsStore(state / FILE)) as contents:
        for seq in range(10_000, 10_400):
            contents.keep(seq, [content("output", "bulk" * 500)], task="bulk", principal="", time=1.0)
    size = (state / FILE).stat().st_size
    with closing(ContentsStore(state / FILE)):  # somebody has it open, so that closing it does not empty its log
        assert purge(state, "--older-than", "90d", "--yes") == 0
        assert (state / FILE).stat().st_size < size / 5
        assert holding(state, "bulkbulk") == holding(state, "oldword") == []


def test_a_file_of_an_earlier_release_says_that_it_has_to_be_written_anew(state: Path, capsys: Out):
    """It did not overwrite what it deleted; `--compact` leaves nothing of that."""
    path = state / "licet.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript("PRAGMA journal_mode=DELETE; PRAGMA auto_vacuum=NONE; VACUUM; PRAGMA secure_delete=OFF;")
        db.execute("INSERT INTO findings (id, sentence) VALUES ('f', ?)", ("remnant " * 500,))
        db.execute("DELETE FROM findings WHERE id='f'")
    assert holding(state, "remnant")
    assert purge(state, "--older-than", "90d", "--yes") == 1
    assert "`--compact`" in capsys.readouterr().err
    assert purge(state, "--older-than", "90d", "--compact", "--yes") == 0
    assert holding(state, "oldword") == holding(state, "remnant") == []
    assert purge(state, "--older-than", "90d", "--yes") == 0


def test_with_a_guard_that_is_open_meanwhile_nothing_stays_in_its_log(tmp_path: Path):
    """Its connections keep the write-ahead log, which has the older pages."""
    old = Place(tmp_path, days=100)
    old.work("oldword")
    old.close()
    new = Place(tmp_path)
    new.work("newword")
    command = [sys.executable, "-m", "licet", "purge", "--older-than", "90d", "--yes", "--state", str(new.state)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert holding(new.state, "oldword") == []
    new.work("newerword")
    assert holding(new.state, "newerword")
    new.close()


# Any history -------------------------------------------------------------------------------------------------------------


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["user:ada", "user:bo"]), st.integers(0, 200)), min_size=1, max_size=4), st.data())
def test_whatever_is_purged_in_whatever_order_every_proof_holds(
    tmp_path_factory: pytest.TempPathFactory, tasks: list[tuple[str, int]], data: st.DataObject
):
    """The ledger only grows, and of each content it is known that it is there, or which record took it away."""
    folder = tmp_path_factory.mktemp("history")
    state = folder / "state"
    for number, (principal, days) in enumerate(tasks):
        place = Place(folder, days)
        place.work(f"planted{number}word", principal)
        place.close()
    for _ in range(data.draw(st.integers(1, 3))):
        lines = list(LedgerFiles(state / "ledger").records())
        how = data.draw(
            st.sampled_from([("--older-than", "30d"), ("--older-than", "150d"), ("--principal", "user:ada"), ("--principal", "user:bo")])
        )
        only = data.draw(st.sampled_from(["contents", "rows", "contents,spans,rows"]))
        purge(state, *how, "--only", only, "--yes")
        assert list(LedgerFiles(state / "ledger").records())[: len(lines)] == lines
    assert not any("no purge is on record" in sentence or "still" in sentence for sentence in contents_in_words(state))
    with closing(sqlite3.connect(state / FILE)) as db:
        kept = {json.loads(row[0])["seen"] for row in db.execute("SELECT value FROM contents WHERE name='output'")}
    for number in range(len(tasks)):
        there = holding(state, f"planted{number}word")
        assert (FILE in there) == (f"value planted{number}word" in kept)
    whole(state)


def test_nothing_of_a_history_with_updates_and_unequal_sizes_stays(tmp_path: Path):
    """Rows that grew, moved to other pages and were deleted in any order leave no older form behind."""
    place = Place(tmp_path, days=100)
    for number in range(12):
        with (
            suppress(Denied),
            place.guard.task("work", intent="Do it for oldword " * (number * 20 + 1), agent="bot", principal=f"user:p{number % 3}"),
        ):
            place.note("oldword " * (number * 37 % 90 + 1))
            for each in range(number % 5):
                place.note({"text": f"oldword{each}" * (each * 100 + 1)})
    place.close()
    new = Place(tmp_path)
    new.work("newword")
    new.close()
    assert purge(place.state, "--principal", "user:p1", "--yes") == 0
    assert purge(place.state, "--older-than", "90d", "--only", "contents", "--yes") == 0
    assert purge(place.state, "--older-than", "90d", "--yes") == 0
    assert holding(place.state, "oldword") == []
    assert holding(place.state, "newword")


def test_a_person_of_whom_nothing_is_left_is_purged_twice_without_an_error(state: Path, capsys: pytest.CaptureFixture[str]):
    """The second time it says by which record it was done; of a name that nobody has, how names are written."""
    assert purge(state, "--principal", "user:grace", "--yes", "--json") == 0
    record = json.loads(capsys.readouterr().out)["record"]
    assert purge(state, "--principal", "user:grace", "--yes", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["counts"], told["record"], told["purged_before"]) == ({}, None, [record])
    assert purge(state, "--principal", "user:grace", "--yes") == 0
    assert f"nothing to purge of user:grace: it was purged already, on record as {record}" in capsys.readouterr().out
    before = everything(state)
    assert purge(state, "--principal", "user:nobody", "--yes") == 0
    assert "the name must be as the task was begun with (`licet tasks --state " in capsys.readouterr().out
    assert everything(state) == before
