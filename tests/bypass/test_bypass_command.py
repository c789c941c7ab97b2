"""`licet bypass` at the command line, with recorded spans, real tokens and real logs."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import licet
from bypass.seen import DAY
from licet import Guard, Verifier
from licet.bypass.verified import Accepted, Call, spent, verified
from licet.cli import main
from licet.store import SqliteStore
from licet.testing import FakeClock
from licet.tokens.dpop import Proof

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

RECORDED = Path(__file__).parents[2] / "examples" / "bypass" / "traces.jsonl"
AUDIENCE = "https://mail.acme.example/tools"
KEY = "AKIACRMEXAMPLE000001"
MANIFEST = f"""\
licet: 1
environment: dev
owners: {{o: {{name: O, contact: o@acme.example}}}}
agents: {{bot: {{owner: o, tasks: [work]}}}}
credentials: {{crm: {{owner: o, kind: access_key, issued: 2026-01-01, rotate_every: 90d, ids: [{KEY}]}}}}
tools:
  send: {{access: write, egress: true, audience: '{AUDIENCE}', arguments: {{to: {{origin: [intent]}}}}}}
  lookup: {{access: read, egress: false, credential: crm}}
tasks: {{work: {{intent: Work, ttl: 10m, tools: {{send: {{}}, lookup: {{}}}}}}}}
checks: {{origin.unanchored: {{then: flag}}}}
"""
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("LICET_STATE", str(tmp_path / "none"))
    (tmp_path / "m.yaml").write_text(MANIFEST, encoding="utf-8")
    return tmp_path


def said(capsys: Captured, *words: str) -> tuple[int, str]:
    code = main(["bypass", *words])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def data(capsys: Captured, *words: str) -> tuple[int, dict[str, Any]]:
    code = main(["bypass", *words, "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, found


# Spans -----------------------------------------------------------------------------------------------------------------------


def test_a_recorded_run_with_one_tool_left_unwrapped(capsys: Captured):
    """By OpenInference's LangChain instrumentation, of a real run: see `record.py` beside it."""
    code, found = data(capsys, "--from", str(RECORDED))
    [run] = found["calls"]["runs"]
    assert (code, found["calls"]["sentence"]) == (1, "2 of 4 calls not seen by the guard")
    assert [(each["tool"], each["cause"]) for each in run["unseen"]] == [("send", "not-wrapped")] * 2
    assert [(each["tool"], each["by"]) for each in run["seen"]] == [("read", "call id")] * 2
    assert len(run["tasks"]) == 1
    code, text = said(capsys, "--from", str(RECORDED))
    assert code == 1
    assert text.startswith("2 of 4 calls not seen by the guard\n")
    for each in run["unseen"]:
        assert f"send  span {each['span_id']}  not-wrapped" in text


def without(name: str, path: Path) -> Path:
    """The recording without the spans of this name."""
    told = json.loads(RECORDED.read_text(encoding="utf-8"))
    for resource in told["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            scope["spans"] = [each for each in scope["spans"] if each["name"] != name]
    path.write_text(json.dumps(told) + "\n", encoding="utf-8")
    return path


def test_a_run_of_which_all_was_seen_is_well(capsys: Captured, folder: Path):
    code, text = said(capsys, "--from", str(without("send", folder / "seen.jsonl")))
    assert (code, text.splitlines()[0]) == (0, "0 of 2 calls not seen by the guard")


def test_framework_spans_that_were_dropped_are_no_bypass(capsys: Captured, folder: Path):
    code, text = said(capsys, "--from", str(without("read", folder / "dropped.jsonl")))
    assert code == 1
    assert "matched by" not in text
    assert "2 of 2 calls not seen by the guard" in text
    assert text.count("not-wrapped") == 2
    assert "no bypass: of 2 calls that the guard saw in these runs no framework's span is here: sampled away or dropped" in text


def test_nothing_of_a_framework_is_nothing_to_compare(capsys: Captured, folder: Path):
    (folder / "empty.jsonl").write_text('{"resourceSpans": []}\n', encoding="utf-8")
    code, text = said(capsys, "--from", "empty.jsonl")
    assert (code, text) == (2, "nothing to compare: no call of a framework is there\n")
    assert main(["bypass"]) == 2


def test_what_cannot_be_read_may_hold_a_call_and_is_not_well(capsys: Captured, folder: Path):
    path = without("send", folder / "torn.jsonl")
    path.write_text(path.read_text(encoding="utf-8") + '{"resourceSpans": [{"scopeS\n', encoding="utf-8")
    code, text = said(capsys, "--from", str(path))
    assert code == 1
    assert "0 of 2 calls not seen by the guard" in text
    assert "torn.jsonl:2" in text


def test_calls_that_were_purged_from_the_store_are_known_by_the_ledger(capsys: Captured, folder: Path):
    def lookup(number: int) -> str:
        return "order"

    with guard(folder) as made, made.task("work", intent="Look", agent="bot", principal="user:grace"):
        made.wrap(lookup)(number=1)
    now = time.time_ns()
    names = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "lookup"}
    told = {
        "traceId": "1" * 32, "spanId": "2" * 16, "name": "execute_tool lookup", "kind": 1, "startTimeUnixNano": str(now - 10**9),
        "endTimeUnixNano": str(now), "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in names.items()],
    }  # fmt: skip
    (folder / "one.jsonl").write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [told]}]}]}), encoding="utf-8")
    assert data(capsys, "--from", "one.jsonl", "--state", "state")[1]["calls"]["known_by"] == {"store": 1}
    with sqlite3.connect(folder / "state" / "licet.db") as db:
        db.execute("DELETE FROM calls")
    code, found = data(capsys, "--from", "one.jsonl", "--state", "state")
    assert (code, found["calls"]["known_by"]) == (0, {"ledger": 1})


# Tokens ----------------------------------------------------------------------------------------------------------------------


def guard(folder: Path, name: str = "state") -> Guard:
    return Guard.from_file(folder / "m.yaml", state=folder / name)


def accepted(made: Guard, verifier: Verifier, to: str = "ada@acme.example") -> str:
    """A guarded call whose token the tool's side accepts; its id."""
    found: list[str] = []

    def send(to: str) -> None:
        call = licet.current_call()
        assert call is not None
        url = f"{AUDIENCE}/send"
        headers = {name.lower(): value for name, value in call.headers_for("POST", url).items()}
        found.append(verifier.verify(call.token or "", tool="send", arguments={"to": to}, proof=Proof(headers["dpop"], "POST", url)).jti)

    with made.task("work", intent=f"Write to {to}", agent="bot", principal="user:grace"):
        made.wrap(send)(to=to)
    return found[0]


@pytest.fixture
def two(folder: Path) -> Iterator[tuple[Guard, Guard, Verifier]]:
    """A guard, another one in a folder of its own that has the same signing key, and the tool's side, which shares the store of the first."""
    with guard(folder) as first:
        shutil.copytree(folder / "state" / "keys", folder / "stolen" / "keys", ignore=shutil.ignore_patterns("ledger*"))
        (folder / "stolen").chmod(0o700)
        with guard(folder, "stolen") as second:
            store = SqliteStore(folder / "state" / "licet.db")
            yield first, second, Verifier(first.jwks(), issuer=first.issuer, audience=AUDIENCE, state=store)
            store.close()


def test_a_token_that_no_guard_of_the_folder_gave_to_a_call(two: tuple[Guard, Guard, Verifier], capsys: Captured, folder: Path):
    first, second, verifier = two
    good = accepted(first, verifier)
    code, text = said(capsys, "--verified", "state", "--state", "state")
    assert (code, text) == (0, "0 of 1 token that a tool's side accepted are of no call of the guard's\n")
    bad = accepted(second, verifier)
    code, found = data(capsys, "--verified", "state", "--state", "state")
    assert (code, found["verified"]["accepted"]) == (1, 2)
    [wrong] = found["verified"]["of_no_call"]
    assert (wrong["jti"], good == bad) == (bad, False)
    assert "somebody has the signing key" in wrong["why"]


def test_the_record_that_a_service_keeps_of_what_it_accepted(two: tuple[Guard, Guard, Verifier], capsys: Captured, folder: Path):
    first, second, verifier = two
    rows = [
        {"jti": accepted(first, verifier), "tool": "send", "time": "2026-11-23T10:00:00Z"},
        {"jti": accepted(second, verifier), "tool": "send"},
    ]
    rows += [{"jti": accepted(first, verifier), "tool": "lookup"}, rows[0]]
    (folder / "accepted.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"no": 1}\n', encoding="utf-8")
    code, found = data(capsys, "--verified", "accepted.jsonl", "--state", "state")
    assert (code, found["unreadable"], found["verified"]["accepted"]) == (1, 1, 4)
    assert [(each["place"], each["why"].split(":")[0]) for each in found["verified"]["of_no_call"]] == [
        ("accepted.jsonl:2", "no guard of this state folder gave it to a call"),
        ("accepted.jsonl:3", "the guard gave it to a call of send"),
        ("accepted.jsonl:4", "it was accepted a second time, and a token is for one call"),
    ]


def test_no_accepted_token_is_nothing_to_compare(capsys: Captured, folder: Path):
    guard(folder).close()
    code, text = said(capsys, "--verified", "state", "--state", "state")
    assert (code, text) == (2, "nothing to compare: no token that a tool's side accepted is there\n")


def test_what_was_purged_from_the_store_stands_in_the_ledger(two: tuple[Guard, Guard, Verifier], capsys: Captured, folder: Path):
    first, _, verifier = two
    (folder / "a.jsonl").write_text(json.dumps({"jti": accepted(first, verifier), "tool": "send"}) + "\n", encoding="utf-8")
    with sqlite3.connect(folder / "state" / "licet.db") as db:
        db.execute("DELETE FROM calls")
    code, text = said(capsys, "--verified", "a.jsonl", "--state", "state")
    assert (code, text.splitlines()[0]) == (0, "0 of 1 token that a tool's side accepted are of no call of the guard's")


GIVEN = {"j1": Call("send", "t1", ran=True), "j2": Call("send", "t1", ran=False)}
ROWS = [
    # name, what was accepted, why it is of no call
    ("the call's", Accepted("j1", tool="send", task="t1"), ""),
    ("by a name alone", Accepted("j1"), ""),
    ("by a server's name of the tool", Accepted("j1", tool="mail:send"), ""),
    ("of another task", Accepted("j1", task="t2"), "of task t1"),
    ("of a call that was denied", Accepted("j2"), "denied"),
    ("of nobody", Accepted("j3"), "no guard of this state folder"),
]


@pytest.mark.parametrize("accepted_, why", [pytest.param(*row[1:], id=row[0]) for row in ROWS])
def test_an_accepted_token_is_of_a_call_or_it_is_said_why_not(accepted_: Accepted, why: str):
    found = verified([accepted_], GIVEN.get)
    assert (len(found.wrong), why in "".join(each.why for each in found.wrong)) == (bool(why), True)


def test_what_else_a_store_remembers_as_used_is_no_token_of_a_call():
    """Proofs of clients and holders, and what the store is tried with, have no issuer's name."""
    rows = [("urn:acme\0j1", 1.0), ("health\0aa", 1.0), ("client\0desk\0bb", 1.0), ("Gv3-thumbprint\0cc", 1.0)]
    assert [each.jti for each in spent(rows, "here")] == ["j1"]


# Logs ------------------------------------------------------------------------------------------------------------------------


def event(number: int, at: float, key: str = KEY) -> dict[str, Any]:
    """A CloudTrail record of a use of an access key."""
    return {
        "eventVersion": "1.09", "eventID": f"8f000000-0000-4000-8000-{number:012d}", "eventSource": "s3.amazonaws.com",
        "eventTime": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "eventName": "GetObject", "awsRegion": "eu-west-1",
        "sourceIPAddress": "198.51.100.24", "userAgent": "aws-sdk-go-v2/1.30.3", "readOnly": True, "eventType": "AwsApiCall",
        "userIdentity": {
            "type": "IAMUser", "principalId": "AIDACRM", "arn": "arn:aws:iam::111122223333:user/crm", "accountId": "111122223333",
            "accessKeyId": key, "userName": "crm",
        },
        "requestParameters": {"bucketName": "crm", "key": "orders"}, "responseElements": None, "managementEvent": False,
        "recipientAccountId": "111122223333",
    }  # fmt: skip


@pytest.fixture
def log(folder: Path, capsys: Captured) -> Path:
    """A guarded call that uses the key, and a log of it; an hour before it somebody used the key directly, and so months ago."""

    def lookup(number: int) -> str:
        return "order"

    now = time.time()
    for clock in (FakeClock(now - 86_400), None):  # the folder's guard has worked for a day already
        made = Guard.from_file(folder / "m.yaml", state=folder / "state", clock=clock)
        with made, made.task("work", intent="Look", agent="bot", principal="user:grace"):
            made.wrap(lookup)(number=1)
    path = folder / "trail.jsonl"
    rows = [event(1, now), event(2, now - 3_600), event(3, now - 3_600, "AKIAOTHEREXAMPLE0001"), event(4, now - 90 * 86_400)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_direct_use_of_a_tools_key_in_a_log(log: Path, capsys: Captured):
    code, found = data(capsys, "--log", "cloudtrail", str(log), "-m", "m.yaml", "--state", "state")
    assert (code, found["used"]["uses"], found["used"]["before"]) == (1, 2, 1)
    [direct] = found["used"]["behind_no_call"]
    assert (direct["event"], direct["tools"]) == ("cloudtrail/8f000000-0000-4000-8000-000000000002", ["lookup"])
    assert direct["digest"]
    assert KEY not in json.dumps(found)


def test_a_direct_use_of_a_tools_key_in_the_inventory(log: Path, capsys: Captured):
    assert main(["ingest", "cloudtrail", str(log), "--state", "state"]) == 0
    capsys.readouterr()
    code, text = said(capsys, "--inventory", "-m", "m.yaml", "--state", "state")
    assert code == 1
    assert text.startswith("1 of 2 uses of the tools' credentials is behind no call that the guard saw\n")
    assert "cloudtrail/8f000000-0000-4000-8000-000000000002: used directly, without a call of lookup: the nearest guarded call is " in text
    assert "not compared: 1 use of before the guard's first call that is known" in text


def test_the_guards_own_word_that_a_key_was_used_is_no_witness_against_it(log: Path, capsys: Captured):
    assert main(["ingest", "licet", "-m", "m.yaml", "--state", "state"]) == 0
    capsys.readouterr()
    code, text = said(capsys, "--inventory", "-m", "m.yaml", "--state", "state")
    assert (code, text) == (2, "nothing to compare: no use of a credential that a tool has is there\n")


def test_without_a_use_of_a_tools_key_there_is_nothing_to_compare(log: Path, capsys: Captured):
    log.write_text(json.dumps(event(3, DAY - 10**8, "AKIAOTHEREXAMPLE0001")) + "\n", encoding="utf-8")
    code, text = said(capsys, "--log", "cloudtrail", str(log), "-m", "m.yaml", "--state", "state")
    assert (code, text) == (2, "nothing to compare: no use of a credential that a tool has is there\n")


def test_logs_need_a_manifest_that_says_which_tool_has_which_credential(log: Path, capsys: Captured):
    code, text = said(capsys, "--log", "cloudtrail", str(log), "--state", "state")
    assert code == 2
    assert "name it with `-m`" in text
    code, text = said(capsys, "--log", "nothing", str(log))
    assert (code, "no source of logs" in text) == (2, True)
