"""What the repository says of itself agrees with itself."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import licet
from documents import example_of, holds

ROOT = Path(__file__).parents[1]


def test_the_version_is_the_same_in_project_package_and_changelog():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    newest = re.search(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None
    assert project["version"] == licet.__version__ == newest[1]


def test_the_readme_prints_what_it_says(tmp_path: Path):
    holds(example_of(ROOT / "README.md"), tmp_path)


def test_each_link_of_the_front_pages_leads_somewhere():
    for page in ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text(encoding="utf-8")):
            assert (ROOT / target).exists(), f"{page}: {target}"
