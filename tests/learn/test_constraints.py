"""Rules out of values are careful: with enough support, with head room, and never of what names somebody or is a secret."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licet.learn.constraints import ENOUGH, Seen, needed_words, rule_for
from licet.learn.tally import ArgumentTally, Given, ToolTally, words_of
from licet.manifest.arguments import Argument
from licet.scope import ArgumentRule
from runs_fixture import PLAIN, SOURCES


def seen(
    name: str, values: Sequence[Any], sources: Sequence[str] = (), *, declared: tuple[dict[str, Any], ...] = (), times: int = 1,
    sensitive: bool = True, calls: int | None = None, few: int = 0,
) -> Seen:  # fmt: skip
    """One value a session, `times` over."""
    tally, tool = ArgumentTally(), ToolTally()
    for value in list(values) * times:
        tally.add(Given([value], [frozenset(sources)] if sources else []), None, 1)
        tool.support.add(None)
    for _ in range(0 if calls is None else calls - tool.support.sessions):
        tool.support.add(None)
    return Seen(name, tally, tool, tuple(map(Argument.model_validate, declared)), sensitive, few)


def person(n: int) -> str:
    """Different persons."""
    return "abcdefghij"[n % 10] * (n // 10 + 1)


def rule(name: str, values: Sequence[Any], sources: Sequence[str] = (), **how: Any) -> dict[str, Any]:
    return rule_for(seen(name, values, sources, **how), {}).keywords


@pytest.mark.parametrize("values, expected", [
    pytest.param(["a"], {"type": "string"}, id="text"),
    pytest.param(["a", None], {"type": ["string", "null"]}, id="text-or-null"),
    pytest.param([3], {"type": "number"}, id="few-whole-numbers-are-numbers"),
    pytest.param([3] * 20, {"type": "integer"}, id="many-whole-numbers"),
    pytest.param([3, 2.5] * 20, {"type": "number"}, id="numbers"),
    pytest.param([True], {"type": "boolean"}, id="boolean"),
    pytest.param([["a"]], {"type": "array", "items": {"type": "string"}}, id="list"),
    pytest.param(["a", ["b"]], {"type": ["array", "string"]}, id="text-or-list"),
    pytest.param([{"a": 1}], {"type": "object"}, id="object"),
    pytest.param([None], {}, id="nothing"),
])  # fmt: skip
def test_the_type_is_said_always(values, expected):
    assert rule("thing", values) == expected


def test_a_range_has_head_room_and_is_only_of_what_counts_or_measures():
    assert rule("euros", [12, 45], times=10) == {"type": "integer", "maximum": 100, "minimum": 0}
    assert rule("order", [881, 999], times=10) == {"type": "integer"}
    assert rule("account_number", [3, 4], times=10) == {"type": "integer"}
    assert rule("amount_usd", [0.5], times=20) == {"type": "number", "maximum": 1, "minimum": 0}


@pytest.mark.parametrize("name", ["euros", "status", "day"])
def test_nothing_but_the_type_is_said_with_too_few_sessions(name: str):
    assert set(rule(name, [3], times=ENOUGH - 1)) == {"type"}
    assert set(rule(name, ["open"], times=ENOUGH - 1)) == {"type"}


def test_nothing_but_the_type_is_said_where_some_calls_left_the_argument_to_its_default():
    assert set(rule("priority", ["low", "high"], ["intent"], times=20, calls=41)) == {"type"}
    assert "enum" in rule("priority", ["low", "high"], ["intent"], times=20)


@pytest.mark.parametrize("name, values", [
    pytest.param("assignee", ["ada", "grace"], id="a-person"),
    pytest.param("to", ["ada@acme.example", "bob@acme.example"], id="addresses"),
    pytest.param("category", ["ada@acme.example", "low"], id="an-address-among-words"),
    pytest.param("account", ["main", "other"], id="accounts"),
    pytest.param("source", ["DE89370400440532013000", "low"], id="an-account-number"),
    pytest.param("password", ["hunter", "winter"], id="a-secret-by-its-name"),
    pytest.param("mode", ["sk-ant-abcdefgh12345678901234", "low"], id="a-secret-by-its-form"),
    pytest.param("sort", ["Emma", "low"], id="a-name"),
    pytest.param("sort", ["a b", "low"], id="two-words"),
    pytest.param("sort", ["/etc/passwd", "low"], id="a-path"),
    pytest.param("sort", list("abcdef"), id="too-many"),
])  # fmt: skip
def test_an_enumeration_is_never_of_what_may_name_somebody_or_is_a_secret(name: str, values: list[str]):
    found = rule_for(seen(name, values, times=20), {})
    assert "enum" not in found.keywords
    assert not any(value in str(found) for value in values if len(value) > 3)


def test_each_value_of_an_enumeration_stands_in_several_sessions():
    assert rule("priority", ["low"] * 20 + ["high"] * 3)["enum"] == ["high", "low"]
    assert "enum" not in rule("priority", ["low"] * 20 + ["high"] * 2)


@pytest.mark.parametrize("name, values, pattern", [
    pytest.param("to", [f"{person(n)}@acme.example" for n in range(30)], r"[^@\s]+@acme\.example", id="domain"),
    pytest.param("to", ["x" * 60 + f"{person(n)}@acme.example" for n in range(30)], r"[^@\s]+@acme\.example", id="domain-of-long-addresses"),
    pytest.param("invoice", [f"INV-{n}" for n in range(1990, 2020)], "INV-[0-9]+", id="head-of-an-id"),
    pytest.param("day", [f"2026-10-{n}" for n in range(10, 31)], "[0-9]{4}-[0-9]{2}-[0-9]{2}", id="groups-of-digits"),
    pytest.param("url", [f"https://api.acme.example/{person(n)}/x y" for n in range(30)], None, id="blanks-behind-a-host"),
    pytest.param("url", [f"https://api.acme.example/{person(n)}/x" for n in range(30)], r"https:\/\/api\.acme\.example\/[^\s]*", id="host"),
    pytest.param("text", [f"word {n}" for n in range(30)], None, id="words"),
    pytest.param("to", [f"a{n}@x{n}.example" for n in range(30)], None, id="many-domains"),
    pytest.param("to", [f"{person(n)}@acme.example" for n in range(4)] * 8, None, id="too-few-addresses"),
    pytest.param("key", [f"sk-{n}" for n in range(10**17, 10**17 + 30)], None, id="heads-of-secrets"),
])  # fmt: skip
def test_a_pattern_is_only_of_forms_that_all_share_and_that_say_something(name: str, values: list[str], pattern: str | None):
    assert rule(name, values).get("pattern") == pattern


def test_items_of_lists_have_their_pattern_as_items():
    found = rule("to", [[f"{person(n)}@acme.example"] for n in range(30)])
    assert found == {"type": "array", "items": {"type": "string", "pattern": r"[^@\s]+@acme\.example"}}


def test_one_stranger_is_enough_against_a_pattern():
    assert "pattern" in rule("to", [f"{person(n)}@acme.example" for n in range(30)])
    assert "pattern" not in rule("to", [*(f"{person(n)}@acme.example" for n in range(30)), "eve@evil.example"])


@pytest.mark.parametrize("grounds, words", [
    pytest.param([["intent"]], ("intent",), id="intent"),
    pytest.param([["intent"], ["trusted x"]], ("intent", "trusted"), id="both"),
    pytest.param([["intent", "untrusted x"], ["intent"]], ("intent",), id="the-user-said-it-too"),
    pytest.param([["trusted x", "untrusted y"]], None, id="a-stranger-held-it-too"),
    pytest.param([["counterpart x"]], ("counterpart",), id="counterpart"),
    pytest.param([["nowhere"], ["counterpart x"]], ("counterpart", "nowhere"), id="made-up"),
    pytest.param([["untrusted x"]], None, id="a-stranger"),
    pytest.param([["unseen"], ["intent"]], None, id="unseen"),
])  # fmt: skip
def test_the_words_of_an_origin_are_the_fewest_that_every_leaf_passes(grounds, words):
    tally = ArgumentTally()
    for ground in grounds:
        tally.add(Given(["x"], [frozenset(ground)]), None, 1)
    assert needed_words(tally) == words


@pytest.mark.parametrize("declared, sources, expected", [
    pytest.param((), ["intent"], ["intent"], id="nothing-declared"),
    pytest.param((), ["counterpart x"], None, id="more-than-the-default"),
    pytest.param((), ["nowhere"], None, id="made-up"),
    pytest.param(({"origin": ["intent", "trusted", "counterpart"]},), ["counterpart x"], ["intent", "counterpart"], id="narrower"),
    pytest.param(({"origin": ["trusted", "counterpart"]},), ["trusted x"], ["trusted"], id="narrower-without-the-user"),
    pytest.param(({"origin": ["intent"]},), ["trusted x"], None, id="wider-than-declared"),
    pytest.param(({"origin": ["intent"]},), ["intent"], None, id="the-same"),
    pytest.param(({"origin": ["intent"]}, {"origin": ["intent", "trusted"]}), ["trusted x"], None, id="wider-than-one-layer"),
    pytest.param(({"origin": {"from": ["intent", "trusted"], "ask": ["nowhere"]}},), ["intent"], None, id="a-person-decides"),
    pytest.param(({"origin": ["intent", "x:id"]},), ["intent"], None, id="a-source-is-endorsed"),
    pytest.param(({"content": True},), ["intent"], None, id="free-text"),
    pytest.param(({"opaque": True},), ["intent"], None, id="not-looked-into"),
])  # fmt: skip
def test_an_origin_is_only_ever_narrower_than_what_is_declared(declared, sources, expected):
    assert rule("subject", ["some words here", "others there"], sources, declared=declared, times=10).get("origin") == expected


def test_an_origin_is_only_said_of_tools_that_write_or_leave():
    assert "origin" not in rule("subject", ["x y"], ["intent"], times=20, sensitive=False)


@pytest.mark.parametrize("declared", [
    pytest.param({"maximum": 50}, id="maximum"), pytest.param({"enum": [1, 2]}, id="enum"), pytest.param({"type": "integer"}, id="type"),
])  # fmt: skip
def test_what_a_person_has_said_is_not_said_again(declared):
    found = rule("euros", [1, 2], declared=(declared,), times=10)
    assert not set(found) & ({"type", "minimum", "maximum"} if declared != {"type": "integer"} else {"type"})


@given(st.lists(PLAIN, min_size=1, max_size=6), st.sampled_from(["to", "euros", "status", "x"]), st.frozensets(SOURCES, max_size=2))
@settings(max_examples=150, deadline=None)
def test_every_rule_is_valid_and_every_value_that_was_seen_passes_it(values, name, sources):
    """Whatever the values are."""
    values = [value for value in values if "\\ud8" not in json.dumps(value)]  # such a call is refused as it is
    found = rule_for(seen(name, values, tuple(sources), times=ENOUGH), {})
    compiled = ArgumentRule(name, Argument.model_validate(found.keywords))
    for value in values:
        assert compiled.refusal(value, absent=False, null_is_default=False) is None, (value, found)
    if "origin" in found.keywords:
        assert set(found.keywords["origin"]) <= words_of(sources) | {"intent"}


def test_what_is_said_of_a_rule_cannot_be_read_as_a_value():
    """A `9` that stands for any digit looks like the digit."""
    assert list(rule_for(seen("reference", [f"INV-{n}" for n in range(2041, 2061)]), {}).why) == [
        "all of INV- and digits; this is text out of the traces"
    ]
    assert list(rule_for(seen("day", [f"2026-10-{n}" for n in range(10, 30)]), {}).why) == ["all of the form ####-##-##, each # a digit"]
