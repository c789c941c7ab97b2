"""`licet` on the command line: exit codes, places, JSON, and that nothing shown can act."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hostile import HOSTILE, acting
from licet.cli import main
from licet.cli.main import COMMANDS
from licet.escape import plain_text, visible, visible_html, visible_json

VALID = """\
licet: 1
environment: dev
owners: {support: {name: Support, contact: support@acme.example}}
agents: {bot: {owner: support, tasks: [answer]}}
tools: {read_ticket: {access: read, egress: false}}
tasks: {answer: {intent: Answer a ticket, ttl: 10m, tools: {read_ticket: {}}}}
"""


def _written(directory: Path, text: str) -> str:
    path = directory / "licet.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return str(path)


def test_a_manifest_without_doubts_exits_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And says so."""
    assert main(["check", _written(tmp_path, VALID)]) == 0
    assert capsys.readouterr().out.endswith("licet.yaml: well (0 errors, 0 warnings)\n")


def test_warnings_exit_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are for a person to weigh."""
    path = _written(tmp_path, VALID.replace("owner: support, tasks", "tasks"))
    assert main(["check", path]) == 0
    assert f"{path}:4:10: warning: `agents.bot`: nobody owns this agent; name an `owner:` [unowned-agent]\n" in capsys.readouterr().out


def test_errors_exit_1_with_file_line_column_key_and_fix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The form that editors and CI systems parse."""
    path = _written(tmp_path, VALID.replace("ttl", "tttl"))
    assert main(["check", path]) == 1
    out = capsys.readouterr().out
    assert f"{path}:6:43: error: `tasks.answer.tttl`: unknown key; did you mean `ttl`? [unknown-key]\n" in out


def test_json_carries_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object, with the digest where the manifest is usable."""
    assert main(["check", "--json", _written(tmp_path, VALID)]) == 0
    good = json.loads(capsys.readouterr().out)
    assert (good["ok"], good["errors"], good["problems"]) == (True, 0, [])
    assert good["digest"].startswith("sha256:")
    assert main(["check", "--json", _written(tmp_path, VALID.replace("access: read, ", ""))]) == 1
    bad = json.loads(capsys.readouterr().out)
    assert (bad["ok"], bad["digest"]) == (False, None)
    assert {problem["code"] for problem in bad["problems"]} == {"missing-access", "unlimited"}


@pytest.mark.parametrize("name", ["nowhere.yaml", ".", "a\x00b"])
def test_what_cannot_be_read_exits_2(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a sentence on standard error and no traceback."""
    assert main(["check", str(tmp_path / name)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "cannot be read" in err
    assert "Traceback" not in err


def test_a_file_that_is_not_utf8_exits_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And names the byte."""
    (tmp_path / "m").write_bytes(b"licet: 1 # \xff")
    assert main(["check", str(tmp_path / "m")]) == 2
    assert "mend byte 11" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["nope"], ["check"], ["check", "a", "b\x1b[2J\u202e"], ["check", "--jsn", "x"]])
def test_wrong_usage_exits_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """And says how to go on; what was typed cannot act."""
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert "--help" in err
    assert not acting(err)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Also the ones that are added later."""
    assert main([command, "--help"]) == 0
    assert f"example: licet {command}" in capsys.readouterr().out


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """With what it does."""
    assert main(["--help"]) == 0
    out = " ".join(capsys.readouterr().out.split())  # argparse wraps long lines
    assert all(f"{name} {summary}" in out for name, summary in COMMANDS.items())


def test_schema_prints_the_shipped_schema(capsys: pytest.CaptureFixture[str]) -> None:
    """For editors."""
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Licet manifest"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """Of Licet and Python."""
    assert main(["version"]) == 0
    assert capsys.readouterr().out.startswith("licet ")


def _run(arguments: list[str], **more: str) -> subprocess.CompletedProcess[bytes]:
    source = str(Path(__file__).parents[2] / "src")
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, env={**os.environ, "PYTHONPATH": source, **more}, timeout=60, check=False
    )


def test_check_imports_nothing_heavy(tmp_path: Path) -> None:
    """Beyond what `import licet` itself brings, a check in an editor or a commit hook waits for none of these."""
    program = (
        "import sys, licet; before = set(sys.modules); from licet.cli import main; main(['check', sys.argv[1]]);"
        "print({'networkx', 'opentelemetry', 'langchain', 'sqlite3', 'cryptography'} & (set(sys.modules) - before))"
    )
    assert _run(["-c", program, _written(tmp_path, VALID)]).stdout.decode().splitlines()[-1] == "set()"


def test_a_reader_that_has_gone_is_no_traceback() -> None:
    """`licet check | head`: a closed pipe is not an error of ours."""
    source = str(Path(__file__).parents[2] / "src")
    with subprocess.Popen(
        [sys.executable, "-m", "licet.cli", "schema"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": source},
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 141


def test_output_survives_an_ascii_terminal(tmp_path: Path) -> None:
    """A character that the stream does not have is an escape, not a crash."""
    path = _written(tmp_path, VALID.replace("bot:", "'bot é 漢': "))
    done = _run(["-m", "licet.cli", "check", path], PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 1
    assert b"bot \\xe9 \\u6f22" in done.stdout


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("no_color,coloured", [(None, True), ("1", False), ("", True)])
def test_colour_only_on_a_terminal_that_wants_it(
    no_color: str | None, coloured: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_COLOR, and no escapes in files and pipes (the tests above see none)."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert main(["check", _written(tmp_path, VALID)]) == 0
    assert ("\x1b[32mwell\x1b[0m" in terminal.getvalue()) is coloured


def test_the_table_of_hostile_texts_is_long_enough() -> None:
    """And a part of it does act when it is not escaped, else the tests below would prove nothing."""
    assert len(HOSTILE) >= 100
    assert sum(bool(acting(text)) for text in HOSTILE) >= 60


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_escaped_text_cannot_act(text: str) -> None:
    """On a terminal, in a page, in chat, in JSON."""
    for shown in (visible(text), plain_text(text), visible_html(text), visible_json({"a": text}), visible_json({text: 1})):
        assert acting(shown, allow="") == []
        assert shown.encode("utf-8").decode() == shown
        assert len(shown) < 2_000 * 12
    assert not set(visible_html(text)) & set("<>\"'")
    unescaped = plain_text(text).replace("\\\\", "")  # an escaped backslash escapes nothing
    assert not any(mark in unescaped.replace("\\]", "") for mark in ("](", "][", "]:"))
    assert not re.search("<[A-Za-z/!?]", unescaped.replace("\\<", ""))


@pytest.mark.dev  # what is shown is ours; test_manifest_yaml.py reads any text with the lowest versions too
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_check_shows_hostile_manifests_without_effect(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a key, as a value, as a name, raw and as an escape; in lines and in JSON."""
    quoted = json.dumps(text)
    for manifest in (
        VALID + text,
        VALID + f"{quoted}: 1\n",
        VALID.replace("environment: dev", f"environment: {quoted}"),
        VALID.replace("owner: support", f"owner: {quoted}"),
        VALID.replace("[answer]", f"[answer, {quoted}]"),
        VALID.replace("tasks: {answer", f"tasks: {{{quoted}: {{}}, answer"),
    ):
        path = _written(tmp_path, manifest)
        for options in ([], ["--json"]):
            assert main(["check", path, *options]) in (0, 1, 2)
            out, err = capsys.readouterr()
            assert acting(out + err) == []
            lines = out.splitlines() if not options else []
            assert all(line.startswith(path) for line in lines)


def test_every_character_that_unicode_lets_a_reader_ignore_shows():
    """Default_Ignorable_Code_Point of Unicode 16; what is not assigned yet is in it, too."""
    ranges = [(0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200F)]
    ranges += [(0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0)]
    ranges += [(0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)]
    for code in (code for first, last in ranges for code in range(first, last + 1)):
        assert visible(chr(code)) == f"\\u{{{code:x}}}"
