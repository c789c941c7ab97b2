"""`licet report`: of real state folders; the page and the JSON; what is foreign cannot act."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import time
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from drilled import NOW, drill, facts_of, round_of
from licet import Denied, Guard
from licet.assurance.cells import cells
from licet.assurance.facts import Drifted, Facts, Ledger, Listed, Sighting, State
from licet.assurance.inventoried import inventoried
from licet.assurance.page import page
from licet.assurance.plots import COLOURS
from licet.assurance.rows import STANDINGS, rows
from licet.assurance.told import told
from licet.cli.main import main
from licet.events import LifecycleEvent, UseEvent
from licet.inventory.model import Identity, Owner, Ownership
from licet.inventory.store import FILE, Inventory
from licet.ledger import LedgerFiles
from licet.monitor.run import monitor
from licet.monitor.world import Settings
from licet.records import Because, Evidence, Explanation, Finding

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

Out = pytest.CaptureFixture[str]
ROLE = "arn:aws:iam::111122223333:role/ci"
MANIFEST = """\
licet: 1
environment: dev
owners: {support: {name: Support, contact: oncall@acme.example}}
agents: {bot: {owner: support, tasks: [answer]}}
environments: {prod: {accounts: ["111122223333"]}}
tools: {read_ticket: {access: read, egress: false, arguments: {number: {type: integer}}}}
tasks: {answer: {intent: Answer one ticket, ttl: 10m, tools: {read_ticket: {}}}}
"""


@pytest.fixture(scope="module")
def drilled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder into which logs were taken, and in which one scenario was played."""
    state = tmp_path_factory.mktemp("drilled") / "state"
    state.mkdir(mode=0o700)
    now = time.time()
    with closing(Inventory(state / FILE)) as inventory:
        inventory.declare(
            identities=[Identity(ROLE, "role"), Identity("arn:aws:iam::111122223333:role/other", "role")], owners=[Owner("team", "Team")],
            ownerships=[Ownership(ROLE, "team", "confirmed", 1.0, now)],
        )  # fmt: skip
        used = UseEvent(
            "cloudtrail", "u-1", now - 60, ROLE, "s3:GetObject", identity_kind="role", credential="cred:1", digest="00", place="a:1"
        )
        inventory.keep([used], [LifecycleEvent("lifecycle", "r-1", now - 3_600, "revoked", ROLE, "cred:1")])
        monitor(inventory, Settings(), now)
    assert main(["drill", "run", "D6", "--source", "cloudtrail", "--state", str(state)]) == 0
    return state


@pytest.fixture
def state(drilled: Path, tmp_path: Path) -> Path:
    """A copy of it, to be harmed."""
    shutil.copytree(drilled, tmp_path / "state", copy_function=shutil.copy2)
    return tmp_path / "state"


def told_of(state: Path, capsys: Out, *words: str, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["report", "--json", "--state", str(state), *words]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def row_of(report: dict[str, Any], entry: str) -> dict[str, Any]:
    return next(row for of in report["catalogues"] for row in of["rows"] if row["id"] == entry)


def green(report: dict[str, Any]) -> set[str]:
    return {row["id"] for of in report["catalogues"] for row in of["rows"] if row["standing"] == "verified by drill"}


# Of a real folder ----------------------------------------------------------------------------------------------------------


def test_of_a_real_folder_each_standing_has_its_evidence(drilled: Path, capsys: Out):
    report = told_of(drilled, capsys)
    [cited] = [each for each in row_of(report, "NHI8")["evidence"] if each["kind"] == "drill"]
    records = [json.loads(line) for line in LedgerFiles(drilled / "ledger").records()]
    assert [(records[seq - 1]["kind"], records[seq - 1]["drill"]) for seq in cited["ledger"]] == [
        ("drill.commit", cited["id"]), ("drill.reveal", cited["id"])
    ]  # fmt: skip
    assert row_of(report, "NHI8")["standing"] == "verified by drill"
    seen = row_of(report, "NHI1")
    assert seen["standing"] == "observed"
    assert {each["name"] for each in seen["evidence"]} >= {"POST_REVOCATION_USE", "ends"}
    listed = {each["id"] for each in report["findings"]["listed"]}
    assert next(each["id"] for each in seen["evidence"] if each["name"] == "POST_REVOCATION_USE") in listed
    assert row_of(report, "NHI6")["standing"] == "absent"


def test_the_numbers_are_those_of_the_inventory_and_of_the_ledger(drilled: Path, capsys: Out):
    report = told_of(drilled, capsys)
    state = report["inventory"]
    assert (state["identities"], state["machines"], state["unowned"], state["kinds"]) == (2, 2, 1, {"role": 2})
    assert state["owners"] == {"Team": 1}
    assert report["findings"]["statuses"] == {"open": 1, "acknowledged": 0, "suppressed": 0}
    assert report["findings"]["codes"] == {"POST_REVOCATION_USE": 1}
    evidence = report["evidence"]
    assert evidence["wrong"] == []
    assert evidence["records"] == evidence["signed_records"] == sum(evidence["kinds"].values()) == LedgerFiles(drilled / "ledger").size()
    assert evidence["checkpoint"] == (drilled / "ledger" / "checkpoint").read_text(encoding="utf-8")
    assert (report["drills"]["played"], report["drills"]["passed"]) == (1, 1)
    assert report["scorecard"]["verdict"] == "FAIL"  # all others were not played


def test_a_drills_own_findings_are_in_no_number(drilled: Path, capsys: Out):
    """They are withdrawn when the drill is over."""
    with closing(sqlite3.connect(drilled / FILE)) as db:
        assert db.execute("SELECT count(*) FROM findings WHERE status='withdrawn'").fetchone()[0] > 0
    assert len(told_of(drilled, capsys)["findings"]["listed"]) == 1


def test_a_finding_that_is_suppressed_is_counted_as_that_alone(state: Path, capsys: Out):
    [finding] = told_of(state, capsys)["findings"]["listed"]
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86_400))
    words = ["findings", "suppress", finding["id"], "--until", day, "--reason", "a test", "--by", "ann", "--state", str(state)]
    assert main(words) == 0
    findings = told_of(state, capsys)["findings"]
    assert findings["statuses"] == {"open": 0, "acknowledged": 0, "suppressed": 1}
    assert (findings["listed"], findings["codes"]) == ([], {})


def test_a_book_that_somebody_changed_turns_no_row_green_and_exits_1(state: Path, capsys: Out):
    assert green(told_of(state, capsys))
    with closing(sqlite3.connect(state / "drill.db")) as db, db:
        db.execute("UPDATE drills SET result=replace(result, '\"seconds\":', '\"seconds\":1')")
    report = told_of(state, capsys, code=1)
    assert green(report) == set()
    assert row_of(report, "NHI8")["standing"] == "absent"
    assert any("not what the drills' key signed" in each for each in report["drills"]["wrong"])


def test_a_drill_that_somebody_took_away_turns_no_row_green_and_exits_1(state: Path, capsys: Out):
    with closing(sqlite3.connect(state / "drill.db")) as db, db:
        db.execute("DELETE FROM drills WHERE json_extract(result, '$.twin')")
    report = told_of(state, capsys, code=1)
    assert green(report) == set()
    assert any("somebody took it away" in each for each in report["drills"]["wrong"])


def test_a_ledger_that_does_not_hold_turns_no_row_green_and_exits_1(state: Path, capsys: Out):
    [segment] = (state / "ledger" / "live").iterdir()
    segment.write_bytes(segment.read_bytes().replace(b'"kind":"drill.reveal"', b'"kind":"drill.reveaL"', 1))
    report = told_of(state, capsys, code=1)
    assert green(report) == set()
    assert report["evidence"]["wrong"]
    assert "the ledger does not hold" in report["drills"]["wrong"][0]


def test_without_the_ledgers_key_nothing_is_green(state: Path, capsys: Out):
    (state / "keys" / "ledger.key").unlink()
    assert green(told_of(state, capsys, code=1)) == set()


def test_what_a_guard_does_is_seen_and_what_drills_did_through_one_is_not(tmp_path: Path, capsys: Out):
    """It stays in the guard's ledger and store; none of it was anybody's work."""
    state, manifest = tmp_path / "state", tmp_path / "licet.yaml"
    assert main(["drill", "run", "D13", "--source", "guard", "--state", str(state)]) == 0
    report = told_of(state, capsys)
    assert report["evidence"]["kinds"]["call.denied"] > 0
    assert report["findings"]["statuses"]["open"] == 0
    assert {row_of(report, each)["standing"] for each in ("MANAGE 2.4", "PR.PS-04", "PR.AA-05")} == {"absent"}
    # That what there was is on record is true of drills too.
    assert row_of(report, "MEASURE 2.8")["standing"] == "observed"
    manifest.write_text(MANIFEST, encoding="utf-8")
    with Guard.from_file(manifest, state=state) as guard:

        @guard.tool
        def read_ticket(number: int) -> str:
            return "text"

        with guard.task("answer", intent="Answer ticket 1", agent="bot", principal="user:grace"), pytest.raises(Denied):
            read_ticket("seven")  # type: ignore[arg-type]
    report = told_of(state, capsys)
    assert row_of(report, "MANAGE 2.4")["behaviour"] == "Calls that the guard refused: 1."
    [denied] = [each for each in row_of(report, "ASI02")["evidence"] if each["name"] == "scope.argument"]
    record = json.loads(list(LedgerFiles(state / "ledger").records())[denied["ledger"][0] - 1])
    assert (denied["kind"], denied["of"], record["kind"], record["tool"]) == ("check", "finding", "call.denied", "read_ticket")


def test_what_a_manifest_declares_counts_and_is_not_written_down(tmp_path: Path, capsys: Out):
    manifest = tmp_path / "licet.yaml"
    manifest.write_text(MANIFEST, encoding="utf-8")
    report = told_of(tmp_path / "nothing", capsys, "-m", str(manifest))
    assert not (tmp_path / "nothing").exists()
    assert {row_of(report, each)["standing"] for each in ("NHI8", "GOVERN 1.6", "GOVERN 2.1", "PR.AA-05")} == {"declared only"}
    assert green(report) == set()
    assert report["manifest"].startswith("sha256:")


def test_an_end_that_somebody_declared_or_that_was_denied_was_not_seen(tmp_path: Path):
    with closing(Inventory(tmp_path / FILE)) as inventory:
        inventory.declare(
            identities=[Identity(ROLE, "role")], lifecycle=[LifecycleEvent("declared", "d-1", NOW, "revoked", ROLE, "cred:1")]
        )
        inventory.keep([], [LifecycleEvent("cloudtrail", "r-1", NOW, "revoked", ROLE, "cred:1", outcome="denied")])
        assert not inventoried(inventory, NOW).seen["ends"]
        inventory.keep([], [LifecycleEvent("cloudtrail", "r-2", NOW, "revoked", ROLE, "cred:1")])
        assert inventoried(inventory, NOW).seen["ends"] == 1


def test_the_report_changes_nothing_in_the_folder(state: Path, tmp_path: Path, capsys: Out):
    def looks() -> dict[str, object]:
        found: dict[str, object] = {}
        for each in state.rglob("*"):
            if each.suffix == ".db":
                with closing(sqlite3.connect(each)) as db:  # its bytes change where a log is taken in
                    found[str(each)] = list(db.iterdump())
            elif each.is_file() and not each.name.endswith(("-wal", "-shm")):
                found[str(each)] = each.read_bytes()
        return found

    before = looks()
    assert main(["report", "-o", str(tmp_path / "r.html"), "--state", str(state)]) == 0
    assert looks() == before


def test_an_empty_folder_is_named_with_what_to_do(tmp_path: Path, capsys: Out):
    assert main(["report", "--state", str(tmp_path / "none")]) == 2
    assert "licet ingest" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_a_file_that_is_no_page_of_ours_is_not_overwritten(drilled: Path, tmp_path: Path, capsys: Out):
    other = tmp_path / "other.html"
    other.write_text("mine", encoding="utf-8")
    assert main(["report", "-o", str(other), "--state", str(drilled)]) == 2
    assert other.read_text(encoding="utf-8") == "mine"
    made = tmp_path / "report.html"
    assert main(["report", "-o", str(made), "--state", str(drilled)]) == 0
    assert main(["report", "-o", str(made), "--state", str(drilled)]) == 0


# The page -------------------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Its tags, attributes, and the texts of its table cells, row by row under the heading before."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.headings: list[str] = []
        self.rows: list[tuple[str, list[str], list[str]]] = []
        self._cell: list[str] | None = None
        self._inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        self._inside.append(tag)
        if tag == "tr":
            self.rows.append((self.headings[-1] if self.headings else "", [], []))
        if tag == "td":
            self.rows[-1][1].append("")
            self.rows[-1][2].append(dict(attrs).get("class") or "")
        if tag in ("h2", "h3"):
            self.headings.append("")

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "ul" in self._inside:
            return
        if "td" in self._inside:
            self.rows[-1][1][-1] += data
        elif self._inside and self._inside[-1] in ("h2", "h3"):
            self.headings[-1] += data


HOSTILE = "<script>alert(1)</script><img src=//x.example/p onerror=a()>\u202e\x1b[31m\"'&]](javascript:a)"


def hostile() -> Facts:
    """Everything that comes from elsewhere would act if it could."""
    why = Explanation(
        HOSTILE,
        (HOSTILE,),
        (Because("ENV_CROSSING", HOSTILE, HOSTILE, "declared", NOW),),
        (Evidence(HOSTILE, HOSTILE, HOSTILE, NOW, HOSTILE),),
    )
    finding = Finding("f1", NOW - 5, HOSTILE, "high", HOSTILE, owner=HOSTILE, explanation=why)
    many = {HOSTILE: 3}
    return facts_of(
        [*round_of("D1"), drill("D2", passed=False)], (HOSTILE,), state=State(NOW, 3, kinds=many, platforms=many, owners=many, credentials=many),
        findings=[Listed(finding, "open", ("ENV_CROSSING",), HOSTILE)], codes={"ENV_CROSSING": Sighting("ENV_CROSSING", 1, 0, HOSTILE, NOW, 3)},
        ledger=Ledger(f"{HOSTILE}\n1\nx\n", HOSTILE, 1, HOSTILE, 1, many, (HOSTILE,)), manifest=HOSTILE, doubt=HOSTILE,
    )  # fmt: skip


def made(facts: Facts) -> tuple[dict[str, Any], str]:
    found = cells(facts.audit, facts.now)
    report = told(facts, found, rows(facts, found))
    return report, page(report)


def test_what_is_foreign_cannot_act_on_the_page():
    _, text = made(hostile())
    parsed = Page(text)
    assert not {tag for tag, _ in parsed.tags} & {
        "script",
        "img",
        "iframe",
        "object",
        "embed",
        "link",
        "base",
        "form",
        "a",
        "video",
        "audio",
    }
    assert not [name for _, attributes in parsed.tags for name in attributes if name.startswith("on") or name in ("src", "href", "style")]
    assert "\u202e" not in text
    assert "\x1b" not in text
    assert "\\u{202e}" in text


def test_the_page_has_no_script_and_loads_nothing(drilled: Path, tmp_path: Path):
    assert main(["report", "-o", str(tmp_path / "r.html"), "--state", str(drilled)]) == 0
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    parsed = Page(text)
    assert not {tag for tag, _ in parsed.tags} & {"script", "img", "iframe", "object", "embed", "link", "base", "a", "use", "image"}
    assert not [value for tag, attributes in parsed.tags for name, value in attributes.items() if "://" in value and name != "xmlns"]
    assert "url(" not in text
    assert "@import" not in text
    policy = next(attributes["content"] for tag, attributes in parsed.tags if attributes.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "@media print" in text
    assert any(tag == "svg" for tag, _ in parsed.tags)


def test_the_style_is_the_one_that_the_policy_lets_in(drilled: Path):
    """Else a browser would show the page without it."""
    import base64
    import hashlib

    _, text = made(hostile())
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    assert base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode() in text.partition("</head>")[0].partition("<style>")[0]


@pytest.mark.parametrize("facts", [hostile(), Facts(NOW), facts_of(round_of("D1"))], ids=["hostile", "empty", "drilled"])
def test_page_and_json_say_the_same(facts: Facts):
    report, text = made(facts)
    parsed = Page(text)
    for of in report["catalogues"]:
        shown = [(cells[:3], cells[3], looks[2]) for heading, cells, looks in parsed.rows if heading == of["name"] and cells]
        assert [cells for cells, _, _ in shown] == [[row["id"], row["title"], row["standing"]] for row in of["rows"]]
        assert [behaviour for _, behaviour, _ in shown] == [row["behaviour"] for row in of["rows"]]
        assert ["verified" in look for _, _, look in shown] == [row["standing"] == "verified by drill" for row in of["rows"]]
        counts = next(cells for _, cells, _ in parsed.rows if cells[:1] == [of["name"]])
        assert counts[1:] == [str(of["counts"][each]) for each in STANDINGS]
        assert of["counts"] == {each: sum(row["standing"] == each for row in of["rows"]) for each in STANDINGS}
    drills = [cells for heading, cells, _ in parsed.rows if heading.startswith(("Drills", "Scorecard")) and len(cells) == 9]
    assert [(cells[0], cells[2], cells[3] == "passed", cells[6]) for cells in drills] == [
        (each["scenario"], each["source"], each["passed"], each["drill"] or "") for each in report["drills"]["listed"]
    ]


def test_green_is_the_colour_of_drills_that_passed_and_of_nothing_else():
    facts = Facts(NOW, seen={"identities": 3}, declared={"environments": 2})
    _, without = made(facts)
    assert COLOURS["verified by drill"] not in without
    assert not [looks for _, _, looks in Page(without).rows for look in looks if "verified" in look]
    _, text = made(facts._replace(audit=facts_of(round_of("D1")).audit))
    assert COLOURS["verified by drill"] in text


def test_more_findings_than_are_listed_are_said_in_number_in_both():
    finding = Finding("f", NOW - 5, "monitor.x", "low", "s")
    facts = Facts(NOW, findings=[Listed(finding, "open", ("GRANT_ADDED",), "me")] * 503)
    report, text = made(facts)
    assert (len(report["findings"]["listed"]), report["findings"]["left_out"]) == (500, 3)
    assert "3 findings more, not listed here" in text


def test_the_three_numbers_of_drift_are_sums_and_who_did_what_is_outside_stands_first():
    drifts = [Drifted("arn:a", 2, 4, 1, 0, 2), Drifted("arn:b", 1, 1, 0, 3, 0), Drifted("arn:c", 5, 5, 0, 0, 0)]
    report, text = made(Facts(NOW, drifts=drifts))
    drift = report["drift"]
    assert (drift["identities"], drift["used"], drift["granted"], drift["added_without_use"], drift["outside"]) == (3, 8, 10, 1, 3)
    assert [each["identity"] for each in drift["listed"]] == ["arn:b", "arn:a"]
    assert "8 of 10" in text


def test_ages_and_severities_add_up():
    days = [0.5, 3, 20, 60, 400]
    found = [Listed(Finding(f"f{age}", NOW - age * 86_400, "monitor.x", "low", "s"), "open", ("GRANT_ADDED",), "me") for age in days]
    report, _ = made(Facts(NOW, findings=found))
    assert list(report["findings"]["ages"].values()) == [1, 1, 1, 1, 1]
    assert report["findings"]["severities"]["low"] == 5


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads what it likes")
def test_a_folder_that_cannot_be_entered_is_named(tmp_path: Path, capsys: Out):
    shut = tmp_path / "shut"
    shut.mkdir(mode=0)
    assert main(["report", "--state", str(shut / "state")]) == 2
    assert "cannot be looked into" in capsys.readouterr().err
