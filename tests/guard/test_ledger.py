"""The ledger: whatever is changed in it is seen, whatever is in the file is no crash, and writers of many processes keep one chain."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import random
import signal
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licet.errors import LedgerError
from licet.ledger import Ledger, verify
from licet.ledger.log import MAX_LINE
from world import World


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A ledger of a few calls."""
    world = World(tmp_path_factory.mktemp("ledger"))
    with world.guard, world.task():
        for number in range(3):
            world.tool("note")(number)
    return Path(world.guard._ledger.path).read_bytes()


def check(data: bytes) -> Any:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return verify(file.name)


def test_a_whole_ledger_verifies(written: bytes):
    found = check(written)
    assert (found.broken, found.records) == ("", written.count(b"\n"))
    assert found.records >= 8


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_changed_byte_is_seen(written: bytes, data: st.DataObject):
    """In the last line, which has none behind it, by the head that somebody kept (docs/limits.md)."""
    place = data.draw(st.integers(0, len(written) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != written[place]))
    found, before = check(written[:place] + bytes([byte]) + written[place + 1 :]), check(written)
    last = place > written.rfind(b"\n", 0, len(written) - 1)
    assert found.broken or (last and found.head != before.head)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_line_taken_out_put_in_or_swapped_is_seen(written: bytes, data: st.DataObject):
    lines = written.splitlines(keepends=True)
    what = data.draw(st.sampled_from(["delete", "repeat", "swap", "byte out", "byte in", "forge"]))
    place = data.draw(st.integers(0, len(lines) - 2))
    changed = list(lines)
    if what == "delete":
        del changed[place]
    elif what == "repeat":
        changed.insert(place, lines[place])
    elif what == "swap":
        changed[place], changed[place + 1] = changed[place + 1], changed[place]
    elif what == "forge":
        record = json.loads(lines[place]) | {"outcome": "forged"}
        changed[place] = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
    else:
        at = data.draw(st.integers(0, len(lines[place]) - 1))
        line = lines[place]
        changed[place] = line[:at] + line[at + 1 :] if what == "byte out" else line[:at] + b"x" + line[at:]
    assert check(b"".join(changed)).broken


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.sampled_from([b"{}\n", b"null\n", b"[]\n", b'{"seq":true,"prev":""}\n', b'{"seq":1e999}\n', b"[" * 100_000 + b"\n", b"\n" * 9]),
        st.recursive(st.one_of(st.integers(), st.text()), lambda x: st.dictionaries(st.sampled_from(["seq", "prev", "kind"]), x)).map(
            lambda value: json.dumps(value).encode() + b"\n"
        ),
    )
)
def test_verify_never_raises_for_what_is_in_the_file(data: bytes):
    found = check(data)
    assert bool(found.broken) == bool(data)


def test_a_file_that_is_not_there_cannot_be_verified(tmp_path: Path):
    with pytest.raises(LedgerError):
        verify(tmp_path / "nothing")


def test_a_number_that_is_true_is_none(tmp_path: Path):
    """To Python, True equals 1."""
    ledger = Ledger(tmp_path / "l")
    ledger.append("a", {}, time="")
    data = (tmp_path / "l").read_bytes().replace(b'"seq":1', b'"seq":true')
    assert check(data).broken


def test_a_record_too_long_is_refused_and_the_next_is_written(tmp_path: Path):
    ledger = Ledger(tmp_path / "l")
    with pytest.raises(LedgerError, match="too long"):
        ledger.append("a", {"text": "x" * MAX_LINE}, time="")
    assert ledger.append("a", {}, time="") == 1
    assert Ledger(tmp_path / "l").append("b", {}, time="") == 2
    assert verify(tmp_path / "l").broken == ""


def _append(path: str, count: int) -> None:
    ledger = Ledger(path)
    threads = [threading.Thread(target=lambda: [ledger.append("a", {"n": n}, time="") for n in range(count)]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_many_processes_and_threads_write_one_chain(tmp_path: Path):
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_append, args=(str(tmp_path / "l"), 25)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    found = verify(tmp_path / "l")
    assert (found.broken, found.records) == ("", 150)


def test_a_forked_child_writes_on(tmp_path: Path):
    ledger = Ledger(tmp_path / "l")
    ledger.append("a", {}, time="")
    child = os.fork()
    if child == 0:
        ledger.append("b", {}, time="")
        os._exit(0)
    os.waitpid(child, 0)
    assert ledger.append("c", {}, time="") == 3
    assert verify(tmp_path / "l").broken == ""


def _call_for_ever(folder: str, ready: Any) -> None:
    world = World(Path(folder))
    tool = world.tool("note")
    with world.task():
        tool(0)
        ready.set()
        while True:
            tool(1)


def test_a_killed_process_leaves_a_store_and_a_ledger_that_go_on(tmp_path: Path):
    """kill -9 in the middle of calls: both files open again, the chain holds, and what was being done can be seen."""
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Event()
    process = spawn.Process(target=_call_for_ever, args=(str(tmp_path), ready))
    process.start()
    assert ready.wait(60)
    process.join(random.uniform(0.01, 0.1))
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join(30)
    world = World(tmp_path)
    with world.guard, world.task():
        world.tool("note")(2)
    path = Path(world.guard._ledger.path)
    assert verify(path).broken == ""
    records = [json.loads(line) for line in path.read_text().splitlines()]
    killed, ended_well = _tasks(tmp_path)
    begun = {record["call"] for record in records if record["kind"] == "call.intent"}
    ended = {record["call"] for record in records if record["kind"] == "call.outcome"}
    assert len(begun - ended) <= 1, "a call that was begun and has no outcome is the one that was running"
    assert killed.ended is None
    assert ended_well.ended_by == "block left"


def _tasks(folder: Path) -> list[Any]:
    from licet.store import SqliteStore

    store = SqliteStore(folder / "licet-state" / "licet.db")
    found = sorted(store.tasks(), key=lambda task: task.ended is not None)
    store.close()
    return found


def test_a_writer_that_never_lets_go_refuses_the_record_and_does_not_hold_us(tmp_path: Path):
    """A process that was stopped while it wrote holds the lock for as long as it is stopped."""
    ledger = Ledger(tmp_path / "l", lock_seconds=0.05)
    ledger.append("a", {}, time="")
    with (tmp_path / "l").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(LedgerError, match="another writer"):
            ledger.append("b", {}, time="")
    assert ledger.append("c", {}, time="") == 2
    with ledger._lock, pytest.raises(LedgerError, match="another writer"):
        ledger.append("d", {}, time="")
    assert verify(tmp_path / "l").broken == ""


@pytest.mark.parametrize("line", [b"[" * 200_000, b"{}", b"null", b"\xff", b'{"seq":"x"}', b'{"seq":1e999}'])
def test_a_last_line_that_is_no_record_is_an_error_of_the_ledger(tmp_path: Path, line: bytes):
    (tmp_path / "l").write_bytes(line + b"\n")
    (tmp_path / "l").chmod(0o600)
    with pytest.raises(LedgerError, match="not a record"):
        Ledger(tmp_path / "l").append("a", {}, time="")
