"""Sessions out of spans are the same whatever fits into memory, and are what a plain reading in memory makes."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licet.errors import StoreError
from licet.replay import sessions_in
from licet.replay.grouping import Grouping, Told
from licet.telemetry.otlp import BadSpan
from licet.telemetry.reader import ReadSpan

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

IDS = st.integers(1, 6).map(lambda number: f"{number:016x}")
CONVERSATIONS = st.sampled_from(["", "", "", "c-1", "c-2", "a" * 32, "\ud800"])


def read_span(trace: str, span: str, parent: str, start: int, attributes: dict[str, Any], place: str = "f:1") -> ReadSpan:
    return ReadSpan(place, trace, span, parent, "x", 1, 0, start, start + 1, attributes, {"service.name": "svc"}, "agent", {})


@st.composite
def spans(draw: st.DrawFn) -> ReadSpan:
    attributes: dict[str, Any] = {}
    if conversation := draw(CONVERSATIONS):
        attributes["gen_ai.conversation.id"] = conversation
    if draw(st.booleans()):
        attributes |= {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": draw(st.sampled_from(["read", "mail"]))}
        attributes["gen_ai.tool.call.arguments"] = draw(
            st.sampled_from(['{"a": 1}', '{"b": NaN}', "no", {"c": [1.5, None]}, '{"d": "\ud800"}'])
        )
        attributes["gen_ai.tool.call.result"] = draw(st.sampled_from([None, "", "text", '["x"]', "1" * 5_000, {"k": -0.0}]))
    elif draw(st.booleans()):
        text = draw(st.sampled_from(["hello", "second"]))
        attributes["gen_ai.input.messages"] = [{"role": "user", "parts": [{"type": "text", "content": text}]}]
        attributes["gen_ai.request.model"] = draw(st.sampled_from(["m-1", "m-2"]))
    start = draw(st.sampled_from([0, 1, 2, 2, 3, 2**63 + 5, -4]))
    return read_span(
        draw(st.sampled_from(["a" * 32, "b" * 32])), draw(IDS), draw(st.just("") | IDS), start, attributes, f"f:{draw(st.integers(1, 9))}"
    )


def in_memory(items: Sequence[ReadSpan]) -> list[tuple[str, str, list[str]]]:
    """Each session in order, with the place of the first call that came and its calls in order, by the rule and nothing else."""
    first: dict[tuple[str, str], ReadSpan] = {}
    for item in items:
        first.setdefault((item.trace_id, item.span_id), item)

    def session_of(item: ReadSpan | None) -> str:
        trace = item.trace_id if item is not None else ""
        for _ in range(100):
            if item is None:
                break
            if item.attributes.get("gen_ai.conversation.id"):
                return str(item.attributes["gen_ai.conversation.id"])
            item = first.get((trace, item.parent_id))
        return trace

    calls: dict[str, list[ReadSpan]] = {}
    for item in first.values():
        arguments = item.attributes.get("gen_ai.tool.call.arguments")
        if item.attributes.get("gen_ai.operation.name") == "execute_tool" and arguments not in ("no", '{"b": NaN}'):
            calls.setdefault(session_of(item), []).append(item)
    ordered = sorted(calls.items(), key=lambda each: (min(item.start for item in each[1]), each[0]))
    return [
        (
            name,
            found[0].place,
            [str(item.attributes["gen_ai.tool.name"]) for item in sorted(found, key=lambda item: (item.start, item.span_id))],
        )
        for name, found in ordered
    ]


@settings(max_examples=300)
@given(st.lists(spans(), max_size=25))
def test_sessions_are_those_of_a_plain_reading_in_memory(items: list[ReadSpan]) -> None:
    found = sessions_in(items, "f").sessions
    assert [(session.id, session.place, [call.tool for call in session.calls]) for session in found] == in_memory(items)


def many(sessions: int, seed: int = 7) -> list[ReadSpan]:
    """Sessions of six spans each, all mixed up, every fiftieth span twice."""
    rng = random.Random(seed)
    made: list[ReadSpan] = []
    for number in range(sessions):
        trace, conversation = f"{rng.getrandbits(128) | 1:032x}", {"gen_ai.conversation.id": f"c-{number // 6}"} if number % 3 == 0 else {}
        made.append(
            read_span(trace, f"{1:016x}", "", 1_000 * number, conversation | {"gen_ai.request.model": f"m-{number % 4}"}, f"f:{number}")
        )
        for call in range(2, 7):
            attributes = {
                "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": f"tool_{call}", "gen_ai.tool.call.arguments": '{"n": 1}',
                "gen_ai.tool.call.result": "x" * 500 + str(number),
            }  # fmt: skip
            made.append(read_span(trace, f"{call:016x}", f"{call - 1:016x}", 1_000 * number + call, attributes, f"f:{number}"))
    made += made[::50]
    rng.shuffle(made)
    return made


def test_sessions_are_the_same_whatever_fits_into_memory() -> None:
    """Forty KiB are less than a hundredth of what these spans take."""
    items = many(1_500)
    small, large = sessions_in(items, "f", cache=40), sessions_in(items, "f", cache=1_000_000)
    assert list(small.sessions) == (found := list(large.sessions))
    assert (len(found), sum(len(session.calls) for session in found)) == (1_250, 7_500)
    assert (small.without, small.partly, small.unanswered) == (large.without, large.partly, large.unanswered)


def test_a_span_that_is_delivered_twice_is_counted_once() -> None:
    lacking = read_span("a" * 32, f"{1:016x}", "", 1, {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "read"})
    found = sessions_in([lacking, lacking, BadSpan("f:3", "k", "is bad")], "f")
    assert (found.without, [bad.line for bad in found.bad], list(found.sessions)) == ({"read": 1}, [3], [])


def test_sessions_are_handed_out_one_by_one() -> None:
    """The first is there before the second is made, so that one at a time is all that memory holds."""
    sessions = iter(sessions_in(many(5), "f").sessions)
    first = next(sessions)
    assert first.id == "c-0"
    assert [session.time for session in sessions] == sorted(session.time or 0 for session in sessions_in(many(5), "f").sessions)[1:]


def test_a_disk_without_room_is_said_with_what_to_do() -> None:
    grouping = Grouping(40)
    grouping._db.execute("PRAGMA max_page_count=60")
    told = (Told("a" * 32, f"{number:016x}", "", "", number, is_call=True, what="x" * 500) for number in range(10_000))
    with pytest.raises(StoreError, match=r"cannot be kept.*full.*SQLITE_TMPDIR") as caught:
        all(grouping.add(each) for each in told)
    assert isinstance(caught.value.__cause__, sqlite3.Error)
