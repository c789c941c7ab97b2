"""The page on the bypass finder shows what its commands print."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "bypass.md"


@pytest.mark.skipif(shutil.which("jq") is None, reason="the page uses jq")
def test_the_page_on_the_bypass_finder_shows_what_its_commands_print(tmp_path: Path):
    text = PAGE.read_text(encoding="utf-8")
    [block] = re.finditer(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LICET_"))}
    licet = f'licet() {{ "{sys.executable}" -m licet "$@"; }}; python() {{ "{sys.executable}" "$@"; }}; '
    shown = ""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for command in re.findall(r"^\$ (.*)$", block[1], re.MULTILINE):
        ran = subprocess.run(
            ["bash", "-c", licet + command], cwd=tmp_path, env=environment | {"LICET_STATE": str(tmp_path / "state")}, text=True,
            capture_output=True, timeout=60, check=True,
        )  # fmt: skip
        shown += f"$ {command}\n{ran.stdout}"
    if os.environ.get("LICET_REWRITE") and timeless(shown) != timeless(block[1]):
        PAGE.write_text(text[: block.start(1)] + shown + text[block.end(1) :], encoding="utf-8")
    else:
        assert timeless(shown) == timeless(block[1])


def timeless(text: str) -> str:
    """The text without the times of the log, which was made an hour before it is read."""
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z(?=  s3:)", "TIME", text)
