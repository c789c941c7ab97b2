"""Contents are digests in the ledger, each under a key of its own: what is purged cannot be tried out, and every proof still holds."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence import records, whole
from licet.canonical import canonical
from licet.cli import main
from licet.guard.contents import FILE, ContentsCheck, check_contents, contents_of, open_contents
from licet.guard.purges import purged_tasks
from licet.ledger import LedgerFiles, LedgerKey
from licet.ledger.check.verify import verify
from licet.ledger.fields import problems
from licet.ledger.merkle import check_inclusion, inclusion_proof, leaf_hash
from licet.ledger.note import Checkpoint, opened
from licet.pseudonym import content_digest, is_content
from licet.store import ContentsStore, content
from retained import Place, holding

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(st.characters(codec="utf-8")) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Any:
    made = Place(tmp_path, days=100)
    yield made
    made.close()


def checked(state: Path) -> ContentsCheck:
    store = open_contents(state)
    with closing(store) if store is not None else nullcontext():
        return check_contents(LedgerFiles(state / "ledger").records, store)


def changed(state: Path, statement: str, *values: Any) -> None:
    with closing(sqlite3.connect(state / FILE, isolation_level=None)) as db:
        assert db.execute(statement, values).rowcount > 0


def with_contents(state: Path) -> Mapping[str, dict[str, Any]]:
    return {f"{record['kind']}/{name}": record for record in records(state) for name in record.get("contents", {})}


def test_what_is_opted_in_is_kept_and_the_record_has_its_digest_alone(place: Place):
    """Arguments, output and intent; also of a call that was refused; and nothing of what is not opted in."""
    place.work("oldword")
    found = with_contents(place.state)
    assert set(found) == {
        "task.begin/intent", "call.intent/argument.value", "call.intent/argument.password", "call.outcome/output", "call.denied/argument.body",
    }  # fmt: skip
    store = open_contents(place.state)
    assert store is not None
    kept = {f"{record['kind']}/{name}": value.value for record in found.values() for name, value in contents_of(store, record).items()}
    store.close()
    assert kept == {
        "task.begin/intent": "Do it for oldword", "call.intent/argument.value": "value oldword", "call.intent/argument.password": "",
        "call.outcome/output": {"seen": "value oldword"}, "call.denied/argument.body": "body oldword",
    }  # fmt: skip
    assert "plain oldword" not in str(kept)
    assert not [name for name in holding(place.state, "oldword") if name.startswith("ledger")]
    assert [problem for record in records(place.state) for problem in problems(record)] == []
    assert checked(place.state).sentences() == ["5 contents are there and match"]


def test_without_record_in_the_manifest_there_is_no_file(place: Place):
    place.work("oldword", kind="quiet")
    assert not (place.state / FILE).exists()
    assert checked(place.state).sentences() == []


def test_each_value_has_a_key_of_its_own(place: Place):
    """Two values that are the same have nothing in common in the ledger."""
    place.work("oldword")
    place.work("oldword")
    digests = [digest for record in records(place.state) for digest in record.get("contents", {}).values()]
    assert len(digests) == 10 == len(set(digests))
    with closing(sqlite3.connect(place.state / FILE)) as db:
        keys = [row[0] for row in db.execute("SELECT key FROM contents")]
    assert len(set(keys)) == 10
    assert {len(key) for key in keys} == {16}


@settings(max_examples=300, deadline=None)
@given(PLAIN, PLAIN, st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_a_digest_is_of_one_value_under_one_key(value: Any, other: Any, key: bytes, other_key: bytes):
    record = {"contents": {"output": content_digest(key, canonical(value))}}
    assert is_content(record, "output", key, value)
    assert is_content(record, "output", key, other) == (canonical(value) == canonical(other))
    assert is_content(record, "output", other_key, value) == (key == other_key)
    assert not is_content(record, "intent", key, value)


@pytest.mark.parametrize(
    "record", [{}, {"contents": None}, {"contents": {"output": 7}}, {"contents": ["output"]}, {"contents": {"output": "ü"}}], ids=str
)
def test_what_is_no_record_has_no_content(record: Any):
    assert not is_content(record, "output", b"k" * 16, "x")
    assert not is_content(record, "output", b"k" * 16, float("nan"))


def test_secrets_in_contents_are_masked_before_they_are_kept(place: Place):
    """As in spans: by their form, and by the name that they stand under."""
    with place.guard.task("work", intent="Use ghp_0123456789abcdefghijABCDEFGHIJ456789", agent="bot", principal="user:grace"):
        place.note("key sk-proj-Zx81kQpLm20vNbTy73RwUeIo94AsDfGh", password="correct horse battery")
        place.note({"api_key": "staple of words"})
    for secret in ("0123456789abcdefghij", "Zx81kQpLm20v", "correct horse", "staple of words"):
        assert holding(place.state, secret) == []
    assert checked(place.state).matching >= 7


@pytest.mark.parametrize("output", ["\udc80 lone", "x" * 100_000, {"a": [["deep"] * 3] * 200}, b"\xff\x00" * 100, 2**80, None, object()], ids=lambda it: type(it).__name__ + str(it)[:3].encode("ascii", "replace").decode())  # fmt: skip
def test_any_output_is_kept_as_far_as_it_can_be_shown(place: Place, output: Any):
    """And whatever it is, the tool's result reaches the agent."""
    tool = place.guard.wrap(lambda value, password="": output, name="note")
    with place.guard.task("work", intent="Use it", agent="bot", principal="user:grace"):
        assert tool("x") is output
    found = checked(place.state)
    assert (found.missing, found.faults) == (0, [])
    assert found.matching >= 3


# A store that cannot be used ---------------------------------------------------------------------------------------------


def no_database(path: Path) -> None:
    path.write_bytes(b"this is not a database, and it is long enough to be looked at as one, really" * 20)
    path.chmod(0o600)


def of_others(path: Path) -> None:
    path.touch(mode=0o644)
    path.chmod(0o644)


def a_folder(path: Path) -> None:
    path.mkdir()


def a_link(path: Path) -> None:
    path.symlink_to(path.parent / "elsewhere.db")


def of_another_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version=99")
    path.chmod(0o600)


@pytest.mark.parametrize("spoil", [no_database, of_others, a_folder, a_link, of_another_version], ids=lambda it: it.__name__)
def test_a_store_of_contents_that_cannot_be_written_is_a_warning_and_calls_go_on(
    place: Place, spoil: Callable[[Path], None], caplog: pytest.LogCaptureFixture
):
    spoil(place.state / FILE)
    place.work("oldword")
    assert "could not be kept" in caplog.text
    assert "oldword" not in caplog.text
    assert [record["status"] for record in records(place.state, "call.outcome")] == ["done", "done"]
    if spoil is a_link:
        assert not (place.state / "elsewhere.db").exists()


MISSING = "{} of {} {} not in contents.db, and no purge is on record: they could not be kept, or somebody deleted them"


def test_a_store_that_another_holds_costs_a_call_its_contents_and_no_more(place: Place, monkeypatch: pytest.MonkeyPatch):
    """The row that is missing is said."""
    monkeypatch.setattr("licet.guard.contents.ContentsStore", lambda path, **more: ContentsStore(path, busy_seconds=0.05, **more))
    place.work("firstword")
    with closing(sqlite3.connect(place.state / FILE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        place.work("secondword")
    assert checked(place.state).sentences() == ["5 contents are there and match", MISSING.format("5 contents", "records 9 to 12", "are")]


# What is altered ---------------------------------------------------------------------------------------------------------

ONE = "(SELECT min(seq) FROM contents WHERE name='argument.value')"


@pytest.mark.parametrize(
    "statement, sentences",
    [
        ("UPDATE contents SET value='\"another\"' WHERE name='argument.value'", ["4 contents are there and match"]),
        ("UPDATE contents SET key=randomblob(16) WHERE name='argument.value'", ["4 contents are there and match"]),
        ("UPDATE contents SET value=value || ' ' WHERE name='output'", ["4 contents are there and match"]),
        ("UPDATE contents SET value=x'00ff' WHERE name='output'", ["4 contents are there and match"]),
        ("UPDATE contents SET key='text' WHERE name='output'", ["4 contents are there and match"]),
        ("UPDATE contents SET value=NULL, key=NULL WHERE name='output'", ["4 contents are there and match"]),
        ("UPDATE contents SET name='argument.other' WHERE name='argument.value'", ["4 contents are there and match", MISSING.format("1 content", "record 3", "is")]),
        ("UPDATE contents SET seq=1 WHERE name='intent'", ["4 contents are there and match", MISSING.format("1 content", "record 2", "is")]),
        ("UPDATE contents SET seq=0 WHERE name='intent'", ["4 contents are there and match", MISSING.format("1 content", "record 2", "is")]),
        (f"INSERT INTO contents SELECT {ONE}+3, 'planted', key, value, task, principal, time FROM contents WHERE name='output'", ["5 contents are there and match"]),
    ],
    ids=["value", "key", "space", "bytes", "key-text", "nothing", "name", "record", "no-record", "planted"],
)  # fmt: skip
def test_a_content_that_was_altered_is_a_fault(place: Place, statement: str, sentences: list[str]):
    place.work("oldword")
    changed(place.state, statement)
    found = checked(place.state)
    assert [fault.code for fault in found.faults] == ["altered-content"]
    assert found.altered == 1
    assert found.sentences() == sentences
    whole(place.guard)  # the ledger itself is whole


def test_two_contents_that_changed_places_are_faults(place: Place):
    """Value and key together: the record knows which is its own."""
    first, second = place.work("oneword"), place.work("twoword")
    with closing(sqlite3.connect(place.state / FILE, isolation_level=None)) as db:
        seqs = dict(db.execute("SELECT task, seq FROM contents WHERE name='output'").fetchall())
        assert set(seqs) == {first, second}
        db.execute("UPDATE contents SET seq=-1 WHERE seq=?", (seqs[first],))
        db.execute("UPDATE contents SET seq=? WHERE seq=?", (seqs[first], seqs[second]))
        db.execute("UPDATE contents SET seq=? WHERE seq=-1", (seqs[second],))
    assert [fault.seq for fault in checked(place.state).faults] == sorted(seqs.values())


JUNK = st.sampled_from([None, "junk", b"\xff\x00", -1, 2**62, 1.5, "", "[", '"' * 50])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(JUNK, JUNK, JUNK, JUNK, JUNK, JUNK, JUNK), min_size=1, max_size=5))
def test_junk_in_the_store_of_contents_is_never_a_crash(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, ...]]):
    folder = tmp_path_factory.mktemp("junk")
    store = ContentsStore(folder / FILE)
    store.keep(2, [content("output", "x")], task="t", principal="p", time=1.0)
    with store.step() as db:
        db.executemany("INSERT OR IGNORE INTO contents VALUES (?,?,?,?,?,?,?)", rows)
    line = canonical({"seq": 1, "kind": "x", "contents": {"output": "hmac-sha256:00"}})
    found = check_contents(lambda: [line, b'not json "contents":', b'["contents":'], store)
    assert found.matching == 0
    found.sentences()
    purged_tasks(lambda: [line, b'"task":"a', b'{"task":"a","kind":"task.begin","seq":"x","time":7}'], "a")
    store.close()


def test_after_a_purge_nothing_that_is_left_can_be_tried_out(place: Place):
    """Neither the value nor its key is in any file; the digest in the ledger is of no use without the key."""
    task = place.work("oldword")
    store = open_contents(place.state)
    assert store is not None
    keys = [kept.key for kept in store.of_task(task)]
    store.close()
    place.close()
    assert len(keys) == 5
    assert main(["purge", "--older-than", "90d", "--yes", "--state", str(place.state)]) == 0
    everything = b"".join(file.read_bytes() for file in place.state.rglob("*") if file.is_file())
    assert b"oldword" not in everything
    for key in keys:
        assert key not in everything
        assert key.hex().encode() not in everything
    assert checked(place.state).sentences() == [f"5 were purged by record {records(place.state, 'purge')[0]['seq']}"]


def test_proofs_hold_before_and_after(place: Place):
    """What was signed before the purge is a beginning of what is signed after it, record by record."""
    place.work("oldword")
    before = whole(place.guard)
    lines = list(LedgerFiles(place.state / "ledger").records())
    place.close()
    assert main(["purge", "--older-than", "90d", "--yes", "--state", str(place.state)]) == 0
    after = whole(place.state)
    assert list(LedgerFiles(place.state / "ledger").records())[: len(lines)] == lines
    key = LedgerKey.of(place.state / "keys", create=False)
    assert verify(place.state / "ledger", [key.note_key], kept=[before.checkpoint]).faults == ()
    assert after.signed > before.signed == len(lines)
    subtree, note = (
        LedgerFiles(place.state / "ledger").subtree(after.signed),
        Checkpoint.parse(opened(after.checkpoint, [key.note_key]).text),
    )
    for index, line in enumerate(lines):
        check_inclusion(leaf_hash(line), index, after.signed, inclusion_proof(index, after.signed, subtree), note.root)


def test_several_processes_keep_contents_at_once(tmp_path: Path):
    """Each row belongs to its record, and none is lost."""
    script = str(Path(__file__).parent / "retained.py")
    running = [subprocess.Popen([sys.executable, script, str(tmp_path), "0", "6"], stderr=subprocess.PIPE) for _ in range(3)]
    for each in running:
        _, said = each.communicate(timeout=100)
        assert each.returncode == 0, said.decode()
    found = checked(tmp_path / "state")
    assert (found.matching, found.missing, found.faults) == (3 * 6 * 5, 0, [])
    whole(tmp_path / "state")


def _child(place: Place) -> None:
    place.work("childword")
    place.guard._ledger.close()
    os._exit(0)


def test_a_fork_opens_the_contents_anew(place: Place):
    place.work("parentword")
    child = multiprocessing.get_context("fork").Process(target=_child, args=(place,))
    child.start()
    place.work("meanwhile")
    child.join(60)
    assert child.exitcode == 0
    assert checked(place.state).sentences() == ["15 contents are there and match"]


def test_the_file_is_ours_alone(place: Place):
    place.work("oldword")
    for name in (FILE, f"{FILE}-wal", f"{FILE}-shm"):
        assert (place.state / name).stat().st_mode & 0o777 == 0o600, name


def test_a_purged_task_says_by_which_record(place: Place, capsys: pytest.CaptureFixture[str]):
    task = place.work("oldword")
    place.close()
    assert main(["purge", "--older-than", "90d", "--yes", "--state", str(place.state)]) == 0
    seq = records(place.state, "purge")[0]["seq"]
    capsys.readouterr()
    assert main(["task", task[:10], "--state", str(place.state)]) == 1
    assert f"task {task} (work, begun " in (said := capsys.readouterr().out)
    assert f"was purged, on record as {seq}" in said
    assert main(["task", task[:10], "--json", "--state", str(place.state)]) == 1
    assert [(each["id"], each["by"]) for each in json.loads(capsys.readouterr().out)["purged"]] == [(task, seq)]
    assert main(["task", "ffff", "--state", str(place.state)]) == 2


def verified(state: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    capsys.readouterr()
    code = main(["ledger", "verify", *options, "--state", str(state)])
    return code, capsys.readouterr().out


def test_verifying_a_ledger_says_what_there_is_of_contents(place: Place, capsys: pytest.CaptureFixture[str]):
    """There, and by which record purged; altered is a fault, and a copy of the ledger elsewhere has none to look at."""
    place.work("oldword")
    later = Place(place.folder)
    later.work("newword")
    place.close()
    later.close()
    assert main(["purge", "--older-than", "90d", "--yes", "--state", str(place.state)]) == 0
    code, said = verified(place.state, capsys)
    seq = records(place.state, "purge")[0]["seq"]
    assert code == 0
    assert "5 contents are there and match" in said
    assert f"5 were purged by record {seq}" in said
    changed(place.state, "UPDATE contents SET value='\"another\"' WHERE name='output'")
    code, said = verified(place.state, capsys, "--json")
    found = json.loads(said)
    assert (code, found["ok"], [fault["code"] for fault in found["faults"]]) == (1, False, ["altered-content"])
    assert found["contents"]["purged"] == {str(seq): 5}
    assert verified(place.state, capsys, "--no-semantic")[0] == 0
    copy = place.folder / "copy" / "ledger"
    shutil.copytree(place.state / "ledger", copy)
    key = place.folder / "key"
    key.write_text((place.state / "ledger" / "key").read_text())
    assert main(["ledger", "verify", str(copy), "--key", str(key)]) == 0
    assert "content" not in capsys.readouterr().out


@pytest.mark.parametrize("spoil", [no_database, of_others, of_another_version], ids=lambda it: it.__name__)
def test_contents_that_cannot_be_read_are_a_fault_and_no_traceback(
    place: Place, spoil: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
):
    spoil(place.state / FILE)
    place.work("oldword")
    place.close()
    code, said = verified(place.state, capsys)
    assert code == 1
    assert "altered-content" in said
