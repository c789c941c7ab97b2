"""The page on changing a manifest shows what its commands print."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

PAGE = Path(__file__).parents[1] / "docs" / "changing.md"
_CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_each_block_of_commands_prints_what_stands_behind_it(tmp_path: Path):
    """In their order, in one folder beside the examples; a command that finds something exits with 1."""
    shutil.copytree(PAGE.parents[1] / "examples" / "replay", tmp_path / "examples" / "replay")
    licet = f'licet() {{ "{sys.executable}" -m licet "$@"; }}; '
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LICET_"))}
    environment |= {"LICET_STATE": str(tmp_path / "state"), "NO_COLOR": "1"}
    text = PAGE.read_text(encoding="utf-8")
    shown = []
    for block in _CONSOLE.finditer(text):
        said = ""
        for command in re.findall(r"^\$ (.*)$", block[1], re.MULTILINE):
            ran = subprocess.run(
                ["bash", "-c", licet + command], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
            )
            assert ran.returncode in (0, 1), ran.stderr
            assert "Traceback" not in ran.stderr
            said += f"$ {command}\n{ran.stdout}"
        shown.append(said)
    for block, now in reversed([*zip(_CONSOLE.finditer(text), shown, strict=True)]):
        if os.environ.get("LICET_REWRITE") and block[1] != now:
            text = text[: block.start(1)] + now + text[block.end(1) :]
            PAGE.write_text(text, encoding="utf-8")
        else:
            assert block[1] == now


def test_the_page_names_each_kind_of_suggestion():
    from typing import get_args

    from licet.learn.due import What

    rows = "".join(re.findall(r"^\| (`[a-z`, -]+`) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert set(get_args(What)) <= set(re.findall(r"`([a-z-]+)`", rows))
