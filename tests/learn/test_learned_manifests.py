"""The learned manifests of the benchmark: whole, with what a person added in them, and learned from one half of the models."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]
from benchmarks.agentdojo.learned import merge  # noqa: E402

from licet.manifest import load  # noqa: E402
from licet.manifest.baseline import under  # noqa: E402

AGENTDOJO = ROOT / "benchmarks" / "agentdojo"
SUITES = ("banking", "workspace")


@pytest.mark.parametrize("suite", SUITES)
def test_it_grants_the_tools_that_the_hand_written_one_does_to_the_same_agent_and_kind(suite: str) -> None:
    learned, written = load(AGENTDOJO / "learned" / f"{suite}.yaml"), load(AGENTDOJO / f"{suite}.yaml")
    assert set(learned.tasks["user-task"].tools) == set(learned.tools) == set(written.tools)
    assert list(learned.agents) == list(written.agents) == ["assistant"]


@pytest.mark.parametrize("suite", SUITES)
def test_what_a_person_added_stands_in_it(suite: str) -> None:
    learned = YAML(typ="safe", pure=True).load((AGENTDOJO / "learned" / f"{suite}.yaml").read_text(encoding="utf-8"))
    added = YAML(typ="safe", pure=True).load((AGENTDOJO / "learned" / "by_hand" / f"{suite}.yaml").read_text(encoding="utf-8"))
    before = YAML(typ="safe", pure=True).load((AGENTDOJO / "learned" / f"{suite}.yaml").read_text(encoding="utf-8"))
    merge(learned, added)
    assert learned == before


@pytest.mark.parametrize("suite", SUITES)
def test_its_baseline_is_of_the_even_half_of_the_models_and_in_force(suite: str) -> None:
    manifest = load(AGENTDOJO / "learned" / f"{suite}.yaml")
    base = manifest.tasks["user-task"].baseline
    assert base is not None
    assert len(base.models) == 8
    assert "gpt-4o-2024-05-13" not in base.models  # on which the figures are made
    assert base.misfit(under(manifest.tools, base.tools), None) == ""


def test_maps_are_merged_null_takes_out_and_anything_else_replaces() -> None:
    document = {"a": {"b": 1, "c": [1]}, "d": {"origin": {"from": ["intent"], "ask": ["counterpart"]}}, "e": 1}
    merge(document, {"a": {"c": [2], "x": 3}, "d": {"origin": {"from": ["trusted"]}}, "e": None})
    assert document == {"a": {"b": 1, "c": [2], "x": 3}, "d": {"origin": {"from": ["trusted"]}}}
