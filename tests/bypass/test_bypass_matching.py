"""Which call that ran is which that the guard saw, and why one was not seen."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bypass.seen import look, running, span
from licet.bypass import Coverage, compare
from licet.bypass.looks import Look, together
from licet.bypass.matching import in_order
from licet.canonical import digest
from licet.telemetry.reader import ReadSpan

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library


def held(spans: list[ReadSpan], looks: list[Look], **options: Any) -> Coverage:
    return compare(running(*spans), looks, **options)


def ways(found: Coverage) -> list[str]:
    return [match.way for match in found.found.matches]


def causes(found: Coverage) -> list[str]:
    return [each.cause.code for each in found.unseen]


# What ran --------------------------------------------------------------------------------------------------------------------


def test_spans_of_one_call_within_each_other_are_one_call_and_of_one_layer_two():
    framework, client, server = span(1), span(2, under=1, scope="mcp", kind=3), span(3, under=2, scope="mcp", kind=2)
    assert len(running(framework, client, server).calls) == 1
    recursive = span(4, under=3)
    assert len(running(framework, client, server, recursive).calls) == 2
    assert len(running(framework, span(5, "write", under=1)).calls) == 2


def test_two_requests_of_one_call_are_two_calls():
    assert len(running(span(1), span(2, under=1, scope="mcp", kind=3), span(3, under=1, scope="mcp", kind=3)).calls) == 2


def test_a_client_of_mcp_names_its_tool_in_the_name_of_the_span_only():
    made = span(1, "", **{"mcp.method.name": "tools/call"})
    named = ReadSpan(*[*(getattr(made, name) for name in ReadSpan.__slots__[:4]), "MCP send tools/call read_file",
                       *(getattr(made, name) for name in ReadSpan.__slots__[5:])])  # fmt: skip
    assert [ran.tool for ran in running(named).calls] == ["read_file"]


def test_our_own_spans_are_no_witness_that_something_ran():
    assert running(span(1, scope="licet", **{"licet.call.id": "0" * 32})).calls == []


def test_what_the_provider_ran_is_read_out_of_the_models_answer():
    answer = [
        {"role": "assistant", "parts": [{"type": "server_tool_call", "id": "s1", "name": "web_search"}, {"type": "text", "content": "x"}]}
    ]
    found = held([span(1, "", **{"gen_ai.output.messages": json.dumps(answer)}), span(2)], [look(1, trace=1)])
    assert [(each.ran.tool, each.cause.code) for each in found.unseen] == [("web_search", "provider")]
    assert found.sentence == "1 of 2 calls not seen by the guard"


# Matching --------------------------------------------------------------------------------------------------------------------


def test_the_surest_way_that_there_is_is_taken_and_said():
    assert ways(held([span(1)], [look(1, trace=1, place=1)])) == ["span"]
    above = [span(1), span(2, "", under=1), span(1001, "", under=2)]
    assert ways(held(above, [look(1, trace=1)])) == ["parentage"]
    below = [span(1001, ""), span(2, "srv", under=1001, scope="mcp")]
    assert ways(held(below, [look(1, "files:srv", trace=1)])) == ["parentage"]
    assert ways(held([span(1, call_id="c1")], [look(1, trace=2, call_id="c1", at=30)])) == ["call id"]
    arguments = span(1, **{"gen_ai.tool.call.arguments": '{"to": "ada"}'})
    assert ways(held([arguments], [look(1, trace=2, args=digest({"to": "ada"}))])) == ["arguments"]
    assert ways(held([span(1)], [look(1, trace=2)])) == ["time"]


def test_a_call_of_the_trace_is_not_lent_to_another_run():
    """The guard's call belongs to the first trace, whose own span was dropped; a call elsewhere at that time was not seen."""
    found = held([span(2, trace=2), span(3, "other", trace=1)], [look(1, trace=1), look(2, "other", trace=1, at=0.5)])
    assert [each.ran.trace for each in found.unseen] == [f"{2:032x}"]


def test_a_call_that_was_taken_up_again_has_a_look_for_each_of_its_spans():
    first, again = look(1, trace=1, place=11), replace(look(1, trace=1, place=12, at=30), by="spans")
    looks = together([first], [replace(first, by="spans"), again])
    assert [each.place[1] for each in looks] == [f"{11:016x}", f"{12:016x}"]
    spans = [span(1), span(11, "", under=1), span(2, at=30), span(12, "", under=2, at=30)]
    assert ways(held(spans, looks)) == ["parentage", "parentage"]


def test_two_ids_of_a_call_deny_that_it_is_one():
    assert held([span(1, call_id="a")], [look(1, call_id="b")]).whole is False


def test_calls_of_one_id_are_told_apart_by_time():
    """Scripted models give their calls the same ids again and again."""
    found = held(
        [span(1, call_id="c1"), span(2, call_id="c1", trace=2, at=3_000)], [look(1, call_id="c1"), look(2, call_id="c1", at=3_000)]
    )
    assert [(match.ran.started, match.look.started) for match in found.found.matches if match.ran.started != match.look.started] == []
    assert held([span(1, call_id="c1", at=3_000)], [look(1, call_id="c1")]).whole is False


def test_where_arguments_can_be_compared_other_arguments_are_another_call():
    given_ = {"gen_ai.tool.call.arguments": '{"to": "ada"}'}
    sure = [span(1, call_id="c1", **given_)], [look(1, call_id="c1", args=digest({"to": "ada"}))]
    again = span(2, at=2, **{"gen_ai.tool.call.arguments": '{"to": "eve"}'})
    other = look(2, at=2, args=digest({"to": "ada"}))
    assert [each.ran.place[1] for each in held([*sure[0], again], [*sure[1], other]).unseen] == [f"{2:016x}"]
    assert held([again], [other]).whole is True  # nothing shows that spans have them as the guard does


def test_what_was_denied_has_not_run_by_time_alone():
    found = held([span(1), span(2, at=10, call_id="c")], [look(1, denied=True, at=-1, lasts=0.1), look(2, at=10, call_id="c")])
    assert causes(found) == ["after-denial"]
    assert held([span(1, failed=True)], [look(1, denied=True)]).whole is True


def test_a_denied_call_that_reached_the_tools_side_is_told():
    denied = look(1, "srv:read", trace=1, denied=True)
    below = held([span(1001, ""), span(2, under=1001, scope="mcp", kind=3)], [denied])
    assert (below.whole, len(below.defied), below.unseen) == (False, 1, ())
    around = held([span(1), span(1001, "", under=1)], [look(1, trace=1, denied=True)])
    assert (around.whole, around.defied) == (True, ())


def test_clocks_that_differ_are_reckoned_with_and_told():
    spans = [span(number, at=number * 10, call_id=f"c{number}", service="far") for number in range(1, 6)]
    looks = [look(number, at=number * 10 + 40, call_id=f"c{number}") for number in range(1, 6)]
    spans += [span(9, "late", at=70, service="far")]
    looks += [look(9, "late", at=110)]
    found = held(spans, looks)
    assert found.whole is True
    [(process, seconds)] = found.found.skew.items()
    assert (process.service, round(seconds)) == ("far", 39)


def test_what_was_sampled_away_is_no_bypass_and_stands_apart():
    found = held([span(1)], [look(1, trace=1), look(2, "write", trace=1), look(3, "write", trace=7)])
    assert (found.whole, [len(run.spare) for run in found.runs], found.elsewhere) == (True, [1], 1)


def test_nothing_to_compare_is_no_good_news():
    found = held([], [look(1)])
    assert (found.whole, found.sentence) == (None, "nothing to compare: no call of a framework is there")


# Causes ----------------------------------------------------------------------------------------------------------------------


def test_a_tool_that_is_not_wrapped():
    found = held([span(1), span(2, "send", at=2), span(3, "send", at=4)], [look(1, trace=1)], declared={"read"})
    assert causes(found) == ["not-wrapped", "not-wrapped"]
    assert (
        "none of its 2 calls in this run was seen, and the guard saw 1 of others; the manifest does not know it"
        in found.unseen[0].cause.sentence
    )


def test_one_call_of_a_wrapped_tool_beside_the_guard():
    assert causes(held([span(1), span(2, at=20)], [look(1, trace=1)])) == ["beside"]


def test_a_run_outside_a_task():
    found = held([span(1), span(2, trace=2), span(3, "send", trace=2)], [look(1, trace=1)])
    assert causes(found) == ["outside-task", "outside-task"]
    assert [run.sentence for run in found.runs] == ["0 of 1 call not seen by the guard", "2 of 2 calls not seen by the guard"]
    nobody = held([span(1)], [])
    assert "is it the right state folder" in nobody.unseen[0].cause.sentence


def test_another_service():
    found = held([span(1), span(2, "send", service="worker")], [look(1, trace=1)])
    assert causes(found) == ["other-process"]
    assert "service worker" in found.unseen[0].cause.sentence
    assert causes(held([span(1), span(2, trace=2, service="worker")], [look(1, trace=1)])) == ["other-process"]


def test_a_tool_of_the_provider_by_the_kind_that_its_span_says():
    found = held([span(1), span(2, "file_search", **{"gen_ai.tool.type": "datastore"})], [look(1, trace=1)])
    assert causes(found) == ["provider"]


# Properties ------------------------------------------------------------------------------------------------------------------

_TOOLS = st.sampled_from(["read", "send", "srv:read"])
_IDS = st.sampled_from(["", "", "c1", "c2"])
_TIMES = st.integers(0, 40).map(lambda number: number / 2)
_SPANS = st.lists(
    st.tuples(_TOOLS, _TIMES, st.integers(1, 3), st.integers(0, 12), _IDS, st.sampled_from(["a", "b"]), st.booleans()), max_size=12
)
_LOOKS = st.lists(st.tuples(_TOOLS, _TIMES, st.integers(0, 4), st.integers(0, 15), _IDS, st.booleans()), max_size=12)


@settings(max_examples=400, deadline=None)
@given(_SPANS, _LOOKS)
def test_matching_is_one_to_one_and_seen_and_unseen_are_all_calls(spans: list[Any], looks: list[Any]):
    ran = running(*(
        span(number, tool, at=at, trace=trace, under=under if under != number else 0, call_id=call_id, scope=scope, failed=failed)
        for number, (tool, at, trace, under, call_id, scope, failed) in enumerate(spans, 1)
    ))  # fmt: skip
    known = [
        look(number, tool, at=at, trace=trace, place=place, call_id=call_id, denied=denied)
        for number, (tool, at, trace, place, call_id, denied) in enumerate(looks, 1)
    ]
    found = compare(ran, known)
    calls = Counter(match.ran.place for match in found.found.matches) + Counter(each.ran.place for each in found.unseen)
    assert calls == Counter(each.place for each in ran.calls)
    assert set(calls.values()) <= {1}
    used = Counter(match.look.id for match in found.found.matches) + Counter(each.id for each in found.found.spare)
    assert used == Counter(each.id for each in known)
    assert found.ran == sum(run.ran for run in found.runs) == len(ran.calls)
    members = Counter(place for each in ran.calls for place in each.spans)
    assert sum(members.values()) == len(spans)
    assert set(members.values()) <= {1}


@settings(max_examples=200, deadline=None)
@given(st.lists(_TIMES, max_size=6).map(sorted), st.lists(_TIMES, max_size=6).map(sorted))
def test_of_one_tool_as_many_calls_as_can_be_have_a_partner(rans: list[float], looks: list[float]):
    calls = running(*(span(number, at=at, lasts=0) for number, at in enumerate(rans, 1))).calls
    known = [look(number, at=at, lasts=0) for number, at in enumerate(looks, 1)]
    near = 3.0
    pairs = list(
        in_order(calls, known, lambda ran, each: abs(ran.started - each.started) <= near, lambda ran, each: abs(ran.started - each.started))
    )
    # On a line, taking for each call the first look that is near and free is the most that can be had.
    left, most = list(known), 0
    for ran in calls:
        first = next((each for each in left if abs(each.started - ran.started) <= near), None)
        if first is not None:
            most += 1
            left.remove(first)
    assert len(pairs) == most
