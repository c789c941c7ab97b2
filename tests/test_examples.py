"""Every example runs as its reader would run it, a second time as well, and leaves no mark outside of `.demo`."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from documents import unvarying
from licet.catalogue import CHECKS
from licet.cli import main
from licet.manifest import load

ROOT = Path(__file__).parent.parent
AGENTS = ROOT / "examples" / "agents"
PROGRAMS = sorted(path for path in AGENTS.glob("*/*.py") if path.name in ("agent.py", "client.py", "demo.py"))


def run(program: Path, directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY") and not name.startswith(("OTEL_", "LICET_"))}
    kept |= {"PYTHONIOENCODING": "utf-8", "HOME": str(directory), **environment}
    command = [sys.executable, str(program)]
    return subprocess.run(command, check=False, cwd=directory, env=kept, capture_output=True, encoding="utf-8", timeout=110)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.parent.name)
def test_an_example_runs_twice(program: Path, tmp_path: Path) -> None:
    for _ in range(2):
        done = run(program, tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        # The server's own: version 1 of the SDK logs each request.
        assert done.stderr == "" or (program.parent.name == "mcp_files" and importlib.metadata.version("mcp").startswith("1."))
    assert [path.name for path in tmp_path.iterdir()] == [".demo"]


@pytest.mark.parametrize("path", sorted(AGENTS.glob("*/licet.yaml")), ids=lambda path: path.parent.name)
def test_the_manifest_of_an_example_loads(path: Path) -> None:
    assert load(path).tasks


def test_the_demo_says_what_it_shows(tmp_path: Path) -> None:
    shown = run(AGENTS / "support" / "demo.py", tmp_path).stdout
    assert "\x1b" not in shown
    unguarded, guarded = shown.split("2  Guarded")
    assert "the customer list arrived at archive@collector.example" in unguarded
    assert "the answer arrived at ada@okafor.example" in unguarded
    assert "nothing arrived at archive@collector.example" in guarded
    assert "the answer arrived at ada@okafor.example" in guarded
    assert guarded.count("BLOCKED") == 2
    assert guarded.count("      Denied (scope.argument): `find_customers` did not run") == 1  # the whole list is nobody's to look up
    assert guarded.count("      Denied (origin.argument): `send_email` did not run") == 1
    assert guarded.count("      Denied (") == 2
    assert "✓ PASS  9 of 9 drills passed" in guarded
    assert "came from `text` of" in guarded
    [sub_task, _, _, its_call] = re.findall(
        r"^│?[ ├─│└]*(look-up-help|intent  Find|agent   research-bot|1 read_help)", guarded, re.MULTILINE
    )
    assert (sub_task, its_call) == ("look-up-help", "1 read_help")
    assert "research-bot, asked by support-bot, for user:grace: tool:read_help, to https://help.acme.example\n" in guarded
    whole = re.search(r"✓ the ledger is whole: (\d+) of (\d+) records under a checkpoint, signed with [0-9a-f]{8}\n", guarded)
    assert whole is not None
    assert whole[1] == whole[2]
    assert re.search(
        r"✓ \.demo/evidence\.json proves the refused call offline: \d+ records of the task, by the public key alone\n", guarded
    )
    assert "verified the token" in guarded
    assert "Every promise held" in guarded
    assert "✗ t" not in shown


def test_the_remote_tool_takes_the_agents_call_and_nobody_elses(tmp_path: Path) -> None:
    shown = run(AGENTS / "remote_tool" / "agent.py", tmp_path).stdout
    for line in (
        "pay_back(1, 45)                200   paid 45 euros back for order 1: refund-bot for user:grace",
        "without a token                401   its log: token.malformed: no token came along",
        "the same token again           401   its log: token.replay: the token was used before",
        "for other arguments            401   its log: token.binding: the arguments are not those that were judged",
        "with another tool's token      401   its log: token.binding: the token is for another tool",
        "without the key it is bound to 401   its log: token.proof: the token is bound to a key, and no proof of it came along",
        "after the end of the task      401   its log: token.ended: the task had ended",
        "token.replay   the token ",
        "presented and refused: the arguments are not those that were judged",
        "presented and refused: the token is for another tool",
        "token.proof    the token ",
        "token.ended    the token ",
        "Every promise held.",
    ):
        assert line in shown
    written = [path.read_bytes() for path in (tmp_path / ".demo").rglob("*") if path.is_file() and "keys" not in path.parts]
    assert len(written) > 3
    assert not any(b"eyJ" in data for data in written)  # no token is written down anywhere, on either side


def test_the_authoritys_client_shows_what_its_page_says(tmp_path: Path) -> None:
    """docs/authority.md has its output, whole; no token is written down anywhere."""
    shown = run(AGENTS / "authority_client" / "client.py", tmp_path).stdout
    page = (ROOT / "docs" / "authority.md").read_text(encoding="utf-8")
    steady = re.compile(r"\b\d+ s\b")  # a life that began a second earlier is a second shorter
    quoted = page.partition("$ python examples/agents/authority_client/client.py\n")[2].partition("```")[0]
    assert steady.sub("N s", quoted) == steady.sub("N s", shown)
    assert "Every promise held." in shown
    written = [path for path in (tmp_path / ".demo").rglob("*") if path.is_file() and "keys" not in path.parts]
    assert len(written) > 4
    assert not any(b"eyJ" in path.read_bytes() for path in written)


def test_a_tool_that_does_not_share_the_store_fails_the_example(tmp_path: Path) -> None:
    """It does not know that the task has ended, and the example says so."""
    copied = tmp_path / "remote_tool"
    copied.mkdir()
    for path in (AGENTS / "remote_tool").glob("*.*"):
        text = path.read_text(encoding="utf-8").replace("state=SqliteStore(given.store)", "state=__import__('licet').MemoryState()")
        (copied / path.name).write_text(text, encoding="utf-8")
    done = run(copied / "agent.py", tmp_path)
    assert done.returncode == 1
    assert "promises did not hold" in done.stdout
    assert "  ✗ after the end of the task: refused, and told to the log\n" in done.stdout
    assert "  ✗ a finding of token.ended\n" in done.stdout


def test_the_readme_shows_lines_of_the_demo(tmp_path: Path) -> None:
    quoted = unvarying((ROOT / "README.md").read_text(encoding="utf-8").split("```console\n1  Unguarded")[1].split("```")[0]).splitlines()
    rest = iter(unvarying(run(AGENTS / "support" / "demo.py", tmp_path).stdout).splitlines())
    assert [line for line in quoted if line not in rest] == []  # all of them, in this order


def test_what_the_demo_says_to_paste_works_where_it_ran(tmp_path: Path) -> None:
    shown = run(AGENTS / "support" / "demo.py", tmp_path).stdout
    assert "the next run replaces it" in shown
    commands = [
        line.partition("#")[0].replace("less ", "cat ", 1).replace("make ", "make -n ", 1) for line in shown.splitlines() if "   # " in line
    ]
    assert len(commands) == 8
    for command in commands:
        done = subprocess.run(shlex.split(command), check=False, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=60)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / ".demo" / "task.html").exists()


def test_the_demo_works_on_a_terminal_that_knows_ascii_only(tmp_path: Path) -> None:
    done = run(AGENTS / "support" / "demo.py", tmp_path, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_promise_that_does_not_hold_fails_the_demo(tmp_path: Path) -> None:
    """With a manifest in which origins and flows are only observed, the mail arrives, and the demo says so."""
    copied = tmp_path / "support"
    copied.mkdir()
    for path in (AGENTS / "support").glob("*.*"):
        text = path.read_text(encoding="utf-8")
        if path.name == "licet.yaml":
            until = (datetime.now(UTC) + timedelta(days=7)).date()
            text += "checks:\n" + "".join(
                f"  {check}: {{mode: observe, until: {until}, reason: a trial}}\n"
                for check in CHECKS
                if check.startswith(("origin.", "flow."))
            )
        (copied / path.name).write_text(text, encoding="utf-8")
    done = run(copied / "demo.py", tmp_path)
    assert done.returncode == 1
    assert "mail arrived at archive@collector.example" in done.stdout
    assert "did not hold" in done.stdout


def test_the_mcp_server_never_hears_of_the_refused_call(tmp_path: Path) -> None:
    shown = run(AGENTS / "mcp_files" / "agent.py", tmp_path).stdout
    assert "      Denied (origin.argument): `files:write_file` did not run: `name`" in shown
    assert "The server was asked to write: summary.txt\n" in shown


def test_the_page_on_mcp_saves_tools_drafts_with_the_servers_name_and_guards(tmp_path: Path) -> None:
    """Its blocks, pasted into files, with a real server."""
    mcp = pytest.importorskip("mcp")
    if not hasattr(mcp, "Client"):
        pytest.skip("the page shows version 2 of the SDK")
    first, saving = re.findall(r"```python\n(import asyncio.*?)```", (ROOT / "docs" / "mcp.md").read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "report.txt").write_text("The parcel is late.", encoding="utf-8")
    server = f"command={sys.executable!r}, args=[{str(AGENTS / 'mcp_files' / 'server.py')!r}, 'folder']"
    for name, block in (("first.py", first), ("saving.py", saving)):
        assert block.count('command="my-file-server"') == 1
        (tmp_path / name).write_text(block.replace('command="my-file-server"', server), encoding="utf-8")
    done = run(tmp_path / "saving.py", tmp_path)
    assert done.returncode == 0, done.stderr
    assert main(["init", "--mcp", f"files={tmp_path / 'tools.json'}", "-o", str(tmp_path / "draft.yaml")]) == 0
    assert list(load(tmp_path / "draft.yaml").tools) == list(load(AGENTS / "mcp_files" / "licet.yaml").tools)
    shutil.copy(AGENTS / "mcp_files" / "licet.yaml", tmp_path)
    done = run(tmp_path / "first.py", tmp_path)
    assert (done.returncode, "The parcel is late." in done.stdout) == (0, True), done.stderr
    assert (tmp_path / ".licet").is_dir()
