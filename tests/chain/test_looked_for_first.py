"""What is looked for first, because that is cheap, is in every text that the dear look would find something in."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licet.chain import encodings, text
from licet.chain.party import addresses_in, is_bare_address
from licet.policy import decide
from licet.policy.request import reason

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

PIECES = st.sampled_from(
    [
        "1",
        "22",
        "333",
        "4444",
        "41 ",
        "0x41",
        "\\x41",
        "de89",
        "gb29",
        " ",
        "-",
        "+",
        ",",
        ".",
        "(",
        "[",
        " dot ",
        "poınt",
        "point",
        "@",
        "acme",
        "ß",
        "K",
        "٣",
        "½",
        "_",
        "/",
        ":",
        "\n",
        "01000001",
        "010000010100000101000001",
        "01000001 01000001 01000001",
        "gb29 1234 5678 ",
        "72 101 108",
        "a",
        "Z",
        "<~",
        "~>",
        "=41",
        "#",
        "?",
    ]
)
TEXTS = st.lists(PIECES, max_size=14).map("".join)
MANY = settings(max_examples=600, deadline=None)


@MANY
@given(TEXTS)
def test_a_form_that_is_found_has_what_is_looked_for_first(some: str) -> None:
    for near, form in (
        (encodings._NEAR_HEX, encodings._HEX),
        (encodings._NEAR_CODES, encodings._CODES),
        (encodings._NEAR_BITS, encodings._BITS),
        (text._MAY_BE_IBAN, text._PRINTED_IBAN),
    ):
        assert near.search(some) or not form.search(some)
    assert encodings._may_say_dot(some) or not encodings._WORD_DOT.search(some)
    assert any(len(word) >= 10 for word in some.split()) or not encodings._BASE85.search(some)


@MANY
@given(TEXTS)
def test_printed_numbers_are_those_of_the_plain_rule(some: str) -> None:
    plain = re.compile(r"(?<!\w)\+?\d{1,4}(?:[ -]\d{2,5}){2,6}(?!\w)")
    assert text._PRINTED_NUMBER.findall(some) == plain.findall(some)


@MANY
@given(TEXTS)
def test_a_bare_address_holds_itself_and_no_other(some: str) -> None:
    if is_bare_address(some):
        assert list(addresses_in(some)) == [some]


def test_modes_are_asked_for_only_where_there_is_a_reason() -> None:
    """Broken glass, for one, is a question to the store."""
    asked: list[int] = []
    said = [reason("scope.expired", "it is over")]

    def moded(found: list[object]) -> list[object]:
        asked.append(len(found))
        return found

    checks = [lambda _request, _facts: (), lambda _request, _facts: said]
    assert decide(checks[:1], None, None, moded).outcome == "allow"  # type: ignore[arg-type]
    assert asked == []
    assert decide(checks, None, None, moded).outcome == "deny"  # type: ignore[arg-type]
    assert asked == [1]
