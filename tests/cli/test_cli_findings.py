"""`licet findings`: the guard's findings and the monitor's in one list, with the same words for both."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from licet.cli.main import main
from licet.events import LifecycleEvent, UseEvent
from licet.inventory.model import Identity
from licet.inventory.store import FILE, Inventory
from licet.monitor.run import monitor
from licet.monitor.world import Settings
from state_fixture import worked_in

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

Out = pytest.CaptureFixture[str]
ROLE = "arn:aws:iam::111122223333:role/ci"


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which a guard has worked, and into which logs were taken."""
    state, _ = worked_in(tmp_path)
    now = time.time()
    inventory = Inventory(state / FILE)
    used = UseEvent(
        "cloudtrail", "u-1", now - 60, ROLE, "s3:GetObject", identity_kind="role", credential="cred:1", digest="00", place="a:1"
    )
    inventory.keep([used], [LifecycleEvent("lifecycle", "r-1", now - 3_600, "revoked", ROLE, "cred:1")])
    monitor(inventory, Settings(), now)
    inventory.close()
    monkeypatch.setenv("LICET_STATE", str(state))
    return state


def listed(capsys: Out, *words: str) -> list[dict[str, Any]]:
    assert main(["findings", "--json", *words]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["findings"]
    return found


def test_both_stand_in_one_list_by_time(both: Path, capsys: Out) -> None:
    found = listed(capsys)
    assert sorted({each["check"] for each in found}) == ["monitor.post-revocation-use", "scope.argument", "scope.tool"]
    assert [each["time"] for each in found] == sorted(each["time"] for each in found)
    assert main(["findings"]) == 0
    shown = capsys.readouterr().out
    assert "licet findings show ID" in shown
    assert "licet ledger export --finding ID" in shown


def test_of_a_task_there_are_the_guards_alone(both: Path, capsys: Out) -> None:
    task = next(each["task_id"] for each in listed(capsys) if each["task_id"])
    assert {each["check"] for each in listed(capsys, "--task", task)} == {"scope.argument", "scope.tool"}


def test_the_guards_are_found_by_check_agent_and_owner(both: Path, capsys: Out) -> None:
    assert [each["identity"] for each in listed(capsys, "--code", "scope.argument")] == ["agent:bot"]
    assert {each["check"] for each in listed(capsys, "--identity", "agent:bot", "--owner", "support")} == {"scope.argument"}
    assert {each["identity"] for each in listed(capsys, "--owner", "nobody")} == {ROLE}


def test_the_guards_can_be_shown_acknowledged_and_suppressed_too(both: Path, capsys: Out) -> None:
    """Where there was no inventory, too."""
    (both / FILE).unlink()
    uid = listed(capsys, "--code", "scope.argument")[0]["id"]
    assert main(["findings", "show", uid]) == 0
    assert "licet ledger export --finding" in capsys.readouterr().out
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86_400))
    assert main(["findings", "suppress", uid, "--until", day, "--reason", "a test", "--by", "ann"]) == 0
    assert f"suppressed by ann until the end of {day}" in capsys.readouterr().out
    assert main(["findings", "suppress", uid, "--until", "2020-01-01", "--reason", "a test", "--by", "ann"]) == 2
    assert "--until 2020-01-01: that day is over" in capsys.readouterr().err
    assert uid not in {each["id"] for each in listed(capsys)}
    assert main(["findings", "acknowledge", uid, "--by", "ann"]) == 0
    capsys.readouterr()
    assert {each["id"]: each["status"] for each in listed(capsys)}[uid] == "acknowledged"


def test_spans_have_no_inventory(both: Path, tmp_path: Path, capsys: Out) -> None:
    (tmp_path / "no.jsonl").write_text("", encoding="utf-8")
    assert main(["findings", "--from", str(tmp_path / "no.jsonl")]) == 1
    assert "POST_REVOCATION_USE" not in capsys.readouterr().out


def test_one_is_shown_as_data_too_with_what_was_said_of_it(both: Path, capsys: Out) -> None:
    (wanted,) = listed(capsys, "--identity", ROLE)
    assert main(["findings", "acknowledge", wanted["id"], "--by", "ann"]) == 0
    capsys.readouterr()
    assert main(["findings", "show", wanted["id"], "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [(each["verdict"], each["by"], each["until"]) for each in shown.pop("said")] == [("acknowledged", "ann", None)]
    assert shown == wanted | {"status": "acknowledged"}


def test_an_identity_that_is_not_known_is_no_all_clear(both: Path, capsys: Out) -> None:
    """It is found by the last part of its uid; a name that nobody has is said, with what is nearly called so."""
    assert [each["identity"] for each in listed(capsys, "--identity", "ci")] == [ROLE]
    assert main(["findings", "--identity", ROLE.replace("ci", "cii")]) == 2
    assert f"no identity here is called so; is {ROLE} meant?" in capsys.readouterr().err
    assert main(["findings", "--identity", "agent:nobody"]) == 2
    assert "no identity here is called so; `licet inventory list` lists" in capsys.readouterr().err
    inventory = Inventory(both / FILE)
    inventory.declare(identities=[Identity("github:ci")])
    inventory.close()
    assert main(["findings", "--identity", "ci"]) == 2
    assert f"ci is a name of several: {ROLE}, github:ci; give one of these" in capsys.readouterr().err


def test_an_empty_folder_is_told_of_logs_too(tmp_path: Path, capsys: Out) -> None:
    """Who has only logs has no guard to run; and looking makes nothing."""
    assert main(["findings", "--state", str(tmp_path / "none")]) == 2
    err = capsys.readouterr().err
    assert "there is nothing here yet: take logs in (`licet ingest SOURCE PATH`, then `licet monitor`), run a guard" in err
    assert not (tmp_path / "none").exists()
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert main(["findings", "--state", str(tmp_path / "file")]) == 2
    assert "file: is no folder" in capsys.readouterr().err


def test_who_sets_an_owner_is_told_when_findings_name_it(both: Path, capsys: Out) -> None:
    assert main(["inventory", "set-owner", ROLE, "ci-team"]) == 0
    assert "findings name the owner after the next `licet monitor`" in capsys.readouterr().out
    assert listed(capsys, "--identity", ROLE)[0]["owner"] is None
    assert main(["monitor"]) == 0
    capsys.readouterr()
    assert listed(capsys, "--identity", ROLE)[0]["owner"] == "ci-team"
