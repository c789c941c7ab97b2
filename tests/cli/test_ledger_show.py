"""`licet ledger show`: which records, of what, and in which form."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from licet.cli import ledger_records, main
from licet.clock import iso
from licet.ledger import Ledger, LedgerFiles, LedgerKey
from state_fixture import worked_in

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

Out = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    return worked_in(tmp_path_factory.mktemp("show"))


def seqs(state: Path, capsys: Out, *words: str) -> list[int]:
    assert main(["ledger", "show", "--state", str(state), "--json", *words]) == 0
    return [json.loads(line)["seq"] for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    "words,wanted",
    [
        ([], range(1, 14)),
        (["--from", "12"], [12, 13]),
        (["--to", "2"], [1, 2]),
        (["--from", "3", "--to", "5"], [3, 4, 5]),
        (["--record", "7"], [7]),
        (["-n", "2"], [12, 13]),
        (["--last", "99"], range(1, 14)),
        (["-n", "2", "--to", "5"], [4, 5]),
        (["--from", "13", "-n", "5"], [13]),
        (["--kind", "task.begin"], [2, 8]),
        (["--kind", "task.begin", "--kind", "task.end", "-n", "3"], [8, 10, 13]),
        (["--denied"], [6, 9]),
        (["--denied", "-n", "1"], [9]),
        (["--principal", "user:grace", "--to", "3"], [2, 3]),
        (["--kind", "purge"], []),  # a kind that there is, of which there is none
        (["--since", "1d", "-n", "1"], [13]),
        (["--until", "2020-01-01"], []),
        (["--since", "2020-01-01T00:00+02:00", "--until", "2099-01-01T00:00Z", "--from", "13"], [13]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and value and isinstance(value[0], str) else None,
)
def test_only_what_is_asked_for_is_shown(words: list[str], wanted: list[int], worked: tuple[Path, str], capsys: Out) -> None:
    assert seqs(worked[0], capsys, *words) == list(wanted)


def test_a_time_parts_the_records_between_since_and_until(worked: tuple[Path, str], capsys: Out) -> None:
    middle = json.loads(list(LedgerFiles(worked[0] / "ledger").records())[6])["time"]
    before, after = seqs(worked[0], capsys, "--until", middle), seqs(worked[0], capsys, "--since", middle)
    assert before + after == list(range(1, 14))
    assert before
    assert 7 in after
    elsewhere = datetime.fromisoformat(middle).astimezone(UTC) + timedelta(hours=5)
    assert seqs(worked[0], capsys, "--since", elsewhere.replace(tzinfo=None).isoformat(timespec="milliseconds") + "+05:00") == after


@pytest.mark.parametrize(
    "words,said",
    [
        (["--task", "zzz"], "none is of a task whose id begins with 'zzz'"),
        (["--call", "zzz", "-n", "1"], "none is of a call whose id begins with 'zzz'"),
        (["--principal", "user:grac"], "none is for 'user:grac'; the name is the whole one"),
        (["--kind", "call"], "none is of kind 'call'; kinds are task.begin, "),
        (["--from", "99"], "there is no record from 99 on"),
        (["--follow", "-n", "1"], "--follow goes on"),
        (["--follow", "--record", "1"], "--follow goes on"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else None,
)
def test_what_is_named_and_is_not_there_exits_2(words: list[str], said: str, worked: tuple[Path, str], capsys: Out) -> None:
    assert main(["ledger", "show", "--state", str(worked[0]), *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err


@pytest.mark.parametrize(
    "words", [["--since", "yesterday"], ["--until", "2h ago"], ["-n", "0"], ["--to", "x"], ["--since", "9" * 40 + "d"]]
)
def test_what_is_no_time_and_no_number_exits_2(words: list[str], worked: tuple[Path, str], capsys: Out) -> None:
    assert main(["ledger", "show", "--state", str(worked[0]), *words]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_json_is_each_record_byte_for_byte(worked: tuple[Path, str], capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["ledger", "show", "--state", str(worked[0]), "--json"]) == 0
    assert capfdbinary.readouterr().out == b"".join(raw + b"\n" for raw in LedgerFiles(worked[0] / "ledger").records())


def test_the_lines_say_who_and_what(worked: tuple[Path, str], capsys: Out) -> None:
    assert main(["ledger", "show", "--state", str(worked[0])]) == 0
    lines = {match[1]: match[2] for line in capsys.readouterr().out.splitlines() if (match := re.match(r" +(\d+)  \S+  (.*)", line))}
    assert lines["1"].startswith("ledger.begin  licet.local/ledger/")
    assert lines["2"].startswith("task.begin  answer  agent bot  for user:grace  task ")
    assert lines["7"].startswith("delegation  allow  lookup  by bot  to helper  task ")
    assert lines["13"].startswith("task.end  by block left  3 calls  task ")


@pytest.mark.parametrize(
    "kind,fields,said",
    [
        (
            "purge",
            {"what": ["rows", "spans"], "counts": {"tasks": 2}, "by": "command line, root", "principal": "p-1", "tasks": ["a", "b"]},
            "purge  rows, spans  2 tasks  of 2 tasks  of principal p-1  by command line, root",
        ),
        ("purge", {"what": ["rows"], "counts": {}, "by": "x", "before": "2026-01-01"}, "purge  rows  older than 2026-01-01  by x"),
        ("purge.done", {"purge": 7, "counts": {"calls": 3}, "problems": 0, "by": "x"}, "purge.done  3 calls  of record 7  by x"),
        ("approval", {"tool": "pay", "approved": True, "by": "ada", "how": "console"}, "approval  pay  approved  by ada  console"),
        ("approval", {"tool": "pay", "approved": False, "by": "", "failure": "late"}, "approval  pay  not approved  late"),
        ("token.revoke", {"mark": "agent", "value": "bot", "by": "ops"}, "token.revoke  agent bot  by ops"),
    ],
    ids=["a-persons", "what-is-old", "done", "a-yes", "a-no", "a-revocation"],
)
def test_a_line_of_each_kind_says_who_and_what(kind: str, fields: dict[str, Any], said: str, tmp_path: Path, capsys: Out) -> None:
    (tmp_path / "state" / "keys").mkdir(mode=0o700, parents=True)
    ledger = Ledger(tmp_path / "state" / "ledger", LedgerKey.of(tmp_path / "state" / "keys"))
    ledger.append(kind, fields, time=iso(time.time()))
    ledger.close()
    assert main(["ledger", "show", str(tmp_path / "state"), "-n", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split("Z  ", 1)[1] == said


def test_the_last_are_found_without_reading_all(worked: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks are read from the end, and none before the one that has enough."""
    read: list[tuple[int, int | None]] = []

    class Counting(LedgerFiles):
        def records(self, start: int = 0, stop: int | None = None) -> Any:
            read.append((start, stop))
            return super().records(start, stop)

    monkeypatch.setattr(ledger_records, "_BLOCK", 3)
    files = Counting(worked[0] / "ledger")
    assert [seq for seq, _ in ledger_records.newest(files, 1, None, 4, lambda _: True)] == [10, 11, 12, 13]
    assert read == [(10, 13), (7, 10)]
    ends = list(ledger_records.newest(files, 1, None, 2, lambda row: b'"kind":"task.begin"' in row[1]))
    assert [seq for seq, _ in ends] == [2, 8]


def test_a_state_folder_is_taken_for_its_ledger_and_an_empty_one_for_none(worked: tuple[Path, str], tmp_path: Path, capsys: Out) -> None:
    assert main(["ledger", "show", str(worked[0]), "-n", "1"]) == 0
    assert "task.end" in capsys.readouterr().out
    assert main(["ledger", "show", str(tmp_path)]) == 2
    assert "is no folder of a ledger" in capsys.readouterr().err


def test_evidence_is_shown_and_said_not_to_be_verified(worked: tuple[Path, str], tmp_path: Path, capsys: Out) -> None:
    state, task = worked
    file = tmp_path / "evidence.json"
    assert main(["ledger", "export", "--task", task, "-o", str(file), "--state", str(state)]) == 0
    capsys.readouterr()
    assert main(["ledger", "show", str(file), "--denied"]) == 0
    out, err = capsys.readouterr()
    assert "call.denied  send_email  deny" in out
    assert f"{file}: not verified here; `licet ledger verify` does that" in err
    assert main(["ledger", "show", str(file), "--json", "-n", "1"]) == 0
    assert capsys.readouterr().out.encode() == list(LedgerFiles(state / "ledger").records())[-1] + b"\n"
    assert main(["ledger", "show", str(file), "--follow"]) == 2


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"payload": 3}', '{"payload": "e30="}', '{"payload": "e30"}', "[" * 100_000, "\x00"])
def test_a_file_that_is_no_evidence_exits_2(text: str, tmp_path: Path, capsys: Out) -> None:
    (tmp_path / "file").write_text(text, encoding="utf-8")
    assert main(["ledger", "show", str(tmp_path / "file")]) == 2
    assert "is neither a ledger's folder nor a whole file of evidence" in capsys.readouterr().err


def test_a_ledger_that_is_gone_is_said_to_be_gone(worked: tuple[Path, str], tmp_path: Path, capsys: Out) -> None:
    state, _ = worked_in(tmp_path)
    for file in sorted((state / "ledger").rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    (state / "ledger").rmdir()
    assert main(["ledger", "show", "--state", str(state)]) == 2
    assert "is gone, and was written to before" in capsys.readouterr().err
