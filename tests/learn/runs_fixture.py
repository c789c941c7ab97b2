"""Runs to learn from, by hand and at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from licet.learn.runs import Run, Step

TOOLS = ("read_ticket", "find_order", "refund", "send_email", "ghost")
KIND = "answer-ticket"


def step(tool: str, before: str = "start", *, ran: bool = True, **arguments: tuple[Any, Sequence[str]]) -> Step:
    """One call; of each argument its value, and the sources of its one leaf."""
    leaves: Mapping[str, tuple[frozenset[str], ...]] = {name: (frozenset(found),) for name, (_, found) in arguments.items() if found}
    return Step(tool, before, {name: value for name, (value, _) in arguments.items()}, leaves, ran)


def run(*steps: Step, id: str = "s", kind: str = KIND, time: float | None = None, model: str = "", doubts: tuple[str, ...] = ()) -> Run:
    """One run; each step follows the one before it."""
    followed = []
    before = "start"
    for each in steps:
        followed.append(Step(each.tool, before, each.arguments, each.leaves, each.ran))
        before = each.tool if each.ran else before
    return Run(id, kind, f"runs.jsonl:{id}", tuple(followed), time, model, doubts)


SOURCES = st.sampled_from(
    ["intent", "nowhere", "unseen", "trusted find_order", "counterpart read_ticket", "untrusted read_ticket",
     "untrusted read_ticket (an address)", "untrusted ghost"]
)  # fmt: skip
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=50)
    | st.sampled_from(["low", "high", "ada@acme.example", "INV-2041", "\ud800", "a: b # c\n- d"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=5,
)  # fmt: skip
NAMES = st.sampled_from(["number", "order", "euros", "to", "body", "other", "x y: {"])


@st.composite
def steps(draw: st.DrawFn) -> Step:
    names = draw(st.lists(NAMES, max_size=3, unique=True))
    leaves = {name: tuple(draw(st.lists(st.frozensets(SOURCES, max_size=3), max_size=3))) for name in names}
    return Step(draw(st.sampled_from(TOOLS)), "start", {name: draw(PLAIN) for name in names}, leaves, draw(st.booleans()))


@st.composite
def runs(draw: st.DrawFn) -> Run:
    return run(
        *draw(st.lists(steps(), max_size=5)),
        id=draw(st.text(max_size=3)),
        kind=draw(st.sampled_from([KIND, "other-work", "no kind at all"])),
        time=draw(st.none() | st.floats(0, 2e9)),
        model=draw(st.sampled_from(["", "gpt-4o-2024-05-13", "m: #x"])),
        doubts=draw(st.sampled_from([(), (), ("a call was denied",), ("attacked", "a call was denied")])),
    )
