"""What an index does when it holds little: only prose, or nothing any more."""

from __future__ import annotations

from licet.chain.index import OriginIndex

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
