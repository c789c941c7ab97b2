"""The page on credentials shows what its commands print."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from licet.ingest.lifecycle import KEYS, KINDS
from licet.manifest.watched import Probe

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "credentials.md"


def test_the_page_on_credentials_shows_what_its_commands_print(tmp_path: Path):
    """All blocks in a row, in one folder; fingerprints are of that folder, and differ."""
    text = PAGE.read_text(encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LICET_"))}
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    say = f'licet() {{ "{sys.executable}" -m licet "$@"; }}; python() {{ "{sys.executable}" "$@"; }}; '
    blocks = list(re.finditer(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    assert len(blocks) == 3
    printed = []
    for block in blocks:
        shown = ""
        for command in re.findall(r"^\$ (.*)$", block[1], re.MULTILINE):
            ran = subprocess.run(
                ["bash", "-c", say + command], cwd=tmp_path, env=environment | {"LICET_STATE": str(tmp_path / "state")}, text=True,
                capture_output=True, timeout=60, check=False,
            )  # fmt: skip
            assert not ran.stderr, ran.stderr
            shown += f"$ {command}\n{ran.stdout}"
        printed.append(shown)
    if os.environ.get("LICET_REWRITE"):
        for block, shown in reversed([*zip(blocks, printed, strict=True)]):
            if timeless(shown) != timeless(block[1]):
                text = text[: block.start(1)] + shown + text[block.end(1) :]
        PAGE.write_text(text, encoding="utf-8")
    else:
        assert [timeless(shown) for shown in printed] == [timeless(block[1]) for block in blocks]


def test_the_page_names_each_key_and_kind_that_there_is():
    """Of the lifecycle format, and of a probe; and no other."""
    text = PAGE.read_text(encoding="utf-8")
    form, probe = text.split("## The lifecycle format")[1].split("### Hashi")[0], text.split("## Does it still")[1]
    said = {key for row in re.findall(r"^\| (`.*?) \|", form, re.MULTILINE) for key in re.findall(r"`(\w+)`", row)}
    assert said == KEYS
    assert set(re.findall(r"`(\w+)`", next(row for row in form.splitlines() if row.startswith("| `kind`")))) - {"kind"} == KINDS
    assert set(re.findall(r"^\| `(\w+)` \|", probe, re.MULTILINE)) == set(Probe.model_fields)


def test_the_event_from_python_is_taken(tmp_path: Path):
    """As it stands on the page."""
    [program] = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LICET_"))}
    here = environment | {"LICET_STATE": str(tmp_path / "state")}
    subprocess.run([sys.executable, "-c", program], env=here, check=True, timeout=60)
    ran = subprocess.run([sys.executable, "-m", "licet", "trace", "AKIACIEXAMPLE0000007", "--json"], env=here, check=True, timeout=60,
                         capture_output=True)  # fmt: skip
    assert [line["kind"] for line in json.loads(ran.stdout)["lines"]] == ["revoked"]


def timeless(text: str) -> str:
    """The text without fingerprints and ids, which are new in each run, and without moments of today."""
    text = re.sub(r"cred:[0-9a-f]{32}", "cred:FINGERPRINT", re.sub(r"in \d+\.\d s$", "in T s", text, flags=re.MULTILINE))
    text = re.sub(r'"id": "[0-9a-f]{32}"|job [0-9a-f]{32}', "ID", text)
    return re.sub(
        r"(?!2026-03)\d{4}-\d\d-\d\d(?:[T ]+[\d:.]+Z?)?|^ {12}[\d:]{8}(?=  (?:used +tool|job ended))", "TIME", text, flags=re.MULTILINE
    )
