"""The store in memory answers as the one on the disk does."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licet.records import CallRecord, Claim, Decision, TaskRecord
from licet.store import MemoryStore, SqliteStore

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

TASK = TaskRecord("t", "work", "bot", "user:ada", "Work", "sha256:0", 0.0, 600.0, root="t")
AMOUNTS = st.decimals(0, 1000, places=2, allow_nan=False, allow_infinity=False)
CLAIMS = st.one_of(
    st.builds(lambda key: Claim("t", key, "calls", Decimal(9)), st.sampled_from("ab")),
    st.builds(lambda key, amount: Claim("t", key, "sum", Decimal(9), amount), st.sampled_from("cd"), AMOUNTS),
    st.builds(lambda key, some: Claim("t", key, "distinct", Decimal(9), values=tuple(some)), st.sampled_from("ef"), st.sets(st.sampled_from("uvwxyz"))),
    st.builds(lambda key, window: Claim("t", key, "rate", Decimal(9), window=window), st.sampled_from("gh"), st.floats(1, 50)),
)  # fmt: skip
STEPS = st.one_of(
    st.tuples(st.sampled_from(["reserve", "reserve", "give back"]), CLAIMS),
    st.tuples(st.sampled_from(["ask", "refuse", "call", "taint"]), st.sampled_from(["read", "send", "pay"])),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(STEPS, st.floats(0, 5)), max_size=25))
def test_budgets_questions_order_and_taint_are_the_same_in_memory_and_on_the_disk(steps: list) -> None:
    with TemporaryDirectory() as folder:
        disk, memory = SqliteStore(Path(folder) / "licet.db"), MemoryStore()
        now = 0.0
        disk.begin_task(TASK)
        memory.begin_task(TASK)
        for number, ((what, which), passed) in enumerate(steps):
            now += passed
            if what in ("reserve", "give back"):
                answers = []
                for store in (disk, memory):
                    with store.transaction() as tx:
                        before = tx.measure(which, now)
                        taken = tx.reserve(which, now)
                        if what == "give back":
                            tx.release(taken, now)
                        answers.append((before, taken, tx.measure(which, now)))
                assert answers[0] == answers[1]
            elif what == "call":
                record = CallRecord(f"c{number}", "t", 0, which, "", "test", "running", Decision("allow"), "sha256:1", now)
                seqs = []
                for store in (disk, memory):
                    with store.transaction() as tx:
                        seqs.append((tx.add_call(record, "t"), tx.tree_calls("t")))
                assert seqs[0] == seqs[1]
                disk.update_call(record.id, status="done", ended=now)
                memory.completed("t", which)
            elif what == "taint":
                disk.taint("crm", [which, which], "t", "c")
                memory.taint("crm", [which, which], "t", "c")
            elif what == "refuse":
                disk.refuse("t", which)
                memory.refuse("t", which)
            else:
                for store in (disk, memory):
                    with store.transaction() as tx:
                        tx.ask("t", which)
            for one, other in ((disk, memory),):
                with one.transaction() as left, other.transaction() as right:
                    assert left.asked("t") == right.asked("t")
                    assert left.last_tool("t") == right.last_tool("t") == right.last_tool_under("t") == left.last_tool_under("t")
                    assert left.task("t") == right.task("t")
                asked = ["read", "send", "pay", "other"]
                assert sorted(one.tainted("crm", asked)) == sorted(other.tainted("crm", asked))
                assert not other.tainted("elsewhere", asked)
        disk.close()
        memory.close()


def test_a_task_that_is_over_leaves_nothing() -> None:
    store = MemoryStore()
    store.begin_task(TASK)
    store.forget("t")
    with store.transaction() as tx:
        assert tx.task("t") is None
