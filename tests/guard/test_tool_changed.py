"""`tool.changed`: a pinned tool runs as long as it shows of itself what was pinned, in this process and in every other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

import pytest
from pydantic import BaseModel

from licet import Guard, ToolCall
from licet.guard.binding import definition_of
from licet.testing import guard_for

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

MANIFEST = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [work]}}
tools:
  note: {access: read, egress: false, definition: DIGEST, arguments: {text: {}}}
  free: {access: read, egress: false}
tasks:
  work: {intent: Work, ttl: 10m, tools: {note: {}, free: {}}}
"""


def note(text: str, size: int = 3) -> str:
    """Note it."""
    return text


def pinned(folder: Path, digest: str | None = None) -> Guard:
    return guard_for(MANIFEST.replace("DIGEST", digest or definition_of("note", note)), folder)


def checks(guard: Guard, call: ToolCall) -> tuple[str, ...]:
    with guard.task("work", intent="Work", agent="bot", principal="user:grace"):
        ticket = guard.begin(call)
        guard.end(ticket, result=None)
        return ticket.decision.checks


CALL = ToolCall("note", {"text": "x"})


def test_what_was_pinned_runs_and_wrapping_again_changes_nothing(tmp_path: Path) -> None:
    with pinned(tmp_path) as guard:
        twin = guard.wrap(guard.wrap(note), name="note")
        assert checks(guard, CALL) == ()
        guard.wrap(twin, name="note", ask_reason=True)
        assert checks(guard, CALL) == (), "the question for a reason is the guard's, and not the tool's"
        assert guard.definitions == {"note": definition_of("note", note)}


def docstring(text: str, size: int = 3) -> str:
    """Note it, and send it to all."""
    return text


def default(text: str, size: int = 4) -> str:
    """Note it."""
    return text


def default_of_another_type(text: str, size: int = True) -> str:
    """Note it."""
    return text


def annotation(text: str, size: float = 3) -> str:
    """Note it."""
    return text


def renamed(text: str, length: int = 3) -> str:
    """Note it."""
    return text


def one_more(text: str, size: int = 3, to: str = "") -> str:
    """Note it."""
    return text


def one_less(text: str) -> str:
    """Note it."""
    return text


def other_kind(text: str, *, size: int = 3) -> str:
    """Note it."""
    return text


def other_order(size: int = 3, text: str = "") -> str:
    """Note it."""
    return text


def anything_more(text: str, size: int = 3, **more: Any) -> str:
    """Note it."""
    return text


CHANGED = [docstring, default, default_of_another_type, annotation, renamed, one_more, one_less, other_kind, other_order, anything_more]


@pytest.mark.parametrize("changed", CHANGED)
def test_each_change_of_what_it_shows_is_refused(changed: Callable[..., Any], tmp_path: Path) -> None:
    with pinned(tmp_path) as guard:
        guard.wrap(changed, name="note")
        assert "tool.changed" in checks(guard, CALL)


def test_a_change_of_the_body_alone_is_not_seen(tmp_path: Path) -> None:
    """The definition is what a tool shows, and not what it does."""

    def note(text: str, size: int = 3) -> str:
        """Note it."""
        return text * size

    with pinned(tmp_path) as guard:
        guard.tool(note)
        assert checks(guard, CALL) == ()


def test_a_pinned_tool_of_which_nothing_is_known_is_refused(tmp_path: Path) -> None:
    with pinned(tmp_path) as guard:
        assert "tool.changed" in checks(guard, CALL)


def test_a_definition_that_the_framework_has_counts_before_that_of_the_function(tmp_path: Path) -> None:
    """An agent is shown the framework's."""
    other = definition_of("note", docstring)
    with pinned(tmp_path) as guard:
        guard.tool(note)
        assert "tool.changed" in checks(guard, ToolCall("note", {"text": "x"}, definition=other))
        assert checks(guard, CALL) == ()
        assert guard.definitions["note"] == other, "the last one that it met"


def test_a_tool_that_is_not_pinned_may_change(tmp_path: Path) -> None:
    with pinned(tmp_path) as guard:
        for each in CHANGED:
            guard.wrap(each, name="free")
            assert "tool.changed" not in checks(guard, ToolCall("free", {"text": "x"}))


class Person(BaseModel):
    name: str
    friend: Person | None = None


class PersonWithMail(BaseModel):
    name: str
    friend: Person | None = None
    mail: str = ""


PersonWithMail.__qualname__ = "Person"


class Place(TypedDict, total=False):
    street: str


def test_the_fields_of_a_parameter_are_part_of_it() -> None:
    def one(who: Person, where: Place) -> None: ...
    def other(who: PersonWithMail, where: Place) -> None: ...

    assert definition_of("t", one) != definition_of("t", other)


def test_the_order_of_a_union_and_of_literals_is_no_change() -> None:
    """Python may hand out `list[int | str]` for `list[str | int]`."""

    def one(a: list[int | str], b: Literal["x", "y"], c: Annotated[int | None, "px"] = None) -> None: ...
    def other(a: list[str | int], b: Literal["y", "x"], c: Annotated[None | int, "px"] = None) -> None: ...  # noqa: RUF036

    assert definition_of("t", one) == definition_of("t", other)


def test_a_method_is_the_same_tool_bound_or_not() -> None:
    class Desk:
        def note(self, text: str) -> str:
            """Note it."""
            return text

    def plain(text: str) -> str:
        """Note it."""
        return text

    assert definition_of("note", Desk.note) == definition_of("note", Desk().note) == definition_of("note", plain)


IN_A_PROCESS = """
import enum, json, sys
from licet.guard.binding import definition_of

class Marker:
    pass

class Colour(enum.Enum):
    RED = 1

def tool(a: Colour, b=frozenset({"one", "two", "three", "four"}), c=Marker(), d=print, e=lambda: 1, f={"x": {1.5, 2, "z"}}) -> None:
    '''Do it.

    With care.
    '''

if __name__ == "__main__":
    print(definition_of("tool", tool))
"""


def test_the_digest_is_the_same_in_every_process_and_whatever_the_module_is_called(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text(IN_A_PROCESS, encoding="utf-8")
    imported = "import agent; from licet.guard.binding import definition_of; print(definition_of('tool', agent.tool))"
    told = {
        subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for arguments, seed in ((["agent.py"], "1"), (["agent.py"], "2"), (["-c", imported], "3"))
    }
    assert len(told) == 1
    assert told.pop().startswith("sha256:")
