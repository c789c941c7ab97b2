"""A copy of a state folder is evidence: to verify it changes no byte of the contents beside the ledger, and makes no file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from attacker import INTENT, TIME, key_in, opened
from licet.cli import main
from licet.guard.contents import FILE, contents_beside
from licet.store import ContentsStore, content

Out = pytest.CaptureFixture[str]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copied while its writer is running: the value stands in the log of the file, `-wal`, alone."""
    state = tmp_path / "state"
    key = key_in(state / "keys")
    ledger, value = opened(state / "ledger", key), content("argument.to", "ada")
    seq = ledger.append("call.denied", {**INTENT, "call": "c1", "contents": {value.name: value.digest}}, time=TIME)
    ledger.close()
    store = ContentsStore(state / FILE)
    store.keep(seq, [value], task="t1", principal="p", time=0.0)
    shutil.copytree(state, tmp_path / "copy")
    store.close()
    (tmp_path / "vkey").write_text(str(key.note_key), encoding="utf-8")
    return tmp_path / "copy"


def standing(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def verified(copy: Path, capsys: Out) -> tuple[int, dict[str, object]]:
    status = main(["ledger", "verify", str(copy / "ledger"), "--key", str(copy.parent / "vkey"), "--json"])
    told: dict[str, object] = json.loads(capsys.readouterr().out)
    return status, told


def test_verifying_a_copy_changes_nothing_beside_it(copy: Path, capsys: Out) -> None:
    """Its log too is as it was, and that it was not read is said."""
    before = standing(copy)
    assert before[f"{FILE}-wal"]
    verified(copy, capsys)
    assert standing(copy) == before
    main(["ledger", "verify", str(copy / "ledger"), "--key", str(copy.parent / "vkey")])
    assert standing(copy) == before
    found = contents_beside(copy / "ledger", copy=True)
    assert any("-wal was not read" in said for said in found.sentences()) or found.faults


def test_a_file_of_contents_that_is_empty_stays_so(copy: Path, capsys: Out) -> None:
    (copy / f"{FILE}-wal").unlink()
    (copy / FILE).write_bytes(b"")
    status, _ = verified(copy, capsys)
    assert status == 1
    assert (copy / FILE).read_bytes() == b""


def test_what_a_copy_has_is_held_against_its_records(copy: Path, capsys: Out) -> None:
    """A copy of a folder that nobody was writing has all of it."""
    ContentsStore(copy / FILE).close()  # as the last writer leaves it
    assert not (copy / f"{FILE}-wal").exists()
    status, told = verified(copy, capsys)
    assert (status, told["contents"]["matching"]) == (0, 1)  # type: ignore[index]
