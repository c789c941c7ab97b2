"""Counting what runs have in common: in any order, in parts, and in bounded memory."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licet.learn import tally as room
from licet.learn.bounded import MAX_KEY, Bounded, Counts
from licet.learn.tally import Tally, words_of
from licet.learn.values import MAX_VALUES, Support, Texts, ValueTally, shape
from runs_fixture import KIND, run, runs, step

KNOWN = {"read_ticket": ("number",), "send_email": ("to", "body")}


def tally_of(found) -> Tally:
    out = Tally(KNOWN, (KIND,))
    for each in found:
        out.add(each)
    return out


@given(st.lists(runs(), max_size=12), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_the_runs_changes_nothing(found, random):
    shuffled = list(found)
    random.shuffle(shuffled)
    assert tally_of(found).kinds == tally_of(shuffled).kinds


@given(st.lists(runs(), max_size=12), st.integers(0, 12))
@settings(max_examples=60, deadline=None)
def test_two_tallies_over_two_halves_make_the_tally_over_both(found, cut):
    left, right = tally_of(found[:cut]), tally_of(found[cut:])
    left.merge(right)
    assert left.kinds == tally_of(found).kinds


def test_small_bounds_hold_in_any_order_and_in_parts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(room, "MAX_TOOLS", 1)
    monkeypatch.setattr(room, "MAX_ARGUMENTS", 2)
    monkeypatch.setattr(room, "MAX_SOURCES", 2)
    monkeypatch.setattr(room, "MAX_EDGES", 3)
    found = [
        run(*(step(f"t{(7 * n + m) % 11}", **{f"a{(n * m) % 5}": (n * m % 9, [f"untrusted t{n % 7}"])}) for m in range(4)), id=str(n))
        for n in range(60)
    ]
    whole, back = tally_of(found), tally_of(reversed(found))
    assert whole.kinds == back.kinds
    left, right = tally_of(found[::2]), tally_of(found[1::2])
    left.merge(right)
    assert left.kinds == whole.kinds
    kind = whole.kinds[KIND]
    assert len(kind.tools) == 3
    assert kind.tools.left_out
    assert kind.uncounted == 240 - sum(tool.calls for tool in kind.tools.values()) > 0
    exact = {name: sum(any(s.tool == name for s in each.steps) for each in found) for name in kind.tools}
    assert {name: tool.support.sessions for name, tool in kind.tools.items()} == exact


def test_the_declared_tools_find_room_whatever_else_comes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(room, "MAX_TOOLS", 0)
    found = tally_of([*(run(step(f"noise{n}")) for n in range(50)), run(step("read_ticket"), step("send_email"))])
    assert set(found.kinds[KIND].tools) == {"read_ticket", "send_email"}


def test_memory_is_bounded_whatever_the_number_of_runs():
    """Four times as many runs, of which none is like another, are not four times as large, and every bound is reached."""
    found = Tally({"tool1": ()})
    sizes = []
    for n in range(4_000):
        sources = [f"untrusted tool{n}", "intent"]
        calls = [step(f"tool{n % 3 or n}", **{f"arg{n}": (f"value {n}", sources), "to": ([n, f"x{n}"], sources)}) for _ in range(2)]
        found.add(run(*calls, kind=f"kind{n % 2}", model=f"model{n}", time=float(n)))
        found.add(run(kind=f"kind{n % 2}", doubts=(f"doubt {n}",)))
        if n in (999, 3_999):
            sizes.append(len(pickle.dumps(list(plain(found)))))
    assert sizes[1] < sizes[0] * 1.5
    tools = [tool for kind in found.kinds.values() for tool in kind.tools.values()]
    assert (len(tools), max(len(tool.arguments) for tool in tools)) == (2 * (room.MAX_TOOLS + 1), room.MAX_ARGUMENTS)
    assert all(len(argument.sources) <= room.MAX_SOURCES for tool in tools for argument in tool.arguments.values())
    assert all(len(kind.doubted) == room.MAX_DOUBTS and kind.doubted.left_out for kind in found.kinds.values())


def plain(found: Tally):
    for kind in found.kinds.values():
        yield from (kind.kind, list(kind.tools), list(kind.edges), list(kind.models), list(kind.doubted))
        for tool in kind.tools.values():
            for name, argument in tool.arguments.items():
                yield name, list(argument.sources), argument.values.texts.values, argument.values.texts.shapes


def test_a_run_that_is_doubted_is_counted_and_teaches_nothing():
    found = tally_of([run(step("send_email"), doubts=("attacked", "attacked", "a call was denied"), time=5.0)]).kinds[KIND]
    assert (found.doubtful, found.support.sessions, found.calls, dict(found.tools), dict(found.edges)) == (1, 0, 0, {}, {})
    assert dict(found.doubted) == {"attacked": 1, "a call was denied": 1}


def test_what_did_not_run_teaches_nothing():
    found = tally_of([run(step("read_ticket", ran=False), step("send_email"))]).kinds[KIND]
    assert list(found.tools) == ["send_email"]
    assert list(found.edges) == [("start", "send_email")]


def test_sessions_are_counted_and_not_calls():
    found = tally_of([run(*[step("send_email", to=("a@acme.example", ["intent"]))] * 3, time=7.0), run(step("send_email"), time=9.0)])
    tool = found.kinds[KIND].tools["send_email"]
    assert (tool.support, tool.calls, tool.most) == (Support(2, 7.0, 9.0), 4, 3)
    argument = tool.arguments["to"]
    assert (argument.support, argument.leaves, argument.distinct) == (Support(1, 7.0, 7.0), 3, 1)
    assert dict(argument.sources) == {"intent": Support(1, 7.0, 7.0)}
    assert argument.grounds == {frozenset({"intent"}): Support(1, 7.0, 7.0)}


def test_a_source_of_a_part_is_no_ground_for_the_whole():
    assert words_of(frozenset({"nowhere", "untrusted read_ticket (an address)", "trusted find_order"})) == {"nowhere", "trusted"}


def test_values_tell_types_ranges_and_sizes():
    found = ValueTally()
    found.add([3, 2.5, True, None, ["a", "b"], {"x": 1}, 4.0], None)
    assert found.types == {"integer": 2, "number": 1, "boolean": 1, "null": 1, "array": 1, "object": 1}
    assert (found.least, found.greatest, found.fewest, found.most, found.items) == (2.5, 4.0, 2, 2, {"string": 2})


def test_texts_tell_what_all_of_them_share():
    found = Texts()
    found.add(["ada@acme.example", "bob@acme.example"], None)
    assert (found.prefix, found.suffix, found.shortest, found.longest) == ("", "@acme.example", 16, 16)
    assert found.shapes == {"aaa@aaaa.aaaaaaa": 2}
    assert shape("INV-2041 é٣") == "aaa-9999 a٣"


@pytest.mark.parametrize("text", [pytest.param("x" * 41, id="long"), pytest.param("é" * 1_000_000, id="very-long")])
def test_a_long_text_has_neither_value_nor_shape(text: str):
    found = Texts()
    found.add(["low", text], None)
    assert (found.many, found.values, found.shapeless, found.shapes) == (True, {}, True, {})
    assert len(found.suffix or "") <= 64


def test_too_many_texts_are_none():
    found = Texts()
    for n in range(MAX_VALUES):
        found.add([str(n)], None)
    assert len(found.values) == MAX_VALUES
    found.add(["one more"], None)
    assert (found.many, found.values) == (True, {})


def test_a_key_too_long_finds_no_room():
    found: Bounded[str, Support] = Bounded(5)
    assert found.at("x" * (MAX_KEY + 1), Support) is None
    assert found.left_out


def test_counts_come_from_the_most_frequent():
    found = Counts(3)
    for key in "bbacc":
        found.count(key)
    assert found.most_common() == [("b", 2), ("c", 2), ("a", 1)]
