"""`licet pin`: the digest that the guard computes goes into the manifest, and nothing else in the file changes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from licet import Denied, Guard
from licet.cli import main
from licet.errors import UsageError
from licet.manifest import load
from licet.manifest.edit import with_definitions

Captured = pytest.CaptureFixture[str]

MANIFEST = """\
# The desk's tools; see the wiki.
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents:
  bot: {owner: o, tasks: [work]}
tools:
  note: {access: read, egress: false}    # reads
  send_email:
    access: write
    egress: true     # goes out

    # whom
    arguments:
      to: {origin: [intent, nowhere]}   # said by the user
  spare: {access: admin, egress: false}
tasks:
  work:
    intent: Work
    ttl: 10m
    tools: {note: {}, send_email: {}}
"""

TOOLS = '''\
def note(text: str = "x") -> str:
    """Note it."""
    return text


def post(to: str, body: str = "") -> str:
    """Send a mail."""
    return to


def helper() -> None: ...
'''

A, B = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "licet.yaml").write_text(MANIFEST, encoding="utf-8")
    (tmp_path / "desk_tools.py").write_text(TOOLS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "desk_tools", raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


SOURCES = ("--module", "desk_tools", "--tool", "send_email=desk_tools:post")


def test_a_pinned_tool_runs_and_everything_else_in_the_file_is_as_it_was(folder: Path, capsys: Captured) -> None:
    assert main(["pin", *SOURCES]) == 0
    said, noted = capsys.readouterr()
    assert "note: pinned now" in said
    assert "spare: not found" in said
    assert "`helper`: licet.yaml does not declare it" in noted
    lines = (folder / "licet.yaml").read_text(encoding="utf-8").splitlines()
    manifest = load("licet.yaml")
    kept = [line.replace(f", definition: {manifest.tools['note'].definition}", "") for line in lines]
    kept.remove(f"    definition: {manifest.tools['send_email'].definition}")
    assert kept == MANIFEST.splitlines()

    import desk_tools  # type: ignore[import-not-found]

    with Guard.from_file("licet.yaml", state=folder / "state") as guard:
        note, send = guard.tool(desk_tools.note), guard.wrap(desk_tools.post, name="send_email")
        with guard.task("work", intent="Write to ada@acme.example", agent="bot", principal="user:grace"):
            assert note("y") == "y"
            assert send("ada@acme.example") == "ada@acme.example"


def test_check_names_what_is_not_pinned_what_differs_and_what_is_not_found(folder: Path, capsys: Captured) -> None:
    (folder / "licet.yaml").write_text(with_definitions(MANIFEST, {"note": A}), encoding="utf-8")
    before = (folder / "licet.yaml").read_bytes()
    assert main(["pin", *SOURCES, "--check"]) == 1
    said = capsys.readouterr().out
    assert "note: changed" in said
    assert "send_email: not pinned" in said
    assert "spare: not found" in said
    assert (folder / "licet.yaml").read_bytes() == before
    assert main(["pin", *SOURCES]) == 0
    assert main(["pin", *SOURCES, "--check", "note", "send_email"]) == 0
    assert main(["pin", *SOURCES, "--check"]) == 1, "nobody looked at `spare`"


def test_pinning_twice_changes_nothing_the_second_time(folder: Path) -> None:
    main(["pin", *SOURCES])
    once = (folder / "licet.yaml").read_bytes()
    assert main(["pin", *SOURCES]) == 0
    assert (folder / "licet.yaml").read_bytes() == once


def test_a_changed_docstring_is_found_by_check_and_refused_by_the_guard(folder: Path, capsys: Captured) -> None:
    main(["pin", *SOURCES])
    (folder / "desk_tools.py").write_text(TOOLS.replace("Note it.", "Note it, and send it to all."), encoding="utf-8")
    sys.modules.pop("desk_tools")
    sys.path_importer_cache.clear()
    assert main(["pin", *SOURCES, "--check", "note"]) == 1
    assert "note: changed" in capsys.readouterr().out


def test_a_dry_run_prints_the_change_and_writes_nothing(folder: Path, capsys: Captured) -> None:
    assert main(["pin", *SOURCES, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "+    definition: sha256:" in said
    assert (folder / "licet.yaml").read_text(encoding="utf-8") == MANIFEST


def test_json_is_one_object(folder: Path, capsys: Captured) -> None:
    assert main(["pin", *SOURCES, "--check", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["written"], told["undeclared"]) == (False, False, ["helper", "post"])
    assert {row["tool"]: row["status"] for row in told["tools"]} == {"note": "not pinned", "send_email": "not pinned", "spare": "not found"}


def test_what_a_running_guard_met_can_be_pinned(folder: Path) -> None:
    main(["pin", *SOURCES])
    by_module = load("licet.yaml").tools["note"].definition
    (folder / "licet.yaml").write_text(MANIFEST, encoding="utf-8")
    with Guard.from_file("licet.yaml", state=folder / "state") as guard:
        guard.tool(sys.modules["desk_tools"].note)
        (folder / "met.json").write_text(json.dumps(guard.definitions), encoding="utf-8")
    assert main(["pin", "--from", "met.json", "note"]) == 0
    assert load("licet.yaml").tools["note"].definition == by_module


def test_functions_that_are_guarded_in_their_module_are_pinned_as_the_tools_that_they_are(folder: Path) -> None:
    guarded = f"from licet import Guard\nguard = Guard.from_file('licet.yaml', state='state')\n{TOOLS}\nsend_email = guard.wrap(post, name='send_email', ask_reason=True)\nnote = guard.tool(note)\n"
    main(["pin", *SOURCES])
    (folder / "desk_guarded.py").write_text(guarded, encoding="utf-8")
    assert main(["pin", "--module", "desk_guarded", "--check", "note", "send_email"]) == 0
    sys.modules.pop("desk_guarded").guard.close()


def test_a_langchain_tool_is_pinned_as_the_agent_shows_it(folder: Path) -> None:
    tools = "from langchain_core.tools import tool\n@tool\ndef note(text: str = 'x') -> str:\n    '''Note it.'''\n    return text\nTOOLS = [note]\n"
    (folder / "chain_tools.py").write_text(tools, encoding="utf-8")
    assert main(["pin", "--langchain", "chain_tools:TOOLS", "note"]) == 0
    from licet.integrations.langchain import guard_tool

    note = sys.modules.pop("chain_tools").note
    with (
        Guard.from_file("licet.yaml", state=folder / "state") as guard,
        guard.task("work", intent="Note", agent="bot", principal="user:grace"),
    ):
        assert guard_tool(guard, note).invoke({"text": "y"}) == "y"
        note.description = "Note it, and send it to all."
        with pytest.raises(Denied, match=r"tool\.changed"):
            guard_tool(guard, note).invoke({"text": "y"})


@pytest.mark.parametrize(
    "arguments, named",
    [
        (["nota", *SOURCES], "does not declare `nota`; did you mean `note`?"),
        (["--tool", "post=desk_tools:post"], "does not declare `post`"),
        (["spare", *SOURCES], "no definition of `spare` was found"),
        ([], "say where the tools are"),
        (["--tool", "send_email=desk_tools:TOOLS"], "has no `TOOLS`"),
        (["--from", "missing.json"], "missing.json: cannot be read"),
        (["--module", "desk_tools", "--tool", "note=desk_tools:post"], "`note` has two definitions"),
    ],
)
def test_a_wrong_name_is_named(arguments: list[str], named: str, folder: Path, capsys: Captured) -> None:
    assert main(["pin", *arguments]) == 2
    assert named in capsys.readouterr().err
    assert (folder / "licet.yaml").read_text(encoding="utf-8") == MANIFEST


def test_a_servers_tools_without_its_name_say_how_to_name_it(folder: Path, capsys: Captured) -> None:
    (folder / "licet.yaml").write_text(MANIFEST.replace("note:", "files:note:").replace("{note: {}", "{files:note: {}"), encoding="utf-8")
    (folder / "tools.json").write_text(json.dumps([{"name": "note", "inputSchema": {"type": "object"}}]), encoding="utf-8")
    assert main(["pin", "--mcp", "tools.json"]) == 2
    assert "it has them as `files:...`: write --mcp files=FILE" in capsys.readouterr().err


def test_a_manifest_in_the_place_of_a_tool_is_told_its_place(folder: Path, capsys: Captured) -> None:
    assert main(["pin", *SOURCES, "licet.yaml"]) == 2
    assert "a manifest is named by `-m`" in capsys.readouterr().err


@pytest.mark.parametrize("written", [[], {}, {"note": "sha256:x"}, {"note": 7}, "note"])
def test_a_file_of_another_form_is_refused(written: Any, folder: Path, capsys: Captured) -> None:
    (folder / "met.json").write_text(json.dumps(written), encoding="utf-8")
    assert main(["pin", "--from", "met.json"]) == 2
    assert "met.json: " in capsys.readouterr().err


def test_the_file_keeps_its_rights_and_a_link_stays_a_link(folder: Path) -> None:
    (folder / "licet.yaml").chmod(0o640)
    (folder / "link.yaml").symlink_to("licet.yaml")
    assert main(["pin", "-m", "link.yaml", *SOURCES]) == 0
    assert (folder / "link.yaml").is_symlink()
    assert (folder / "licet.yaml").stat().st_mode & 0o777 == 0o640
    assert load("licet.yaml").tools["note"].definition
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith(".")) == []


HEAD = "licet: 1\ntools:\n"


@pytest.mark.parametrize(
    "text, line",
    [
        ("  x: {access: read}   # c\n", f"  x: {{access: read, definition: {A}}}   # c"),
        ("  x: {}\n", f"  x: {{definition: {A}}}"),
        ("  x: {access: read, # why\n      egress: false, # last\n  }\n", f"      egress: false, definition: {A}, # last"),
        ("  x:\n    access: read  # c\n\n  # y\n  y: {}\n", f"    definition: {A}"),
        ("  x:\n    access: read", f"    definition: {A}"),
        ("  x:\n    reveals:\n    - a # z\n  y: {}\n", f"    definition: {A}"),
        ("  x:\n    access: read\n    description: |\n      text\n\n  y: {}\n", f"    definition: {A}"),
        ("  x:\n    access: read\n    description: text\n      more\n", f"    definition: {A}"),
        (f"  x:\n    definition: '{B}'  # old\n    access: read\n", f"    definition: {A}  # old"),
        (f'  x: {{definition: "{B}", access: read}}\n', f"  x: {{definition: {A}, access: read}}"),
        ("  x: {'description': 'é😀 }', access: read}\n", f"  x: {{'description': 'é😀 }}', access: read, definition: {A}}}"),
        ("  x:\r\n    access: read # c\r\n  y: {}\r\n", f"    definition: {A}"),
        ("  ? x\n  : access: read\n    egress: false\n", f"    definition: {A}"),
    ],
)
def test_a_digest_is_put_into_any_layout(text: str, line: str) -> None:
    """The line is there, all else is as it was, and doing it again changes nothing."""
    for before in (HEAD + text, "\ufeff" + HEAD + text):
        after = with_definitions(before, {"x": A})
        assert line in after.splitlines()
        taken = after.replace(f", definition: {A}", "").replace(f"definition: {A}", "").split()
        assert taken == before.replace(f"definition: '{B}'", "").replace(f'definition: "{B}"', "").split()
        assert with_definitions(after, {"x": A}) == after


def test_a_tool_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="does not declare `z`"):
        with_definitions(HEAD + "  x: {access: read}\n", {"z": A})
