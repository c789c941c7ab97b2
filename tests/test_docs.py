"""Each check has its page, the page says what the catalogue says, and its example runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from documents import example_of, holds, steps_hold
from licet.catalogue import CHECKS
from licet.cli import main

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

Captured = pytest.CaptureFixture[str]

DOCS = Path(__file__).parents[1] / "docs"
PAGES = DOCS / "checks"

# The official titles, with the editions that they are quoted from.
AGENTIC = "OWASP Top 10 for Agentic Applications 2026"
NHI = "OWASP Non-Human Identities Top 10 2025"
ATLAS = "MITRE ATLAS 5.6.1"
TITLES = {
    "ASI01": f"Agent Goal Hijack ({AGENTIC})",
    "ASI02": f"Tool Misuse and Exploitation ({AGENTIC})",
    "ASI03": f"Identity and Privilege Abuse ({AGENTIC})",
    "ASI04": f"Agentic Supply Chain Vulnerabilities ({AGENTIC})",
    "ASI05": f"Unexpected Code Execution (RCE) ({AGENTIC})",
    "ASI06": f"Memory & Context Poisoning ({AGENTIC})",
    "ASI07": f"Insecure Inter-Agent Communication ({AGENTIC})",
    "ASI08": f"Cascading Failures ({AGENTIC})",
    "ASI09": f"Human-Agent Trust Exploitation ({AGENTIC})",
    "ASI10": f"Rogue Agents ({AGENTIC})",
    "NHI1": f"Improper Offboarding ({NHI})",
    "NHI2": f"Secret Leakage ({NHI})",
    "NHI4": f"Insecure Authentication ({NHI})",
    "NHI5": f"Overprivileged NHI ({NHI})",
    "NHI7": f"Long-Lived Secrets ({NHI})",
    "NHI8": f"Environment Isolation ({NHI})",
    "AML.T0034.002": f"Agentic Resource Consumption ({ATLAS})",
    "AML.T0051.001": f"LLM Prompt Injection: Indirect ({ATLAS})",
    "AML.T0053": f"AI Agent Tool Invocation ({ATLAS})",
    "AML.T0081": f"Modify AI Agent Configuration ({ATLAS})",
    "AML.T0086": f"Exfiltration via AI Agent Tool Invocation ({ATLAS})",
    "AML.T0110": f"AI Agent Tool Poisoning ({ATLAS})",
}


def plain(text: str) -> str:
    return " ".join(text.split())


def test_each_check_has_a_page_and_there_is_no_other():
    assert {path.stem for path in PAGES.glob("*.md")} == {*CHECKS, "index"}


@pytest.mark.parametrize("check", CHECKS)
def test_the_page_says_what_the_catalogue_says(check: str):
    info, page = CHECKS[check], (PAGES / f"{check}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# `{check}`\n\nEffect: **{info.effect}** (")
    assert plain(f"Fires when {info.fires_when}.") in plain(page)
    assert plain(f"{info.remedy[0].upper()}{info.remedy[1:]}.") in plain(page)
    listed = re.findall(r"^- (.*)$", page.partition("## References")[2], re.MULTILINE)
    assert listed == [f"{reference} {TITLES[reference]}" for reference in info.references]


@pytest.mark.parametrize("check", CHECKS)
def test_the_example_prints_what_the_page_says(check: str, tmp_path: Path):
    example = example_of(PAGES / f"{check}.md")
    assert check in example.printed
    holds(example, tmp_path)


def test_the_index_lists_each_check_with_its_effect():
    index = (PAGES / "index.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[`([^`]+)`\]\(\1\.md\) \| (\w+) \| (.*) \|$", index, re.MULTILINE)
    assert sorted(rows) == sorted((check, info.effect, info.fires_when) for check, info in CHECKS.items())


@pytest.mark.parametrize("page", ["quickstart.md", "api.md", "tokens.md"])
def test_each_block_prints_what_stands_behind_it(page: str, tmp_path: Path):
    steps_hold(DOCS / page, tmp_path)


def test_the_quickstart_shows_what_check_says_of_its_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured):
    page = DOCS / "quickstart.md"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    Path("licet.yaml").write_text(example_of(page).manifest, encoding="utf-8")
    assert main(["check", "licet.yaml"]) == 0
    assert f"$ licet check licet.yaml\n{capsys.readouterr().out}```" in page.read_text(encoding="utf-8")


def test_the_page_on_replay_shows_what_its_sample_gives(monkeypatch: pytest.MonkeyPatch, capsys: Captured):
    page = (DOCS / "replay.md").read_text(encoding="utf-8")
    command, *said = page.split("```console\n$ licet ")[1].split("```")[0].splitlines()
    monkeypatch.chdir(DOCS.parent)
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(command.split()) == 0
    *printed, last = capsys.readouterr().out.splitlines()
    assert printed == said[:-1]
    assert last.partition(" in ")[0] == said[-1].partition(" in ")[0]


def test_the_page_on_ratifying_shows_what_its_commands_print(tmp_path: Path):
    """Each block of commands begins with the page's manifest in a folder of its own."""
    page = DOCS / "ratify.md"
    text = page.read_text(encoding="utf-8")
    (manifest,) = re.findall(r"^```yaml[^\n]*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LICET_"))}
    licet = f'licet() {{ "{sys.executable}" -m licet "$@"; }}; '
    blocks = list(re.finditer(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    assert len(blocks) == 2
    for number, block in reversed([*enumerate(blocks)]):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "licet.yaml").write_text(manifest, encoding="utf-8")
        shown = ""
        for command in re.findall(r"^\$ (.*)$", block[1], re.MULTILINE):
            ran = subprocess.run(
                ["bash", "-c", licet + command], cwd=folder, env=environment | {"LICET_STATE": "state"}, text=True,
                capture_output=True, timeout=60, check=True,
            )  # fmt: skip
            shown += f"$ {command}\n{ran.stdout}"
        if os.environ.get("LICET_REWRITE") and timeless(shown) != timeless(block[1]):
            text = text[: block.start(1)] + shown + text[block.end(1) :]
            page.write_text(text, encoding="utf-8")
        else:
            assert timeless(shown) == timeless(block[1])


def timeless(text: str) -> str:
    """The text without moments, and names of keys, which are new in each run."""
    return re.sub(r"ratifier/[0-9a-f]{16}", "ratifier/KEY", re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", text))
