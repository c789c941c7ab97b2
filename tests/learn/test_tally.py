"""Counting what runs have in common: in any order, in parts, and in bounded memory."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licet.learn import tally as room
from licet.learn.bounded import MAX_KEY, Bounded, Counts, Frequent
from licet.learn.runs import ATTACKED, DENIED
from licet.learn.tally import Tally, words_of
from licet.learn.values import FEW, Span, Support, Texts, ValueTally, limit
from runs_fixture import KIND, run, runs, step

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

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
    assert all(len(kind.days.counts) <= room.MAX_DAYS and len(kind.models.counts) <= room.MAX_MODELS for kind in found.kinds.values())
    assert all(len(kind.doubted) == room.MAX_DOUBTS and kind.doubted.left_out for kind in found.kinds.values())


def plain(found: Tally):
    for kind in found.kinds.values():
        yield from (kind.kind, list(kind.tools), list(kind.edges), sorted(kind.models.counts), list(kind.doubted))
        for tool in kind.tools.values():
            for name, argument in tool.arguments.items():
                texts = argument.values.texts
                yield name, list(argument.sources), texts.choices.counts, texts.forms.counts, texts.ways, argument.values.numbers


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
    assert (tool.support, tool.calls, tool.each) == (Support(2, 7.0, 9.0), 4, {3: 1, 1: 1})
    argument = tool.arguments["to"]
    assert (argument.support, argument.leaves, argument.distinct, argument.whole) == (Support(1, 7.0, 7.0), 3, {1: 1}, 1)
    assert dict(argument.sources) == {"intent": Support(1, 7.0, 7.0)}
    assert argument.grounds.counts == {frozenset({frozenset({"intent"})}): 1}
    assert argument.by_ground() == {frozenset({"intent"}): 1}


def test_a_source_of_a_part_is_no_ground_for_the_whole():
    assert words_of(frozenset({"nowhere", "untrusted read_ticket (an address)", "trusted find_order"})) == {"nowhere", "trusted"}


def test_values_tell_types_and_ranges():
    found = ValueTally()
    found.add([3, 2.5, True, None, ["a", "b"], {"x": 1}, 4.0])
    types = frozenset({"integer", "number", "boolean", "null", "array", "object"})
    assert found.sorts.counts == {(types, frozenset({"string"})): 1}
    assert found.numbers == {(False, 10): Span(1, 2.5, 4.0)}


@pytest.mark.parametrize("greatest, told", [
    (0, 0), (-5, 0), (0.2, 1), (1, 2), (3, 10), (25, 50), (26, 100), (10**12, None), (10**4_000, None), (float("inf"), None), (-(10**13), None),
], ids=lambda value: str(value)[:9])  # fmt: skip
def test_a_limit_has_head_room_and_is_of_a_row(greatest: float, told: int | None):
    assert limit(greatest) == told


def test_texts_tell_the_form_that_all_of_a_session_share():
    found = Texts()
    found.add(["ada@acme.example", "bob@acme.example"])
    found.add(["INV-7"])
    found.add(["ada@acme.example", "INV-7"])
    assert found.forms.counts == {"@acme.example": 1, "INV-": 1}
    assert {form: len(ways) for form, ways in found.ways.items()} == {"@acme.example": 2, "INV-": 1}
    assert found.choices.total == 3


@pytest.mark.parametrize("text", [pytest.param("x" * 41, id="long"), pytest.param("é" * 1_000_000, id="very-long")])
def test_a_long_text_is_not_kept(text: str):
    found = Texts()
    found.add(["low", text])
    assert (found.choices.total, found.forms.total, found.ways) == (0, 0, {})


def test_of_a_session_with_many_texts_none_is_kept():
    found = Texts()
    found.add([str(n) for n in range(FEW)])
    found.add([str(n) for n in range(FEW + 1)])
    assert found.choices.total == 1


@given(st.lists(st.sampled_from("abcdefgh"), max_size=60), st.integers(2, 5), st.integers(0, 60))
def test_what_is_frequent_stays_whatever_else_comes(keys: list[str], limit: int, cut: int):
    """No count is too large, and none too small by more than all keys by the limit; also where two halves are merged."""
    found, rest = Frequent[str](limit), Frequent[str](limit)
    for at, key in enumerate(keys):
        (found if at < cut else rest).add(key)
    found.merge(rest)
    assert found.total == len(keys)
    assert len(found.counts) <= limit
    for key in set(keys):
        assert keys.count(key) - len(keys) / (limit + 1) <= found.counts.get(key, 0) <= keys.count(key)


def test_a_frequent_key_is_not_pushed_out_by_many_rare_ones():
    found = Frequent[str](10)
    for n in range(1_000):
        found.add("often")
        found.add(f"rare {n}")
    assert found.counts["often"] >= 900


def test_a_session_of_which_the_record_says_that_it_was_attacked_or_denied_is_in_no_share():
    found = tally_of([run(step("read_ticket")), *(run(doubts=(doubt,)) for doubt in (ATTACKED, DENIED, "an alarm"))])
    kind = found.kinds[KIND]
    assert (kind.doubtful, kind.marked, kind.given, kind.given_in_all) == (3, 2, 2, 2)
    found.add(run(kind="other"))
    assert (kind.given, kind.given_in_all) == (2, 3)


def test_a_tool_that_is_called_like_the_beginning_makes_no_edge():
    found = tally_of([run(step("read_ticket"), step("start"), step("send_email"), step("read_ticket"))]).kinds[KIND]
    assert set(found.edges) == {("start", "read_ticket"), ("send_email", "read_ticket")}


def test_a_time_in_the_future_is_none():
    found = Tally(KNOWN, (KIND,), until=100.0)
    for time in (50.0, 101.0, float("inf"), float("nan"), -1.0):
        found.add(run(step("read_ticket"), time=time))
    assert found.kinds[KIND].support == Support(5, 50.0, 50.0)
    late = Tally()
    late.add(run(time=253_402_300_000.0))
    assert late.kinds[KIND].support == Support(1, None, None)


def test_a_full_mapping_admits_a_key_without_looking_at_all_others(monkeypatch: pytest.MonkeyPatch):
    """Keys sent so that each is admitted: the work for one is by the logarithm of their number."""
    ranked = []
    whole = Bounded._rank
    monkeypatch.setattr(Bounded, "_rank", lambda self, key: ranked.append(key) or whole(self, key))
    found: Bounded[str, Support] = Bounded(100)
    keys = sorted((str(n) for n in range(2_000)), key=lambda key: whole(found, key), reverse=True)
    for key in keys:
        assert found.at(key, Support) is not None
    assert len(ranked) <= 2_000
    assert set(found) == set(keys[-100:])


def test_a_key_too_long_finds_no_room():
    found: Bounded[str, Support] = Bounded(5)
    assert found.at("x" * (MAX_KEY + 1), Support) is None
    assert found.left_out


def test_counts_come_from_the_most_frequent():
    found = Counts(3)
    for key in "bbacc":
        found.count(key)
    assert found.most_common() == [("b", 2), ("c", 2), ("a", 1)]
