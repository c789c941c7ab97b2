"""Differences of random manifests: none of a manifest to itself, the mirror image the other way round, and `narrowed` only if it is sure."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from licet.learn.difference import differences
from licet.learn.differences.found import At
from licet.learn.differences.values import values
from licet.manifest import Argument, Manifest
from licet.scope import ArgumentRule, CompiledManifest
from random_manifests import ARGUMENTS, NUMBERS, TOOLS, WORDS, keywords, manifest, near, value

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

_TURNED = {"widened": "narrowed", "narrowed": "widened", "changed": "changed"}


def passes(compiled: CompiledManifest, kind: str, tool: str, call: dict[str, object]) -> bool:
    """Whether the grants let a call pass, by every layer, where only the manifest says what a tool takes."""
    grants = compiled.scopes[kind].grants_of(tool)
    known = call.keys() <= compiled.declared_arguments[tool] or tool in compiled.drops
    kept = {name: given for name, given in call.items() if name in compiled.declared_arguments[tool]}
    return bool(grants) and known and not any(list(grant.refusals(kept, frozenset())) for grant in grants)


def pair(rng: random.Random) -> tuple[Manifest, Manifest]:
    found, old = manifest(rng)
    return old, (manifest(rng)[1] if rng.random() < 0.1 else near(rng, found))


@pytest.mark.parametrize("seed", range(4))
def test_a_manifest_differs_in_nothing_from_itself(seed: int):
    rng = random.Random(seed)
    for _ in range(40):
        _, one = manifest(rng)
        assert differences(one, one) == []
        assert differences(one, one.model_copy(deep=True)) == []


@pytest.mark.parametrize("seed", range(6))
def test_the_other_way_round_what_was_widened_is_narrowed(seed: int):
    rng = random.Random(100 + seed)
    for _ in range(40):
        old, new = pair(rng)
        there = Counter((each.way, each.path, each.kind, each.tool, each.decides) for each in differences(old, new))
        back = Counter((_TURNED[each.way], each.path, each.kind, each.tool, each.decides) for each in differences(new, old))
        assert there == back


@pytest.mark.parametrize("seed", range(8))
def test_where_only_narrowed_is_told_no_call_passes_that_was_refused(seed: int):
    rng, held = random.Random(200 + seed), 0
    for _ in range(60):
        old, new = pair(rng)
        found = differences(old, new)
        before, after = CompiledManifest(old), CompiledManifest(new)
        for kind in ("answer", "refund"):
            for tool in TOOLS:
                here = [each for each in found if each.kind in ("", kind) and each.tool in ("", tool) and _of_a_grant(each.path)]
                if any(each.way != "narrowed" for each in here):
                    continue
                held += bool(here)
                for _ in range(60):
                    call = {name: value(rng) for name in ARGUMENTS if rng.random() < 0.6}
                    if passes(after, kind, tool, call):
                        assert passes(before, kind, tool, call), (here, kind, tool, call)
    assert held > 5  # of so many pairs some were narrowed and nothing else


@pytest.mark.parametrize("seed", range(5))
def test_a_rule_that_is_only_narrowed_lets_no_value_pass_that_was_refused(seed: int):
    rng, held = random.Random(300 + seed), 0
    pool = [
        *WORDS,
        *NUMBERS,
        1.0,
        None,
        True,
        [],
        ["a"],
        ["a", "a"],
        ["a", "b"],
        [1, 2, 3],
        {},
        {"p": "a"},
        {"p": None},
        {"p": 1, "q": "a"},
        {"r": 1},
    ]
    for _ in range(700):
        old, new = two_rules(rng)
        ways = {each.way for each in values(At(("x",)), "x", old, new)}
        if ways - {"narrowed"}:
            continue
        held += bool(ways)
        before, after = ArgumentRule("x", old), ArgumentRule("x", new)
        for given in [*pool, *(value(rng) for _ in range(30))]:
            if after.refusal(given, absent=False, null_is_default=False) is None:
                refused = before.refusal(given, absent=False, null_is_default=False)
                assert refused is None, (old.model_dump(exclude_unset=True), new.model_dump(exclude_unset=True), given)
    assert held > 50


def two_rules(rng: random.Random) -> tuple[Argument, Argument]:
    """Two rules, often of the same keywords with other values."""
    while True:
        one, other = keywords(rng), keywords(rng)
        if rng.random() < 0.7:
            other = {**one, **{word: given for word, given in other.items() if word in one or rng.random() < 0.5}}
            for word in [word for word in other if rng.random() < 0.1]:
                del other[word]
        try:
            return Argument.model_validate(one), Argument.model_validate(other)
        except ValueError:
            continue


CASES = {
    "shorter": ({"maxLength": 9}, {"maxLength": 5}, [("narrowed", "maxLength")]),
    "first-length": ({}, {"maxLength": 5}, [("narrowed", "maxLength")]),
    "longer": ({"minLength": 3, "maxLength": 9}, {"minLength": 2, "maxLength": 9}, [("widened", "minLength")]),
    "other-pattern": ({"pattern": "a+"}, {"pattern": "a*"}, [("changed", "pattern")]),
    "pattern-to-values": ({"pattern": "a+"}, {"enum": ["a", "aa"]}, [("narrowed", "x")]),
    "values-to-pattern": ({"enum": ["a", "aa"]}, {"pattern": "a+"}, [("widened", "x")]),
    "pattern-to-other-values": ({"pattern": "a+"}, {"enum": ["a", "b"]}, [("narrowed", "enum"), ("widened", "pattern")]),
    "other-values": ({"enum": ["a", "b"]}, {"enum": ["b", "c"]}, [("narrowed", "enum"), ("widened", "enum")]),
    "one-value-less": ({"enum": ["a", "b"]}, {"const": "a"}, [("narrowed", "x")]),
    "the-same-otherwise-said": ({"enum": ["a"]}, {"const": "a"}, []),
    "whole-numbers": ({"type": "number"}, {"type": "integer"}, [("narrowed", "type")]),
    "other-type": ({"type": "string"}, {"type": "integer"}, [("changed", "type")]),
    "the-bound-itself": ({"minimum": 3}, {"exclusiveMinimum": 3}, [("narrowed", "minimum")]),
    "upper-bound": ({"maximum": 3}, {"maximum": 5}, [("widened", "maximum")]),
    "multiples": ({"multipleOf": 3}, {"multipleOf": 6}, [("narrowed", "multipleOf")]),
    "multiples-not-told": ({"multipleOf": 0.1}, {"multipleOf": 0.3}, [("changed", "multipleOf")]),
    "of-items-or-of-the-list": ({"enum": ["a", ["a"]]}, {"enum": ["a"]}, [("changed", "x")]),
    "item": ({"items": {"maxLength": 3}}, {"items": {"maxLength": 4}}, [("widened", "items.maxLength")]),
    "new-key": ({"properties": {}}, {"properties": {"p": {}}}, [("widened", "properties.p")]),
    "key-less": ({"properties": {"p": {}}}, {"properties": {}}, [("narrowed", "properties.p")]),
    "required-key-less": (
        {"properties": {"p": {"required": True}}}, {"properties": {}}, [("narrowed", "properties.p"), ("widened", "properties.p.required")],
    ),
    "closed": ({"properties": {}, "additionalProperties": True}, {"properties": {}}, [("narrowed", "additionalProperties")]),
    "no-item-twice": ({"type": "array"}, {"uniqueItems": True}, [("narrowed", "uniqueItems")]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_keyword_is_told_as_what_it_does(name: str):
    old, new, expected = CASES[name]
    found = values(At(("x",)), "x", Argument.model_validate(old), Argument.model_validate(new))
    assert sorted((each.way, ".".join(each.path[1:]) or "x") for each in found) == expected


def _of_a_grant(path: tuple[str, ...]) -> bool:
    """Whether a difference speaks of grants and arguments, which is what these random calls try."""
    return path[0] in ("tools", "tasks") and ("arguments" in path or "unknown_arguments" in path or path[2:3] == ("tools",))
