"""`licet replay`: counts, choices of task kind and agent, and lines that are no sessions."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from hostile import HOSTILE, acting
from licet import Guard, lines
from licet.cli import main
from licet.replay import Bad, Replay, Session, Statistics, read

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

Out = pytest.CaptureFixture[str]

MANIFEST = """\
licet: 1
environment: prod
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [tickets, other]}, second: {owner: o, tasks: [other]}}
tools:
  read: {access: read, egress: false, arguments: {number: {type: integer}}}
  mail: {access: write, egress: true, arguments: {to: {pattern: '[^@]+@acme\\.example'}}}
  bare: {access: read, egress: false}
  pay: {access: write, egress: true, arguments: {amount: {}}}
tasks:
  tickets:
    intent: Answer tickets
    ttl: 10m
    tools: {read: {}, bare: {}, mail: {at_most: 2}, pay: {ask: true}}
    chain: [start -> read, read -> read, read -> mail, mail -> mail, read -> pay, mail -> pay, pay -> pay, pay -> mail, start -> bare]
  other: {intent: Other work, ttl: 10m, tools: {read: {}}}
"""


def call(name: str, output: Any = "text", error: str | None = None, **args: Any) -> dict[str, Any]:
    return {"name": name, "args": args, "output": output, "error": error}


# Whom a session writes to and what it pays, its user has said: other checks than those of origins are meant here.
PROMPT = "Answer ticket 1 of ada@acme.example and a@acme.example, not of eve@evil.example; pay amount 1 or amount 2"


def session(*calls: Any, **changes: Any) -> dict[str, Any]:
    return {"id": "s1", "suite": "tickets", "prompt": PROMPT, "calls": list(calls)} | changes


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "licet.yaml").write_text(MANIFEST, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LICET_STATE", str(tmp_path / "mine"))
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


def written(*lines: Any, name: str = "runs.jsonl") -> str:
    raw = b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    Path(name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return name


def replayed(capsys: Out, *arguments: str, code: int = 0) -> dict[str, Any]:
    assert main(["replay", *arguments, "--json"]) == code
    out = capsys.readouterr().out
    assert out.isascii()
    result: dict[str, Any] = json.loads(out)
    return result


def test_each_call_is_counted_once_by_the_first_word_of_the_guard(place: Path, capsys: Out) -> None:
    file = written(
        session(
            call("read", number=1),
            call("mail", to="eve@evil.example"),
            call("mail", to="ada@acme.example"),
            call("pay", amount=1),
            call("nope"),
            call("read", number="x"),
        ),
        session(call("read", number=1), prompt=["one", "two"], id="s2"),
        session(prompt=None, id="s3"),
        name="runs.jsonl.gz",
    )
    counts = replayed(capsys, file)["kinds"]["tickets"]
    unexecuted = counts.pop("unexecuted")
    assert counts.items() >= {
        "sessions": 3, "sessions_with_denial": 1, "calls": 7, "allowed": 3, "asked": 1, "approved": 0, "denied": 3,
        "denied_by_check": {"scope.argument": 2, "chain.order": 2, "scope.unknown-tool": 1}, "observed_by_check": {},
    }.items()  # fmt: skip
    assert unexecuted["calls"] == 0
    assert not (place / "mine").exists()


def test_the_answer_to_questions_is_chosen(place: Path, capsys: Out) -> None:
    file = written(session(call("read", number=1), call("pay", amount=1), call("pay", amount=2)))
    yes = replayed(capsys, file, "--ask", "yes")["kinds"]["tickets"]
    assert (yes["asked"], yes["approved"], yes["denied"]) == (2, 2, 0)
    no = replayed(capsys, file, "--ask", "no")["kinds"]["tickets"]
    assert (no["asked"], no["approved"], no["denied_by_check"]) == (1, 0, {"approval.refused": 1})


def test_an_error_is_an_error_and_what_never_ran_is_counted_apart(place: Path, capsys: Out) -> None:
    """Neither is a completed call, so that the chain stays at `start`."""
    failed = written(session(call("read", output="", error="no such ticket", number=1), call("mail", to="a@acme.example")))
    assert replayed(capsys, failed)["kinds"]["tickets"]["denied_by_check"] == {"chain.order": 1}
    counts = replayed(capsys, written(session(call("read", output=None, number=1), call("mail", to="a@acme.example", output=None))))[
        "kinds"
    ]["tickets"]
    assert counts["calls"] == 0
    assert (counts["unexecuted"]["calls"], counts["unexecuted"]["allowed"], counts["unexecuted"]["denied_by_check"]) == (
        2,
        1,
        {"chain.order": 1},
    )


def test_budgets_hold_within_a_session_and_not_across(place: Path, capsys: Out) -> None:
    mail = call("mail", to="a@acme.example")
    file = written(session(call("read", number=1), mail, mail, mail), session(call("read", number=1), mail, id="s2"))
    assert replayed(capsys, file)["kinds"]["tickets"]["denied_by_check"] == {"scope.budget": 1}


def test_the_task_kind_is_the_option_then_the_suite_then_the_only_kind(place: Path, capsys: Out) -> None:
    file = written(session(call("read", number=1), suite="elsewhere"))
    assert main(["replay", file]) == 2
    assert (
        "runs.jsonl:1: no task kind is named like the suite 'elsewhere'; say which one with --task: tickets, other"
        in capsys.readouterr().err
    )
    assert list(replayed(capsys, file, "--task", "tickets")["kinds"]) == ["tickets"]
    assert main(["replay", file, "--task", "nope"]) == 2
    only = MANIFEST.replace("tasks: [tickets, other]", "tasks: [tickets]").replace(", second: {owner: o, tasks: [other]}", "")
    Path("only.yaml").write_text(only.partition("  other: {")[0], encoding="utf-8")
    assert list(replayed(capsys, file, "-m", "only.yaml")["kinds"]) == ["tickets"]


def test_the_agent_is_the_option_or_the_only_one(place: Path, capsys: Out) -> None:
    file = written(session(call("read", number=1), suite="other"))
    assert main(["replay", file]) == 2
    assert "2 agents may run it: bot, second; say who acts with --agent" in capsys.readouterr().err
    assert replayed(capsys, file, "--agent", "second")["kinds"]["other"]["allowed"] == 1
    assert main(["replay", file, "--agent", "nobody"]) == 2
    wrong = replayed(capsys, written(session(call("read", number=1))), "--agent", "second")["kinds"]["tickets"]
    assert wrong["denied_by_check"] == {"identity.unknown-agent": 1}


def test_what_the_manifest_does_not_declare_is_said(place: Path, capsys: Out) -> None:
    assert main(["replay", written(session(call("bare", x=1), call("bare", x=2)))]) == 0
    assert "2 times an argument was refused because the manifest does not declare it, most often bare(x)" in capsys.readouterr().err


GOOD = session(call("read", number=1))
BAD = [
    (b"{", "", "not JSON"),
    (b"\xff{}", "", "not UTF-8 at byte 0"),
    (b"[" * 100_000, "", "not JSON"),
    (b"[]", "", "an object"),
    (b'{"id": NaN}', "", "NaN"),
    (session(call("read"), id=3), "id", "must be a text, not a number"),
    ({key: value for key, value in GOOD.items() if key != "prompt"}, "prompt", "is missing"),
    ({key: value for key, value in GOOD.items() if key != "suite"}, "suite", "is missing"),
    (session(prompt=[1]), "prompt[0]", "must be a text"),
    (session(prompt={}), "prompt", "must be a text or a list or null"),
    (session(calls={}), "calls", "must be a list, not an object"),
    (session("x"), "calls[0]", "a call is an object"),
    (session({"name": "a"}), "calls[0].args", "is missing"),
    (session(call("a") | {"args": [1]}), "calls[0].args", "must be an object"),
    (session(call("a") | {"name": None}), "calls[0].name", "must be a text"),
    (session({"name": "a", "args": {}, "error": None}), "calls[0].output", "is missing"),
    (session(call("a") | {"error": 3}), "calls[0].error", "must be a text or null"),
    (session(call("a"), utility="yes"), "utility", "must be true or false or null, not a text"),
    (session(call("a"), attack_success=1), "attack_success", "must be true or false or null, not a number"),
    (session(call("a"), meta=[]), "meta", "must be an object or null, not a list"),
    (session(call("a"), meta={"call_labels": [None, None]}), "meta.call_labels", "has 2 items for 1 calls"),
    (session(call("a"), meta={"call_labels": [1]}), "meta.call_labels[0]", "must be a text or null, not a number"),
    (session(call("a"), meta={"call_turn": [True]}), "meta.call_turn[0]", "must be a number or null, not true or false"),
]


@pytest.mark.parametrize("line,key,why", BAD, ids=range(len(BAD)))
def test_a_line_that_is_no_session_is_named_and_the_rest_goes_on(line: Any, key: str, why: str, place: Path, capsys: Out) -> None:
    file = written(GOOD, line, b"", GOOD)
    result = replayed(capsys, file, code=1)
    assert result["sessions"] == 2
    (bad,) = result["bad"]["first"]
    assert (bad["file"], bad["line"], bad["key"]) == (file, 2, key)
    assert why in bad["why"]


def test_ten_bad_lines_are_named_and_the_rest_counted(place: Path, capsys: Out) -> None:
    assert main(["replay", written(*[b"\x1b[2J"] * 15, GOOD)]) == 1
    out, err = capsys.readouterr()
    assert err.count("not a session: runs.jsonl:") == 10
    assert "5 more lines" in err
    assert "1 session, 1 call in" in out
    assert "15 bad lines" in out


@pytest.mark.parametrize("cut", [5, 40, -1, -6])
def test_a_gzip_file_that_is_cut_off_counts_as_one_bad_line(cut: int, place: Path, capsys: Out) -> None:
    raw = gzip.compress(b"".join(json.dumps(session(call("read", number=n), id=f"s{n}")).encode() + b"\n" for n in range(50)))
    Path("cut.jsonl.gz").write_bytes(raw[:cut])
    result = replayed(capsys, "cut.jsonl.gz", written(GOOD), code=1)
    assert result["bad"]["lines"] >= 1
    assert result["sessions"] >= 1


def test_a_line_too_long_to_hold_is_read_past(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE", 300)
    items = list(read(written(GOOD, b"x" * 1_000, GOOD)))
    assert [type(item) for item in items] == [Session, Bad, Session]
    assert isinstance(items[1], Bad)
    assert items[1].line == 2


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nowhere.jsonl"],
        ["."],
        ["a\x00b"],
        ["runs.jsonl", "-m", "nowhere.yaml"],
        ["runs.jsonl", "--ask", "maybe"],
        ["runs.jsonl", "--agent", "nobody"],
    ],
)
def test_wrong_usage_exits_2(arguments: list[str], place: Path, capsys: Out) -> None:
    written(GOOD)
    assert main(["replay", *arguments]) == 2
    assert capsys.readouterr().out == ""


def test_an_empty_file_is_said(place: Path, capsys: Out) -> None:
    """It is mostly the wrong file."""
    Path("empty.jsonl").write_bytes(b"")
    assert replayed(capsys, "empty.jsonl", code=1)["sessions"] == 0


def test_progress_is_said_where_the_work_is_long(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.setattr("licet.cli.progress.LOG_SECONDS", 0.0)
    assert main(["replay", written(GOOD, GOOD)]) == 0
    assert "100%  " in capsys.readouterr().err


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_sessions_act_on_nobody(text: str, place: Path, capsys: Out) -> None:
    """As a tool's and an argument's name, a value, an output, an error, an id, a prompt; and as a line that is no session."""
    hostile = session(
        call(text, number=1), call("read", output=text, number=1), call("read", error=text, number=1),
        {"name": "bare", "args": {text: text}, "output": "x", "error": None}, id=text, prompt=text,
    )  # fmt: skip
    file = written(hostile, session(call("a") | {"args": text}, id=text), text.encode("utf-8", "surrogatepass"), GOOD)
    code = main(["replay", file])
    out, err = capsys.readouterr()
    assert code == 1
    assert acting(out) == []
    assert acting(err) == []
    assert "undecided" not in out  # a name that is no text is a tool that nobody declared, and no error of the guard


def test_a_session_that_cannot_be_written_down_is_denied_and_not_lost(place: Path) -> None:
    """A lone surrogate is JSON and no text: the guard refuses, and the replay goes on."""
    statistics = Statistics()
    with Guard.from_file("licet.yaml", state=place / "state") as guard:
        for item in read(
            written(
                b'{"id":"s","suite":"tickets","prompt":"p","calls":[{"name":"read","args":{"number":"\\ud800"},"output":"x","error":null}]}'
            )
        ):
            assert isinstance(item, Session)
            Replay(guard, statistics).run(item)
    assert statistics.of("tickets").executed.checks == {"scope.argument": 1}


@pytest.mark.parametrize("name", ["licet.yaml", "runs.jsonl", "./runs.jsonl", "link.html"])
@pytest.mark.parametrize("force", [(), ("--force",)], ids=["", "forced"])
def test_a_page_never_takes_the_place_of_what_the_replay_reads(place: Path, capsys: Out, name: str, force: tuple[str, ...]) -> None:
    file = written(session(call("read", number=1)))
    Path("link.html").symlink_to("licet.yaml")
    before = {each: Path(each).read_text() for each in ("licet.yaml", file)}
    assert main(["replay", file, "--html", name, *force]) == 2
    assert "is read by this command" in capsys.readouterr().err
    assert {each: Path(each).read_text() for each in before} == before


def test_a_page_takes_the_place_of_another_file_only_if_it_is_one_of_ours_or_if_forced(place: Path, capsys: Out) -> None:
    file = written(session(call("read", number=1)))
    Path("notes.html").write_text("my notes")
    assert main(["replay", file, "--html", "notes.html"]) == 2
    assert "no page of Licet's" in capsys.readouterr().err
    assert Path("notes.html").read_text() == "my notes"
    for options in (["--force"], []):
        assert main(["replay", file, "--html", "notes.html", *options]) == 0
        assert "my notes" not in Path("notes.html").read_text()
