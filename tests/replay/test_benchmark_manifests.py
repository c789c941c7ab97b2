"""The manifests of the benchmarks are whole: without errors, every tool granted to the one task kind, one agent."""

from __future__ import annotations

from pathlib import Path

import pytest

from licet.manifest import load

MANIFESTS = sorted((Path(__file__).parents[2] / "benchmarks").glob("*/*.yaml"))


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_it_grants_each_of_its_tools_to_the_one_kind(path: Path) -> None:
    manifest = load(path)
    assert list(manifest.tasks) == ["user-task"]
    assert list(manifest.agents) == ["assistant"]
    assert set(manifest.tasks["user-task"].tools) == set(manifest.tools)
    assert all(tool.access is not None and tool.egress is not None for tool in manifest.tools.values())


def test_both_suites_are_there() -> None:
    assert [path.stem for path in MANIFESTS] == ["banking", "workspace"]
