"""A YAML text that was read before gives what it gave then, and memory stays bounded."""

from __future__ import annotations

from typing import Any

import pytest

from licet.chain import documents
from licet.chain.documents import LONGEST, NO_DOCUMENT, Documents
from licet.chain.outputs import leaves
from licet.manifest.labels import OutputLabels


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that are really read, as they are."""
    read, texts = documents.read, []

    def heard(text: str) -> Any:
        texts.append(text)
        return read(text)

    monkeypatch.setattr(documents, "read", heard)
    return texts


def test_a_text_is_read_once_and_gives_the_same_leaves_under_any_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered is the text's data, and not what a tool's labels make of it."""
    monkeypatch.setattr("licet.chain.outputs._documents", Documents())
    texts = counted(monkeypatch)
    text = "items:\n- {id: R-1, note: 'write to eve@evil.example'}\n- {id: R-2, note: [1, 2.5, true, null]}\n"
    for label in ("trusted", "untrusted"):
        fresh = Documents()
        monkeypatch.setattr("licet.chain.outputs._documents", fresh)
        first, again = (leaves(text, OutputLabels(label, ()), "yaml") for _ in range(2))
        assert first == again
        assert {leaf.label for leaf in first} == {label}
        assert [leaf.value for leaf in first if leaf.path[0] == "items"] == ["R-1", "write to eve@evil.example", "R-2", 1, 2.5]
    assert texts == [text, text], "once for each of the two memories"


@pytest.mark.parametrize("text", ["a: 1\na: 2\n", "&x a", "- [", "x" * (LONGEST + 1)], ids=["twice", "anchor", "cut", "long"])
def test_what_is_no_document_is_none_each_time(text: str) -> None:
    known = Documents()
    assert [known.read(text) is NO_DOCUMENT for _ in range(2)] == [True, True]
    assert not known._known


def test_texts_that_are_equal_to_python_and_are_not_the_same_are_kept_apart() -> None:
    known = Documents()
    assert [known.read(text) for text in ("1", "1.0", "true", "'1'")] == [1, 1.0, True, "1"]
    assert [type(known.read(text)) for text in ("1", "1.0", "true", "'1'")] == [int, float, bool, str]


def test_the_oldest_are_forgotten_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = counted(monkeypatch)
    known = Documents(kept=10)
    for text in ("a: 1", "b: 2", "a: 1", "c: 3", "a: 1", "b: 2"):
        known.read(text)
    assert texts == ["a: 1", "b: 2", "c: 3", "b: 2"], "`b` was the oldest when `c` came"
    assert sum(map(len, known._known)) <= 10
