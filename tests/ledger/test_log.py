"""Writing a ledger: many write one chain, a death at any point leaves nothing to mend, and what cannot be written is refused."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from licet.errors import LedgerError
from licet.ledger import Ledger, LedgerFiles, LedgerKey, layout
from licet.ledger.check.verify import verify
from licet.ledger.layout import MAX_ENTRY
from licet.ledger.sealer import signed_state

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

FOR_EVER = 3600.0


def ledger_in(folder: Path, **options: Any) -> Ledger:
    """A ledger whose thread does nothing by itself, so that what happens is what the test does."""
    (folder / "keys").mkdir(mode=0o700, parents=True, exist_ok=True)
    seconds = {"flush_seconds": FOR_EVER, "checkpoint_seconds": FOR_EVER}
    return Ledger(folder / "ledger", LedgerKey.of(folder / "keys"), **{**seconds, **options})


def records_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in LedgerFiles(folder / "ledger").records()]


def faults_of(folder: Path) -> list[str]:
    """What the byte pass finds wrong: here records are of no kind that has a meaning."""
    key = LedgerKey.of(folder / "keys", create=False)
    return [fault.sentence for fault in verify(folder / "ledger", [key.note_key], head=key.last(), semantic=False).faults]


def newest(folder: Path) -> Path:
    return max((folder / "ledger" / layout.LIVE).iterdir())


# One chain -----------------------------------------------------------------------------------------------------------------


def test_the_first_record_says_whose_ledger_it_is(tmp_path: Path):
    ledger = ledger_in(tmp_path)
    assert ledger.append("note", {}, time="") == 2
    first, second = records_of(tmp_path)
    assert (first["kind"], first["seq"], first["prev"]) == ("ledger.begin", 1, "sha256:" + "0" * 64)
    assert first["key"] == LedgerFiles(tmp_path / "ledger").key().strip()  # type: ignore[union-attr]
    assert (second["seq"], second["writer"], first["writer"]) == (2, ledger.writer, ledger.writer)


def _append(folder: Path, count: int) -> None:
    ledger = ledger_in(folder, checkpoint_seconds=0.01, flush_seconds=0.001)
    threads = [threading.Thread(target=lambda: [ledger.append("note", {"n": n}, time="") for n in range(count)]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ledger.close()


def test_many_processes_and_threads_write_one_chain(tmp_path: Path):
    """Also while each of them seals, and segments are filled and taken away."""
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_append, args=(tmp_path, 200)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert [record["seq"] for record in records_of(tmp_path)] == list(range(1, 1202))
    assert faults_of(tmp_path) == []
    assert list((tmp_path / "keys" / "ledger.writers").iterdir()) == []


def test_segments_rotate_and_what_stands_in_bundles_is_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("licet.ledger.log.SEGMENT", 256)
    monkeypatch.setattr("licet.ledger.sealer.SEGMENT", 256)
    one, other = ledger_in(tmp_path), ledger_in(tmp_path)
    for number in range(300):
        one.append("note", {"n": number}, time="")
    other.append("note", {}, time="")
    for number in range(1000):
        one.append("note", {"n": number}, time="")
        if not number % 100:
            one.seal()
    one.seal()
    assert LedgerFiles(tmp_path / "ledger").segments() == [1024, 1280]
    assert other.append("note", {}, time="") == 1303, "a writer whose segment was sealed and taken away follows"
    other.close()
    one.close()
    assert [record["seq"] for record in records_of(tmp_path)] == list(range(1, 1304))
    assert faults_of(tmp_path) == []


def test_a_forked_child_writes_on_as_a_writer_of_its_own(tmp_path: Path):
    ledger = ledger_in(tmp_path)
    ledger.append("a", {}, time="")
    child = os.fork()
    if child == 0:
        os._exit(0 if ledger.append("b", {}, time="") == 3 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert ledger.append("c", {}, time="") == 4
    writers = [record["writer"] for record in records_of(tmp_path)]
    assert writers[1] == writers[3] != writers[2]
    ledger.close()
    assert faults_of(tmp_path) == []


def test_a_record_too_long_is_refused_and_the_next_is_written(tmp_path: Path):
    ledger = ledger_in(tmp_path)
    with pytest.raises(LedgerError, match="too long"):
        ledger.append("a", {"text": "x" * MAX_ENTRY}, time="")
    assert ledger.append("a", {}, time="") == 2
    assert ledger_in(tmp_path).append("b", {}, time="") == 3


def test_a_writer_that_never_lets_go_refuses_the_record_and_does_not_hold_us(tmp_path: Path):
    """A process that was stopped while it wrote holds the lock for as long as it is stopped."""
    ledger = ledger_in(tmp_path, lock_seconds=0.05)
    ledger.append("a", {}, time="")
    with (tmp_path / "ledger" / layout.LOCK).open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(LedgerError, match="another writer"):
            ledger.append("b", {}, time="")
    assert ledger.append("c", {}, time="") == 3
    with _held_by_another_thread(ledger), pytest.raises(LedgerError, match="another writer"):
        ledger.append("d", {}, time="")
    assert ledger.append("e", {}, time="") == 4


@contextmanager
def _held_by_another_thread(ledger: Ledger) -> Iterator[None]:
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with ledger._lock:
            held.set()
            over.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    yield
    over.set()
    thread.join()


# Torn and broken tails -----------------------------------------------------------------------------------------------------


def test_a_last_line_torn_at_any_byte_never_counted_and_a_record_says_so(tmp_path: Path):
    """And so for every byte of the line. A line that is whole but for its line feed is torn as well."""
    ledger = ledger_in(tmp_path)
    for number in range(3):
        ledger.append("note", {"n": number}, time="")
    ledger.seal()
    whole = newest(tmp_path).read_bytes()
    ledger.close()
    last = whole[:-1].rfind(b"\n") + 1
    torn = b'{"kind":"note","n":3}'
    for cut in range(1, len(torn) + 1):
        newest(tmp_path).write_bytes(whole + torn[:cut])
        assert ledger_in(tmp_path).append("next", {}, time="") == 6, cut
        said, following = records_of(tmp_path)[4:]
        assert (said["kind"], said["bytes"], following["kind"]) == ("ledger.repaired", cut, "next")
        assert newest(tmp_path).read_bytes().startswith(whole)
    long = json.dumps({"text": "x" * 60_000}).encode()
    newest(tmp_path).write_bytes(whole)
    assert ledger_in(tmp_path).append("long", {"text": "x" * 60_000}, time="") == 5
    newest(tmp_path).write_bytes(newest(tmp_path).read_bytes() + long)
    assert ledger_in(tmp_path).append("next", {}, time="") == 7
    # Inside what was signed a torn line is no accident: that record was on the disk.
    for cut in range(last + 1, len(whole)):
        newest(tmp_path).write_bytes(whole[:cut])
        with pytest.raises(LedgerError, match="4 records were signed, and 3 stand there"):
            ledger_in(tmp_path).append("next", {}, time="")
        newest(tmp_path).write_bytes(whole)


@pytest.mark.parametrize(
    "line", [b"[" * 200_000, b"{}", b"null", b"\xff", b'{"seq":"x"}', b'{"seq":1e999}', b'{"seq":true}', b'{"seq":0}'],
    ids=["deep", "no seq", "null", "no text", "text", "infinite", "true", "zero"],
)  # fmt: skip
def test_a_last_line_that_is_no_record_is_an_error_of_the_ledger(tmp_path: Path, line: bytes):
    ledger_in(tmp_path).append("a", {}, time="")
    newest(tmp_path).write_bytes(line + b"\n")
    with pytest.raises(LedgerError, match="not a record"):
        ledger_in(tmp_path).append("a", {}, time="")


# What is taken away while it is written to ---------------------------------------------------------------------------------


def test_a_folder_that_is_moved_away_refuses_records_until_it_is_put_back(tmp_path: Path):
    """Else they would go on into a folder that nobody looks at, and a new guard would begin beside them."""
    ledger, folder = ledger_in(tmp_path), tmp_path / "ledger"
    assert ledger.append("a", {}, time="") == 2
    folder.rename(tmp_path / "elsewhere")
    for _ in range(2):
        with pytest.raises(LedgerError, match="put it back"):
            ledger.append("b", {}, time="")
    assert not folder.exists(), "nothing is put in its place, where it could not be put back"
    (tmp_path / "elsewhere").rename(folder)
    assert ledger.append("c", {}, time="") == 3
    ledger.close()
    assert [record["kind"] for record in records_of(tmp_path)] == ["ledger.begin", "a", "c"]


def test_a_folder_that_is_removed_refuses_records_also_at_the_next_start(tmp_path: Path):
    ledger, folder = ledger_in(tmp_path), tmp_path / "ledger"
    ledger.append("a", {}, time="")
    ledger.seal()
    shutil.rmtree(folder)
    for each in (ledger, ledger, ledger_in(tmp_path)):
        with pytest.raises(LedgerError, match="put it back"):
            each.append("b", {}, time="")
    folder.mkdir(mode=0o700)
    with pytest.raises(LedgerError, match="put it back"):
        ledger_in(tmp_path).append("b", {}, time="")


def test_another_folder_in_its_place_refuses_records(tmp_path: Path):
    """Also when nothing was signed yet: this process knows how much stood there."""
    ledger, folder = ledger_in(tmp_path), tmp_path / "ledger"
    ledger.append("a", {}, time="")
    ledger.append("b", {}, time="")
    folder.rename(tmp_path / "elsewhere")
    assert ledger_in(tmp_path).append("a", {}, time="") == 2
    for reason in ("exchanged", "3 records were written, and 2 stand there"):
        with pytest.raises(LedgerError, match=reason):
            ledger.append("b", {}, time="")


def test_a_lock_that_is_removed_does_not_let_two_write_at_once(tmp_path: Path):
    """By the new file's lock nobody would wait for who holds the old."""
    one, other = ledger_in(tmp_path), ledger_in(tmp_path)
    one.append("a", {}, time="")
    other.append("b", {}, time="")
    (tmp_path / "ledger" / layout.LOCK).unlink()
    for each in (one, other):
        with pytest.raises(LedgerError, match="exchanged"):
            each.append("c", {}, time="")
    assert (one.append("d", {}, time=""), other.append("e", {}, time="")) == (4, 5)


def test_a_segment_that_is_removed_refuses_records(tmp_path: Path):
    ledger = ledger_in(tmp_path)
    ledger.append("a", {}, time="")
    newest(tmp_path).unlink()
    for _ in range(2):
        with pytest.raises(LedgerError, match="taken away"):
            ledger.append("b", {}, time="")


# The disk ------------------------------------------------------------------------------------------------------------------


def test_callers_that_wait_together_share_one_fdatasync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Fault injection: the disk waits until all have written."""
    ledger, count, begun, real = ledger_in(tmp_path), [0], threading.Event(), os.fdatasync
    ledger.append("first", {}, time="")

    def slow(descriptor: int) -> None:
        count[0] += 1
        begun.set()
        deadline = time.monotonic() + 30
        while ledger._seq < 2 + 16 and time.monotonic() < deadline:
            time.sleep(0.001)
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", slow)
    threads = [threading.Thread(target=ledger.append, args=("note", {}), kwargs={"time": "", "durable": True}) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count[0] <= 2
    assert ledger._synced >= 2 + 16 - 1


def test_a_disk_that_fails_is_believed_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Fault injection: one failing fdatasync. A later one that succeeds says nothing of the pages that the first gave up."""
    ledger, real = ledger_in(tmp_path), os.fdatasync
    ledger.append("a", {}, time="")

    def failing(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", failing)
    with pytest.raises(LedgerError, match="the disk failed"):
        ledger.append("b", {}, time="", durable=True)
    monkeypatch.setattr(os, "fdatasync", real)
    for attempt in (lambda: ledger.append("c", {}, time=""), ledger.ready, ledger.seal, ledger.sync):
        with pytest.raises(LedgerError, match="the disk failed"):
            attempt()
    assert ledger_in(tmp_path).append("d", {}, time="") == 4


def test_a_record_whose_file_is_let_go_of_before_it_is_on_the_disk_is_not_said_to_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Another thread lets go where the folder was taken away in between."""
    ledger = ledger_in(tmp_path)
    monkeypatch.setattr(ledger._keeper, "wake", lambda: ledger._let_go(guard=True))
    with pytest.raises(LedgerError, match="let go of before record 2"):
        ledger.append("a", {}, time="", durable=True)


def test_a_full_segment_is_on_the_disk_before_there_is_a_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Who dies in between leaves no segment that nobody waits for: a new process waits only for the newest."""
    monkeypatch.setattr("licet.ledger.log.SEGMENT", 256)
    ledger, seen, real = ledger_in(tmp_path), [], os.fdatasync
    for number in range(255):
        ledger.append("note", {"n": number}, time="")
    monkeypatch.setattr(os, "fdatasync", lambda file: (seen.append(len(list((tmp_path / "ledger" / "live").iterdir()))), real(file)))
    ledger.append("note", {}, time="")
    assert seen == [1]
    assert len(list((tmp_path / "ledger" / "live").iterdir())) == 2


# Sealing -------------------------------------------------------------------------------------------------------------------


def test_a_checkpoint_that_is_made_while_another_starts_is_no_setting_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The start reads two files, and in between both may be exchanged."""
    ledger, key = ledger_in(tmp_path), LedgerKey.of(tmp_path / "keys")
    ledger.append("a", {}, time="")
    ledger.seal()
    ledger.append("b", {}, time="")

    def then_sealed(read: Any) -> Any:
        def reading(of: Any) -> Any:
            found = read(of)
            monkeypatch.undo()
            ledger.seal()
            return found

        return reading

    monkeypatch.setattr(LedgerFiles, "checkpoint", then_sealed(LedgerFiles.checkpoint))
    monkeypatch.setattr(LedgerKey, "last", then_sealed(LedgerKey.last))
    found = signed_state(LedgerFiles(tmp_path / "ledger"), key)[1]
    assert found is not None
    assert found.size == 3


def test_sealing_that_died_leaves_one_file_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Fault injection: the process dies before each exchange of a file. What it leaves does not pile up."""
    ledger_in(tmp_path).append("a", {}, time="")
    for _ in range(4):
        child = os.fork()
        if child == 0:
            ledger = ledger_in(tmp_path)
            for _ in range(40):
                ledger.append("note", {}, time="")
            monkeypatch.setattr(os, "replace", lambda *_, **__: os._exit(0))
            ledger.seal()
            os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
    ledger = ledger_in(tmp_path)
    left = [file for file in tmp_path.rglob("*") if file.name.startswith(".")]
    assert len(left) == 1
    ledger.seal()
    ledger.close()
    assert [file for file in tmp_path.rglob("*") if file.name.startswith(".")] == []
    assert faults_of(tmp_path) == []


def test_partial_tiles_of_those_who_died_go_when_the_tile_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Fault injection: the process dies after each checkpoint, before it can tidy."""
    for _ in range(3):
        child = os.fork()
        if child == 0:
            ledger = ledger_in(tmp_path)
            for _ in range(50):
                ledger.append("note", {}, time="")
            monkeypatch.setattr("licet.ledger.sealer.Sealer._tidy", lambda *_: os._exit(0))
            ledger.seal()
            os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
    assert len(list((tmp_path / "ledger").rglob("*.p/*"))) > 2
    ledger = ledger_in(tmp_path)
    for _ in range(256):
        ledger.append("note", {}, time="")
    ledger.seal()
    full = sorted(file.parent.name for file in (tmp_path / "ledger").rglob("*.p/*"))
    assert full == ["000.p", "001.p", "001.p"], "those of the tree's edge stand"
    ledger.close()
    assert faults_of(tmp_path) == []


# Who died, and what was left open ------------------------------------------------------------------------------------------


def _dies(folder: Path, *calls: str, said: bool = True) -> None:
    child = os.fork()
    if child == 0:
        ledger = ledger_in(folder)
        for call in calls:
            ledger.append("call.intent", {"call": call}, time="")
        if calls[1:]:
            ledger.append("call.outcome", {"call": calls[0], "status": "done"}, time="")
        os.kill(os.getpid(), 9)
    assert os.waitpid(child, 0)[1] == 9


def test_the_open_calls_of_who_died_come_until_they_are_settled(tmp_path: Path):
    _dies(tmp_path, "one", "two")
    ledger = ledger_in(tmp_path)
    with pytest.raises(KeyError), ledger.abandoned() as found:
        raise KeyError([each["call"] for each in found.intents])
    with ledger.abandoned() as found:
        assert [each["call"] for each in found.intents] == ["two"]
        ledger.append("call.outcome", {"call": "two", "status": "unknown"}, time="")
    with ledger.abandoned() as found:
        assert found.intents == []
    assert [file.name for file in (tmp_path / "keys" / "ledger.writers").iterdir()] == [ledger.writer]


def test_calls_that_somebody_thinks_run_are_ended_by_what_the_ledger_says(tmp_path: Path):
    """The store's rows: a death before the intent, or after the outcome, leaves one that says that it runs."""
    _dies(tmp_path, "one", "two")
    ledger = ledger_in(tmp_path)
    with ledger.abandoned(lambda: ["one", "two", "nowhere"]) as found:
        assert [each["call"] for each in found.intents] == ["two"]
        assert found.ended == {"one": "done", "nowhere": "unknown"}
    living = ledger_in(tmp_path)
    living.append("call.intent", {"call": "three"}, time="")
    _dies(tmp_path, "four", "five")
    with ledger.abandoned(lambda: ["three", "four", "nowhere"]) as found:
        assert found.ended == {"four": "done"}, "what is nowhere may be about to be written by who lives"


def test_the_calls_of_who_lives_are_not_abandoned(tmp_path: Path):
    one, other = ledger_in(tmp_path), ledger_in(tmp_path)
    one.append("call.intent", {"call": "running"}, time="")
    with other.abandoned() as found:
        assert found.intents == []


def test_who_died_before_a_first_record_is_let_go_of_without_reading_the_ledger(tmp_path: Path):
    ledger_in(tmp_path).append("a", {}, time="")
    ledger = ledger_in(tmp_path)
    ledger.append("a", {}, time="")
    file = tmp_path / "keys" / "ledger.writers" / "0123456789abcdef"
    file.touch(mode=0o600)
    ledger.files.records = lambda *_: pytest.fail("it was read")  # type: ignore[method-assign,assignment]
    with ledger.abandoned() as found:
        assert found.intents == []
    assert not file.exists()


def test_who_closed_in_the_middle_of_a_call_can_still_write_its_outcome(tmp_path: Path):
    """`guard.close()` while a generator is open: what is written later opens the files again, its own among them."""
    ledger = ledger_in(tmp_path)
    ledger.append("call.intent", {"call": "running"}, time="")
    ledger.close()
    ledger.append("call.outcome", {"call": "running", "status": "done"}, time="")
    ledger.close()
    assert list((tmp_path / "keys" / "ledger.writers").iterdir()) == []
    with ledger_in(tmp_path).abandoned() as found:
        assert found.intents == []


def test_a_checkpoint_lets_the_next_start_read_less(tmp_path: Path):
    """A writer's file says from where on its calls may be open."""
    ledger = ledger_in(tmp_path)
    file = tmp_path / "keys" / "ledger.writers" / ledger.writer
    ledger.append("call.intent", {"call": "a"}, time="")
    assert int(file.read_text()) == 1
    ledger.append("note", {}, time="")
    ledger.seal()
    assert int(file.read_text()) == 2
    ledger.append("call.outcome", {"call": "a", "status": "done"}, time="")
    ledger.seal()
    assert int(file.read_text()) == 5
