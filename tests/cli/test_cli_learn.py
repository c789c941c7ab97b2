"""`licet learn`: exit codes, what is written, and what is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hostile import acting
from licet.cli import main
from licet.manifest import load

Captured = pytest.CaptureFixture[str]
EXAMPLE = Path(__file__).parents[2] / "examples" / "learn"
SESSIONS, MANIFEST = str(EXAMPLE / "sessions.jsonl"), str(EXAMPLE / "licet.yaml")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("LICET_STATE", str(tmp_path / "state"))
    return tmp_path


def lines(*sessions: dict[str, object], name: str = "runs.jsonl") -> str:
    Path(name).write_text("".join(json.dumps(each) + "\n" for each in sessions), encoding="utf-8")
    return name


def session(name: str = "s", suite: str = "answer-ticket", **more: object) -> dict[str, object]:
    call = {"name": "read_ticket", "args": {"number": 1}, "output": "{}", "error": None}
    return {"id": name, "suite": suite, "prompt": "Answer ticket 1.", "calls": [call], **more}


def test_it_writes_a_draft_that_loads_and_says_what_to_do_next(capsys: Captured):
    assert main(["learn", SESSIONS, "-m", MANIFEST, "-o", "draft.yaml"]) == 0
    assert load("draft.yaml").tasks["answer-ticket"].baseline is not None
    said = capsys.readouterr().out
    for command in ("licet diff", "licet backtest", "licet ratify draft.yaml --by NAME"):
        assert command in said


def test_without_a_file_the_draft_goes_to_standard_output_and_nothing_else_does(capsys: Captured):
    assert main(["learn", SESSIONS, "-m", MANIFEST]) == 0
    told = capsys.readouterr()
    Path("draft.yaml").write_text(told.out, encoding="utf-8")
    assert load("draft.yaml").tasks["answer-ticket"].baseline is not None
    assert "23 sessions taught" in told.err


def test_a_file_that_exists_is_overwritten_only_with_force(capsys: Captured):
    Path("draft.yaml").write_text("mine", encoding="utf-8")
    assert main(["learn", SESSIONS, "-m", MANIFEST, "-o", "draft.yaml"]) == 2
    assert Path("draft.yaml").read_text(encoding="utf-8") == "mine"
    assert "`--force`" in capsys.readouterr().err
    assert main(["learn", SESSIONS, "-m", MANIFEST, "-o", "draft.yaml", "--force"]) == 0


def test_json_says_the_same(capsys: Captured):
    assert main(["learn", SESSIONS, "-m", MANIFEST, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    kind = found["kinds"]["answer-ticket"]
    assert (kind["sessions"], kind["doubted"], kind["doubts"]) == (23, 1, {"origin.argument would deny now": 1})
    assert kind["baseline"]["tools"] == {"find_order": 23, "read_ticket": 23, "send_email": 23}
    assert "baseline:" in found["draft"]


def test_where_nothing_teaches_it_writes_nothing_and_exits_with_1(capsys: Captured):
    assert main(["learn", lines(session(attack={"name": "x"})), "-m", MANIFEST, "-o", "draft.yaml"]) == 1
    told = capsys.readouterr()
    assert "it was attacked, as the record says" in told.err
    assert "nothing could be learned" in told.err
    assert not Path("draft.yaml").exists()


def test_sessions_of_no_kind_are_named_and_their_names_cannot_act(capsys: Captured):
    text = Path(MANIFEST).read_text(encoding="utf-8") + "  other: {intent: Other, ttl: 5m, tools: {read_ticket: {}}}\n"
    Path("two.yaml").write_text(text.replace("tasks: [answer-ticket]", "tasks: [answer-ticket, other]"), encoding="utf-8")
    assert main(["learn", lines(session("a"), session("b", suite="\x1b[31mred\u202e")), "-m", "two.yaml"]) == 0
    told = capsys.readouterr()
    assert not acting(told.out + told.err)
    assert "is no task kind of this manifest: 1 session" in told.out


def test_a_bad_line_is_named_and_the_rest_teaches(capsys: Captured):
    name = lines(session())
    with Path(name).open("a", encoding="utf-8") as file:
        file.write("{}\n")
    assert main(["learn", name, "-m", MANIFEST, "-o", "draft.yaml"]) == 0
    assert "not a session: runs.jsonl:2: `calls`" in capsys.readouterr().err


def test_trusted_takes_what_somebody_has_looked_at(capsys: Captured):
    assert main(["learn", SESSIONS, "-m", MANIFEST, "--trusted", "--json"]) == 0
    kind = json.loads(capsys.readouterr().out)["kinds"]["answer-ticket"]
    assert (kind["sessions"], kind["doubted"]) == (24, 0)


def test_since_takes_only_what_is_newer(capsys: Captured):
    assert main(["learn", SESSIONS, "-m", MANIFEST, "--since", "2026-11-01", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kinds"]["answer-ticket"]["sessions"] == 9


def test_the_learning_period_and_the_share_can_be_chosen(capsys: Captured):
    rare = ["learn", SESSIONS, "-m", MANIFEST, "--json", "--rare", "0", "--min-sessions", "50", "--min-support", "2"]
    assert main(rare) == 0
    base = json.loads(capsys.readouterr().out)["kinds"]["answer-ticket"]["baseline"]
    assert base["tools"]["refund"] == 1
    assert base["minimum"] == {"sessions": 50, "support": 2}


def test_it_learns_from_the_store_of_the_state_folder(capsys: Captured):
    from licet import Guard

    with Guard.from_file(MANIFEST, state="state") as guard:
        read = guard.wrap(lambda number: {"number": number, "from": "ada@customer.example"}, name="read_ticket")
        for number in range(6):
            with guard.task("answer-ticket", intent=f"Answer ticket {number}", agent="support-bot", principal="user:grace"):
                read(number=number)
    assert main(["learn", "-m", MANIFEST, "-o", "draft.yaml"]) == 0
    base = load("draft.yaml").tasks["answer-ticket"].baseline
    assert base is not None
    assert (base.sessions, dict(base.tools), dict(base.edges)) == (6, {"read_ticket": 6}, {"start -> read_ticket": 6})


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param([SESSIONS, "-m", MANIFEST, "--rare", "1.5"], id="no-share"),
        pytest.param([SESSIONS, "-m", MANIFEST, "--min-sessions", "0"], id="no-number"),
        pytest.param([SESSIONS, "-m", MANIFEST, "--since", "yesterday"], id="no-time"),
        pytest.param([SESSIONS, "-m", MANIFEST, "--task", "nothing"], id="no-kind"),
        pytest.param([SESSIONS, "-m", MANIFEST, "--agent", "nobody"], id="no-agent"),
        pytest.param([SESSIONS, "-m", "missing.yaml"], id="no-manifest"),
        pytest.param(["missing.jsonl", "-m", MANIFEST], id="no-traces"),
        pytest.param(["-m", MANIFEST], id="no-store"),
        pytest.param([SESSIONS, "-m", MANIFEST, "-o", "no/such/folder.yaml"], id="no-folder"),
    ],
)
def test_wrong_usage_is_a_sentence(wrong: list[str], capsys: Captured):
    assert main(["learn", *wrong]) == 2
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    assert told.err.strip()
    assert told.out == ""
