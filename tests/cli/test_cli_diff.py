"""`licet diff`: what is shown of a change, which recorded calls it affects, and when it stops a pipeline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hostile import HOSTILE, acting
from licet.cli import main

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

Out = pytest.CaptureFixture[str]
EXAMPLE = Path(__file__).parents[2] / "examples" / "replay"
SESSIONS = str(EXAMPLE / "sessions.jsonl")
OLD = (EXAMPLE / "licet.yaml").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    Path("old.yaml").write_text(OLD, encoding="utf-8")


def changed(*changes: tuple[str, str]) -> None:
    text = OLD
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    Path("new.yaml").write_text(text, encoding="utf-8")


def told(capsys: Out, *arguments: str) -> dict[str, Any]:
    main(["diff", "old.yaml", "new.yaml", *arguments, "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


MORE = ("send_email: {at_most: 1}", "send_email: {at_most: 2}")
LESS = ("refund: {ask: true, at_most: 1}", "refund: {ask: true, at_most: 1, arguments: {euros: {maximum: 20}}}")
TEXTS = ("purpose: Answer customer tickets", "purpose: Answer tickets")


@pytest.mark.parametrize(
    "changes, code", [((), 0), ((LESS,), 0), ((TEXTS,), 0), ((MORE,), 1), ((LESS, MORE), 1), ((("2000", "3000"),), 1)],
    ids=["same", "narrowed", "texts", "widened", "both", "longer"],
)  # fmt: skip
def test_only_what_may_allow_more_exits_with_1(changes: tuple[tuple[str, str], ...], code: int, capsys: Out) -> None:
    changed(*changes)
    assert main(["diff", "old.yaml", "new.yaml"]) == code
    assert main(["diff", "old.yaml", "new.yaml", "--only", "narrowed", "--json"]) == code
    out = capsys.readouterr().out
    assert ("no difference" in out) == (not changes)


def test_what_cannot_be_told_exits_with_1(capsys: Out) -> None:
    changed(("body: {maxLength: 2000, content: true}", "body: {maxLength: 2000, content: true, destination: false}"))
    assert main(["diff", "old.yaml", "new.yaml"]) == 1
    assert "0 widened, 1 changed, 0 narrowed" in capsys.readouterr().out


def test_differences_stand_by_task_kind_and_the_widened_first(capsys: Out) -> None:
    changed(LESS, MORE, ("egress: true", "egress: false"), TEXTS)
    assert main(["diff", "old.yaml", "new.yaml"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "every task kind"
    assert lines[1] == "  widened   what goes into `send_email` is no longer judged to leave our control"
    assert lines[3].endswith("(no decision depends on it)")
    kind = lines.index("answer-ticket")
    assert [line.split()[0] for line in lines[kind + 1 : -1 : 2]] == ["widened", "narrowed"]
    assert lines[kind + 2].strip() == "tasks.answer-ticket.tools.send_email.at_most"
    assert lines[-1] == "2 widened, 1 changed, 1 narrowed"


def test_only_shows_only_that(capsys: Out) -> None:
    changed(LESS, MORE)
    assert main(["diff", "old.yaml", "new.yaml", "--only", "widened"]) == 1
    out = capsys.readouterr().out
    assert "send_email" in out
    assert "euros" not in out
    assert [row["way"] for row in told(capsys, "--only", "narrowed")["differences"]] == ["narrowed"]


def test_with_traces_each_difference_has_the_calls_that_are_decided_differently(capsys: Out) -> None:
    changed(MORE, LESS)
    found = told(capsys, "--traces", SESSIONS)
    rows = {".".join(row["path"]): row["affected"] for row in found["differences"]}
    budget = rows["tasks.answer-ticket.tools.send_email.at_most"]
    assert (budget["calls"], budget["sessions"]) == ({"newly allowed": 1}, 1)
    assert (budget["first"][0]["session"], budget["first"][0]["call"], budget["first"][0]["old"]["checks"]) == ("s4", 3, ["scope.budget"])
    refund = rows["tasks.answer-ticket.tools.refund.arguments.euros.maximum"]
    assert refund["sessions"] == sum(refund["calls"].values()) <= 1
    assert found["traces"]["coverage"]["calls"] == 16
    assert found["traces"]["unexplained"]["calls"] == {}


def test_where_values_may_come_from_decides_calls_too(capsys: Out) -> None:
    changed(("[intent, counterpart]", "[intent]"))
    (row,) = told(capsys, "--traces", SESSIONS)["differences"]
    assert row["path"] == ["tools", "send_email", "arguments", "to", "origin"]
    assert row["affected"]["calls"]["newly denied"] >= 3
    assert row["affected"]["first"][0]["new"]["checks"] == ["origin.argument"]


def test_a_tool_that_is_taken_out_has_all_of_its_calls(capsys: Out) -> None:
    changed(("      find_order: {}\n", ""))
    assert main(["diff", "old.yaml", "new.yaml", "--traces", SESSIONS]) == 0
    out = capsys.readouterr().out
    assert "narrowed  `find_order` is no longer granted" in out
    assert "newly denied in" in out
    assert "; first: s1, call 2 (find_order)" in out


def test_a_call_that_only_follows_from_another_is_told_apart(capsys: Out) -> None:
    # Without the ticket nobody wrote it, so that nobody may be answered.
    changed(("      read_ticket: {}\n", "      read_ticket: {arguments: {number: {maximum: 1}}}\n"))
    found = told(capsys, "--traces", SESSIONS)
    (row,) = found["differences"]
    assert set(row["affected"]["calls"]) == {"newly denied"}
    assert {each["tool"] for each in row["affected"]["first"]} == {"read_ticket"}
    assert {each["tool"] for each in found["traces"]["unexplained"]["first"]} == {"send_email"}


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["old.yaml", "gone.yaml"], "cannot be read"),
        (["old.yaml", "broken.yaml"], "unknown key"),
        (["old.yaml", "old.yaml", "--traces", "gone.jsonl"], "gone.jsonl"),
        (["old.yaml", "old.yaml", "--agent", "x"], "give some with --traces"),
        (["old.yaml"], "required: NEW"),
        (["old.yaml", "old.yaml", "--only", "more"], "invalid choice"),
    ],
    ids=["gone", "broken", "no-traces", "agent-alone", "one-file", "only"],
)
def test_what_cannot_be_done_exits_with_2(arguments: list[str], said: str, capsys: Out) -> None:
    Path("broken.yaml").write_text(OLD.replace("ttl:", "tlt:"), encoding="utf-8")
    assert main(["diff", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_lines_that_are_no_sessions_are_named_and_the_rest_goes_on(capsys: Out) -> None:
    changed(MORE)
    Path("runs.jsonl").write_text("{}\n" + Path(SESSIONS).read_text(encoding="utf-8"), encoding="utf-8")
    assert main(["diff", "old.yaml", "new.yaml", "--traces", "runs.jsonl"]) == 1
    got = capsys.readouterr()
    assert "runs.jsonl:1: `calls`: is missing" in got.err
    assert "1 call newly allowed" in got.out


def test_texts_of_a_manifest_cannot_act_on_the_terminal(capsys: Out) -> None:
    texts = json.dumps("".join(HOSTILE)[:400])
    changed((TEXTS[0], f"purpose: {texts}"), ("body: {maxLength: 2000", f"body: {{description: {texts}, enum: [{texts}], maxLength: 2000"))
    assert main(["diff", "old.yaml", "new.yaml"]) in (0, 1)
    got = capsys.readouterr()
    assert "tools.send_email.arguments.body" in got.out
    assert not acting(got.out)


def test_diff_and_backtest_say_the_same_of_the_same_traces(capsys: Out) -> None:
    """Both take it from the same sums, calls that are decided alike for another reason among them."""
    changed(MORE, ("[intent, counterpart]", "[intent]"))
    found = told(capsys, "--traces", SESSIONS)
    main(["backtest", SESSIONS, "--old", "old.yaml", "--new", "new.yaml", "--json"])
    held = json.loads(capsys.readouterr().out)
    assert found["traces"]["changes"] == {name: number for name, number in held["changes"]["changes"].items() if number}
    assert found["traces"]["changes"]["other reason"] > 0
    rows = {tuple(row["path"]): row["affected"]["calls"] for row in found["differences"]}
    assert {tuple(row["path"]): row["affected"]["calls"] for row in held["differences"]} == rows
    main(["diff", "old.yaml", "new.yaml", "--traces", SESSIONS])
    decided = sum(number for name, number in found["traces"]["changes"].items() if name != "other reason")
    assert f"  {decided} of 16 judged by both are decided differently, " in capsys.readouterr().out


def test_only_sessions_of_the_suite_that_is_named_count(capsys: Out) -> None:
    changed(MORE)
    lines = Path(SESSIONS).read_text(encoding="utf-8").splitlines()
    other = [json.dumps(json.loads(line) | {"suite": "other"}) for line in lines]
    Path("runs.jsonl").write_text("\n".join([*lines, *other]), encoding="utf-8")
    suite = json.loads(lines[0])["suite"]
    assert told(capsys, "--traces", "runs.jsonl", "--suite", suite)["traces"]["coverage"]["calls"] == 16
    assert main(["diff", "old.yaml", "new.yaml", "--suite", suite]) == 2
    assert main(["suggest", "runs.jsonl", "-m", "old.yaml", "--suite", suite]) in (0, 1)
    assert "from 5 sessions" in capsys.readouterr().out
    assert main(["suggest", "-m", "old.yaml", "--suite", suite]) == 2


@pytest.mark.parametrize("text", ["", '{"a": 1}\n'], ids=["empty", "no-session"])
def test_traces_in_which_no_call_was_judged_are_said_and_have_an_exit_code(text: str, capsys: Out) -> None:
    changed(LESS)
    Path("runs.jsonl").write_text(text, encoding="utf-8")
    assert main(["diff", "old.yaml", "new.yaml", "--traces", "runs.jsonl"]) == 3
    assert "no call was judged by both, of 0 sessions" in capsys.readouterr().err
    assert main(["suggest", "runs.jsonl", "-m", "old.yaml"]) == 3
    assert "no session of a task kind of this manifest is there" in capsys.readouterr().err
    changed(MORE)
    assert main(["diff", "old.yaml", "new.yaml", "--traces", "runs.jsonl"]) == 1, "what is wider is told all the same"
