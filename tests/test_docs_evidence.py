"""docs/evidence.md says what the commands print: they are run as they stand there, by a shell, behind the page's program."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from documents import example_of, output_of
from licet.ledger.check.faults import CODES

PAGE = Path(__file__).parents[1] / "docs" / "evidence.md"
_CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TASK = re.compile(r"in task ([0-9a-f]{8})")


def test_the_page_on_commands_names_each_fault_as_the_code_does():
    text = (PAGE.parent / "cli.md").read_text(encoding="utf-8").split("## The ledger\n")[1]
    rows = re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", text, re.MULTILINE)
    assert [row for row in rows if row[0] in CODES] == list(CODES.items())


def test_the_commands_print_what_stands_behind_them(tmp_path: Path):
    """In their order, in one folder; ids, sizes and hours are those of the run."""
    example = example_of(PAGE)
    printed = output_of(example, tmp_path)
    named, made = _TASK.search(example.printed), _TASK.search(printed)
    assert named is not None
    assert made is not None
    text = PAGE.read_text(encoding="utf-8")
    shown: list[str] = []
    for block in _CONSOLE.finditer(text):
        commands = [line for line in block[1].splitlines() if line.startswith("$ ")]
        said = "".join(f"{line}\n{_run(line[2:].replace(named[1], made[1]), tmp_path)}" for line in commands)
        shown.append(said.replace(made[1], named[1]))
    for block, now in reversed([*zip(_CONSOLE.finditer(text), shown, strict=True)]):
        if os.environ.get("LICET_REWRITE") and _unvarying(block[1]) != _unvarying(now):
            text = text[: block.start(1)] + now + text[block.end(1) :]
            PAGE.write_text(text, encoding="utf-8")
        else:
            assert _unvarying(block[1]) == _unvarying(now)


def _run(command: str, folder: Path) -> str:
    bin_ = folder / "bin"
    bin_.mkdir(exist_ok=True)
    for name, program in {"licet": f'exec "{sys.executable}" -m licet.cli "$@"', "python": f'exec "{sys.executable}" "$@"'}.items():
        (bin_ / name).write_text(f"#!/bin/sh\n{program}\n", encoding="utf-8")
        (bin_ / name).chmod(0o700)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LICET_"))}
    environment |= {"PATH": f"{bin_}{os.pathsep}{environment.get('PATH', '')}", "NO_COLOR": "1"}
    done = subprocess.run(["sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in done.stderr
    said = "".join(line for line in done.stderr.splitlines(keepends=True) if not line.startswith("byte pass: "))
    return (said + done.stdout).replace(f"{folder}/", "")


def _unvarying(text: str) -> str:
    """`text` without what is new in each run: ids, digests, signatures, numbers of bytes, times."""
    text = re.sub(r"\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+", "+KEY", text)
    text = re.sub(r"\b[0-9a-f]{8,32}\b", "ID", text)
    text = re.sub(r"\b\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", text)
    return re.sub(r"[\d,]+ bytes", "BYTES", text)
