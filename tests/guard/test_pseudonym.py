"""Keyed digests: records cannot be searched for a short value by whoever has them alone, and can by whoever has the state's secret."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence import records
from licet import Denied
from licet.canonical import digest, digest_text
from licet.pseudonym import Pseudonyms
from licet.records import ToolCall
from world import World

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=5,
)


@given(PLAIN, PLAIN)
def test_a_recorded_digest_is_of_its_value_alone(value: object, other: object) -> None:
    ours, theirs = Pseudonyms(b"a" * 32), Pseudonyms(b"b" * 32)
    recorded = ours.value(value)  # type: ignore[arg-type]
    assert recorded.startswith("hmac-sha256:")
    assert ours.is_value(recorded, value)  # type: ignore[arg-type]
    assert ours.is_value(recorded, other) == (digest(value) == digest(other))  # type: ignore[arg-type]
    assert not theirs.is_value(recorded, value)  # type: ignore[arg-type]


def test_older_records_have_plain_digests_which_are_compared_as_they_are() -> None:
    ours = Pseudonyms(b"a" * 32)
    assert ours.is_value(digest({"to": "ada"}), {"to": "ada"})
    assert ours.is_text(digest_text("Answer"), "Answer")
    assert not ours.is_text(digest_text("Answer"), "Ask")


def test_what_has_no_digest_gets_none() -> None:
    ours = Pseudonyms(b"a" * 32)
    assert (ours.digest(""), ours.digest("unjudgeable:00"), ours.principal("")) == ("", "unjudgeable:00", "")


def test_a_person_has_one_name_per_state_folder_and_another_key_than_contents() -> None:
    ours, theirs = Pseudonyms(b"a" * 32), Pseudonyms(b"b" * 32)
    assert ours.principal("user:grace") == ours.principal("user:grace") != ours.principal("user:ada")
    assert ours.principal("user:grace") not in (theirs.principal("user:grace"), ours.text("user:grace"))


def _texts(world: World) -> str:
    files = (path for path in world.guard.state.rglob("*") if path.is_file() and path.parent.name != "keys")
    return "".join(path.read_bytes().decode("latin-1") for path in files)


def yielding() -> Iterator[str]:
    yield "9911"
    yield "9912"


@pytest.fixture
def pins(world: World) -> World:
    """A world in whose records PINs and short words were made into digests, wherever that is done."""
    with world.guard.task("work", intent="Block card 4711", agent="bot", principal="user:grace") as task:
        task.say("My PIN is 4312")
        world.tool("note")(4312)
        world.tool("share")("7788")
        list(world.tool("stream", yielding)())
        ticket = world.guard.begin(ToolCall("note", {"value": 1}, reason="It is 5566"), task=task)
        world.guard.end(ticket)
        with pytest.raises(Denied):
            world.tool("send")("1234@evil.example")
    return world


def test_no_plain_digest_of_a_short_value_is_in_any_record(pins: World) -> None:
    """The attack: whoever has store, ledger or spans tries all PINs."""
    pins.guard.close()
    kept = _texts(pins)
    tried = [f"{number}" for number in range(10_000)]
    shapes = (
        lambda pin: digest({"value": int(pin)}), lambda pin: digest({"value": pin}), lambda pin: digest({"with_whom": pin}), digest, lambda pin: digest(int(pin)),
        lambda pin: digest_text(f"My PIN is {pin}"), lambda pin: digest_text(f"Block card {pin}"), lambda pin: digest_text(f"It is {pin}"),
        lambda pin: digest({"to": f"{pin}@evil.example", "body": ""}),
    )  # fmt: skip
    assert [shape(pin) for shape in shapes for pin in tried if shape(pin).removeprefix("sha256:") in kept] == []
    assert kept.count("hmac-sha256:") > 20


def test_whoever_holds_the_state_can_ask_whether_a_value_was_it(pins: World) -> None:
    """Of arguments, outputs, the intent, turns and stated reasons."""
    lines = records(pins.guard)
    asks = pins.guard.pseudonyms
    assert [asks.is_value(line["args"], {"value": 4312}) for line in lines if line["kind"] == "call.intent"] == [True, False, False, False]
    outcomes = [line["result"] for line in lines if line["kind"] == "call.outcome"]
    assert [asks.is_result(result, 4312) for result in outcomes] == [True, False, False, False]
    assert [asks.is_result(result, "9911", "9912", None) for result in outcomes] == [False, False, True, False]
    assert asks.is_text(next(line["intent"] for line in lines if line["kind"] == "task.begin"), "Block card 4711")
    assert asks.is_text(next(line["text"] for line in lines if line["kind"] == "task.turn"), "My PIN is 4312")
    assert any(asks.is_text(line.get("reason", ""), "It is 5566") for line in lines)


def test_a_call_that_waits_is_known_again_by_its_keyed_digest(tmp_path: Path) -> None:
    """In another guard on the same state: the call that was asked there is this one, and the same call with other arguments is not."""
    first = World(tmp_path)
    with first.guard.task("asking", intent="x", agent="bot", principal="user:grace", detached=True) as task:
        asked = first.guard.begin(ToolCall("risky", {"value": 4312}, call_id="c1", known=("value",)), task=task)
    second = World(tmp_path)
    again = second.guard.resume_task(task.id)
    same = second.guard.begin(ToolCall("risky", {"value": 4312}, call_id="c1", known=("value",)), task=again)
    other = second.guard.begin(ToolCall("risky", {"value": 4313}, call_id="c1", known=("value",)), task=again)
    assert (asked.action, same.action, other.action) == ("ask", "ask", "ask")
    assert same.id == asked.id != other.id
    for world in (first, second):
        world.guard.close()
