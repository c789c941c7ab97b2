"""`licet suggest`: from recorded sessions and from the store, with the line to change, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from licet import Guard
from licet.cli import main
from licet.manifest import load
from licet.testing import FakeClock
from state_fixture import MANIFEST

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

Out = pytest.CaptureFixture[str]
UNTIL = "2026-11-22"
START = 1795341600.0  # 2026-11-22T10:00Z
DAY = 86_400


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("LICET_STATE", str(tmp_path / "state"))
    Path("licet.yaml").write_text(MANIFEST, encoding="utf-8")


def sessions(*ago: float, tool: str = "read_ticket", kind: str = "answer") -> str:
    """Recorded sessions of one call, so many days before the window's end."""
    call = {"name": tool, "args": {"number": 1}, "output": "text", "error": None}
    rows = [
        {"id": f"{tool}{day}", "suite": kind, "prompt": "Read ticket 1", "calls": [call], "time": START - day * DAY} for day in ago
    ]  # fmt: skip
    return "".join(json.dumps(row) + "\n" for row in rows)


def suggested(capsys: Out, *arguments: str) -> list[dict[str, Any]]:
    main(["suggest", *arguments, "--json"])
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["suggestions"]
    return found


ALL = ("--agent", "helper", "--window", "30d", "--until", UNTIL)


def test_unused_grants_are_told_with_file_line_key_and_change(capsys: Out) -> None:
    Path("runs.jsonl").write_text(sessions(*range(0, 60, 5)), encoding="utf-8")
    assert main(["suggest", "runs.jsonl", *ALL]) == 1
    lines = capsys.readouterr().out.splitlines()
    line = next(number for number, text in enumerate(MANIFEST.splitlines(), 1) if text.startswith("    tools: {read_ticket: {}, pay"))
    at = lines.index(f"licet.yaml:{line}: unused-grant: `pay` was never used")
    assert lines[at + 1] == "    why: of 6 sessions in the window none used it, since 2026-09-28"
    assert lines[at + 2] == "    tasks.answer.tools.pay: take `pay` out of `tools:`"
    assert lines[-1] == "5 suggestions from 12 sessions; window 30 d"


def test_json_says_the_same(capsys: Out) -> None:
    Path("runs.jsonl").write_text(sessions(*range(0, 60, 5)), encoding="utf-8")
    found = [row for row in suggested(capsys, "runs.jsonl", *ALL) if row["what"] == "unused-grant"]
    assert [row["tool"] for row in found] == ["pay", "send_email"]
    assert found[0]["path"] == ["tasks", "answer", "tools", "pay"]
    assert (found[0]["sessions"], found[0]["first"], found[0]["kind"]) == (6, None, "answer")
    assert isinstance(found[0]["line"], int)


def test_nothing_to_suggest_exits_with_0(capsys: Out) -> None:
    one = MANIFEST.replace(
        "tools: {read_ticket: {}, pay: {ask: true}, send_email: {arguments: {to: {pattern: '[^@]+@acme\\.example'}}, at_most: 1}}",
        "tools: {read_ticket: {}}",
    )
    one = (
        one[: one.index("  lookup: {intent")]
        .replace("tasks: [lookup, answer]", "tasks: [answer]")
        .replace("  stray: {tasks: [alone]}\n", "")
    )
    Path("one.yaml").write_text(one, encoding="utf-8")
    Path("runs.jsonl").write_text(sessions(*range(0, 60, 5)), encoding="utf-8")
    assert main(["suggest", "runs.jsonl", "-m", "one.yaml", *ALL]) == 0
    assert capsys.readouterr().out == "0 suggestions from 12 sessions; window 30 d\n"


def test_the_store_tells_uses_and_who_acted(tmp_path: Path, capsys: Out) -> None:
    clock = FakeClock(START - 60 * DAY)
    with Guard(load("licet.yaml"), state=tmp_path / "state", clock=clock) as guard:

        @guard.tool
        def read_ticket(number: int) -> str:
            return "text"

        for _ in range(12):
            with guard.task("answer", intent="Answer ticket 1", agent="bot", principal="user:grace"):
                read_ticket(1)
            clock.advance(5 * DAY)
    found = suggested(capsys, "--window", "30d", "--until", UNTIL)
    assert [row["tool"] for row in found if row["what"] == "unused-grant"] == ["pay", "send_email"]
    assert [row["path"][1] for row in found if row["what"] == "unused-agent"] == ["helper", "stray"]
    assert [row["kind"] for row in found if row["what"] == "unused-kind"] == ["lookup", "alone"]


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["-m", "gone.yaml"], "cannot be read"),
        (["gone.jsonl"], "gone.jsonl"),
        ([], "no guard has ever used this folder"),
        (["--window", "soon"], "a duration is a whole number and a unit"),
        (["--until", "tomorrow"], "must be a day"),
    ],
    ids=["manifest", "traces", "no-store", "window", "until"],
)
def test_what_cannot_be_done_exits_with_2(arguments: list[str], said: str, capsys: Out) -> None:
    assert main(["suggest", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not Path("state").exists()  # a command that only reads makes nothing


def test_lines_that_are_no_sessions_are_named(capsys: Out) -> None:
    Path("runs.jsonl").write_text("nonsense\n" + sessions(1), encoding="utf-8")
    main(["suggest", "runs.jsonl", *ALL])
    assert "runs.jsonl:1: not JSON" in capsys.readouterr().err


def test_sessions_of_no_declared_kind_are_counted_and_told(capsys: Out) -> None:
    Path("runs.jsonl").write_text(sessions(1, kind="elsewhere"), encoding="utf-8")
    main(["suggest", "runs.jsonl", *ALL])
    assert "1 session of no task kind of this manifest" in capsys.readouterr().err
