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
    assert kind["baseline"]["tools"] == {"find_order": 23, "read_ticket": 23, "refund": 1, "send_email": 23}
    assert kind["baseline"]["minimum"]["support"] == 2
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


def test_sessions_of_another_suite_are_told_and_what_no_declared_tool_is_in_teaches_nothing(capsys: Captured):
    foreign = session("b", suite="bank", calls=[{"name": "pay", "args": {}, "output": "ok", "error": None}])
    assert main(["learn", lines(foreign), "-m", MANIFEST, "-o", "draft.yaml"]) == 1
    told = capsys.readouterr().err
    assert "1 session of other suites were taken for `answer-ticket`, the only task kind: bank (1)" in told
    assert "it called what is not declared under `tools:`: pay" in told
    assert "declare what it calls" in told
    assert "--trusted" not in told
    assert main(["learn", lines(foreign), "-m", MANIFEST, "--task", "answer-ticket", "--trusted"]) == 1
    told = capsys.readouterr().err
    assert "call no tool that is declared" in told
    assert "are these recordings of its agents?" in told
    assert "of other suites" not in told


def test_where_no_tool_is_learned_the_baseline_that_is_there_stays(capsys: Captured):
    """Wrong traces must not take away what is known."""
    assert main(["learn", SESSIONS, "-m", MANIFEST, "-o", "draft.yaml"]) == 0
    two = Path("draft.yaml").read_text(encoding="utf-8").replace("tasks: [answer-ticket]", "tasks: [answer-ticket, other]")
    at = two.index("# Learned by")
    two = two[:at] + "  other: {intent: Other, ttl: 5m, tools: {read_ticket: {}}}\n" + two[at:]
    Path("two.yaml").write_text(two, encoding="utf-8")
    empty = session("e", calls=[])
    assert main(["learn", lines(empty, session("o", suite="other")), "-m", "two.yaml", "-o", "new.yaml"]) == 0
    tasks = load("new.yaml").tasks
    assert tasks["answer-ticket"].baseline == load("draft.yaml").tasks["answer-ticket"].baseline
    assert tasks["other"].baseline is not None


def test_a_session_that_is_given_twice_counts_once(capsys: Captured):
    once, other = lines(session("a")), lines(session("a"), session("b"), name="rotated.jsonl")
    assert main(["learn", once, other, "-m", MANIFEST, "--json"]) == 0
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert (found["kinds"]["answer-ticket"]["sessions"], found["given_before"]) == (2, 1)
    assert "1 session given before" in told.err
    changed = lines(session("a", prompt="Answer ticket 1, please."), name="changed.jsonl")
    assert main(["learn", once, changed, "-m", MANIFEST, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kinds"]["answer-ticket"]["sessions"] == 2


def test_who_did_not_teach_is_named_at_most_twenty_and_in_json_all(capsys: Captured):
    name = lines(*(session(f"bad-{n:02}", attack={"name": "x"}) for n in range(23)), session("good"))
    assert main(["learn", name, "-m", MANIFEST, "-o", "draft.yaml"]) == 0
    told = capsys.readouterr().out
    assert "bad-19 (runs.jsonl:20)" in told
    assert "bad-20" not in told
    assert "and 3 more; `--json` has all" in told
    assert main(["learn", name, "-m", MANIFEST, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["did_not_teach"]
    assert len(found) == 23
    assert found[22] == {
        "session": "bad-22", "place": "runs.jsonl:23", "task_kind": "answer-ticket", "why": ["it was attacked, as the record says"]
    }  # fmt: skip


def test_strict_fails_on_a_line_that_is_no_session_and_writes_the_draft_all_the_same():
    name = lines(session())
    with Path(name).open("a", encoding="utf-8") as file:
        file.write("{}\n")
    assert main(["learn", name, "-m", MANIFEST, "-o", "draft.yaml", "--strict"]) == 1
    assert load("draft.yaml").tasks["answer-ticket"].baseline is not None
    assert main(["learn", lines(session()), "-m", MANIFEST, "-o", "draft.yaml", "--force", "--strict"]) == 0


@pytest.mark.parametrize(
    "given, more, hint",
    [
        pytest.param([], [], "no session is in what was given", id="nothing"),
        pytest.param([session()], ["--suite", "nosuch"], "no session is as --suite says", id="no-suite"),
        pytest.param([session(attack={"name": "x"})], [], "no session teaches; why stands above", id="attacked"),
    ],
)
def test_the_hint_fits_the_case(given: list[dict[str, object]], more: list[str], hint: str, capsys: Captured):
    assert main(["learn", lines(*given), "-m", MANIFEST, *more]) == 1
    told = capsys.readouterr().err
    assert f"nothing could be learned: {hint}" in told
    assert "--trusted" not in told


def test_trusted_is_only_offered_where_it_helps(capsys: Captured):
    honest = Path(SESSIONS).read_text(encoding="utf-8").splitlines()
    assert main(["learn", SESSIONS, "-m", MANIFEST, "--json"]) == 0
    [bad] = json.loads(capsys.readouterr().out)["did_not_teach"]
    Path("bad.jsonl").write_text(honest[int(bad["place"].rpartition(":")[2]) - 1], encoding="utf-8")
    assert main(["learn", "bad.jsonl", "-m", MANIFEST]) == 1
    assert "`--trusted` says so" in capsys.readouterr().err


def test_what_was_new_stays_so_until_it_is_ratified(capsys: Captured):
    assert main(["learn", SESSIONS, "-m", MANIFEST, "-o", "draft.yaml"]) == 0
    assert main(["learn", SESSIONS, "-m", "draft.yaml", "-o", "again.yaml"]) == 0
    assert "find_order: {}  # NEW: 23 of 24 sessions" in Path("again.yaml").read_text(encoding="utf-8")
    assert "at_most: 2  # 23 of 24 sessions" in Path("again.yaml").read_text(encoding="utf-8")
    assert "`find_order`: granted by an earlier draft, which nobody has ratified" in capsys.readouterr().out
    assert main(["ratify", "again.yaml", "--by", "Ada", "--yes"]) == 0
    assert main(["learn", SESSIONS, "-m", "again.yaml", "-o", "third.yaml"]) == 0
    assert "NEW" not in Path("third.yaml").read_text(encoding="utf-8").partition("\n# Learned by")[0]


def test_an_order_says_how_many_sessions_follow_the_whole_of_it():
    def calling(*tools: str) -> list[dict[str, object]]:
        return [{"name": tool, "args": {"number": 1}, "output": "{}", "error": None} for tool in tools]

    usual = [session(f"u{n}", calls=calling("read_ticket")) for n in range(38)]
    odd = [session(f"o{n}", calls=calling("read_ticket", tool)) for n, tool in enumerate(("refund", "close_ticket"))]
    assert main(["learn", lines(*usual, *odd), "-m", MANIFEST, "-o", "draft.yaml", "--chain", "--trusted"]) == 0
    assert "chain:  # 38 of 40 sessions; these follow all of it" in Path("draft.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("more, taught", [([], 1), (["--apart"], 2)], ids=["shared", "apart"])
def test_recordings_that_began_each_in_a_world_of_their_own_share_no_stores(more: list[str], taught: int, capsys: Captured):
    text = (
        "licet: 1\nenvironment: dev\nowners: {o: {name: O, contact: o@acme.example}}\nagents: {bot: {owner: o, tasks: [work]}}\n"
        "tools:\n  read: {access: read, egress: false}\n"
        "  note: {access: write, egress: false, store: crm, arguments: {who: {origin: {from: [intent], else: ask}}}}\n"
        "  look: {access: read, egress: false, output: trusted, store: crm}\n"
        "  send: {access: write, egress: true, arguments: {to: {origin: [intent, trusted]}}}\n"
        "tasks: {work: {intent: Work, ttl: 10m, tools: {read: {}, note: {}, look: {}, send: {}}}}\n"
    )
    Path("stores.yaml").write_text(text, encoding="utf-8")
    address = "eve@evil.example"

    def call(name: str, output: str, **arguments: str) -> dict[str, object]:
        return {"name": name, "args": arguments, "output": output, "error": None}

    first = session("a", suite="work", calls=[call("read", address), call("note", "ok", who=address)])
    others = [session(f"b{n}", suite="work", calls=[call("look", address), call("send", "sent", to=address)]) for n in (1, 2)]
    honest = session("c", suite="work", calls=[call("read", "hello")])
    assert main(["learn", lines(first, *others[:1], honest), "-m", "stores.yaml", "--json", *more]) == 0
    assert json.loads(capsys.readouterr().out)["kinds"]["work"]["sessions"] == taught


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
