"""The commands that look into a state folder: what they show, what they change, and their exit codes."""

from __future__ import annotations

import json
import shlex
import shutil
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import networkx
import pytest

from evidence import records, whole
from licet import Denied, Guard
from licet.cli import main
from licet.ledger import LedgerKey
from licet.store import SqliteStore
from licet.testing import FakeClock
from state_fixture import manifest_in, worked_in

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

Out = pytest.CaptureFixture[str]


@pytest.fixture
def worked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    state, task = worked_in(tmp_path)
    monkeypatch.setenv("LICET_STATE", str(state))
    monkeypatch.setenv("NO_COLOR", "1")
    return state, task


def test_tasks_lists_the_newest_first(worked: tuple[Path, str], capsys: Out) -> None:
    assert main(["tasks"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "lookup" in lines[0]
    assert lines[0].endswith("lookup  helper (asserted) for user:grace (asserted)  1 call, 1 blocked")
    assert lines[2].startswith(worked[1][:12])
    assert "3 calls, 1 blocked" in lines[2]
    assert lines[3].strip() == "Answer ticket 1 \\u{1b}[31m<b>"
    assert main(["tasks", "-n", "1", "--json"]) == 0
    assert [task["kind"] for task in json.loads(capsys.readouterr().out)["tasks"]] == ["lookup"]


def test_task_shows_the_tree(worked: tuple[Path, str], capsys: Out) -> None:
    assert main(["task", worked[1][:6]]) == 0
    out = capsys.readouterr().out
    assert "intent  Answer ticket 1 \\u{1b}[31m<b>" in out
    assert "agent   bot (asserted) for user:grace (asserted)" in out
    assert "├─ 1 read_ticket  ✓ allowed, done" in out
    assert "├─ 2 send_email  ✗ BLOCKED" in out
    assert "[scope.argument]" in out
    assert "├─ lookup  task " in out
    assert "│  │ agent   helper (asserted) for user:grace (asserted)" in out
    assert "│  └─ 1 send_email  ✗ BLOCKED" in out
    assert "└─ 3 send_email  ✓ allowed, failed (ConnectionError)" in out


def test_task_as_json_nests_the_sub_tasks(worked: tuple[Path, str], capsys: Out) -> None:
    assert main(["task", worked[1], "--json"]) == 0
    out = capsys.readouterr().out
    assert out.isascii()
    told = json.loads(out)
    assert (told["id"], told["principal_is"]) == (worked[1], "asserted")
    assert [call["status"] for call in told["calls"]] == ["done", "denied", "failed"]
    assert told["tasks"][0]["kind"] == "lookup"
    assert [finding["check"] for finding in told["findings"]] == ["scope.argument"]


@pytest.mark.parametrize("words", [["zz"], ["%"], ["\x1b[2J"], [""], ["end", "zz"], ["start", "a"], ["end"], ["a", "b", "c"], []])
def test_a_task_that_is_not_there_exits_2(words: list[str], worked: tuple[Path, str], capsys: Out) -> None:
    assert main(["task", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "\x1b" not in err
    assert "Traceback" not in err


def test_a_beginning_of_two_ids_exits_2_and_names_them(worked: tuple[Path, str], capsys: Out) -> None:
    state, _ = worked
    with Guard.from_file(state.parent / "licet.yaml", state=state) as guard:
        for _ in range(20):  # of 16 hexadecimal digits, one begins two of these
            with guard.task("lookup", intent="Again", agent="helper", principal="user:x"):
                pass
    main(["tasks", "-n", "30", "--json"])
    ids = [task["id"] for task in json.loads(capsys.readouterr().out)["tasks"]]
    first = next(one for one in (ident[0] for ident in ids) if sum(other.startswith(one) for other in ids) > 1)
    assert main(["task", first]) == 2
    assert "begins more than one id" in capsys.readouterr().err


def test_task_end_stops_a_task_that_runs_in_another_guard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.setenv("LICET_STATE", str(tmp_path / "state"))
    with Guard.from_file(manifest_in(tmp_path), state=tmp_path / "state") as guard:

        @guard.tool
        def read_ticket(number: int) -> str:
            return "text"

        with guard.task("answer", intent="Answer", agent="bot", principal="user:grace") as task:
            assert read_ticket(1) == "text"
            assert main(["task", "end", task.id]) == 0
            assert capsys.readouterr().out.startswith(f"task {task.id} ended; its tokens, and those of the tasks below it, are refused")
            with closing(SqliteStore(tmp_path / "state" / "licet.db")) as store:
                assert store.revoked([("task", task.id)], time.time()) is not None
            with pytest.raises(Denied) as refused:
                read_ticket(1)
            assert refused.value.decision.checks == ("scope.expired",)
            assert main(["task", "end", task.id]) == 1
            assert "had ended before" in capsys.readouterr().out
    whole(tmp_path / "state")
    assert any(record.get("by", "").startswith("command line, ") for record in records(tmp_path / "state", "task.end"))


def test_graph_writes_svg_html_and_graphml(worked: tuple[Path, str], tmp_path: Path, capsys: Out) -> None:
    for name in ("g.svg", "g.HTML", "g.graphml"):
        assert main(["graph", worked[1], "-o", str(tmp_path / name)]) == 0
        assert capsys.readouterr().out == ""
    svg = (tmp_path / "g.svg").read_text(encoding="utf-8")
    assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert svg.count(">BLOCKED<") == 2
    assert "stroke-dasharray" in svg
    page = (tmp_path / "g.HTML").read_text(encoding="utf-8")
    assert "default-src 'none'" in page
    assert page.count('<tr class="blocked">') == 2
    graph = networkx.read_graphml(tmp_path / "g.graphml", force_multigraph=True)
    assert len(graph) == 6
    assert [kind for *_, kind in graph.edges(data="kind") if kind != "used"].count("followed") == 4
    assert [kind for *_, kind in graph.edges(data="kind")].count("delegated") == 1


@pytest.mark.parametrize("file", ["g.png", "g", "missing/g.svg", "a\x00.svg"])
def test_graph_that_cannot_be_written_exits_2(file: str, worked: tuple[Path, str], tmp_path: Path, capsys: Out) -> None:
    assert main(["graph", worked[1], "-o", str(tmp_path / file)]) == 2
    assert "licet: " in capsys.readouterr().err


def test_findings_of_all_and_of_one_task(worked: tuple[Path, str], capsys: Out) -> None:
    assert main(["findings"]) == 0
    assert "scope.argument  owner: support" in capsys.readouterr().out
    assert main(["findings", "--task", worked[1], "--json"]) == 0
    assert [finding["check"] for finding in json.loads(capsys.readouterr().out)["findings"]] == ["scope.argument", "scope.tool"]


def test_ledger_verify_tells_whole_from_broken(worked: tuple[Path, str], tmp_path: Path, capsys: Out) -> None:
    assert main(["ledger", "verify"]) == 0
    assert "whole" in capsys.readouterr().out
    copy = shutil.copytree(worked[0] / "ledger", tmp_path / "copy")
    for file in [*(copy / "live").iterdir(), *(file for file in (copy / "tile" / "entries").rglob("*") if file.is_file())]:
        file.write_bytes(file.read_bytes().replace(b'"outcome":"allow"', b'"outcome":"allov"', 1))
    key = ["--key", str(LedgerKey.of(worked[0] / "keys", create=False).note_key)]
    assert main(["ledger", "verify", str(copy), *key]) == 1
    seq = next(record["seq"] for record in records(worked[0]) if record.get("outcome") == "allow")
    assert f"altered: record {seq} was altered" in capsys.readouterr().out
    assert main(["ledger", "verify", str(copy), *key, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], [fault["seq"] for fault in told["faults"]]) == (False, [seq])
    assert main(["ledger", "verify", str(tmp_path / "nowhere")]) == 2
    assert "nowhere: cannot be read: No such file or directory; check path and rights" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command,choice", [("ledger", "verify|"), ("keys", "list|rotate|retire|jwks"), ("token", "show|verify|revoke|revoked")]
)
def test_what_a_command_wants_is_named(command: str, choice: str, capsys: Out) -> None:
    assert main([command]) == 2
    assert f"the following arguments are required: {choice}" in capsys.readouterr().err


def test_a_task_whose_time_ran_out_is_called_over_everywhere(tmp_path: Path, capsys: Out) -> None:
    state = tmp_path / "state"
    clock = FakeClock(1_000_000.0)
    with Guard.from_file(manifest_in(tmp_path), state=state, clock=clock) as guard:
        task = guard.task("alone", intent="Wait", agent="stray", principal="user:x", detached=True)
        with task:
            pass
    where = ["--state", str(state)]
    main(["tasks", *where])
    assert "Z  over   alone" in capsys.readouterr().out
    main(["task", task.id, *where])
    assert capsys.readouterr().out.splitlines()[0].endswith("Z  over")
    main(["task", task.id, "--json", *where])
    assert json.loads(capsys.readouterr().out)["state"] == "over"
    for name in ("g.svg", "g.html"):
        assert main(["graph", task.id, "-o", str(tmp_path / name), *where]) == 0
        assert "task over" in (tmp_path / name).read_text(encoding="utf-8")


def test_the_end_of_a_block_does_not_read_like_something_blocked(worked: tuple[Path, str], tmp_path: Path, capsys: Out) -> None:
    main(["task", worked[1]])
    assert "ended (end of `with`)" in capsys.readouterr().out
    main(["graph", worked[1], "-o", str(tmp_path / "g.html")])
    page = (tmp_path / "g.html").read_text(encoding="utf-8")
    assert "ended (end of `with`)" in page
    assert "<h1>Answer ticket 1 \\u{1b}[31m&lt;b&gt;</h1><p>answer: 4 calls, 2 blocked, 1 sub-task, 2 findings.</p>" in page


def test_the_command_at_the_end_of_a_trace_can_be_pasted(worked: tuple[Path, str], capsys: Out) -> None:
    main(["task", worked[1]])
    assert capsys.readouterr().out.splitlines()[-1] == f"2 findings: licet findings --task {worked[1][:12]}"
    main(["task", worked[1], "--state", str(worked[0])])
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.endswith(f" --state {worked[0]}")
    assert main(shlex.split(last.partition("licet ")[2])) == 0


def test_observed_denials_are_counted(tmp_path: Path, capsys: Out) -> None:
    manifest = manifest_in(tmp_path)
    until = (datetime.now(UTC) + timedelta(days=3)).date()
    manifest.write_text(manifest.read_text(encoding="utf-8") + f"mode: observe\nuntil: {until}\nreason: trial\n", encoding="utf-8")
    with Guard.from_file(manifest, state=tmp_path / "state") as guard:

        @guard.tool
        def send_email(to: str, body: str) -> str:
            return "sent"

        with guard.task("answer", intent="Answer ada@acme.example, not eve@evil.example", agent="bot", principal="user:grace"):
            send_email("ada@acme.example", "x")
            send_email("eve@evil.example", "x")
    main(["tasks", "--state", str(tmp_path / "state")])
    assert "  2 calls, 1 observed\n" in capsys.readouterr().out


def test_keys_jwks_holds_the_public_half_only(worked: tuple[Path, str], capsys: Out) -> None:
    assert main(["keys", "jwks"]) == 0
    (key,) = json.loads(capsys.readouterr().out)["keys"]
    assert sorted(key) == ["alg", "crv", "kid", "kty", "use", "x"]


@pytest.mark.parametrize(
    "command",
    [
        ["tasks"],
        ["task", "a"],
        ["task", "end", "a"],
        ["graph", "a", "-o", "g.svg"],
        ["findings"],
        ["ledger", "verify"],
        ["keys", "jwks"],
        ["keys", "list"],
        ["token", "revoked"],
    ],
)
def test_what_only_reads_makes_no_state(command: list[str], tmp_path: Path, capsys: Out) -> None:
    for folder in (tmp_path / "nowhere", tmp_path):
        assert main([*command, "--state", str(folder)]) == 2
        assert "there is nothing here yet" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", ["0", "-1", "x", "1e3", "٣", "9" * 20])
def test_a_number_that_is_none_exits_2(number: str, capsys: Out) -> None:
    assert main(["tasks", "-n", number]) == 2


def test_a_folder_that_others_can_write_in_exits_2(worked: tuple[Path, str], capsys: Out) -> None:
    worked[0].chmod(0o777)
    assert main(["tasks"]) == 2
    assert "others can write here" in capsys.readouterr().err


def test_where_all_was_purged_the_lists_say_by_which_record(worked: tuple[Path, str], capsys: Out) -> None:
    assert main(["purge", "--principal", "user:grace", "--yes"]) == 0
    said = capsys.readouterr().out
    assert "of user:grace, on record as 14" in said
    assert main(["tasks"]) == 0
    assert capsys.readouterr().out == "no tasks: they were purged, on record as 14\n"
    assert main(["findings"]) == 0
    assert capsys.readouterr().out == "no findings; some may have been purged, on record as 14\n"


def test_a_finding_is_named_as_export_and_show_take_it(worked: tuple[Path, str], tmp_path: Path, capsys: Out) -> None:
    assert main(["findings", "--state", str(worked[0])]) == 0
    first, *_, last = capsys.readouterr().out.splitlines()
    record, finding = first.split("ledger ")[1].split("  finding ")
    assert last.startswith(
        f"`ledger N`: `licet ledger show --record N --state {worked[0]}`; evidence of one: `licet ledger export --finding ID"
    )
    assert main(["ledger", "show", "--record", record]) == 0
    assert "scope.argument" in capsys.readouterr().out
    assert main(["ledger", "export", "--finding", finding, "-o", str(tmp_path / "e.json")]) == 0


def test_a_folder_is_named_as_it_was_given(worked: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.chdir(worked[0].parent)
    assert main(["ledger", "verify", "--state", "state"]) == 0
    assert capsys.readouterr().out.startswith("state/ledger: whole")
    assert main(["purge", "--principal", "user:grace", "--yes", "--state", "state"]) == 0
    capsys.readouterr()
    assert main(["task", worked[1], "--state", "state"]) == 1
    assert f"`licet ledger export --task {worked[1][:12]} --state state`" in capsys.readouterr().out
