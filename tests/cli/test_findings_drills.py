"""A finding that was a drill says so once it is revealed, by what the drills' key signed; no mark that anybody can set makes it one."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from licet.cli.main import main

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

Out = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = tmp_path_factory.mktemp("drilled") / "state"
    assert main(["drill", "run", "D1", "D16", "--source", "cloudtrail", "--state", str(state)]) == 0
    return state


@pytest.fixture
def state(kept: Path, tmp_path: Path) -> Path:
    shutil.copytree(kept, tmp_path / "state")
    return tmp_path / "state"


def listed(state: Path, capsys: Out, *more: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert main(["findings", "--status", "all", "--json", "--state", str(state), *more]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["findings"]
    return found


def change(path: Path, statement: str, values: tuple[object, ...] = ()) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        assert db.execute(statement, values).rowcount


def test_the_list_and_one_finding_say_that_it_was_a_drill(state: Path, capsys: Out):
    found = listed(state, capsys)
    assert [(each["status"], len(each["drill"])) for each in found] == [("withdrawn", 16)] * 2
    assert main(["findings", "--status", "all", "--state", str(state)]) == 0
    assert capsys.readouterr().out.count("withdrawn  (a drill)") == 2
    assert main(["findings", "show", found[0]["id"], "--state", str(state)]) == 0
    assert f"drill:       {found[0]['drill']}: nobody misused anything" in capsys.readouterr().out
    assert main(["findings", "show", found[0]["id"], "--json", "--state", str(state)]) == 0
    assert json.loads(capsys.readouterr().out)["drill"] == found[0]["drill"]


def test_ocsf_says_that_it_was_a_test(state: Path, capsys: Out):
    capsys.readouterr()
    assert main(["findings", "--status", "all", "--ocsf", "--state", str(state)]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = [each for each in events if each["class_uid"] in (2004, 2008)]
    assert {each["class_uid"] for each in told} == {2004, 2008}
    for each in told:
        assert (each["verdict_id"], each["verdict"], each["status_id"], each["activity_id"]) == (6, "Test", 4, 3)
        assert each["metadata"]["profiles"] == ["incident"]
        assert each["unmapped"]["drill"]


def _cites_more(state: Path, finding: Mapping[str, Any]) -> None:
    """A finding with one record of somebody else is no drill's."""
    with closing(sqlite3.connect(state / "inventory.db")) as db, db:
        [(body,)] = db.execute("SELECT body FROM findings WHERE id=?", (finding["id"],)).fetchall()
        told = json.loads(body)
        told["explanation"]["evidence"].append(told["explanation"]["evidence"][0] | {"digest": "ab" * 32, "uid": "cloudtrail/other"})
        db.execute("UPDATE findings SET body=? WHERE id=?", (json.dumps(told), finding["id"]))


def _points_elsewhere(state: Path, finding: Mapping[str, Any]) -> None:
    """The book is anybody's to write, and its results are signed."""
    with closing(sqlite3.connect(state / "inventory.db")) as db, db:
        [(body,)] = db.execute("SELECT body FROM findings WHERE id=?", (finding["id"],)).fetchall()
        db.execute("UPDATE findings SET id='real', body=? WHERE id=?", (body.replace(finding["id"], "real"), finding["id"]))
    change(state / "drill.db", "UPDATE drills SET result=replace(result, ?, 'real')", (finding["id"],))


def _lets_in_more(state: Path, finding: Mapping[str, Any]) -> None:
    """What the drill let in stands under its commitment."""
    _cites_more(state, finding)
    change(state / "drill.db", "UPDATE drills SET events=json_insert(events, '$[#]', ?)", ("ab" * 32,))


def _is_somebody_else(state: Path, finding: Mapping[str, Any]) -> None:
    with closing(sqlite3.connect(state / "inventory.db")) as db, db:
        [(body,)] = db.execute("SELECT body FROM findings WHERE id=?", (finding["id"],)).fetchall()
        told = json.loads(body)
        told["explanation"]["identity"] = "arn:aws:iam::111122223333:role/real"
        db.execute("UPDATE findings SET body=? WHERE id=?", (json.dumps(told), finding["id"]))


def _is_not_revealed(state: Path, finding: Mapping[str, Any]) -> None:
    """The ledger says what it was, and the book says which record does."""
    change(state / "drill.db", "UPDATE drills SET revealed=0 WHERE instr(result, ?)", (finding["id"],))


CHEATS = {
    "it cites one record more": _cites_more, "the result points to it": _points_elsewhere,
    "the drill is said to have let in one record more": _lets_in_more, "it is about somebody else": _is_somebody_else,
    "nothing revealed it": _is_not_revealed,
}  # fmt: skip


@pytest.mark.parametrize("cheat", CHEATS)
def test_nobody_makes_a_finding_a_drill(cheat: str, state: Path, capsys: Out):
    first, second = listed(state, capsys)
    CHEATS[cheat](state, first)
    found = {each["id"]: each.get("drill") for each in listed(state, capsys)}
    assert found.pop(second["id"]) == (second["drill"] if cheat != "the drill is said to have let in one record more" else None)
    assert list(found.values()) == [None]


def test_where_the_book_cannot_be_read_nothing_is_called_a_drill_and_everything_is_listed(state: Path, capsys: Out):
    (state / "drill.db").write_bytes(b"no database" * 500)
    assert [each.get("drill") for each in listed(state, capsys)] == [None, None]


def test_status_is_fail_where_the_rest_was_never_played_and_its_page_runs_nothing(state: Path, capsys: Out, tmp_path: Path):
    page = tmp_path / "page.html"
    capsys.readouterr()
    assert main(["drill", "status", "--html", str(page), "--json", "--state", str(state)]) == 1
    card = json.loads(capsys.readouterr().out)
    assert (card["verdict"], [each["kind"] for each in card["reasons"]]) == ("FAIL", ["unplayed"])
    metrics = {each["name"]: each for each in card["metrics"]}
    assert (metrics["drill_pass_rate"]["numerator"], metrics["drill_pass_rate"]["denominator"]) == (6, 6)
    assert metrics["detection_coverage"]["numerator"] == 2
    assert metrics["alerts_per_day"]["numerator"] == 0  # what was a drill is no alert
    text = page.read_text(encoding="utf-8")
    assert text.count("<svg") == 4
    assert "default-src 'none'" in text
    assert not any(word in text for word in ("<script", 'http-equiv="refresh"', "<link", "<img", "@import", "url("))


def test_status_of_nothing_is_no_pass(capsys: Out, tmp_path: Path):
    assert main(["drill", "status", "--state", str(tmp_path / "none")]) == 2
    assert not (tmp_path / "none").exists()
    (tmp_path / "empty").mkdir(mode=0o700)
    capsys.readouterr()
    assert main(["drill", "status", "--state", str(tmp_path / "empty")]) == 1
    assert "no drill has a result" in capsys.readouterr().out
