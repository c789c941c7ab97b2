"""A guard that runs takes up nothing that it did not write, or that does not lead on from what it knows; and no signal stops it for good.

Whoever does all this to it can write the ledger's folder, and has no key.
"""

from __future__ import annotations

import dis
import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from licet.canonical import canonical
from licet.errors import LedgerError
from licet.ledger import Ledger, LedgerFiles, LedgerKey, layout
from licet.ledger.chained import bytes_of, link
from licet.ledger.keeper import Keeper
from licet.ledger.layout import MAX_ENTRY

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

FOR_EVER = 3600.0
BEGIN = "sha256:" + "0" * 64


def opened(folder: Path, **options: Any) -> Ledger:
    """A ledger whose threads do nothing by themselves."""
    (folder / "keys").mkdir(mode=0o700, parents=True, exist_ok=True)
    seconds = {"flush_seconds": FOR_EVER, "checkpoint_seconds": FOR_EVER}
    return Ledger(folder / "ledger", LedgerKey.of(folder / "keys"), **{**seconds, **options})


def kinds(folder: Path) -> list[str]:
    return [json.loads(line)["kind"] for line in LedgerFiles(folder / "ledger").records()]


def live(folder: Path) -> Path:
    return max((folder / "ledger" / layout.LIVE).iterdir())


def linked(rows: list[dict[str, Any]], seq: int = 0, before: str = BEGIN) -> bytes:
    """The lines of records, numbered and linked anew, as anybody can."""
    out = b""
    for row in rows:
        seq += 1
        line = canonical({**row, "seq": seq, "prev": before})
        before = link(line)
        out += line + b"\n"
    return out


def rewritten(folder: Path, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    file = live(folder)
    file.write_bytes(linked(change([json.loads(line) for line in file.read_bytes().splitlines()])))


def refused(ledger: Ledger, match: str = "not what was written") -> None:
    for attempt in (lambda: ledger.append("next", {}, time=""), lambda: ledger.append("next", {}, time="", durable=True), ledger.seal):
        with pytest.raises(LedgerError, match=match):
            attempt()


# While it is written to ----------------------------------------------------------------------------------------------------


CHANGES = {
    "taken out": lambda rows: [row for row in rows if row["kind"] != "call.denied"],
    "put in": lambda rows: [*rows[:2], {**rows[1], "kind": "approval"}, *rows[2:]],
    "changed, longer": lambda rows: [{**row, "why": "x" * 50} if row["kind"] == "call.denied" else row for row in rows],
    "changed, shorter": lambda rows: [{**row, "why": ""} if row["kind"] == "call.denied" else row for row in rows],
    "cut": lambda rows: rows[:-1],
    "all": lambda rows: rows[:1],
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_is_altered_under_a_running_guard_is_not_taken_up_and_not_signed(tmp_path: Path, change: Any):
    """All numbers and links are right. Nothing is written after it, so that it stays apart from what the guard itself wrote."""
    ledger = opened(tmp_path)
    for kind in ("a", "call.denied", "b", "c"):
        ledger.append(kind, {"why": "it may not"}, time="")
        if kind == "a":
            signed = ledger.seal()
    rewritten(tmp_path, change)
    stood = live(tmp_path).read_bytes()
    refused(ledger)
    ledger.close()
    assert LedgerFiles(tmp_path / "ledger").checkpoint() == signed
    assert live(tmp_path).read_bytes() == stood


def test_a_record_that_is_altered_in_its_place_is_not_signed(tmp_path: Path):
    """Of the same length: nothing tells of it but the hash."""
    ledger = opened(tmp_path)
    ledger.append("a", {}, time="")
    signed = ledger.seal()
    ledger.append("b", {"why": "AAAA"}, time="")
    live(tmp_path).write_bytes(live(tmp_path).read_bytes().replace(b"AAAA", b"BBBB"))
    with pytest.raises(LedgerError, match="record 3 is not the one that was written last"):
        ledger.seal()
    refused(ledger)
    ledger.close()
    assert LedgerFiles(tmp_path / "ledger").checkpoint() == signed


def test_what_others_write_is_taken_up_only_if_it_leads_on(tmp_path: Path):
    one, other = opened(tmp_path), opened(tmp_path)
    one.append("a", {}, time="")
    other.append("b", {}, time="")
    assert one.append("c", {}, time="") == 4
    rewritten(tmp_path, lambda rows: [*rows[:2], {**rows[2], "more": "than it wrote"}, rows[3]])
    refused(one)
    refused(other)


def test_a_segment_that_others_filled_leads_on_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Also where the own one has long gone: what this process knew stands in a bundle, and is held against that."""
    monkeypatch.setattr("licet.ledger.log.SEGMENT", 256)
    monkeypatch.setattr("licet.ledger.sealer.SEGMENT", 256)
    one, idle, fooled = opened(tmp_path), opened(tmp_path), opened(tmp_path)
    for each in (one, idle, fooled):
        each.append("a", {}, time="")
    for number in range(600):
        one.append("note", {"n": number}, time="")
    assert idle.append("b", {}, time="") == 605
    one.seal()
    for number in range(600):
        one.append("note", {"n": number}, time="")
    one.seal()
    assert LedgerFiles(tmp_path / "ledger").segments()[0] > 256
    bundle = tmp_path / "ledger" / layout.bundle_name(0)
    whole = bundle.read_bytes()
    bundle.write_bytes(whole.replace(fooled.writer.encode(), b"0" * 16))
    refused(fooled, "record 4 is another than was written")
    bundle.write_bytes(whole)
    assert idle.append("c", {}, time="") == 1206
    first = live(tmp_path)
    rows = first.read_bytes().splitlines()
    first.unlink()
    skipped = first.with_name(Path(layout.live_name(2048)).name)
    skipped.write_bytes(linked([json.loads(rows[-1])], 2048))
    skipped.chmod(0o600)
    refused(opened(tmp_path), "is missing|was cut")


def test_an_end_that_a_dead_guard_left_unsigned_leads_on_from_what_was_signed(tmp_path: Path):
    ledger = opened(tmp_path)
    ledger.append("a", {}, time="")
    ledger.seal()
    ledger.append("b", {}, time="")
    ledger.append("c", {}, time="")
    ledger.renew()  # dies
    whole = live(tmp_path).read_bytes()
    for bad in (whole.replace(b'"b"', b'"B"'), whole.replace(b'"seq":3', b'"seq":4'), whole + whole.splitlines()[-1] + b"\n"):
        live(tmp_path).write_bytes(bad)
        refused(opened(tmp_path))
    live(tmp_path).write_bytes(whole)
    assert opened(tmp_path).append("d", {}, time="") == 5


# What is no record ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["long", "jump", "endless", "spaced", "twice"])
def test_a_line_that_is_no_record_of_ours_stops_the_ledger_with_words(tmp_path: Path, what: str):
    """Also one that has the right number and link. And a new guard says so too."""
    ledger = opened(tmp_path)
    ledger.append("a", {}, time="")
    signed = ledger.seal()
    row = {"kind": "x", "seq": 3, "prev": link(live(tmp_path).read_bytes().splitlines()[-1])}
    line = {
        "long": canonical({**row, "big": "a" * MAX_ENTRY}) + b"\n",
        "jump": b'{"seq":16384}\n',
        "endless": b"a" * (3 * MAX_ENTRY),
        "spaced": json.dumps(row, sort_keys=True).encode() + b"\n",
        "twice": canonical(row)[:-1] + b',"seq":3}\n',
    }[what]
    with live(tmp_path).open("ab") as file:
        file.write(line)
    refused(ledger, "is not a record")
    refused(opened(tmp_path), "is not a record")
    ledger.close()
    assert LedgerFiles(tmp_path / "ledger").checkpoint() == signed


def test_whatever_goes_wrong_under_the_lock_is_an_error_of_the_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Fault injection. What is no Exception goes on as it is."""
    for error, seen in ((StopIteration(), LedgerError), (OverflowError("too big"), LedgerError), (KeyboardInterrupt(), KeyboardInterrupt)):
        ledger = opened(tmp_path)

        def wrong(*_: Any, error: BaseException = error) -> None:
            raise error

        monkeypatch.setattr(ledger, "_look", wrong)
        with pytest.raises(seen, match=f"{type(error).__name__}: {error}" if seen is LedgerError else None):
            ledger.append("a", {}, time="")
        monkeypatch.undo()
        assert ledger.append("a", {}, time="")


# Signals -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [KeyboardInterrupt, TimeoutError, ZeroDivisionError])
def test_an_intent_whose_writing_a_signal_interrupts_is_settled_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
):
    """It stands there, and nobody was told so. A handler may raise what the disk could as well."""
    ledger, real = opened(tmp_path), os.write
    ledger.append("a", {}, time="")

    def late(*_: Any) -> None:
        raise error

    def interrupted(file: int, data: bytes) -> int:
        done = real(file, data)
        if b"call.intent" in data:
            os.kill(os.getpid(), signal.SIGUSR1)
        return done

    before = signal.signal(signal.SIGUSR1, late)
    monkeypatch.setattr(os, "write", interrupted)
    try:
        with pytest.raises((error, LedgerError)):
            ledger.append("call.intent", {"call": "one"}, time="")
    finally:
        signal.signal(signal.SIGUSR1, before)
        monkeypatch.undo()
    assert ledger.append("call.denied", {"call": "one"}, time="") == 4
    ledger.close()
    with opened(tmp_path).abandoned() as found:
        assert [each["call"] for each in found.intents] == ["one"]


def test_an_intent_that_surely_does_not_stand_there_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Fault injection: a disk that fails, one that is full."""
    ledger, real = opened(tmp_path), os.write
    ledger.append("a", {}, time="")

    def fails(_file: int, _data: bytes) -> int:
        raise OSError(5, "Input/output error")

    for call, wrong in (("one", fails), ("two", lambda file, data: real(file, data[:10]))):
        monkeypatch.setattr(os, "write", wrong)
        with pytest.raises(LedgerError, match=r"Input/output error|disk is full"):
            ledger.append("call.intent", {"call": call}, time="")
        monkeypatch.undo()
    ledger.close()
    assert list((tmp_path / "keys" / "ledger.writers").iterdir()) == []
    assert kinds(tmp_path) == ["ledger.begin", "a"]


class Signalled(BaseException):
    """What a handler raises."""


_POINTS = {dis.opmap[name] for name in ("CALL", "CALL_FUNCTION_EX", "RESUME", "JUMP_BACKWARD") if name in dis.opmap}


def _interrupted_at(point: int, work: Callable[[], object]) -> bool:
    """Do it, and raise at the `point`th place of our code where the interpreter runs handlers of signals; whether it came so far."""
    last: dict[FrameType, int] = {}
    left = [point]

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        if not frame.f_code.co_filename.endswith(("ledger/log.py", "ledger/writers.py", "ledger/chained.py")):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            came, last[frame] = last.get(frame), frame.f_code.co_code[frame.f_lasti]
            if came in _POINTS:
                left[0] -= 1
                if left[0] == 0:
                    raise Signalled
        return trace

    sys.settrace(trace)
    try:
        work()
    except Signalled:
        return True
    finally:
        sys.settrace(None)
    return False


@pytest.mark.skipif(sys.implementation.name != "cpython" or sys.gettrace() is not None, reason="counts the interpreter's own steps")
@pytest.mark.parametrize("durable", [False, True], ids=["cache", "durable"])
@pytest.mark.parametrize("fresh", [False, True], ids=["running", "first"])
def test_no_signal_leaves_a_lock_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh: bool, durable: bool):
    """At every place where its handler can raise: the next record is written, by this process and by others, from any thread."""
    ledger, other = opened(tmp_path, lock_seconds=0.2), opened(tmp_path, lock_seconds=0.2)
    monkeypatch.setattr(Keeper, "wake", lambda _keeper: None)
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, lambda _file: None)  # the disk is not what is asked about, and takes most of the time
    other.append("a", {}, time="")
    seqs, point, come = [0], 0, True
    while come:
        point += 1
        if fresh:
            ledger.close()  # and signs: else there is more to be read at each start, and so more places
            ledger = opened(tmp_path, lock_seconds=0.2)
        come = _interrupted_at(point, partial(ledger.append, "call.intent", {"call": "one"}, time="", durable=durable))
        thread = threading.Thread(target=lambda by=ledger: seqs.append(by.append("b", {}, time="", durable=True)))
        thread.start()
        thread.join()
        assert seqs[-1] > seqs[-2], point
        assert other.append("c", {}, time="", durable=True) == seqs[-1] + 1, point
        seqs[-1] += 1
    assert point > 20
    ledger.close()
    other.close()


def test_a_lock_that_two_signals_at_once_left_is_taken_back_by_the_next_record(tmp_path: Path):
    """The second comes while the first is being answered."""
    ledger = opened(tmp_path)
    ledger.append("a", {}, time="")
    ledger._lock.acquire()
    assert ledger.append("b", {}, time="") == 3
    thread = threading.Thread(target=ledger.append, args=("c", {}), kwargs={"time": ""})
    thread.start()
    thread.join()
    assert kinds(tmp_path)[-1] == "c"


def test_a_signal_in_the_middle_of_a_record_cannot_write_another_into_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ledger = opened(tmp_path)
    ledger.append("a", {}, time="")
    real, told = ledger._look, []

    def handler() -> None:
        with pytest.raises(LedgerError, match="in the middle of a record") as error:
            ledger.append("inner", {}, time="")
        told.append(error)
        real()

    monkeypatch.setattr(ledger, "_look", handler)
    assert ledger.append("b", {}, time="") == 3
    assert told


def test_closing_does_not_wait_for_ever_for_a_thread_that_never_lets_go(tmp_path: Path):
    ledger = opened(tmp_path, lock_seconds=0.05)
    ledger.append("a", {}, time="")
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with ledger._lock:
            held.set()
            over.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    ledger.close()
    assert thread.is_alive()
    over.set()
    thread.join()


# What stands elsewhere -----------------------------------------------------------------------------------------------------


def test_who_can_write_the_ledgers_folder_cannot_make_us_forget_who_died(tmp_path: Path):
    """Who writes is noted beside the key."""
    ledger = opened(tmp_path)
    ledger.append("a", {}, time="")
    ledger.close()
    child = os.fork()
    if child == 0:
        opened(tmp_path).append("call.intent", {"call": "one"}, time="")
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    for file in (tmp_path / "ledger").iterdir():
        if file.name not in (layout.LIVE, layout.CHECKPOINT, layout.HASHES):
            shutil.rmtree(file) if file.is_dir() else file.unlink()
    with opened(tmp_path).abandoned() as found:
        assert [each["call"] for each in found.intents] == ["one"]


def test_the_names_of_new_folders_are_on_the_disk_before_a_record_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    state, seen, real = tmp_path / "state", [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (seen.append(Path(f"/proc/self/fd/{file}").readlink()), real(file))[1])
    opened(state).append("a", {}, time="", durable=True)
    assert {state, state / "ledger", state / "ledger" / "live", state / "keys", state / "keys" / "ledger.writers"} <= {*seen}


def test_while_a_signature_is_late_nothing_begins_and_what_has_happened_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ledger = opened(tmp_path)
    monkeypatch.setattr(Keeper, "late", "no signature since yesterday")
    for kind in ("call.intent", "task.begin", "approval"):
        with pytest.raises(LedgerError, match="no signature since yesterday"):
            ledger.append(kind, {"call": "one"}, time="")
    for kind in ("call.outcome", "call.denied", "task.end", "ledger.lost"):
        ledger.append(kind, {"call": "one"}, time="")
    assert kinds(tmp_path) == ["ledger.begin", "call.outcome", "call.denied", "task.end", "ledger.lost"]


def test_the_place_of_a_record_in_a_segment_is_found_across_what_is_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("licet.ledger.chained._CHUNK", 7)
    file = tmp_path / "lines"
    file.write_bytes(b"".join(b"x" * width + b"\n" for width in range(12)) + b"torn")
    with file.open("rb") as opened_file:
        found = [bytes_of(opened_file.fileno(), lines) for lines in range(14)]
    assert found == [sum(range(1, lines + 1)) for lines in range(13)] + [None]
