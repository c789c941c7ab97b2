"""The page on drills shows what its commands print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from licet.drill.score import DAILY, WEEK

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "drill.md"


def test_the_page_on_drills_shows_what_its_commands_print(tmp_path: Path):
    text = PAGE.read_text(encoding="utf-8")
    [block] = re.finditer(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LICET_"))}
    licet = f'licet() {{ "{sys.executable}" -m licet "$@"; }}; '
    shown = ""
    for command in re.findall(r"^\$ (.*)$", block[1], re.MULTILINE):
        ran = subprocess.run(
            ["bash", "-c", licet + command], cwd=tmp_path, env=environment | {"LICET_STATE": str(tmp_path / "state")}, text=True,
            capture_output=True, timeout=120, check=True,
        )  # fmt: skip
        shown += f"$ {command}\n{ran.stdout}"
    if os.environ.get("LICET_REWRITE") and unvarying(shown) != unvarying(block[1]):
        PAGE.write_text(text[: block.start(1)] + shown + text[block.end(1) :], encoding="utf-8")
    else:
        assert unvarying(shown) == unvarying(block[1])


def unvarying(text: str) -> str:
    """Without times, and how many scenarios there are by now."""
    text = re.sub(r"not played in all its kinds for a week: .*", "not played", text)
    text = re.sub(r" +[0-9.]+ s\b|within .*$", " SECONDS", text, flags=re.MULTILINE)
    return re.sub(r"score [0-9.]+|since [0-9: -]+", "FIGURE", text)


def test_the_page_says_within_which_time_something_is_due():
    assert (DAILY, WEEK) == (86_400, 7 * 86_400)
    text = PAGE.read_text(encoding="utf-8")
    assert "no result for a day, or for 15 minutes where a schedule" in text
