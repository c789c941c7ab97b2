"""`licet reach` on the command line: the table, JSON, pictures, exit codes, and that nothing shown can act."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from hostile import HOSTILE, acting
from licet.cli import main

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

Captured = pytest.CaptureFixture[str]

MANIFEST = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents:
  bot: {owner: o, tasks: [answer, tidy], may_delegate_to: [helper]}
  helper: {owner: o, tasks: [tidy]}
tools:
  read_ticket: {access: read, egress: false, fields: {id: trusted, customer: counterpart}, reveals: [customer-data], store: crm}
  note: {access: write, egress: false, arguments: {ticket: {origin: [intent, trusted], required: true}, text: {content: true}}, store: crm}
  send_email:
    access: write
    egress: true
    arguments: {to: {origin: [intent, trusted], required: true}, body: {content: true}}
  wipe: {access: write, egress: false, arguments: {name: {maxLength: 5}}}
tasks:
  answer: {intent: Answer, ttl: 10m, tools: {read_ticket: {}, note: {at_most: 2}, send_email: {}}}
  tidy: {intent: Tidy up, ttl: 10m, tools: {wipe: {}}}
"""


TASK = """
    intent: Answer
    ttl: 10m
    tools: {read_ticket: {}, note: {at_most: 2}, send_email: {}}"""


@pytest.fixture
def manifest(tmp_path: Path) -> str:
    path = tmp_path / "licet.yaml"
    path.write_text(MANIFEST, encoding="utf-8")
    return str(path)


def test_the_table_says_how_far_and_by_which_calls(manifest: str, capsys: Captured) -> None:
    """Each effect with its arguments, its bounds and the cheapest path; each label with its receiver; each laundering path."""
    assert main(["reach", manifest, "--task", "answer"]) == 0
    out = capsys.readouterr().out
    assert "among trusted values        note (write; at most 2 calls)\n    by read_ticket -> note\n" in out
    assert "      text                 freely\n      ticket               among trusted values: read_ticket:id\n" in out
    assert "customer-data by send_email (`to` from read_ticket:id), by read_ticket -> send_email\n" in out
    assert "note(text) -> read_ticket:id -> note(ticket) (store crm)\n" in out
    assert "It may delegate to helper: a sub-task has at most what this one has" in out


def test_it_fails_on_what_is_free_only_when_asked(manifest: str, capsys: Captured) -> None:
    """For a gate in continuous integration."""
    assert main(["reach", manifest, "--task", "tidy"]) == 0
    assert main(["reach", manifest, "--task", "tidy", "--fail-on", "free"]) == 1
    assert main(["reach", manifest, "--task", "answer", "--fail-on", "free"]) == 0
    assert "freely                      wipe (write)\n    by wipe\n" in capsys.readouterr().out


def test_json_carries_the_same_and_the_graph(manifest: str, capsys: Captured) -> None:
    """Every edge joins two nodes, and every effect of the table is a node."""
    assert main(["reach", manifest, "--task", "answer", "--agent", "bot", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["agents"], found["level"]) == ("answer", ["bot"], "trusted")
    assert {effect["tool"]: effect["path"] for effect in found["effects"]} == {
        "note": ["read_ticket", "note"], "send_email": ["read_ticket", "send_email"],
    }  # fmt: skip
    nodes = {node["id"] for node in found["graph"]["nodes"]}
    assert {"attacker", "store:crm", "label:customer-data", "effect:note", "effect:send_email", "field:read_ticket:id"} <= nodes
    assert {end for edge in found["graph"]["edges"] for end in (edge["source"], edge["target"])} <= nodes


@pytest.mark.parametrize("form", ["--svg", "--html"])
def test_the_worst_case_is_one_picture(form: str, manifest: str, tmp_path: Path, capsys: Captured) -> None:
    """The calls to the worst effect and to the worst leak, in one file that loads and runs nothing."""
    path = tmp_path / "worst"
    assert main(["reach", manifest, "--task", "answer", form, str(path)]) == 0
    assert f"wrote {path}" in capsys.readouterr().err
    text = path.read_text(encoding="utf-8")
    for shown in ("1. read_ticket", "2. note", "EFFECT: among trusted values", "LEAK: among trusted values", "at most 2 calls"):
        assert shown in text
    assert "<script" not in text
    if form == "--svg":
        ElementTree.fromstring(text)
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    else:
        assert "default-src 'none'" in text
        assert "note (write)" in text


@pytest.mark.parametrize(
    "arguments,part",
    [
        ([], "which task kind? say --task with one of answer, tidy"),
        (["--task", "ghost"], "declared: answer, tidy"),
        (["--task", "answer", "--agent", "helper"], "those that may: bot"),
        (["--task", "answer", "--svg", "/nowhere/at/all.svg"], "cannot be written"),
        (["--task", "answer", "--svg", "a", "--html", "b"], "not allowed with"),
        (["--task", "answer", "--fail-on", "never"], "invalid choice"),
    ],
)
def test_wrong_usage_exits_2(arguments: list[str], part: str, manifest: str, capsys: Captured) -> None:
    """And says how to go on."""
    assert main(["reach", manifest, *arguments]) == 2
    assert part in capsys.readouterr().err


def test_the_only_task_kind_needs_no_name(tmp_path: Path, capsys: Captured) -> None:
    """And a kind in which nothing changes reaches nothing."""
    path = tmp_path / "licet.yaml"
    path.write_text(
        MANIFEST.replace("tidy: {intent: Tidy up, ttl: 10m, tools: {wipe: {}}}", "")
        .replace("[answer, tidy]", "[answer]")
        .replace("[tidy]", "[answer]")
    )
    assert main(["reach", str(path)]) == 0
    assert "`answer`" in capsys.readouterr().out


def test_a_manifest_that_does_not_load_exits_2(tmp_path: Path, capsys: Captured) -> None:
    """With its errors."""
    path = tmp_path / "licet.yaml"
    path.write_text(MANIFEST.replace("ttl: 10m", "ttl: ten", 1))
    assert main(["reach", str(path), "--task", "answer"]) == 2
    assert "a duration is a whole number and a unit" in capsys.readouterr().err


def test_what_check_is_told_to_stop_nothing_is_said_first(tmp_path: Path, capsys: Captured) -> None:
    """A lowered check is not to be missed."""
    path = tmp_path / "licet.yaml"
    path.write_text(MANIFEST + "checks: {origin.argument: {then: flag}}\n")
    assert main(["reach", str(path), "--task", "answer", "--fail-on", "free"]) == 1
    assert "`origin.argument` stops nothing here" in capsys.readouterr().out


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_shown_can_act(text: str, tmp_path: Path, capsys: Captured) -> None:
    """Names of arguments, what budgets count and what patterns say are whatever a manifest holds."""
    path, picture = tmp_path / "licet.yaml", tmp_path / "worst"
    name = json.dumps(text or "empty")
    budget = f"    budgets: [{{distinct: {name}, of: send_email, at_most: 3}}]\n"
    body = MANIFEST.replace("body: {content", f"{name}: {{content").replace("  tidy: {intent", f"{budget}  tidy: {{intent")
    body = body.replace("{intent: Answer, ttl: 10m, tools: {read_ticket: {}, note: {at_most: 2}, send_email: {}}}", TASK)
    path.write_bytes(body.encode("utf-8", "surrogatepass"))
    loads = main(["check", str(path)]) == 0
    capsys.readouterr()
    for options in ([], ["--json"], ["--svg", str(picture)], ["--html", str(picture)]):
        assert main(["reach", str(path), "--task", "answer", *options]) == (0 if loads else 2)
        out, err = capsys.readouterr()
        assert acting(out + err) == []
        if loads and options[:1] in (["--svg"], ["--html"]):
            shown = picture.read_text(encoding="utf-8")
            assert acting(shown) == []
            assert "<script" not in shown.lower()
            assert "<img" not in shown.lower()


def test_most_hostile_texts_are_shown_indeed(tmp_path: Path, capsys: Captured) -> None:
    """Else the test above would only see refusals."""
    path = tmp_path / "licet.yaml"
    shown = 0
    for text in HOSTILE:
        path.write_bytes(MANIFEST.replace("body: {content", f"{json.dumps(text)}: {{content").encode("utf-8", "surrogatepass"))
        shown += main(["reach", str(path), "--task", "answer"]) == 0
    assert acting(capsys.readouterr().out) == []
    assert shown > len(HOSTILE) // 2


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_what_was_typed_cannot_act(text: str, manifest: str, capsys: Captured) -> None:
    """A task kind that is not there is quoted in the sentence."""
    assert main(["reach", manifest, f"--task={text}"]) == 2
    assert acting("".join(capsys.readouterr())) == []


def test_check_stays_light() -> None:
    """What finds laundering for `licet check` needs no graph."""
    program = "import sys, licet; before = set(sys.modules); import licet.manifest.lint; print('networkx' in set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"


def test_the_page_shows_what_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """And its manifest has nothing that `check` would tell."""
    page = (Path(__file__).parents[2] / "docs" / "reach.md").read_text(encoding="utf-8")
    manifest = page.partition('```yaml title="licet.yaml"\n')[2].partition("```")[0]
    printed = page.partition("$ licet reach licet.yaml --task answer-ticket\n")[2].partition("```")[0]
    monkeypatch.chdir(tmp_path)
    Path("licet.yaml").write_text(manifest, encoding="utf-8")
    assert main(["check", "licet.yaml"]) == 0
    assert capsys.readouterr().out == "licet.yaml: well (0 errors, 0 warnings)\n"
    assert main(["reach", "licet.yaml", "--task", "answer-ticket"]) == 0
    assert capsys.readouterr().out == printed
