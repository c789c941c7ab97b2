"""The store: records come back as they went in, whatever is in a row is no silent permission, and a fork opens it anew."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licet import Guard
from licet.errors import KeyFileError, LedgerError, StateError, StoreError, TicketSpent
from licet.manifest import loads
from licet.records import CallRecord, Decision, Finding, Reason, TaskRecord, ToolCall
from licet.store import SqliteStore
from licet.store.rows import decision_of, decision_text
from world import MANIFEST, World

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
TIMES = st.floats(0, 4e9, allow_nan=False)
REASONS = st.builds(Reason, TEXT, st.sampled_from(["deny", "ask", "flag"]), TEXT, st.lists(TEXT, max_size=3).map(tuple), st.lists(TEXT, max_size=2).map(tuple), st.booleans())  # fmt: skip
OUTCOMES = st.sampled_from(["allow", "ask", "deny"])
DECISIONS = st.builds(Decision, OUTCOMES, st.lists(REASONS, max_size=3).map(tuple), OUTCOMES, st.lists(TEXT, max_size=2).map(tuple))
TASKS = st.builds(
    TaskRecord, id=st.just("t"), kind=TEXT, agent=TEXT, principal=TEXT, intent=TEXT, manifest_digest=TEXT, started=TIMES, ttl=TIMES,
    parent=st.one_of(st.none(), TEXT), root=TEXT, paused=TIMES, ended=st.one_of(st.none(), TIMES), ended_by=TEXT, detached=st.booleans(),
)  # fmt: skip
CALLS = st.builds(
    CallRecord, id=st.just("c"), task_id=st.just("t"), seq=st.just(1), tool=TEXT, call_id=TEXT, framework=TEXT,
    status=st.sampled_from(["running", "done", "denied"]), decision=DECISIONS, args_digest=TEXT, started=TIMES,
    attributes=st.dictionaries(TEXT, st.one_of(TEXT, st.integers(-5, 5)), max_size=3),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(TASKS, CALLS)
def test_records_come_back_as_they_went_in(task: TaskRecord, call: CallRecord):
    store = SqliteStore(":memory:")
    store.begin_task(task)
    with store.transaction() as tx:
        assert tx.add_call(call) == 1
    store.add_finding(Finding("f", 1.0, "scope.tool", "low", task.intent, "t", "c", task.agent, (task.kind,)))
    assert store.task("t") == task
    assert list(store.calls("t")) == [call]
    (finding,) = store.findings("t")
    assert (finding.sentence, finding.references) == (task.intent, (task.kind,))
    store.close()


@settings(max_examples=150, deadline=None)
@given(DECISIONS)
def test_a_decision_as_text_and_back(decision: Decision):
    assert decision_of(decision_text(decision)) == decision


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        TEXT,
        st.sampled_from(["{}", "null", "[]", '{"outcome":"allow"}', '{"outcome":"allow","reasons":[{}],"judged":"allow","errors":[]}']),
    )
)
def test_a_text_that_is_no_decision_is_an_error_and_never_a_permission(text: str):
    with pytest.raises((ValueError, KeyError, TypeError)):
        decision_of(text)


@pytest.mark.parametrize("column", ["ttl", "started", "ended", "decision", "narrowing", "used"])
@pytest.mark.parametrize("junk", ["junk", b"\xff\x00", "NaN", None, "-1e999"])
def test_junk_in_a_row_never_lets_a_call_through(tmp_path: Path, column: str, junk: Any):
    """Whoever edits the file may stop the guard; a budget or an end that cannot be read is no permission for more."""
    world = World(tmp_path)
    tool = world.tool("pay")
    with world.guard, world.task(detached=True) as task:
        tool(100)
        table = {"decision": "calls", "used": "budget_use"}.get(column, "tasks")
        other = sqlite3.connect(str(world.guard.state / "licet.db"))
        with other:
            other.execute(f"UPDATE {table} SET {column}=?", (junk,))
        other.close()
        if column == "used" and junk is None:
            world.denied("guard.undecided", tool, 1)
        elif column in ("used", "ended") and junk is not None:
            world.denied("scope.expired" if column == "ended" else "guard.undecided", tool, 1)
        else:
            world.denied("scope.budget", tool, 1)
    assert task.record.detached


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path):
    path = tmp_path / "s.db"
    SqliteStore(path).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version=99")
    database.close()
    with pytest.raises(StoreError, match="another version"):
        SqliteStore(path)


def test_the_file_is_its_owners_alone(tmp_path: Path):
    old = os.umask(0)
    try:
        SqliteStore(tmp_path / "s.db").close()
    finally:
        os.umask(old)
    assert (tmp_path / "s.db").stat().st_mode & 0o777 == 0o600


def test_a_forked_child_opens_the_store_anew(tmp_path: Path):
    world = World(tmp_path)
    tool = world.tool("pay")
    with world.guard, world.task():
        tool(60)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                tool(30)
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        world.denied("scope.budget", tool, 30)
        tool(10)


def test_an_error_undoes_the_whole_step(tmp_path: Path):
    store = SqliteStore(tmp_path / "s.db")

    def step() -> None:
        with store.transaction() as tx:
            tx.ask("t", "x")
            raise LookupError

    with pytest.raises(LookupError):
        step()
    with store.transaction() as tx:
        assert tx.asked("t") == (0, frozenset())
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.task("t")


def widen(path: Path) -> None:
    path.chmod(0o666)


def link_away(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def make_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


OF_THE_LEDGER = ("ledger/live/00000000000000000000.jsonl", "ledger/lock", "keys/ledger.head")


@pytest.mark.parametrize("how", [widen, link_away, make_a_pipe])
@pytest.mark.parametrize(
    "which", ["licet.db", "licet.db-wal", *OF_THE_LEDGER, "keys/ledger.key", "keys/call-token.pem", "keys/ring.json", "keys"]
)
def test_a_file_that_is_not_ours_alone_is_refused(tmp_path: Path, which: str, how: Callable[[Path], None]):
    """Others could write in the store that the glass is broken, or read the key."""
    if which == "keys" and how is make_a_pipe:
        pytest.skip("a folder is not unlinked")
    state = tmp_path / "licet-state"
    with Guard(loads(MANIFEST), state=state) as guard, guard.task("work", intent="x", agent="bot", principal="user:a"):
        if which == "licet.db-wal":
            shutil.copy(state / which, tmp_path / "wal")
    if which == "licet.db-wal":
        shutil.move(tmp_path / "wal", state / which)
        (state / which).chmod(0o600)
    how(state / which)
    with pytest.raises(StateError) as refused, Guard(loads(MANIFEST), state=state) as guard:
        guard.task("work", intent="x", agent="bot", principal="user:a").__enter__()
    kinds: dict[str, type[StateError]] = {"licet.db": StoreError, "licet.db-wal": StoreError} | dict.fromkeys(OF_THE_LEDGER, LedgerError)
    assert type(refused.value) is kinds.get(which, KeyFileError)
    if how is widen:
        assert f"chmod {700 if which == 'keys' else 600}" in str(refused.value)


def test_a_forked_child_and_its_parent_share_the_file_and_no_part_of_sqlite(tmp_path: Path):
    """What SQLite knows of a file's locks and of `-shm` is the process's: a child that had it would go on in files that were taken away."""
    store = SqliteStore(tmp_path / "s.db")
    store.taint("place", ["parent"], "t", "c")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(read, 1)
        store.taint("place", ["child"], "t", "c")
        os._exit(0 if (tmp_path / "s.db-shm").exists() else 1)
    store.taint("place", ["after"], "t", "c")
    store.close()  # as the last that has the file open it takes `-wal` and `-shm` away
    assert not (tmp_path / "s.db-shm").exists()
    os.write(write, b"x")
    assert os.waitpid(child, 0)[1] == 0
    assert sorted(SqliteStore(tmp_path / "s.db").tainted("place", ["parent", "child", "after"])) == ["after", "child", "parent"]


def test_a_child_forked_while_a_thread_holds_the_store_and_the_ledger_goes_on(tmp_path: Path):
    world = World(tmp_path)
    tool = world.tool("pay")
    world.guard._store._busy = 0.05
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with world.guard._store._lock, world.guard._ledger._lock:
            held.set()
            done.wait(60)

    with world.guard, world.task():
        tool(1)
        thread = threading.Thread(target=hold)
        thread.start()
        assert held.wait(60)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                signal.alarm(20)  # a child that hangs is killed, and has not ended with 0
                tool(30)
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        done.set()
        thread.join()
        world.denied("scope.budget", tool, 70)


def test_children_forked_while_threads_write_can_write(tmp_path: Path):
    """SQLite takes a lock that was held at the fork for one of the child's own, which is never let go."""
    world = World(tmp_path)
    store = world.guard._store
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            with store.transaction() as tx:
                tx.ask("t", "x")

    with world.guard, world.task() as task:
        thread = threading.Thread(target=write)
        thread.start()
        codes = []
        for _ in range(20):
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    signal.alarm(30)
                    code = 0 if world.guard.begin(ToolCall("note", {"value": 1}, known=("value",)), task=task).allowed else 2
                finally:
                    os._exit(code)
            codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        over.set()
        thread.join()
    assert codes == [0] * 20


def test_a_ticket_is_for_the_process_that_opened_it(tmp_path: Path):
    """A fork has a copy of it, and would be a second execution."""
    world = World(tmp_path)
    with world.guard, world.task() as task:
        ticket = world.guard.begin(ToolCall("note", {"value": 1}, known=("value",)), task=task)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                ticket.redeem()
            except TicketSpent:
                code = 0 if not ticket.join() else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert ticket.redeem() is not None
        assert ticket.is_running


def test_a_folder_that_is_not_there_is_said_with_what_makes_it(tmp_path: Path):
    """A tool's side is often started before the guard has ever been."""
    with pytest.raises(
        StoreError, match=r"the folder .*/none is not there; start the guard once, which makes it, or make it \(`mkdir -m 700 "
    ):
        SqliteStore(tmp_path / "none" / "licet.db")
