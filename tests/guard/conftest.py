"""A world per test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import Lab
from world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.guard.close()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    """Makes labs in a folder of the test's own, and closes them."""
    made: list[Lab] = []

    def make(tools: str, folder: str = "", **options: Any) -> Lab:
        made.append(Lab(tmp_path / folder, tools, **options))
        return made[-1]

    yield make
    for each in made:
        each.guard.close()
