"""What verifying says beside what was tampered with: what holds, what is to be known; that it never fails at content; and the command."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attacker import TIME, FixedTime, calls, key_in, laid_out, made, opened, records, relinked
from licet.cli.main import main
from licet.errors import LedgerError
from licet.ledger import Ledger, LedgerKey, layout
from licet.ledger.check.faults import CODES, numbered
from licet.ledger.check.links import by_links
from licet.ledger.check.naming import difference
from licet.ledger.check.verify import verify
from licet.ledger.cosigning.cosignature import WitnessKey
from licet.ledger.merkle import leaf_hash, root_of
from licet.ledger.note import Checkpoint, cosigned, signed

Out = pytest.CaptureFixture[str]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    made(tmp_path, 5)
    return tmp_path


def key_of(place: Path) -> LedgerKey:
    return LedgerKey.of(place / "keys", create=False)


def signed_as_it_is(place: Path, rows: list[bytes]) -> None:
    """The key's owner signs whatever this is."""
    key = key_of(place)
    laid_out(place / "ledger", rows)
    note = signed(Checkpoint(key.name, len(rows), root_of(map(leaf_hash, rows))).text(), [key])
    (place / "ledger" / "checkpoint").write_text(note, encoding="utf-8")


def _codes(place: Path, **given_too: Any) -> list[str]:
    return [fault.code for fault in verify(place / "ledger", [key_of(place).note_key], **given_too).faults]


# What holds, and what is to be known -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 127, 128, 255, 256, 400])
def test_a_ledger_of_any_size_is_whole(count: int, tmp_path: Path) -> None:
    key = key_in(tmp_path / "keys")
    ledger = opened(tmp_path / "ledger", key)
    for number in range(count):
        ledger.append("note", {"number": number}, time=TIME)
    ledger.seal()
    ledger.close()
    found = verify(tmp_path / "ledger", [key.note_key], head=key.last())
    assert found.whole, found.faults
    assert found.signed == found.records == count + 1
    assert len(found.holds) == 4


def test_what_no_checkpoint_covers_is_counted_and_no_fault(place: Path) -> None:
    ledger = opened(place / "ledger", key_of(place))
    calls(ledger, 5, 3)
    found = verify(place / "ledger", [key_of(place).note_key])
    assert found.whole
    assert (found.signed, found.records) == (11, 17)
    assert "6 records are under no checkpoint yet (from record 12 on)" in found.observations[0]
    ledger.close()


def test_a_torn_last_line_is_said_and_no_fault(place: Path) -> None:
    with (place / "ledger" / layout.live_name(0)).open("ab") as file:
        file.write(b'{"seq":12,')
    found = verify(place / "ledger", [key_of(place).note_key])
    assert found.whole
    assert found.observations[0].startswith("the last line is not whole (10 bytes)")


def test_calls_without_an_outcome_and_unknown_ones_are_counted(place: Path) -> None:
    ledger = opened(place / "ledger", key_of(place))
    ledger.append("call.intent", {"call": "open"}, time=TIME)
    ledger.append("call.intent", {"call": "dead"}, time=TIME)
    ledger.append("call.outcome", {"call": "dead", "status": "unknown"}, time=TIME)
    ledger.close()
    found = verify(place / "ledger", [key_of(place).note_key])
    assert found.whole
    assert [said.partition(" (")[0] for said in found.observations] == [
        "1 call is without an outcome", "the outcome of 1 call is on record as `unknown`",
    ]  # fmt: skip


def test_a_clock_that_stepped_back_is_said_and_no_fault(place: Path) -> None:
    ledger = opened(place / "ledger", key_of(place))
    for time in ("2026-11-22T10:16:00.500Z", "2026-11-22T10:16:00.100Z", "2026-11-22T09:00:00.000Z", "2026-11-22T09:00:01.000Z"):
        ledger.append("note", {}, time=time)
    ledger.close()
    found = verify(place / "ledger", [key_of(place).note_key])
    assert found.whole
    assert found.observations == ("the clock stepped back once by more than 1 s: at record 14",)


def test_kept_checkpoints_and_witnesses_are_counted_among_what_holds(place: Path) -> None:
    kept = (place / "ledger" / "checkpoint").read_text(encoding="utf-8")
    ledger = opened(place / "ledger", key_of(place))
    calls(ledger, 5, 200)
    ledger.close()
    witness = WitnessKey.of(place / "witness.key", name="witness.acme.example")
    file = place / "ledger" / "checkpoint"
    note = file.read_text(encoding="utf-8")
    file.write_text(note + cosigned(note.partition("\n\n")[0] + "\n", witness, 1_795_342_560), encoding="utf-8")
    found = verify(place / "ledger", [key_of(place).note_key], kept=[kept], head=key_of(place).last(), witnesses=[witness.note_key])
    assert found.whole, found.faults
    assert "It is cosigned by witness.acme.example." in found.holds
    assert "It goes on from 2 checkpoints known from before." in found.holds
    unknown = verify(place / "ledger", [key_of(place).note_key])
    assert unknown.observations == ("also signed by witness.acme.example, whose keys are not known here",)


def test_the_passes_are_timed_apart(place: Path) -> None:
    found = verify(place / "ledger", [key_of(place).note_key])
    assert found.byte_seconds > 0
    assert found.semantic_seconds is not None
    assert verify(place / "ledger", [key_of(place).note_key], semantic=False).semantic_seconds is None


# What was signed, and should not have been -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old,new,code",
    [
        (b'"seq":4', b'"seq":5', "malformed"),
        (b'{"access"', b'{ "access"', "malformed"),
        (b'{"access":"write"', b'{"access":"write","access":"write"', "malformed"),
        (b'"kind":"call.intent"', b'"kind":""', "malformed"),
        (b'"time":"2026', b'"time":"yesterday 2026', "malformed"),
        (b'"prev":"sha256:', b'"prev":"sha512:', "malformed"),
        (b'"writer":"', b'"witter":"', "malformed"),
        (b'"kind":"call.intent"', b'"kind":"call.nothing"', "unmatched"),
        (b"{", b"[", "malformed"),
        (b'"step":1', b'"step":1e999', "malformed"),
    ],
    ids=["number", "space", "key-twice", "kind", "time", "link", "writer", "no-intent", "no-object", "not-finite"],
)
def test_a_record_that_was_signed_and_does_not_say_what_it_must_is_named(old: bytes, new: bytes, code: str, place: Path) -> None:
    rows = records(place / "ledger")
    assert old in rows[3]
    changed = [*rows[:3], rows[3].replace(old, new, 1)]
    link = changed[3]
    for row in rows[4:]:  # the records behind it are linked to it, so that only it is not as it should be
        record = {**json.loads(row), "prev": "sha256:" + leaf_hash(link).hex()}
        link = json.dumps(record, sort_keys=True, separators=(",", ":")).encode()
        changed.append(link)
    signed_as_it_is(place, changed)
    assert set(_codes(place)) == (
        {"malformed", "unmatched"}
        if new in {b'"kind":""', b"[", b'"step":1e999', b'{ "access"', b'"witter":"', b'{"access":"write","access":"write"'}
        else {code}
    )
    assert _codes(place, semantic=False) == []


def test_an_outcome_without_an_intent_is_named(place: Path) -> None:
    rows = records(place / "ledger")
    signed_as_it_is(place, relinked([*rows[:3], *rows[4:]]))
    assert _codes(place) == ["unmatched"]


def test_a_ledger_that_begins_as_another_is_named(place: Path) -> None:
    made(place / "other", 5)
    signed_as_it_is(place, records(place / "other" / "ledger"))
    assert _codes(place) == ["other-log"]


# Content never makes it fail -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pristine_small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    made(folder, 140)  # 281 records: a full tile, one that is not, and one of level 1
    return folder


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_bytes_stand_there_it_answers(data: st.DataObject, pristine_small: Path, tmp_path: Path) -> None:
    """And where the records are no more those that were signed, the answer is not `whole`."""
    place = tmp_path / "copy"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(pristine_small, place)
    ledger = place / "ledger"
    files = sorted(file for file in ledger.rglob("*") if file.is_file() and file.name not in {"lock", "checkpoint.lock"})
    for _ in range(data.draw(st.integers(1, 3))):
        file = data.draw(st.sampled_from(files))
        if not file.exists():
            continue
        before = file.read_bytes()
        how = data.draw(st.sampled_from(["remove", "empty", "cut", "flip", "insert", "random", "double"]))
        at = data.draw(st.integers(0, max(0, len(before) - 1)))
        if how == "remove":
            file.unlink()
            continue
        file.write_bytes({
            "empty": b"", "cut": before[:at], "double": before + before,
            "flip": before[:at] + bytes([before[at] ^ (1 << data.draw(st.integers(0, 7)))]) + before[at + 1 :] if before else b"",
            "insert": before[:at] + data.draw(st.binary(max_size=20)) + before[at:], "random": data.draw(st.binary(max_size=300)),
        }[how])  # fmt: skip
    key = key_of(place)
    found = verify(ledger, [key.note_key], kept=[key.last() or ""], head=key.last())
    assert {fault.code for fault in found.faults} <= set(CODES)
    standing = [file for file in (ledger / "tile" / "entries").rglob("*") if file.is_file()]
    same = all(file.read_bytes() == (pristine_small / file.relative_to(place)).read_bytes() for file in standing)
    if found.whole:
        assert same
        assert records(ledger)[:281] == records(pristine_small / "ledger")


@given(text=st.text(), raw=st.binary(max_size=200))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_kept_checkpoint_is_answered(text: str, raw: bytes, pristine_small: Path) -> None:
    key = key_of(pristine_small)
    found = verify(pristine_small / "ledger", [key.note_key], kept=[text, raw.decode("latin-1")], semantic=False)
    assert {fault.code for fault in found.faults} == {"malformed"}


def test_a_forged_size_is_not_counted_up_to(place: Path) -> None:
    """A checkpoint that says 10^18 costs what stands there, and no more."""
    key = key_of(place)
    (place / "ledger" / "checkpoint").write_text(signed(Checkpoint(key.name, 10**18, bytes(32)).text(), [key]), encoding="utf-8")
    assert _codes(place) == ["truncated"]


def test_what_cannot_be_read_is_no_verdict(place: Path) -> None:
    file = place / "ledger" / layout.bundle_name(0, 11)
    file.unlink()
    file.symlink_to(place / "ledger" / "key")
    with pytest.raises(LedgerError, match=r"tile/entries/000\.p/11: cannot be read"):
        verify(place / "ledger", [])
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(LedgerError, match="is no plain file"):
        verify(place / "ledger", [])
    with pytest.raises(LedgerError, match="is no folder of a ledger"):
        verify(place / "nowhere", [])


def test_a_ledger_that_is_written_to_meanwhile_is_whole(tmp_path: Path) -> None:
    """Segments are exchanged and tiles made while it is read."""
    key = key_in(tmp_path / "keys")
    ledger = Ledger(tmp_path / "ledger", key, checkpoint_seconds=0.01, flush_seconds=0.001, clock=FixedTime())
    ledger.append("note", {}, time=TIME)
    ledger.seal()
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            ledger.append("note", {"text": "x" * 200}, time=TIME)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        sizes = []
        while len(sizes) < 40 and (not sizes or sizes[-1] < 40_000):
            head = key.last()
            found = verify(tmp_path / "ledger", [key.note_key], head=head, semantic=len(sizes) % 4 == 0)
            assert found.whole, found.faults
            sizes.append(found.records)
    finally:
        stop.set()
        writer.join()
        ledger.close()
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0]


# Naming --------------------------------------------------------------------------------------------------------------------------------


def test_nothing_differs_from_itself() -> None:
    assert difference(range(50), range(50)).faults(50) == []
    assert difference([], []).faults(0) == []


@given(st.integers(1, 60), st.data())
def test_one_deed_is_named_as_that_deed(size: int, data: st.DataObject) -> None:
    true = [f"r{number}" for number in range(size)]
    at = data.draw(st.integers(0, size - 1))
    altered = difference(true, [*true[:at], "new", *true[at + 1 :]])
    assert (altered.altered, altered.faults(size)[1:]) == ([at + 1], [])
    removed = difference(true, true[:at] + true[at + 1 :])
    assert (removed.removed, removed.cut) == (([at + 1], 0) if at < size - 1 else ([], 1))
    doubled = difference(true, [*true[:at], true[at], *true[at:]])
    assert (doubled.doubled, len(doubled.faults(size))) == ([at + 2], 1)
    inserted = difference(true, [*true[:at], "new", *true[at:]])
    assert (inserted.inserted, len(inserted.faults(size))) == ([at + 1], 1)
    if size > 1 and at < size - 1:
        moved = difference(true, [*true[:at], true[at + 1], true[at], *true[at + 2 :]])
        assert (len(moved.moved), len(moved.faults(size))) == (1, 1)
    cut = difference(true, true[:at])
    assert [fault.code for fault in cut.faults(size)] == ["truncated"]


@given(st.integers(0, 40), st.lists(st.integers(0, 60), max_size=60))
def test_any_two_sequences_differ_unless_one_continues_the_other(size: int, stands: list[int]) -> None:
    found = difference(range(size), stands).faults(size)
    fresh = set(stands[size:]).isdisjoint(range(size))
    assert bool(found) == (stands[:size] != list(range(size)) or not fresh)


def test_many_thousand_records_in_disorder_are_named_soon() -> None:
    """In n log n: 200,000 in reverse are done in seconds, where comparing each with each would take days."""
    shuffled = list(range(200_000))
    random.Random(1).shuffle(shuffled)
    assert difference(range(200_000), shuffled).faults(200_000)[0].code == "reordered"
    assert difference(range(200_000), range(199_999, -1, -1)).faults(200_000)[0].code == "reordered"


@given(st.lists(st.binary(max_size=60), max_size=12), st.integers(0, 5), st.integers(0, 30))
def test_links_of_anything_are_answered(rows: list[bytes], first: int, least: int) -> None:
    for after in (None, bytes(32)):
        for fault in by_links(rows, first=first, after=after, least=least):
            assert fault.code in CODES


@pytest.mark.parametrize(
    "numbers,text",
    [
        ([5], "record 5"), ([5, 6], "records 5 and 6"), ([5, 6, 7], "records 5 to 7"), ([5, 7, 9], "records 5, 7 and 9"),
        ([1, 3, 5, 7, 9, 11, 13], "records 1, 3, 5, 7, 9 and 2 others"),
    ],
    ids=["one", "two", "run", "some", "many"],
)  # fmt: skip
def test_numbers_are_said_shortly(numbers: list[int], text: str) -> None:
    assert numbered(numbers) == text


# The command -----------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def state(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("LICET_STATE", str(place))
    place.chmod(0o700)
    return place


def test_ones_own_ledger_is_checked_by_ones_own_key(state: Path, capsys: Out) -> None:
    assert main(["ledger", "verify"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == f"{state}/ledger: whole (11 records, 11 of them signed)"
    assert f"note: the key is that of {state}; a stranger needs it from elsewhere" in out
    assert err == ""
    assert main(["ledger", "verify", "-v"]) == 0
    err = capsys.readouterr().err
    assert err.startswith("byte pass: ")
    assert "semantic pass: left out" not in err
    assert main(["ledger", "verify", "--no-semantic", "-v"]) == 0
    assert "semantic pass: left out" in capsys.readouterr().err


def test_a_strangers_ledger_needs_a_key(
    place: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    monkeypatch.setenv("LICET_STATE", str(tmp_path_factory.mktemp("mine")))
    folder, key = str(place / "ledger"), str(key_of(place).note_key)
    assert main(["ledger", "verify", folder]) == 1
    out = capsys.readouterr().out
    assert "key-unknown: checkpoint: signed by" in out
    assert "get the log's key from those who run it (`licet ledger key`)" in out
    assert "by `--key`; of a state folder of your own, name that by `--state`" in out
    assert main(["ledger", "verify", folder, "--key", key]) == 0
    file = tmp_path_factory.mktemp("keys") / "guard.vkey"
    file.write_text(f"\n{key}\n", encoding="utf-8")
    assert main(["ledger", "verify", folder, "--key", str(file)]) == 0
    capsys.readouterr()
    assert main(["ledger", "verify", folder, "--key", str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["keys"], told["own_key"], told["signed"]) == (True, [key], False, 11)


def test_the_signers_own_memory_is_a_kept_checkpoint(state: Path, capsys: Out) -> None:
    shutil.copytree(state / "ledger", state / "old")
    ledger = opened(state / "ledger", key_of(state))
    calls(ledger, 5, 3)
    ledger.close()
    shutil.rmtree(state / "ledger")
    (state / "old").rename(state / "ledger")
    assert main(["ledger", "verify", "--json"]) == 1
    assert {fault["code"] for fault in json.loads(capsys.readouterr().out)["faults"]} == {"rolled-back", "truncated"}
    assert main(["ledger", "verify"]) == 1
    assert "rolled-back: the checkpoint is for 11 records, and one for 17 was signed after it" in capsys.readouterr().out


def test_a_kept_checkpoint_is_held_against_it(state: Path, capsys: Out) -> None:
    kept = state / "kept"
    shutil.copy(state / "ledger" / "checkpoint", kept)
    assert main(["ledger", "verify", "--kept", str(kept)]) == 0
    assert "holds: It goes on from 2 checkpoints known from before." in capsys.readouterr().out
    kept.write_text(kept.read_text(encoding="utf-8").replace("\n11\n", "\n12\n"), encoding="utf-8")
    assert main(["ledger", "verify", "--kept", str(kept)]) == 1
    assert "bad-signature: kept checkpoint 1: the signature of" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words,says",
    [
        (["nowhere"], "nowhere: cannot be read: No such file or directory; check path and rights"),
        (["--key", "nowhere"], "--key: nowhere: cannot be read: No such file or directory; it is no key"),
        (["--kept", "nowhere"], "--kept: nowhere: cannot be read"),
        (["--witness", "KEY"], "is a log's key; give it as --key"),
        (["--key", "WITNESS"], "is a witness's key, which signs no checkpoint of its own; give it as --witness"),
        (["a\0b"], "cannot be"),
    ],
    ids=["target", "key", "kept", "log-as-witness", "witness-as-log", "nul"],
)
def test_what_cannot_be_used_is_said(words: list[str], says: str, state: Path, capsys: Out) -> None:
    known = {"KEY": str(key_of(state).note_key), "WITNESS": str(WitnessKey.of(state / "w.key", name="w.example").note_key)}
    assert main(["ledger", "verify", *(known.get(word, word) for word in words)]) == 2
    assert says in capsys.readouterr().err


def test_an_old_ledgers_lines_are_checked_still(state: Path, capsys: Out) -> None:
    import hashlib

    rows, link = [], "sha256:" + "0" * 64
    for seq in (1, 2, 3):
        rows.append(json.dumps({"kind": "note", "prev": link, "seq": seq}, separators=(",", ":")).encode())
        link = "sha256:" + hashlib.sha256(rows[-1]).hexdigest()
    file = state / "ledger.jsonl"
    file.write_bytes(b"".join(row + b"\n" for row in rows))
    assert main(["ledger", "verify", str(file)]) == 0
    assert f"whole (3 records, head {link};" in capsys.readouterr().out
    file.write_bytes(b"".join(row + b"\n" for row in [rows[0], rows[2]]))
    assert main(["ledger", "verify", str(file), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["broken"] == "line 2 has number 3"
    assert main(["ledger", "verify", str(file), "--key", str(key_of(state).note_key)]) == 2


def test_key_prints_what_verify_takes(state: Path, tmp_path: Path, capsys: Out) -> None:
    assert main(["ledger", "key"]) == 0
    key = capsys.readouterr().out.strip()
    assert key == str(key_of(state).note_key)
    assert main(["ledger", "key", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["vkey"] == key


def test_show_prints_records(state: Path, capsys: Out) -> None:
    ledger = opened(state / "ledger", key_of(state))
    reasons = [{"check": "scope.tool", "effect": "deny", "sentence": "not \x1b[31mgranted"}]
    ledger.append("call.denied", {"call": "zz1", "task": "t9", "tool": "pay", "outcome": "deny", "reasons": reasons}, time=TIME)
    ledger.close()
    assert main(["ledger", "show", "--from", "11"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"      11  {TIME}  call.outcome  done  task t1  call c4",
        f"      12  {TIME}  call.denied  pay  deny  task t9  call zz1",
        "          scope.tool: not \\u{1b}[31mgranted",
    ]
    for words, numbers in ((["--call", "c4"], [10, 11]), (["--task", "t9"], [12]), (["--task", "t1", "--call", "zz"], [])):
        assert main(["ledger", "show", *words, "--json"]) == 0
        assert [json.loads(line)["seq"] for line in capsys.readouterr().out.splitlines()] == numbers
    assert main(["ledger", "show", str(state / "nowhere")]) == 2
    with contextlib.suppress(SystemExit):
        assert main(["ledger", "show", "--from", "0"]) == 2
