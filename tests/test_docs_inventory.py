"""The page on the inventory shows what its commands print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "inventory.md"


def test_the_page_on_the_inventory_shows_what_its_commands_print(tmp_path: Path):
    text = PAGE.read_text(encoding="utf-8")
    [block] = re.finditer(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LICET_"))}
    licet = f'licet() {{ "{sys.executable}" -m licet "$@"; }}; '
    shown = ""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for command in re.findall(r"^\$ (.*)$", block[1], re.MULTILINE):
        ran = subprocess.run(
            ["bash", "-c", licet + command], cwd=tmp_path, env=environment | {"LICET_STATE": str(tmp_path / "state")}, text=True,
            capture_output=True, timeout=60, check=True,
        )  # fmt: skip
        shown += f"$ {command}\n{ran.stdout}"
    shown = shown.replace(datetime.now(UTC).date().isoformat(), "2026-11-23")  # the day on which an owner was confirmed
    if os.environ.get("LICET_REWRITE") and unkeyed(shown) != unkeyed(block[1]):
        PAGE.write_text(text[: block.start(1)] + shown + text[block.end(1) :], encoding="utf-8")
    else:
        assert unkeyed(shown) == unkeyed(block[1])


def unkeyed(text: str) -> str:
    """The text without fingerprints, which each state folder makes in its own way, and which lines are ordered by."""
    return re.sub(r"cred:[0-9a-f]{32}", "cred:FINGERPRINT", text)
