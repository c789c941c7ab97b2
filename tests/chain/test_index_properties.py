"""What holds of the origin index whatever the outputs are: trust is only ever lost, and taint never."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licet.canonical import Plain
from licet.chain.index import OriginIndex, Output
from licet.chain.origin import OriginKind
from licet.chain.outputs import Leaf
from licet.manifest.labels import Label, OriginTerm

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

VALUES: tuple[str | int, ...] = (
    "ada@acme.example", "bo@acme.example", "eve@evil.example", "GB29NWBK60161331926819", "https://acme.example/pay", "a-1742", "INV-2026-0042", 4312, 80231, "reports/q3.pdf",
)  # fmt: skip
NOWHERE: tuple[OriginTerm, ...] = ("intent", "trusted")
FIELDS = (("mail",), ("id",), ("rows", "[]", "ref"), ())
values = st.sampled_from(VALUES)
labels: st.SearchStrategy[Label] = st.sampled_from(["trusted", "counterpart", "untrusted"])
texts = st.builds("Please use {} for it, {} as we said.".format, values, values)


@st.composite
def outputs(draw: st.DrawFn, label: st.SearchStrategy[Label] = labels) -> Output:
    """One output: a few leaves, of which some are free text that is untrusted, and what the call brought in."""
    leaves = [Leaf(draw(st.sampled_from(FIELDS)), draw(values), draw(label), -1) for _ in range(draw(st.integers(0, 3)))]
    leaves += [Leaf(("text",), draw(texts), "untrusted", -1) for _ in range(draw(st.integers(0, 1)))]
    brought = tuple(draw(st.lists(values, max_size=1)))
    return Output(0, "", "look", leaves, brought)


histories = st.lists(outputs(), max_size=6)


def less_trusted(*given: Label) -> Label:
    order: tuple[Label, ...] = ("untrusted", "counterpart", "trusted")
    return min(given, key=order.index)


def index_of(history: Sequence[Output], *, max_atoms: int = 10_000) -> OriginIndex:
    index = OriginIndex(max_atoms=max_atoms, salt=b"of these tests")
    for number, output in enumerate(history, 1):
        index.observe(output._replace(seq=number, call_id=f"call {number}"))
    return index


def kinds(index: OriginIndex, value: Plain) -> frozenset[OriginKind]:
    [trace] = index.trace("send", "to", value)
    return trace.kinds


def trusted(index: OriginIndex) -> set[Plain]:
    return {value for value in VALUES if "trusted" in kinds(index, value)}


def tainted(index: OriginIndex) -> set[Plain]:
    return {value for value in VALUES if "untrusted" in kinds(index, value)}


def allowed(index: OriginIndex, terms: Sequence[OriginTerm]) -> set[Plain]:
    return {value for value in VALUES if index.trace("send", "to", value)[0].allows(terms) is not None}


def holds(output: Output, value: Plain) -> bool:
    """Whether untrusted content of the output holds the value, alone or in a text."""
    return any(leaf.label == "untrusted" and str(value) in str(leaf.value) for leaf in output.leaves)


@given(history=histories)
@settings(max_examples=60, deadline=None)
def test_asking_changes_nothing(history: list[Output]) -> None:
    """What a batch over a finished trace finds is what was found call by call, with questions asked all along."""
    asked = OriginIndex(salt=b"of these tests")
    for number, output in enumerate(history, 1):
        asked.observe(output._replace(seq=number, call_id=f"call {number}"))
        for value in VALUES:
            asked.trace("send", "to", value)
    batch = index_of(history)
    for value in VALUES:
        assert asked.trace("send", "to", value) == batch.trace("send", "to", value)


@given(history=histories)
@settings(max_examples=150, deadline=None)
def test_trust_is_for_what_no_earlier_or_same_untrusted_output_held_and_the_call_did_not_bring(history: list[Output]) -> None:
    """The rule once more, as plainly as it can be said."""
    index = index_of(history)
    for value in trusted(index):
        assert any(
            any(leaf.label == "trusted" and leaf.value == value for leaf in output.leaves)
            and value not in output.brought
            and not any(holds(earlier, value) for earlier in history[: number + 1])
            for number, output in enumerate(history)
        ), value


@given(history=histories)
@settings(max_examples=100, deadline=None)
def test_what_an_untrusted_output_held_and_no_trusted_one_did_is_tainted(history: list[Output]) -> None:
    index = index_of(history)
    for value in VALUES:
        if any(holds(output, value) for output in history) and not kinds(index, value) & {"trusted", "counterpart"}:
            assert kinds(index, value) == {"untrusted"}


@given(history=histories, more=outputs(st.just("untrusted")), at=st.integers(0, 6))
@settings(max_examples=100, deadline=None)
def test_one_more_untrusted_output_never_adds_trust(history: list[Output], more: Output, at: int) -> None:
    longer = [*history[:at], more, *history[at:]]
    assert trusted(index_of(longer)) <= trusted(index_of(history))
    assert tainted(index_of(longer)) | trusted(index_of(history)) >= tainted(index_of(history))


@given(history=histories, other=labels, number=st.integers(0, 5), place=st.integers(0, 3))
@settings(max_examples=150, deadline=None)
def test_a_label_that_is_less_trusted_never_adds_an_allow(history: list[Output], other: Label, number: int, place: int) -> None:
    narrowed = list(history)
    if number < len(history) and place < len(history[number].leaves):
        leaves = list(history[number].leaves)
        leaves[place] = leaves[place]._replace(label=less_trusted(leaves[place].label, other))
        narrowed[number] = history[number]._replace(leaves=leaves)
    # A counterpart may write his own address into what he says, and stays one: for rules that name him the labels have no order.
    rules = [("intent", "trusted")] if other == "counterpart" else [("intent", "trusted"), ("intent", "trusted", "counterpart")]
    for terms in rules:
        assert allowed(index_of(narrowed), terms) <= allowed(index_of(history), terms)


@given(history=histories, more=st.lists(values, max_size=2))
@settings(max_examples=100, deadline=None)
def test_a_call_that_brings_more_never_adds_trust(history: list[Output], more: list[Plain]) -> None:
    bringing = [output._replace(brought=(*output.brought, *more)) for output in history]
    assert trusted(index_of(bringing)) <= trusted(index_of(history))


@given(history=histories, room=st.integers(0, 40))
@settings(max_examples=150, deadline=None)
def test_a_full_index_forgets_trust_and_never_taint(history: list[Output], room: int) -> None:
    """Nothing passes that a larger index would refuse, and what came in untrusted is never taken for made up."""
    small, large = index_of(history, max_atoms=room), index_of(history)
    assert trusted(small) <= trusted(large)
    assert allowed(small, NOWHERE) <= allowed(large, NOWHERE)
    for value in tainted(large):
        assert kinds(small, value) & {"untrusted", "unseen"}
        assert kinds(small, value) <= kinds(large, value) | {"unseen"}


@given(history=histories, after=histories)
@settings(max_examples=60, deadline=None)
def test_an_index_that_was_full_once_never_trusts_again(history: list[Output], after: list[Output]) -> None:
    flood = Output(0, "", "page", [Leaf(("text",), f"row-{number}@filler.example", "untrusted", -1) for number in range(60)])
    index = index_of([*history, flood, *after], max_atoms=40)
    assert index.full
    assert trusted(index) == set()


@given(history=histories, room=st.integers(0, 30))
@settings(max_examples=60, deadline=None)
def test_the_index_is_bounded(history: list[Output], room: int) -> None:
    """Places are one for each field of an output that was kept, beside the values themselves."""
    index = index_of(history * 10, max_atoms=room)
    assert len(index._taint) + len(index._trust) + len(index._counterparts) + len(index._held) <= max(room, 1) + 12
