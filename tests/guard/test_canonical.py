"""Canonical JSON against the official vectors of RFC 8785 and against an oracle of the test's own."""

from __future__ import annotations

import json
import math
import struct
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licet.canonical import canonical, digest, digest_text, recordable

VECTORS = Path(__file__).parents[1] / "vectors" / "jcs" / "testdata"


@pytest.mark.parametrize("name", sorted(path.stem for path in (VECTORS / "input").glob("*.json")))
def test_the_official_vectors(name: str):
    written = canonical(json.loads((VECTORS / "input" / f"{name}.json").read_text(encoding="utf-8")))
    assert written == (VECTORS / "output" / f"{name}.json").read_bytes().rstrip(b"\n")
    assert written == bytes.fromhex((VECTORS / "outhex" / f"{name}.txt").read_text())


def number(value: float) -> str:
    """ECMA-262's Number::toString by its own words: digits s, their count k, and n with value = s * 10**(n-k)."""
    if value == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    s, k = "".join(map(str, digits)), len(digits)
    n = k + int(exponent)
    minus = "-" if sign else ""
    if k <= n <= 21:
        return minus + s + "0" * (n - k)
    if 0 < n <= 21:
        return f"{minus}{s[:n]}.{s[n:]}"
    if -6 < n <= 0:
        return f"{minus}0.{'0' * -n}{s}"
    e = f"{'+' if n - 1 >= 0 else '-'}{abs(n - 1)}"
    return f"{minus}{s}e{e}" if k == 1 else f"{minus}{s[0]}.{s[1:]}e{e}"


def oracle(value: Any) -> str:
    """RFC 8785, as plainly as it can be said."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: [int.from_bytes(pair, "big") for pair in _units(name)])
        return "{" + ",".join(f"{oracle(name)}:{oracle(value[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(oracle, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(map(_escaped, value)) + '"'
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return number(value) if isinstance(value, float) else str(value)


def _units(text: str) -> list[bytes]:
    data = text.encode("utf-16-be")
    return [data[i : i + 2] for i in range(0, len(data), 2)]


def _escaped(character: str) -> str:
    short = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return short.get(character) or (f"\\u{ord(character):04x}" if character < " " else character)


TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_canonical_form_is_what_the_standard_says(value: Any):
    written = canonical(value)
    assert written.decode() == oracle(value)
    assert canonical(json.loads(written)) == written


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=8, max_size=8))
def test_every_double_is_written_as_the_standard_says_and_read_back(data: bytes):
    (value,) = struct.unpack("<d", data)
    if math.isfinite(value):
        assert canonical(value).decode() == number(value)
        assert float(canonical(value)) == value
    else:
        with pytest.raises(ValueError, match="finite"):
            canonical(value)


@settings(max_examples=100, deadline=None)
@given(st.integers(2**53, 2**80))
def test_big_integers_do_not_collide(value: int):
    """The one deviation from the standard, on purpose."""
    assert digest(value) != digest(value + 1)


@pytest.mark.parametrize("value", ["\ud800", {"\udfff": 1}, [b"x"], {1: 2}, {"a": {1, 2}}, (1,), object()])
def test_what_is_not_json_is_an_error(value: Any):
    with pytest.raises((ValueError, AttributeError, TypeError)):
        canonical(value)


def test_a_surrogate_and_a_question_mark_have_digests_of_their_own():
    assert digest_text("\ud800") != digest_text("?")


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.text(), st.integers(), st.none()), st.integers(1, 50))
def test_recordable_text_can_be_recorded_and_keeps_texts_apart(text: Any, limit: int):
    shown = recordable(text, limit)
    assert canonical(shown)
    assert len(shown) <= limit + 80
    if isinstance(text, str):
        assert recordable(text + "x" * 200, limit) != recordable(text + "y" * 200, limit)
