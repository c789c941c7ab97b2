"""What `licet ledger verify` says of one's own state folder, of what is gone, and what to do next: as a person reads it."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from attacker import calls, key_in, made, opened
from licet import Guard
from licet.cli.main import main
from licet.ledger.check.faults import CODES
from licet.ledger.check.remedies import NEXT, OF_EVIDENCE
from licet.ledger.cosigning.cosignature import WitnessKey
from licet.ledger.note import cosigned

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

Out = pytest.CaptureFixture[str]
PAGE = Path(__file__).parents[2] / "docs" / "verify-says.md"
MANIFEST = """\
licet: 1
environment: dev
owners: {support: {name: Support, contact: oncall@acme.example}}
agents: {bot: {owner: support, purpose: Answer, tasks: [answer]}}
tools: {look: {access: read, egress: false, record: {output: true}}}
tasks: {answer: {intent: Answer one ticket, ttl: 10m, tools: {look: {}}}}
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    made(tmp_path / "state", 5)
    (tmp_path / "state").chmod(0o700)
    return tmp_path / "state"


@pytest.fixture
def worked(tmp_path: Path) -> Path:
    (tmp_path / "licet.yaml").write_text(MANIFEST, encoding="utf-8")
    for _ in range(2):
        at_work(tmp_path)
    return tmp_path / "state"


def at_work(folder: Path) -> None:
    with Guard.from_file(folder / "licet.yaml", state=folder / "state") as guard:
        look = guard.wrap(lambda: "a value", name="look")
        with guard.task("answer", intent="Answer ticket 1", agent="bot", principal="user:ada"):
            look()


def said(capsys: Out, *words: str) -> tuple[int, str]:
    capsys.readouterr()
    code = main(["ledger", "verify", *words])
    out, err = capsys.readouterr()
    return code, out + err


def told(capsys: Out, *words: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = main(["ledger", "verify", *words, "--json"])
    return code, json.loads(capsys.readouterr().out)


# What is gone ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["state", "folder", "ledger", "key", "kept"])
def test_a_ledger_that_is_gone_and_was_signed_is_a_fault(by: str, state: Path, tmp_path: Path, capsys: Out) -> None:
    key = str(key_in(state / "keys").note_key)
    kept = shutil.copy(state / "ledger" / "checkpoint", tmp_path / "monday.note")
    shutil.rmtree(state / "ledger")
    words = {
        "state": ["--state", str(state)], "folder": [str(state)], "ledger": [str(state / "ledger")],
        "key": ["--state", str(state), "--key", key], "kept": ["--state", str(state), "--key", key, "--kept", str(kept)],
    }[by]  # fmt: skip
    code, text = said(capsys, *words)
    assert code == 1
    assert "no-checkpoint: the ledger's folder is gone; 11 records were signed" in text
    assert "truncated: " in text
    assert f"next: put {state / 'ledger'} back, whole" in text
    assert not (state / "ledger").exists()


def test_a_key_that_is_gone_is_asked_back_and_no_other_is_trusted(state: Path, capsys: Out) -> None:
    key = str(key_in(state / "keys").note_key)
    (state / "keys" / "ledger.key").unlink()
    code, text = said(capsys, "--state", str(state))
    assert code == 1
    assert "key-unknown" in text
    assert re.search(r"next: .*ledger\.key is missing, and it has signed.*: put it back", text)
    assert "whole (11 records" in said(capsys, "--state", str(state), "--key", key)[1]


def test_a_missing_checkpoint_comes_back_from_what_the_key_signed_last(worked: Path, capsys: Out) -> None:
    """The command that is shown is run: then the ledger is whole, and the guard goes on."""
    (worked / "ledger" / "checkpoint").unlink()
    code, text = said(capsys, "--state", str(worked))
    assert code == 1
    assert "no-checkpoint: the checkpoint is missing; 12 records were signed" in text or "records were signed" in text
    assert "within a second" not in text
    command = re.search(r"next: `cp (\S+) (\S+)`: it is the last that was signed", text)
    assert command
    shutil.copyfile(command[1], command[2])
    (worked / "ledger" / "checkpoint").chmod(0o600)
    assert said(capsys, "--state", str(worked))[0] == 0
    at_work(worked.parent)
    assert said(capsys, "--state", str(worked))[0] == 0


def test_only_where_nothing_was_ever_signed_a_guard_is_waited_for(tmp_path: Path, capsys: Out) -> None:
    ledger = opened(tmp_path / "ledger", key_in(tmp_path / "keys"))
    tmp_path.chmod(0o700)
    calls(ledger, 0, 2)
    code, text = said(capsys, "--state", str(tmp_path))
    assert code == 1
    assert "no-checkpoint: there is no checkpoint, so that nothing is signed" in text
    assert "next: a guard that runs writes one within a second" in text
    ledger.close()


def test_a_missing_live_segment_is_a_fault_where_the_log_is_written(worked: Path, capsys: Out) -> None:
    """The guard refuses there: verifying must not say that it is whole. A mirror has no such folder."""
    for segment in (worked / "ledger" / "live").iterdir():
        segment.unlink()
    code, text = said(capsys, "--state", str(worked))
    assert (code, "no-live: live/: the newest segment is missing" in text) == (1, True)
    mirror = shutil.copytree(worked / "ledger", worked.parent / "mirror", ignore=shutil.ignore_patterns("live"))
    code, text = said(capsys, str(mirror), "--key", str(key_in(worked / "keys").note_key))
    assert (code, "note: there is no live/: this is a mirror" in text) == (0, True)


@pytest.mark.parametrize(
    "content, what", [(b"", "it is empty"), (b"{}\n", "it is neither"), (b"\x00\xff", "it is neither"), (b"\n", "it is neither")],
    ids=["empty", "object", "bytes", "line"],
)  # fmt: skip
@pytest.mark.parametrize("key", [True, False], ids=["key", "no-key"])
def test_a_file_with_nothing_in_it_is_never_whole(content: bytes, what: str, key: bool, state: Path, tmp_path: Path, capsys: Out) -> None:
    file = tmp_path / "q.json"
    file.write_bytes(content)
    code, text = said(capsys, str(file), *(["--key", str(key_in(state / "keys").note_key)] if key else []))
    assert (code, "not whole (0 records)" in text, what in text) == (1, True, True)
    assert told(capsys, str(file))[1]["ok"] is False


def test_a_folder_of_nothing_is_not_whole(tmp_path: Path, capsys: Out) -> None:
    code, text = said(capsys, str(tmp_path))
    assert (code, "no-checkpoint: the folder is empty" in text) == (1, True)
    assert "holds" not in text


# Witnesses -------------------------------------------------------------------------------------------------------------------------------


def witnessed(state: Path) -> WitnessKey:
    """A witness's line, as `licet ledger cosign` puts it into the folder."""
    witness = WitnessKey.of(state / "witness.key", name="witness.acme.example")
    note = (state / "ledger" / "checkpoint").read_text(encoding="utf-8")
    (state / "ledger" / "cosigned").write_text(note + cosigned(note.partition("\n\n")[0] + "\n", witness, 1_795_342_560), encoding="utf-8")
    return witness


def _more(state: Path) -> None:
    ledger = opened(state / "ledger", key_in(state / "keys"))
    calls(ledger, 5, 3)
    ledger.close()


def test_a_witnesss_line_for_the_first_records_holds_for_these(state: Path, capsys: Out) -> None:
    witness = witnessed(state)
    _more(state)
    code, text = said(capsys, "--state", str(state), "--witness", str(witness.note_key))
    assert code == 0
    assert re.search(r"holds: The first 11 of these 17 records are cosigned by witness\.acme\.example \(at 2026-", text)
    assert "note: 6 signed records came after the last line of witness.acme.example: `licet ledger cosign` asks for the next" in text
    assert told(capsys, "--state", str(state), "--witness", str(witness.note_key))[1]["witnessed"][0]["size"] == 11


def test_without_any_line_it_is_not_cosigned_and_our_own_signature_is_no_less_known(state: Path, capsys: Out) -> None:
    witness = WitnessKey.of(state / "witness.key", name="witness.acme.example")
    code, text = said(capsys, "--state", str(state), "--witness", str(witness.note_key))
    assert (code, "not-cosigned: the witness witness.acme.example has signed neither the checkpoint nor one before it" in text) == (1, True)
    assert "holds: The checkpoint over 11 records is signed by" in text
    assert "whoever signed that" not in text
    assert "next: `licet ledger cosign --witness ...`" in text


@pytest.mark.parametrize("further", [0, 3], ids=["shorter", "longer"])
def test_a_line_for_another_history_is_named(further: int, state: Path, capsys: Out) -> None:
    """What the witness has signed is kept in the folder, and the ledger is written anew with the key."""
    witness = witnessed(state)
    note = (state / "ledger" / "cosigned").read_text(encoding="utf-8")
    shutil.rmtree(state / "ledger")
    (state / "keys" / "ledger.head").unlink()
    ledger = opened(state / "ledger", key_in(state / "keys"))
    calls(ledger, 100, 3 + further)
    ledger.close()
    (state / "ledger" / "cosigned").write_text(note, encoding="utf-8")
    code, found = told(capsys, "--state", str(state), "--witness", str(witness.note_key))
    assert code == 1
    assert {fault["code"] for fault in found["faults"]} & {"forked", "rolled-back"}
    assert found["cosigned_by"] == []


def test_a_bad_line_of_a_witness_is_a_bad_signature(state: Path, capsys: Out) -> None:
    witness = witnessed(state)
    file = state / "ledger" / "cosigned"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    other = WitnessKey.of(state / "other.key", name="witness.acme.example")
    lines[-1] = cosigned("".join(lines[:3]), other, 1_795_342_560)
    lines[-1] = lines[-1].replace(lines[-1].split()[2][:4], str(cosigned("".join(lines[:3]), witness, 1)).split()[2][:4])
    file.write_text("".join(lines), encoding="utf-8")
    assert told(capsys, "--state", str(state), "--witness", str(witness.note_key))[0] == 1


# Words -----------------------------------------------------------------------------------------------------------------------------------


def test_a_state_folder_in_the_place_of_its_ledger_is_understood(state: Path, capsys: Out) -> None:
    code, text = said(capsys, str(state))
    assert (code, f"{state}/ledger: whole (11 records, 11 of them signed)" in text) == (0, True)
    assert main(["ledger", "witness", "--state", str(state / "w"), "--log", str(key_in(state / "keys").note_key), str(state)]) == 0
    assert "cosigned: 11 records" in capsys.readouterr().out


def test_no_number_is_taken_from_a_checkpoint_whose_signature_does_not_hold(state: Path, tmp_path: Path, capsys: Out) -> None:
    file = state / "ledger" / "checkpoint"
    file.write_text(file.read_text(encoding="utf-8").replace("\n11\n", "\n99\n"), encoding="utf-8")
    copy = shutil.copytree(state / "ledger", tmp_path / "copy")
    code, text = said(capsys, str(copy), "--key", str(key_in(state / "keys").note_key))
    assert code == 1
    assert "99" not in re.sub(r"[0-9a-f]{16}", "", text)
    assert "not whole (11 records)" in text
    assert "bad-signature: " in text


def test_each_fault_has_a_next_step_and_the_page_has_the_same_words() -> None:
    assert list(NEXT) == [*CODES] or set(NEXT) == set(CODES)
    assert set(OF_EVIDENCE) == set(CODES)
    rows = re.findall(r"^\| `([a-z-]+)` \| (.*) \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [(code, means, NEXT[code]) for code, means in CODES.items()]


@pytest.mark.parametrize("change", [b'"done"', b"call.outcome"], ids=["status", "kind"])
def test_what_to_do_next_is_said_once_for_each_kind_of_fault(change: bytes, state: Path, capsys: Out) -> None:
    segment = next((state / "ledger" / "live").iterdir())
    segment.write_bytes(segment.read_bytes().replace(change, change.replace(b"o", b"0")))
    code, text = said(capsys, "--state", str(state))
    assert code == 1
    assert text.count(f"next: {NEXT['altered']}") == 1


# The store and the contents beside it ----------------------------------------------------------------------------------------------------


def _rows(state: Path) -> None:
    with sqlite3.connect(state / "licet.db") as db:
        db.execute("DELETE FROM tasks WHERE rowid=1")


def _store(state: Path) -> None:
    for file in state.glob("licet.db*"):
        file.unlink()


@pytest.mark.parametrize(
    "change, what", [(_rows, "1 task of the ledger is not"), (_store, "2 tasks of the ledger are not")], ids=["rows", "store"]
)
def test_tasks_that_were_deleted_from_the_store_are_said(change: Callable[[Path], None], what: str, worked: Path, capsys: Out) -> None:
    code, text = said(capsys, "--state", str(worked))
    assert (code, "in the store" in text) == (0, False)
    change(worked)
    code, text = said(capsys, "--state", str(worked))
    assert (code, f"note: {what} in the store, and no purge is on record" in text) == (0, True)


def test_tasks_that_were_purged_are_not_missed(worked: Path, capsys: Out) -> None:
    assert main(["purge", "--principal", "user:ada", "--yes", "--state", str(worked)]) == 0
    code, text = said(capsys, "--state", str(worked))
    assert (code, "not in the store" in text) == (0, False)


def test_a_ledger_begun_anew_under_the_old_key_does_not_have_what_the_store_cites(worked: Path, capsys: Out) -> None:
    shutil.rmtree(worked / "ledger")
    (worked / "keys" / "ledger.head").unlink()
    at_work(worked.parent)
    code, text = said(capsys, "--state", str(worked))
    assert code == 0
    assert "note: 2 tasks of the store cite records that this ledger does not have as theirs" in text


def test_contents_whose_file_is_gone_are_counted_with_their_records(worked: Path, capsys: Out) -> None:
    for file in worked.glob("contents.db*"):
        file.unlink()
    code, text = said(capsys, "--state", str(worked))
    assert code == 0
    assert re.search(
        r"note: 2 contents of records \d+ and \d+ are not in contents\.db, and no purge is on record: contents\.db is missing", text
    )
