"""Which parts of an endorsed text an argument may be: a whole line, what commas and colons part, a word."""

from __future__ import annotations

import pytest

from licet.chain.index import OriginIndex, Output
from licet.chain.keys import atom_of
from licet.chain.outputs import leaves
from licet.manifest.labels import OutputLabels, origin_term

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

TEXT = "Dear tenant,\nplease write to:\nHarbour Street 12\nNew Haven, CT 06510\nIBAN: GB29NWBK60161331926819\n"


@pytest.mark.parametrize(
    "value, held",
    [
        ("New Haven, CT 06510", True),
        ("New Haven", True),
        ("Harbour Street 12", True),
        ("GB29NWBK60161331926819", True),
        ("Harbour Street 12 New Haven", False),
        ("GB29NWBK6016133192681", False),
        ("Haven, CT", False),
    ],
)
def test_an_endorsed_text_vouches_for_its_lines_and_parts_and_for_nothing_else(value: str, held: bool) -> None:
    index = OriginIndex()
    index.observe(Output(1, "c1", "read_file", leaves(TEXT, OutputLabels.of("untrusted", {})), endorsable=True))
    [trace] = index.trace("pay", "where", value)
    assert (trace.allows([origin_term("read_file:$")]) is not None) is held


def test_a_store_is_asked_about_all_that_a_long_text_holds() -> None:
    """What was written into a store by a stranger's word is not endorsed because it stands far down in a long text."""
    lines = [f"line-{number:06}" for number in range(30_000)]
    lines[1_999] = "zulu-001999"
    index = OriginIndex()
    text = Output(1, "c1", "read_file", leaves("\n".join(lines), OutputLabels.of("untrusted", {})), endorsable=True)
    index.observe(text, lambda asked: frozenset({atom_of("zulu-001999")} & set(asked)))
    held = {line for line in lines[:2_500] if index.trace("pay", "where", line)[0].allows([origin_term("read_file:$")])}
    assert held == {*lines[:2_500]} - {"zulu-001999"}
