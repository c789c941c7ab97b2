"""What an index does when it holds little: only prose, or nothing any more."""

from __future__ import annotations

import pytest

from licet.chain.index import OriginIndex, Output
from licet.chain.outputs import leaves
from licet.manifest.labels import OutputLabels

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

PROSE = "the tenants of the northern wing would rather have their post sent on to the caretaker from next month"


def test_a_passage_of_plain_prose_is_found_again() -> None:
    """Long prose leaves nothing but pairs of words; they are enough to know a passage by."""
    index = OriginIndex()
    index.enter(PROSE)
    [trace] = index.trace("post", "text", f"Note well: {PROSE[:70]}")
    assert [part.what for part in trace.parts] == ["a passage"]


def test_a_full_index_still_tells_that_untrusted_content_entered() -> None:
    """`origin.unanchored` asks from the first untrusted content on, whether or not there was room to keep it."""
    index = OriginIndex()
    index.full = True
    assert index.entered is None
    index.enter("anything")
    assert index.entered is not None


def test_where_a_short_value_is_said_to_be_from_does_not_depend_on_the_order_of_names() -> None:
    """Names are a set, whose order is another one in every process: what is least trusted is told, then what came first."""
    index = OriginIndex()
    for seq, tool, label in ((1, "list_cards", "counterpart"), (2, "list_files", "untrusted"), (3, "list_rows", "untrusted")):
        field = {"list_cards": "card", "list_files": "file", "list_rows": "row"}[tool]
        index.observe(Output(seq, f"c{seq}", tool, leaves({field: "13"}, OutputLabels.of(label, {}))))
    orders = (["card", "file", "row"], ["file", "row", "card"], ["row", "card", "file"])
    found = [index._find_atom("13", names) for names in orders]
    assert [place and (place.seq, place.label) for place in found] == [(2, "untrusted")] * 3
