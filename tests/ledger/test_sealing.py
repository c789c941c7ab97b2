"""Sealing: nothing is signed but what was written, whatever others did to the folder in between; and it goes on whatever goes wrong."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from licet.canonical import canonical
from licet.errors import LedgerError
from licet.ledger import Ledger, LedgerFiles, LedgerKey, layout
from licet.ledger.layout import MAX_ENTRY
from licet.ledger.merkle import leaf_hash
from licet.ledger.sealer import AlteredError, Sealer

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

FOR_EVER = 3600.0


def ledger_at(folder: Path, **options: Any) -> Ledger:
    """A ledger whose thread does nothing by itself, so that what happens is what the test does."""
    (folder / "keys").mkdir(mode=0o700, parents=True, exist_ok=True)
    seconds = {"flush_seconds": FOR_EVER, "checkpoint_seconds": FOR_EVER}
    return Ledger(folder / "ledger", LedgerKey.of(folder / "keys"), **{**seconds, **options})


def lines_of(folder: Path) -> list[bytes]:
    return list(LedgerFiles(folder / "ledger").records())


def put_live(folder: Path, lines: list[bytes]) -> None:
    """Write these records over the live segment, as one who has no key but can write the folder."""
    (folder / "ledger" / layout.live_name(0)).write_bytes(b"".join(line + b"\n" for line in lines))


def linked(lines: list[bytes]) -> list[bytes]:
    """Numbers and links made anew."""
    found: list[bytes] = []
    before = "sha256:" + "0" * 64
    for seq, line in enumerate(lines, 1):
        found.append(canonical({**json.loads(line), "seq": seq, "prev": before}))
        before = link_of(found[-1])
    return found


def link_of(line: bytes) -> str:
    return f"sha256:{leaf_hash(line).hex()}"


def tree_of(folder: Path) -> dict[str, bytes]:
    """All that sealing makes, by its name."""
    ledger = folder / "ledger"
    names = [file for file in ledger.rglob("*") if file.is_file() and (file.name == "checkpoint" or "tile" in file.parts)]
    return {str(name.relative_to(ledger)): name.read_bytes() for name in names}


def changed(line: bytes) -> bytes:
    return canonical({**json.loads(line), "n": 99})


# What is signed is what was written ----------------------------------------------------------------------------------------

FORGED = {
    "the last is another": lambda lines: [*lines[:-1], changed(lines[-1])],
    "the last is another, with all links made anew": lambda lines: linked([*lines[:-1], changed(lines[-1])]),
    "one in the middle is another": lambda lines: [*lines[:6], changed(lines[6]), *lines[7:]],
    "one in the middle is another, and all links are made anew": lambda lines: linked([*lines[:6], changed(lines[6]), *lines[7:]]),
    "one was taken out and another put to the end": lambda lines: linked([*lines[:6], *lines[7:], changed(lines[-1])]),
    "the first unsigned one is another": lambda lines: [*lines[:5], changed(lines[5]), *lines[6:]],
    "two have changed places": lambda lines: [*lines[:6], lines[7], lines[6], *lines[8:]],
    "a signed one is another": lambda lines: [*lines[:2], changed(lines[2]), *lines[3:]],
    "the last signed one is another, with all links made anew": lambda lines: linked([*lines[:4], changed(lines[4]), *lines[5:]]),
    "one is no record": lambda lines: [*lines[:6], b"7", *lines[7:]],
    "one is not even JSON": lambda lines: [*lines[:6], b"{", *lines[7:]],
    "one has no number": lambda lines: [*lines[:6], b"{}", *lines[7:]],
}


@pytest.mark.parametrize("fresh", [False, True], ids=["by the process that signed before", "by a process that has just begun"])
@pytest.mark.parametrize("forged", list(FORGED))
def test_what_was_not_written_is_not_signed_and_nothing_is_written_over(tmp_path: Path, forged: str, fresh: bool):
    """Five records are signed and seven are not, when somebody who has no key writes the live segment anew."""
    ledger = ledger_at(tmp_path)
    for number in range(4):
        ledger.append("note", {"n": number}, time="")
    ledger.seal()
    for number in range(4, 11):
        ledger.append("note", {"n": number}, time="")
    files, key = LedgerFiles(tmp_path / "ledger"), LedgerKey.of(tmp_path / "keys")
    lines = lines_of(tmp_path)
    put_live(tmp_path, FORGED[forged](lines))
    stood = tree_of(tmp_path)
    sealer = Sealer(files, key, 1) if fresh else ledger._sealer
    with pytest.raises(AlteredError, match=r"record \d+ .*\n?.*keep it as evidence"):
        sealer.seal(12, link_of(lines[-1]))
    assert tree_of(tmp_path) == stood
    put_live(tmp_path, lines)
    assert f"\n{len(lines)}\n" in sealer.seal(12, link_of(lines[-1])), "what was written can be signed when it stands there again"


@pytest.mark.parametrize("size", [2, 255, 256, 257, 512])
def test_what_follows_the_last_signed_record_must_name_it_wherever_a_tile_ends(tmp_path: Path, size: int):
    """A process that has just begun knows the last signed record from the tiles, and not from the line in the live segment."""
    ledger = ledger_at(tmp_path)
    for number in range(size - 1):
        ledger.append("note", {"n": number}, time="")
    ledger.seal()
    ledger.append("note", {}, time="")
    files, key = LedgerFiles(tmp_path / "ledger"), LedgerKey.of(tmp_path / "keys")
    lines = lines_of(tmp_path)
    forged = linked([*lines[:-2], changed(lines[-2]), lines[-1]])
    put_live(tmp_path, forged)
    with pytest.raises(AlteredError):
        Sealer(files, key, 1).seal(len(lines), link_of(forged[-1]))
    put_live(tmp_path, lines)
    Sealer(files, key, 1).seal(len(lines), link_of(lines[-1]))


def test_a_record_that_another_process_signed_otherwise_is_found(tmp_path: Path):
    """Where all is signed already there is nothing to write, and still the record must be the one that this process knows."""
    ledger = ledger_at(tmp_path)
    for number in range(300):
        ledger.append("note", {"n": number}, time="")
    note = ledger.seal()
    lines = lines_of(tmp_path)
    sealer = Sealer(LedgerFiles(tmp_path / "ledger"), LedgerKey.of(tmp_path / "keys"), 1)
    for seq in (1, 256, 257, 300, 301):
        assert sealer.seal(seq, link_of(lines[seq - 1])) == note
        with pytest.raises(AlteredError, match=f"record {seq} "):
            sealer.seal(seq, link_of(b"another"))


def test_a_record_may_hold_the_names_of_number_and_link_in_its_own_fields(tmp_path: Path):
    """Inside another object they are not the record's; and what a string holds is none at all."""
    ledger = ledger_at(tmp_path)
    for fields in ({"a": {"prev": "sha256:x", "seq": 1}}, {"text": '"prev":"sha256:x","seq":1,'}, {"z": {"seq": 3}}):
        ledger.append("note", fields, time="")
    assert "\n4\n" in ledger.seal()
    ledger.append("note", {}, time="")
    *lines, last = lines_of(tmp_path)
    true = json.loads(last)
    forged = canonical({**true, "prev": "sha256:" + "1" * 64, "inner": {"prev": true["prev"]}})
    put_live(tmp_path, [*lines, forged])
    with pytest.raises(AlteredError, match="record 5 does not follow"):
        ledger._sealer.seal(5, link_of(forged))
    put_live(tmp_path, [*lines, last])
    ledger.close()


def test_a_bundle_that_is_missing_is_not_made_from_records_that_were_changed(tmp_path: Path):
    """The live segment is written to bundles again, where a power cut took those, only if it is what was signed."""
    ledger = ledger_at(tmp_path)
    for number in range(300):
        ledger.append("note", {"n": number}, time="")
    ledger.seal()
    ledger.append("note", {}, time="")
    lines = lines_of(tmp_path)
    put_live(tmp_path, [*lines[:9], changed(lines[9]), *lines[10:]])
    (tmp_path / "ledger" / layout.bundle_name(0)).unlink()
    sealer = Sealer(LedgerFiles(tmp_path / "ledger"), LedgerKey.of(tmp_path / "keys"), 1)
    with pytest.raises(AlteredError, match="256"):
        sealer.seal(len(lines), link_of(lines[-1]))
    put_live(tmp_path, lines)
    sealer.seal(len(lines), link_of(lines[-1]))
    assert (tmp_path / "ledger" / layout.bundle_name(0)).exists()


def test_a_ledger_that_lost_its_end_is_not_signed(tmp_path: Path):
    """The error says how much is missing."""
    ledger = ledger_at(tmp_path)
    for number in range(4):
        ledger.append("note", {"n": number}, time="")
    lines = lines_of(tmp_path)
    put_live(tmp_path, lines[:3])
    with pytest.raises(LedgerError, match="5 records were written, and 3 stand there"):
        ledger._sealer.seal(5, link_of(lines[-1]))


@pytest.mark.parametrize("where", ["bundle", "live"])
def test_a_file_that_pretends_to_hold_more_than_there_is_memory_is_an_error_that_names_it(tmp_path: Path, where: str):
    """A file with a hole of a terabyte takes no room, and must not be read whole: also not by who only looks."""
    ledger = ledger_at(tmp_path)
    for number in range(300):
        ledger.append("note", {"n": number}, time="")
    ledger.close()
    name = layout.bundle_name(0) if where == "bundle" else layout.live_name(0)
    file = tmp_path / "ledger" / name
    if where == "bundle":
        (tmp_path / "ledger" / layout.live_name(0)).unlink()
    os.truncate(file, 1 << 40)
    with pytest.raises(LedgerError, match=f"{name}: .*(longer|line 302)"):
        lines_of(tmp_path)


@pytest.mark.parametrize("over", [0, 1])
def test_the_longest_record_is_read_and_no_longer_one(tmp_path: Path, over: int):
    """So that no bundle is ever asked to say a length that it cannot; the error says file and line."""
    ledger = ledger_at(tmp_path)
    ledger.append("note", {}, time="")
    begun = lines_of(tmp_path)
    frame = len(canonical({"prev": link_of(begun[-1]), "seq": 3, "text": ""}))
    line = canonical({"prev": link_of(begun[-1]), "seq": 3, "text": "x" * (MAX_ENTRY - frame + over)})
    put_live(tmp_path, [*begun, line])
    sealer = Sealer(LedgerFiles(tmp_path / "ledger"), LedgerKey.of(tmp_path / "keys"), 1)
    if over:
        with pytest.raises(LedgerError, match=r"jsonl: line 3 is longer than any record can be \(65535 bytes\)"):
            sealer.seal(3, link_of(line))
        assert tree_of(tmp_path) == {}
    else:
        sealer.seal(3, link_of(line))
        (tmp_path / "ledger" / layout.live_name(0)).unlink()
        assert lines_of(tmp_path) == [*begun, line], "out of the bundle"


# Only in its own folder ----------------------------------------------------------------------------------------------------

LINKED = ["tile/entries/000.p", "tile/0/000.p", "tile/entries", "tile/0", "tile", "live", ""]


@pytest.mark.parametrize("name", LINKED, ids=[name or "the folder itself" for name in LINKED])
def test_nothing_is_written_or_taken_away_behind_a_link(tmp_path: Path, name: str):
    """Who can write the ledger's folder gets no files of others written, or taken away, by the guard."""
    ledger = ledger_at(tmp_path)
    for number in range(200):
        ledger.append("note", {"n": number}, time="")
    ledger.seal()
    for number in range(100):
        ledger.append("note", {"n": number}, time="")
    lines, stands = lines_of(tmp_path), tmp_path / "ledger" / name
    elsewhere = tmp_path / "elsewhere"
    stands.rename(elsewhere)
    for own in ("thesis.doc", "7"):
        (elsewhere / own).write_text("mine")
    stands.symlink_to(elsewhere)
    stood = {file: file.read_bytes() for file in elsewhere.rglob("*") if file.is_file()}
    sealer = Sealer(LedgerFiles(tmp_path / "ledger"), LedgerKey.of(tmp_path / "keys"), 1)
    with pytest.raises(LedgerError, match="move it away"):
        sealer.seal(301, link_of(lines[-1]))
    assert {file: file.read_bytes() for file in elsewhere.rglob("*") if file.is_file()} == stood
    stands.unlink()
    (elsewhere / "7").unlink()
    elsewhere.rename(stands)
    assert "\n301\n" in sealer.seal(301, link_of(lines[-1]))


def test_of_a_tile_that_is_full_only_what_is_a_part_of_it_is_taken_away(tmp_path: Path):
    ledger = ledger_at(tmp_path)
    for number in range(200):
        ledger.append("note", {"n": number}, time="")
    ledger.seal()
    partials = tmp_path / "ledger" / "tile" / "entries" / "000.p"
    for name in ("notes.txt", "7", "0", "256", "07"):
        (partials / name).write_text("")
    for number in range(100):
        ledger.append("note", {"n": number}, time="")
    ledger.seal()
    assert {each.name for each in partials.iterdir()} == {"notes.txt", "0", "256", "07"}
    assert not (tmp_path / "ledger" / "tile" / "0" / "000.p").exists()
    ledger.close()


@pytest.mark.parametrize("name", ["live", "tile", ""], ids=["live", "tile", "the folder itself"])
def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path, name: str):
    ledger = ledger_at(tmp_path)
    ledger.append("note", {}, time="")
    (tmp_path / "ledger" / name).chmod(0o777)
    with pytest.raises(LedgerError, match="chmod 700"):
        ledger._sealer.seal(2, link_of(lines_of(tmp_path)[-1]))
    (tmp_path / "ledger" / name).chmod(0o700)
    ledger.close()


def test_a_checkpoint_is_on_the_disk_before_it_is_remembered_as_signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A power cut that left the newer note with the key and the older one here would look as if the ledger had been set back."""
    ledger = ledger_at(tmp_path)
    ledger.append("note", {}, time="")
    done: list[str] = []
    real_sync, real_replace = os.fsync, os.replace

    def sync(file: int) -> None:
        real_sync(file)
        done.append("sync " + os.path.realpath(f"/proc/self/fd/{file}").removeprefix(str(tmp_path)))

    def replace(source: Any, target: Any, **folders: Any) -> None:
        real_replace(source, target, **folders)
        done.append(f"name {Path(target).name}")

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", replace)
    ledger.seal()
    last = done[done.index("name checkpoint") - 1 :]
    assert last == [
        "sync /ledger/.new", "name checkpoint", "sync /ledger",
        "sync /keys/.ledger.head", "name ledger.head", "sync /keys",
    ]  # fmt: skip
    ledger.close()


# It goes on ----------------------------------------------------------------------------------------------------------------

QUICK = {"flush_seconds": 0.001, "checkpoint_seconds": 0.01}


def until(holds: Callable[[], object]) -> None:
    """Wait for what comes soon; a minute is for machines that are busy."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.002)


def signed_of(folder: Path) -> int:
    """How many records the checkpoint is for."""
    note = LedgerFiles(folder / "ledger").checkpoint()
    return int(note.split("\n")[1]) if note else 0


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Somebody has the lock of who signs."""
    with (folder / "ledger" / layout.CHECKPOINT_LOCK).open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize(
    "error", [OverflowError("too big"), StopIteration(), RuntimeError("can't start new thread"), MemoryError()], ids=repr
)
def test_nothing_that_goes_wrong_ends_signing_and_it_is_said_once_with_its_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
):
    ledger = ledger_at(tmp_path, **QUICK)
    seal, tried = Sealer.seal, []

    def failing(*args: Any, **options: Any) -> str:
        tried.append(1)
        if len(tried) <= 3:
            raise error
        return seal(*args, **options)

    monkeypatch.setattr(Sealer, "seal", failing)
    ledger.append("note", {}, time="")
    until(lambda: signed_of(tmp_path) == 2)
    said = [record.message for record in caplog.records if type(error).__name__ in record.message]
    assert len(said) == 1
    until(lambda: not ledger._keeper.problem)
    ledger.ready()
    ledger.close()


def test_who_is_told_of_a_checkpoint_and_fails_hurts_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """Neither who asked for it, nor the thread: it stands, and the log says what failed."""

    def fails() -> None:
        raise RuntimeError("no more threads for witnesses")

    ledger = ledger_at(tmp_path, sealed=fails)
    ledger.append("note", {}, time="")
    assert "\n2\n" in ledger.seal()
    assert "RuntimeError: no more threads for witnesses" in caplog.text
    quick = ledger_at(tmp_path, sealed=fails, **QUICK)
    quick.append("note", {}, time="")
    until(lambda: signed_of(tmp_path) == 3)
    quick.append("note", {}, time="")
    until(lambda: signed_of(tmp_path) == 4)
    assert quick._keeper.problem == ""
    ledger.close()
    quick.close()


def test_a_thread_that_cannot_be_started_is_started_by_the_next_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Until then whoever asks is told that nothing is signed; the record itself stands."""
    ledger = ledger_at(tmp_path, **QUICK)

    def none_left(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        assert ledger.append("note", {}, time="") == 2
    assert "no thread can be started" in caplog.text
    with pytest.raises(LedgerError, match="no thread can be started"):
        ledger.ready()
    ledger.append("note", {}, time="")
    until(lambda: signed_of(tmp_path) == 3)
    until(lambda: not ledger._keeper.problem)
    ledger.close()


def test_a_thread_that_is_gone_is_replaced_by_the_next_record(tmp_path: Path):
    """Whatever took it away: here the one that signs is told to end, and the keeper is not."""
    ledger = ledger_at(tmp_path, **QUICK)
    ledger.append("note", {}, time="")
    until(lambda: signed_of(tmp_path) == 2)
    state = ledger._keeper._state
    state.ended = True
    state.unsigned.ring()
    until(lambda: not all(thread.is_alive() for thread in state.threads))
    state.ended = False
    ledger.append("note", {}, time="")
    until(lambda: signed_of(tmp_path) == 3)
    ledger.close()


SIGNALLED = """
import pathlib, signal, sys, threading, time
from licet.ledger import Ledger, LedgerKey

folder = pathlib.Path(sys.argv[1])
(folder / "keys").mkdir(mode=0o700, parents=True)
ledger = Ledger(folder / "ledger", LedgerKey.of(folder / "keys"), flush_seconds=0.001, checkpoint_seconds=0.01)

ledger.append("note", {}, time="")
while not (ledger._keeper._state.flushes and ledger._keeper._state.seals):
    time.sleep(0.01)

class Stop(Exception):
    pass

armed = False

def stop(number, frame):
    global armed
    if armed:
        armed = False
        raise Stop

signal.signal(signal.SIGALRM, stop)
seen, until = 0, time.monotonic() + 4
signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
while time.monotonic() < until:
    try:
        armed = True
        ledger._keeper.wake()
        armed = False
    except Stop:
        seen += 1
signal.setitimer(signal.ITIMER_REAL, 0)
time.sleep(0.01)
written = ledger.append("note", {}, time="")
threads = sum(thread.name.startswith("licet-ledger") for thread in threading.enumerate())
ledger.close()
print(seen > 100, written, threads)
"""


def test_a_signal_in_the_middle_of_waking_leaves_nothing_held(tmp_path: Path):
    """A handler may raise anywhere; the Event of the standard library then keeps its lock for good, and the next record hangs.

    The threads run before the signals come: inside `Thread.start` CPython itself is not safe from them.
    """
    ran = subprocess.run([sys.executable, "-c", SIGNALLED, str(tmp_path)], check=False, capture_output=True, text=True, timeout=200)
    assert ran.stdout.split() == ["True", "3", "2"], ran.stderr


def test_records_reach_the_disk_while_another_holds_up_signing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A stopped process that has the lock of who signs keeps nobody's records from it."""
    ledger = ledger_at(tmp_path, **QUICK, lock_seconds=600)
    ledger.append("note", {}, time="")
    until(lambda: signed_of(tmp_path) == 2)
    synced, real = [], os.fdatasync

    def counted(file: int) -> None:
        real(file)
        synced.append(file)

    monkeypatch.setattr(os, "fdatasync", counted)
    with held(tmp_path):
        for number in range(20):
            before = len(synced)
            ledger.append("note", {"n": number}, time="")
            until(lambda before=before: len(synced) > before)
            assert signed_of(tmp_path) == 2
    until(lambda: signed_of(tmp_path) == 22)
    ledger.close()


def test_a_record_that_cannot_be_signed_for_long_is_said_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Who holds the lock of who signs must not make the time in which records have no signature as long as he likes."""
    monkeypatch.setattr("licet.ledger.keeper.LATE_SECONDS", 0.2)
    ledger = ledger_at(tmp_path, **QUICK, lock_seconds=0.02)
    keeper = ledger._keeper
    ledger.append("note", {}, time="")
    until(lambda: signed_of(tmp_path) == 2)
    assert keeper.late == ""
    with held(tmp_path):
        ledger.append("note", {}, time="")
        assert keeper.late == "", "not at once"
        until(lambda: keeper.late)
        assert "waited for its signature" in keeper.late
        assert "another writer has held the lock" in keeper.late
        assert "checkpoint.lock" in keeper.late
    until(lambda: not keeper.late)
    assert signed_of(tmp_path) == 3
    ledger.close()


def test_an_attempt_to_sign_that_never_ends_is_late_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("licet.ledger.keeper.LATE_SECONDS", 0.2)
    ledger = ledger_at(tmp_path, **QUICK)
    hangs, seal = threading.Event(), Sealer.seal
    monkeypatch.setattr(Sealer, "seal", lambda *args, **options: hangs.wait() and seal(*args, **options))
    ledger.append("note", {}, time="")
    until(lambda: "does not come to an end" in ledger._keeper.late)
    hangs.set()
    until(lambda: not ledger._keeper.late)
    ledger.close()


def test_a_process_that_was_stopped_is_not_late_before_it_could_sign(tmp_path: Path):
    """The time in which it stood still is no attempt that failed."""
    ledger = ledger_at(tmp_path)
    ledger.append("note", {}, time="")
    ledger._keeper._state.oldest = time.monotonic() - 10 * FOR_EVER - 1
    assert ledger._keeper.late == ""
    ledger._keeper._problems["seal"] = "the lock is held"
    assert "the lock is held" in ledger._keeper.late
    ledger.close()
