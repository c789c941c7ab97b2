"""Fixtures of the tests about the tool's side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from licet import Guard
from tool_side import MANIFEST, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    (tmp_path / "licet.yaml").write_text(MANIFEST, encoding="utf-8")
    with Guard.from_file(tmp_path / "licet.yaml", state=tmp_path / "state") as guard:
        yield World(guard, tmp_path)
