"""`licet ledger export`: what a guard did leaves its host in one file, which `licet ledger verify` checks with the public key alone."""

from __future__ import annotations

import json
import shutil
import sqlite3
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evidence_lab import payload_of
from licet import Denied, Guard
from licet.cli import main
from licet.cli.ledger_verify import say_denied
from licet.ledger import LedgerFiles
from licet.ledger.evidence.accounts import Account, gaps_of
from licet.ledger.evidence.covered import About
from licet.ledger.evidence.verdict import BundleVerdict
from licet.telemetry.reader import BadSpan, spans_of

MANIFEST = """\
licet: 1
environment: dev
owners: {support: {name: Support, contact: oncall@acme.example}}
agents:
  bot: {owner: support, tasks: [answer], may_delegate_to: [helper]}
  helper: {owner: support, tasks: [lookup]}
tools:
  read_ticket: {access: read, egress: false, arguments: {number: {type: integer}}, output: trusted, record: {arguments: [number], output: true}}
  send_email: {access: write, egress: true, arguments: {to: {}, body: {}}}
  pay: {access: write, egress: true, arguments: {amount: {type: integer, origin: [intent, nowhere]}}}
tasks:
  answer:
    intent: Answer one ticket
    ttl: 10m
    tools: {read_ticket: {}, pay: {ask: true}, send_email: {arguments: {to: {pattern: '[^@]+@acme\\.example'}}, at_most: 1}}
  lookup: {intent: Look something up, ttl: 5m, tools: {read_ticket: {}}}
checks: {origin.unanchored: {then: flag}}
"""


@dataclass
class Run:
    """A state folder in which a guard worked, and its main task."""

    state: Path
    task: str
    key: str
    early: Path

    def export(self, *words: str, to: Path) -> tuple[int, dict[str, Any]]:
        """The exit code, and the Statement."""
        code = main(["ledger", "export", *words, "--state", str(self.state), "-o", str(to)])
        return code, json.loads(payload_of(to.read_text()))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("export")
    (folder / "licet.yaml").write_text(MANIFEST, encoding="utf-8")
    answers = [True, False]
    with Guard.from_file(folder / "licet.yaml", state=folder / "state", approver=lambda request: answers.pop(0)) as guard:

        @guard.tool
        def read_ticket(number: int) -> str:
            return f"ticket {number}"

        @guard.tool
        def send_email(to: str, body: str) -> str:
            raise ConnectionError("no route")

        @guard.tool
        def pay(amount: int) -> str:
            return "paid"

        with guard.task("answer", intent="Another task", agent="bot", principal="user:other"):
            read_ticket(7)
        early = folder / "early.note"
        early.write_text(guard._ledger.seal())
        with guard.task("answer", intent="Answer ticket 4312 of ada@acme.example, pay 5", agent="bot", principal="user:grace") as task:
            read_ticket(4312)
            with pytest.raises(Denied):
                send_email("eve@evil.example", "list")
            pay(5)
            with guard.delegate("lookup", agent="helper", intent="Look up Ada", tools=["read_ticket"]):
                read_ticket(1)
                with pytest.raises(Denied):
                    send_email("ada@acme.example", "x")
            with pytest.raises(Denied):
                pay(6)
            with pytest.raises(ConnectionError):
                send_email("ada@acme.example", "x")
        key = LedgerFiles(folder / "state" / "ledger").key() or ""
    return Run(folder / "state", task.id, key.strip(), early)


@pytest.fixture
def verify(run: Run, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, dict[str, Any]]]:
    def verified(file: Path, *words: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = main(["ledger", "verify", str(file), "--key", run.key, "--json", *words])
        return code, json.loads(capsys.readouterr().out)

    return verified


def rows(run: Run, query: str) -> list[Any]:
    with sqlite3.connect(run.state / "licet.db") as db:
        return [row[0] for row in db.execute(query)]


def test_a_task_with_its_sub_task_denials_and_answers_comes_back_whole(run: Run, tmp_path: Path, verify: Any):
    code, statement = run.export("--task", run.task[:12], to=tmp_path / "t.json")
    assert code == 0
    exit_code, told = verify(tmp_path / "t.json")
    assert (exit_code, told["faults"], told["open"]) == (0, [], [])
    calls = [(call["tool"], call["outcome"], call["status"]) for call in told["calls"]]
    assert calls == [
        ("read_ticket", "allow", "done"), ("send_email", "deny", "denied"), ("pay", "allow", "done"), ("read_ticket", "allow", "done"),
        ("send_email", "deny", "denied"), ("pay", "deny", "denied"), ("send_email", "allow", "failed"),
    ]  # fmt: skip
    assert all(call["reasons"] for call in told["calls"] if call["outcome"] == "deny")
    assert any("from its beginning to its end" in sentence for sentence in told["holds"])
    kinds = [entry["record"]["kind"] for entry in statement["predicate"]["records"]]
    assert {"task.begin", "task.end", "call.asked", "approval", "delegation"} <= set(kinds)
    assert kinds.count("task.begin") == 2


def test_a_call_that_a_person_allowed_shows_that_it_was_asked(run: Run, tmp_path: Path):
    """What a guard writes: without the record of the yes, its intent alone tells that one is missing."""
    run.export("--task", run.task, to=tmp_path / "e.json")
    predicate = json.loads(payload_of((tmp_path / "e.json").read_text(encoding="utf-8")))["predicate"]
    about = About("task", run.task, predicate["about"]["txn"], tuple(predicate["about"]["tasks"]))
    records = [row["record"] for row in predicate["records"]]
    assert gaps_of(records, about) == []
    yes = [record for record in records if record["kind"] == "approval" and record["approved"]]
    assert yes
    left = [record for record in records if record not in yes]
    assert [gap.what for gap in gaps_of(left, about)] == ["approval"] * len(yes)


def test_the_tasks_of_others_are_not_in_it(run: Run, tmp_path: Path):
    _, statement = run.export("--task", run.task, to=tmp_path / "t.json")
    assert "user:other" not in json.dumps(statement)


def test_its_spans_are_otlp_that_the_own_reader_reads(run: Run, tmp_path: Path):
    _, statement = run.export("--task", run.task, to=tmp_path / "t.json")
    spans = list(spans_of(statement["predicate"]["spans"], "here"))
    assert not [span for span in spans if isinstance(span, BadSpan)]
    assert len(spans) == 9  # two tasks and seven calls
    assert "licet.call.reason" not in json.dumps(statement)


@pytest.mark.parametrize("place", range(7))
def test_each_call_comes_alone_with_what_led_to_it(run: Run, tmp_path: Path, verify: Any, place: int):
    call = rows(run, f"SELECT id FROM calls WHERE task_id IN (SELECT id FROM tasks WHERE root='{run.task}') ORDER BY started")[place]
    code, statement = run.export("--call", call, to=tmp_path / "c.json")
    assert (code, verify(tmp_path / "c.json")[1]["faults"]) == (0, [])
    assert call in statement["predicate"]["about"]["calls"]


def test_each_finding_comes_with_its_task_and_the_record_that_it_cites(run: Run, tmp_path: Path, verify: Any):
    findings = rows(run, "SELECT id FROM findings")
    assert len(findings) >= 3
    for each in findings:
        code, statement = run.export("--finding", each, to=tmp_path / "f.json")
        assert (code, verify(tmp_path / "f.json")[1]["faults"]) == (0, [])
        (own,) = [found for found in statement["predicate"]["findings"] if found["id"] == each]
        assert own["ledger"] in {entry["record"]["seq"] for entry in statement["predicate"]["records"]}


def test_a_sub_task_comes_with_the_beginning_of_the_task_above_it(run: Run, tmp_path: Path, verify: Any):
    (child,) = rows(run, f"SELECT id FROM tasks WHERE parent='{run.task}'")
    _, statement = run.export("--task", child, to=tmp_path / "s.json")
    assert verify(tmp_path / "s.json")[0] == 0
    assert statement["predicate"]["about"]["above"] == [run.task]
    assert statement["predicate"]["records"][0]["record"]["task"] == run.task


def test_a_checkpoint_that_the_reader_kept_is_led_from(run: Run, tmp_path: Path, verify: Any):
    run.export("--task", run.task, "--kept", str(run.early), to=tmp_path / "k.json")
    assert verify(tmp_path / "k.json", "--kept", str(run.early))[0] == 0
    run.export("--task", run.task, to=tmp_path / "t.json")
    code, told = verify(tmp_path / "t.json", "--kept", str(run.early))
    assert (code, [fault["code"] for fault in told["faults"]]) == (1, ["uncompared"])


def test_contents_that_were_opted_in_are_proved_by_the_log(run: Run, tmp_path: Path, verify: Any):
    _, statement = run.export("--task", run.task, to=tmp_path / "t.json")
    contents = {(row["name"], json.dumps(row["value"])) for row in statement["predicate"]["contents"]}
    assert ("argument.number", "4312") in contents
    assert verify(tmp_path / "t.json")[0] == 0


def test_a_file_changed_on_its_way_is_refused(run: Run, tmp_path: Path, verify: Any):
    run.export("--task", run.task, to=tmp_path / "t.json")
    text = (tmp_path / "t.json").read_text()
    (tmp_path / "t.json").write_text(text[:5_000] + ("A" if text[5_000] != "A" else "B") + text[5_001:])
    code, told = verify(tmp_path / "t.json")
    assert (code, [fault["code"] for fault in told["faults"]]) == (1, ["bad-signature"])


def test_a_store_that_was_changed_is_seen_when_the_file_is_made(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The store proves nothing of itself: a denial that somebody wrote over there contradicts its record."""
    changed = tmp_path / "state"
    shutil.copytree(run.state, changed)
    with sqlite3.connect(changed / "licet.db") as db:
        db.execute(
            """UPDATE calls SET attributes=replace(attributes, '"licet.decision.outcome": "deny"', '"licet.decision.outcome": "allow"')"""
        )
    code, _ = Run(changed, run.task, run.key, run.early).export("--task", run.task, to=tmp_path / "t.json")
    assert code == 1
    assert "contradicted" in capsys.readouterr().err


def test_what_was_purged_from_the_store_is_said_to_be_left_out(run: Run, tmp_path: Path, verify: Any):
    changed = tmp_path / "state"
    shutil.copytree(run.state, changed)
    for name in changed.glob("licet.db*"):
        name.unlink()
    code, statement = Run(changed, run.task, run.key, run.early).export("--task", run.task, to=tmp_path / "t.json")
    assert (code, verify(tmp_path / "t.json")[0]) == (0, 0)
    assert statement["predicate"]["left_out"][0]["what"] == "spans, graph and findings"


def test_purged_contents_are_left_out_by_the_record_that_says_so(run: Run, tmp_path: Path, verify: Any):
    changed = tmp_path / "state"
    shutil.copytree(run.state, changed)
    assert main(["purge", "--task", run.task, "--only", "contents", "--yes", "--state", str(changed)]) == 0
    code, statement = Run(changed, run.task, run.key, run.early).export("--task", run.task, to=tmp_path / "t.json")
    assert (code, verify(tmp_path / "t.json")[0]) == (0, 0)
    purged = [row for row in statement["predicate"]["left_out"] if row["what"] == "content"]
    seqs = {entry["record"]["seq"]: entry["record"]["kind"] for entry in statement["predicate"]["records"]}
    assert purged
    assert {seqs[row["by"]] for row in purged} == {"purge"}
    assert statement["predicate"]["contents"] == []


def test_a_ledger_that_was_changed_is_not_signed_away(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    changed = tmp_path / "state"
    shutil.copytree(run.state, changed)
    (segment,) = (changed / "ledger" / "live").iterdir()
    segment.write_bytes(segment.read_bytes().replace(b"user:grace", b"user:grAce"))
    code = main(["ledger", "export", "--task", run.task, "--state", str(changed), "-o", str(tmp_path / "t.json")])
    assert code in (1, 2)
    assert capsys.readouterr().err
    if code == 1:
        assert main(["ledger", "verify", str(tmp_path / "t.json"), "--key", run.key]) == 1


@pytest.mark.parametrize(
    "words, said",
    [
        pytest.param(["--task", "0" * 32], "has no record of a task", id="no-such-task"),
        pytest.param(["--task", "*"], "no beginning of an id", id="no-id"),
        pytest.param(["--call", "zz"], "has no record of a call", id="no-such-call"),
        pytest.param(["--finding", "zz"], "no finding", id="no-such-finding"),
        pytest.param(["--task", "", "--json"], "--json", id="json-without-a-file"),
    ],
)
def test_what_cannot_be_exported_is_refused_with_a_sentence(run: Run, words: list[str], said: str, capsys: pytest.CaptureFixture[str]):
    assert main(["ledger", "export", *words, "--state", str(run.state)]) == 2
    assert said in capsys.readouterr().err


def test_a_folder_without_a_ledger_is_left_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["ledger", "export", "--task", "a", "--state", str(tmp_path / "none")]) == 2
    assert not (tmp_path / "none").exists()


def test_the_file_can_be_read_by_its_owner_only(run: Run, tmp_path: Path):
    run.export("--task", run.task, to=tmp_path / "t.json")
    assert stat.S_IMODE((tmp_path / "t.json").stat().st_mode) == 0o600


def test_what_failed_leaves_no_file_and_a_file_that_was_there_stands(run: Run, tmp_path: Path):
    there = tmp_path / "there.json"
    there.write_text("mine")
    for name in ("t.json", "there.json"):
        assert main(["ledger", "export", "--task", "0" * 32, "--state", str(run.state), "-o", str(tmp_path / name)]) == 2
    assert [file.name for file in tmp_path.iterdir()] == ["there.json"]
    assert there.read_text() == "mine"


def test_an_altered_content_is_left_out_and_said_and_the_export_exits_1(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    changed = tmp_path / "state"
    shutil.copytree(run.state, changed)
    with sqlite3.connect(changed / "contents.db") as db:
        db.execute("UPDATE contents SET value='99' WHERE name='argument.number'")
    code, statement = Run(changed, run.task, run.key, run.early).export("--task", run.task, to=tmp_path / "t.json")
    assert code == 1
    assert "altered-content: the content `argument.number` that is kept of record" in capsys.readouterr().err
    told = [row["why"] for row in statement["predicate"]["left_out"] if row["what"] == "content"]
    assert set(told) == {"what is kept of it is not what was recorded: it was altered"}


def test_who_verifies_reads_which_calls_were_denied_for_whom_and_why(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run.export("--task", run.task, to=tmp_path / "t.json")
    capsys.readouterr()
    assert main(["ledger", "verify", str(tmp_path / "t.json"), "--key", run.key]) == 0
    denied = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  denied: ")]
    assert len(denied) == 3
    assert "send_email by bot for user:grace: scope.argument: " in denied[0]
    assert denied[0].startswith("  denied: record ")


def test_at_most_twenty_denials_are_listed_and_the_others_counted(capsys: pytest.CaptureFixture[str]):
    found = BundleVerdict(accounts=[Account(f"c{number}", tool="pay", status="denied", agent="bot") for number in range(23)])
    say_denied(found)
    lines = capsys.readouterr().out.splitlines()
    assert (len(lines), lines[-1].startswith("  … and 3 more")) == (21, True)
