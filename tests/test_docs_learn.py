"""The page on learning shows what its commands print."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

PAGE = Path(__file__).parents[1] / "docs" / "learn.md"
_CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_commands_print_what_stands_behind_them(tmp_path: Path):
    """With LICET_REWRITE=1 the page is made to say what they print."""
    shutil.copytree(PAGE.parents[1] / "examples" / "learn", tmp_path / "examples" / "learn")
    licet = f'licet() {{ "{sys.executable}" -m licet "$@"; }}; '
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LICET_"))}
    environment |= {"LICET_STATE": str(tmp_path / "state"), "NO_COLOR": "1"}
    text = PAGE.read_text(encoding="utf-8")
    [block] = _CONSOLE.finditer(text)
    said = ""
    for command in re.findall(r"^\$ (.*)$", block[1], re.MULTILINE):
        ran = subprocess.run(
            ["bash", "-c", licet + command], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert ran.returncode == 0, ran.stderr
        said += f"$ {command}\n{ran.stdout}"
    if os.environ.get("LICET_REWRITE") and block[1] != said:
        PAGE.write_text(text[: block.start(1)] + said + text[block.end(1) :], encoding="utf-8")
    else:
        assert block[1] == said
