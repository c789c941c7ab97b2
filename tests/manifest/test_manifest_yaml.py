"""YAML is read as YAML 1.2 says, and never surprises."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from licet.canonical import digest
from licet.errors import ManifestError
from licet.manifest import loads
from licet.manifest.lint import check
from licet.manifest.loader import parse
from licet.manifest.yaml_reader import read
from manifests import NOW, VALID, changed

SCALARS: list[tuple[str, Any]] = [
    ("on", "on"), ("off", "off"), ("yes", "yes"), ("no", "no"), ("y", "y"), ("n", "n"), ("Yes", "Yes"), ("NO", "NO"),
    ("true", True), ("True", True), ("TRUE", True), ("false", False), ("tRUE", "tRUE"),
    ("1:20", "1:20"), ("190:20:30", "190:20:30"), ("1_000", "1_000"), ("0b11", "0b11"),
    ("0o17", 15), ("017", 17), ("0x1F", 31), ("-7", -7), ("+7", 7), ("0o8", "0o8"), ("0x", "0x"),
    ("1.5", 1.5), (".5", 0.5), ("1.", 1.0), ("1e3", 1000.0), ("1E-2", 0.01), ("1e", "1e"), ("_1", "_1"),
    ("2027-01-31", "2027-01-31"), ("2027-01-31 10:00:00", "2027-01-31 10:00:00"), ("2027-01-31T10:00:00Z", "2027-01-31T10:00:00Z"),
    ("null", None), ("~", None), ("Null", None), ("", None), ("nULL", "nULL"),
    ("=", "="), ("<<", "<<"), ("'1'", "1"), ('"true"', "true"), ("!!str 1", "1"), ("10m", "10m"), ("1.2.3", "1.2.3"),
]  # fmt: skip

REFUSED = [
    ".inf", "-.INF", ".nan", "1e400", "9" * 101, "0x" + "f" * 6_000, '"\\ud800"', '"\\ud83d\\ude42"', "&a 1", "*a", "!!binary aGk=", "!x 1",
    "!!python/object:os.system x", "!!set {a}", "!!bool maybe", "{b: 1, b: 2}", "{1: 2}", "{true: 2}", "{null: 2}", "{[a]: 2}",
    "{<<: {b: 1}}",
    "{'<<': {b: 1}}", '{"\\ud800": 1}', "[" * 70 + "]" * 70,
]  # fmt: skip


@pytest.mark.parametrize("written,meant", SCALARS)
def test_scalars_follow_the_core_schema(written: str, meant: Any) -> None:
    """YAML 1.2.2 section 10.3.2; dates stay text."""
    document = read(f"a: {written}")
    assert document.refused == []
    assert (document.data, type(document.data["a"])) == ({"a": meant}, type(meant))


@pytest.mark.parametrize("written", REFUSED, ids=range(len(REFUSED)))
def test_what_could_surprise_is_refused(written: str) -> None:
    """Each is told; none raises."""
    assert read(f"a: {written}").refused


@pytest.mark.parametrize(
    "head", ["%YAML 1.1\n---\n", "# c\n\n%YAML 1.1\n---\n", "%TAG ! x:\n---\n", "\ufeff%YAML 1.1\n---\n", "...\n%YAML 1.1\n---\n"]
)
def test_no_directive_brings_yaml_1_1_back(head: str) -> None:
    """Under 1.1 `on` would be a boolean."""
    document = read(f"{head}a: on\n")
    assert document.refused or document.data == {"a": "on"}


@given(st.text())
def test_arbitrary_text_never_raises(text: str) -> None:
    """What cannot be read is a problem, not an exception."""
    manifest, _, problems = parse(text, name="fuzz", now=NOW)
    assert manifest is None
    assert problems


@given(st.binary())
def test_arbitrary_bytes_never_raise(data: bytes) -> None:
    """However they are made into text."""
    assert parse(data.decode("latin-1"), name="fuzz", now=NOW)[2]
    assert parse(data.decode("utf-8", "surrogateescape"), name="fuzz", now=NOW)[2]


_PIECES = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        [*"{}[]:,#&*!|>'\"%@`-?~", "\n", "  ", "null", "1e999", "-1", "true", "'*'", "tools:", "arguments:", "origin:", "*a", "<<: "]
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(VALID)), st.integers(0, 12), _PIECES)
def test_mutated_manifests_never_raise(start: int, cut: int, piece: str) -> None:
    """A valid manifest with a piece replaced loads or is refused; if it loads, its digest is that of its content."""
    text = VALID[:start] + piece + VALID[start + cut :]
    manifest, document, problems = parse(text, name="fuzz", now=NOW)
    if not problems:
        assert manifest is not None
        assert manifest.digest == digest(document.data)
        check(text, name="fuzz", now=NOW)


_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)
_PATHS = st.sampled_from(
    [
        ("licet",), ("environment",), ("owners",), ("agents",), ("agents", "bot"), ("agents", "bot", "tasks"), ("credentials", "crm"),
        ("credentials", "crm", "expires"), ("tools",), ("tools", "send_email"), ("tools", "send_email", "arguments"),
        ("tools", "send_email", "arguments", "to"), ("tools", "send_email", "arguments", "to", "type"), ("tasks",), ("tasks", "answer"),
        ("tasks", "answer", "tools"), ("tasks", "answer", "tools", "send_email"), ("tasks", "answer", "budgets"),
        ("tasks", "answer", "chain"), ("edges",), ("checks",), ("mode",), ("tools", "send_email", "token"), ("flows",),
    ]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(_PATHS, _VALUES)
def test_any_value_in_any_place_never_raises(path: tuple[str, ...], value: Any) -> None:
    """Every key of the manifest meets every kind of value."""
    import json

    data = YAML(typ="safe", pure=True).load(VALID.replace("2027-01-31", "'2027-01-31'"))
    inner = data
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    check(json.dumps(data, ensure_ascii=False), name="fuzz", now=NOW)


def _shuffled(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        chance.shuffle(keys)
        return {key: _shuffled(value[key], chance) for key in keys}
    return [_shuffled(item, chance) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("seed", range(20))
def test_order_comments_and_layout_do_not_change_the_digest(seed: int) -> None:
    """The digest names what is declared, not how it is written."""
    import json

    data = _shuffled(read(VALID).data, random.Random(seed))
    rewritten = "# a comment\n" + json.dumps(data, indent=seed % 4)
    assert loads(rewritten, now=NOW).digest == loads(VALID, now=NOW).digest


def test_another_limit_is_another_digest() -> None:
    """What changes a decision changes the digest."""
    assert loads(changed("maxLength: 500", "maxLength: 501"), now=NOW).digest != loads(VALID, now=NOW).digest


@pytest.mark.parametrize(
    "written,key,why,fix",
    [
        (
            "token: task, audience: 'https://crm.acme.example'",
            "tools.read_ticket.token",
            "an `audience` outside cannot check it",
            "token: call",
        ),
        ("envelope: at+jwt", "tools.read_ticket.envelope", "needs no envelope", "add the tool's `audience:`"),
    ],
)
def test_a_token_that_nobody_could_check_is_an_error(written: str, key: str, why: str, fix: str) -> None:
    """What proves a call of `token: task` never leaves the process, and an envelope is for what is sent."""
    with pytest.raises(ManifestError) as caught:
        loads(changed("access: read,", f"access: read, {written},"), now=NOW)
    (problem,) = caught.value.problems
    assert (problem.key, problem.line) == (key, 10)
    assert why in problem.message
    assert fix in problem.fix


@pytest.mark.parametrize(
    "written", ["token: task", "token: call", "audience: 'https://crm.acme.example', envelope: at+jwt", "audience: 'urn:crm', token: call"]
)
def test_tokens_that_can_be_checked_load(written: str) -> None:
    """The errors above are about combinations alone."""
    assert loads(changed("access: read,", f"access: read, {written},"), now=NOW).tools["read_ticket"]
