"""The pytest fixtures. Register them yourself: `pytest_plugins = ["licet.testing.plugin"]` in your top `conftest.py`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from licet.testing.fakes import FakeClock
from licet.testing.table import check_table


@pytest.fixture
def licet_table(tmp_path: Path) -> Callable[..., None]:
    """`check_table`, with its state in this test's `tmp_path`: `licet_table(manifest, rows, tools=[...])`."""
    return functools.partial(check_table, tmp_path=tmp_path)


@pytest.fixture
def licet_clock() -> FakeClock:
    """A clock that stands still until the test advances it."""
    return FakeClock()
