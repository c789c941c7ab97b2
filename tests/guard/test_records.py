"""What the ledger says: each record exactly what is declared, no record that cannot be written, and numbers by which others cite it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from evidence import records, whole
from licet import Denied, Guard, ToolCall
from licet.cli import main
from licet.errors import LedgerError
from licet.guard.recorder import DIED
from licet.ledger.fields import KINDS, problems
from licet.store import SqliteStore
from licet.testing import RecordingApprover, guard_for
from licet.tokens import Proof, SigningKey, prove

KEY, SIGNER = SigningKey.generate("ES256"), SigningKey.generate("ES256")
URL = "https://licet.acme.example/token"
MANIFEST = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [work], may_delegate_to: [bot]}, helper: {owner: o, tasks: [work]}}
credentials: {mailer: {owner: o}}
issuers: {login: {kind: oidc, issuer: 'https://login.example', audiences: [licet], jwks_file: keys.json, proves: [principal]}}
authority: {issuer: 'https://licet.acme.example', federation: ['sts.example']}
ledger: {flush_every: 5ms, origin: ledger.acme.example/test}
tools:
  look: {access: read, egress: false, reveals: [customer-data]}
  send: {access: write, egress: true, credential: mailer, audience: 'https://mail.example', arguments: {to: {origin: [intent]}}}
  risky: {access: write, egress: false, arguments: {what: {origin: [intent, nowhere]}}}
tasks: {work: {intent: Work, ttl: 10m, tools: {look: {}, send: {}, risky: {ask: true}}}}
checks: {origin.unanchored: {then: flag}}
"""
NOT_HERE = {"ledger.lost", "ledger.repaired", "task.end.unstored"}  # of what goes wrong: tests of their own


def tools(guard: Guard) -> tuple[Any, Any, Any]:
    return (
        guard.wrap(lambda: {"from": "eve@evil.example"}, name="look"),
        guard.wrap(lambda to: f"sent to {to}", name="send"),
        guard.wrap(lambda what: what, name="risky"),
    )


def session(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A session in which everything happens that is recorded when nothing breaks; the state folder."""
    (folder / "keys.json").write_text('{"keys": []}')
    (folder / "licet.yaml").write_text(MANIFEST)
    monkeypatch.setenv("LICET_STATE", str(state := folder / "state"))
    with Guard.from_file(folder / "licet.yaml", state=state, approver=RecordingApprover(True), key=SIGNER) as guard:
        look, send, risky = tools(guard)
        with pytest.raises(Denied):
            guard.task("work", intent="x", agent="bot", subject_token="a.b.c")
        with guard.task("work", intent="Write to ada@acme.example", agent="bot", principal="user:grace") as task:
            task.say("Soon")
            look()
            send("ada@acme.example")
            with pytest.raises(Denied):
                send("eve@evil.example")
            risky("x")
            with guard.delegate("work", agent="bot", intent="Help"):
                pass
            with pytest.raises(Denied):
                guard.delegate("work", agent="helper", intent="Help")
            ticket = guard.begin(ToolCall("send", {"to": "ada@acme.example"}, call_id="c1"), task=task)
            guard.end(ticket, error=ValueError("x"))
            guard.authority.revoke(ticket.token or "", by="its client")
            token = guard.authority.issue(task, KEY.kid).token
            proof = Proof(prove(KEY, "POST", URL, token=token, now=guard._clock.now()), "POST", URL)
            guard.authority.federate(token, proof, audience="sts.example")
    for command in (
        ["token", "revoke", "--agent", "helper", "--reason", "gone", "--force"],
        ["keys", "rotate"],
        ["keys", "rotate"],
        ["break-glass", "work", "--reason", "test", "-m", str(folder / "licet.yaml")],
        ["ratify", str(folder / "licet.yaml"), "--by", "Ada", "--yes"],
    ):
        assert main(command) == 0, command
    with Guard.from_file(folder / "licet.yaml", state=state) as guard:
        with guard.task("work", intent="Nothing", agent="bot", principal="user:grace"):
            pass  # its beginning says under which version of the ratification
        retired = guard.jwks()["keys"][-1]["kid"]
    assert main(["keys", "retire", "--compromised", "--reason", "lost", "--", retired]) == 0
    return state


def test_each_record_of_a_session_has_exactly_what_is_declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = session(tmp_path, monkeypatch)
    found = records(state)
    odd = [(record["seq"], record["kind"], told) for record in found for told in problems(record)]
    assert odd == []
    wanted = {name for name in KINDS if not name.startswith(("purge", "ledger."))} | {"ledger.begin"}
    assert wanted - {record["kind"] for record in found} <= NOT_HERE
    whole(state)


def test_a_denial_says_who_what_why_and_what_would_help(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The seven facts of AIMS, and task, call, reasons with their paths, span and policy."""
    state = session(tmp_path, monkeypatch)
    (denied, *_) = records(state, "call.denied")
    store = SqliteStore(state / "licet.db")
    call = next(call for task in store.tasks() for call in store.calls(task.id) if call.id == denied["call"])
    assert (denied["agent"], denied["actors"], denied["sub"], denied["sub_is"]) == ("bot", ["bot"], "user:grace", "asserted")
    assert (denied["tool"], denied["access"], denied["egress"], denied["credential"]) == ("send", "write", True, "mailer")
    assert (denied["outcome"], denied["judged"], denied["mode"], denied["step"]) == ("deny", "deny", "enforce", 3)
    assert (denied["exposure"], denied["posture"]) == (["customer-data"], ["untrusted-content"])
    assert (denied["trace_id"], denied["span_id"], denied["args"]) == (call.trace_id, call.span_id, call.args_digest)
    row = next(row for row in denied["reasons"] if row["check"] == "origin.argument")
    assert row["path"] == list(next(found for found in call.decision.reasons if found.check == "origin.argument").path)
    assert row["references"] == ["ASI01", "ASI02", "AML.T0051.001"]
    assert any("let it come from where the rule says" in remedy for remedy in denied["remedy"])
    assert {"argument": "to", "origin": "untrusted"}.items() <= denied["origins"][0].items()
    assert "eve@evil.example" not in str(denied)
    store.close()


def test_store_findings_and_commands_cite_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = session(tmp_path, monkeypatch)
    by_seq = {record["seq"]: record for record in records(state)}
    store = SqliteStore(state / "licet.db")
    root = next(task for task in store.tasks() if task.intent.startswith("Write"))
    assert by_seq[root.ledger]["kind"] == "task.begin"
    assert by_seq[root.ledger]["task"] == root.id
    first = {"allow": "call.intent", "deny": "call.denied"}
    for call in store.calls(root.id):
        record = by_seq[call.ledger]
        assert (record["call"], record["kind"]) == (call.id, first[call.decision.outcome])
    for finding in store.findings(root.id):
        assert by_seq[finding.ledger]["task"] == root.id
        assert by_seq[finding.ledger].get("call", "") == finding.call_id
    outcomes = records(state, "call.outcome")
    assert all(by_seq[outcome["intent_seq"]]["call"] == outcome["call"] for outcome in outcomes)
    assert len(outcomes) >= 4
    denied = next(call for call in store.calls(root.id) if call.decision.outcome == "deny")
    capsys.readouterr()
    main(["task", root.id])
    told = capsys.readouterr().out
    assert f"record  ledger {root.ledger}\n" in told
    assert f"BLOCKED  ledger {denied.ledger}\n" in told
    main(["findings", "--task", root.id])
    assert f"  ledger {denied.ledger}  finding " in capsys.readouterr().out
    store.close()


def test_an_outcome_that_is_too_long_is_written_and_stops_no_later_call(tmp_path: Path) -> None:
    """It did: it waited before every later call, and could never be written."""
    with guard_for(MANIFEST.replace("issuers:", "#"), tmp_path) as guard:
        recorder = guard._gate._p.recorder
        seq = recorder.after("task.end", {"task": "t" * 32, "by": "x" * 19_000, "why": ["y" * 19_000] * 9})
        assert seq > 0
        assert recorder._waiting == []
        assert recorder.after("task.end", {"task": "t" * 32, "why": float("nan")}) == seq + 1
        with guard.task("work", intent="x", agent="bot", principal="user:grace"):
            guard.wrap(lambda: "", name="look")()
        cut, odd = (record for record in records(guard, "task.end") if "cut" in record)
        assert cut["task"] == odd["task"] == "t" * 32
        assert cut["cut"].startswith("hmac-sha256:")
        assert "why" not in odd


def test_what_cannot_be_written_now_gives_no_number_and_is_written_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with guard_for(MANIFEST.replace("issuers:", "#"), tmp_path) as guard:
        recorder, append = guard._gate._p.recorder, guard._ledger.append

        def full(*_: Any, **__: Any) -> int:
            raise LedgerError("the disk is full")

        monkeypatch.setattr(guard._ledger, "append", full)
        assert recorder.after("task.end", {"task": "t" * 32}) == 0
        with pytest.raises(LedgerError):
            recorder.before("task.begin", {})
        monkeypatch.setattr(guard._ledger, "append", append)
        begun = recorder.before("task.begin", {})
        assert [record["seq"] for record in records(guard, "task.end")] == [begun - 1]


def test_a_call_whose_process_died_has_an_outcome_and_its_owner_a_finding_once(tmp_path: Path) -> None:
    """Of a read tool nobody need look at anything."""
    text = MANIFEST.replace("issuers:", "#")
    child = os.fork()
    if child == 0:
        guard = guard_for(text, tmp_path)
        with guard.task("work", intent="Write to ada@acme.example", agent="bot", principal="user:grace") as task:
            for tool, arguments in (("look", {}), ("send", {"to": "ada@acme.example"}), ("send", {"to": "ada@acme.example"})):
                guard.begin(ToolCall(tool, arguments), task=task).redeem()
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    for _ in range(2):
        with guard_for(text, tmp_path) as guard:
            found, outcomes = guard._store.findings(), records(guard, "call.outcome")
            calls = [call for task in guard._store.tasks() for call in guard._store.calls(task.id)]
    assert [(each["status"], each["why"], each["tool"]) for each in outcomes] == [
        ("unknown", DIED, name) for name in ("look", "send", "send")
    ]
    assert [problem for each in outcomes for problem in problems(each)] == []
    assert [call.status for call in calls] == ["unknown"] * 3
    assert [call.ledger for call in calls] == [each["intent_seq"] for each in outcomes]
    (finding,) = [each for each in found if each.check == "call.unknown"]
    assert (finding.severity, finding.owner, finding.ledger) == ("medium", "o", outcomes[1]["seq"])
    assert "`send` had begun" in finding.sentence
    assert "look" not in finding.sentence


def test_a_store_of_the_release_before_is_taken_up(tmp_path: Path) -> None:
    path = tmp_path / "licet.db"
    SqliteStore(path).close()
    with sqlite3.connect(path) as old:
        for table in ("tasks", "calls", "findings"):
            old.execute(f"ALTER TABLE {table} DROP COLUMN ledger")
        old.execute("INSERT INTO findings VALUES ('a',1.0,'scope.tool','low','s','t','c','o','[]')")
        old.execute("PRAGMA user_version=4")
    old.close()
    for _ in range(2):
        store = SqliteStore(path)
        (finding,) = store.findings()
        assert (finding.id, finding.references, finding.ledger) == ("a", (), 0)
        store.close()
