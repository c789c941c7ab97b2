"""`licet ingest`: exit codes, what it says, and that nothing it prints can act."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from licet.cli.main import main

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

Captured = pytest.CaptureFixture[str]


def line(number: int, **more: Any) -> str:
    return json.dumps({"id": f"n{number}", "time": "2026-03-01T12:00:00Z", "kind": "issued", "credential": f"key-{number}"} | more) + "\n"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LICET_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "state"


def ran(*arguments: str) -> int:
    return main(["ingest", *arguments])


def test_all_well_is_0_and_a_second_run_too(state: Path, capsys: Captured):
    Path("a.jsonl").write_text(line(1) + line(2), encoding="utf-8")
    assert ran("lifecycle", "a.jsonl") == 0
    assert "2 records of 1 file: 0 uses and 2 lifecycle events kept" in capsys.readouterr().out
    assert ran("lifecycle", "a.jsonl") == 0
    assert "0 records of 0 files (1 unchanged)" in capsys.readouterr().out
    assert oct((state / "inventory.db").stat().st_mode & 0o777) == "0o600"


def test_something_refused_is_1_with_its_cause_and_first_place(state: Path, capsys: Captured):
    Path("a.jsonl").write_text(line(1) + "nonsense\n" + line(2) + "more\n", encoding="utf-8")
    assert ran("lifecycle", "a.jsonl") == 1
    assert "refused             2  not JSON; first at a.jsonl:2" in capsys.readouterr().out
    assert ran("lifecycle", "a.jsonl", "--from-start", "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["refused"] == [{"cause": "not JSON", "number": 2, "first": f"{Path.cwd()}/a.jsonl:2"}]
    assert (told["lifecycle"], told["again"]) == (0, 2)


@pytest.mark.usefixtures("state")
def test_logs_of_another_source_are_taken_for_what_they_are(capsys: Captured):
    """Where every record is refused it is asked; where one is not, it is not."""
    Path("a.jsonl").write_text(line(1) + line(2), encoding="utf-8")
    assert ran("okta", "a.jsonl") == 1
    assert "nothing of it can be read as okta: are these another source's logs?" in capsys.readouterr().out
    Path("b.jsonl").write_text(line(1) + "nonsense\n", encoding="utf-8")
    assert ran("lifecycle", "b.jsonl") == 1
    assert "nothing of it" not in capsys.readouterr().out


def test_a_file_that_cannot_be_read_does_not_stop_the_others(state: Path, capsys: Captured):
    Path("a.jsonl").write_text(line(1), encoding="utf-8")
    assert ran("lifecycle", "nowhere", "a.jsonl") == 1
    said = capsys.readouterr()
    assert "nowhere: cannot be read: No such file or directory" in said.err
    assert "1 lifecycle event kept" in said.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["lifecycle", "nowhere"],
        ["lifecycle"],
        [],
        ["nonsense", "a.jsonl"],
        ["lifecycle", "a.jsonl", "--status"],
        ["--status"],
        ["--status", "--account", "x"],
        ["licet"],
    ],
    ids=" ".join,
)
def test_nothing_that_could_be_read_is_2_with_a_sentence(arguments: list[str], state: Path, capsys: Captured):
    Path("a.jsonl").write_text(line(1), encoding="utf-8")
    assert ran(*arguments) == 2
    assert capsys.readouterr().err.strip()


def test_standard_input_is_read_each_time(state: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch):
    for again in (0, 1):
        read, write = os.pipe()
        with os.fdopen(write, "w") as out:
            out.write(line(1))
        with os.fdopen(read, "r") as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            assert ran("lifecycle", "-") == 0
        assert (", 1 event there already" in capsys.readouterr().out) is bool(again)


def test_what_a_file_is_called_cannot_act_on_a_terminal(state: Path, capsys: Captured):
    name = b"a\x1b[31m\xff.jsonl"
    Path(os.fsdecode(name)).write_text("nonsense\n" + line(1), encoding="utf-8")
    assert ran("lifecycle", ".") == 1
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "1 lifecycle event kept" in said


def test_the_status_names_shares_freshness_and_what_was_refused(state: Path, capsys: Captured):
    root = Path(__file__).parents[2] / "examples" / "identities"
    assert ran("cloudtrail", str(root / "cloudtrail.json")) == 0
    assert ran("kubernetes", str(root / "audit.log"), "--account", "eks-prod") == 1
    capsys.readouterr()
    assert ran("--status", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    [trail, cluster] = told["sources"]
    assert (trail["account"], trail["uses"], trail["with_credential"], trail["attributable"]) == ("111122223333", 4, 4, 4)
    assert (cluster["account"], cluster["uses"]) == ("eks-prod", 3)
    assert cluster["age"] > 0
    assert (cluster["first"], cluster["last"]) == ("2026-03-02T08:00:01.000Z", "2026-03-02T08:00:03.000Z")
    assert [(each["source"], each["number"]) for each in told["refused"]] == [("kubernetes", 1)]


def test_uses_by_the_platforms_own_services_are_in_no_denominator(state: Path, capsys: Captured):
    own = {
        "eventID": "00000000-0000-4000-8000-00000000000a", "eventSource": "kms.amazonaws.com", "eventName": "Decrypt",
        "eventTime": "2026-03-01T12:00:00Z", "awsRegion": "eu-west-1", "recipientAccountId": "111122223333",
        "userIdentity": {"type": "AWSService", "invokedBy": "s3.amazonaws.com"}, "sourceIPAddress": "s3.amazonaws.com",
    }  # fmt: skip
    Path("a.json").write_text(json.dumps(own), encoding="utf-8")
    assert ran("cloudtrail", "a.json") == 0
    capsys.readouterr()
    assert ran("--status", "--json") == 0
    [trail] = json.loads(capsys.readouterr().out)["sources"]
    assert (trail["uses"], trail["services"], trail["attributable"]) == (1, 1, 0)


def test_an_account_that_no_record_names_is_asked_for_and_cannot_be_added_later(state: Path, capsys: Captured):
    """What is there stays as it was taken in, and that is no silence."""
    log = str(Path(__file__).parents[2] / "examples" / "identities" / "audit.log")
    ran("kubernetes", log)
    assert "records name no account (cluster, organisation, tenant), and it cannot be added later" in capsys.readouterr().err
    ran("kubernetes", log, "--account", "eks-prod", "--from-start")
    assert "`--account` changes nothing of events that are there already" in capsys.readouterr().err


def test_an_account_with_a_long_name_is_shown_whole(state: Path, capsys: Captured):
    """The columns go with it."""
    name = "contoso-research-and-development.onmicrosoft.com"
    ran("kubernetes", str(Path(__file__).parents[2] / "examples" / "identities" / "audit.log"), "--account", name)
    assert "name no account" not in capsys.readouterr().err
    assert ran("--status") == 0
    head, row = capsys.readouterr().out.splitlines()[:2]
    assert f"kubernetes  {name}  " in row
    assert head.index("latest event") == row.index("2026-")
