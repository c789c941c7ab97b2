"""What is too long for a record is cut, the same way every time: an outcome can always be written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licet.canonical import canonical, digest
from licet.ledger.fitting import IDS, MAX_FIELDS, fitted
from licet.ledger.layout import MAX_ENTRY

pytestmark = pytest.mark.dev  # what it tests depends on no version of a library

SHORT = st.text(st.characters(codec="utf-8"), max_size=20)
LONG = st.integers(0, 90_000).map(lambda count: "x" * count) | st.integers(1, 9_000).map(lambda count: "\x00\u20ac😀" * count)
VALUES = st.recursive(
    SHORT | st.integers(-(2**53) + 1, 2**53 - 1) | st.booleans() | st.none() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SHORT, inner, max_size=3),
    max_leaves=5,
)
MANY = st.tuples(VALUES, st.integers(0, 4_000)).map(lambda pair: [pair[0]] * pair[1])
NAMED = st.tuples(SHORT, st.integers(0, 2_000)).map(lambda pair: {f"{pair[0]}{number}": pair[0] for number in range(pair[1])})
FIELDS = st.dictionaries(
    st.sampled_from(["sub", "tool", "reasons", "origins", "error", "by", "tools"]) | SHORT, VALUES | LONG | MANY | NAMED, max_size=5
)
OWN = {"call": "c" * 32, "task": "t" * 32, "status": "done", "args": "hmac-sha256:" + "0" * 64, "step": 7}


def keyed(plain: str) -> str:
    return f"keyed {plain}"


@settings(max_examples=80, deadline=None)
@given(FIELDS)
def test_whatever_it_was_it_fits_and_its_ids_stand(given_fields: dict[str, Any]) -> None:
    """Within the 65,535 bytes of an entry, with room for what the log itself adds; twice the same; and what fits is not touched."""
    fields = given_fields | OWN
    found = fitted(fields, keyed)
    if found is None:
        assert len(canonical(fields)) <= MAX_FIELDS
        return
    assert len(canonical(found)) <= MAX_FIELDS
    assert {name: found[name] for name in OWN} == OWN
    assert found["cut"] == f"keyed {digest(fields)}"
    assert fitted(fields, keyed) == found
    assert fitted(found, keyed) is None


def test_the_log_has_room_for_its_own() -> None:
    own = {"kind": "k" * 40, "prev": "sha256:" + "0" * 64, "seq": 2**53, "time": "t" * 40, "writer": "w" * 64}
    assert len(canonical(own)) + MAX_FIELDS <= MAX_ENTRY


def test_long_texts_go_before_lists() -> None:
    many = [f"tool_{number}" for number in range(500)]
    found = fitted({"sub": "x" * 100_000, "tools": many} | OWN, keyed)
    assert found is not None
    assert found["tools"] == many
    assert found["sub"] == "x" * 4_095 + "…"


@pytest.mark.parametrize(
    "odd", [float("nan"), "\ud800", object(), [[float("inf")]], {"\udfff": 1}], ids=["nan", "surrogate", "object", "inf", "key"]
)
def test_what_is_no_json_leaves_the_ids(odd: Any) -> None:
    found = fitted({"sub": odd} | OWN, keyed)
    assert found == OWN | {"cut": ""}


def test_what_nests_without_end_leaves_the_ids() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert fitted({"sub": deep} | OWN, keyed) == OWN | {"cut": ""}


def test_an_id_of_another_form_is_not_kept() -> None:
    found = fitted({"call": "\ud800", "task": "t" * 10_000, "step": 2**60, "sub": float("nan")}, keyed)
    assert found == {"cut": ""}
    assert "call" in IDS
